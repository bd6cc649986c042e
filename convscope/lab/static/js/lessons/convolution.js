// The lesson of room 4: what stride and padding make of the size, what depth costs, and what a kernel is blind to.

import { CLASSICS, build, filler } from "../rooms/convolution/tensors.js";

// The question of a state with an input of its own, as the room asks it.
export const look = (ask, { picture: _, ...state }) => ask("/api/convolution", state);

const NONE = [0, 0];
const VALID = { padding: NONE, at: [0, 0, 0] };
const RGB = { input: build([3, 5, 5], filler), in_channels: 3, padding: NONE, at: [0, 0, 0] };
const STRIDE = 2;
const rows = ({ output }) => output[0].length;
const square = (side) => [side, side];

export const steps = [
  {
    key: "size",
    kind: "place",
    focus: ".figure",
    place: { on: '[data-testid="output-0"]', as: "frame", from: [5, 5] },
    then: VALID,
    find({ before, after }) {
      const side = rows(before);
      return { right: square(rows(after)), slips: { minus: square(side - 3), same: square(side) } };
    },
  },
  {
    key: "stride",
    kind: "place",
    focus: ".figure",
    place: { on: '[data-testid="input-0"]', as: "window", size: [3, 3], from: [0, 0] },
    state: { ...VALID, input: build([1, 6, 6], filler) },
    then: { stride: [STRIDE, STRIDE], at: [0, 1, 1] },
    find({ before, after }) {
      const last = STRIDE * (rows(after) - 1);
      return { right: square(last), slips: { edge: square(rows(before) - 1) }, words: { last, rows: rows(after) } };
    },
  },
  {
    key: "depth",
    kind: "number",
    focus: ".figure",
    state: VALID,
    then: { ...RGB, weight: build([1, 3, 3, 3], filler) },
    find({ before, after }) {
      const each = before.products_each;
      return { right: after.products_each, slips: { flat: each, three: 3, sides: each + 3 }, words: { each } };
    },
  },
  {
    key: "kernels",
    kind: "number",
    focus: ".figure",
    state: { ...RGB, weight: build([1, 3, 3, 3], filler) },
    then: { out_channels: 4, weight: build([4, 3, 3, 3], filler) },
    find({ before, after }) {
      const one = before.parameters;
      return { right: after.parameters, slips: { same: one, flat: (4 * one) / 3, sum: one + 3 }, words: { one } };
    },
  },
  {
    key: "flat",
    kind: "number",
    focus: ".figure",
    state: { weight: [[CLASSICS["Sobel x"]]], padding: NONE, at: [0, 1, 1] },
    then: { input: build([1, 5, 5], () => 6) },
    find({ after }) {
      const grey = after.input[0][0][0];
      const sizes = CLASSICS["Sobel x"].flat().reduce((sum, w) => sum + Math.abs(w), 0);
      return { right: after.output[0][1][1], slips: { grey, bright: grey * sizes, half: (grey * sizes) / 2 } };
    },
  },
];
