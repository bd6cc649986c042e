// Room 3: one start, three ways down; what an update costs and how straight it goes.

import { line, STALE } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { count, num } from "../core/format.js";
import { chart } from "../parts/chart.js";
import { number, select, text, toggle } from "../parts/fields.js";
import { stepper } from "../parts/stepper.js";
import { reached } from "./descent/contour.js";
import { ground, surface } from "./descent/surface.js";

export const defaults = {
  samples: 60, batch_size: 8, epochs: 4, lr: 0.05, seed: 0, regime: 1, axis: "samples", at: 0,
  count_samples: 40000, count_batch_size: 32, drop_last: false,
};

const SECONDS = 200; // positions of the slider along the axis of seconds

export function mount({ controls, figure, ledger: panel, script, t, set, state }) {
  const ask = line();
  let answer = null;
  let asked = "";
  let base = null;
  const whole = (key, min, max, label = t(`descent.${key}`)) => number(label, { testid: key, min, max, onchange: (n) => set({ [key]: n, ...(key.startsWith("count") ? {} : { at: 0 }) }) });
  const fields = {
    samples: whole("samples", 4, 400), batch_size: whole("batch_size", 2, 399, "`batch_size`"), epochs: whole("epochs", 1, 100), seed: whole("seed", 0, 999999, "`seed`"),
    count_samples: whole("count_samples", 1, 1e12), count_batch_size: whole("count_batch_size", 1, 1e12, "`batch_size`"),
  };
  const lr = text("`lr`", { testid: "lr", onchange: (value) => {
    const rate = Number(value);
    lr.input.setAttribute("aria-invalid", String(!(rate > 0 && rate <= 10)));
    if (rate > 0 && rate <= 10) set({ lr: rate, at: 0 });
  } });
  lr.element.classList.replace("wide", "narrow");
  const names = ["stochastic", "mini", "full"].map((key) => t(`descent.${key}`));
  const regime = select(t("descent.regime"), { testid: "regime", options: names.map((name, k) => [String(k), name]), onchange: (k) => set({ regime: Number(k) }) });
  const axis = select(t("descent.axis"), { testid: "axis", options: ["updates", "samples", "seconds"].map((a) => [a, t(`descent.axis_${a}`)]), onchange: (a) => set({ axis: a, at: 0 }) });
  const drop = toggle("`drop_last`", { testid: "drop_last", onchange: (on) => set({ drop_last: on }) });
  controls.append(...["samples", "batch_size", "epochs"].map((key) => fields[key].element), lr.element, fields.seed.element, regime.element, axis.element);

  const steps = stepper(t, { label: t("descent.way"), pace: 60, onstep: (at) => set({ at }) });
  const left = h("div", {});
  const right = h("div", { class: "beside-map" });
  const strip = h("div", {});
  const update_ = h("div", { class: "facts", "data-testid": "update" });
  const room = h("div", { class: "descent" }, left, right);
  const sums = h("div", {});
  const cut = h("div", { class: "cut" }, h("h2", {}, t("descent.cut")), h("div", { class: "line" }, fields.count_samples.element, fields.count_batch_size.element, drop.element), sums);
  const ends = h("div", {});

  async function update(now) {
    for (const [key, field] of Object.entries(fields)) field.set(now[key]);
    lr.set(now.lr);
    regime.set(String(now.regime));
    axis.set(now.axis);
    drop.set(now.drop_last);
    const { axis: _, at: __, ...body } = now;
    const key = JSON.stringify(body);
    if (key !== asked) {
      const found = await ask("/api/descent", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      base = ground(answer);
      show(figure, steps.element, room, strip, update_);
      show(panel, ends, cut);
      show(ends, table());
      show(sums, cutText());
      script(answer.script);
    }
    const last = now.axis === "seconds" ? SECONDS : Math.max(...answer.paths.map(({ regime: { points } }) => points.at(-1)[now.axis]));
    const at = Math.min(now.at, last);
    const furthest = Math.max(...answer.paths.map(({ regime: { points } }) => points.at(-1).seconds));
    const x = now.axis === "seconds" ? (furthest * at) / SECONDS : at;
    const places = answer.paths.map(({ regime: { points } }) => reached(points, now.axis, x));
    steps.set(at, last, now.axis === "seconds" ? `${num(1000 * x, 3)} ms` : `${at} / ${last}`);
    show(left, surface(t, answer, base, places, now.regime));
    show(right, chart(t, { label: t("descent.losses"), x: t(`descent.axis_${now.axis}`), y: t("descent.loss"), log: true, mark: now.axis === "seconds" ? 1000 * x : x, testid: "losses",
      series: answer.paths.map(({ regime: one }, k) => ({ name: `${names[k]} (${one.batch_size})`, kind: k, points: one.points.map((p) => [p[now.axis] * (now.axis === "seconds" ? 1000 : 1), p.loss]) })) }));
    show(strip, samples(now, places[now.regime]));
    show(update_, spell(now, places[now.regime]));
  }

  // Every sample as a cell: those of the present batch, those of this epoch that had their turn, those to come.
  function samples(now, place) {
    const { per_epoch, regime: { batch_size, updates } } = answer.paths[now.regime];
    const done = place >= updates;
    const epoch = done ? answer.orders.length - 1 : Math.floor(place / per_epoch);
    const batch = done ? per_epoch : place % per_epoch;
    const order = answer.orders[epoch];
    const turn = new Map(order.map((sample, i) => [sample, Math.floor(i / batch_size)]));
    const cells = Array.from({ length: order.length }, (_, sample) => {
      const b = turn.get(sample);
      return h("span", { class: `k${b % 6} ${b === batch ? "now" : b < batch ? "used" : ""}`, title: t("descent.sample", { sample, batch: b }) });
    });
    const words = done ? t("descent.done", { epochs: answer.orders.length }) : t("descent.strip", { epoch: epoch + 1, batch: batch + 1, per_epoch, n: order.slice(batch * batch_size, (batch + 1) * batch_size).length });
    return [h("p", { class: "hint", "data-testid": "strip-text" }, words), h("div", { class: "strip", role: "img", "aria-label": words, "data-testid": "strip" }, cells)];
  }

  // w ← w − lr · ∂: the two lines of the update that comes next.
  function spell(now, place) {
    const { regime: { points }, batch_gradients, full_gradients } = answer.paths[now.regime];
    const point = points[place];
    const loss = h("p", {}, `${t("descent.loss")} `, h("strong", { "data-testid": "loss", "data-value": point.loss }, num(point.loss, 6)));
    if (place >= batch_gradients.length) return [loss];
    const next = points[place + 1].parameters;
    const lines = ["w", "b"].map((name, i) => h("p", { class: "code", "data-testid": `next-${name}`, "data-value": next[i] },
      `${name} ← ${num(point.parameters[i])} − ${now.lr} × (${num(batch_gradients[place][i])}) = ${num(next[i])}`));
    say(t("descent.spoken", { loss: num(point.loss), angle: num(point.angle, 3) }));
    return [...lines, loss, h("p", { class: "hint" }, t("descent.angle", { angle: num(point.angle, 3), batch: num(Math.hypot(...batch_gradients[place])), full: num(Math.hypot(...full_gradients[place])) }))];
  }

  function table() {
    const heads = ["regimes", "batch", "axis_updates", "axis_samples", "milliseconds", "end", "mean_angle", "detour"];
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("descent.table") }, h("table", { class: "walk" },
      h("thead", {}, h("tr", {}, heads.map((key, i) => h("th", { scope: "col", class: i ? "n" : null }, t(`descent.${key}`))))),
      h("tbody", {}, answer.paths.map(({ regime: one }, k) => h("tr", { "data-testid": `regime-${k}` }, h("th", { scope: "row", class: `name k${k}` }, names[k]),
        [one.batch_size, one.updates, one.samples].map((n) => h("td", { class: "n", "data-value": n }, count(n))),
        [one.seconds * 1000, one.loss, one.angle, one.detour].map((n, i) => h("td", { class: "n", "data-value": n }, i === 2 ? `${num(Math.round(n * 100) / 100)}°` : num(n, i === 1 ? 5 : 3))))))));
  }

  function cutText() {
    const { samples: n, batch_size, updates, last, left_out, drop_last } = answer.batches;
    return [h("p", { class: "big", "data-testid": "updates", "data-value": updates }, `${drop_last ? "⌊" : "⌈"}${count(n)} / ${count(batch_size)}${drop_last ? "⌋" : "⌉"} = ${count(updates)}`),
      h("p", {}, t("descent.cut_words", { updates: count(updates), last: count(last), left_out: count(left_out) }))];
  }

  return { update, leave: () => steps.stop() };
}
