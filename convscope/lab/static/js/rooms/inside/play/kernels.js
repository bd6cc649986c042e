// One kernel, or one row of a linear layer, plane by plane: its weights, to be chosen, and below each the gradient.

import { limitOf } from "../../../core/colour.js";
import { h, show } from "../../../core/dom.js";
import { num } from "../../../core/format.js";
import { map } from "../../../parts/map.js";
import { hop } from "../../../parts/neighbours.js";

const ROW = 40; // weights of a linear layer in one row
const NEIGHBOURS = { ArrowLeft: -1, ArrowRight: 1 };
const MOST = 32; // planes

// onpick(index of the weight).
export function kernels(t, { onpick }) {
  const list = h("div", { class: "taps", role: "group", "aria-label": t("play.weights") });
  const output = h("output", { class: "readout", "data-testid": "tap-read" });
  const note = h("p", { class: "hint" });
  const element = h("div", { class: "kernel" }, h("p", { class: "hint" }, t("play.weights_hint")), list, output, note);
  let built = "";
  let planes = []; // {weight, gradient} maps
  let found = null;

  list.addEventListener(
    "keydown",
    (event) =>
      hop(
        event,
        planes.map(({ weight }) => weight),
        NEIGHBOURS,
      ),
    true,
  );

  const image = () => found.arrays.weight.shape.length === 3;
  const indexOf = (p, r, c) => (image() ? [p, r, c] : [r * ROW + c]);

  function valueOf(key, p, r, c) {
    const { shape, values } = found.arrays[key];
    return values[image() ? (p * shape[1] + r) * shape[2] + c : r * ROW + c];
  }

  function words(p, r, c) {
    const [w, g] = [valueOf("weight", p, r, c), valueOf("gradient", p, r, c)];
    if (w === undefined) return "";
    const index = [found.head.index[0], ...indexOf(p, r, c)].join(",");
    return t("play.tap", { name: `${found.head.layer}[${index}]`, weight: num(w), gradient: num(g) });
  }

  function build(count, columns) {
    leave();
    const width = image() ? Math.max(46, Math.min(140, columns * (count > 3 ? 15 : 26))) : Math.min(440, columns * 12);
    planes = Array.from({ length: count }, (_, p) => {
      const weight = map({
        label: t("play.weight_plane", { p }),
        testid: `tap-${p}`,
        width,
        spoken: (r, c) => words(p, r, c),
        onat: (r, c, how) => {
          if (how === "leave") return (output.textContent = "");
          output.textContent = words(p, r, c);
          if (how === "pin" && output.textContent) onpick([found.head.index[0], ...indexOf(p, r, c)]);
        },
      });
      weight.element.tabIndex = p ? -1 : 0;
      return { weight, gradient: map({ label: t("play.gradient_plane", { p }), testid: `tap-gradient-${p}`, width }) };
    });
    show(
      list,
      planes.map(({ weight, gradient }) => h("div", { class: "tap" }, weight.element, gradient.element)),
    );
  }

  function draw(next) {
    found = next;
    const { weight, gradient } = found.arrays;
    const count = image() ? Math.min(MOST, weight.shape[0]) : 1;
    const [rows, columns] = image()
      ? weight.shape.slice(1)
      : [Math.ceil(weight.values.length / ROW), Math.min(ROW, weight.values.length)];
    const key = JSON.stringify([count, rows, columns, image()]);
    if (key !== built) build(count, columns);
    built = key;
    const size = rows * columns;
    for (const [kind, array] of Object.entries({ weight, gradient })) {
      const limit = limitOf(array.values) || 1;
      planes.forEach((part, p) => {
        const values = new Float32Array(size);
        values.set(array.values.subarray(p * size, (p + 1) * size));
        part[kind].draw({ rows, columns, values, limit });
      });
    }
    planes.forEach((part, p) => part.weight.outline(spot(p)));
    const [all] = weight.shape;
    note.textContent = image() && all > count ? t("play.first_planes", { n: count, all }) : "";
  }

  // Where the chosen weight stands in plane p.
  function spot(p) {
    const { bias, index } = found.head;
    if (bias) return null;
    const [, a, r, c] = index;
    if (!image()) return { row: Math.floor(a / ROW), column: a % ROW, rows: 1, columns: 1 };
    return a === p ? { row: r, column: c, rows: 1, columns: 1 } : null;
  }

  function leave() {
    planes.forEach(({ weight, gradient }) => [weight, gradient].forEach((one) => one.leave()));
  }

  return { element, draw, leave };
}
