// All classes of a set, each a card. Two empty ones stand there at first; they come to the disk with their first picture.

import { h, show } from "../../core/dom.js";
import { card } from "./card.js";

const FIRST = 2; // cards of an empty set

// kept: see store.js; video(): see intake.js; onset(set): the set has changed, as the server says it.
export function cards(t, { kept, video, onset }) {
  const list = h("div", { class: "cards" });
  const more = h("button", { class: "quiet", "data-testid": "add-class", onclick: add }, `＋ ${t("classes.add")}`);
  const element = h("div", { class: "collect" }, list, h("p", {}, more));
  let all = []; // cards, in the order in which they came
  let serial = 0;
  let asking = 0;

  function make(name, there) {
    const one = card(t, {
      index: serial++,
      name,
      there,
      kept,
      video,
      onchange: (set) => (set ? onset(set) : soon()),
      ongone: () => {
        all = all.filter((other) => other !== one);
        place();
      },
    });
    all.push(one);
    return one;
  }

  // Shots come eight a second; the set is asked for less often.
  function soon() {
    clearTimeout(asking);
    asking = setTimeout(async () => onset(await kept.show()), 250);
  }

  function draw({ classes }) {
    for (const found of classes) {
      const known = all.find((one) => one.state().name === found.name) ?? make(found.name, true);
      known.draw(found);
    }
    const names = new Set(classes.map(({ name }) => name));
    all = all.filter((one) => !one.isThere() || names.has(one.state().name));
    while (all.length < FIRST) make(fresh(), false);
    place();
  }

  // "Class 3": the first such name that is free.
  function fresh() {
    const taken = new Set(all.map((one) => one.state().name.toLowerCase()));
    for (let n = 1; ; n += 1) {
      const name = t("classes.class_n", { n });
      if (!taken.has(name.toLowerCase())) return name;
    }
  }

  function add() {
    const one = make(fresh(), false);
    place();
    one.element.querySelector("input").select();
  }

  function place() {
    show(
      list,
      all.map((one) => one.element),
    );
  }

  function leave() {
    clearTimeout(asking);
    all.forEach((one) => one.end());
  }

  return { element, draw, leave };
}
