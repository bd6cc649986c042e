// What the map under the pointer does: its number, the layers that it reads, its kernels, its share in the answer.

import { h, rich, show } from "../../core/dom.js";
import { num, signed } from "../../core/format.js";
import { map } from "../../parts/map.js";
import { kernelOf, readBy } from "./flow.js";

const MOST = 16; // kernels

export function lens(t) {
  const words = h("p", { "data-testid": "lens" });
  const list = h("ol", { class: "kernels", "data-testid": "kernels" });
  const element = h("div", { class: "lens" }, words, list);
  let tiles = [];
  let shown = "";

  function clear() {
    shown = "";
    drop();
    show(words, h("span", { class: "hint" }, ...rich(t("glass.lens"))));
    show(list);
    list.replaceChildren();
  }

  // at: {layer, step | null, index, value}, share: {amount, all, name} or null, parts: what each map that is read brings.
  function draw({ layer, step, index, value }, share, parts) {
    const name = h("strong", {}, h("code", {}, `${layer.name}[${index.join(",")}]`), ` = ${num(value)}`);
    const told = share ? t("glass.share", { amount: signed(share.amount, 3), name: share.name, c: index[0] }) : "";
    show(
      words,
      name,
      " ",
      h("span", {}, ...rich(does(step, layer))),
      " ",
      h("span", { class: "hint", "data-testid": "share", "data-value": share?.amount ?? "" }, told),
    );
    kernels(step, layer, index[0], parts);
  }

  // A class: its score, and the layer whose maps bring it together.
  function score(told) {
    drop();
    shown = "";
    list.replaceChildren();
    show(words, h("span", {}, ...rich(t("glass.score", told))));
  }

  function does(step, layer) {
    if (!step) return layer.kind;
    const [high, wide] = step.kernel ?? [0, 0];
    const inputs = step.inputs.join(", ");
    if (step.op === "conv")
      return t(step.from[0][0] === step.groups ? "glass.conv_one" : "glass.conv", {
        n: (step.from[0][0] / step.groups) * high * wide,
        high,
        wide,
        maps: step.from[0][0] / step.groups,
        inputs,
      });
    if (step.op === "pool") return t(step.average ? "glass.mean" : "glass.max", { inputs });
    if (step.op === "each") return t("glass.each", { f: step.function, inputs });
    return t("glass.reads", { inputs });
  }

  function kernels(step, layer, channel, parts) {
    const key = JSON.stringify([layer.name, channel, step?.op]);
    if (!step || step.op !== "conv") {
      drop();
      list.replaceChildren();
      shown = "";
      return;
    }
    if (key !== shown) build(step, layer, channel);
    shown = key;
    tiles.forEach(({ caption }, c) => {
      caption.dataset.value = parts ? parts[c] : "";
      caption.textContent = parts ? signed(parts[c], 2) : "";
      caption.className = `caption ${parts && parts[c] < 0 ? "minus" : "plus"}`;
    });
  }

  function build(step, layer, channel) {
    drop();
    const reads = readBy(step, channel).slice(0, MOST);
    const all = reads.map((_, c) => kernelOf(step, channel, c));
    const limit = Math.max(...all.flatMap((taps) => [...taps].map(Math.abs)));
    tiles = reads.map(({ channel: from }, c) => {
      const part = map({
        label: t("glass.kernel", { name: layer.name, c: channel, from }),
        testid: `kernel-${c}`,
        width: 46,
      });
      part.draw({ rows: step.kernel[0], columns: step.kernel[1], values: all[c], limit });
      const caption = h("span", { class: "caption" });
      return { part, caption, item: h("li", { title: `weight[${channel},${c}]` }, part.element, caption) };
    });
    list.replaceChildren(...tiles.map(({ item }) => item));
  }

  function drop() {
    tiles.forEach(({ part }) => part.leave());
    tiles = [];
  }

  clear();
  return { element, draw, score, clear, leave: drop };
}
