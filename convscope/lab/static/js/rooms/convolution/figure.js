// The three columns of room 4: input channels, kernels, outputs. Grids while they are small, maps when they are not.

import { css, diverging, inkOn, limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { isDark, onTheme } from "../../core/theme.js";
import { grid } from "../../parts/grid.js";
import { map } from "../../parts/map.js";
import { place, put, sizes, taps } from "./tensors.js";

const MOST = 16; // cells along one side of a grid

// edit(name, tensor): the user changed a number. pick(o, row, column): the user chose an output element. above: what stands over the inputs.
export function pictures(t, { edit, pick, above }) {
  const columns = ["input", "kernels", "outputs"].map((key) => h("div", { class: `column ${key}` }));
  const element = h("div", { class: "columns" }, columns[0], h("div", { class: "between", "aria-hidden": "true" }, "∗"), columns[1], h("div", { class: "between", "aria-hidden": "true" }, "="), columns[2]);
  let built = "";
  let parts = null; // {inputs, kernels, bias, matrix, outputs}
  let last = null; // what draw() was called with
  const silent = onTheme(() => last && draw(...last));

  function draw(state, answer, at) {
    last = [state, answer, at];
    const [c, rows, cols] = sizes(answer.padded);
    const [o, outRows, outCols] = sizes(answer.output);
    const [count, each] = sizes(state.weight);
    const key = [c, rows > MOST || cols > MOST, o, outRows > MOST || outCols > MOST, count, each, state.bias !== null, state.picture].join();
    if (key !== built) build(c, rows > MOST || cols > MOST, o, outRows > MOST || outCols > MOST, each, state);
    built = key;
    drawInputs(state, answer);
    drawKernels(state, at[0]);
    const limit = limitOf(answer.output.flat(2));
    parts.outputs.forEach((part, i) => {
      const plane = answer.output[i];
      part.box.classList.toggle("chosen", i === at[0]);
      if (part.kind === "map") part.draw({ rows: outRows, columns: outCols, values: plane.flat(), limit });
      else {
        part.element.classList.toggle("small", outCols > 7 || o > 1);
        part.draw(plane.map((row) => row.map((value) => coloured(value, limit))));
      }
    });
    marks(at);
  }

  function drawInputs({ picture }, { padded, input, rows, columns }) {
    const [, height, width] = sizes(input);
    const limit = limitOf(padded.flat(2));
    parts.inputs.forEach((part, channel) => {
      const plane = padded[channel];
      if (part.kind === "map") {
        part.draw({ rows: plane.length, columns: plane[0].length, values: plane.flat(), ...(picture ? { low: 0, high: 1 } : { limit }) });
        return;
      }
      part.element.classList.toggle("small", plane[0].length > 7 || parts.inputs.length > 1);
      part.draw(plane.map((row, i) => row.map((value, j) => {
        const inside = i >= rows.before && i < rows.before + height && j >= columns.before && j < columns.before + width;
        const dropped = i >= plane.length - rows.dropped || j >= row.length - columns.dropped;
        const kind = `${inside ? "" : "pad"} ${dropped ? "dropped" : ""}`.trim();
        return inside ? { ...coloured(value, limit), kind, fixed: picture !== "" } : { value, kind, fixed: true };
      })));
    });
  }

  function drawKernels({ weight, bias, groups, in_channels }, chosen) {
    const limit = limitOf(weight.flat(3));
    parts.kernels.forEach((part, c) => {
      part.element.classList.toggle("small", weight[0][0][0].length > 4 || parts.kernels.length > 2);
      part.title.textContent = `weight[${chosen},${c}]`;
      part.draw(weight[chosen][c].map((row) => row.map((value) => coloured(value, limit))));
    });
    parts.bias?.draw([bias.map((value, o) => ({ value, kind: o === chosen ? "pinned" : "" }))]);
    parts.matrix?.forEach((row, o) => row.forEach((part, channel) => {
      const c = place(o, channel, weight.length, in_channels, groups);
      part.element.classList.toggle("absent", c === null);
      part.element.parentElement.classList.toggle("chosen", o === chosen);
      if (c !== null) part.draw({ rows: weight[o][c].length, columns: weight[o][c][0].length, values: weight[o][c].flat(), limit });
    }));
  }

  function build(c, largeInput, o, largeOutput, each, state) {
    const spoken = (r, k, { value }) => t("common.cell", { r, c: k, value: num(value) });
    drop();
    parts = {};
    parts.inputs = Array.from({ length: c }, (_, channel) => titled(`input[${channel}]`, largeInput
      ? map({ label: `input[${channel}]`, testid: `input-${channel}`, width: 230 })
      : grid({ label: `input[${channel}]`, testid: `input-${channel}`, editable: state.picture === "", spoken, onedit: (i, j, value) => {
        const [{ input }, { rows, columns: side }] = last;
        edit("input", put(input, [channel, i - rows.before, j - side.before], value));
      } }), largeInput));
    parts.kernels = Array.from({ length: each }, (_, k) => titled(`weight[0,${k}]`, grid({
      label: `weight ${k}`, testid: `weight-${k}`, editable: true, spoken, onedit: (i, j, value) => edit("weight", put(last[0].weight, [last[2][0], k, i, j], value)),
    })));
    if (state.bias) {
      parts.bias = titled("bias", grid({ label: "bias", testid: "bias-grid", editable: true, spoken, onedit: (_, k, value) => edit("bias", last[0].bias.with(k, value)) }));
    }
    const inputs = state.in_channels;
    if (o * inputs > 1) {
      parts.matrix = Array.from({ length: o }, (_, i) => Array.from({ length: inputs }, (__, k) => map({ label: `weight ${i} ${k}`, width: 34 })));
    }
    parts.outputs = Array.from({ length: o }, (_, i) => {
      const at = (r, k, how) => {
        if (how === "focus" || how === "pin") pick(i, r, k);
        marks(how === "hover" ? [i, r, k] : last[2]);
      };
      return titled(`output[${i}]`, largeOutput
        ? map({ label: `output[${i}]`, testid: `output-${i}`, width: 230, onat: at, spoken: (r, k, value) => `output[${i},${r},${k}] ${num(value)}` })
        : grid({ label: `output[${i}]`, testid: `output-${i}`, spoken, onat: at }), largeOutput);
    });
    show(columns[0], above, parts.inputs.map((part) => part.box));
    show(columns[1], parts.kernels.map((part) => part.box), parts.bias?.box, parts.matrix && matrix());
    show(columns[2], parts.outputs.map((part) => part.box));
  }

  // One row a kernel, one column an input channel; what another group owns is empty.
  function matrix() {
    return h("div", { class: "matrix", role: "group", "aria-label": t("convolution.matrix") },
      h("p", { class: "hint" }, t("convolution.matrix")),
      parts.matrix.map((row, o) => h("div", { class: "kernels-of" },
        h("button", { class: "tiny", "data-key": `kernel-${o}`, "data-testid": `kernel-${o}`, onclick: () => pick(o, last[2][1], last[2][2]) }, `${o}`), row.map((part) => part.element))));
  }

  // The window of output `at` in all input channels of its group, and the element itself.
  function marks(at) {
    if (at[0] < 0 || !last) return;
    const [state, answer, pinned] = last;
    const { weight, groups, in_channels, stride, dilation } = state;
    const cells = taps(at[1], at[2], state);
    const reach = [0, 1].map((axis) => dilation[axis] * (state.kernel_size[axis] - 1) + 1);
    parts.inputs.forEach((part, channel) => {
      const reads = place(at[0], channel, weight.length, in_channels, groups) !== null;
      if (part.kind === "map") part.outline(reads ? { row: at[1] * stride[0], column: at[2] * stride[1], rows: reach[0], columns: reach[1] } : null);
      else part.mark("tap", reads ? cells : []);
    });
    parts.outputs.forEach((part, o) => {
      const here = o === pinned[0] ? [[pinned[1], pinned[2]]] : [];
      if (part.kind === "map") part.outline(here.length ? { row: here[0][0], column: here[0][1], rows: 1, columns: 1 } : null);
      else part.mark("pinned", here);
    });
  }

  // The two cells of one term of the ledger; null: none.
  function link(term) {
    for (const part of [...parts.inputs, ...parts.kernels]) if (part.kind !== "map") part.mark("linked", []);
    if (!term) return;
    const { rows, columns: side } = last[1];
    const [channel, r, q] = term.x.index;
    const input = parts.inputs[channel];
    if (input.kind !== "map") input.mark("linked", [[r + rows.before, q + side.before]]);
    const [, c, i, j] = term.w.index;
    parts.kernels[c].mark("linked", [[i, j]]);
  }

  function drop() {
    for (const part of [...(parts?.inputs ?? []), ...(parts?.outputs ?? []), ...(parts?.matrix ?? []).flat()]) part.leave?.();
  }

  function leave() {
    silent();
    drop();
  }

  return { element, draw, link, leave };
}

export function coloured(value, limit) {
  const rgb = diverging(value, limit, isDark());
  return { value, colour: css(rgb), ink: css(inkOn(rgb)) };
}

// A part with its name above, in a box.
export function titled(text, part, large = false) {
  const title = h("h3", {}, text);
  return { ...part, title, kind: large ? "map" : "grid", box: h("div", { class: "titled" }, title, h("div", { class: "scroll" }, part.element)) };
}
