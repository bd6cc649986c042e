// Room 8: draw a digit or pick a test image, and follow every number of a trained net down to the ink.

import { STALE, ask, line } from "../core/api.js";
import { unpack } from "../core/binary.js";
import { say, show } from "../core/dom.js";
import { sure } from "../core/format.js";
import { prepare } from "../engine.js";
import { toBase64 } from "../parts/own-pixels.js";
import { open } from "./glass/nets.js";
import { BUNDLED, EXAMPLE, fits } from "./glass/state.js";
import { bestOf, imageOf } from "./inside/state.js";
import { play } from "./inside/play.js";
import { view } from "./inside/view.js";

export { defaults, rules } from "./inside/state.js";

export function mount(room) {
  const { figure, ledger, t, state, fail } = room;
  const looking = line();
  const own = pictures(room);
  const onpicture = (picture) => own.prepared(picture).catch(fail);
  const screen = view(room, { ondraft: (strokes) => drafted({}, strokes).catch(fail), onpicture });
  const server = questions(room, screen);
  const toys = play(room, {
    give: own.give,
    draft: (bytes) => drafted({ pixels: toBase64(bytes), invert: false }).catch(fail),
  });
  screen.figure.append(toys.element);
  let runs = null;
  let looked = ""; // the question that the answer on the screen answers

  // What the net says to a picture that is being made; null where a later one overtook it.
  async function drafted(given, strokes) {
    const answer = await looking("/api/inside/look", imageOf({ ...state(), test: -1, pixels: "", ...given }, strokes));
    looked = "";
    if (answer === STALE) return null;
    screen.draw(state(), unpack(answer));
    return screen.shown();
  }

  async function update(now) {
    runs ??= await listed(screen);
    if (!now.run) now.run = (runs.findLast(({ data }) => data === "mnist" || data === "digits") ?? runs[0]).name;
    if (now.run === BUNDLED && !now.ink && !now.pixels && now.test === 0) [now.test, now.ink] = [-1, EXAMPLE];
    if (!screen.figure.isConnected) show(figure, screen.figure);
    screen.warn(runs.find(({ name }) => name === now.run)?.warning);
    await screen.settings(now);
    const image = imageOf(now, undefined, own.large());
    const same = JSON.stringify(image) === looked;
    if (same) looking.drop();
    else {
      const buffer = await looking("/api/inside/look", image);
      if (buffer === STALE) return;
      screen.draw(now, unpack(buffer));
      looked = JSON.stringify(image);
    }
    const { head } = screen.shown();
    screen.classes(head.classes, now.target);
    if (!screen.ledger.isConnected) show(ledger, screen.ledger);
    await Promise.all([
      server.explain(now, image, head),
      server.overlay(now, image, head),
      same || server.program(image),
      server.kernels(now.run),
      toys.update(now, { image, runs, ...screen.shown() }),
    ]);
    const best = bestOf(head);
    if (!same) say(t("inside.spoken", { name: head.classes[best], p: sure(head.confidence, head.confidences[best]) }));
  }

  const leave = () => [screen, toys].forEach((part) => part.leave());
  return { update, leave, reconnect: () => (runs = null) };
}

// Pictures that are not the run's, as bytes that the net is given: in the address where they fit into it, else `large`,
// {run, pixels}, until the next one.
function pictures({ set, state }) {
  let large = null;

  // As the run prepares its pictures.
  async function prepared({ rgba, height, width }) {
    const { net } = await open(state().run);
    await give(prepare(net, rgba, height, width), state().invert);
  }

  function give(bytes, invert = false) {
    const pixels = toBase64(bytes);
    large = fits(bytes) ? null : { run: state().run, pixels };
    return set({ pixels: large ? "" : pixels, test: -1, ink: "", invert });
  }

  return { prepared, give, large: () => large };
}

// What is asked once a picture stands: the program, the ledger of the chosen number, what speaks for a class.
function questions({ script }, screen) {
  const [telling, asking, writing, weighing] = [line(), line(), line(), line()];
  let weighed = ""; // the run whose kernels are shown

  async function program(image) {
    const answer = await writing("/api/inside/script", image);
    if (answer !== STALE) script(answer.script);
  }

  async function explain(now, image, head) {
    const path = now.path.length ? now.path : [[head.layers.at(-1).name, bestOf(head)]];
    const [layer, ...index] = path.at(-1);
    const told = await telling("/api/inside/pixel", { ...image, layer, index });
    if (told !== STALE) screen.explain(path, told);
  }

  async function overlay(now, image, head) {
    if (now.over === "none") {
      asking.drop();
      return screen.overlay(null, "none", head.classes);
    }
    const target = now.target >= 0 ? { target: now.target } : {};
    const found = await asking("/api/inside/saliency", { ...image, ...target });
    if (found !== STALE) screen.overlay(unpack(found), now.over, head.classes);
  }

  async function kernels(run) {
    if (run === weighed) return weighing.drop();
    const found = await weighing("/api/inside/kernels", { run });
    if (found === STALE) return;
    screen.kernels(unpack(found));
    weighed = run;
  }

  return { program, explain, overlay, kernels };
}

// The runs that have weights to look into, and the net that comes with the page.
async function listed(screen) {
  const runs = (await ask("/api/runs")).filter(({ model }) => model);
  const all = [...runs, { name: BUNDLED, data: "", accuracy: null }];
  screen.runs(all);
  return all;
}
