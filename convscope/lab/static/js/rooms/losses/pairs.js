// Losses of numbers: every prediction with its target, differences and derivatives; below, the losses and their curves.

import { h, sentence, show } from "../../core/dom.js";
import { formula, num } from "../../core/format.js";
import { chart } from "../../parts/chart.js";
import { bar, square } from "./bar.js";
import { cellsOf, check, put, table } from "./cells.js";
import { matrix } from "./matrix.js";
import { slider } from "../../parts/slider.js";

export const NAMES = { mse: "MSE", l2: "L2", mae: "MAE" };
const CALLS = { mse: "mse_loss", l2: "vector_norm", mae: "l1_loss" };
const CELLS = ["difference", "square", "absolute", ...Object.keys(NAMES)];

export function pairs({ figure, t, set, state }) {
  let rows = [];
  const whole = h("div", { class: "scroll" });
  const warned = h("div", { class: "warned", role: "status" });
  const values = h("div", { class: "loss-values" });
  const curves = h("div", { class: "loss-curves" });
  figure.append(h("h2", {}, t("losses.numbers")), whole, warned, values, curves);

  function build(count) {
    const change = (key, i) => (value) => set({ [key]: state()[key].with(i, value), at: i });
    rows = Array.from({ length: count }, (_, i) => ({
      prediction: slider(t("losses.prediction", { i }), {
        testid: `prediction-${i}`,
        onchange: change("prediction", i),
      }),
      target: slider(t("losses.target", { i }), { testid: `target-${i}`, plain: true, onchange: change("target", i) }),
      cells: cellsOf(CELLS, i),
    }));
    const signs = ["ŷ − y", "(ŷ − y)²", "|ŷ − y|", "∂MSE/∂ŷ", "∂L2/∂ŷ", "∂MAE/∂ŷ"];
    const heads = ["", t("losses.predictions"), t("losses.targets"), ...signs];
    const cells = rows.map(({ prediction, target, cells: numbers }, i) => [
      h("th", { scope: "row" }, `${i}`),
      h("td", {}, prediction.element),
      h("td", {}, target.element),
      Object.values(numbers),
    ]);
    show(whole, table(heads, 3, cells));
  }

  function draw(now, { regression, along, curves: lines }) {
    if (rows.length !== now.prediction.length) build(now.prediction.length);
    const steep = Math.max(1e-12, ...Object.values(regression).flatMap((one) => one.derivative.flat().map(Math.abs)));
    const most = Math.max(...regression.mse.elements.map(({ term }) => term));
    rows.forEach((row, i) => drawRow(row, i, now, regression, { steep, most }));
    const { warnings, elements } = regression.mse;
    show(
      warned,
      warnings.map((text) => sentence("p", {}, t.said(text))),
      now.column && elements.length === now.target.length ** 2 && matrix(t, elements, now.target.length),
    );
    show(
      values,
      Object.entries(NAMES).map(([name, text]) => total(t, name, text, regression[name])),
    );
    const series = Object.entries(NAMES).map(([name, text], kind) => ({
      name: text,
      kind,
      points: along.map((x, k) => [x, lines[name][k]]),
    }));
    const labels = { label: t("losses.curves", { i: now.at }), x: `ŷ[${now.at}]`, y: t("losses.loss") };
    show(curves, chart(t, { ...labels, mark: now.prediction[now.at], testid: "curves", series }));
  }

  return draw;
}

function drawRow({ prediction, target, cells }, i, now, regression, { steep, most }) {
  prediction.set(now.prediction[i]);
  target.set(now.target[i]);
  prediction.element.closest("tr").classList.toggle("chosen", i === now.at);
  const place = now.column ? i * now.target.length + i : i; // with the trap, the diagonal of N × N
  const element = regression.mse.elements[place];
  put(cells.difference, element.difference);
  put(cells.square, element.term, square(element.term, most));
  put(cells.absolute, regression.mae.elements[place].term);
  for (const name of Object.keys(NAMES)) {
    const slope = [regression[name].derivative[i]].flat()[0];
    put(cells[name], slope, bar(slope, steep));
  }
}

function total(t, name, text, one) {
  const terms = one.formula.replace(/… ([\d,]+) more …/g, (_, n) => t("losses.more", { n }));
  return h(
    "div",
    { class: "loss-value" },
    h("h3", {}, text, " ", h("code", {}, CALLS[name])),
    h("p", { class: "formula" }, formula(terms)),
    h("p", { class: "big", "data-testid": name, "data-value": one.value }, num(one.value, 6)),
    check(t, one),
  );
}
