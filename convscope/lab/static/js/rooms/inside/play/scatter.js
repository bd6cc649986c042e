// Points that are small pictures, on canvas: the nearest is told under the mouse and the finger, and arrow keys go from one to
// the nearest on that side.

import { h } from "../../../core/dom.js";
import { isDark, onTheme } from "../../../core/theme.js";
import { ahead, fitted, nearest } from "./points.js";

const [WIDE, HIGH, EDGE] = [640, 480, 18]; // units of the drawing
const TILE = 15;
const HUES = [210, 28, 150, 320, 55, 265, 0, 180, 95, 235]; // told apart by lightness, too

// onat(i | null, spoken): a point is near, or none; onpick(i): it is chosen.
export function scatter(t, { onat, onpick }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const element = h(
    "div",
    {
      class: "scatter",
      tabindex: "0",
      role: "application",
      "aria-label": t("play.map_label"),
      "data-testid": "scatter",
      onpointermove: (event) => go(under(event)),
      onpointerleave: () => go(null),
      onclick: (event) => {
        const i = at ?? under(event); // the point that was told: a click's own place is rounded
        if (i !== null) onpick(i);
      },
      onkeydown,
      onblur: () => go(null),
    },
    canvas,
  );
  const sheet = new Image();
  let points = []; // [x, y] in units of the drawing
  let mine = null;
  let head = null;
  let at = null;
  let bright = -1;

  function draw(next) {
    if (head?.which.length !== next.head.which.length) at = null;
    head = next.head;
    const flat = [...next.places, ...next.mine];
    const all = fitted(flat, WIDE, HIGH, EDGE);
    mine = all.pop();
    points = all;
    if (!sheet.src.endsWith(next.sheet)) {
      sheet.onload = paint;
      sheet.src = next.sheet;
    }
    paint();
  }

  function paint() {
    if (!head) return;
    const scale = 2;
    Object.assign(canvas, { width: WIDE * scale, height: HIGH * scale });
    const ink = canvas.getContext("2d");
    ink.scale(scale, scale);
    ink.imageSmoothingEnabled = false;
    points.forEach((_, i) => i !== at && tile(ink, i, TILE));
    if (at !== null) tile(ink, at, 2.6 * TILE);
    star(ink, mine);
    element.dataset.points = points.length;
  }

  function tile(ink, i, size) {
    const [x, y] = points[i];
    const [high, wide] = head.side;
    const [w, v] = high > wide ? [(size * wide) / high, size] : [size, (size * high) / wide];
    const label = head.labels[i];
    ink.globalAlpha = bright < 0 || bright === label || i === at ? 1 : 0.12;
    ink.fillStyle = colour(label);
    ink.fillRect(x - w / 2 - 2, y - v / 2 - 2, w + 4, v + 4);
    if (sheet.complete && sheet.naturalWidth) {
      const [row, column] = [Math.floor(i / head.across), i % head.across];
      ink.drawImage(sheet, column * wide, row * high, wide, high, x - w / 2, y - v / 2, w, v);
    }
    ink.globalAlpha = 1;
  }

  // Where the picture of the room is: a ring with a cross.
  function star(ink, [x, y]) {
    for (const [width, style] of [
      [6, isDark() ? "#000" : "#fff"],
      [3, isDark() ? "#ffb86b" : "#c2410c"],
    ]) {
      Object.assign(ink, { lineWidth: width, strokeStyle: style });
      ink.beginPath();
      ink.arc(x, y, 13, 0, 2 * Math.PI);
      for (const [a, b] of [
        [-20, -8],
        [8, 20],
      ]) {
        ink.moveTo(x + a, y);
        ink.lineTo(x + b, y);
        ink.moveTo(x, y + a);
        ink.lineTo(x, y + b);
      }
      ink.stroke();
    }
  }

  const colour = (c) => `hsl(${HUES[c % HUES.length]} ${isDark() ? "75% 62%" : "70% 42%"})`;

  function under(event) {
    const area = canvas.getBoundingClientRect();
    const unit = WIDE / area.width;
    return nearest(points, [(event.clientX - area.left) * unit, (event.clientY - area.top) * unit], 24);
  }

  function go(i, spoken = false) {
    if (i === at) return;
    at = i;
    onat(i, spoken);
    paint();
  }

  function onkeydown(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) go(at === null ? nearest(points, mine, Infinity) : (ahead(points, points[at], way) ?? at), true);
    else if (event.key === "Enter" && at !== null) onpick(at);
    else return;
    event.preventDefault();
  }

  function only(c) {
    bright = c;
    paint();
  }

  const silent = onTheme(paint);
  return { element, draw, only, colour, leave: silent };
}
