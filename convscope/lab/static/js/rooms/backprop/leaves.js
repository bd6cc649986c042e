// Every number of every leaf with a slider, and the nudge test: what its gradient promises for a small change, and what the
// result really does.

import { h, rich, show } from "../../core/dom.js";
import { num, signed } from "../../core/format.js";
import { select } from "../../parts/fields.js";
import { slider } from "../../parts/slider.js";

export const SIZES = [0.1, 0.01, 0.001];
const HEADS = ["leaf", "number", "gradient", "predicted", "measured"];

// onmove(nudge, value): a leaf's number is another; onsize(change).
export function leaves(t, { onmove, onsize }) {
  const body = h("tbody", {});
  const heads = HEADS.map((key) =>
    h("th", { scope: "col", class: HEADS.indexOf(key) > 1 ? "n" : null }, t(`backprop.${key}`)),
  );
  const size = select(t("backprop.nudge"), {
    testid: "nudge",
    options: SIZES.map((value) => [String(value), num(value)]),
    onchange: (value) => onsize(Number(value)),
  });
  const told = h("p", { class: "nudged", "data-testid": "nudged" });
  const table = h("table", { class: "walk leaves" }, h("thead", {}, h("tr", {}, heads)), body);
  const scroll = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("backprop.leaves") },
    table,
  );
  const element = h("div", { class: "nudges" }, h("div", { class: "line" }, size.element, told), scroll);
  let rows = new Map(); // label → what changes in its row
  let known = "";

  function build(nudges) {
    rows = new Map(nudges.map((one) => [one.label, row(t, one, (value) => onmove(one, value))]));
    show(
      body,
      [...rows.values()].map((one) => one.element),
    );
  }

  // known(node): whether the walk has completed that leaf's gradient.
  function draw(answer, change, complete) {
    const labels = answer.nudges.map(({ label }) => label).join("\n");
    if (labels !== known) build(answer.nudges);
    known = labels;
    size.set(String(change));
    for (const one of answer.nudges) rows.get(one.label).set(one, complete(one.node), answer.passes);
    const first = answer.nudges.find(({ gradient, measured }) => gradient !== null && measured !== null);
    show(
      told,
      first && complete(first.node)
        ? sentence(t, first, change)
        : h("span", { class: "hint" }, t("backprop.nudge_hint")),
    );
  }

  return { element, draw };
}

function sentence(t, { label, gradient, predicted, measured }, change) {
  const numbers = {
    label,
    change: num(change),
    gradient: num(gradient),
    predicted: signed(predicted),
    measured: signed(measured, 6),
  };
  return h("span", {}, rich(t("backprop.nudged", numbers)));
}

function row(t, { label, value, gradient }, onchange) {
  const wide = [5, 10, 20, 50, 100, 1000, 1e6].find((end) => Math.abs(value) <= end) ?? 1e6;
  const field = slider(label, { testid: `leaf-${label}`, onchange, low: -wide, high: wide, step: wide / 100 });
  const cell = (key) => h("td", { class: "n code", "data-testid": `${key}-of-${label}` });
  const cells = { gradient: cell("gradient"), predicted: cell("predicted"), measured: cell("measured") };
  const element = h(
    "tr",
    {},
    h("th", { scope: "row", class: "code" }, label),
    h("td", {}, field.element),
    Object.values(cells),
  );

  function set(one, complete, passes) {
    field.set(one.value);
    const numbers = {
      gradient: one.gradient === null ? null : one.gradient * passes,
      predicted: one.predicted,
      measured: one.measured,
    };
    for (const [key, place] of Object.entries(cells)) {
      const seen = complete || one.gradient === null;
      const words = key === "gradient" ? num : (v) => (v === null ? "—" : signed(v, key === "measured" ? 6 : 4));
      place.textContent = gradient === null ? "" : seen ? words(numbers[key]) : "—";
      place.dataset.value = seen ? (numbers[key] ?? "") : "";
    }
  }

  return { element, set };
}

// The values of an expression with one number another: "w=3.1 x=[1,2]".
export function written(answer, { leaf, place }, value) {
  const put = (old, [index, ...rest]) =>
    index === undefined ? value : old.map((one, i) => (i === index ? put(one, rest) : one));
  return answer.leaves
    .map(([name, old]) => `${name}=${JSON.stringify(name === leaf ? put(old, place) : old)}`)
    .join(" ");
}

// The net's numbers that are others than its seed and its texts say.
export function changed(changes, { leaf, place }, value) {
  const same = ([name, at]) => name === leaf && at.join() === place.join();
  return [...changes.filter((one) => !same(one)), [leaf, place, value]];
}
