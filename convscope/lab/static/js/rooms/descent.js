// Room 3: one start, three ways down; what an update costs and how straight it goes.

import { line, STALE } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { num } from "../core/format.js";
import { chart } from "../parts/chart.js";
import { stepper } from "../parts/stepper.js";
import { reached } from "./descent/contour.js";
import { settings } from "./descent/controls.js";
import { ground, surface } from "./descent/surface.js";
import { cut, divergence, regimes } from "./descent/tables.js";
import { samples, spell } from "./descent/update.js";

export { defaults, rules } from "./descent/controls.js";

const MOST_UPDATES = 4000; // of the stochastic regime, as in convscope/lab/rooms/descent.py
const SECONDS = 200; // positions of the slider along the axis of seconds

export function mount(room) {
  const { figure, ledger: panel, script, t, set } = room;
  const ask = line();
  let answer = null;
  let asked = "";
  let base = null;
  const names = ["stochastic", "mini", "full"].map((key) => t(`descent.${key}`));
  const form = settings(room, names);
  const steps = stepper(t, { label: t("descent.way"), pace: 60, onstep: (at) => set({ at }) });
  const [left, right, strip, next] = ["", "beside-map", "", "facts"].map((name) => h("div", { class: name || null }));
  next.dataset.testid = "update";
  const map = h("div", { class: "descent" }, left, right);
  const sums = h("div", {});
  const question = h("div", { class: "cut" }, h("h2", {}, t("descent.cut")), form.cut, sums);

  async function update(now) {
    settle(now);
    form.draw(now);
    const { axis: _, at: __, ...body } = now;
    const key = JSON.stringify(body);
    if (key !== asked) {
      const found = await ask("/api/descent", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      base = ground(answer);
      show(figure, divergence(t, answer, names, now.lr), steps.element, map, strip, next);
      show(panel, regimes(t, answer, names), question);
      show(sums, cut(t, answer));
      script(answer.script);
    }
    const { last, at, x } = position(answer, now);
    const places = answer.paths.map(({ regime: { points } }) => reached(points, now.axis, x));
    steps.set(at, last, now.axis === "seconds" ? `${num(1000 * x, 3)} ms` : `${at} / ${last}`);
    show(left, surface(t, answer, base, places, now.regime));
    show(right, losses(t, answer, names, now.axis, x));
    show(strip, samples(t, answer, now, places[now.regime]));
    show(next, spell(t, answer, now, places[now.regime]));
  }

  return { update, leave: steps.stop };
}

// A mini-batch is smaller than all samples, and all updates fit the page.
function settle(now) {
  now.batch_size = Math.min(now.batch_size, now.samples - 1);
  now.epochs = Math.min(now.epochs, Math.floor(MOST_UPDATES / now.samples));
}

// Where the slider stands and ends, and what that is on its axis.
function position({ paths }, { axis, at: wanted }) {
  const furthest = Math.max(...paths.map(({ regime: { points } }) => points.at(-1)[axis]));
  const last = axis === "seconds" ? SECONDS : furthest;
  const at = Math.min(wanted, last);
  return { last, at, x: axis === "seconds" ? (furthest * at) / SECONDS : at };
}

function losses(t, { paths }, names, axis, x) {
  const unit = axis === "seconds" ? 1000 : 1;
  const series = paths.map(({ regime }, kind) => ({
    name: `${names[kind]} (${regime.batch_size})`,
    kind,
    points: regime.points.map((point) => [point[axis] * unit, point.loss]),
  }));
  const labels = { label: t("descent.losses"), x: t(`descent.axis_${axis}`), y: t("descent.loss") };
  return chart(t, { ...labels, log: true, mark: x * unit, testid: "losses", series });
}
