// Loss above, accuracy below, over one axis of updates; several runs laid over each other. The numbers stand in a table.

import { h, s } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { legend, paper } from "../../parts/chart.js";
import { path, scale, ticks } from "../../parts/chart-scale.js";

const [LOSS, ACCURACY] = [190, 150];
const EDGE = { left: 58, right: 14, top: 10, bottom: 40, between: 24 };
const MOST = 500; // points of a line on the screen

// runs: [{name, kind, losses: [[step, loss]], epochs: [[step, {epoch, train_loss, test_loss, test_accuracy, …}]]}]; last: end of the axis.
export function curves(t, runs, last) {
  const wide = paper();
  const losses = runs.flatMap((run) => run.losses).filter(([, v]) => v > 0);
  const accuracies = runs.flatMap((run) => run.epochs.map(([, row]) => 100 * row.test_accuracy));
  const across = scale([0, Math.max(1, last, ...runs.map((run) => run.losses.at(-1)?.[0] ?? 0))], [EDGE.left, wide - EDGE.right]);
  const split = EDGE.top + LOSS;
  const bottom = split + EDGE.between + ACCURACY;
  const low = scale(losses.map(([, v]) => v), [split, EDGE.top], { log: true, room: true });
  const high = scale([...accuracies, 100], [bottom, split + EDGE.between], { room: true });
  const svg = s("svg", { class: "chart curves", viewBox: `0 0 ${wide} ${bottom + EDGE.bottom}`, role: "img", "aria-label": t("train.curves") },
    panel(low, t("train.loss_axis"), wide, EDGE.top, split), panel(high, t("train.accuracy_axis"), wide, split + EDGE.between, bottom),
    ticks(across).map((v) => s("text", { class: "tick", x: across.at(v), y: bottom + 18, "text-anchor": "middle" }, num(v, 6))),
    s("text", { class: "axis", x: (EDGE.left + wide - EDGE.right) / 2, y: bottom + 36, "text-anchor": "middle" }, t("train.updates")),
    runs.map(({ losses: line, epochs, kind }) => {
      const dots = thin(epochs.map(([step, row]) => [step, 100 * row.test_accuracy]));
      return [s("path", { class: `line k${kind}`, d: path(thin(line), across, low, true) }), s("path", { class: `line k${kind}`, d: path(dots, across, high) }),
        dots.length < 40 && dots.map(([x, y]) => s("circle", { class: `dot k${kind}`, cx: across.at(x), cy: high.at(y), r: 3 }))];
    }));
  return runs.length > 1 ? [svg, legend(runs)] : [svg];
}

function panel(up, label, wide, top, bottom) {
  return [ticks(up).map((v) => [s("line", { class: "rule", x1: EDGE.left, x2: wide - EDGE.right, y1: up.at(v), y2: up.at(v) }),
    s("text", { class: "tick", x: EDGE.left - 8, y: up.at(v) + 4, "text-anchor": "end" }, num(v, 3))]),
    s("text", { class: "axis", transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, label)];
}

// Every epoch of every run as rows.
export function numbers(t, runs) {
  const heads = ["run", "epoch", "update", "train_loss", "test_loss", "test_accuracy"];
  const rows = runs.flatMap(({ name, epochs }) => epochs.map(([step, row]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "n" }, String(row.epoch)), h("td", { class: "n" }, String(step)),
    h("td", { class: "n", "data-value": row.train_loss }, num(row.train_loss)), h("td", { class: "n", "data-value": row.test_loss }, num(row.test_loss)),
    h("td", { class: "n", "data-value": row.test_accuracy, "data-testid": `accuracy-${name}-${row.epoch}` }, `${(100 * row.test_accuracy).toFixed(2)}\u202f%`))));
  return h("div", { class: "scroll tall", tabindex: "0" }, h("table", { class: "twin-table" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(`train.${key}`))))), h("tbody", {}, rows)));
}

// At most MOST points, each the mean of its neighbours.
export function thin(points) {
  const every = Math.ceil(points.length / MOST);
  if (every <= 1) return points;
  const found = [];
  for (let i = 0; i < points.length; i += every) {
    const part = points.slice(i, i + every);
    found.push([part.at(-1)[0], part.reduce((sum, [, v]) => sum + v, 0) / part.length]);
  }
  return found;
}
