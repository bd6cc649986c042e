// The parts of room 4's figure, made for one set of shapes: grids while they are small, maps when they are not.

import { h } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { grid } from "../../parts/grid.js";
import { map } from "../../parts/map.js";
import { titled } from "./cells.js";
import { put } from "./tensors.js";

// shapes: {channels, each, outputs, largeInput, largeOutput}; last() is [state, answer, at] as it is drawn. The rest are
// as in figure.js; mark(at) outlines a window.
export function build(t, shapes, state, { edit, pick, mark, last }) {
  const spoken = (r, k, { value }) => t("common.cell", { r, c: k, value: num(value) });
  const many = (count, make) => Array.from({ length: count }, (_, i) => make(i));
  const { channels, each, outputs } = shapes;
  return {
    inputs: many(channels, (i) => input(i, shapes.largeInput, { state, spoken, edit, last })),
    kernels: many(each, (i) => kernel(i, { spoken, edit, last })),
    bias: state.bias && bias({ spoken, edit, last }),
    matrix:
      outputs * state.in_channels > 1
        ? many(outputs, (o) => many(state.in_channels, (k) => map({ label: `weight ${o} ${k}`, width: 34 })))
        : null,
    outputs: many(outputs, (i) => output(i, shapes.largeOutput, { spoken, pick, mark, last })),
  };
}

function input(channel, large, { state, spoken, edit, last }) {
  const name = `input[${channel}]`;
  const testid = `input-${channel}`;
  if (large) return titled(name, map({ label: name, testid, width: 230 }), true);
  const onedit = (i, j, value) => {
    const [now, { rows, columns }] = last();
    edit("input", put(now.input, [channel, i - rows.before, j - columns.before], value));
  };
  return titled(name, grid({ label: name, testid, editable: state.picture === "", spoken, onedit }));
}

function kernel(k, { spoken, edit, last }) {
  const onedit = (i, j, value) => {
    const [now, , at] = last();
    edit("weight", put(now.weight, [at[0], k, i, j], value));
  };
  return titled(
    `weight[0,${k}]`,
    grid({ label: `weight ${k}`, testid: `weight-${k}`, editable: true, spoken, onedit }),
  );
}

function bias({ spoken, edit, last }) {
  const onedit = (_, k, value) => edit("bias", last()[0].bias.with(k, value));
  return titled("bias", grid({ label: "bias", testid: "bias-grid", editable: true, spoken, onedit }));
}

function output(i, large, { spoken, pick, mark, last }) {
  const name = `output[${i}]`;
  const testid = `output-${i}`;
  const onat = (r, k, how) => {
    if (how === "focus" || how === "pin") pick(i, r, k);
    mark(how === "hover" ? [i, r, k] : last()[2]);
  };
  if (!large) return titled(name, grid({ label: name, testid, spoken, onat }));
  const words = (r, k, value) => `output[${i},${r},${k}] ${num(value)}`;
  return titled(name, map({ label: name, testid, width: 230, onat, spoken: words }), true);
}

// One row a kernel, one column an input channel; what another group owns is empty.
export function matrix(t, rows, pick) {
  return h(
    "div",
    { class: "matrix", role: "group", "aria-label": t("convolution.matrix") },
    h("p", { class: "hint" }, t("convolution.matrix")),
    rows.map((row, o) => {
      const props = { class: "tiny", "data-key": `kernel-${o}`, "data-testid": `kernel-${o}`, onclick: () => pick(o) };
      return h(
        "div",
        { class: "kernels-of" },
        h("button", props, `${o}`),
        row.map((part) => part.element),
      );
    }),
  );
}
