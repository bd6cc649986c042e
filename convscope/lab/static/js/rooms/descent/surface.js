// The map of the loss with the paths, the start to drag, and at the chosen path's place the two gradients, turned downhill.

import { h, s } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { legible } from "../../parts/legible.js";
import { ground, HEIGHT, SEA, WIDTH } from "./ground.js";
import { slope, value } from "./polynomial.js";
import { reading, starting } from "./start.js";

const FAR = 1e5; // units of the drawing: where a path that leaves the map is cut off

// onstart([w, b]). Gives {element, settle(answer), draw(answer, places)}.
export function surface(t, onstart) {
  const svg = s("svg", {
    class: "surface",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "group",
    tabindex: "0",
    "aria-label": t("descent.map"),
    "data-testid": "map",
  });
  const clip = { "clip-path": "url(#sea)" }; // a path may lead out of the map
  const [still, lines, downhill, over] = [s("g"), s("g", clip), s("g", clip), s("g")];
  const mark = s("path", { class: "cross", d: "M-9 0H9M0 -9V9" });
  const start = starting(t, svg, onstart);
  const read = reading(t, svg, mark, (base, place) => spoken(t, base, place));
  svg.append(still, s("clipPath", { id: "sea" }, s("rect", SEA)), lines, over, downhill, mark, start.element);
  let base = null;
  let known = "";

  // A new answer: the ground is drawn again only where it is another one.
  function settle({ map, paths }) {
    const key = JSON.stringify([map.terms, map.ws[0], map.ws.at(-1), map.bs[0], map.bs.at(-1)]);
    if (key !== known) {
      [known, base] = [key, ground(t, map)];
      still.replaceChildren(...base.drawn.flat(2));
      over.replaceChildren(...base.over.flat(2));
      read.settle(base);
    }
    start.draw(base, paths[0].regime.points[0].parameters);
  }

  // places: for each path how many of its points are shown.
  function draw(answer, places) {
    const chosen = answer.chosen;
    lines.replaceChildren(...answer.paths.map((path, k) => trail(path, places[k], k === chosen, base)));
    downhill.replaceChildren(...arrows(answer.paths[chosen], places[chosen], base));
  }

  return { element: h("div", { class: "mapped" }, legible(svg), read.text), settle, draw };
}

function spoken(t, { terms }, [w, b]) {
  const loss = num(value(terms, w, b), 4);
  const [dw, db] = slope(terms, w, b).map((d) => num(d, 3));
  return t("descent.read", { w: num(w, 3), b: num(b, 3), loss, dw, db });
}

const near = (pixel) => Math.max(-FAR, Math.min(FAR, pixel)).toFixed(1);

function trail({ kind, regime }, place, chosen, { across, up }) {
  const at = ([w, b]) => `${near(across.at(w))} ${near(up.at(b))}`;
  const taken = regime.points.slice(0, place + 1).map((point) => point.parameters);
  const points = taken.slice(0, taken.findLastIndex((one) => within(one, across, up)) + 2); // until it leaves for good
  const [w, b] = points.at(-1);
  const d = `M${points.map(at).join("L")}`;
  return s(
    "g",
    { class: `k${kind}${chosen ? " chosen" : ""}`, "data-testid": `path-${kind}` },
    s("path", { class: "halo", d }),
    s("path", { class: "line", d }),
    points.length < 50 &&
      points.map(([x, y]) => s("circle", { class: "dot", cx: near(across.at(x)), cy: near(up.at(y)), r: 2.4 })),
    s("circle", { class: "dot", cx: near(across.at(w)), cy: near(up.at(b)), r: 5 }),
  );
}

function within([w, b], across, up) {
  return w >= across.low && w <= across.high && b >= up.low && b <= up.high;
}

function arrows({ regime, batch_gradients, full_gradients }, place, { across, up }) {
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
