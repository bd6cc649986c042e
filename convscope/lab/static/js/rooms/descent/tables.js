// Below the map: where the three regimes arrive, why one may lead away, and how an epoch is cut into updates.

import { complete, h, rich } from "../../core/dom.js";
import { count, num } from "../../core/format.js";

const HEADS = ["regimes", "batch", "axis_updates", "axis_samples", "milliseconds", "end", "mean_angle", "detour"];

export function regimes(t, { paths, timed }, names) {
  const heads = HEADS.map((key, i) =>
    h("th", { scope: "col", class: i ? "n" : null }, t(`descent.${key}`, { n: timed })),
  );
  const rows = paths.map(({ regime }, k) => {
    const counts = [regime.batch_size, regime.updates, regime.samples];
    const angle = `${num(Math.round(regime.angle * 100) / 100)}°`;
    const numbers = [
      [regime.seconds * 1000, num(regime.seconds * 1000, 3)],
      [regime.loss, num(regime.loss, 5)],
      [regime.angle, angle],
      [regime.detour, num(regime.detour, 3)],
    ];
    return h(
      "tr",
      { "data-testid": `regime-${k}` },
      h("th", { scope: "row", class: `name k${k}` }, names[k]),
      counts.map((n) => h("td", { class: "n", "data-value": n }, count(n))),
      numbers.map(([value, words]) => h("td", { class: "n", "data-value": value }, words)),
    );
  });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("descent.table") },
    h("table", { class: "walk" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
  );
}

// Which paths leave the map for infinity, and the step from which the full batch does.
export function divergence(t, { paths, curvature }, names, lr) {
  const gone = paths.map(({ regime }, k) => [regime, names[k]]).filter(([regime]) => regime.diverged);
  if (!gone.length) return null;
  const lines = gone.map(([regime, name]) => t("descent.diverged", { name, updates: count(regime.updates + 1) }));
  const why = t(`descent.${lr > 2 / curvature ? "too_long" : "too_long_for_one"}`, {
    lr: num(lr),
    curvature: num(curvature, 3),
    limit: num(2 / curvature, 3),
  });
  return h(
    "div",
    { class: "warned", role: "status", "data-testid": "diverged" },
    lines.map((words) => h("p", {}, complete(words))),
    h("p", {}, rich(why)),
  );
}

export function cut(t, { batches }) {
  const { samples, batch_size: size, updates, last, left_out: left, drop_last: drop } = batches;
  const [open, close] = drop ? "⌊⌋" : "⌈⌉";
  const sum = `${open}${count(samples)} / ${count(size)}${close} = ${count(updates)}`;
  const words = t("descent.cut_words", { updates: count(updates), last: count(last), left_out: count(left) });
  return [h("p", { class: "big", "data-testid": "updates", "data-value": updates }, sum), h("p", {}, words)];
}
