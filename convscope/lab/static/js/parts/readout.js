// The numbers of a chart under the mouse, the finger or, with the arrow keys, the focus: a line through the nearest place
// along the axis, and what every line has there.

import { h, s } from "../core/dom.js";
import { num } from "../core/format.js";

// svg is the chart; across its scale; [top, bottom] the height of the line; rows: [{name, points: [[x, y], …], text?(y)}].
// Gives the element in which the numbers stand.
export function readout(svg, { across, span: [top, bottom], rows, name, testid }) {
  const places = [...new Set(rows.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const mark = s("line", { class: "mark", y1: top, y2: bottom, visibility: "hidden" });
  const text = h("output", { class: "read", "data-testid": `${testid}-read` });
  let at = -1;
  svg.append(mark);
  svg.setAttribute("tabindex", "0");
  if (!places.length) return text;

  function to(index) {
    at = Math.min(places.length - 1, Math.max(0, index));
    const x = places[at];
    for (const end of ["x1", "x2"]) mark.setAttribute(end, across.at(x));
    mark.setAttribute("visibility", "visible");
    const told = rows.flatMap(({ name: row, points, text: words = num }) => {
      const found = points.find(([one]) => one === x);
      return found && found[1] !== null ? [`${row} ${words(found[1])}`] : [];
    });
    text.textContent = `${name} ${num(x, 6)}: ${told.join(" · ")}`;
    text.dataset.x = x;
  }

  function leave() {
    mark.setAttribute("visibility", "hidden");
    text.textContent = "";
  }

  svg.addEventListener("pointermove", (event) => {
    const area = svg.getBoundingClientRect();
    const unit = svg.viewBox.baseVal.width / area.width;
    to(nearest(places, across, (event.clientX - area.left) * unit));
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowRight") to(at + 1);
    if (key === "ArrowLeft") to(at < 0 ? places.length - 1 : at - 1);
  });
  return text;
}

// The index of the place that is drawn nearest to `pixel`.
function nearest(places, across, pixel) {
  let [low, high] = [0, places.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (across.at(places[middle]) < pixel) low = middle;
    else high = middle;
  }
  return Math.abs(across.at(places[low]) - pixel) <= Math.abs(across.at(places[high]) - pixel) ? low : high;
}
