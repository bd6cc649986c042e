// Small images beside each other, each with a word below it.

import { paintGrey, paintRGB } from "../../../core/colour.js";
import { h } from "../../../core/dom.js";

// (N, C, H, W) with values in 0…255 and N words.
export function stamps({ shape: [, channels, rows, columns], values }, words) {
  const size = channels * rows * columns;
  const stamp = (word, i) => {
    const canvas = h("canvas", { width: columns, height: rows, "aria-hidden": "true" });
    const image = new ImageData(columns, rows);
    const own = values.subarray(i * size, (i + 1) * size);
    if (channels === 3)
      paintRGB(
        image.data,
        own.map((value) => value / 255),
      );
    else paintGrey(image.data, own, 0, 255);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return h("li", {}, canvas, h("span", {}, word));
  };
  return h("ul", { class: "stamps" }, words.map(stamp));
}
