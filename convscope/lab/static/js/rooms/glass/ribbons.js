// Ribbons over the net, as thick as what they carry: orange speaks for the answer, blue against it.

import { s, show } from "../../core/dom.js";

const THICKEST = 15; // pixels

export function ribbons() {
  const element = s("svg", { class: "ribbons", "aria-hidden": "true", "data-testid": "ribbons" });

  // list: [{from: element, to: element, amount, of}]: of the largest `of` is as thick as can be.
  function draw(list) {
    const origin = element.getBoundingClientRect();
    const paths = list
      .filter(({ from, to, amount }) => from && to && amount)
      .map(({ from, to, amount, of, name }) => {
        const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
        const [x1, y1, x2, y2] = [a.right - origin.x, middle(a) - origin.y, b.left - origin.x, middle(b) - origin.y];
        const bend = Math.max(12, (x2 - x1) / 2);
        const wide = Math.max(0.5, THICKEST * Math.min(1, Math.abs(amount) / of));
        return s("path", {
          class: amount > 0 ? "for" : "against",
          d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
          "stroke-width": wide.toFixed(2),
          "data-name": name,
          "data-value": amount,
        });
      });
    show(element, paths);
    if (!paths.length) element.replaceChildren();
  }

  return { element, draw };
}

function middle(box) {
  return box.top + box.height / 2;
}
