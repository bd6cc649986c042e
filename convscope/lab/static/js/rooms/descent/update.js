// The update that comes next: its batch among the samples, and what it does to w and b.

import { h, say } from "../../core/dom.js";
import { num } from "../../core/format.js";

// Every sample as a cell: those of the present batch, those of this epoch that had their turn, those to come.
export function samples(t, { paths, orders, chosen }, place) {
  const { per_epoch: each, regime } = paths[chosen];
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

// The update that comes next, line by line: what the rule makes of the gradient, and w ← w − lr · that.
export function spell(t, answer, now, place) {
  const path = answer.paths[answer.chosen];
  const { regime, batch_gradients: batch, full_gradients: full } = path;
  const point = regime.points[place];
  const value = h("strong", { "data-testid": "loss", "data-value": point.loss }, num(point.loss, 6));
  const loss = h("p", {}, `${t(answer.samples > 1 ? "descent.loss" : "descent.height")} `, value);
  if (place >= batch.length) return [loss];
  const lines = ["w", "b"].map((name, i) => line(name, i, path, place, now));
  const angle = num(point.angle, 3);
  say(t("descent.spoken", { loss: num(point.loss), angle }));
  const lengths = { batch: num(Math.hypot(...batch[place])), full: num(Math.hypot(...full[place])) };
  const length = answer.samples > 1 && h("p", { class: "hint" }, t("descent.angle", { angle, ...lengths }));
  return [...lines, loss, length];
}

function line(name, i, { regime, batch_gradients, first, second }, place, { momentum }) {
  const [from, to] = [regime.points[place].parameters[i], regime.points[place + 1].parameters[i]];
  const gradient = bracketed(batch_gradients[place][i]);
  const made = { before: "", step: gradient };
  if (regime.optimizer === "adam") {
    made.before = `m̂ = ${num(first[place][i])}, √v̂ + ε = ${num(second[place][i])}; `;
    made.step = `m̂ / (√v̂ + ε)`;
  } else if (regime.optimizer !== "sgd") {
    const velocity = first[place][i];
    const last = place ? `${momentum} × ${bracketed(first[place - 1][i])} + ` : "";
    made.before = `v = ${last}${gradient} = ${num(velocity)}; `;
    made.step = regime.optimizer === "momentum" ? "v" : `(${gradient} + ${momentum} × v)`;
  }
  const sum = `${num(from)} − ${num(regime.lr)} × ${made.step} = ${num(to)}`;
  const known = { "data-testid": `next-${name}`, "data-value": to };
  return h("p", { class: "code", ...known }, h("span", { class: "hint" }, made.before), `${name} ← ${sum}`);
}

const bracketed = (value) => (value < 0 ? `(${num(value)})` : num(value));
