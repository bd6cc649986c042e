// The update that comes next: its batch among the samples, and what it does to w and b.

import { h, say } from "../../core/dom.js";
import { num } from "../../core/format.js";

// Every sample as a cell: those of the present batch, those of this epoch that had their turn, those to come.
export function samples(t, { paths, orders }, now, place) {
  const { per_epoch: each, regime } = paths[now.regime];
  const { batch_size: size, updates } = regime;
  const done = place >= updates && !regime.diverged;
  const epoch = done ? orders.length - 1 : Math.floor(place / each);
  const batch = done ? each : place % each;
  const turn = new Map(orders[epoch].map((sample, i) => [sample, Math.floor(i / size)]));
  const cells = orders[epoch].map((_, sample) => {
    const b = turn.get(sample);
    const when = b === batch ? "now" : b < batch ? "used" : "";
    return h("span", { class: `k${b % 6} ${when}`, title: t("descent.sample", { sample, batch: b }) });
  });
  const n = orders[epoch].slice(batch * size, (batch + 1) * size).length;
  const words = done
    ? t("descent.done", { epochs: orders.length })
    : t("descent.strip", { epoch: epoch + 1, batch: batch + 1, per_epoch: each, n });
  return [
    h("p", { class: "hint", "data-testid": "strip-text" }, words),
    h("div", { class: "strip", role: "img", "aria-label": words, "data-testid": "strip" }, cells),
  ];
}

// w ← w − lr · ∂: the two lines of the update that comes next.
export function spell(t, { paths }, now, place) {
  const { regime, batch_gradients: batch, full_gradients: full } = paths[now.regime];
  const point = regime.points[place];
  const value = h("strong", { "data-testid": "loss", "data-value": point.loss }, num(point.loss, 6));
  const loss = h("p", {}, `${t("descent.loss")} `, value);
  if (place >= batch.length) return [loss];
  const next = regime.points[place + 1].parameters;
  const lines = ["w", "b"].map((name, i) => {
    const sum = `${num(point.parameters[i])} − ${now.lr} × (${num(batch[place][i])}) = ${num(next[i])}`;
    return h("p", { class: "code", "data-testid": `next-${name}`, "data-value": next[i] }, `${name} ← ${sum}`);
  });
  const angle = num(point.angle, 3);
  say(t("descent.spoken", { loss: num(point.loss), angle }));
  const lengths = { batch: num(Math.hypot(...batch[place])), full: num(Math.hypot(...full[place])) };
  return [...lines, loss, h("p", { class: "hint" }, t("descent.angle", { angle, ...lengths }))];
}
