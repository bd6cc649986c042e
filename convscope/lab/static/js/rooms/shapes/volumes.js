// The tensors as bodies: as high and wide as the image, as deep as there are channels; a vector is a column.

import { h, s } from "../../core/dom.js";
import { shape } from "../../core/format.js";

const TALL = 96; // pixels of the largest side
const GAP = 44;
const BASE = 150; // where the bodies stand
const LEVEL = 16; // from one way over the bodies to the next

export function volumes(image, answer, t) {
  const { stages, where } = staged(image, answer.lines, t);
  const skips = jumps(answer.lines, where);
  const above = skips.length ? 14 + LEVEL * Math.max(...skips.map(({ level }) => level)) : 0;
  const largest = Math.max(...stages.filter(({ size }) => size.length === 3).flatMap(({ size }) => size.slice(1)));
  const svg = s("svg", {
    class: "volumes",
    role: "img",
    "aria-label": stages.map(({ names, size }) => `${names[0]} ${shape(size)}`).join(", "),
  });
  let x = 14;
  stages.forEach((stage) => {
    const { names, size, chained } = stage;
    const body = size.length === 3 ? box(size, largest) : column(size[0]);
    const width = Math.max(body.width, 64);
    const left = x + (width - body.width) / 2;
    if (chained) svg.append(arrow(x - GAP + 12, x - 10));
    Object.assign(stage, { x: x + width / 2, top: BASE - body.height });
    svg.append(
      s(
        "g",
        {
          transform: `translate(${left} 0)`,
          class: size.length === 3 ? "body image" : "body vector",
          "data-layers": names.join(" "),
        },
        body.parts,
      ),
      label(x + width / 2, BASE + 24, shape(size), "size"),
      ...names.slice(0, 3).map((name, k) => label(x + width / 2, BASE + 42 + 15 * k, name, "name")),
    );
    x += width + GAP;
  });
  if (answer.failure) {
    svg.append(
      arrow(x - GAP + 12, x - 10, "bad"),
      s(
        "g",
        { class: "bad" },
        s("rect", { x, y: BASE - 64, width: 64, height: 64, rx: 4 }),
        s("text", { x: x + 32, y: BASE - 24, "text-anchor": "middle", class: "cross" }, "✗"),
      ),
      label(x + 32, BASE + 24, answer.failure.name, "name bad"),
    );
    x += 64 + GAP;
  }
  svg.append(...skips.map((skip) => jump(stages[skip.from], stages[skip.to], skip.level)));
  const width = x - GAP + 14;
  svg.setAttribute("viewBox", `0 ${-above} ${width} ${BASE + 84 + above}`);
  svg.style.setProperty("--natural", width);
  svg.setAttribute("width", width);
  svg.setAttribute("height", BASE + 84 + above);
  return h("div", { class: "scroll wide", tabindex: "0", role: "region", "aria-label": t("shapes.bodies") }, svg);
}

// Layers that keep a shape share a body, except where a branch begins or ends. `where`: layer → the number of its body.
function staged(image, lines, t) {
  const stages = [{ names: [t("shapes.input")], size: image }];
  const where = { image: 0 };
  let last = "image";
  const read = new Set(
    lines.flatMap(({ inputs }, i) => inputs.filter((name) => name !== (i ? lines[i - 1].name : "image"))),
  );
  for (const { name, inputs, input, output } of lines) {
    const chained = inputs.includes(last);
    if (output.join() === input.join() && inputs.length === 1 && chained && !read.has(last))
      stages.at(-1).names.push(name);
    else stages.push({ names: [name], size: output, chained });
    where[name] = stages.length - 1;
    last = name;
  }
  return { stages, where };
}

// What is read elsewhere than by the next layer, shorter ones below longer ones.
function jumps(lines, where) {
  const found = [];
  lines.forEach(({ name, inputs }, i) => {
    for (const source of inputs)
      if (source !== (i ? lines[i - 1].name : "image")) found.push({ from: where[source], to: where[name] });
  });
  found.sort((a, b) => a.to - a.from - (b.to - b.from));
  for (const one of found) {
    const below = found.filter((other) => other.level && other.from < one.to && one.from < other.to);
    one.level = 1 + Math.max(0, ...below.map(({ level }) => level));
  }
  return found;
}

function jump(from, to, level) {
  const y = BASE - TALL - 44 - LEVEL * level;
  const [a, b] = [from.x + 6, to.x - 6];
  return s("path", {
    class: "arrow skip",
    d: `M${a} ${from.top - 8}V${y + 8}Q${a} ${y} ${a + 8} ${y}H${b - 8}Q${b} ${y} ${b} ${y + 8}V${to.top - 8}m-4 -6l4 6l4 -6`,
  });
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
  return { width: w + deep, height: t + deep, parts };
}

function column(features) {
  const tall = 24 + 100 * Math.min(1, Math.log2(features + 1) / 12);
  const rungs = Math.min(features, 14);
  const lines = Array.from({ length: rungs - 1 }, (_, i) => {
    const y = BASE - tall + ((i + 1) * tall) / rungs;
    return s("line", { x1: 0, x2: 12, y1: y, y2: y });
  });
  return {
    width: 12,
    height: tall,
    parts: [s("rect", { x: 0, y: BASE - tall, width: 12, height: tall, rx: 1.5 }), lines],
  };
}

function arrow(from, to, extra = "") {
  const y = BASE - 32;
  return s("path", { class: `arrow ${extra}`, d: `M${from} ${y}H${to}m-6 -4l6 4l-6 4` });
}

function label(x, y, text, kind) {
  return s("text", { x, y, "text-anchor": "middle", class: kind }, text);
}
