// What leaves a finished run: its net in every format, the report, all in one file; each is a download.

import { STALE, line } from "../../core/api.js";
import { h, sentence, show } from "../../core/dom.js";

const ENDINGS = {
  report: "-report.html",
  card: "-README.md",
  bundle: "-bundle.zip",
  onnx: ".onnx",
  html: ".html",
  c: ".h",
  native: ".zip",
  pt2: ".pt2",
};

// Buttons for the run of that name: all kinds of files, or those in `kinds`.
export function leaving(t, run, kinds = Object.keys(ENDINGS)) {
  const asking = line();
  const said = h("div", { class: "hint", role: "status", "data-testid": "leaving" });
  const buttons = kinds.map((what) =>
    h(
      "button",
      { class: "quiet", "data-testid": `leave-${what}`, onclick: () => take(what) },
      t(`train.leave_${what}`),
    ),
  );

  async function take(what) {
    show(said, t("train.leave_working"));
    buttons.forEach((button) => (button.disabled = true));
    try {
      const body = { what, language: document.documentElement.lang.startsWith("zh") ? "zh" : "en" };
      const content = await asking(`/api/runs/${encodeURIComponent(run)}/leave`, body);
      if (content === STALE) return;
      hand(content, run + ENDINGS[what]);
      show(said, t("train.leave_done", { file: run + ENDINGS[what] }));
    } catch (error) {
      show(said, sentence("p", {}, t.said(error.message)), error.help && sentence("p", {}, t.said(error.help)));
    } finally {
      buttons.forEach((button) => (button.disabled = false));
    }
  }

  return h("div", { class: "leaving" }, h("h3", {}, t("train.leave")), h("p", { class: "acts" }, buttons), said);
}

// The browser saves it as that name.
function hand(content, name) {
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
