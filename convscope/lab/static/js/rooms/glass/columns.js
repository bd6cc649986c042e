// The net from left to right: the picture, and every layer's maps in a column. One tab stop a column.

import { picture } from "../../core/binary.js";
import { limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { num, shape as sizes } from "../../core/format.js";
import { map } from "../../parts/map.js";
import { hop } from "../../parts/neighbours.js";

const HIGH = 440; // pixels of a column's maps
const LARGEST = 56; // and of one map's side
const MOST = 24; // maps in a column
const NEIGHBOURS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

// onat(layer, index | null, how): what the pointer or the cursor is on. Layers are {name, shape, inputs, …}.
export function columns(t, { onat }) {
  const element = h("div", { class: "net" });
  let built = null; // the net that is laid out
  let rows = new Map(); // layer → {maps, box, limit, at(c, r, k), values}

  function build({ run, net, layers }) {
    leave();
    built = run;
    const image = { name: "image", kind: "", shape: net.image, inputs: [] };
    rows = new Map([image, ...drawn(layers)].map((layer) => [layer.name, column(layer)]));
    const boxes = [...rows.values()].map(({ box }) => box);
    show(element, boxes);
  }

  function column(layer) {
    const { name, shape } = layer;
    const plan = arrangement(layer);
    const value = (index) => one.values?.[place(shape, index)];
    const one = { layer, plan, values: null, maps: [] };
    one.maps = Array.from({ length: plan.shown }, (_, c) => {
      const at = (r, k) => (shape.length === 3 ? [plan.image ? 0 : c, r, k] : [r * plan.wide + k]);
      const part = map({
        label: shape.length === 3 && !plan.image ? t("glass.map", { name, c }) : name,
        testid: `glass-${name}-${c}`,
        width: plan.width,
        spoken: (r, k) => `${name}[${at(r, k).join(", ")}]: ${num(value(at(r, k)))}`,
        onat: (r, k, how) => onat(layer, how === "leave" || value(at(r, k)) === undefined ? null : at(r, k), how),
      });
      part.element.tabIndex = c ? -1 : 0;
      part.element.style.setProperty("--i", c);
      return part;
    });
    const list = h(
      "div",
      { class: "maps", role: "group", "aria-label": name, style: { "--across": plan.across, "--count": plan.shown } },
      one.maps.map((part) => part.element),
    );
    list.addEventListener("keydown", (event) => hop(event, one.maps, NEIGHBOURS), true);
    const rest = plan.rest ? h("span", { class: "hint" }, t("glass.more", { n: plan.rest })) : null;
    const head = h(
      "header",
      {},
      h("h3", {}, h("code", {}, name === "image" ? t("glass.image") : name)),
      h("span", { class: "hint" }, sizes(shape)),
    );
    one.box = h(
      "section",
      { class: `column ${plan.image ? "given" : ""}`, "data-testid": `column-${name}` },
      head,
      list,
      rest,
    );
    return one;
  }

  // made: every layer's numbers; pixels: what the net is given, 0 … 255.
  function draw(net, { made, pixels }) {
    if (built !== net.run) build(net);
    for (const [name, row] of rows) {
      row.values = made[name];
      if (name === "image") {
        const whole = { shape: net.net.image, values: Float32Array.from(pixels) };
        row.maps[0].draw(picture(whole));
        row.maps
          .slice(1)
          .forEach((one, c) => one.draw({ ...plane(whole.values, net.net.image, c), low: 0, high: 255 }));
      } else fill(row, made[name]);
    }
  }

  function fill({ layer: { shape }, plan, maps }, values) {
    const limit = limitOf(values);
    if (shape.length === 3) return maps.forEach((one, c) => one.draw({ ...plane(values, shape, c), limit }));
    const padded = new Float32Array(Math.ceil(values.length / plan.wide) * plan.wide);
    padded.set(values);
    maps[0].draw({ rows: padded.length / plan.wide, columns: plan.wide, values: padded, limit });
  }

  // Outline places [{name, channel, row, column, rows, columns}] and nothing else.
  function outline(places) {
    for (const { maps } of rows.values()) maps.forEach((one) => one.outline(null));
    for (const { name, channel, ...box } of places) mapOf(name, channel)?.outline(box);
  }

  // The map that shows a channel of a layer; of a vector and of a colour image there is one for all.
  function mapOf(name, channel) {
    const row = rows.get(name);
    if (!row) return undefined;
    return row.maps[row.layer.shape.length === 1 ? 0 : channel + (row.plan.image && row.maps.length > 1 ? 1 : 0)];
  }

  function leave() {
    for (const { maps } of rows.values()) maps.forEach((one) => one.leave());
    built = null;
  }

  return { element, draw, outline, mapOf, row: (name) => rows.get(name), leave };
}

// What is drawn: not the last layer, which is the bars, nor what only lays numbers in a row.
export function drawn(layers) {
  return layers
    .slice(0, -1)
    .filter(({ kind, shape }) => kind !== "Flatten" && kind !== "flatten" && !(shape.length === 1 && shape[0] > 1024));
}

// How a layer's maps are arranged: how many are shown, how wide each is, and how many stand side by side.
export function arrangement({ name, shape }) {
  if (name === "image") {
    const colour = shape[0] === 3;
    return { image: true, shown: colour ? 4 : 1, rest: 0, across: 1, width: 84 };
  }
  if (shape.length === 1) {
    const wide = Math.max(1, Math.ceil(shape[0] / 32));
    return { wide, shown: 1, rest: 0, across: 1, width: Math.min(96, wide * Math.min(18, (HIGH * wide) / shape[0])) };
  }
  const shown = Math.min(MOST, shape[0]);
  const across = shown > 5 ? 2 : 1;
  const side = Math.min(LARGEST, HIGH / Math.ceil(shown / across) - 5);
  return { shown, rest: shape[0] - shown, across, width: side * Math.min(1, shape[2] / shape[1]) };
}

function place(shape, index) {
  return index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
}

function plane(values, [, rows, wide], c) {
  return { rows, columns: wide, values: values.subarray(c * rows * wide, (c + 1) * rows * wide) };
}
