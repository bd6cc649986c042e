// Room 8: draw a digit or pick a test image, and follow every number of a trained net down to the ink.

import { STALE, ask, line } from "../core/api.js";
import { unpack } from "../core/binary.js";
import { h, say, show } from "../core/dom.js";
import { sure } from "../core/format.js";
import { drawing } from "../parts/drawing.js";
import { select } from "../parts/fields.js";
import { read } from "../parts/ink.js";
import { bars } from "./inside/bars.js";
import { layers } from "./inside/layers.js";
import { picker } from "./inside/picker.js";
import { stages } from "./inside/stages.js";
import { trail } from "./inside/trail.js";

// test −1 is the drawing; path is the trail of elements, empty for the score of the likeliest class.
export const defaults = { run: "", test: 0, ink: "", pen: 10, crop: "auto", box: "auto", centre: "auto", invert: false, path: [], over: "none", target: -1 };

const OVERLAYS = ["none", "gradient_input", "occlusion", "grad_cam"];

export function mount({ controls, figure, ledger, script, t, set, state, fail }) {
  const [looking, telling, asking, writing] = [line(), line(), line(), line()];
  let runs = null;
  let shown = null; // the answer that is on the screen
  let looked = ""; // the question that it answers

  const run = select(t("inside.run"), { options: [], testid: "run", onchange: (name) => set({ run: name, path: [], target: -1 }) });
  const test = picker(t, { onpick: (index) => set({ test: index, path: keep() }) });
  const sheet = drawing(t, { ondraft: (strokes) => draft(strokes), onink: (ink) => set({ test: -1, ink, path: keep() }), onpen: (pen) => set({ pen }) });
  const steps = stages(t, { set });
  const guess = h("p", { class: "guess", "data-testid": "guess" });
  const chances = bars(t, { onpick: (c) => set({ path: [[shown.head.layers.at(-1).name, c]] }) });
  const maps = layers(t, { onpick: pick });
  const over = select(t("inside.over"), { testid: "over", options: OVERLAYS.map((key) => [key, t(`inside.${key}`)]), onchange: (value) => set({ over: value }) });
  const target = select(t("inside.target"), { testid: "target", options: [["-1", t("inside.likeliest")]], onchange: (value) => set({ target: Number(value) }) });
  const way = trail(t, { go: (path) => set({ path }), onterm: (x) => maps.outline([...windows, ...(x && x.index.length ? [maps.spot(x.tensor, x.index)] : [])]) });
  let windows = [];

  controls.append(run.element, test.element);
  const whole = h("div", { class: "inside" }, h("div", { class: "first" }, h("div", {}, h("h2", {}, t("inside.draw")), sheet.element), h("div", { class: "middle" }, h("h2", {}, t("inside.stages")), steps.element), h("div", { class: "said" }, h("h2", {}, t("inside.probabilities")), guess, chances.element)));
  const why = h("div", { class: "why" }, h("h2", {}, t("inside.why")), h("div", { class: "line" }, over.element, target.element), way.element);

  const depths = h("div", { class: "depths" }, h("div", { class: "all" }, h("h2", {}, t("inside.layers")), h("p", { class: "hint" }, t("inside.map_keys")), maps.element), why);

  async function pick(name, index) {
    await set({ path: [[name, ...index]] });
    why.scrollIntoView({ block: "nearest" });
  }

  // An element of the same place stays chosen for another image; what led there does not.
  function keep() {
    return state().path.slice(-1);
  }

  function given(now, strokes = read(now.ink)) {
    const { run: name, pen, invert } = now;
    const [crop, box, centre] = [now.crop, now.box, now.centre].map((said) => ({ yes: true, no: false })[said] ?? null);
    return { run: name, pen, crop, box, centre, invert, ...(now.test >= 0 ? { test: now.test } : { strokes }) };
  }

  async function draft(strokes) {
    try {
      const answer = await looking("/api/inside/look", given({ ...state(), test: -1 }, strokes));
      looked = "";
      if (answer !== STALE) draw(state(), unpack(answer));
    } catch (error) {
      fail(error);
    }
  }

  function draw(now, answer) {
    shown = answer;
    const { head, arrays } = answer;
    steps.draw(now, head, arrays);
    chances.draw(head);
    const best = head.confidences.indexOf(Math.max(...head.confidences));
    const right = head.label === null ? "" : head.label === best ? t("inside.right") : t("inside.wrong", { name: head.classes[head.label] });
    show(guess, h("strong", { "data-testid": "best" }, head.classes[best]), right && h("span", { class: head.label === best ? "good" : "bad" }, right));
    maps.draw(head.layers, arrays);
    way.image(arrays.image);
  }

  async function update(now) {
    if (!runs) await listRuns();
    controls.hidden = !runs.length;
    if (!runs.length) return show(figure, h("p", { class: "empty", "data-testid": "no-runs" }, t("inside.no_runs"), " ", h("a", { href: "#/train" }, t("common.train"))));
    if (!now.run) now.run = (runs.findLast(({ data }) => data === "mnist" || data === "digits") ?? runs.at(-1)).name;
    if (!whole.isConnected) show(figure, whole);
    run.set(now.run);
    sheet.set(now.test < 0 ? now.ink : "", now.pen);
    over.set(now.over);
    await test.draw(now.run, now.test);
    const key = JSON.stringify(given(now));
    const same = key === looked;
    if (!same) {
      const buffer = await looking("/api/inside/look", given(now));
      if (buffer === STALE) return;
      draw(now, unpack(buffer));
      looked = key;
    }
    const { head } = shown;
    const best = head.confidences.indexOf(Math.max(...head.confidences));
    classesOf(head.classes, now.target);
    if (!depths.isConnected) show(ledger, depths);
    await Promise.all([explain(now, head, best), lay(now, head), same || program(now)]);
    if (!same) say(t("inside.spoken", { name: head.classes[best], p: sure(head.confidence, head.confidences[best]) }));
  }

  async function program(now) {
    const answer = await writing("/api/inside/script", given(now));
    if (answer !== STALE) script(answer.script);
  }

  async function listRuns() {
    runs = (await ask("/api/runs")).filter(({ model }) => model);
    run.input.replaceChildren(...runs.map(({ name, accuracy }) => h("option", { value: name }, accuracy === null ? name : `${name} · ${(100 * accuracy).toFixed(1)} %`)));
  }

  function classesOf(classes, chosen) {
    if (target.input.length !== classes.length + 1) target.input.replaceChildren(h("option", { value: "-1" }, t("inside.likeliest")), ...classes.map((name, i) => h("option", { value: i }, name)));
    target.set(String(chosen));
  }

  // The ledger of the element that the path ends at, its window in the layer below, its view of the image.
  async function explain(now, head, best) {
    const path = now.path.length ? now.path : [[head.layers.at(-1).name, best]];
    const [layer, ...index] = path.at(-1);
    const told = await telling("/api/inside/pixel", { ...given(now), layer, index });
    if (told === STALE) return;
    way.draw(path, told, new Set([...head.layers.filter((row) => row.ledger).map((row) => row.name), "image"]));
    windows = [...spans(told.ledger.terms), ...(layer === "image" ? [] : [maps.spot(layer, index)])];
    maps.outline(windows);
  }

  async function lay(now, head) {
    if (now.over === "none") return way.lay(null, "none", head.classes);
    const found = await asking("/api/inside/saliency", { ...given(now), ...(now.target >= 0 ? { target: now.target } : {}) });
    if (found !== STALE) way.lay(unpack(found), now.over, head.classes);
  }

  return { update, leave: () => [steps, maps, way].forEach((part) => part.leave()) };
}

// The part of each map that a ledger's terms read.
function spans(terms) {
  const boxes = new Map();
  for (const { x } of terms) {
    if (x.padding || x.index.length !== 3) continue;
    const [channel, row, column] = x.index;
    const key = `${x.tensor} ${channel}`;
    const box = boxes.get(key) ?? { tensor: x.tensor, channel, top: row, bottom: row, left: column, right: column };
    boxes.set(key, { ...box, top: Math.min(box.top, row), bottom: Math.max(box.bottom, row), left: Math.min(box.left, column), right: Math.max(box.right, column) });
  }
  return [...boxes.values()].map(({ tensor, channel, top, bottom, left, right }) => ({ tensor, channel, row: top, column: left, rows: bottom - top + 1, columns: right - left + 1 }));
}
