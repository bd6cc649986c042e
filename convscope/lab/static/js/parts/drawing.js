// A drawing and its tools: the sheet, undo, clear, the width of the pen. It is kept as text, see ink.js.

import { h } from "../core/dom.js";
import { read, write } from "./ink.js";
import { pad } from "./pad.js";

// ondraft(strokes) while a stroke grows, onink(text) when the drawing has changed, onpen(width).
export function drawing(t, { ondraft, onink, onpen }) {
  let ink = "";
  const sheet = pad(t, { ondraft, ondone: (strokes) => onink(write(strokes)) });
  const width = h("input", {
    type: "range",
    min: 4,
    max: 20,
    "aria-label": t("common.pen"),
    "data-testid": "pen",
    oninput: () => onpen(Number(width.value)),
  });
  const button = (key, action) => h("button", { "data-testid": key, onclick: action }, t(`common.${key}`));
  const element = h(
    "div",
    { class: "drawing" },
    sheet.element,
    h(
      "div",
      { class: "line" },
      button("undo", () => onink(write(read(ink).slice(0, -1)))),
      button("clear", () => onink("")),
      width,
    ),
    h("p", { class: "hint", id: "pad-keys" }, t("common.pad_keys")),
  );

  function set(text, pen, example = false) {
    ink = text;
    sheet.set(read(text), pen, example);
    width.value = pen;
  }

  return { element, set };
}
