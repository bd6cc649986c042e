// The lesson of room 4: what stride and padding make of the size, what depth costs, and what a kernel is blind to.

import { CLASSICS, build, filler } from "../rooms/convolution/tensors.js";

// The question of a state with an input of its own, as the room asks it.
export const look = (ask, { picture: _, ...state }) => ask("/api/convolution", state);

const NONE = [0, 0];
const VALID = { padding: NONE, at: [0, 0, 0] };
const RGB = { input: build([3, 5, 5], filler), in_channels: 3, padding: NONE, at: [0, 0, 0] };
const rows = ({ output }) => output[0].length;

export const steps = [
  {
    key: "size",
    kind: "number",
    focus: ".figure",
    then: VALID,
    find({ before, after }) {
      const side = rows(before);
      return { right: rows(after), slips: { minus: side - 3, same: side } };
    },
  },
  {
    key: "stride",
    kind: "number",
    focus: ".figure",
    state: VALID,
    then: { stride: [2, 2] },
    find({ before, after }) {
      const places = rows(before);
      return { right: rows(after), slips: { halved: Math.floor(places / 2), same: places } };
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
