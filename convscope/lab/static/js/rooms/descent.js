// Room 3: one start, several ways down; what an update costs, how straight it goes, and what momentum makes of it.

import { line, STALE } from "../core/api.js";
import { h, rich, show } from "../core/dom.js";
import { num } from "../core/format.js";
import { chart } from "../parts/chart.js";
import { stepper } from "../parts/stepper.js";
import { reached } from "./descent/contour.js";
import { KINDS, settings } from "./descent/controls.js";
import { ownRun } from "./descent/slice.js";
import { surface } from "./descent/surface.js";
import { cut, divergence, regimes } from "./descent/tables.js";
import { samples, spell } from "./descent/update.js";

export { defaults, rules } from "./descent/controls.js";

const MOST_UPDATES = 4000; // of the stochastic regime, as in convscope/lab/rooms/descent.py
const SECONDS = 200; // positions of the slider along the axis of seconds
const SHOWN = ["axis", "at", "run", "directions", "pair"]; // of the state, what changes no path

export function mount(room) {
  const { figure, ledger: panel, script, t, set } = room;
  const ask = line();
  let answer = null;
  let asked = "";
  let names = [];
  const form = settings(room);
  const steps = stepper(t, { label: t("descent.way"), pace: 60, onstep: (at) => set({ at }) });
  const [right, strip, next, problem] = ["beside-map", "", "facts", ""].map((name) =>
    h("div", { class: name || null }),
  );
  next.dataset.testid = "update";
  const terrain = surface(t, (start) => set({ start }));
  const map = h("div", { class: "descent" }, terrain.element, right);
  const sums = h("div", {});
  const own = ownRun(t, set);
  const question = h("div", { class: "cut" }, h("h2", {}, t("descent.cut")), form.cut, sums);

  async function update(now) {
    settle(now);
    form.draw(now);
    const body = Object.fromEntries(Object.entries(now).filter(([key]) => !SHOWN.includes(key)));
    own.draw(now);
    const key = JSON.stringify(body);
    if (key === asked) ask.drop();
    else {
      const found = await ask("/api/descent", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      names = answer.paths.map(({ kind }) =>
        t(`descent.${answer.samples === 1 && kind === 2 ? "plain" : KINDS[kind]}`),
      );
      terrain.settle(answer);
      show(figure, steps.element, map, problem, strip, next);
      show(problem, divergence(t, answer, names, now));
      show(panel, regimes(t, answer, names), fair(t, answer), own.element, question);
      show(sums, cut(t, answer));
      script(answer.script);
    }
    const { last, at, x } = position(answer, now);
    const places = answer.paths.map(({ regime: { points } }) => reached(points, now.axis, x));
    steps.set(at, last, now.axis === "seconds" ? `${num(1000 * x, 3)} ms` : `${at} / ${last}`);
    terrain.draw(answer, places);
    show(right, losses(t, answer, names, now.axis, x));
    show(strip, answer.samples > 1 ? samples(t, answer, places[answer.chosen]) : []);
    show(next, spell(t, answer, now, places[answer.chosen]));
  }

  return { update, leave: () => (steps.stop(), own.leave()) };
}

// What equal samples and equal learning rates mean: few large steps against many small ones.
function fair(t, { paths, samples: all }) {
  if (all === 1) return null;
  const [one, , full] = paths.map(({ regime }) => regime.updates);
  return h("p", { class: "hint" }, rich(t("descent.fair", { one, full })));
}

// A mini-batch is smaller than all samples, and all updates fit the page.
function settle(now) {
  if (now.surface !== "line") return;
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

function losses(t, { paths, samples: all }, names, axis, x) {
  const unit = axis === "seconds" ? 1000 : 1;
  const series = paths.map(({ kind, regime }, k) => ({
    name: all > 1 ? `${names[k]} (${regime.batch_size})` : names[k],
    kind,
    points: regime.points.map((point) => [point[axis] * unit, point.loss]),
  }));
  const log = series.every(({ points }) => points.every(([, loss]) => loss > 0));
  const [label, y] = all > 1 ? ["descent.losses", "descent.loss"] : ["descent.heights", "descent.height"];
  const labels = { label: t(label), x: t(`descent.axis_${axis}`), y: t(y) };
  return chart(t, { ...labels, log, mark: x * unit, testid: "losses", series });
}
