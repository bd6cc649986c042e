// What happens in the film of a pooling, window by window. No DOM in here.

import { num } from "../../core/format.js";
import { sizes } from "../convolution/tensors.js";
import { cells } from "./windows.js";

// The script (see parts/scene.js) of channel c. Terms of a maximum count as what they raise it by.
export function script(state, answer, c) {
  const [, rows, columns] = sizes(answer.output);
  const values = answer.input[c];
  const inside = ([r, q]) => r >= 0 && q >= 0 && r < values.length && q < values[0].length;
  const read = (p) => cells(Math.floor(p / columns), p % columns, state).filter(inside);
  const value = (p) => answer.output[c][Math.floor(p / columns)][p % columns];

  const terms = (p) => {
    let best = 0;
    return read(p).map(([row, column], i) => {
      const x = values[row][column];
      const raised = i ? Math.max(0, x - best) : x;
      best += raised;
      return { plane: 0, row, column, text: "", shown: x, amount: state.kind === "max" ? raised : x };
    });
  };

  function lines(p, n) {
    const seen = read(p)
      .slice(0, n)
      .map(([r, q]) => values[r][q]);
    if (!n) return [""];
    if (state.kind === "max") return [seen.map((x) => num(x, 3)).join(", "), `max ${num(Math.max(...seen), 5)}`];
    const sum = seen.reduce((a, b) => a + b, 0);
    return [
      seen.map((x) => num(x, 3)).join(" + "),
      n === read(p).length ? `÷ ${num(sum / value(p) || n, 4)} = ${num(value(p), 5)}` : `= ${num(sum, 5)}`,
    ];
  }

  const planes = [{ name: `input[${c}]`, values, pad: () => false, light: state.picture !== "" }];
  return { planes, count: rows * columns, terms, lines, name: `output[${c}]`, rows, columns, value, maps: [] };
}
