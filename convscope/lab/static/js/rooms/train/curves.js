// Loss above, accuracy below, over one axis of updates; several runs laid over each other. The numbers stand in a table.

import { h, s } from "../../core/dom.js";
import { num, power } from "../../core/format.js";
import { legend, paper } from "../../parts/chart.js";
import { path, scale, ticks } from "../../parts/chart-scale.js";
import { legible } from "../../parts/legible.js";
import { readout } from "../../parts/readout.js";
import { horizon, windows } from "./windows.js";

const [LOSS, ACCURACY] = [190, 150];
const EDGE = { left: 70, right: 14, top: 10, bottom: 40, between: 24 };
const MOST = 500; // points of a line on the screen
const WINDOWS = 150; // along the axis

// runs: [{name, kind, losses: [[step, loss]], epochs: [[step, {epoch, train_loss, test_loss, test_accuracy, …}]]}]; last:
// the last update of the run under way. A loss is drawn faintly as it came, and clearly as the mean of equal windows.
// Between training and test loss lies the gap, which is shaded. Gives {parts, ground}: the elements, and where the axis of
// updates lies in the drawing, {box: [width, height], across: its scale, span: [top, bottom]}.
export function curves(t, runs, last) {
  const wide = paper();
  const reached = Math.max(1, ...runs.map((run) => run.losses.at(-1)?.[0] ?? 0));
  const across = scale([0, horizon(reached, last)], [EDGE.left, wide - EDGE.right]);
  const split = EDGE.top + LOSS;
  const bottom = split + EDGE.between + ACCURACY;
  const tested = runs.flatMap(({ epochs }) => epochs.flatMap(([, row]) => [row.train_loss, row.test_loss]));
  const losses = [...runs.flatMap((run) => run.losses.map(([, loss]) => loss)), ...tested].filter((loss) => loss > 0);
  const low = scale(losses, [split, EDGE.top], { log: true, room: true });
  const high = scale([0, 100], [bottom, split + EDGE.between]);
  const label = { class: "axis", x: (EDGE.left + wide - EDGE.right) / 2, y: bottom + 36, "text-anchor": "middle" };
  const foot = ticks(across).map((v) =>
    s("text", { class: "tick", x: across.at(v), y: bottom + 18, "text-anchor": "middle" }, num(v, 6)),
  );
  const box = { viewBox: `0 0 ${wide} ${bottom + EDGE.bottom}`, role: "img", "aria-label": t("train.curves") };
  const svg = s(
    "svg",
    { class: "chart curves", ...box },
    panel(low, t("train.loss_axis"), wide, EDGE.top, split),
    panel(high, t("train.accuracy_axis"), wide, split + EDGE.between, bottom),
    foot,
    s("text", label, t("train.updates")),
    runs.map((run) => [gap(run, across, low), lines(run, across, low, high)]),
  );
  const percent = (value) => `${value.toFixed(2)}\u202f%`;
  const rows = runs.flatMap(({ name, losses: own, epochs }) => {
    const called = runs.length > 1 ? `${name} ` : "";
    const accuracies = epochs.map(([step, row]) => [step, 100 * row.test_accuracy]);
    return [
      { name: `${called}${t("train.loss")}`, points: thin(own) },
      { name: `${called}${t("train.test_loss")}`, points: epochs.map(([step, row]) => [step, row.test_loss]) },
      { name: `${called}${t("train.test_accuracy")}`, points: accuracies, text: percent },
    ];
  });
  const span = [EDGE.top, bottom];
  const read = readout(svg, { across, span, rows, name: t("train.update"), testid: "curves" });
  const several = runs.length > 1 ? legend(runs) : epochsOf(runs) > 0 && explained(t, runs[0].kind);
  const ground = { box: [wide, bottom + EDGE.bottom], across, span };
  return { parts: [legible(svg), read, several].filter(Boolean), ground };
}

const epochsOf = ([run]) => run?.epochs.length ?? 0;

