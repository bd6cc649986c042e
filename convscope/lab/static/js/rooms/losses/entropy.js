// Cross entropy of classes, step by step from the logits; with the trap, of a softmax that should not be there.

import { h, rich, sentence, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { bar } from "./bar.js";
import { cellsOf, check, put, table } from "./cells.js";
import { slider } from "../../parts/slider.js";

const CELLS = ["shifted", "exponential", "probability", "gradient"];

// fields: what is set for the classes alone.
export function entropy({ ledger: panel, t, set, state }, fields) {
  let rows = [];
  const softmax = h("div", { class: "scroll" });
  const warned = h("div", { class: "warned", role: "status" });
  const value = h("div", { class: "loss-values" });
  const hint = h("p", { class: "hint" }, rich(t("losses.logits_hint")));
  const head = h("div", { class: "line" }, h("h2", {}, t("losses.entropy")), fields);
  panel.append(head, hint, softmax, warned, value);

  function build(count) {
    rows = Array.from({ length: count }, (_, k) => {
      const props = {
        type: "radio",
        name: "klass",
        "aria-label": t("losses.class", { k }),
        "data-testid": `class-${k}`,
      };
      const change = (v) => set({ logits: state().logits.with(k, v) });
      return {
        pick: h("input", { ...props, onchange: () => set({ klass: k }) }),
        logit: slider(t("losses.logit", { k }), { testid: `logit-${k}`, onchange: change }),
        cells: cellsOf(CELLS, k),
      };
    });
    const heads = [t("losses.klass"), t("losses.scores"), "z − max", "exp", "softmax p", "∂/∂z"];
    const cells = rows.map(({ pick, logit, cells: numbers }, k) => [
      h("td", {}, h("label", { class: "pick" }, pick, ` ${k}`)),
      h("td", {}, logit.element),
      Object.values(numbers),
    ]);
    show(softmax, table(heads, 2, cells));
  }

  function draw(now, { cross_entropy: right, twice: { loss: wrong, gradient } }) {
    if (rows.length !== now.logits.length) build(now.logits.length);
    const shown = now.twice ? wrong : right;
    const steps = shown.rows[0];
    const slopes = now.twice ? gradient : right.derivative;
    rows.forEach((row, k) => drawRow(row, k, now, steps, slopes[k]));
    const words = now.twice && t("losses.bug", { right: num(right.value), wrong: num(wrong.value) });
    const warnings = wrong.warnings.map((text) => sentence("p", {}, t.said(text)));
    show(warned, now.twice && [h("p", {}, rich(words)), ...warnings]);
    const p = `−log p[${now.klass}] = −log ${num(steps.probabilities[now.klass])}`;
    const big = { class: "big", "data-testid": "cross-entropy", "data-value": shown.value };
    const title = h("h3", {}, t("losses.cross_entropy"), " ", h("code", {}, "cross_entropy"));
    const parts = [title, h("p", { class: "formula" }, p), h("p", big, num(shown.value, 6)), check(t, shown)];
    show(value, h("div", { class: "loss-value" }, parts));
  }

  return draw;
}

function drawRow({ pick, logit, cells }, k, now, { shifted, exponentials, probabilities }, slope) {
  pick.checked = k === now.klass;
  logit.set(now.logits[k]);
  pick.closest("tr").classList.toggle("chosen", k === now.klass);
  put(cells.shifted, shifted[k]);
  put(cells.exponential, exponentials[k]);
  put(cells.probability, probabilities[k], bar(probabilities[k], 1, "share"));
  put(cells.gradient, slope, bar(slope, 1));
}
