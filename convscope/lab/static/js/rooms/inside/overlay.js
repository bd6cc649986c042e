// A map laid over an image: the larger a number, the less of the image shows through.

import { diverging, limitOf } from "../../core/colour.js";
import { h } from "../../core/dom.js";

export function overlay(label, testid = "overlay") {
  const canvas = h("canvas", {
    class: "over",
    role: "img",
    "aria-label": label,
    "data-testid": testid,
    hidden: true,
  });

  // {rows, columns, values}, or null for nothing.
  function draw(data) {
    canvas.hidden = !data;
    if (!data) return;
    const { rows, columns, values } = data;
    const limit = limitOf(values);
    Object.assign(canvas, { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    values.forEach((value, i) => {
      const strength = limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0;
      image.data.set([...diverging(Math.sign(value), 1, true), 255 * strength ** 0.6], 4 * i);
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.dataset.limit = limit;
  }

  return { element: canvas, draw };
}
