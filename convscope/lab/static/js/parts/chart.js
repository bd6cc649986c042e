// Lines over one axis, as SVG, with the same numbers as a table below.

import { h, s } from "../core/dom.js";
import { num, power } from "../core/format.js";
import { heightAt, path, scale, ticks } from "./chart-scale.js";
import { legible } from "./legible.js";
import { readout } from "./readout.js";

const HEIGHT = 300;
const EDGE = { left: 70, right: 16, top: 14, bottom: 42 };
const TABLE = 200; // rows of the table at most; longer lines are thinned out evenly

// The width of a drawing in its own units: on a phone fewer, so that its letters stay as large.
export const paper = () => (matchMedia("(max-width: 40rem)").matches ? 380 : 640);

// series: [{name, points: [[x, y], …], kind: 0…5, dots?}]; mark: x of a vertical line; log, logx: whether an axis is
// logarithmic. Null y breaks the line.
export function chart(
  t,
  { label, x, y, series, log = false, logx = false, mark = null, testid = "chart", open = false },
) {
  const wide = paper();
  const points = series.flatMap((one) => one.points).filter(([, v]) => v !== null && (!log || v > 0));
  const across = scale(
    points.map(([v]) => v),
    [EDGE.left, wide - EDGE.right],
    { log: logx },
  );
  const up = scale(
    points.map(([, v]) => v),
    [HEIGHT - EDGE.bottom, EDGE.top],
    { log, room: true },
  );
  const svg = s(
    "svg",
    { class: "chart", viewBox: `0 0 ${wide} ${HEIGHT}`, role: "img", "aria-label": label },
    ticks(up).map((v) => [
      s("line", { class: "rule", x1: EDGE.left, x2: wide - EDGE.right, y1: up.at(v), y2: up.at(v) }),
      s("text", { class: "tick", x: EDGE.left - 8, y: up.at(v) + 4, "text-anchor": "end" }, power(v)),
    ]),
    ticks(across).map((v) =>
      s(
        "text",
        { class: "tick", x: across.at(v), y: HEIGHT - EDGE.bottom + 18, "text-anchor": "middle" },
        logx ? power(v) : num(v, 6),
      ),
    ),
    s("text", { class: "axis", x: (EDGE.left + wide - EDGE.right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, x),
    s(
      "text",
      {
        class: "axis",
        x: 0,
        y: 0,
        transform: `translate(13 ${(HEIGHT - EDGE.bottom + EDGE.top) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      y,
    ),
    mark !== null &&
      points.length > 0 &&
      s("line", { class: "mark", x1: across.at(mark), x2: across.at(mark), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
    series.map(({ points: line, kind, dots }) => [
      s("path", { class: `line k${kind}`, d: path(line, across, up, log) }),
      mark !== null && met(line, kind, mark, { across, up, log }),
      dots &&
        line
          .filter(([, v]) => v !== null)
          .map(([a, b]) => s("circle", { class: `dot k${kind}`, cx: across.at(a), cy: up.at(b), r: 3 })),
    ]),
  );
  const span = [EDGE.top, HEIGHT - EDGE.bottom];
  const read = readout(svg, { across, span, rows: series, name: x, testid });
  return h(
    "figure",
    { class: "charted", "data-testid": testid },
    legible(svg),
    read,
    series.length > 1 && legend(series),
    table(t, x, series, open),
  );
}

// Where a line meets the mark.
function met(line, kind, x, { across, up, log }) {
  const y = heightAt(line, x);
  if (y === null || (log && y <= 0)) return null;
  return s("circle", { class: `dot k${kind}`, cx: across.at(x), cy: up.at(y), r: 5 });
}

// What each line is, drawn as it is drawn: colours alone do not tell lines apart for everybody.
export function legend(lines) {
  return h(
    "ul",
    { class: "legend" },
    lines.map(({ name, kind }) =>
      h(
        "li",
        { class: `k${kind}` },
        s("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, s("path", { class: `line k${kind}`, d: "M0 5H30" })),
        name,
      ),
    ),
  );
}

function table(t, x, series, open) {
  const details = h("details", { class: "twin", open }, h("summary", {}, t("common.as_table")));
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const all = [...new Set(series.flatMap(({ points }) => points.map(([v]) => v)))].sort((a, b) => a - b);
    const every = Math.ceil(all.length / TABLE);
    const shown = all.filter((_, i) => i % every === 0 || i === all.length - 1);
    const values = series.map(({ points }) => new Map(points));
    details.append(
      h(
        "div",
        { class: "scroll tall", tabindex: "0" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, x),
              series.map(({ name }) => h("th", { scope: "col" }, name)),
            ),
          ),
          h(
            "tbody",
            {},
            shown.map((v) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, num(v, 6)),
                values.map((map) =>
                  h("td", { class: "n", "data-value": map.get(v) ?? "" }, map.has(v) ? num(map.get(v)) : ""),
                ),
              ),
            ),
          ),
        ),
      ),
    );
  });
  return details;
}
