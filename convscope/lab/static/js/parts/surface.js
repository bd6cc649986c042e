// What is drawn on: by mouse, finger and pen, or with arrow keys and the space bar, which lowers and lifts a pen. Places are
// shares [u, v] of what is drawn on, across and down.

import { h, say } from "../core/dom.js";
import { stepTo } from "../core/roving.js";
import { pull } from "./pull.js";

// sheet: what is drawn on; cells(): its [rows, columns] for the keys. begin(place), grow(place) …, end() are a stroke;
// draft() is called once a frame while it grows, undo() takes the last one back. Gives {element, down(): whether one grows}.
export function surface(t, { sheet, kind, testid, label, keys, cells, begin, grow, draft, end, undo }) {
  const pen = h("span", { class: "pen", hidden: true });
  const element = h(
    "div",
    {
      class: kind,
      tabindex: "0",
      role: "application",
      "data-testid": testid,
      "aria-label": label,
      "aria-describedby": keys,
      onkeydown,
      onblur: () => {
        lift();
        pen.hidden = true;
      },
    },
    sheet,
    pen,
  );
  let down = false;
  let at = null; // row and column of the keyboard's pen
  let waiting = 0;
  pull(element, { begin: (event) => (lift(), lower(place(event))), move: (event) => on(place(event)), end: lift });

  function place(event) {
    const area = sheet.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  }

  function lower(to) {
    down = true;
    begin(to);
    later();
  }

  function on(to) {
    if (!down) return;
    grow(to);
    later();
  }

  function later() {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      if (down) draft();
    });
  }

  function lift() {
    element.classList.remove("down");
    if (!down) return;
    down = false;
    end();
  }

  function onkeydown(event) {
    const [rows, columns] = cells();
    at = at ? [Math.min(at[0], rows - 1), Math.min(at[1], columns - 1)] : [rows >> 1, columns >> 1];
    const to = stepTo(event.key, ...at, rows, columns, event.ctrlKey);
    if (to) {
      at = to;
      on(middle());
    } else if (event.key === " ") press();
    else if ((event.key === "Backspace" || event.key === "Delete") && !down) undo();
    else return;
    event.preventDefault();
    show(rows, columns);
  }

  function press() {
    if (down) return lift();
    element.classList.add("down");
    return lower(middle());
  }

  function middle() {
    const [rows, columns] = cells();
    return [(at[1] + 0.5) / columns, (at[0] + 0.5) / rows];
  }

  function show(rows, columns) {
    pen.hidden = false;
    const sides = { top: at[0] / rows, left: at[1] / columns, height: 1 / rows, width: 1 / columns };
    for (const [side, share] of Object.entries(sides)) pen.style.setProperty(side, `${100 * share}%`);
    say(t(down ? "common.pen_down" : "common.pen_up", { r: at[0], c: at[1] }));
  }

  return { element, down: () => down };
}
