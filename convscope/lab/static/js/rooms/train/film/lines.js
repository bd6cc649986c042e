// One update as the four lines of code that it is, each with its numbers; the lines light up one after the other.

import { h, rich, show } from "../../../core/dom.js";
import { count, num, signed } from "../../../core/format.js";
import { limitOf } from "../../../core/colour.js";
import { plane } from "../../../core/binary.js";
import { map } from "../../../parts/map.js";
import { stamps } from "./stamps.js";

const CODE = [
  "images, labels = next(batches)",
  "loss = loss_fn(net(images), labels)",
  "optimizer.zero_grad(); loss.backward()",
  "optimizer.step()",
];
const PACE = 900; // ms a line
const TERMS = 4; // of the mean that is the loss
const KERNEL = 84; // pixels of a page with 16 px type

export function fourLines(t) {
  const items = CODE.map((code, i) => {
    const button = h("button", { class: "code", "data-testid": `line-${i + 1}`, onclick: () => light(i) }, code);
    const body = h("div", { class: "says" });
    return { body, element: h("li", {}, button, body) };
  });
  const kernels = ["before", "gradient", "after"].map((key) => ({
    key,
    one: map({ label: t(`film.kernel_${key}`), testid: `kernel-${key}`, width: KERNEL }),
  }));
  const heading = h("h2", {});
  const list = items.map(({ element: item }) => item);
  const element = h(
    "section",
    { class: "four", hidden: true, "data-testid": "four-lines" },
    heading,
    h("ol", {}, list),
  );
  let timer = 0;
  let drawn = null;

  // Which of the lines is lit; from −1 all are.
  function light(at) {
    clearTimeout(timer);
    items.forEach(({ element: item }, i) => {
      item.classList.toggle("lit", at < 0 || i === at);
      item.toggleAttribute("aria-current", i === at);
    });
  }

  function run(at) {
    light(at);
    if (at >= 0) timer = setTimeout(() => run(at + 1 < items.length ? at + 1 : -1), PACE);
  }

  // lines: {head, arrays} of an update that was taken alone, or null.
  function draw(lines, state) {
    element.hidden = !lines;
    if (!lines || lines === drawn) return;
    drawn = lines;
    heading.textContent = t("film.four", { step: count(lines.head.step) });
    element.dataset.step = lines.head.step;
    const parts = [batch, loss, gradients, update];
    items.forEach(({ body }, i) => show(body, parts[i](lines, state)));
    run(matchMedia("(prefers-reduced-motion: reduce)").matches ? -1 : 0);
  }

  function batch({ head, arrays }, { classes }) {
    const more = head.images - head.labels.length;
    const words = t("film.batch", { n: head.images, step: count(head.step) });
    return [
      h("p", {}, words),
      stamps(
        arrays.images,
        head.labels.map((label) => classes[label]),
      ),
      more > 0 && h("p", { class: "hint" }, t("film.more_images", { n: more })),
    ];
  }

  // The loss is the mean of −log p where it is a plain cross entropy: the first of its terms are shown.
  function loss({ head }, { loss: name, label_smoothing: smoothing, class_weight: weight }) {
    const value = h("strong", { "data-testid": "lines-loss", "data-value": head.loss }, num(head.loss, 4));
    if (name !== "cross-entropy" || smoothing || weight !== "none") return h("p", {}, t("film.loss"), " ", value);
    const terms = head.confidences.slice(0, TERMS).map((row, i) => {
      const p = row[head.labels[i]];
      return h("li", {}, `−log ${p > 0.5 && p < 1 ? `(1 − ${num(1 - p)})` : num(p)} = ${num(-Math.log(p), 3)}`);
    });
    return [
      h("p", {}, t("film.loss_mean", { n: head.images }), " ", value),
      h("ul", { class: "terms" }, terms, head.images > TERMS && h("li", {}, "…")),
    ];
  }

  function gradients({ head }) {
    const most = Math.abs(head.largest[0].gradient) || 1;
    const rows = head.largest.map(({ name, at, gradient }, i) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("code", {}, `${name}[${at}]`)),
        h("td", { class: "n", "data-testid": `gradient-${i}`, "data-value": gradient }, signed(gradient, 3)),
        h("td", {}, h("span", { class: "length", style: { "--share": Math.abs(gradient) / most } })),
      ),
    );
    return [h("p", {}, t("film.gradients")), h("table", {}, h("tbody", {}, rows))];
  }

  function update({ head, arrays }) {
    const { name, at, before, after } = head.largest[0];
    const digits = digitsFor(before, after);
    const [from, to] = [before, after].map((value) => num(value, digits));
    const change = signed(after - before, 3);
    const moved = { name: `${name}[${at}]`, before: from, after: to, change, lr: num(head.lr, 4) };
    const told = h("p", {}, rich(t("film.moved", moved)));
    if (!head.kernel) return told;
    const limit = Math.max(limitOf(arrays.before.values), limitOf(arrays.after.values));
    const shown = kernels.map(({ key, one }) => {
      one.draw({ ...plane(arrays[key]), limit: key === "gradient" ? limitOf(arrays[key].values) : limit });
      one.element.dataset.value = arrays[key].values[0];
      return h("figure", {}, one.element, h("figcaption", {}, t(`film.kernel_${key}`)));
    });
    const caption = h("p", { class: "hint" }, t("film.kernel", { name: `${head.kernel.name}[${head.kernel.at}]` }));
    return [told, caption, h("div", { class: "kernels" }, shown)];
  }

  function leave() {
    clearTimeout(timer);
    kernels.forEach(({ one }) => one.leave());
  }

  return { element, draw, leave };
}

// So many significant digits of two numbers that three of their difference are seen, as far as float32 has them.
function digitsFor(before, after) {
  const most = Math.max(Math.abs(before), Math.abs(after));
  const lost = before === after ? 0 : Math.ceil(Math.log10(most / Math.abs(after - before)));
  return Math.min(9, Math.max(4, 3 + lost));
}
