// What the settings come to, in formulas. Used by convolution and pooling.

import { h } from "../../core/dom.js";
import { formula } from "../../core/format.js";

// The size formula of both axes, once where they are the same.
export function sizeFormulas({ rows, columns }) {
  const same = rows.formula === columns.formula;
  const lines = same
    ? [["H, W", rows]]
    : [
        ["H", rows],
        ["W", columns],
      ];
  return lines.map(([axis, side]) => h("p", {}, h("strong", {}, axis), " ", formula(side.formula)));
}
