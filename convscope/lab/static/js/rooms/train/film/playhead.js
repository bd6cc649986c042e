// The line in the chart at the frame that is shown, to be dragged there by mouse or finger, or moved by the arrow keys. It
// lies above the chart, which is drawn again at every tick: what is dragged must not be taken out meanwhile.

import { h } from "../../../core/dom.js";
import { count } from "../../../core/format.js";
import { pull } from "../../../parts/pull.js";
import { placeOf } from "./reel.js";

// onat(update) as in timeline.js. ground: where the chart's axis lies in its drawing, see curves.js.
export function playhead(t, { onat }) {
  let ground = null;
  let steps = [];
  let place = 0; // of the frame that is shown
  const hand = h("div", {
    class: "playhead",
    tabindex: "0",
    role: "slider",
    "aria-label": t("film.playhead"),
    "data-testid": "playhead",
    onkeydown,
  });
  const element = h("div", { class: "over-chart", hidden: true }, hand);

  function to(next) {
    const last = steps.length - 1;
    const kept = Math.min(last, Math.max(0, next));
    if (kept === place) return;
    put(kept, t("film.at", { step: count(steps[kept]) }));
    onat(kept === last ? -1 : steps[kept]);
  }

  // At once: the frame itself may have to come from the server.
  function put(at, words) {
    place = at;
    const [wide, high] = ground.box;
    const [top, bottom] = ground.span;
    const sides = { left: ground.across.at(steps[at]) / wide, top: top / high, height: (bottom - top) / high };
    for (const [side, share] of Object.entries(sides)) hand.style.setProperty(side, `${100 * share}%`);
    const range = { valuemin: steps[0], valuemax: steps.at(-1), valuenow: steps[at], valuetext: words };
    for (const [name, value] of Object.entries(range)) hand.setAttribute(`aria-${name}`, value);
  }

  function under({ clientX }) {
    const area = element.getBoundingClientRect();
    const x = ((clientX - area.left) / area.width) * ground.box[0];
    const away = steps.map((step) => Math.abs(ground.across.at(step) - x));
    return away.indexOf(Math.min(...away));
  }

  pull(hand, { move: (event) => to(under(event)) });

  function onkeydown(event) {
    const by = { ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1 };
    const next = { ...by, Home: 0, End: steps.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    to(next);
  }

  // film: see reel.js; null where the chart does not show its run.
  function draw(chart, film, going) {
    ground = chart;
    steps = film?.steps ?? [];
    element.hidden = steps.length < 2;
    if (element.hidden) return;
    element.style.setProperty("aspect-ratio", ground.box.join(" / "));
    const at = placeOf(steps, film.at);
    put(at, film.at < 0 && going ? t("film.live") : t("film.at", { step: count(steps[at]) }));
  }

  return { element, draw };
}
