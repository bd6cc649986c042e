// An image that is painted on, pixel by pixel.

import { picture } from "../../../core/binary.js";
import { map } from "../../../parts/map.js";
import { surface } from "../../../parts/surface.js";
import { stamped } from "./stamp.js";

// brush() → {ink: a value a channel, side}; ongrow(bytes) while a stroke grows, onstroke(bytes, before) when it has ended.
export function canvas(t, { brush, ongrow, onstroke, onundo }) {
  const image = map({ label: t("play.canvas"), testid: "canvas-image", width: 280 });
  let shape = [1, 1, 1];
  let bytes = new Uint8Array(1);
  let before = null; // the bytes when the stroke under way began
  let last = null; // its last pixel
  const { element, down } = surface(t, {
    sheet: image.element,
    kind: "canvas",
    testid: "canvas",
    label: t("play.canvas"),
    keys: "paint-keys",
    cells: () => shape.slice(1),
    begin: (place) => {
      before = bytes;
      last = pixel(place);
      grow(place);
    },
    grow,
    draft: () => ongrow(bytes),
    end: () => onstroke(bytes, before),
    undo: onundo,
  });

  function pixel([u, v]) {
    const clip = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return [clip(v, shape[1]), clip(u, shape[2])];
  }

  function grow(place) {
    const to = pixel(place);
    bytes = stamped(bytes, shape, [last, to], brush());
    last = to;
    paint();
  }

  function paint() {
    image.draw(picture({ shape, values: Float32Array.from(bytes) }));
  }

  function draw(size, next) {
    if (down()) return;
    [shape, bytes] = [size, next];
    paint();
  }

  return { element, draw, leave: image.leave };
}
