// The three columns of room 4: input channels, kernels, outputs. Grids while they are small, maps when they are not.

import { limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { onTheme } from "../../core/theme.js";
import { coloured } from "./cells.js";
import { build, matrix } from "./parts.js";
import { place, sizes, taps } from "./tensors.js";

const MOST = 16; // cells along one side of a grid

// edit(name, tensor): the user changed a number. pick(o, row, column): the user chose an output element. above: what
// stands over the inputs.
export function pictures(t, { edit, pick, above }) {
  const columns = ["input", "kernels", "outputs"].map((key) => h("div", { class: `column ${key}` }));
  const element = h("div", { class: "columns" }, columns[0], after("∗", columns[1]), after("=", columns[2]));
  let built = "";
  let parts = null; // {inputs, kernels, bias, matrix, outputs}
  let last = null; // what draw() was called with
  const silent = onTheme(() => last && draw(...last));

  function draw(state, answer, at) {
    last = [state, answer, at];
    const [, outRows, outCols] = sizes(answer.output);
    arrange(state, answer);
    drawInputs(state, answer);
    drawKernels(state, at[0]);
    const limit = limitOf(answer.output.flat(2));
    parts.outputs.forEach((part, i) => {
      const plane = answer.output[i];
      part.box.classList.toggle("chosen", i === at[0]);
      if (part.kind === "map") part.draw({ rows: outRows, columns: outCols, values: plane.flat(), limit });
      else {
        part.element.classList.toggle("small", outCols > 7 || parts.outputs.length > 1);
        part.draw(plane.map((row) => row.map((value) => coloured(value, limit))));
      }
    });
    marks(at);
  }

  // The parts are made again where their number or size changes.
  function arrange(state, answer) {
    const [channels, rows, cols] = sizes(answer.padded);
    const [outputs, outRows, outCols] = sizes(answer.output);
    const [count, each] = sizes(state.weight);
    const [largeInput, largeOutput] = [rows > MOST || cols > MOST, outRows > MOST || outCols > MOST];
    const shapes = { channels, each, outputs, largeInput, largeOutput };
    const key = JSON.stringify([shapes, count, state.in_channels, state.bias !== null, state.picture]);
    if (key === built) return;
    built = key;
    drop();
    parts = build(t, shapes, state, { edit, pick, mark: marks, last: () => last });
    const boxes = (some) => some.map((part) => part.box);
    const rowsOf = parts.matrix && matrix(t, parts.matrix, (o) => pick(o, last[2][1], last[2][2]));
    show(columns[0], above, boxes(parts.inputs));
    show(columns[1], boxes(parts.kernels), parts.bias?.box, rowsOf);
    show(columns[2], boxes(parts.outputs));
  }

  function drawInputs({ picture }, { padded, input, rows, columns: side }) {
    const [, height, width] = sizes(input);
    const limit = limitOf(padded.flat(2));
    parts.inputs.forEach((part, channel) => {
      const plane = padded[channel];
      if (part.kind === "map") {
        part.draw({
          rows: plane.length,
          columns: plane[0].length,
          values: plane.flat(),
          ...(picture ? { low: 0, high: 1 } : { limit }),
        });
        return;
      }
      part.element.classList.toggle("small", plane[0].length > 7 || parts.inputs.length > 1);
      part.draw(
        plane.map((row, i) =>
          row.map((value, j) => {
            const inside = i >= rows.before && i < rows.before + height && j >= side.before && j < side.before + width;
            const dropped = i >= plane.length - rows.dropped || j >= row.length - side.dropped;
            const kind = `${inside ? "" : "pad"} ${dropped ? "dropped" : ""}`.trim();
            return inside ? { ...coloured(value, limit), kind, fixed: picture !== "" } : { value, kind, fixed: true };
          }),
        ),
      );
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
    parts.matrix?.forEach((row, o) =>
      row.forEach((part, channel) => {
        const c = place(o, channel, weight.length, in_channels, groups);
        part.element.classList.toggle("absent", c === null);
        part.element.parentElement.classList.toggle("chosen", o === chosen);
        if (c !== null)
          part.draw({ rows: weight[o][c].length, columns: weight[o][c][0].length, values: weight[o][c].flat(), limit });
      }),
    );
  }

  // The window of output `at` in all input channels of its group, and the element itself.
  function marks(at) {
    if (at[0] < 0 || !last) return;
    const [state, , pinned] = last;
    const { weight, groups, in_channels, stride, dilation } = state;
    const cells = taps(at[1], at[2], state);
    const reach = [0, 1].map((axis) => dilation[axis] * (state.kernel_size[axis] - 1) + 1);
    parts.inputs.forEach((part, channel) => {
      const reads = place(at[0], channel, weight.length, in_channels, groups) !== null;
      if (part.kind === "map")
        part.outline(
          reads ? { row: at[1] * stride[0], column: at[2] * stride[1], rows: reach[0], columns: reach[1] } : null,
        );
      else part.mark("tap", reads ? cells : []);
    });
    parts.outputs.forEach((part, o) => {
      const here = o === pinned[0] ? [[pinned[1], pinned[2]]] : [];
      if (part.kind === "map")
        part.outline(here.length ? { row: here[0][0], column: here[0][1], rows: 1, columns: 1 } : null);
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
    for (const part of [...(parts?.inputs ?? []), ...(parts?.outputs ?? []), ...(parts?.matrix ?? []).flat()])
      part.leave?.();
  }

  function leave() {
    silent();
    drop();
  }

  return { element, draw, link, leave };
}

// A column behind its sign, in one piece: where the line is too short, both stand in the next.
function after(sign, column) {
  return h("div", { class: "after" }, h("div", { class: "between", "aria-hidden": "true" }, sign), column);
}
