// What is on the front page: the sheet, the net from left to right, the answer; the lens below, the ledger at the side.

import { h, show } from "../../core/dom.js";
import { drawing } from "../../parts/drawing.js";
import { own } from "../../parts/own.js";
import { bars } from "../inside/bars.js";
import { picker } from "../inside/picker.js";
import { columns } from "./columns.js";
import { focus } from "./focus.js";
import { lens } from "./lens.js";
import { ribbons } from "./ribbons.js";
import { slide } from "./slide.js";
import { EXAMPLE } from "./state.js";

// ondraft(strokes) while a stroke grows; onpicture({rgba, height, width}) a picture of the reader's own.
export function view({ t, set, state }, { ondraft, onpicture }) {
  const [bands, glass] = [ribbons(), lens(t)];
  const net = columns(t, { onat });
  const chances = bars(t, {
    onpick: (c) => set({ path: [[shown.net.layers.at(-1).name, c]] }),
    onat: (c) => (c === null ? lit.clear() : lit.light("", c)),
  });
  const lit = focus({ net, chances, bands, glass });
  const left = sheet({ t, set }, { ondraft, onpicture });
  const best = h("strong", { "data-testid": "best" });
  const sure = h("span", { class: "n hint", "data-testid": "sure" });
  const answer = h("div", { class: "said" }, h("p", { class: "guess" }, best, sure), chances.element);
  const depth = h(
    "button",
    { class: "quiet", "data-testid": "depth", "aria-pressed": "false", onclick: () => set({ depth: !state().depth }) },
    t("glass.depth"),
  );
  const strip = h("div", { class: "strip", tabindex: "-1" }, net.element);
  const element = h(
    "div",
    { class: "glass" },
    left.element,
    strip,
    answer,
    bands.element,
    h("div", { class: "foot" }, glass.element, depth),
  );
  const way = slide(t, { go: (path) => set({ path }), onplaces: (places) => net.outline(places) });
  let shown = null; // {net, answer}
  strip.addEventListener("scroll", lit.again);
  strip.addEventListener("transitionend", lit.again);

  function onat(layer, index, how) {
    if (index === null) return lit.clear();
    lit.light(layer, index);
    if (how === "pin" && (layer.ledger || layer.name === "image")) set({ path: [[layer.name, ...index]] });
  }

  function settings(now, opened) {
    depth.setAttribute("aria-pressed", String(now.depth));
    strip.classList.toggle("deep", now.depth);
    return left.draw(now, opened);
  }

  function draw(opened, given, label = null) {
    shown = { net: opened, answer: given };
    const { classes, confidence } = opened.net;
    const confidences = [...given.confidences];
    const top = confidences.indexOf(Math.max(...confidences));
    chances.draw({ classes, confidence, confidences, label });
    show(best, classes[top]);
    best.classList.toggle("word", classes[top].length > 3);
    net.draw(opened, given);
    lit.draw({ net: opened, answer: given, best: top });
  }

  function explain(path, told) {
    const known = new Set([...shown.net.layers.filter((row) => row.ledger).map((row) => row.name), "image"]);
    way.draw(path, told, known, { shape: shown.net.net.image, values: Float32Array.from(shown.answer.pixels) });
  }

  const leave = () => [left, net, glass, way].forEach((part) => part.leave());
  return { element, slide: way.element, settings, draw, explain, close: way.hide, gradients: lit.gradients, leave };
}

// The sheet, test images where the run has them, and the reader's own pictures.
function sheet({ t, set }, { ondraft, onpicture }) {
  const ondone = (ink) => set({ ink, test: -1, pixels: "" });
  const pad = drawing(t, { ondraft, onink: ondone, onpen: (pen) => set({ pen }) });
  const hint = h("p", { class: "hint call" }, t("glass.draw_here"));
  const mine = own(t, { onpicture });
  const test = picker(t, { onpick: (index) => set({ test: index, pixels: "" }) });
  const element = h("div", { class: "sheet" }, hint, pad.element, mine.element, test.element);

  function draw(now, { net, bundled, run }) {
    pad.element.hidden = !net.ink;
    hint.hidden = !net.ink;
    hint.textContent = t(now.ink === EXAMPLE ? "glass.draw_here" : "glass.drawn");
    const drawn = now.test < 0 && !now.pixels;
    pad.set(drawn ? now.ink : "", now.pen, now.ink === EXAMPLE);
    test.element.hidden = bundled;
    return bundled ? null : test.draw(run, now.test);
  }

  return { element, draw, leave: mine.leave };
}
