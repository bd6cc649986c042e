// What room 8 shows: a run, an image of it, the trail of elements, what is laid over the image. No DOM in here.

import { list, oneOf, whole } from "../../core/state.js";
import { read } from "../../parts/ink.js";
import { isBase64 } from "../../parts/own-pixels.js";
import { PLAYS, likes, weight } from "./plays.js";

export const OVERLAYS = ["none", "gradient_input", "occlusion", "grad_cam"];

// test −1 is the drawing; path is the trail of elements, empty for the score of the likeliest class.
export const defaults = {
  run: "",
  test: 0,
  ink: "",
  pixels: "", // a picture of the reader's own, as the net is given it, in base64
  pen: 10,
  crop: "auto",
  box: "auto",
  centre: "auto",
  invert: false,
  path: [],
  over: "none",
  target: -1,
  play: "none",
  weight: [], // of which the gradient is explained: ["conv1", 3, 0, 2, 2], a bias ["conv1", "bias", 3]
  likes: [], // a channel: ["conv2", 7]
  layout: "pca",
  other: "", // the run beside
  epsilon: 0, // of FGSM
  lossfor: -1, // the class of that loss; −1 is the true or the likeliest one
};

// An element on the trail: a layer's name and one or three indices, ["conv2", 7, 3, 4].
export function element(value) {
  if (!Array.isArray(value) || typeof value[0] !== "string") return undefined;
  const index = list(whole(0, 2 ** 31 - 1), 1, 4)(value.slice(1));
  return index && [value[0], ...index];
}

export const rules = {
  test: whole(-1, 2 ** 31 - 1),
  pen: whole(1, 56),
  pixels: isBase64(12000),
  ...Object.fromEntries(["crop", "box", "centre"].map((step) => [step, oneOf(["auto", "yes", "no"])])),
  path: list(element, 0, 20),
  over: oneOf(OVERLAYS),
  target: whole(-1, 1e6),
  play: oneOf(PLAYS),
  weight,
  epsilon: whole(0, 64),
  likes,
  layout: oneOf(["pca", "tsne"]),
  lossfor: whole(-1, 1e6),
};

// The image as the server is asked for it; `large` is a picture {run, pixels} that no address holds.
export function imageOf(now, strokes = read(now.ink), large = null) {
  const { run, pen, invert } = now;
  const [crop, box, centre] = [now.crop, now.box, now.centre].map((said) => ({ yes: true, no: false })[said] ?? null);
  const pixels = now.pixels || (large?.run === run && !now.ink ? large.pixels : "");
  const given = now.test >= 0 ? { test: now.test } : pixels ? { pixels } : { strokes };
  return { run, pen, crop, box, centre, invert, ...given };
}

export const bestOf = ({ confidences }) => confidences.indexOf(Math.max(...confidences));
