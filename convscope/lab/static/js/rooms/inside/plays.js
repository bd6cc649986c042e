// What there is to play with in room 8. No DOM in here.

import { list, whole } from "../../core/state.js";

export const PLAYS = ["none", "paint", "attack", "channel", "map", "two", "backward"];

const index = (min, max) => list(whole(0, 2 ** 31 - 1), min, max);

// A layer and as much of an index as was chosen: ["conv1", 3, 0, 2, 2], a bias ["conv1", "bias", 3], or nothing, [].
export function weight(value) {
  if (!Array.isArray(value) || !value.length) return value ?? undefined;
  const [layer, ...rest] = value;
  const settled = index(0, 4)(rest[0] === "bias" ? rest.slice(1) : rest);
  return typeof layer === "string" && settled ? value : undefined;
}

// A channel of a layer: ["conv2", 7], or nothing, [].
export function likes(value) {
  if (!Array.isArray(value) || !value.length) return value ?? undefined;
  const [layer, ...rest] = value;
  const settled = index(1, 4)(rest);
  return typeof layer === "string" && settled ? [layer, settled[0]] : undefined;
}
