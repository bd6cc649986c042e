// The loss of one's own run around its last weights: a plane through them, along the path of the training or along random
// directions, which the server works out row by row. Only what a run has kept can be drawn; else it says that.

import { ApiError, ask } from "../../core/api.js";
import { h, rich, s, sentence, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { select } from "../../parts/fields.js";
import { legible } from "../../parts/legible.js";
import { ground, HEIGHT, WIDTH } from "./ground.js";
import { reading } from "./start.js";

export const DIRECTIONS = ["path", "random"];

// set(patch) of the room's state {run, directions, pair}; pair is the seed of two random directions. Gives {element,
// draw(state), leave()}.
export function ownRun(t, set) {
  const room = h("div", { class: "sliced", "data-testid": "slice" });
  const choice = h("div", { class: "line" });
  const element = h(
    "div",
    { class: "own-run" },
    h("h2", {}, t("descent.own")),
    h("p", {}, t("descent.own_words")),
    choice,
    room,
  );
  let shown = "";
  let pair = 0;
  const directions = select(t("descent.directions"), {
    testid: "directions",
    options: DIRECTIONS.map((name) => [name, t(`descent.directions_${name}`)]),
    onchange: (name) => set({ directions: name }),
  });
  const other = h(
    "button",
    { class: "quiet", "data-testid": "other-pair", onclick: () => set({ pair: pair + 1 }) },
    t("descent.other_pair"),
  );
  let working = new AbortController();
  const offered = offer();

  async function offer() {
    const runs = (await ask("/api/runs")).filter(({ model }) => model);
    const options = [
      ["", t(runs.length ? "descent.own_none" : "descent.own_no_runs")],
      ...runs.map(({ name }) => [name, name]),
    ];
    const field = select(t("descent.own_run"), { testid: "slice-run", options, onchange: (run) => set({ run }) });
    show(choice, field.element, directions.element, other);
    return field;
  }

  async function draw(now) {
    const { run } = now;
    ({ pair } = now);
    directions.set(now.directions);
    directions.element.hidden = !run;
    other.hidden = !run || now.directions === "path";
    const asked = JSON.stringify(run && [run, now.directions, other.hidden ? 0 : pair]);
    if (asked === shown) return;
    shown = asked;
    working.abort();
    working = new AbortController();
    const { signal } = working;
    show(room);
    room.dataset.state = run ? "working" : "";
    try {
      (await offered).set(run);
      if (!run) return;
      const found = await computed(t, now, room, signal);
      show(room, drawn(t, found), words(t, found), table(t, found));
      room.dataset.state = "done";
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      room.dataset.state = "refused";
      const lines = [error.message, error.help].filter(Boolean);
      show(
        room,
        lines.map((text) => sentence("p", { class: "hint" }, t.said(text))),
      );
    }
  }

  return { element, draw, leave: () => working.abort() };
}

// The path and, row by row, the losses; a bar says how far it is.
async function computed(t, { run, directions, pair }, room, signal) {
  const address = `/api/runs/${encodeURIComponent(run)}/slice`;
  const which = directions === "path" ? "" : `?directions=random&seed=${pair}`;
  const bar = h("progress", { value: 0, max: 1, "aria-label": t("descent.own_progress") });
  show(room, h("p", { class: "hint", role: "status" }, t("descent.own_progress"), " ", bar));
  const path = await ask(`${address}${which}`, undefined, signal);
  const rows = [];
  for (let row = 0; row < path.ys.length; row += 1) {
    rows.push((await ask(`${address}/${row}${which}`, undefined, signal)).losses);
    bar.value = (row + 1) / path.ys.length;
  }
  return { ...path, rows, directions };
}

function drawn(t, { run, path, steps, losses, xs, ys, rows, directions }) {
  const finite = rows.flat().filter((loss) => loss !== null);
  const [most, least] = [Math.max(...finite), Math.min(...finite)];
  const heights = rows.map((row) => row.map((loss) => loss ?? most));
  const r = heights.findIndex((row) => row.includes(least));
  const best = [xs[heights[r].indexOf(least)], ys[r]];
  const base = ground(t, { ws: xs, bs: ys, heights, best }, namesOf(t, directions));
  const svg = s("svg", {
    class: "surface",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "group",
    tabindex: "0",
    "aria-label": t("descent.own_map", { run }),
    "data-testid": "slice-map",
  });
  const at = ([x, y]) => [base.across.at(x), base.up.at(y)];
  // Random directions hold next to nothing of the path: there it is only the place where it ended.
  const [from, name] = directions === "path" ? [0, "descent.start"] : [path.length - 1, "descent.ended"];
  const d = `M${path
    .slice(from)
    .map((place) => at(place).join(" "))
    .join("L")}`;
  const dots = path.slice(from).map((place, i) => {
    const [cx, cy] = at(place);
    const title = s("title", {}, t("descent.own_dot", { step: steps[from + i], loss: num(losses[from + i]) }));
    return s("circle", { class: "dot", cx, cy, r: from + i === path.length - 1 ? 5 : 3 }, title);
  });
  const [x, y] = at(path[from]);
  const mark = s("path", { class: "cross", d: "M-9 0H9M0 -9V9" });
  const read = reading(t, svg, mark, (_, place) => said(t, { xs, ys, rows }, place), [
    "slice-read",
    "descent.own_hint",
  ]);
  read.settle(base);
  svg.append(...base.drawn.flat(2));
  svg.append(
    s(
      "g",
      { class: "k3 chosen", "clip-path": "url(#sea)" },
      s("path", { class: "halo", d }),
      s("path", { class: "line", d }),
      dots,
    ),
  );
  svg.append(...base.over.flat(2), s("text", { class: "place", x: x + 9, y: y - 8 }, t(name)), mark);
  return h("div", { class: "mapped" }, legible(svg), read.text);
}

const namesOf = (t, directions) =>
  ["first", "second"].map((key) => t(directions === "path" ? `descent.${key}` : `descent.random_${key}`));

// The loss at the place of the grid that is nearest.
function said(t, { xs, ys, rows }, [x, y]) {
  const nearest = (places, at) => Math.round(((at - places[0]) / (places.at(-1) - places[0])) * (places.length - 1));
  const [c, r] = [nearest(xs, x), nearest(ys, y)];
  return t("descent.own_read", { x: num(xs[c], 3), y: num(ys[r], 3), loss: num(rows[r][c]) });
}

function words(t, { shares, images, parameters, steps, directions }) {
  const percent = (share) => `${num(100 * share, 3)} %`;
  const numbers = {
    first: percent(shares[0]),
    second: percent(shares[1]),
    both: percent(shares[0] + shares[1]),
    images,
    parameters,
    snapshots: steps.length,
  };
  return h("p", { class: "hint", "data-testid": "slice-words" }, rich(t(`descent.explained_${directions}`, numbers)));
}

function table(t, { steps, path, losses, directions }) {
  const names = [t("descent.axis_updates"), ...namesOf(t, directions), t("descent.height")];
  const heads = names.map((name) => h("th", { scope: "col" }, name));
  const rows = steps.map((step, i) => {
    const numbers = [...path[i], losses[i]];
    const cells = numbers.map((v) => h("td", { class: "n", "data-value": v ?? "" }, num(v)));
    return h("tr", {}, h("th", { scope: "row" }, String(step)), cells);
  });
  const inner = h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", { "data-testid": "slice-path" }, rows));
  return h(
    "details",
    { class: "twin" },
    h("summary", {}, t("common.as_table")),
    h("div", { class: "scroll tall", tabindex: "0" }, inner),
  );
}
