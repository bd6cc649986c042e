// The camera: a video that runs while somebody wants it, and ends when nobody does.

import { h } from "../core/dom.js";

// start() and stop(); on() whether it runs. start gives false where there is no camera that this page may use.
export function camera(t, { testid }) {
  const video = h("video", {
    muted: true,
    playsinline: true,
    "aria-label": t("common.camera"),
    "data-testid": testid,
  });
  let stream = null;
  let wanted = 0; // counts start() and stop(): a camera that opens after it was closed is closed again

  async function start() {
    const mine = ++wanted;
    try {
      const found = stream ?? (await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }));
      if (mine !== wanted) return found === stream || end(found);
      stream = video.srcObject = found;
      await video.play();
      return true;
    } catch {
      if (mine === wanted) stop();
      return false;
    }
  }

  function stop() {
    wanted += 1;
    end(stream);
    stream = video.srcObject = null;
  }

  return { element: video, start, stop, on: () => stream !== null };
}

function end(stream) {
  stream?.getTracks().forEach((track) => track.stop());
  return false;
}
