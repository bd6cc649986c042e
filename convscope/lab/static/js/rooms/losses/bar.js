// A derivative as an arrow from the middle, or a probability as a bar. The number itself stands beside it.

import { s } from "../../core/dom.js";

const WIDE = 72;
const SIDE = 24;

export function bar(value, limit, kind = "arrow") {
  const middle = kind === "share" ? 1 : WIDE / 2;
  const room = kind === "share" ? WIDE - 2 : WIDE / 2 - 2;
  const end = middle + room * Math.max(-1, Math.min(1, value / limit));
  const head = Math.sign(value) * Math.min(5, Math.abs(end - middle));
  const shape =
    kind === "share"
      ? s("rect", { x: 1, y: 3, width: Math.max(0.5, end - 1), height: 8, class: "share" })
      : value === 0
        ? s("circle", { cx: middle, cy: 7, r: 2 })
        : s("path", { d: `M${middle} 7H${end}m${-head} -4l${head} 4l${-head} 4`, class: value < 0 ? "minus" : "plus" });
  return s(
    "svg",
    { class: "slope", width: WIDE, height: 14, viewBox: `0 0 ${WIDE} 14`, "aria-hidden": "true" },
    kind === "share" ? null : s("line", { x1: middle, x2: middle, y1: 1, y2: 13 }),
    shape,
  );
}

// A square error as what it is called: a square whose area is the term.
export function square(value, limit) {
  const side = SIDE * Math.sqrt(limit ? value / limit : 0);
  const at = (SIDE - side) / 2;
  return s(
    "svg",
    { class: "slope", width: SIDE, height: SIDE, viewBox: `0 0 ${SIDE} ${SIDE}`, "aria-hidden": "true" },
    s("rect", { x: at, y: at, width: side, height: side, class: "share" }),
  );
}
