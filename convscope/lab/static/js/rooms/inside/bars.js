// How sure the net is: one bar a class, the likeliest twelve where there are many. A bar opens its score's ledger;
// onat(class | null) is told which one the pointer or the focus is on.

import { h } from "../../core/dom.js";
import { sure } from "../../core/format.js";

const MOST = 12;

export function bars(t, { onpick, onat = () => {} }) {
  const list = h("ol", { class: "bars", "aria-label": t("inside.probabilities"), "data-testid": "bars" });
  let rows = [];

  function draw({ classes, confidence, confidences, label }) {
    const order = confidences.map((p, i) => [p, i]);
    if (order.length > MOST) order.sort((a, b) => b[0] - a[0]).splice(MOST);
    if (rows.length !== order.length) build(order.length);
    const best = Math.max(...confidences);
    order.forEach(([p, i], k) => {
      const { item, button, name, value, fill, truth } = rows[k];
      item.className = `${p === best ? "best" : ""} ${i === label ? "truth" : ""}`;
      item.dataset.value = p;
      item.dataset.testid = `p-${i}`;
      button.dataset.class = i;
      name.textContent = classes[i];
      value.textContent = sure(confidence, p, p > 0.9995 || p < 0.0005 ? 0 : 1);
      fill.style.setProperty("width", `${100 * Math.min(1, Math.max(0, p))}%`);
      truth.textContent = i === label ? `, ${t("inside.true_class")}` : "";
    });
  }

  function build(count) {
    rows = Array.from({ length: count }, () => {
      const kinds = ["name", "n value", "fill", "unseen"];
      const [name, value, fill, truth] = kinds.map((kind) => h("span", { class: kind }));
      const button = h(
        "button",
        {
          class: "bar",
          onclick: () => onpick(Number(button.dataset.class)),
          onpointerenter: () => onat(Number(button.dataset.class)),
          onfocus: () => onat(Number(button.dataset.class)),
          onpointerleave: () => onat(null),
          onblur: () => onat(null),
        },
        name,
        h("span", { class: "unseen" }, ": "),
        h("span", { class: "track" }, fill),
        value,
        truth,
      );
      return { item: h("li", {}, button), button, name, value, fill, truth };
    });
    list.replaceChildren(...rows.map(({ item }) => item));
  }

  // The bar of a class, null where it is not among the likeliest.
  const row = (c) => rows.find(({ button }) => Number(button.dataset.class) === c)?.button ?? null;
  return { element: list, draw, row };
}
