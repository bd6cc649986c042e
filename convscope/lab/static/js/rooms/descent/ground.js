// What holds still on the map: the tinted ground, contours with their values, the axes and the lowest place.

import { s } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { scale, ticks } from "../../parts/chart-scale.js";
import { above, contour, levels } from "./contour.js";

export const [WIDTH, HEIGHT] = [560, 460];
const EDGE = { left: 48, right: 10, top: 10, bottom: 40 };
const APART = 44; // units of the drawing between the values of two contours, at least

export const SEA = {
  x: EDGE.left,
  y: EDGE.top,
  width: WIDTH - EDGE.left - EDGE.right,
  height: HEIGHT - EDGE.top - EDGE.bottom,
};

// map: the server's; names: of the axes. Gives {across, up, terms, drawn, over}: two scales, and what lies below the paths and above.
export function ground(t, { terms, ws, bs, heights, best }, names = ["w", "b"]) {
  const across = scale(ws, [EDGE.left, WIDTH - EDGE.right]);
  const up = scale(bs, [HEIGHT - EDGE.bottom, EDGE.top]);
  const found = levels(heights);
  const star = [across.at(best[0]), up.at(best[1])];
  return {
    across,
    up,
    terms,
    drawn: [
      s("rect", { class: "sea", ...SEA, "data-low": [across.low, up.low], "data-high": [across.high, up.high] }),
      found.map((level) => s("path", { class: "high", d: above(heights, ws, bs, level, across.at, up.at) })),
      found.map((level) => s("path", { class: "level", d: contour(heights, ws, bs, level, across.at, up.at) })),
      axes(across, up, names),
      s("path", { class: "best", d: starAt(...star) }),
    ],
    over: [
      values(found, heights, ws, bs, best, across, up),
      s("text", { class: "place", x: star[0] + 11, y: star[1] - 8 }, t("descent.best")),
    ],
  };
}

function axes(across, up, [first, second]) {
  const below = HEIGHT - EDGE.bottom;
  return [
    ticks(across).map((v) =>
      s("text", { class: "tick", x: across.at(v), y: below + 17, "text-anchor": "middle" }, num(v, 3)),
    ),
    ticks(up).map((v) =>
      s("text", { class: "tick", x: EDGE.left - 7, y: up.at(v) + 4, "text-anchor": "end" }, num(v, 3)),
    ),
    s("text", { class: "axis", x: WIDTH / 2, y: HEIGHT - 6, "text-anchor": "middle" }, first),
    s("text", { class: "axis", "text-anchor": "middle", transform: turned(second) }, second),
  ];
}

// A letter stands upright, words run along the axis.
const turned = (words) => `translate(12 ${HEIGHT / 2})${words.length > 1 ? " rotate(-90)" : ""}`;

// The value of every contour that has room for it, on the way from the lowest place to a corner.
function values(found, heights, ws, bs, best, across, up) {
  const star = [across.at(best[0]), up.at(best[1])];
  const taken = [star];
  const name = [star[0] + 58, star[1] - 12]; // the middle of its word, as wide as it is on a phone
  const written = [];
  for (const level of found.toReversed()) {
    const place = crossing(heights, ws, bs, level, best, across, up);
    if (!place || beside(place, name, 74) || taken.some(([x, y]) => Math.hypot(x - place[0], y - place[1]) < APART))
      continue;
    taken.push(place);
    const [x, y] = place;
    written.push(s("text", { class: "height", x, y: y + 4, "text-anchor": "middle" }, num(level, 3)));
  }
  return written;
}

// Whether the value of a contour would lie over a word.
export const beside = ([x, y], [middle, height], wide) => Math.abs(x - middle) < wide && Math.abs(y - height) < 30;

const WAYS = [
  [1, 0.62],
  [-1, -0.62],
  [1, -0.62],
];

// Where a way from the lowest place first climbs over `level`, away from the edges.
function crossing(heights, ws, bs, level, best, across, up) {
  const from = [nearest(ws, best[0]), nearest(bs, best[1])];
  for (const [dx, dy] of WAYS) {
    for (let n = 1; n < 4 * ws.length; n += 1) {
      const [c, r] = [Math.round(from[0] + (dx * n) / 3), Math.round(from[1] + (dy * n) / 3)];
      if (heights[r]?.[c] === undefined) break;
      if (heights[r][c] < level) continue;
      const place = [across.at(ws[c]), up.at(bs[r])];
      if (place[0] > SEA.x + 20 && place[0] < SEA.x + SEA.width - 20 && place[1] > 26 && place[1] < HEIGHT - 56)
        return place;
      break;
    }
  }
  return null;
}

function nearest(places, at) {
  return places.reduce((best, place, i) => (Math.abs(place - at) < Math.abs(places[best] - at) ? i : best), 0);
}

function starAt(x, y) {
  const points = Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 3.4 : 8;
    const angle = (i * Math.PI) / 5 - Math.PI / 2;
    return `${x + r * Math.cos(angle)} ${y + r * Math.sin(angle)}`;
  });
  return `M${points.join("L")}Z`;
}
