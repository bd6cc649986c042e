// A feature map or an image on canvas, at its native size, enlarged without smoothing. One focusable cursor reads it out.

import { limitOf, paintDiverging, paintGrey, paintRGB } from "../core/colour.js";
import { h } from "../core/dom.js";
import { num } from "../core/format.js";
import { stepTo } from "../core/roving.js";
import { isDark, onTheme } from "../core/theme.js";
import { forget, inSight } from "./sight.js";

// options: label, testid, width (pixels of a page with 16 px type), spoken(r, c, value), onat(r, c, how: "focus" | "hover" | "leave" | "pin").
// draw({rows, columns, values, limit?, low?, high?, rgb?}): with low/high it is grey, with rgb values are 3 planes in 0…1.
export function map({ label, testid, width = 160, spoken, onat = null }) {
  const canvas = h("canvas", { width: 0, height: 0, "aria-hidden": "true" });
  const cursor = h("span", { class: "cursor", hidden: true });
  const box = h("span", { class: "window", hidden: true });
  const element = h(
    "div",
    { class: "map", "data-testid": testid, role: "img", "aria-label": label, style: { "--width": `${width / 16}rem` } },
    canvas,
    box,
    cursor,
  );
  let data = null;
  let at = [0, 0];

  if (onat) {
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.addEventListener("keydown", (event) => {
      const to = event.key === "Enter" ? at : stepTo(event.key, ...at, data.rows, data.columns, event.ctrlKey);
      if (!to) return;
      event.preventDefault();
      move(to, event.key === "Enter" ? "pin" : "focus");
    });
    element.addEventListener("pointermove", (event) => onat(...place(event), "hover"));
    element.addEventListener("pointerleave", () => onat(-1, -1, "leave"));
    element.addEventListener("click", (event) => move(place(event), "pin"));
  }

  function place(event) {
    const area = canvas.getBoundingClientRect();
    const clip = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return [
      clip((event.clientY - area.top) / area.height, data.rows),
      clip((event.clientX - area.left) / area.width, data.columns),
    ];
  }

  function move(to, how) {
    at = to;
    put(cursor, at[0], at[1], 1, 1);
    const value = data.values[at[0] * data.columns + at[1]];
    element.setAttribute("aria-label", spoken ? spoken(...at, value) : `${label}: ${at[0]}, ${at[1]}: ${num(value)}`);
    onat(...at, how);
  }

  function put(mark, row, column, high, wide) {
    mark.hidden = false;
    const sides = {
      top: row / data.rows,
      left: column / data.columns,
      height: high / data.rows,
      width: wide / data.columns,
    };
    for (const [side, share] of Object.entries(sides)) mark.style.setProperty(side, `${100 * share}%`);
  }

  // What is drawn already is not drawn again; what nobody sees waits (the values of `next` must not change afterwards).
  function draw(next) {
    if (data && same(data, next)) return;
    data = next;
    const { rows, columns } = data;
    if (canvas.width !== columns || canvas.height !== rows) {
      [canvas.width, canvas.height] = [columns, rows];
      element.style.setProperty("--ratio", `${columns} / ${rows}`);
    }
    inSight(element, paint);
  }

  function paint() {
    const { rows, columns, values, rgb, low, high } = data;
    const image = new ImageData(columns, rows);
    if (rgb) paintRGB(image.data, values);
    else if (low === undefined) paintDiverging(image.data, values, data.limit ?? limitOf(values), isDark());
    else paintGrey(image.data, values, low, high);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  const silent = onTheme(() => data && element.isConnected && inSight(element, paint));
  const leave = () => {
    silent();
    forget(element);
  };
  // Outline a window of the map (cells, may be fractional); null hides it.
  const outline = (window) =>
    window ? put(box, window.row, window.column, window.rows, window.columns) : (box.hidden = true);
  return { element, draw, outline, leave, at: () => at };
}

function same(a, b) {
  for (const key of ["rows", "columns", "limit", "low", "high", "rgb"]) if (a[key] !== b[key]) return false;
  return a.values.length === b.values.length && a.values.every((value, i) => value === b.values[i]);
}
