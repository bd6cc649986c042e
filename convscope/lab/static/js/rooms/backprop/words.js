// What a step does, in words, and all nodes as a table.

import { h, rich, sentence } from "../../core/dom.js";
import { minus } from "../../core/format.js";
import { typeset } from "./typeset.js";

const HEADS = ["node", "operation", "value", "kept", "local", "gradient"];

// step: the one just taken, or null before the first.
export function tell(t, { boxes }, step) {
  if (!step) return h("p", { class: "hint" }, rich(t("backprop.start")));
  const { remark } = boxes[step.node];
  const phase = h("strong", {}, t(`backprop.${step.phase}`, { n: step.backward_pass }));
  const given = step.given.map((one) => h("li", {}, typeset(arrow(t, boxes, step, one)), noted(t, one)));
  return [
    h("p", {}, phase, " ", typeset(about(t, boxes, step))),
    given.length > 0 && h("ul", {}, given),
    remark && sentence("p", { class: "hint" }, t.said(remark)),
  ];
}

// What a step does, as a sentence.
export function about(t, boxes, { phase, node, text, upstream }) {
  const words = { node: boxes[node].label, result: boxes.at(-1).label, text, upstream: upstream?.text };
  return t(`backprop.${phase}_words`, words);
}

// What goes along one arrow backwards, as a sentence.
export function arrow(t, boxes, { node, upstream }, { input, local, formula, value, accumulated }) {
  const single = value.number !== null && upstream.number !== null;
  return t(single ? "backprop.arrow" : "backprop.arrow_matrix", {
    from: boxes[node].label,
    to: boxes[input].label,
    upstream: upstream.text,
    local,
    formula,
    value: value.text,
    sofar: accumulated.text,
  });
}

function noted(t, { note }) {
  return note && [" ", sentence("span", { class: "hint" }, t.said(note))];
}

// seen: what is known after the steps taken (replay.js). No number stands here before its step.
export function table(t, { boxes }, seen) {
  const number = (key) => (key === "value" || key === "gradient" ? "n" : null);
  const heads = HEADS.map((key) => h("th", { scope: "col", class: number(key) }, t(`backprop.${key}`)));
  const rows = boxes.map((box, i) => row(t, box, seen.known[i], seen.gradients[i], seen.cached.has(i)));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("backprop.table") },
    h("table", { class: "walk" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
  );
}

function row(t, { label, kind, formula, numbers, value, locals, requires_grad: learns }, known, gradient, cached) {
  const what = kind === "operation" ? formula : t(`backprop.${kind}`);
  const slope = gradient ? minus(gradient.text) : "—";
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, label),
    h("td", { class: "code" }, what, known && numbers && h("span", { class: "hint" }, ` = ${numbers}`)),
    h("td", { class: "n code" }, known ? minus(value.text) : "—"),
    h("td", {}, cached ? "●" : ""),
    h("td", { class: "code hint" }, known && locals.map((local) => h("div", {}, typeset(local)))),
    h("td", { class: "n code" }, learns ? slope : ""),
  );
}
