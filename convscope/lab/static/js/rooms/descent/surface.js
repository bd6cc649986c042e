// The map of the loss with the three paths, and at the chosen one's place the two gradients, turned downhill.

import { s } from "../../core/dom.js";
import { scale, ticks } from "../../parts/chart-scale.js";
import { num } from "../../core/format.js";
import { legible } from "../../parts/legible.js";
import { contour, levels } from "./contour.js";

const [WIDTH, HEIGHT] = [560, 460];
const EDGE = { left: 48, right: 10, top: 10, bottom: 40 };

const SEA = {
  x: EDGE.left,
  y: EDGE.top,
  width: WIDTH - EDGE.left - EDGE.right,
  height: HEIGHT - EDGE.top - EDGE.bottom,
};
const FAR = 1e5; // pixels: where a path that leaves the map is cut off

// What does not change while the slider moves.
export function ground({ map: { ws, bs, heights, best }, paths }) {
  const across = scale(ws, [EDGE.left, WIDTH - EDGE.right]);
  const up = scale(bs, [HEIGHT - EDGE.bottom, EDGE.top]);
  const start = paths[0].regime.points[0].parameters;
  const lines = levels(heights).map((level) =>
    s("path", { class: "level", d: contour(heights, ws, bs, level, across.at, up.at) }),
  );
  return {
    across,
    up,
    drawn: [
      s("rect", { class: "sea", ...SEA }),
      lines,
      ticks(across).map((v) =>
        s("text", { class: "tick", x: across.at(v), y: HEIGHT - EDGE.bottom + 17, "text-anchor": "middle" }, num(v, 3)),
      ),
      ticks(up).map((v) =>
        s("text", { class: "tick", x: EDGE.left - 7, y: up.at(v) + 4, "text-anchor": "end" }, num(v, 3)),
      ),
      s("text", { class: "axis", x: WIDTH / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "w"),
      s("text", { class: "axis", x: 12, y: HEIGHT / 2, "text-anchor": "middle" }, "b"),
      s("path", { class: "best", d: star(across.at(best[0]), up.at(best[1])) }),
      s("rect", { class: "start", x: across.at(start[0]) - 4, y: up.at(start[1]) - 4, width: 8, height: 8 }),
    ],
  };
}

// places: for each path how many of its points are shown; chosen: whose gradients are drawn.
export function surface(t, answer, { across, up, drawn }, places, chosen) {
  const near = (pixel) => Math.max(-FAR, Math.min(FAR, pixel)).toFixed(1);
  const at = ([w, b]) => `${near(across.at(w))} ${near(up.at(b))}`;
  const lines = answer.paths.map(({ regime }, k) => {
    const points = regime.points.slice(0, places[k] + 1).map((point) => point.parameters);
    const here = points.at(-1);
    return s(
      "g",
      { class: `k${k}${k === chosen ? " chosen" : ""}` },
      s("path", { class: "line", d: `M${points.map(at).join("L")}` }),
      points.length < 50 &&
        points.map(([w, b]) => s("circle", { class: "dot", cx: near(across.at(w)), cy: near(up.at(b)), r: 2.4 })),
      s("circle", { class: "dot", cx: near(across.at(here[0])), cy: near(up.at(here[1])), r: 5 }),
    );
  });
  const svg = s(
    "svg",
    { class: "surface", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("descent.map") },
    drawn,
    s("clipPath", { id: "sea" }, s("rect", SEA)), // a path may lead out of the map
    s("g", { "clip-path": "url(#sea)" }, lines),
    s("g", { "clip-path": "url(#sea)" }, arrows(answer.paths[chosen], places[chosen], across, up)),
  );
  return legible(svg);
}

function arrows({ regime, batch_gradients, full_gradients }, place, across, up) {
  if (place >= batch_gradients.length) return [];
  const [w, b] = regime.points[place].parameters;
  const [x, y] = [across.at(w), up.at(b)];
  const longest = Math.max(
    ...[batch_gradients[place], full_gradients[place]].map((g) => Math.hypot(...turned(g, across, up))),
  );
  return [
    ["full", full_gradients[place]],
    ["batch", batch_gradients[place]],
  ].map(([kind, gradient]) => {
    const [dx, dy] = turned(gradient, across, up).map((d) => (d / (longest || 1)) * 70);
    const angle = (Math.atan2(dy, dx) * 180) / Math.PI;
    return s(
      "g",
      { class: `arrow ${kind}` },
      s("line", { x1: x, y1: y, x2: x + dx, y2: y + dy }),
      s("path", { d: "M0 0l-8 -4v8z", transform: `translate(${x + dx} ${y + dy}) rotate(${angle})` }),
    );
  });
}

// Downhill in pixels: the map stretches w and b differently, and b grows upwards.
function turned([w, b], across, up) {
  return [across.at(-w) - across.at(0), up.at(-b) - up.at(0)];
}

function star(x, y) {
  const points = Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 3.4 : 8;
    const angle = (i * Math.PI) / 5 - Math.PI / 2;
    return `${x + r * Math.cos(angle)} ${y + r * Math.sin(angle)}`;
  });
  return `M${points.join("L")}Z`;
}
