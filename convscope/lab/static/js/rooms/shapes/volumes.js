// The tensors as bodies: as high and wide as the image, as deep as there are channels; a vector is a column.

import { h, s } from "../../core/dom.js";
import { shape } from "../../core/format.js";

const TALL = 96; // pixels of the largest side
const GAP = 58;
const BASE = 150; // where the bodies stand

export function volumes(image, answer, t) {
  const stages = [{ names: [t("shapes.input")], size: image }];
  for (const row of answer.lines) {
    const same = row.output.join() === row.input.join();
    if (same) stages.at(-1).names.push(row.name);
    else stages.push({ names: [row.name], size: row.output });
  }
  const largest = Math.max(...stages.filter(({ size }) => size.length === 3).flatMap(({ size }) => size.slice(1)));
  const svg = s("svg", { class: "volumes", role: "img", "aria-label": stages.map(({ names, size }) => `${names[0]} ${shape(size)}`).join(", ") });
  let x = 14;
  stages.forEach(({ names, size }, i) => {
    const body = size.length === 3 ? box(size, largest) : column(size[0]);
    const width = Math.max(body.width, 64);
    const left = x + (width - body.width) / 2;
    if (i) svg.append(arrow(x - GAP + 12, x - 10));
    svg.append(s("g", { transform: `translate(${left} 0)`, class: size.length === 3 ? "body image" : "body vector" }, body.parts),
      label(x + width / 2, BASE + 24, shape(size), "size"), ...names.slice(0, 3).map((name, k) => label(x + width / 2, BASE + 42 + 15 * k, name, "name")));
    x += width + GAP;
  });
  if (answer.failure) {
    svg.append(arrow(x - GAP + 12, x - 10, "bad"),
      s("g", { class: "bad" }, s("rect", { x, y: BASE - 64, width: 64, height: 64, rx: 4 }), s("text", { x: x + 32, y: BASE - 24, "text-anchor": "middle", class: "cross" }, "✗")),
      label(x + 32, BASE + 24, answer.failure.name, "name bad"));
    x += 64 + GAP;
  }
  const width = x - GAP + 14;
  svg.setAttribute("viewBox", `0 0 ${width} ${BASE + 84}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", BASE + 84);
  return h("div", { class: "scroll wide", tabindex: "0", role: "region", "aria-label": t("shapes.bodies") }, svg);
}

function side(size, largest) {
  return 7 + (TALL - 7) * Math.sqrt(size / largest);
}

// At most nine sheets stand for the channels; the label says how many there are.
function box([channels, height, width], largest) {
  const [w, t] = [side(width, largest), side(height, largest)];
  const sheets = Math.min(channels, 9);
  const step = Math.min(4.5, 2 + 10 / sheets);
  const deep = step * (sheets - 1);
  const parts = [];
  for (let k = sheets - 1; k >= 0; k -= 1) {
    parts.push(s("rect", { x: k * step, y: BASE - t - k * step, width: w, height: t, rx: 1.5 }));
  }
  return { width: w + deep, parts };
}

function column(features) {
  const tall = 24 + 100 * Math.min(1, Math.log2(features + 1) / 12);
  const rungs = Math.min(features, 14);
  const lines = Array.from({ length: rungs - 1 }, (_, i) => {
    const y = BASE - tall + ((i + 1) * tall) / rungs;
    return s("line", { x1: 0, x2: 12, y1: y, y2: y });
  });
  return { width: 12, parts: [s("rect", { x: 0, y: BASE - tall, width: 12, height: tall, rx: 1.5 }), lines] };
}

function arrow(from, to, extra = "") {
  const y = BASE - 32;
  return s("path", { class: `arrow ${extra}`, d: `M${from} ${y}H${to}m-6 -4l6 4l-6 4` });
}

function label(x, y, text, kind) {
  return s("text", { x, y, "text-anchor": "middle", class: kind }, text);
}
