// An image to paint on, pixel by pixel: by mouse, finger and pen, or with arrow keys and the space bar.

import { picture } from "../../../core/binary.js";
import { h, say } from "../../../core/dom.js";
import { stepTo } from "../../../core/roving.js";
import { map } from "../../../parts/map.js";
import { stamped } from "./stamp.js";

// brush() → {ink: a value a channel, side}; ongrow(bytes) while a stroke grows, onstroke(bytes, before) when it has ended.
export function canvas(t, { brush, ongrow, onstroke, onundo }) {
  const image = map({ label: t("play.canvas"), testid: "canvas-image", width: 280 });
  const pen = h("span", { class: "pen", hidden: true });
  const element = h(
    "div",
    {
      class: "canvas",
      tabindex: "0",
      role: "application",
      "data-testid": "canvas",
      "aria-label": t("play.canvas"),
      "aria-describedby": "paint-keys",
      onpointerdown,
      onpointermove,
      onpointerup: finish,
      onpointercancel: finish,
      onkeydown,
      onblur: () => {
        finish();
        pen.hidden = true;
      },
    },
    image.element,
    pen,
  );
  let shape = [1, 1, 1];
  let bytes = new Uint8Array(1);
  let before = null; // the bytes when the stroke under way began
  let last = null; // its last place
  let at = null; // the keyboard's pen: [row, column]
  let waiting = 0;

  function place(event) {
    const area = element.getBoundingClientRect();
    const clip = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return [
      clip((event.clientY - area.top) / area.height, shape[1]),
      clip((event.clientX - area.left) / area.width, shape[2]),
    ];
  }

  function onpointerdown(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    finish();
    begin(place(event));
  }

  function onpointermove(event) {
    if (!before || !element.hasPointerCapture(event.pointerId)) return;
    const since = event.getCoalescedEvents?.() ?? [];
    for (const one of since.length ? since : [event]) grow(place(one));
  }

  function begin(to) {
    before = bytes;
    last = to;
    grow(to);
  }

  function grow(to) {
    bytes = stamped(bytes, shape, [last, to], brush());
    last = to;
    paint();
    if (!waiting)
      waiting = requestAnimationFrame(() => {
        waiting = 0;
        if (before) ongrow(bytes);
      });
  }

  function finish() {
    if (!before) return;
    const old = before;
    before = null;
    element.classList.remove("down");
    onstroke(bytes, old);
  }

  function onkeydown(event) {
    at ??= [shape[1] >> 1, shape[2] >> 1];
    const to = stepTo(event.key, ...at, shape[1], shape[2], event.ctrlKey);
    if (to) {
      at = to;
      if (before) grow(at);
    } else if (event.key === " ") {
      if (before) finish();
      else {
        element.classList.add("down");
        begin(at);
      }
    } else if ((event.key === "Backspace" || event.key === "Delete") && !before) onundo();
    else return;
    event.preventDefault();
    point();
  }

  function point() {
    pen.hidden = false;
    const [, rows, columns] = shape;
    const sides = { top: at[0] / rows, left: at[1] / columns, height: 1 / rows, width: 1 / columns };
    for (const [side, share] of Object.entries(sides)) pen.style.setProperty(side, `${100 * share}%`);
    say(t(before ? "common.pen_down" : "common.pen_up", { r: at[0], c: at[1] }));
  }

  function paint() {
    image.draw(picture({ shape, values: Float32Array.from(bytes) }));
  }

  function draw(size, next) {
    if (before) return; // a stroke is under way
    [shape, bytes] = [size, next];
    paint();
  }

  return { element, draw, leave: image.leave };
}
