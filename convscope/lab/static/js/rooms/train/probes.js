// What the net makes of the same few test images while it learns: guesses, maps of one of them, and the kernels.

import { picture } from "../../core/binary.js";
import { limitOf } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { num, shape, sure } from "../../core/format.js";
import { map } from "../../parts/map.js";
import { sheet } from "./sheet.js";

// onpick(i): another of the probe images is chosen.
export function probes(t, { onpick }) {
  const list = h("div", { class: "probe-list", role: "group", "aria-label": t("train.probes") });
  const image = map({ label: t("train.probe_image"), testid: "probe-image", width: 120 });
  const maps = h("div", { class: "strips" });
  const kernels = h("div", { class: "strips" });
  const at = h("p", { class: "hint", "data-testid": "probe-step" });
  const element = h(
    "div",
    { class: "probes" },
    h("h2", {}, t("train.probes")),
    at,
    list,
    h(
      "div",
      { class: "two" },
      h("div", { class: "strips" }, image.element, maps),
      h("div", { class: "strips" }, h("h2", {}, t("train.kernels")), kernels),
    ),
  );
  const drawn = new Map(); // testid → map
  let buttons = [];
  let shown = "";

  // look: head and arrays; classes: their names; source(i): where the picture of a probe image is; fixed: whether no other
  // image can be chosen, as the look is one of the past.
  function draw({ head, arrays }, { classes, source, fixed }) {
    const key = source(0);
    if (key !== shown) build(head, classes, source);
    shown = key;
    at.textContent = t("train.probe_step", { step: head.step });
    at.dataset.value = head.step;
    head.confidences.forEach((row, i) => {
      const best = row.indexOf(Math.max(...row));
      const { button, text } = buttons[i];
      button.setAttribute("aria-pressed", String(i === head.chosen));
      button.setAttribute("aria-disabled", String(fixed));
      text.className = best === head.labels[i] ? "good" : "bad";
      text.textContent = `${classes[best]} ${sure(head.confidence, row[best], 0)}`;
      button.dataset.value = row[head.labels[i]];
    });
    image.draw(picture(arrays.image));
    strips(
      maps,
      head.layers.map(({ name, shape: size }) => [name, `map.${name}`, shape(size)]),
      arrays,
    );
    strips(
      kernels,
      Object.keys(arrays)
        .filter((name) => name.startsWith("weight."))
        .map((name) => [name.slice(7), name, shape(arrays[name].shape)]),
      arrays,
    );
  }

  function build({ labels }, classes, source) {
    buttons = labels.map((label, i) => {
      const text = h("span");
      const button = h(
        "button",
        { class: "probe", "data-testid": `probe-${i}`, title: classes[label], onclick: () => pick(i) },
        h("img", { src: source(i), alt: classes[label], width: 40, height: 40 }),
        text,
      );
      return { button, text };
    });
    show(
      list,
      buttons.map(({ button }) => button),
    );
    for (const { one } of drawn.values()) one.leave();
    drawn.clear();
    show(maps);
    show(kernels);
  }

  function pick(i) {
    if (buttons[i].button.getAttribute("aria-disabled") !== "true") onpick(i);
  }

  // One canvas a layer, its channels beside each other; zero is paper, the scale is the layer's own.
  function strips(parent, rows, arrays) {
    for (const [name, key, size] of rows) {
      const data = sheet(arrays[key]);
      const limit = limitOf(data.values);
      if (!drawn.has(key)) {
        const one = map({
          label: `${name} ${size}`,
          testid: key,
          width: Math.min(1100, data.columns * scaleOf(arrays[key].shape, data)),
        });
        const range = h("span", { class: "hint n" });
        drawn.set(key, { one, range });
        parent.append(
          h(
            "div",
            { class: "strip" },
            h("p", {}, h("code", {}, name), " ", h("span", { class: "hint" }, size), " ", range),
            one.element,
          ),
        );
      }
      const { one, range } = drawn.get(key);
      one.draw({ ...data, limit });
      one.element.dataset.value = limit;
      range.textContent = `± ${num(limit, 3)}`;
    }
  }

  // Pixels a number: one plane is some fifty pixels wide, a large sheet of kernels smaller.
  function scaleOf(size, { columns }) {
    return columns > 110 && size.length === 4 ? 5 : Math.max(4, Math.ceil(52 / (size.at(-1) + 1)));
  }

  return {
    element,
    draw,
    leave: () => [image, ...[...drawn.values()].map(({ one }) => one)].forEach((part) => part.leave()),
  };
}
