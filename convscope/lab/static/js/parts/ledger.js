// The terms behind one number, channel by channel, their sum, and the number that PyTorch computed.

import { h, show } from "../core/dom.js";
import { num, signed } from "../core/format.js";
import { stepTo } from "../core/roving.js";
import { decisive, isRow } from "./ledger-decisive.js";
import { layout, name } from "./ledger-rows.js";

export { name };

const FIRST = 60; // terms shown before "show all"

// options: testid, onterm(term | null): the term under the pointer or the focus. Returns {element, draw(data)}.
export function ledger(t, { testid = "ledger", onterm = () => {} } = {}) {
  const element = h("div", { class: "ledger", "data-testid": testid });
  let chosen = null; // whether the largest come first, once the reader has said so; a row of numbers begins with them
  let all = false;

  function draw(data) {
    if (!data) return show(element);
    const sorted = chosen ?? (isRow(data) && data.terms.length > FIRST);
    const head = h(
      "div",
      { class: "ledger-head" },
      h("h2", {}, h("code", {}, name(data.name, data.index))),
      h("p", { class: "sum" }, equation(data)),
      data.terms.length > 1 &&
        h(
          "button",
          {
            class: "quiet",
            "data-key": "sort",
            "data-testid": "sort-terms",
            "aria-pressed": String(sorted),
            onclick: () => {
              chosen = !sorted;
              draw(data);
            },
          },
          t("common.sort"),
        ),
    );
    show(
      element,
      head,
      isRow(data) && data.terms.length > FIRST && decisive(t, data),
      h("div", { class: "scroll" }, body(data, sorted)),
      !all &&
        data.terms.length > FIRST &&
        h(
          "button",
          {
            class: "quiet",
            "data-key": "all",
            "data-testid": "all-terms",
            onclick: () => {
              all = true;
              draw(data);
            },
          },
          t("common.all_terms", { n: data.terms.length }),
        ),
    );
  }

  function body(data, sorted) {
    const rows = layout(data, { sorted, most: all ? Infinity : FIRST }).map(({ subtotal, term, i }) =>
      subtotal ? heading(data, subtotal) : row(data, term, i),
    );
    if (rows.length) rows.find((r) => r.classList.contains("term")).tabIndex = 0;
    const table = h(
      "table",
      { onkeydown: arrows, onpointerleave: () => onterm(null) },
      h("tbody", {}, rows),
      h("tfoot", {}, foot(data)),
    );
    return table;
  }

  function heading(data, { channel, terms, total }) {
    return h(
      "tr",
      { class: "subtotal" },
      h("th", { scope: "rowgroup", colspan: 5 }, t("common.channel", { by: by(data), c: channel, n: terms })),
      h("td", { class: `n ${sign(total)}`, "data-value": total }, signed(total)),
    );
  }

  function row(data, term, i) {
    const cells = [h("td", { class: "from" }, factor(term.x)), h("td", { class: "n" }, value(term.x))];
    if (term.w)
      cells.push(
        h("td", { class: "op" }, "×"),
        h("td", { class: "from" }, factor(term.w)),
        h("td", { class: "n" }, num(term.w.value)),
      );
    else cells.push(h("td", { colspan: 3 }));
    cells.push(
      h(
        "td",
        { class: `n ${sign(term.product)}`, "data-value": term.product ?? "" },
        data.operation === "max" ? num(term.product) : signed(term.product ?? 0),
      ),
    );
    return h(
      "tr",
      {
        class: `term${data.winner === i ? " winner" : ""}${term.x.padding ? " padding" : ""}`,
        tabindex: "-1",
        "data-testid": `term-${i}`,
        onpointerenter: () => onterm(term, i),
        onfocus: (event) => {
          rove(event.target);
          onterm(term, i);
        },
      },
      cells,
    );
  }

  function foot(data) {
    const line = (label, number, extra = "", id = null) =>
      h(
        "tr",
        { class: extra },
        h("th", { scope: "row", colspan: 5 }, label),
        h(
          "td",
          { class: "n", "data-value": number, "data-testid": id },
          typeof number === "number" ? num(number, 7) : number,
        ),
      );
    return [
      data.bias && line(t("common.bias", { name: name(data.bias.tensor, data.bias.index) }), data.bias.value),
      line(
        data.operation === "max" ? t("common.largest") : data.operation === "sum" ? t("common.sum") : data.operation,
        data.total,
        "total",
        "total",
      ),
      line(t("common.reported"), data.reported, "reported", "reported"),
      line(t("common.difference"), data.difference, "check"),
    ].filter(Boolean);
  }

  function arrows(event) {
    const rows = [...element.querySelectorAll("tr.term")];
    const from = rows.indexOf(event.target.closest("tr"));
    const to = stepTo(event.key, from, 0, rows.length, 1);
    if (from < 0 || !to) return;
    event.preventDefault();
    rows[to[0]].focus();
  }

  function rove(target) {
    for (const other of element.querySelectorAll("tr.term[tabindex='0']")) other.tabIndex = -1;
    target.tabIndex = 0;
  }

  // "27 products + bias = 91"
  function equation({ terms, operation, bias, total }) {
    const key = { max: "max_of", sum: "sum_of" }[operation];
    const what = key ? t(`common.${key}${terms.length === 1 ? "_one" : ""}`, { n: terms.length }) : operation;
    return `${what}${bias ? ` + ${t("common.a_bias")}` : ""} = ${num(total, 7)}`;
  }

  function by(data) {
    return t(data.by === "output channel" ? "common.by_output" : "common.by_input");
  }

  function factor(x) {
    const [first, ...rest] = [...x.tensor.split(/(?<=\.)/), name("", x.index)];
    const broken = rest.map((part) => [h("wbr"), part]); // where a column is narrow
    const where = h("code", {}, first, broken);
    if (!x.padding) return where;
    return [
      where,
      " ",
      h("small", {}, x.copy_of ? t("common.copied_from", { cell: x.copy_of.join(",") }) : t("common.padding")),
    ];
  }

  function value(x) {
    return x.value === null && x.padding ? "−∞" : num(x.value);
  }

  return { element, draw };
}

function sign(number) {
  return number < 0 ? "minus" : number > 0 ? "plus" : "";
}
