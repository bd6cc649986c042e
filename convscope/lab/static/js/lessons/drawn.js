// What the bundled net says to a drawing: for the lessons of the rooms that look into it.

import { unpack } from "../core/binary.js";
import { read } from "../parts/ink.js";
import { imageOf } from "../rooms/inside/state.js";
import { BUNDLED, EXAMPLE } from "../rooms/glass/state.js";

export { BUNDLED, EXAMPLE };

// → {classes, confidences, …}, as PyTorch has it.
export async function look(ask, state) {
  return unpack(await ask("/api/inside/look", question(state))).head;
}

// The drawing as the server is asked for it; the front page's state has no steps of preparation.
export function question(state) {
  const usual = { crop: "auto", box: "auto", centre: "auto", invert: false };
  return imageOf({ ...usual, ...state, run: BUNDLED }, read(state.ink));
}

export const best = ({ classes, confidences }) => classes[confidences.indexOf(Math.max(...confidences))];
// Of the likeliest class, in percent.
export const most = ({ confidences }) => 100 * Math.max(...confidences);
export const rounded = (value) => Number(value.toFixed(2));

// A prediction of how sure the net is, in percent.
export const SURE = { kind: "slider", focus: ".figure", min: 0, max: 100, step: 1, start: 50, close: 3 };

// How sure it is of a seven after the change.
export const SURE_OF_SEVEN = {
  ...SURE,
  find: ({ before, after }) => ({ right: 100 * after.confidences[7], words: { was: rounded(most(before)) } }),
};
