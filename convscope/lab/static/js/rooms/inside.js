// Room 8: draw a digit or pick a test image, and follow every number of a trained net down to the ink.

import { STALE, ask, line } from "../core/api.js";
import { unpack } from "../core/binary.js";
import { say, show } from "../core/dom.js";
import { sure } from "../core/format.js";
import { BUNDLED, EXAMPLE } from "./glass/state.js";
import { bestOf, imageOf } from "./inside/state.js";
import { view } from "./inside/view.js";

export { defaults, rules } from "./inside/state.js";

export function mount(room) {
  const { figure, ledger, script, t, state, fail } = room;
  const [looking, telling, asking, writing] = [line(), line(), line(), line()];
  const screen = view(room, (strokes) => draft(strokes).catch(fail));
  let runs = null;
  let looked = ""; // the question that the answer on the screen answers

  async function draft(strokes) {
    const answer = await looking("/api/inside/look", imageOf({ ...state(), test: -1 }, strokes));
    looked = "";
    if (answer !== STALE) screen.draw(state(), unpack(answer));
  }

  async function update(now) {
    runs ??= await listed(screen);
    if (!now.run) now.run = (runs.findLast(({ data }) => data === "mnist" || data === "digits") ?? runs[0]).name;
    if (now.run === BUNDLED && !now.ink && now.test === 0) [now.test, now.ink] = [-1, EXAMPLE];
    if (!screen.figure.isConnected) show(figure, screen.figure);
    screen.warn(runs.find(({ name }) => name === now.run)?.warning);
    await screen.settings(now);
    const image = imageOf(now);
    const same = JSON.stringify(image) === looked;
    if (!same) {
      const buffer = await looking("/api/inside/look", image);
      if (buffer === STALE) return;
      screen.draw(now, unpack(buffer));
      looked = JSON.stringify(image);
    }
    const { head } = screen.shown();
    screen.classes(head.classes, now.target);
    if (!screen.ledger.isConnected) show(ledger, screen.ledger);
    await Promise.all([explain(now, head), overlay(now, head), same || program(image)]);
    const best = bestOf(head);
    if (!same) say(t("inside.spoken", { name: head.classes[best], p: sure(head.confidence, head.confidences[best]) }));
  }

  async function program(image) {
    const answer = await writing("/api/inside/script", image);
    if (answer !== STALE) script(answer.script);
  }

  async function explain(now, head) {
    const path = now.path.length ? now.path : [[head.layers.at(-1).name, bestOf(head)]];
    const [layer, ...index] = path.at(-1);
    const told = await telling("/api/inside/pixel", { ...imageOf(now), layer, index });
    if (told !== STALE) screen.explain(path, told);
  }

  async function overlay(now, head) {
    if (now.over === "none") return screen.overlay(null, "none", head.classes);
    const target = now.target >= 0 ? { target: now.target } : {};
    const found = await asking("/api/inside/saliency", { ...imageOf(now), ...target });
    if (found !== STALE) screen.overlay(unpack(found), now.over, head.classes);
  }

  return { update, leave: screen.leave, reconnect: () => (runs = null) };
}

// The runs that have weights to look into, and the net that comes with the page.
async function listed(screen) {
  const runs = (await ask("/api/runs")).filter(({ model }) => model);
  const all = [...runs, { name: BUNDLED, data: "", accuracy: null }];
  screen.runs(all);
  return all;
}
