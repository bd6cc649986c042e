// The two columns of room 5. Forward: values; backward: the gradient given at the output and found at the input.

import { limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { onTheme } from "../../core/theme.js";
import { grid } from "../../parts/grid.js";
import { map } from "../../parts/map.js";
import { coloured, titled } from "../convolution/cells.js";
import { put, sizes } from "../convolution/tensors.js";
import { box, cells, readers } from "./windows.js";

const MOST = 16;

// above: what stands over the inputs.
export function pictures(t, { pick, edit, above }) {
  const [left, right] = [h("div", { class: "column" }), h("div", { class: "column" })];
  const arrow = h("div", { class: "between", "aria-hidden": "true" });
  const element = h("div", { class: "columns" }, left, arrow, right);
  let built = "";
  let parts = null;
  let last = null;
  const silent = onTheme(() => last && draw(...last));

  function draw(state, answer, at) {
    last = [state, answer, at];
    const [c, height, width] = sizes(answer.input);
    const [, rows, columns] = sizes(answer.output);
    const large = Math.max(height + 2 * state.padding[0], width + 2 * state.padding[1]) > MOST;
    const key = [c, large, rows > MOST || columns > MOST, state.backward, state.picture].join();
    if (key !== built) build(c, large, rows > MOST || columns > MOST, state);
    built = key;
    arrow.textContent = state.backward ? "←" : "→";
    const inputs = state.backward ? answer.gradient : answer.input;
    const outputs = state.backward ? answer.upstream : answer.output;
    const [inLimit, outLimit] = [limitOf(inputs.flat(2)), limitOf(outputs.flat(2))];
    const grey = state.picture && !state.backward ? { low: 0, high: 1 } : null;
    parts.inputs.forEach((part, i) => {
      const plane = inputs[i];
      if (part.kind === "map")
        part.draw({ rows: height, columns: width, values: plane.flat(), ...(grey ?? { limit: inLimit }) });
      else {
        part.element.classList.toggle("small", width + 2 * state.padding[1] > 8 || c > 1);
        part.draw(padded(plane, state, inLimit));
        part.mark("winner", state.kind === "max" ? answer.winners[i].flat().map(([r, q]) => shifted(r, q)) : []);
      }
    });
    parts.outputs.forEach((part, i) => {
      const plane = outputs[i];
      part.box.classList.toggle("chosen", i === at[0]);
      if (part.kind === "map") part.draw({ rows, columns, values: plane.flat(), ...(grey ?? { limit: outLimit }) });
      else {
        part.element.classList.toggle("small", columns > 8 || c > 1);
        part.draw(plane.map((row) => row.map((value) => coloured(value, outLimit))));
      }
    });
    marks(at);
  }

  // The input with its padding: −∞ for max, 0 for average, nothing for gradients.
  function padded(plane, { padding: [p, q], kind, backward }, limit) {
    const width = plane[0].length + 2 * q;
    const text = backward ? "" : kind === "max" ? "−∞" : "0";
    const pad = { value: null, text, kind: "pad", fixed: true };
    const rows = plane.map((row) => [
      ...Array(q).fill(pad),
      ...row.map((value) => coloured(value, limit)),
      ...Array(q).fill(pad),
    ]);
    const empty = Array.from({ length: p }, () => Array(width).fill(pad));
    return [...empty, ...rows, ...empty];
  }

  const shifted = (r, q) => [r + last[0].padding[0], q + last[0].padding[1]];

  function build(c, largeInput, largeOutput, { backward, picture }) {
    const spoken = (r, k, { value, text }) => t("common.cell", { r, c: k, value: text ?? num(value) });
    const [inName, outName] = backward ? ["∂loss/∂input", "∂loss/∂output"] : ["input", "output"];
    const side = (name, testid, large, width, options) =>
      Array.from({ length: c }, (_, i) => {
        const common = { label: `${name}[${i}]`, testid: `${testid}-${i}` };
        const mine = options(i);
        return titled(
          `${name}[${i}]`,
          large ? map({ ...common, width, onat: mine.onat }) : grid({ ...common, spoken, ...mine }),
          large,
        );
      });
    const at = (i, forInput) => (r, k, how) => {
      const here = forInput ? [i, ...unshift(r, k, largeInput)] : [i, r, k];
      if (backward !== forInput) return;
      if ((how === "focus" || how === "pin") && inside(here, forInput)) pick(...here);
      marks(how === "hover" && inside(here, forInput) ? here : last[2]);
    };
    const editInput = (i) => (r, k, value) => edit("input", put(last[0].input, [i, ...unshift(r, k, false)], value));
    const editUpstream = (i) => (r, k, value) => edit("upstream", put(last[1].upstream, [i, r, k], value));
    drop();
    parts = {
      inputs: side(inName, "input", largeInput, 288, (i) => ({
        editable: !backward && picture === "",
        onedit: editInput(i),
        onat: at(i, true),
      })),
      outputs: side(outName, "output", largeOutput, 216, (i) => ({
        editable: backward,
        onedit: editUpstream(i),
        onat: at(i, false),
      })),
    };
    show(
      left,
      above,
      parts.inputs.map((part) => part.box),
    );
    show(
      right,
      parts.outputs.map((part) => part.box),
    );
  }

  const unshift = (r, k, large) => (large ? [r, k] : [r - last[0].padding[0], k - last[0].padding[1]]);

  function inside([, r, k], forInput) {
    const [, rows, columns] = sizes(forInput ? last[1].input : last[1].output);
    return r >= 0 && k >= 0 && r < rows && k < columns;
  }

  // Forward: the window of output `at`. Backward: the windows whose gradient reaches the input cell `at`.
  function marks(at) {
    const [state, answer, pinned] = last;
    const { backward } = state;
    const reading = backward ? readers(at[1], at[2], sizes(answer.output).slice(1), state) : [];
    parts.inputs.forEach((part, i) => {
      if (part.kind === "map")
        return part.outline(
          i !== at[0] ? null : backward ? { row: at[1], column: at[2], rows: 1, columns: 1 } : box(at[1], at[2], state),
        );
      const here = i !== at[0] ? [] : backward ? [[at[1], at[2]]] : cells(at[1], at[2], state);
      part.mark(
        backward ? "pinned" : "tap",
        here.map(([r, q]) => shifted(r, q)),
      );
    });
    parts.outputs.forEach((part, i) => {
      const here = backward ? (i === at[0] ? reading : []) : i === pinned[0] ? [[pinned[1], pinned[2]]] : [];
      if (part.kind !== "map") part.mark(backward ? "tap" : "pinned", here);
      else part.outline(here.length ? { row: here[0][0], column: here[0][1], rows: 1, columns: 1 } : null);
    });
  }

  // The cell behind one term of the ledger.
  function link(term) {
    for (const part of [...parts.inputs, ...parts.outputs]) if (part.kind !== "map") part.mark("linked", []);
    if (!term) return;
    const [c, r, q] = term.x.index;
    const part = (last[0].backward ? parts.outputs : parts.inputs)[c];
    if (part.kind !== "map") part.mark("linked", [last[0].backward ? [r, q] : shifted(r, q)]);
  }

  function drop() {
    for (const part of [...(parts?.inputs ?? []), ...(parts?.outputs ?? [])]) part.leave?.();
  }

  function leave() {
    silent();
    drop();
  }

  return { element, draw, link, leave };
}
