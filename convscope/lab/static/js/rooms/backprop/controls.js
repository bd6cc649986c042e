// The settings of room 2: an expression with its values, or a small net with its input, target and loss.

import { h } from "../../core/dom.js";
import { list, oneOf, whole } from "../../core/state.js";
import { SIZES } from "./leaves.js";
import { examples, number, select, text } from "../../parts/fields.js";

export const defaults = {
  mode: "expression",
  expression: "(w*x + b - y)**2",
  values: "w=3 x=2 b=1 y=5",
  net: "linear 2 | relu | linear 1",
  input: "1, 2",
  target: "0.5",
  loss: "mse",
  seed: 0,
  passes: 1,
  step: 0,
  nudge: 0.01,
  changes: [],
};

const LOSSES = ["mse", "mae", "cross-entropy"];

export const rules = {
  mode: oneOf(["expression", "net"]),
  loss: oneOf(LOSSES),
  seed: whole(0, 999999),
  passes: whole(1, 3),
  step: whole(0, 10000),
  nudge: oneOf(SIZES),
  changes: list(another, 0, 100),
};

// ["linear1.weight", [0, 1], 0.5]: a number of the net that is another.
function another(value) {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [name, place, now] = value;
  const at = Array.isArray(place) && place.length <= 4 && place.every((i) => Number.isInteger(i) && i >= 0);
  return typeof name === "string" && at && Number.isFinite(now) && Math.abs(now) <= 1e6 ? value : undefined;
}

const EXAMPLES = [
  { expression: defaults.expression, values: defaults.values },
  { expression: "x*x + x", values: "x=3" },
  { expression: "relu(w*x) * sigmoid(w)", values: "w=-1 x=2" },
  { expression: "sum((W @ x - y)**2)", values: "W=[[1,2],[3,4]] x=[1,-1] y=[0,1]" },
  { expression: "x*x + x", values: "x=3", passes: 2 },
  { mode: "net" },
];

export function settings({ controls, more, examples: tries, t, set }) {
  const restart = (patch) => set({ step: 0, changes: [], ...patch });
  const field = (key) => text(t(`backprop.${key}`), { testid: key, onchange: (value) => restart({ [key]: value }) });
  const modes = ["expression", "net"].map((mode) => [mode, t(`backprop.${mode}`)]);
  const options = LOSSES.map((loss) => [loss, loss]);
  const fields = {
    mode: select(t("backprop.mode"), { testid: "mode", options: modes, onchange: (mode) => restart({ mode }) }),
    passes: number(t("backprop.passes"), { testid: "passes", min: 1, max: 3, onchange: (passes) => set({ passes }) }),
    loss: select(t("backprop.loss"), { testid: "loss", options, onchange: (loss) => restart({ loss }) }),
    seed: number("`seed`", { testid: "seed", max: 999999, onchange: (seed) => restart({ seed }) }),
    ...Object.fromEntries(["expression", "values", "net", "input", "target"].map((key) => [key, field(key)])),
  };
  const elements = (...keys) => keys.map((key) => fields[key].element);
  const forExpression = h("div", { class: "line whole" }, elements("expression", "values"));
  const forNet = h("div", { class: "line" }, elements("net", "input", "target"));
  const names = t("backprop.examples").map((words, i) => [i, words]);
  const choose = (i) => set({ ...defaults, ...EXAMPLES[i] });
  const try_ = examples(t("backprop.try"), names, choose);
  controls.append(...elements("mode"), forExpression, forNet);
  more.append(...elements("passes", "loss", "seed"));
  tries.append(try_);

  return function draw(now) {
    for (const [key, one] of Object.entries(fields)) one.set(now[key]);
    forExpression.hidden = now.mode !== "expression";
    for (const element of [...elements("loss", "seed"), forNet]) element.hidden = now.mode !== "net";
  };
}
