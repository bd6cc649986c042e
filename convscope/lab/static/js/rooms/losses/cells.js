// What both tables of losses share: a cell with its number, and what PyTorch says of a loss.

import { h } from "../../core/dom.js";
import { num } from "../../core/format.js";

// Our number beside PyTorch's.
export function check(t, { value, reported }) {
  return h(
    "p",
    { class: "hint" },
    `${t("losses.reported", { value: num(reported, 6) })} · ${t("common.difference")} ${num(reported - value)}`,
  );
}

// A number in a cell, with a small picture before it.
export function put(cell, value, picture = null) {
  cell.dataset.value = value;
  cell.replaceChildren(...[picture, h("span", {}, num(value))].filter(Boolean));
}

// The cells of a row by name: {name: <td data-testid="name-3">}.
export function cellsOf(names, i) {
  return Object.fromEntries(names.map((name) => [name, h("td", { class: "n", "data-testid": `${name}-${i}` })]));
}

// A table of one row an entry: heads of which the first `left` are texts, rows with the cells of each.
export function table(heads, left, rows) {
  const head = heads.map((text, i) => h("th", { scope: "col", class: i >= left ? "n" : null }, text));
  const body = rows.map((cells) => h("tr", {}, cells));
  return h("table", { class: "losses" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}
