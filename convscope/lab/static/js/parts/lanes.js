// Where branches of a net begin and end, drawn beside its layers: one lane a letter of the server's marks.

import { h } from "../core/dom.js";

const KINDS = { "╭": "start", "│": "through", "├": "reads", "╰": "end" };
const WIDE = 13; // pixels

// The marks of what stands between a layer with these marks and the next.
export function below(marks) {
  return [...marks].map((mark) => ("╭│├".includes(mark) ? "│" : " ")).join("");
}

// The lanes of one layer; null where the net is a chain.
export function lanes(marks) {
  if (!marks) return null;
  return h(
    "span",
    { class: "lanes", "aria-hidden": "true", style: { "--wide": `${WIDE * marks.length}px` } },
    [...marks].map((mark) => h("i", { class: KINDS[mark] ?? "" })),
  );
}
