// Below the map: where the three regimes arrive, why one may lead away, and how an epoch is cut into updates.

import { complete, h, rich } from "../../core/dom.js";
import { count, num } from "../../core/format.js";

const HEADS = ["regimes", "lr", "batch", "axis_updates", "axis_samples", "milliseconds", "end", "mean_angle", "detour"];
const OF_SAMPLES = ["batch", "axis_samples", "mean_angle"]; // of which a surface has none

// names: what each path is called.
export function regimes(t, { paths, timed, samples }, names) {
  const wanted = samples > 1 ? HEADS : HEADS.filter((key) => !OF_SAMPLES.includes(key));
  const heads = wanted.map((key, i) =>
    h("th", { scope: "col", class: i ? "n" : null }, t(`descent.${key}`, { n: timed })),
  );
  const rows = paths.map(({ kind, regime }, k) => {
    const cells = {
      lr: [regime.lr, num(regime.lr)],
      batch: [regime.batch_size, count(regime.batch_size)],
      axis_updates: [regime.updates, count(regime.updates)],
      axis_samples: [regime.samples, count(regime.samples)],
      milliseconds: [regime.seconds * 1000, num(regime.seconds * 1000, 3)],
      end: [regime.loss, num(regime.loss, 5)],
      mean_angle: [regime.angle, `${num(Math.round(regime.angle * 100) / 100)}°`],
      detour: [regime.detour, num(regime.detour, 3)],
    };
    return h(
      "tr",
      { "data-testid": `regime-${kind}` },
      h("th", { scope: "row", class: `name k${kind}` }, names[k]),
      wanted.slice(1).map((key) => h("td", { class: "n", "data-value": cells[key][0] }, cells[key][1])),
    );
  });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("descent.table") },
    h("table", { class: "walk" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
  );
}

// Which paths leave the map, at which update, and the step from which exact gradients lead away.
export function divergence(t, { paths, map, curvature, samples }, names, { momentum, surface }) {
  const lines = [];
  paths.forEach((path, k) => {
    const { kind, regime, limit } = path;
    const at = regime.diverged ? regime.updates + 1 : outside(regime.points, map);
    if (at === null) return;
    const numbers = { name: names[k], updates: count(at), lr: num(regime.lr), curvature: num(curvature, 3) };
    const left = t(`descent.${regime.diverged ? "diverged" : "left"}`, numbers);
    const grown = regime.diverged || regime.loss > regime.points[0].loss;
    if (limit === null || !grown) return lines.push(h("p", {}, complete(left)));
    const why = regime.lr <= limit ? "one" : kind < 3 ? "sgd" : regime.optimizer;
    const told = { ...numbers, limit: num(limit, 3), momentum: num(momentum), factor: num((limit * curvature) / 2, 3) };
    lines.push(h("p", {}, complete(left), " ", rich(t(`descent.too_long_${why}`, told))));
  });
  if (!lines.length) return null;
  const bent = ["saddle", "two-minima"].includes(surface);
  return h(
    "div",
    { class: "warned", role: "status", "data-testid": "diverged" },
    lines,
    h("p", { class: "hint" }, rich(t(`descent.${samples > 1 ? "why" : bent ? "why_bent" : "why_exact"}`))),
  );
}

// The first update that lands outside of the map, or null.
function outside(points, { ws, bs }) {
  const found = points.findIndex(({ parameters: [w, b] }) => w < ws[0] || w > ws.at(-1) || b < bs[0] || b > bs.at(-1));
  return found < 0 ? null : found;
}

export function cut(t, { batches }) {
  const { samples, batch_size: size, updates, last, left_out: left, drop_last: drop } = batches;
  const [open, close] = drop ? "⌊⌋" : "⌈⌉";
  const sum = `${open}${count(samples)} / ${count(size)}${close} = ${count(updates)}`;
  const words = t("descent.cut_words", { updates: count(updates), last: count(last), left_out: count(left) });
  return [h("p", { class: "big", "data-testid": "updates", "data-value": updates }, sum), h("p", {}, words)];
}
