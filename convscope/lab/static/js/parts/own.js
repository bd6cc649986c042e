// A picture of one's own: chosen, dropped on the page, pasted, or taken by the camera. It stays in this browser.

import { h, say } from "../core/dom.js";
import { camera } from "./camera.js";

const LARGEST = 1024; // pixels of the longer side; what is larger is reduced

// onpicture({rgba, height, width}). leave() ends the camera and the listening. live: false where the room has a camera of
// its own.
export function own(t, { onpicture, live = true }) {
  const file = h("input", {
    type: "file",
    accept: "image/*",
    class: "unseen",
    tabindex: "-1",
    "data-testid": "own-file",
    "aria-label": t("common.choose"),
    onchange: () => open(file.files[0]).finally(() => (file.value = "")),
  });
  const button = (key, action) => h("button", { "data-testid": `own-${key}`, onclick: action }, t(`common.${key}`));
  const take = h("button", { "data-testid": "own-take", onclick: shot }, t("common.shoot"));
  const stop = button("close_camera", end);
  const eye = camera(t, { testid: "own-video" });
  const frame = h("div", { class: "camera", hidden: true }, eye.element, h("div", { class: "line" }, take, stop));
  const note = h("p", { class: "hint", role: "status", "data-testid": "own-note" }, t("common.drop"));
  const choose = button("choose", () => file.click());
  const element = h(
    "div",
    { class: "own" },
    h("div", { class: "line" }, choose, live && button("camera", watch), file),
    live && frame,
    note,
  );

  async function open(blob) {
    if (!blob) return;
    try {
      const picture = await createImageBitmap(blob);
      give(picture, picture.width, picture.height);
      picture.close();
    } catch {
      tell("common.unreadable");
    }
  }

  function give(source, wide, high) {
    const scale = Math.min(1, LARGEST / Math.max(wide, high));
    const [width, height] = [wide, high].map((n) => Math.max(1, Math.round(n * scale)));
    const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    ink.drawImage(source, 0, 0, width, height);
    note.textContent = t("common.drop");
    element.classList.remove("told");
    onpicture({ rgba: ink.getImageData(0, 0, width, height).data, height, width });
  }

  async function watch() {
    if (!(await eye.start())) {
      end();
      return tell("common.no_camera");
    }
    frame.hidden = false;
    take.focus();
  }

  function shot() {
    give(eye.element, eye.element.videoWidth, eye.element.videoHeight);
    end();
  }

  function end() {
    eye.stop();
    frame.hidden = true;
  }

  function tell(key) {
    note.textContent = t(key);
    element.classList.add("told");
    say(note.textContent);
  }

  const listeners = {
    dragover: (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    },
    dragleave: () => document.body.classList.remove("over"),
    drop: (event) => {
      event.preventDefault();
      document.body.classList.remove("over");
      open(event.dataTransfer.files[0]);
    },
    paste: (event) => open([...event.clipboardData.files][0]),
  };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);

  function leave() {
    end();
    for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
  }

  return { element, leave };
}
