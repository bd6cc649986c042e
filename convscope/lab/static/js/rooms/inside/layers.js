// Every layer's output as maps, zero in the middle of the colours, one scale a layer. One tab stop a layer.

import { plane } from "../../core/binary.js";
import { limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { num, shape } from "../../core/format.js";
import { lanes } from "../../parts/lanes.js";
import { map } from "../../parts/map.js";
import { hop } from "../../parts/neighbours.js";
import { forget, inSight } from "../../parts/sight.js";
import { filters } from "./filters.js";

const ROW = 40; // features of a vector in one row
const NAMED = [12, 44]; // so many classes at most have their names below, in so many pixels each
const NEIGHBOURS = { ArrowLeft: -1, ArrowRight: 1 };

// onpick(layer, index) when an element is chosen by click or Enter.
export function layers(t, { onpick }) {
  const element = h("div", { class: "layers" });
  let signature = "";
  let rows = new Map(); // name → {maps, under, …}
  let kernels = null; // the answer of /api/inside/kernels

  function build(heads, classes) {
    leave();
    const named =
      classes.length <= NAMED[0]
        ? heads.findLast(({ shape: size }) => size.length === 1 && size[0] === classes.length)
        : null;
    rows = new Map(heads.map((head) => [head.name, layer(head, head === named ? classes : [])]));
    show(
      element,
      [...rows.values()].map((row) => row.element),
    );
  }

  // classes: the names of the numbers of a vector that are the scores.
  function layer({ name, kind, inputs, marks, shape: size, shown, ledger }, classes) {
    const image = size.length === 3;
    const output = h("output", { class: "readout", "data-testid": `readout-${name}` });
    const at = (c, r, k) => (image ? [c, r, k] : [r * ROW + k]);
    const inside = (index) => image || index[0] < size[0];
    const count = image ? shown : 1;
    const columns = image ? size[2] : Math.min(ROW, size[0]);
    const cell = classes.length ? NAMED[1] : columns > 20 ? 14 : 28;
    const width = image ? Math.min(132, Math.max(54, columns * 4)) : Math.min(560, columns * cell);
    const maps = Array.from({ length: count }, (_, c) => {
      const one = map({
        label: image ? t("inside.map", { name, c }) : name,
        testid: `map-${name}-${c}`,
        width,
        spoken: (r, k, value) => (inside(at(c, r, k)) ? `${name} [${at(c, r, k).join(", ")}]: ${num(value)}` : name),
        onat: (r, k, how) => {
          if (how === "leave") return (output.textContent = row.range);
          const index = at(c, r, k);
          if (!inside(index)) return;
          output.textContent = `${name}[${index.join(", ")}] = ${num(row.value(index))}`;
          if (how === "pin" && ledger) onpick(name, index);
        },
      });
      one.element.tabIndex = c ? -1 : 0;
      return one;
    });
    const label = (c) => t("inside.kernel", { name, c });
    const under = image && kind === "Conv2d" ? filters({ name, count, widest: width, label }) : null;
    const list = h(
      "div",
      { class: `maps${image ? "" : " vector"}`, role: "group", "aria-label": t("inside.maps", { name, n: count }) },
      maps.map(({ element: one }, c) => (under ? h("div", { class: "filtered" }, one, under.elements[c]) : one)),
      classes.length > 0 && below(classes, width),
    );
    list.addEventListener("keydown", (event) => hop(event, maps, NEIGHBOURS), true);
    const note = image && shown < size[0] ? t("inside.first", { n: shown, all: size[0] }) : "";
    const from = inputs.length > 1 ? t("inside.reads", { what: inputs.join(", ") }) : "";
    const section = h(
      "section",
      { class: marks ? "layer laned" : "layer", "data-testid": `layer-${name}` },
      lanes(marks),
      h(
        "header",
        {},
        h("h3", {}, h("code", {}, name)),
        h("span", { class: "hint" }, `${kind} · ${shape(size)} `, from, note),
        output,
      ),
      list,
    );
    const row = { element: section, maps, under, columns, image, output, range: "", value: () => null };
    return row;
  }

  function draw(heads, arrays, classes) {
    const told = heads.map(({ name, marks, shape: size, shown }) => [name, marks, size, shown]);
    const next = JSON.stringify([told, classes]);
    if (next !== signature) {
      build(heads, classes);
      signature = next;
      filter(kernels);
    }
    for (const head of heads) {
      const row = rows.get(head.name);
      const array = arrays[`map.${head.name}`];
      const [, height, width] = array.shape;
      row.value = row.image ? ([c, r, k]) => array.values[(c * height + r) * width + k] : ([i]) => array.values[i];
      inSight(row.element, () => fill(row, head, array));
    }
  }

  function fill(row, { low, high }, array) {
    const limit = Math.max(Math.abs(low), Math.abs(high));
    row.range = row.output.textContent = `${num(low, 3)} … ${num(high, 3)}`;
    if (row.image) return row.maps.forEach((one, c) => one.draw({ ...plane(array, c), limit }));
    const lines = Math.ceil(array.values.length / row.columns);
    const values = new Float32Array(lines * row.columns);
    values.set(array.values);
    row.maps[0].draw({ rows: lines, columns: row.columns, values, limit: limit || limitOf(values) });
  }

  // The kernels of the convolutions; null: they are not known yet.
  function filter(found) {
    kernels = found;
    for (const [name, { under }] of rows)
      if (under && found?.arrays[`kernel.${name}`]) under.draw(found.arrays[`kernel.${name}`]);
  }

  // Outline what belongs together: places is [{tensor, channel, row, column, rows, columns}, …].
  function outline(places) {
    for (const row of rows.values()) row.maps.forEach((one) => one.outline(null));
    for (const { tensor, channel, ...window } of places) rows.get(tensor)?.maps[channel]?.outline(window);
  }

  // The window of a map that stands for an element, in the form that outline() takes.
  function spot(tensor, index) {
    if (index.length === 3) return { tensor, channel: index[0], row: index[1], column: index[2], rows: 1, columns: 1 };
    return { tensor, channel: 0, row: Math.floor(index[0] / ROW), column: index[0] % ROW, rows: 1, columns: 1 };
  }

  function leave() {
    for (const row of rows.values()) {
      forget(row.element);
      row.maps.forEach((one) => one.leave());
      row.under?.leave();
    }
  }

  return { element, draw, filter, outline, spot, leave };
}

// The name of a class below its score.
function below(classes, width) {
  const style = { "--n": classes.length, "--width": `${width}px` };
  const names = classes.map((name) => h("span", { title: name }, name));
  return h("div", { class: "class-names", "aria-hidden": "true", style }, names);
}
