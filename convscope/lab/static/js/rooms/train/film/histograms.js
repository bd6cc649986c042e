// How the numbers of every layer are spread: its weights, and its outputs for the probe images.

import { h, s, show } from "../../../core/dom.js";
import { num } from "../../../core/format.js";
import { forget, inSight } from "../../../parts/sight.js";
import { HIGH, WIDE, outline } from "./outline.js";

export function histograms(t) {
  const rows = { weights: h("div", { class: "spreads" }), outputs: h("div", { class: "spreads" }) };
  const part = (key) => [h("h3", {}, t(`film.${key}`)), rows[key]];
  const heading = [h("h2", {}, t("film.spread")), h("p", { class: "hint" }, t("film.spread_hint"))];
  const element = h("div", { class: "spread", "data-testid": "spread" }, heading, part("weights"), part("outputs"));
  const spans = new Map(); // "run key layer" → [low, high] of all frames that were seen: axes only grow
  let drawn = null;

  function draw({ head }, run) {
    if (head === drawn) return;
    drawn = head;
    inSight(element, () => {
      for (const [key, row] of Object.entries(rows))
        show(
          row,
          (head[key] ?? []).map((one) => figure(key, one, run)),
        );
    });
  }

  function figure(key, one, run) {
    const [low, high] = grown(`${run} ${key} ${one.name}`, one);
    const label = t("film.histogram", { name: one.name, low: num(one.low, 3), high: num(one.high, 3) });
    const silent = one.silent > 0 && t("film.silent", { n: one.silent, of: one.channels });
    const box = { viewBox: `0 0 ${WIDE} ${HIGH + 2}`, role: "img", "aria-label": label, class: "histogram" };
    const zero = low < 0 && high > 0 ? (-low / (high - low)) * WIDE : null;
    const svg = s(
      "svg",
      box,
      zero !== null && s("line", { class: "rule", x1: zero, x2: zero, y1: 0, y2: HIGH }),
      s("path", { d: outline(one, low, high) }),
      s("line", { class: "rule", x1: 0, x2: WIDE, y1: HIGH + 1, y2: HIGH + 1 }),
    );
    const ends = h("p", { class: "ends" }, h("span", {}, num(low, 2)), h("span", {}, num(high, 2)));
    const name = h("p", {}, h("code", {}, one.name), silent && h("span", { class: "warning" }, ` ${silent}`));
    const data = { "data-testid": `${key}-${one.name}`, "data-value": one.counts.reduce((a, b) => a + b, 0) };
    return h("figure", data, name, svg, ends);
  }

  function grown(key, { low, high }) {
    const [before, after] = spans.get(key) ?? [low, high];
    const span = [Math.min(before, low), Math.max(after, high)];
    spans.set(key, span);
    return span[0] < span[1] ? span : [span[0] - 0.5, span[1] + 0.5];
  }

  return { element, draw, leave: () => forget(element) };
}
