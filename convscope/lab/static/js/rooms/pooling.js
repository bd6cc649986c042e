// Room 5: max and average pooling. Backward, the same two pictures show the gradient: given at the output, found at the input.

import { line, STALE } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { formula } from "../core/format.js";
import { number, select, toggle } from "../parts/fields.js";
import { ledger } from "../parts/ledger.js";
import { stepper } from "../parts/stepper.js";
import { refusal } from "./convolution/refusal.js";
import { build, filler, resize, sizes } from "./convolution/tensors.js";
import { pictures } from "./pooling/figure.js";

export const beside = true;

const IMAGE = [[[1, 3, 2, 1, 0, 2], [4, 2, 1, 5, 3, 1], [0, 1, 6, 2, 2, 2], [7, 2, 3, 1, 2, 2], [1, 0, 2, 4, 8, 1], [3, 5, 1, 2, 0, 6]]];

export const defaults = {
  picture: "", input: IMAGE, kind: "max", kernel_size: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1],
  ceil_mode: false, count_include_pad: true, backward: false, upstream: null, at: [0, 1, 1],
};

const EXAMPLES = {
  plain: {},
  overlap: { kernel_size: [3, 3], stride: [1, 1], at: [0, 1, 2] },
  ties: { input: [[[2, 2, 0, 1], [2, 2, 1, 0], [0, 0, 3, 3], [0, 0, 3, 3]]], backward: true, at: [0, 0, 0] },
  ceil: { input: [build([5, 5], filler)], ceil_mode: true, at: [0, 2, 2] },
  padding: { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1], at: [0, 0, 0] },
  photo: { picture: "flower", kernel_size: [4, 4], stride: [4, 4], at: [0, 6, 9] },
  refused: { kernel_size: [2, 2], padding: [2, 2] },
};

export function mount({ controls, figure, ledger: panel, script, t, set, state }) {
  const ask = line();
  const askLedger = line();
  let answer = null;
  let asked = "";

  const change = (patch) => set({ upstream: null, ...patch });
  const kind = select(t("pooling.kind"), { testid: "kind", options: [["max", "MaxPool2d"], ["avg", "AvgPool2d"]], onchange: (value) => set({ kind: value }) });
  const source = select(t("pooling.source"), { testid: "source", options: [["", t("pooling.own")], ...["digit", "china", "flower"].map((p, i) => [p, t("pooling.pictures")[i]])], onchange: (name) => change({ picture: name, at: [0, 0, 0] }) });
  const dims = ["C", "H", "W"].map((name, axis) => number(name, { testid: `size-${axis}`, min: 1, max: [4, 12, 12][axis], onchange: (n) => change({ input: resize(state().input, sizes(state().input).with(axis, n)), at: [0, 0, 0] }) }));
  const pair = (key, min) => [0, 1].map((axis) => number(["H", "W"][axis], { testid: `${key}-${axis}`, min, max: 12, onchange: (n) => change({ [key]: state()[key].with(axis, n) }) }));
  const pairs = { kernel_size: pair("kernel_size", 1), stride: pair("stride", 1), padding: pair("padding", 0), dilation: pair("dilation", 1) };
  const ceil = toggle("`ceil_mode`", { testid: "ceil_mode", onchange: (on) => change({ ceil_mode: on }) });
  const include = toggle("`count_include_pad`", { testid: "count_include_pad", onchange: (on) => set({ count_include_pad: on }) });
  const backward = toggle(t("pooling.backward"), { testid: "backward", onchange: (on) => set({ backward: on, at: [state().at[0], 0, 0] }) });
  const boxes = Object.fromEntries(Object.entries(pairs).map(([name, two]) => [name, h("fieldset", {}, h("legend", {}, h("code", {}, name)), two.map((one) => one.element))]));
  const size = h("fieldset", {}, h("legend", {}, t("pooling.size")), dims.map((one) => one.element));
  controls.append(kind.element, source.element, size, backward.element,
    h("div", { class: "line" }, Object.values(boxes), ceil.element, include.element),
    h("p", { class: "examples" }, t("pooling.try"), " ", Object.keys(EXAMPLES).map((key, i) =>
      h("button", { class: "quiet", "data-testid": `example-${key}`, onclick: () => set({ ...structuredClone(defaults), kind: key === "refused" ? "max" : state().kind, ...structuredClone(EXAMPLES[key]) }) }, t("pooling.examples")[i]))));

  const steps = stepper(t, { label: t("pooling.windows"), testid: "windows", onstep: (p) => {
    const [, , columns] = sizes(state().backward ? answer.input : answer.output);
    pick(state().at[0], Math.floor(p / columns), p % columns);
  } });
  const view = pictures(t, { pick, edit: (name, tensor) => set({ [name]: tensor }) });
  const terms = ledger(t, { onterm: (term) => view.link(term) });
  const facts = h("div", { class: "facts" });
  const room = h("div", { class: "conv" }, view.element, steps.element, facts);

  function pick(c, row, column) {
    const now = state().at;
    if (now[0] !== c || now[1] !== row || now[2] !== column) set({ at: [c, row, column] });
  }

  async function update(now) {
    draw(now);
    const { picture, input, ...rest } = now;
    const body = { ...rest, ...(picture ? { picture } : { input }) };
    const key = JSON.stringify({ ...body, at: null, backward: null });
    if (key !== asked) {
      const found = await ask("/api/pooling", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      if (answer.refused) {
        steps.stop();
        show(figure, refusal(t, answer, change));
        show(panel);
        say(answer.refused.message);
        return;
      }
      show(figure, room);
      show(panel, terms.element);
      script(answer.script);
    }
    if (answer.refused) return;
    const shape = sizes(now.backward ? answer.input : answer.output);
    const at = now.at.map((i, axis) => Math.min(i, shape[axis] - 1));
    view.draw(now, answer, at);
    facts.replaceChildren(...fact(now));
    steps.set(at[1] * shape[2] + at[2], shape[1] * shape[2] - 1, `${now.backward ? "∂loss/∂input" : "output"}[${at.join(",")}]`);
    const found = await askLedger("/api/pooling/ledger", { ...body, at });
    if (found !== STALE) terms.draw(found);
  }

  function draw(now) {
    kind.set(now.kind);
    source.set(now.picture);
    size.hidden = now.picture !== "";
    sizes(now.input).forEach((n, axis) => dims[axis].set(n));
    for (const [name, two] of Object.entries(pairs)) two.forEach((one, axis) => one.set(now[name][axis]));
    boxes.dilation.hidden = now.kind === "avg";
    include.element.hidden = now.kind === "max";
    ceil.set(now.ceil_mode);
    include.set(now.count_include_pad);
    backward.set(now.backward);
  }

  function fact(now) {
    const rows = answer.rows.formula === answer.columns.formula ? [["H, W", answer.rows]] : [["H", answer.rows], ["W", answer.columns]];
    return [
      ...rows.map(([axis, side]) => h("p", {}, h("strong", {}, axis), " ", formula(side.formula))),
      h("p", { class: "hint" }, t(`pooling.${now.backward ? "back" : "forward"}_${now.kind}`)),
    ];
  }

  return { update, leave: () => { steps.stop(); view.leave(); } };
}
