// One frame of the film of a window, on canvas: the inputs with the window's terms in their cells, the sum as it grows, the
// outputs so far, and where several channels add up their maps. Sizes are pixels of the page.

import { css, diverging, grey, inkOn } from "../core/colour.js";
import { num } from "../core/format.js";
import { arranged } from "./scene-plan.js";

const LEGIBLE = 24; // of a cell: from this size on it holds a number
const ADDING = 0.75; // the part of a window's time in which its terms are added; then the number travels

// script: {planes: [{name, values: [[number | null]], pad(r, c), light: as grey}], count: windows, terms(p): [{plane, row, column, text,
// amount}], lines(p, n): text after n terms, name, rows, columns, value(p), maps: [{name, value(p)}]}; look: {dark, type, still, width}.
export function scene(script, look) {
  const plan = arranged(script, look);
  const limits = limitsOf(script);

  // time: windows that are over, and the part of the present one. Gives what is told of it.
  function draw(canvas, time) {
    const p = Math.min(script.count - 1, Math.floor(time));
    const part = time >= script.count ? 1 : time - p;
    const terms = script.terms(p);
    const n = part >= ADDING ? terms.length : Math.floor((part / ADDING) * (terms.length + 1));
    const ink = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const { color, borderTopColor, outlineColor, caretColor, backgroundColor } = style; // canvas does not know light-dark()
    const colours = {
      ink: color,
      line: borderTopColor,
      soft: outlineColor,
      link: caretColor,
      paper: backgroundColor,
    };
    const pen = { ink, colours, dark: look.dark, type: look.type, font: style.fontFamily };
    sized(canvas, plan, colours.paper);
    script.planes.forEach((plane, i) => input(pen, plane, plan.inputs[i], terms, n, i, limits.input));
    const landed = part >= 1 || (look.still && part >= ADDING);
    tally(pen, script.lines(p, n), plan.tally);
    output(pen, script, plan.output, script.value, landed ? p : p - 1, limits.output, script.name);
    script.maps.forEach((map, i) =>
      output(pen, script, plan.maps[i], map.value, landed ? p : p - 1, limits.output, map.name),
    );
    const travelled = (part - ADDING) / (1 - ADDING);
    if (travelled >= 0 && !landed) travel(pen, script, plan, p, travelled);
    return { window: p, terms: n, total: terms.slice(0, n).reduce((sum, { amount }) => sum + amount, 0), landed };
  }

  return { draw, width: plan.width, height: plan.height };
}

function limitsOf({ planes, count, value }) {
  const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v ?? 0)), 0);
  return {
    input: largest(planes.flatMap(({ values }) => values.flat())),
    output: largest(Array.from({ length: count }, (_, p) => value(p))),
  };
}

function sized(canvas, { width, height }, paper) {
  const fine = Math.min(2, devicePixelRatio || 1);
  if (canvas.width !== width * fine || canvas.height !== height * fine)
    [canvas.width, canvas.height] = [width * fine, height * fine];
  const ink = canvas.getContext("2d");
  ink.setTransform(fine, 0, 0, fine, 0, 0);
  ink.fillStyle = paper;
  ink.fillRect(0, 0, width, height);
}

function input(pen, { name, values, pad, light }, { x, y, cell }, terms, n, index, limit) {
  title(pen, name, x, y);
  values.forEach((row, r) =>
    row.forEach((value, c) =>
      box(pen, x + c * cell, y + r * cell, cell, value, limit, { text: num(value, 3), pad: pad(r, c), light }),
    ),
  );
  terms.forEach((term, i) => {
    if (term.plane !== index) return;
    const [left, top] = [x + term.column * cell, y + term.row * cell];
    if (i < n)
      box(pen, left, top, cell, term.shown ?? term.amount, limit * (term.shown === undefined ? 3 : 1), {
        text: num(term.shown ?? term.amount, 3),
        bold: true,
      });
    else if (term.text) box(pen, left, top, cell, values[term.row][term.column], limit, { text: term.text });
    frame(pen, left, top, cell, i === n - 1 ? pen.colours.link : pen.colours.ink);
  });
}

function output(pen, { rows, columns, count }, { x, y, cell }, value, last, limit, name) {
  title(pen, name, x, y);
  for (let p = 0; p < count && p < rows * columns; p += 1) {
    const [left, top] = [x + (p % columns) * cell, y + Math.floor(p / columns) * cell];
    const done = p <= last;
    box(pen, left, top, cell, done ? value(p) : null, limit, { text: done ? num(value(p), 4) : "" });
    if (p === last) frame(pen, left, top, cell, pen.colours.ink);
  }
}

function box(
  { ink, colours, dark, type, font },
  x,
  y,
  cell,
  value,
  limit,
  { text, pad = false, bold = false, light = false },
) {
  const rgb = light ? grey(value, 0, 1) : diverging(pad ? null : value, limit, dark);
  ink.fillStyle = css(rgb);
  ink.fillRect(x, y, cell, cell);
  if (cell >= 8) {
    Object.assign(ink, { strokeStyle: colours.line, lineWidth: 1 });
    ink.strokeRect(x, y, cell, cell);
  }
  if (cell < LEGIBLE || !text) return;
  ink.fillStyle = pad ? colours.soft : css(inkOn(rgb));
  ink.font = `${bold ? "700 " : ""}${type}px ${font}`;
  ink.textAlign = "center";
  ink.textBaseline = "middle";
  ink.fillText(text, x + cell / 2, y + cell / 2, cell - 4);
}

function frame({ ink }, x, y, cell, colour) {
  ink.strokeStyle = colour;
  ink.lineWidth = Math.max(1, Math.min(2.5, cell / 6));
  ink.strokeRect(x + 1, y + 1, cell - 2, cell - 2);
}

function title({ ink, colours, type, font }, text, x, y) {
  Object.assign(ink, {
    fillStyle: colours.soft,
    font: `${type}px ${font}`,
    textAlign: "left",
    textBaseline: "alphabetic",
  });
  ink.fillText(text, x, y - 7);
}

function tally({ ink, colours, type, font }, lines, { x, y, width }) {
  lines.forEach((text, i) => {
    const last = i === lines.length - 1;
    Object.assign(ink, { fillStyle: last ? colours.ink : colours.soft, textAlign: "left", textBaseline: "top" });
    ink.font = last ? `700 ${1.5 * type}px ${font}` : `${type}px ${font}`;
    ink.fillText(text, x, y + i * type * 1.5, width - 8);
  });
}

// The number on its way from the sum to its place.
function travel(pen, script, { tally: from, output: { x, y, cell } }, p, part) {
  const to = [x + (p % script.columns) * cell, y + Math.floor(p / script.columns) * cell];
  const eased = part * part * (3 - 2 * part);
  const start = [from.x, from.y + 40];
  const [left, top] = to.map((end, i) => start[i] + (end - start[i]) * eased);
  const size = Math.max(cell, 30);
  box(pen, left, top, size, script.value(p), Math.abs(script.value(p)) * 1.2 || 1, {
    text: num(script.value(p), 4),
    bold: true,
  });
}
