// What is on the screen in room 8: the sheet, the steps of its preparation and the answer; below, the maps and the ledger.

import { h, show } from "../../core/dom.js";
import { drawing } from "../../parts/drawing.js";
import { select } from "../../parts/fields.js";
import { own } from "../../parts/own.js";
import { warning } from "../../parts/warning.js";
import { bars } from "./bars.js";
import { layers } from "./layers.js";
import { picker } from "./picker.js";
import { stages } from "./stages.js";
import { OVERLAYS, bestOf } from "./state.js";
import { trail } from "./trail.js";
import { spans } from "./windows.js";

// ondraft(strokes) while a stroke grows; onpicture({rgba, height, width}) a picture of the reader's own.
export function view({ controls, t, set, state }, { ondraft, onpicture }) {
  let shown = null; // the answer that is on the screen
  let windows = []; // what is outlined in the maps
  const keep = () => state().path.slice(-1); // an element stays chosen for another image; what led there does not
  const onink = (ink) => set({ test: -1, ink, pixels: "", path: keep() });
  const run = runsOf(t, set);
  const test = picker(t, { onpick: (index) => set({ test: index, pixels: "", path: keep() }) });
  const mine = own(t, { onpicture });
  const sheet = drawing(t, { ondraft, onink, onpen: (pen) => set({ pen }) });
  const steps = stages(t, { set });
  const guess = h("p", { class: "guess", "data-testid": "guess" });
  const chances = bars(t, { onpick: (c) => set({ path: [[shown.head.layers.at(-1).name, c]] }) });
  const maps = layers(t, { onpick: pick });
  const lay = overlays(t, set);
  const onterm = (x) => maps.outline([...windows, ...(x?.index.length ? [maps.spot(x.tensor, x.index)] : [])]);
  const way = trail(t, { go: (path) => set({ path }), onterm });
  const why = h("div", { class: "why" }, h("h2", {}, t("inside.why")), lay.element, way.element);
  const figure = above(t, [sheet.element, mine.element], steps.element, [guess, chances.element]);
  const against = h("div", { class: "against" });
  controls.append(run.element, test.element, against);

  async function pick(name, index) {
    await set({ path: [[name, ...index]] });
    why.scrollIntoView({ block: "nearest" });
  }

  function settings(now) {
    run.set(now.run);
    sheet.set(now.test < 0 && !now.pixels ? now.ink : "", now.pen);
    lay.set(now.over);
    return test.draw(now.run, now.test);
  }

  function draw(now, answer) {
    shown = answer;
    const { head, arrays } = answer;
    sheet.element.hidden = arrays.image.shape[0] === 3 && !("raw" in arrays); // a net for photographs
    steps.draw(now, head, arrays);
    chances.draw(head);
    show(guess, verdict(t, head));
    maps.draw(head.layers, arrays, head.classes);
    way.image(arrays.image);
  }

  // The ledger of the element that the path ends at, its window in the layer below, its view of the image.
  function explain(path, told) {
    const [layer, ...index] = path.at(-1);
    const known = shown.head.layers.filter((row) => row.ledger).map((row) => row.name);
    way.draw(path, told, new Set([...known, "image"]));
    windows = [...spans(told.ledger.terms), ...(layer === "image" ? [] : [maps.spot(layer, index)])];
    maps.outline(windows);
  }

  const ledger = below(t, maps.element, why);
  const leave = () => [steps, maps, way, mine].forEach((part) => part.leave());
  const last = () => shown;
  return {
    figure,
    ledger,
    settings,
    draw,
    explain,
    warn: (text) => show(against, warning(t, text)),
    overlay: way.lay,
    kernels: maps.filter,
    runs: run.fill,
    classes: lay.fill,
    shown: last,
    leave,
  };
}

function above(t, sheet, steps, answer) {
  const part = (name, key, ...what) => h("div", { class: name }, h("h2", {}, t(`inside.${key}`)), what);
  const parts = [part(null, "draw", sheet), part("middle", "stages", steps), part("said", "probabilities", answer)];
  return h("div", { class: "inside" }, h("div", { class: "first" }, parts));
}

function below(t, maps, why) {
  const hint = h("p", { class: "hint" }, t("inside.map_keys"));
  return h("div", { class: "depths" }, h("div", { class: "all" }, h("h2", {}, t("inside.layers")), hint, maps), why);
}

// What the net takes the image for, and whether that is right.
function verdict(t, head) {
  const best = bestOf(head);
  const name = h("strong", { "data-testid": "best" }, head.classes[best]);
  if (head.label === null) return [name];
  const right = head.label === best;
  const words = right ? t("inside.right") : t("inside.wrong", { name: head.classes[head.label] });
  return [name, h("span", { class: right ? "good" : "bad" }, words)];
}

function runsOf(t, set) {
  const field = select(t("inside.run"), {
    options: [],
    testid: "run",
    onchange: (name) => set({ run: name, pixels: "", path: [], target: -1 }),
  });
  const words = ({ name, accuracy }) => (accuracy === null ? name : `${name} · ${(100 * accuracy).toFixed(1)} %`);
  const fill = (runs) =>
    field.input.replaceChildren(...runs.map((run) => h("option", { value: run.name }, words(run))));
  return { ...field, fill };
}

// What is laid over the image, and for which class.
function overlays(t, set) {
  const options = OVERLAYS.map((key) => [key, t(`inside.${key}`)]);
  const over = select(t("inside.over"), { testid: "over", options, onchange: (value) => set({ over: value }) });
  const target = select(t("inside.target"), {
    testid: "target",
    options: [["-1", t("inside.likeliest")]],
    onchange: (value) => set({ target: Number(value) }),
  });

  function fill(classes, chosen) {
    const [likeliest] = target.input.options;
    if (target.input.options.length !== classes.length + 1)
      target.input.replaceChildren(likeliest, ...classes.map((name, i) => h("option", { value: i }, name)));
    target.set(String(chosen));
  }

  return { element: h("div", { class: "line" }, over.element, target.element), set: over.set, fill };
}
