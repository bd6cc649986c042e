// Room 1: three losses of numbers beside each other, cross entropy step by step, and two traps.

import { line, STALE } from "../core/api.js";
import { h, rich, say, sentence, show } from "../core/dom.js";
import { formula, num } from "../core/format.js";
import { chart } from "../parts/chart.js";
import { number, toggle } from "../parts/fields.js";
import { bar } from "./losses/bar.js";
import { slider } from "./losses/slider.js";

export const defaults = {
  prediction: [1, 2, 3, 7], target: [1.5, 2, 5, 4], at: 3, column: false, logits: [2, -1, 0.5], klass: 0, twice: false,
};

const NAMES = { mse: "MSE", l2: "L2", mae: "MAE" };
const CALLS = { mse: "mse_loss", l2: "vector_norm", mae: "l1_loss" };

export function mount({ controls, figure, ledger: panel, script, t, set, state }) {
  const ask = line();
  const samples = number(t("losses.samples"), { testid: "samples", min: 1, max: 12, onchange: (n) => set({
    prediction: Array.from({ length: n }, (_, i) => state().prediction[i] ?? i), target: Array.from({ length: n }, (_, i) => state().target[i] ?? i), at: Math.min(state().at, n - 1),
  }) });
  const classes = number(t("losses.classes"), { testid: "classes", min: 2, max: 10, onchange: (n) => set({
    logits: Array.from({ length: n }, (_, i) => state().logits[i] ?? 0), klass: Math.min(state().klass, n - 1),
  }) });
  const column = toggle(t("losses.column"), { testid: "column", onchange: (on) => set({ column: on }) });
  const twice = toggle(t("losses.twice"), { testid: "twice", onchange: (on) => set({ twice: on }) });
  controls.append(samples.element, column.element, classes.element, twice.element);

  let built = "";
  let rows = [];
  let scores = [];
  const pairs = h("div", { class: "scroll" });
  const curves = h("div", {});
  const warned = h("div", { class: "warned", role: "status" });
  const softmax = h("div", { class: "scroll" });
  const values = h("div", { class: "loss-values" });
  const entropy = h("div", { class: "loss-values" });
  const withBug = h("div", { class: "warned", role: "status" });
  figure.append(h("h2", {}, t("losses.numbers")), pairs, warned, values, curves);
  panel.append(h("h2", {}, t("losses.entropy")), h("p", { class: "hint" }, rich(t("losses.logits_hint"))), softmax, withBug, entropy);

  async function update(now) {
    samples.set(now.prediction.length);
    classes.set(now.logits.length);
    column.set(now.column);
    twice.set(now.twice);
    const key = [now.prediction.length, now.logits.length].join();
    if (key !== built) build(now);
    built = key;
    const { twice: _, ...question } = now;
    const found = await ask("/api/losses", question);
    if (found === STALE) return;
    drawPairs(now, found);
    drawEntropy(now, found);
    script(found.script);
  }

  function build(now) {
    rows = now.prediction.map((_, i) => ({
      prediction: slider(t("losses.prediction", { i }), { testid: `prediction-${i}`, onchange: (v) => set({ prediction: state().prediction.with(i, v), at: i }) }),
      target: slider(t("losses.target", { i }), { testid: `target-${i}`, plain: true, onchange: (v) => set({ target: state().target.with(i, v), at: i }) }),
      cells: Object.fromEntries(["difference", "square", "absolute", "mse", "l2", "mae"].map((name) => [name, h("td", { class: "n", "data-testid": `${name}-${i}` })])),
    }));
    show(pairs, h("table", { class: "losses" },
      h("thead", {}, h("tr", {}, ["", t("losses.predictions"), t("losses.targets"), "ŷ − y", "(ŷ − y)²", "|ŷ − y|", "∂MSE/∂ŷ", "∂L2/∂ŷ", "∂MAE/∂ŷ"].map((text, i) => h("th", { scope: "col", class: i > 2 ? "n" : null }, text)))),
      h("tbody", {}, rows.map((row, i) => h("tr", {}, h("th", { scope: "row" }, `${i}`), h("td", {}, row.prediction.element), h("td", {}, row.target.element), Object.values(row.cells))))));
    scores = now.logits.map((_, k) => ({
      pick: h("input", { type: "radio", name: "klass", "aria-label": t("losses.class", { k }), "data-testid": `class-${k}`, onchange: () => set({ klass: k }) }),
      logit: slider(t("losses.logit", { k }), { testid: `logit-${k}`, onchange: (v) => set({ logits: state().logits.with(k, v) }) }),
      cells: Object.fromEntries(["shifted", "exponential", "probability", "gradient"].map((name) => [name, h("td", { class: "n", "data-testid": `${name}-${k}` })])),
    }));
    show(softmax, h("table", { class: "losses" },
      h("thead", {}, h("tr", {}, [t("losses.klass"), t("losses.scores"), "z − max", "exp", "softmax p", "∂/∂z"].map((text, i) => h("th", { scope: "col", class: i > 1 ? "n" : null }, text)))),
      h("tbody", {}, scores.map((row, k) => h("tr", {}, h("td", {}, h("label", { class: "pick" }, row.pick, ` ${k}`)), h("td", {}, row.logit.element), Object.values(row.cells))))));
  }

  function drawPairs(now, { regression, along, curves: lines }) {
    const steep = Math.max(1e-12, ...Object.values(regression).flatMap((one) => one.derivative.flat().map(Math.abs)));
    rows.forEach((row, i) => {
      row.prediction.set(now.prediction[i]);
      row.target.set(now.target[i]);
      row.prediction.element.closest("tr").classList.toggle("chosen", i === now.at);
      const place = now.column ? i * now.target.length + i : i; // with the trap, the diagonal of N × N
      const element = regression.mse.elements[place];
      put(row.cells.difference, element.difference);
      put(row.cells.square, element.term);
      put(row.cells.absolute, regression.mae.elements[place].term);
      for (const name of Object.keys(NAMES)) {
        const slope = [regression[name].derivative[i]].flat()[0];
        put(row.cells[name], slope, bar(slope, steep));
      }
    });
    show(warned, regression.mse.warnings.map((text) => sentence("p", {}, t.said(text))));
    show(values, Object.entries(NAMES).map(([name, text]) => total(name, text, CALLS[name], regression[name])));
    show(curves, chart(t, { label: t("losses.curves", { i: now.at }), x: `ŷ[${now.at}]`, y: t("losses.loss"), mark: now.prediction[now.at], testid: "curves",
      series: Object.entries(NAMES).map(([name, text], kind) => ({ name: text, kind, points: along.map((x, k) => [x, lines[name][k]]) })) }));
    say(Object.entries(NAMES).map(([name, text]) => `${text} ${num(regression[name].value)}`).join(", "));
  }

  function drawEntropy(now, { cross_entropy: right, twice: { loss: wrong, gradient } }) {
    const one = (now.twice ? wrong : right).rows[0];
    const slopes = now.twice ? gradient : right.derivative;
    scores.forEach((row, k) => {
      row.pick.checked = k === now.klass;
      row.logit.set(now.logits[k]);
      row.pick.closest("tr").classList.toggle("chosen", k === now.klass);
      put(row.cells.shifted, one.shifted[k]);
      put(row.cells.exponential, one.exponentials[k]);
      put(row.cells.probability, one.probabilities[k], bar(one.probabilities[k], 1, "share"));
      put(row.cells.gradient, slopes[k], bar(slopes[k], 1));
    });
    show(withBug, now.twice && [
      h("p", {}, rich(t("losses.bug", { right: num(right.value), wrong: num(wrong.value) }))),
      wrong.warnings.map((text) => sentence("p", {}, t.said(text))),
    ].flat());
    const p = one.probabilities[now.klass];
    show(entropy, h("div", { class: "loss-value" }, h("h3", {}, t("losses.cross_entropy"), " ", h("code", {}, "cross_entropy")),
      h("p", { class: "formula" }, `−log p[${now.klass}] = −log ${num(p)}`),
      h("p", { class: "big", "data-testid": "cross-entropy", "data-value": (now.twice ? wrong : right).value }, num((now.twice ? wrong : right).value, 6)), check(t, now.twice ? wrong : right)));
  }

  function total(name, text, call, one) {
    return h("div", { class: "loss-value" }, h("h3", {}, text, " ", h("code", {}, call)), h("p", { class: "formula" }, formula(one.formula.replace(/… ([\d,]+) more …/g, (_, n) => t("losses.more", { n })))),
      h("p", { class: "big", "data-testid": name, "data-value": one.value }, num(one.value, 6)), check(t, one));
  }

  return { update };
}

function check(t, { value, reported }) {
  return h("p", { class: "hint" }, `${t("losses.reported")} ${num(reported, 6)} · ${t("common.difference")} ${num(reported - value)}`);
}

function put(cell, value, picture = null) {
  cell.dataset.value = value;
  cell.replaceChildren(...[picture, h("span", {}, num(value))].filter(Boolean));
}
