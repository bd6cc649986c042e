// Room 9's lesson: what pictures are held out for, how little they prove, and what a net makes of a thing that it never saw.

import { toBase64 } from "../parts/own-pixels.js";
import { BUNDLED } from "./drawn.js";

const EVEN = [30, 30]; // pictures of each class
const UNEVEN = [40, 10];

export const look = () => null; // nothing here follows from the room's state alone

// → {test, interval}: the pictures of each class that are held out, and what it proves to be right on all of them.
const split = (ask, pictures) => ask(`/api/classes/split?${pictures.map((n) => `pictures=${n}`).join("&")}`);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const rounded = (value) => Number(value.toFixed(2));

// Stripes: no digit.
async function stripes() {
  const ink = new OffscreenCanvas(56, 56).getContext("2d");
  ink.fillStyle = "white";
  ink.fillRect(0, 0, 56, 56);
  ink.fillStyle = "black";
  for (let x = 4; x < 56; x += 12) ink.fillRect(x, 0, 6, 56);
  return ink.canvas.convertToBlob({ type: "image/png" });
}

// As if the reader had chosen the picture.
function give(blob) {
  const chosen = new DataTransfer();
  chosen.items.add(new File([blob], "stripes.png", { type: blob.type }));
  const input = document.querySelector('.seen [data-testid="own-file"]');
  input.files = chosen.files;
  input.dispatchEvent(new Event("change"));
}

export const steps = [
  {
    key: "held",
    kind: "number",
    focus: "section.learn",
    async find({ ask }) {
      const { test } = await split(ask, EVEN);
      return {
        right: sum(test),
        slips: { none: 0, one: test[0] },
        words: { each: test[0], rest: sum(EVEN) - sum(test) },
      };
    },
  },
  {
    key: "sure",
    kind: "slider",
    focus: "section.learn",
    min: 0,
    max: 100,
    step: 1,
    start: 50,
    close: 4,
    async find({ ask }) {
      const { test, interval } = await split(ask, EVEN);
      return {
        right: 100 * interval[0],
        slips: { all: 100 },
        words: { n: sum(test), low: rounded(100 * interval[0]) },
      };
    },
  },
  {
    key: "always",
    kind: "slider",
    focus: "section.collect",
    min: 0,
    max: 100,
    step: 1,
    start: 50,
    close: 2,
    async find({ ask }) {
      const { test } = await split(ask, UNEVEN);
      return {
        right: (100 * test[0]) / sum(test),
        slips: { none: 0, half: 50 },
        words: { hits: test[0], n: sum(test) },
      };
    },
  },
  {
    key: "third",
    kind: "number",
    focus: "section.seen",
    then: { run: BUNDLED },
    async find({ ask, states }) {
      const blob = await stripes();
      const picture = toBase64(new Uint8Array(await blob.arrayBuffer()));
      const { classes, confidences } = await ask("/api/classes/answer", { run: states.after.run, picture });
      give(blob);
      const most = Math.max(...confidences);
      const words = { best: classes[confidences.indexOf(most)], most: rounded(100 * most) };
      return { right: rounded(100 * sum(confidences)), slips: { none: 0 }, words };
    },
  },
];
