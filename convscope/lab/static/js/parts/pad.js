// The sheet on which strokes are drawn.

import { h } from "../core/dom.js";
import { SIDE, extend } from "./ink.js";
import { surface } from "./surface.js";

const CELLS = [28, 28]; // rows and columns of the keyboard's pen

// Strokes in white on black.
function paint(ink, strokes, pen) {
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, SIDE, SIDE);
  Object.assign(ink, { strokeStyle: "#fff", lineWidth: pen, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    ink.beginPath();
    stroke.forEach(([x, y], i) => (i ? ink.lineTo(x + 0.5, y + 0.5) : ink.moveTo(x + 0.5, y + 0.5)));
    if (stroke.length === 1) ink.lineTo(stroke[0][0] + 0.5, stroke[0][1] + 0.51);
    ink.stroke();
  }
}

// The same as pixels, four bytes each, SIDE×SIDE of them.
export function raster(strokes, pen) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  paint(ink, strokes, pen);
  return ink.getImageData(0, 0, SIDE, SIDE).data;
}

// ondraft(strokes) while a stroke grows, ondone(strokes) when it is finished. set(strokes, pen, example) never calls back;
// an example gives way to the first stroke.
export function pad(t, { ondraft, ondone }) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  const ink = canvas.getContext("2d");
  let strokes = [];
  let growing = null; // the stroke under way
  let pen = 10;
  let example = false; // whether what is on the sheet is not the reader's
  const { element } = surface(t, {
    sheet: canvas,
    kind: "pad",
    testid: "pad",
    label: t("common.pad"),
    keys: "pad-keys",
    cells: () => CELLS,
    begin: (place) => {
      if (example) [strokes, example] = [[], false];
      growing = [];
      grow(place);
    },
    grow,
    draft: () => ondraft([...strokes, growing]),
    end: () => {
      strokes = [...strokes, growing];
      growing = null;
      ondone(strokes);
    },
    undo: () => ondone(strokes.slice(0, -1)),
  });
  const invitation = h("span", { class: "invitation", "aria-hidden": "true" }, t("common.draw_here"));
  element.append(invitation);

  function grow(place) {
    growing = extend(
      growing,
      place.map((share) => share * SIDE - 0.5),
    );
    draw();
  }

  function draw() {
    paint(ink, growing ? [...strokes, growing] : strokes, pen);
    invitation.hidden = Boolean(growing || strokes.length);
  }

  function set(next, width, given = false) {
    pen = width;
    if (!growing) [strokes, example] = [next, given];
    draw();
  }

  draw();
  return { element, set };
}
