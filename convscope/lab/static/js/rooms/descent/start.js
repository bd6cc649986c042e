// The place where every path begins: a handle to be dragged by mouse or finger, or moved by the arrow keys.

import { h, s } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { pull } from "../../parts/pull.js";
import { beside, HEIGHT, SEA, WIDTH } from "./ground.js";

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STEPS = 40; // key presses across the map; with Shift a quarter of that step

// svg: the map; onmove([w, b]). Gives {element, draw(base, [w, b])}.
export function starting(t, svg, onmove) {
  let base = null;
  let at = [0, 0];
  const square = s("rect", { class: "start", width: 12, height: 12, x: -6, y: -6, rx: 2 });
  const hold = s("circle", { class: "hold", r: 22 });
  const name = s("text", { class: "place", x: 12, y: -9 }, t("descent.start"));
  const element = s(
    "g",
    { class: "origin", tabindex: "0", role: "slider", "aria-label": t("descent.start_label"), "data-testid": "start" },
    hold,
    square,
    name,
  );

  function to(place) {
    at = place.map((v, axis) => settled(v, axis ? base.up : base.across));
    put();
    onmove(at);
  }

  function put() {
    element.setAttribute("transform", `translate(${base.across.at(at[0])} ${base.up.at(at[1])})`);
    element.setAttribute("aria-valuenow", at[0]);
    element.setAttribute("aria-valuetext", `w ${num(at[0])}, b ${num(at[1])}`);
    element.dataset.value = at.join(",");
    const tight = base.across.at(at[0]) > WIDTH - 90; // no room for the word on the right
    name.setAttribute("text-anchor", tight ? "end" : "start");
    name.setAttribute("x", tight ? -12 : 12);
    const word = [base.across.at(at[0]) + (tight ? -35 : 35), base.up.at(at[1]) - 13];
    for (const value of svg.querySelectorAll(".height")) {
      const place = ["x", "y"].map((axis) => Number(value.getAttribute(axis)));
      value.setAttribute("visibility", beside(place, word, 50) ? "hidden" : "visible");
    }
  }

  pull(element, { move: (event) => to(placeOf(svg, base, event)) });
  element.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // the map behind reads out by the same keys
    const share = 1 / (STEPS * (event.shiftKey ? 4 : 1));
    to(step.map((d, axis) => at[axis] + d * share * spanOf(axis ? base.up : base.across)));
  });

  function draw(ground, place) {
    base = ground;
    at = place;
    put();
  }

  return { element, draw };
}

const spanOf = ({ low, high }) => high - low;

// Within the map, with as many digits as a pixel is worth.
function settled(value, scale) {
  const digits = Math.max(0, Math.ceil(2 - Math.log10(spanOf(scale) / 4)));
  return Number(Math.min(scale.high, Math.max(scale.low, value)).toFixed(digits));
}

// The place on the map, (w, b), under the pointer.
export function placeOf(svg, { across, up }, event) {
  const area = svg.getBoundingClientRect();
  const x = ((event.clientX - area.left) / area.width) * WIDTH;
  const y = ((event.clientY - area.top) / area.height) * HEIGHT;
  return [
    across.low + ((x - SEA.x) / SEA.width) * spanOf(across),
    up.low + ((SEA.y + SEA.height - y) / SEA.height) * spanOf(up),
  ];
}

// What the map says under the mouse, the finger or, by the arrow keys, the focus: the loss and its slope, exactly.
export function reading(t, svg, mark, say, [testid, hint] = ["map-read", "descent.read_hint"]) {
  const text = h("output", { class: "read", "data-testid": testid });
  let base = null;
  let at = null;

  function to(place) {
    at = place.map((v, axis) => {
      const { low, high } = axis ? base.up : base.across;
      return Math.min(high, Math.max(low, v));
    });
    mark.setAttribute("transform", `translate(${base.across.at(at[0])} ${base.up.at(at[1])})`);
    mark.setAttribute("visibility", "visible");
    text.textContent = say(base, at);
    text.dataset.place = at.join(",");
  }

  function leave() {
    at = null;
    mark.setAttribute("visibility", "hidden");
    text.textContent = t(hint);
  }

  const follow = (event) => to(placeOf(svg, base, event));
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step || event.target !== svg) return;
    event.preventDefault();
    const { across, up } = base;
    const from = at ?? [(across.low + across.high) / 2, (up.low + up.high) / 2];
    to(step.map((d, axis) => from[axis] + (d * spanOf(axis ? up : across)) / STEPS));
  });
  leave();
  return { text, settle: (ground) => (base = ground) };
}
