// What room 4 starts with, what a link may say, and states worth seeing. No DOM in here.

import { isBase64 } from "../../parts/own-pixels.js";
import { list, oneOf, orNull, tensor, whole } from "../../core/state.js";
import { write } from "../../parts/ink.js";
import { CLASSICS, build, filler } from "./tensors.js";

// prettier-ignore
const NOTE = [[[3, 4, 6, 5, 7], [2, 4, 6, 8, 2], [1, 6, 7, 8, 4], [9, 7, 4, 6, 2], [3, 7, 5, 4, 1]]];
// prettier-ignore
const SEVEN = write([[[28, 28], [84, 28], [48, 92]], [[42, 60], [78, 60]]]);

export const PICTURES = ["digit", "china", "flower", "drawing", "own"];
export const MODES = ["zeros", "reflect", "replicate", "circular"];

export const defaults = {
  own: "",
  own_size: [1, 1],
  film: false,
  picture: "",
  input: NOTE,
  ink: SEVEN,
  pen: 10,
  in_channels: 1,
  out_channels: 1,
  kernel_size: [3, 3],
  weight: [[CLASSICS["1…9"]]],
  bias: null,
  stride: [1, 1],
  padding: [1, 1],
  same: false,
  padding_mode: "zeros",
  dilation: [1, 1],
  groups: 1,
  at: [0, 1, 1],
};

const side = (min) => list(whole(min, 20), 2, 2);

export const rules = {
  picture: oneOf(["", ...PICTURES]),
  own: isBase64(12000),
  own_size: list(whole(1, 48), 2, 2),
  input: tensor(3),
  pen: whole(1, 56),
  in_channels: whole(1, 12),
  out_channels: whole(1, 8),
  kernel_size: side(1),
  weight: tensor(4),
  bias: orNull(tensor(1)),
  stride: side(1),
  padding: side(0),
  padding_mode: oneOf(MODES),
  dilation: side(1),
  groups: whole(1, 12),
  at: list(whole(0, 1000), 3, 3),
};

const sobel = (name, channels) => Array.from({ length: channels }, () => CLASSICS[name]);

export const EXAMPLES = {
  note: {},
  stride: { stride: [2, 2], padding: [0, 0], at: [0, 0, 0] },
  volume: {
    input: build([3, 6, 6], filler),
    in_channels: 3,
    weight: build([1, 3, 3, 3], filler),
    padding: [0, 0],
    at: [0, 0, 0],
  },
  groups: {
    input: build([4, 5, 5], filler),
    in_channels: 4,
    out_channels: 4,
    groups: 2,
    weight: build([4, 2, 3, 3], filler),
    at: [2, 1, 1],
  },
  dilation: { picture: "digit", weight: [sobel("Sobel x", 1)], dilation: [2, 2], padding: [2, 2], at: [0, 3, 3] },
  photo: {
    picture: "china",
    in_channels: 3,
    out_channels: 2,
    weight: [sobel("Sobel x", 3), sobel("Sobel y", 3)],
    at: [0, 20, 30],
  },
  drawing: { picture: "drawing", weight: [sobel("Sobel x", 1)], at: [0, 11, 17] },
  channels: { input: build([6, 4, 4], filler), in_channels: 5, weight: build([1, 5, 3, 3], filler), at: [0, 0, 0] },
};
