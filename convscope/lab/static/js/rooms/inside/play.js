// What one can do with the net in room 8, one thing at a time: a row of buttons, and the panel of the one that is open.

import { h, rich, show } from "../../core/dom.js";
import { terms } from "../../parts/terms.js";

const PANELS = {
  paint: () => import("./play/paint.js"),
  attack: () => import("./play/attack.js"),
  channel: () => import("./play/channel.js"),
  map: () => import("./play/atlas.js"),
  two: () => import("./play/two.js"),
  backward: () => import("./play/backward.js"),
};

// room as every room has it; host: give(bytes) makes them the image, draft(bytes) only looks what the net says to them (the
// answer, null where a later one overtook it). update(now, seen) shows the panel that the state names, with what is `seen`: the question
// `image`, the answer's `head` and `arrays`, and the `runs`.
export function play(room, host) {
  const { t, set, state } = room;
  const buttons = Object.keys(PANELS).map((name) => {
    const onclick = () => set({ play: state().play === name ? "none" : name });
    return h(
      "button",
      { class: "quiet", "data-testid": `play-${name}`, "data-name": name, onclick },
      t(`play.${name}`),
    );
  });
  const about = h("p", { class: "hint about" });
  const place = h("div", { class: "panel", "data-testid": "panel" });
  const element = h(
    "section",
    { class: "play", "aria-label": t("play.play") },
    h("div", { class: "line" }, h("h2", {}, t("play.play")), buttons),
    about,
    place,
  );
  const made = new Map(); // name → panel

  async function panelOf(name) {
    if (!made.has(name)) {
      const { panel } = await PANELS[name]();
      if (!made.has(name)) made.set(name, panel(room, host)); // it was asked for twice at once
    }
    return made.get(name);
  }

  async function update(now, seen) {
    const name = now.play;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.name === name));
    about.hidden = place.hidden = name === "none";
    if (name === "none") return;
    const panel = await panelOf(name);
    if (state().play !== name) return;
    show(about, ...rich(t(`play.about_${name}`)));
    const fresh = panel.element.parentElement !== place;
    show(place, panel.element);
    if (fresh) terms(t, place);
    await panel.update(now, seen);
  }

  return { element, update, leave: () => made.forEach((panel) => panel.leave?.()) };
}
