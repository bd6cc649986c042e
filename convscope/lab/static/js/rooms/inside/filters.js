// The kernel below each map of a convolution, so that input ∗ kernel = map can be seen. Its planes stand side by side.

import { limitOf } from "../../core/colour.js";
import { map } from "../../parts/map.js";

const CELL = 8; // pixels of a weight, at most

// label(c) of kernel c. Nothing is shown until draw(); widest: pixels of a map.
export function filters({ name, count, widest, label }) {
  const tiles = Array.from({ length: count }, (_, c) => map({ label: label(c), testid: `kernel-${name}-${c}` }));
  for (const { element } of tiles) element.hidden = true;

  // array: (kernels, planes, rows, columns).
  function draw(array) {
    const limit = limitOf(array.values);
    tiles.slice(0, array.shape[0]).forEach((tile, c) => {
      const picture = tiled(array, c);
      tile.element.style.setProperty("--width", `${Math.min(widest, CELL * picture.columns) / 16}rem`);
      tile.element.title = tile.element.getAttribute("aria-label");
      tile.element.hidden = false;
      tile.draw({ ...picture, limit });
    });
  }

  return {
    elements: tiles.map(({ element }) => element),
    draw,
    leave: () => tiles.forEach((tile) => tile.leave()),
  };
}

// The planes of kernel c in a square, with a weight's width of paper between them.
export function tiled({ shape: [, planes, rows, columns], values }, c) {
  const across = Math.ceil(Math.sqrt(planes));
  const width = across * (columns + 1) - 1;
  const height = Math.ceil(planes / across) * (rows + 1) - 1;
  const picture = new Float32Array(width * height);
  for (let p = 0; p < planes; p += 1) {
    const [top, left] = [Math.floor(p / across) * (rows + 1), (p % across) * (columns + 1)];
    for (let r = 0; r < rows; r += 1) {
      const from = ((c * planes + p) * rows + r) * columns;
      picture.set(values.subarray(from, from + columns), (top + r) * width + left);
    }
  }
  return { rows: height, columns: width, values: picture };
}
