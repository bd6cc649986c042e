// The timeline below the curves: every frame of the film by hand, by keys, or played.

import { h } from "../../../core/dom.js";
import { count } from "../../../core/format.js";
import { stepper } from "../../../parts/stepper.js";
import { placeOf } from "./reel.js";

const PACE = 220; // ms a frame

// onat(update): the frame that the user wants to see; −1 is the newest.
export function timeline(t, { onat }) {
  let steps = [];
  const onstep = (place) => onat(place >= steps.length - 1 ? -1 : steps[place]);
  const hand = stepper(t, { label: t("film.timeline"), testid: "film", pace: PACE, onstep });
  const hint = h("p", { class: "hint" });
  const element = h("div", { class: "timeline", hidden: true }, h("h2", {}, t("film.timeline")), hand.element, hint);

  // film: see reel.js, or null.
  function draw(film, going) {
    steps = film?.steps ?? [];
    element.hidden = steps.length < 2;
    if (element.hidden) return;
    const place = placeOf(steps, film.at);
    const newest = film.at < 0 && going;
    const words = newest ? t("film.live") : t("film.at", { step: count(steps[place]) });
    hand.set(place, steps.length - 1, words);
    element.dataset.step = newest ? "live" : steps[place];
    const text = t("film.hint", { n: steps.length });
    if (hint.textContent !== text) hint.textContent = text;
  }

  return { element, draw, leave: hand.stop };
}
