// Erase and paint on the image that the net is given, and watch the answer while the brush moves.

import { h, say, show } from "../../../core/dom.js";
import { sure } from "../../../core/format.js";
import { bestOf } from "../state.js";
import { canvas } from "./canvas.js";

const MOST_UNDO = 50;

export function panel({ t, set }, { give, draft }) {
  let tool = "erase";
  let at = null; // {shape, bytes}: what is on the canvas
  let blank = [0]; // a pixel of nothing, channel by channel
  let origin = null; // where the painting began: {state, bytes, head}
  let past = []; // bytes before every stroke
  const shade = h("input", {
    type: "range",
    min: 0,
    max: 255,
    value: 255,
    "aria-label": t("play.shade"),
    "data-testid": "shade",
  });
  const colour = h("input", {
    type: "color",
    value: "#ff5500",
    "aria-label": t("play.colour"),
    "data-testid": "colour",
  });
  const size = h("input", { type: "range", min: 1, max: 9, value: 3, id: "brush", "data-testid": "brush" });
  const tools = ["erase", "paint"].map((key) =>
    h(
      "button",
      { "data-testid": `tool-${key}`, "data-key": key, onclick: () => choose(key) },
      t(key === "erase" ? "play.erase" : "play.paint_tool"),
    ),
  );
  const undo = h("button", { "data-testid": "paint-undo", onclick: back }, t("common.undo"));
  const whole = h("button", { "data-testid": "paint-restore", onclick: restore }, t("play.restore"));
  const surface = canvas(t, { brush, onstroke, ongrow, onundo: back });
  const words = h("p", { class: "outcome", role: "status", "data-testid": "painted" });
  const element = h(
    "div",
    { class: "painting" },
    surface.element,
    h(
      "div",
      { class: "tools-of" },
      h("div", { class: "line" }, tools, shade, colour),
      h("div", { class: "field range" }, h("label", { for: "brush" }, t("play.brush")), size),
      h("div", { class: "line" }, undo, whole),
      words,
      h("p", { class: "hint", id: "paint-keys" }, t("play.paint_keys")),
    ),
  );

  function choose(key) {
    tool = key;
    for (const button of tools) button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }

  // What the brush leaves: one value a channel, and its side in pixels.
  function brush() {
    const hex = colour.value;
    const rgb = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const ink = at.shape[0] === 3 ? rgb : [Number(shade.value)];
    return { ink: tool === "erase" ? blank : ink, side: Number(size.value) };
  }

  async function ongrow(bytes) {
    const answer = await draft(bytes);
    if (answer) tell(answer.head);
  }

  function onstroke(bytes, before) {
    past = [...past, before].slice(-MOST_UNDO);
    at = { ...at, bytes };
    able();
    give(bytes);
  }

  // At once, not when the answer comes: who has drawn may take it back.
  function able() {
    undo.disabled = whole.disabled = !past.length;
  }

  function back() {
    if (!past.length) return;
    at = { ...at, bytes: past.at(-1) };
    past = past.slice(0, -1);
    if (past.length) give(at.bytes);
    else restore();
  }

  // A picture that is too large for the address is given again: the room holds the last one only.
  function restore() {
    const { state, bytes } = origin;
    if (state.test < 0 && !state.ink && !state.pixels) give(bytes);
    else set({ ...state });
  }

  function update(now, { head, arrays }) {
    const ours =
      at &&
      arrays.image.values.length === at.bytes.length &&
      arrays.image.values.every((value, i) => value === at.bytes[i]);
    if (!ours || !origin) begin(now, head, arrays.image);
    blank = head.blank;
    shade.hidden = at.shape[0] === 3;
    colour.hidden = !shade.hidden;
    able();
    surface.draw(at.shape, at.bytes);
    tell(head);
    if (past.length) say(words.textContent);
  }

  function begin(now, head, image) {
    const { test, ink, pixels, invert } = now;
    at = { shape: image.shape, bytes: Uint8Array.from(image.values) };
    origin = { state: { test, ink, pixels, invert }, bytes: at.bytes, head };
    past = [];
  }

  function tell(head) {
    const answer = ({ classes, confidence, confidences }) => [
      classes[bestOf({ confidences })],
      sure(confidence, Math.max(...confidences)),
    ];
    const [[before, p], [after, q]] = [answer(origin.head), answer(head)];
    show(
      words,
      h("strong", { class: before === after ? "" : "bad", "data-testid": "painted-best" }, after),
      ` ${q}`,
      h("span", { class: "hint" }, ` ${t("play.was", { name: before, p })}`),
    );
  }

  choose(tool);
  return { element, update, leave: surface.leave };
}
