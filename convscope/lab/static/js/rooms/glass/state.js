// What the front page shows: a net, a picture for it, the trail of elements. No DOM in here.

import { list, oneOf, whole } from "../../core/state.js";
import { isBase64 } from "../../parts/own-pixels.js";
import { element } from "../inside/state.js";

export const BUNDLED = "bundled-note-mnist"; // the net that is there from the first second
const LARGEST = 6000; // bytes of a picture that still fits into an address

// The drawing that stands on the sheet at first: a seven with a bar.
export const EXAMPLE = "0w0w170v1i0u1t0u240u2a0u2b0w270z211g1u1z1n2h1h2z.1f1p1p1n201m";

// test −1: the drawing, or the picture `pixels`: the bytes that the net is given, in base64.
export const defaults = { run: "", test: -1, ink: EXAMPLE, pen: 10, pixels: "", path: [], depth: false };

export const rules = {
  test: whole(-1, 2 ** 31 - 1),
  pen: whole(1, 56),
  pixels: isBase64(2 * LARGEST),
  path: list(element, 0, 20),
  depth: oneOf([true, false]),
};

export const fits = (bytes) => bytes.length <= LARGEST;
