// The front page: a net made of glass. Draw, and every layer answers while the stroke grows.

import { prepare } from "../engine.js";
import { STALE, ask, line } from "../core/api.js";
import { unpack } from "../core/binary.js";
import { h, say, show } from "../core/dom.js";
import { sure } from "../core/format.js";
import { select } from "../parts/fields.js";
import { SIDE, read } from "../parts/ink.js";
import { raster } from "../parts/pad.js";
import { warning } from "../parts/warning.js";
import { source } from "./inside/picker.js";
import { forget, open } from "./glass/nets.js";
import { fromBase64, toBase64 } from "../parts/own-pixels.js";
import { BUNDLED, fits } from "./glass/state.js";
import { view } from "./glass/view.js";

export { defaults, rules } from "./glass/state.js";

export function mount(room) {
  const { controls, figure, ledger, t, set, state, fail } = room;
  const screen = view(room, { ondraft: (strokes) => draft(strokes).catch(fail), onpicture });
  const [nets, server] = [choice(room), questions(room, screen)];
  let net = null;
  let large = null; // a picture too large for the address: {run, pixels}
  let seen = ""; // the picture on the screen
  let turn = 0;
  const teach = h("a", { class: "teach", href: "#/classes", "data-testid": "teach" }, t("glass.teach"), " →");
  controls.append(...nets.elements, teach);
  room.onpage(
    async () => new Blob([await ask(`/api/glass/${encodeURIComponent(net.run)}/page`)], { type: "text/html" }),
  );

  async function draft(strokes) {
    if (!net?.net.ink) return;
    const mine = ++turn;
    const answer = await net.look(inked(net.net, strokes, state().pen));
    if (answer !== STALE && mine === turn) screen.draw(net, answer);
    seen = "";
  }

  function onpicture({ rgba, height, width }) {
    const pixels = prepare(net.net, rgba, height, width);
    large = fits(pixels) ? null : { run: net.run, pixels };
    set({ pixels: large ? "" : toBase64(pixels), test: -1, ink: "" });
  }

  async function update(now) {
    const mine = ++turn;
    await nets.draw(now.run || BUNDLED);
    net = await open(now.run || BUNDLED);
    if (mine !== turn) return;
    if (!screen.element.isConnected) show(figure, screen.element);
    if (!screen.slide.isConnected) show(ledger, screen.slide);
    await screen.settings(now, net);
    const pixels = await given(now, net, large);
    const answer = mine === turn ? await net.look(pixels) : STALE;
    if (answer === STALE || mine !== turn) return;
    screen.draw(net, answer);
    const image = { run: net.run, pixels: toBase64(pixels) };
    const fresh = JSON.stringify(image) !== seen;
    seen = JSON.stringify(image);
    await Promise.all([server.count(image), server.explain(now.path, image), fresh && server.program(image)]);
    if (fresh) said(answer);
  }

  function said({ confidences }) {
    const { classes, confidence } = net.net;
    const best = confidences.indexOf(Math.max(...confidences));
    say(t("inside.spoken", { name: classes[best], p: sure(confidence, confidences[best]) }));
  }

  return { update, leave: screen.leave, reconnect: forget };
}

// What only the server knows: what every number counts in the answer, ledgers, the program.
function questions({ script }, screen) {
  const [counting, telling, writing] = [line(), line(), line()];

  async function count(image) {
    const found = await counting("/api/glass/shares", image);
    if (found === STALE) return;
    const { head, arrays } = unpack(found);
    const gradients = Object.fromEntries(Object.entries(arrays).map(([name, { values }]) => [name, values]));
    screen.gradients({ target: head.target, gradients });
  }

  async function explain(path, image) {
    telling.drop();
    if (!path.length) return screen.close();
    const [layer, ...index] = path.at(-1);
    const told = await telling("/api/inside/pixel", { ...image, layer, index });
    if (told !== STALE) screen.explain(path, told);
  }

  async function program(image) {
    const answer = await writing("/api/inside/script", image);
    if (answer !== STALE) script(answer.script);
  }

  return { count, explain, program };
}

function inked(net, strokes, pen) {
  return prepare(net, raster(strokes, pen), SIDE, SIDE);
}

// The bytes that the net is given: a test image, a picture, or what is drawn.
async function given(now, { run, net }, large) {
  const bytes = now.pixels ? fromBase64(now.pixels) : null;
  if (bytes?.length === net.image.reduce((a, b) => a * b, 1)) return bytes;
  if (large?.run === run && now.test < 0 && !now.ink) return large.pixels;
  if (now.test < 0 && net.ink) return inked(net, read(now.ink), now.pen);
  return tested(net, source(run, Math.max(0, now.test)));
}

async function tested({ image: [channels, height, width] }, address) {
  const bytes = new Uint8Array(channels * height * width);
  const response = await fetch(address);
  if (!response.ok) return bytes; // a run whose data are gone: nothing to begin with
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  ink.drawImage(await createImageBitmap(await response.blob()), 0, 0);
  const { data } = ink.getImageData(0, 0, width, height);
  return bytes.map((_, i) => data[4 * (i % (height * width)) + Math.floor(i / (height * width))]);
}

// Which net: the bundled one, or any run.
function choice({ t, set }) {
  const field = select(t("glass.net"), {
    testid: "run",
    options: [[BUNDLED, t("glass.bundled")]],
    onchange: (run) => set({ run: run === BUNDLED ? "" : run, test: -1, pixels: "", path: [] }),
  });
  let runs = null;
  const against = h("div", { class: "against" });

  async function draw(run) {
    if (!runs) {
      runs = [];
      const words = ({ name, accuracy }) => (accuracy === null ? name : `${name} · ${(100 * accuracy).toFixed(1)} %`);
      runs = (await ask("/api/runs")).filter(({ model }) => model);
      field.input.append(...runs.map((one) => h("option", { value: one.name }, words(one))));
    }
    field.set(run);
    show(against, warning(t, runs.find(({ name }) => name === run)?.warning));
  }

  return { elements: [field.element, against], draw };
}
