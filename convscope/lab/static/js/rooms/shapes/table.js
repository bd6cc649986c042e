// The shape table, in which every layer and every bracket can be edited, moved and taken out.

import { h, sentence } from "../../core/dom.js";
import { count, formula, shape } from "../../core/format.js";
import { below, lanes } from "../../parts/lanes.js";
import { editor } from "./blocks.js";
import { meaning } from "./meaning.js";
import { narrow } from "./refusal.js";

const COSTS = ["parameters", "multiply_adds"];
const NUMBERS = ["output", "fed", ...COSTS];

// change(blocks): the user has changed the net.
export function table(t, answer, change) {
  const { fed, failure } = answer;
  const heads = ["name", "layer", "output", ...(fed ? ["fed"] : []), "formula", "parameters", "multiply_adds"];
  const edit = (i, name) => editor(t, answer.layers, i, name, change);
  let next = 0; // the block whose turn it is: what is repeated is edited where it stands first
  const rows = [];
  const brackets = (until, marks = "") => {
    for (; next < until; next += 1) rows.push(bracket(edit(next, answer.layers[next]), below(marks), heads.length));
  };
  answer.lines.forEach((line, i) => {
    const first = line.block !== null && line.block >= next;
    if (first) brackets(line.block, answer.lines[i - 1]?.marks);
    rows.push(row(line, i, first ? edit(line.block, line.name) : null, answer, t));
    if (first) next = line.block + 1;
  });
  if (failure) {
    brackets(failure.index, answer.lines.at(-1)?.marks);
    rows.push(refused(failure, edit(failure.index, failure.name), t));
    next = Math.max(next, failure.index + 1);
    for (; next < answer.layers.length; next += 1) rows.push(after(edit(next, `${next + 1}`), next));
  }
  brackets(answer.layers.length);
  rows.push(total(answer, fed, t));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("shapes.table") },
    h(
      "table",
      { class: "shapes" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((key) => h("th", { scope: "col", class: NUMBERS.includes(key) ? "n" : null }, t(`shapes.${key}`))),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

function row(line, i, edit, answer, t) {
  const { fed } = answer;
  const branch = line.inputs.length > 1;
  const words = meaning(t, line.text);
  const note = line.note && sentence("span", { class: "hint" }, t.said(line.note));
  return h(
    "tr",
    {
      "data-testid": `row-${i}`,
      "data-layers": line.name,
      class: fed?.failed === line.name ? "bad" : null,
    },
    h("th", { scope: "row", class: "laned" }, lanes(line.marks), line.name),
    h(
      "td",
      {},
      edit ?? (branch ? null : h("code", {}, line.text)),
      branch && h("code", { class: "hint" }, line.text),
      words && h("span", { class: "hint means" }, words),
      note,
    ),
    h("td", { class: "n", "data-value": line.output.join() }, shape(line.output)),
    fed &&
      h(
        "td",
        { class: "n", "data-testid": `fed-${line.name}` },
        fed.outputs[line.name] ? `(${fed.outputs[line.name].join(", ")})` : fed.failed === line.name ? "✗" : "—",
      ),
    h("td", { class: "formula" }, formula(t.said(line.formula).text)),
    COSTS.map((key) => cost(t, key, line[key], answer.lines)),
  );
}

// What a layer costs, and its share in the whole net as a bar below the number.
function cost(t, key, value, lines) {
  const all = lines.reduce((sum, line) => sum + line[key], 0);
  const share = value / all;
  const words = t("shapes.share", { p: (100 * share).toFixed(1), what: t(`shapes.${key}`) });
  const bar = { class: "cost", role: "img", "aria-label": words, title: words, style: { "--share": share } };
  return h("td", { class: "n", "data-value": value }, count(value), value > 0 && h("span", bar));
}

function bracket(edit, marks, columns) {
  return h(
    "tr",
    { class: "bracket" },
    h("th", { scope: "row", class: "laned" }, lanes(marks)),
    h("td", { colspan: columns - 1 }, edit),
  );
}

function refused(failure, edit, t) {
  return h(
    "tr",
    { class: "bad", "data-testid": `row-${failure.index}` },
    h("th", { scope: "row" }, failure.name),
    h("td", {}, edit),
    h("td", { class: "n" }, "✗"),
    sentence("td", { colspan: 3 }, narrow(t.said(failure.problem))),
  );
}

function after(edit, i) {
  return h(
    "tr",
    { class: "after", "data-testid": `row-${i}` },
    h("th", { scope: "row" }),
    h("td", {}, edit),
    h("td", { class: "n" }, "—"),
    h("td", { colspan: 3 }),
  );
}

function total(answer, fed, t) {
  return h(
    "tr",
    { class: "total" },
    h("th", { scope: "row" }, t("shapes.total")),
    h("td", { colspan: fed ? 4 : 3 }),
    h("td", { class: "n", "data-testid": "parameters", "data-value": answer.parameters }, count(answer.parameters)),
    h(
      "td",
      { class: "n", "data-testid": "multiply-adds", "data-value": answer.multiply_adds },
      count(answer.multiply_adds),
    ),
  );
}
