// The sheet: draw with mouse, finger, pen, or with arrow keys and the space bar.

import { h, say } from "../core/dom.js";
import { SIDE, extend } from "./ink.js";

const CELL = SIDE / 28; // one step of an arrow key

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
  const cursor = h("span", { class: "pen", hidden: true });
  const element = h(
    "div",
    {
      class: "pad",
      tabindex: "0",
      role: "application",
      "data-testid": "pad",
      "aria-label": t("common.pad"),
      "aria-describedby": "pad-keys",
      onpointerdown,
      onpointermove,
      onpointerup: finish,
      onpointercancel: finish,
      onkeydown,
      onblur: () => {
        lift();
        cursor.hidden = true;
      },
    },
    canvas,
    cursor,
  );
  const ink = canvas.getContext("2d");
  let strokes = [];
  let growing = null; // the stroke under way
  let pen = 10;
  let example = false; // whether what is on the sheet is not the reader's
  let at = [14, 14]; // column and row of the keyboard's pen, in cells
  let waiting = 0;

  function place(event) {
    const area = canvas.getBoundingClientRect();
    return [
      ((event.clientX - area.left) / area.width) * SIDE - 0.5,
      ((event.clientY - area.top) / area.height) * SIDE - 0.5,
    ];
  }

  function onpointerdown(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    lift();
    grow([place(event)], []);
  }

  function onpointermove(event) {
    if (!growing || !element.hasPointerCapture(event.pointerId)) return;
    const since = event.getCoalescedEvents?.() ?? [];
    grow((since.length ? since : [event]).map(place), growing);
  }

  function grow(points, stroke) {
    if (example) [strokes, example] = [[], false];
    growing = points.reduce(extend, stroke);
    draw();
    if (!waiting)
      waiting = requestAnimationFrame(() => {
        waiting = 0;
        if (growing) ondraft([...strokes, growing]);
      });
  }

  function finish() {
    if (!growing) return;
    strokes = [...strokes, growing];
    growing = null;
    ondone(strokes);
  }

  function lift() {
    element.classList.remove("down");
    finish();
  }

  function onkeydown(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      at = at.map((value, i) => Math.min(27, Math.max(0, value + step[i])));
      show();
      if (growing) grow([point()], growing);
    } else if (event.key === " ") {
      if (growing) lift();
      else {
        element.classList.add("down");
        grow([point()], []);
      }
      show();
    } else if ((event.key === "Backspace" || event.key === "Delete") && !growing) {
      ondone(strokes.slice(0, -1));
    } else return;
    event.preventDefault();
  }

  function point() {
    return at.map((cell) => cell * CELL + (CELL - 1) / 2);
  }

  function show() {
    cursor.hidden = false;
    cursor.style.setProperty("left", `${(100 * at[0]) / 28}%`);
    cursor.style.setProperty("top", `${(100 * at[1]) / 28}%`);
    say(t(growing ? "common.pen_down" : "common.pen_up", { r: at[1], c: at[0] }));
  }

  function draw() {
    paint(ink, growing ? [...strokes, growing] : strokes, pen);
  }

  function set(next, width, given = false) {
    pen = width;
    if (!growing) [strokes, example] = [next, given];
    draw();
  }

  draw();
  return { element, set };
}
