// Of a long row of terms, the few that come first, and what they come to: one sentence above the ledger.

import { h } from "../core/dom.js";
import { num, signed } from "../core/format.js";
import { layout, name } from "./ledger-rows.js";

const FEW = 5;

// Whether the terms stand in one row, of which their order says nothing: the features that a linear layer reads.
export function isRow({ terms, operation }) {
  return operation === "sum" && terms[0]?.x.index.length === 1;
}

export function decisive(t, data) {
  const terms = layout(data, { sorted: true, most: FEW }).map(({ term }) => term);
  const sum = terms.reduce((all, { product }) => all + product, 0);
  const told = terms.map(({ x, product }) => `${name(x.tensor, x.index)} ${signed(product, 3)}`).join(", ");
  const words = { n: FEW, sum: signed(sum, 4), total: num(data.total, 4), terms: told };
  return h("p", { class: "hint", "data-testid": "decisive" }, t("common.decisive", words));
}
