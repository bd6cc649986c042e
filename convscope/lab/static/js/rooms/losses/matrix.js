// What the trap of shapes really computes: with ŷ of shape (N, 1) every prediction meets every target, N × N terms.

import { h } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { square } from "./bar.js";

// elements: N·N terms, row by row, as the server gives them. The diagonal is what was meant.
export function matrix(t, elements, count) {
  const limit = Math.max(...elements.map(({ term }) => term));
  const cell = (i, j) => {
    const { term } = elements[i * count + j];
    const props = { class: i === j ? "meant" : null, "data-testid": `term-${i}-${j}`, "data-value": term };
    return h("td", props, square(term, limit), h("span", {}, num(term, 3)));
  };
  const places = Array.from({ length: count }, (_, k) => k);
  const heads = places.map((j) => h("th", { scope: "col" }, `y[${j}]`));
  const rows = places.map((i) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, `ŷ[${i}]`),
      places.map((j) => cell(i, j)),
    ),
  );
  const table = h("table", { class: "matrix" }, h("thead", {}, h("tr", {}, h("td"), heads)), h("tbody", {}, rows));
  return [
    h("p", { class: "hint" }, t("losses.matrix", { n: count, all: count * count })),
    h("div", { class: "scroll" }, table),
  ];
}