// What the lines of one run are.
function explained(t, kind) {
  const sample = (...marks) => s("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, marks);
  const rows = [
    ["loss", s("path", { class: `line k${kind}`, d: "M0 5H30" })],
    ["test_loss", s("path", { class: `line tested k${kind}`, d: "M0 5H30" })],
    ["gap", s("rect", { class: `gap k${kind}`, width: 30, height: 10 })],
  ];
  const items = rows.map(([name, mark]) => h("li", { class: `k${kind}` }, sample(mark), t(`film.${name}`)));
  return h("ul", { class: "legend", "data-testid": "curves-key" }, items);
}

// The test loss after every epoch, and the area between it and the mean training loss of that epoch.
function gap({ epochs, kind }, across, low) {
  const whole = epochs.filter(([, { train_loss: a, test_loss: b }]) => a > 0 && b > 0);
  const [trained, tested] = ["train_loss", "test_loss"].map((name) => whole.map(([step, row]) => [step, row[name]]));
  const outline = path([...trained, ...tested.toReversed()], across, low, true);
  return [
    s("path", { class: `gap k${kind}`, "data-testid": `gap-${kind}`, d: outline && `${outline}Z` }),
    s("path", {
      class: `line tested k${kind}`,
      "data-testid": `test-loss-${kind}`,
      d: path(tested, across, low, true),
    }),
    tested.map(
      ([x, y]) => tested.length < 40 && s("circle", { class: `dot k${kind}`, cx: across.at(x), cy: low.at(y), r: 2.5 }),
    ),
  ];
}

function lines({ losses, epochs, kind }, across, low, high) {
  const width = Math.ceil(across.high / WINDOWS);
  const accuracy = thin(epochs.map(([step, row]) => [step, 100 * row.test_accuracy]));
  const dot = ([x, y]) => s("circle", { class: `dot k${kind}`, cx: across.at(x), cy: high.at(y), r: 3 });
  return [
    s("path", { class: `line raw k${kind}`, d: path(thin(losses), across, low, true) }),
    s("path", {
      class: `line k${kind}`,
      "data-testid": `loss-${kind}`,
      d: path(windows(losses, width), across, low, true),
    }),
    s("path", { class: `line k${kind}`, d: path(accuracy, across, high) }),
    accuracy.length < 40 && accuracy.map(dot),
  ];
}

function panel(up, label, wide, top, bottom) {
  const turned = `translate(13 ${(top + bottom) / 2}) rotate(-90)`;
  return [
    ticks(up).map((v) => [
      s("line", { class: "rule", x1: EDGE.left, x2: wide - EDGE.right, y1: up.at(v), y2: up.at(v) }),
      s("text", { class: "tick", x: EDGE.left - 8, y: up.at(v) + 4, "text-anchor": "end" }, power(v)),
    ]),
    s("text", { class: "axis", transform: turned, "text-anchor": "middle" }, label),
  ];
}

// Every epoch of every run as rows.
export function numbers(t, runs) {
  const heads = ["run", "epoch", "update", "train_loss", "test_loss", "test_accuracy"];
  const rows = runs.flatMap(({ name, epochs }) =>
    epochs.map(([step, row]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        h("td", { class: "n" }, String(row.epoch)),
        h("td", { class: "n" }, String(step)),
        h("td", { class: "n", "data-value": row.train_loss }, num(row.train_loss)),
        h("td", { class: "n", "data-value": row.test_loss }, num(row.test_loss)),
        h(
          "td",
          { class: "n", "data-value": row.test_accuracy, "data-testid": `accuracy-${name}-${row.epoch}` },
          `${(100 * row.test_accuracy).toFixed(2)}\u202f%`,
        ),
      ),
    ),
  );
  return h(
    "div",
    { class: "scroll tall", tabindex: "0" },
    h(
      "table",
      { class: "twin-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((key) => h("th", { scope: "col" }, t(`train.${key}`))),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
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
