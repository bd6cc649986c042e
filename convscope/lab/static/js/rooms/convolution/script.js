// What happens in the film of a convolution, window by window. No DOM in here.

import { num } from "../../core/format.js";
import { place, sizes, taps } from "./tensors.js";

// The script (see parts/scene.js) of output channel o. Words are {channel(c), bias, sum}.
export function script(state, answer, o, words) {
  const { weight, bias, groups, in_channels: inputs } = state;
  const [, rows, columns] = sizes(answer.output);
  const [, height, width] = sizes(answer.input);
  const kernels = answer.padded.map((_, channel) => place(o, channel, weight.length, inputs, groups));
  const inside = (r, c) =>
    r >= answer.rows.before &&
    r < answer.rows.before + height &&
    c >= answer.columns.before &&
    c < answer.columns.before + width;
  const [kh, kw] = state.kernel_size;
  const read = kernels.flatMap((k, channel) => (k === null ? [] : [[k, channel]]));
  const planes = answer.padded.map((values, channel) => ({
    name: `input[${channel}]`,
    values,
    pad: (r, c) => !inside(r, c),
    light: state.picture !== "",
  }));

  const terms = (p) => {
    const cells = taps(Math.floor(p / columns), p % columns, state);
    return read.flatMap(([k, plane]) =>
      cells.map(([row, column], i) => {
        const w = weight[o][k][Math.floor(i / kw)][i % kw];
        const x = planes[plane].values[row][column];
        return { plane, row, column, text: `${num(x, 2)}×${num(w, 2)}`, amount: x * w };
      }),
    );
  };
  const own = bias ? bias[o] : 0;
  const sum = (list) => list.reduce((total, { amount }) => total + amount, 0);

  // The sums of the channels so far, the bias, and all of it.
  function lines(p, n) {
    const done = terms(p).slice(0, n);
    const each = read.filter(([, plane]) => done.some((term) => term.plane === plane)).slice(0, 6);
    const channels = each.map(
      ([, plane]) => `${words.channel(plane)} ${num(sum(done.filter((term) => term.plane === plane)), 4)}`,
    );
    const whole = n === kh * kw * read.length;
    return [
      ...(read.length > 1 ? channels : []),
      ...(bias && whole ? [`${words.bias} ${num(own, 4)}`] : []),
      `= ${num(sum(done) + (whole ? own : 0), 5)}`,
    ];
  }

  const known = new Map(); // a frame asks for all windows that are over
  const ofChannel = (plane) => (p) => {
    const key = plane * rows * columns + p;
    if (!known.has(key)) known.set(key, sum(terms(p).filter((term) => term.plane === plane)));
    return known.get(key);
  };
  const maps =
    read.length < 2
      ? []
      : read.slice(0, 6).map(([, plane]) => ({ name: words.channel(plane), value: ofChannel(plane) }));
  const value = (p) => answer.output[o][Math.floor(p / columns)][p % columns];
  return { planes, count: rows * columns, terms, lines, name: `output[${o}]`, rows, columns, value, maps };
}
