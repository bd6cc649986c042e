// Room 4: input, kernels and output, all in the user's hands; every output number opens its ledger.

import { line, STALE } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { count } from "../core/format.js";
import { drawing } from "../parts/drawing.js";
import { film, reels } from "../parts/film.js";
import { read, write } from "../parts/ink.js";
import { inColour, tensorOf } from "../parts/own-pixels.js";
import { ledger } from "../parts/ledger.js";
import { stepper } from "../parts/stepper.js";
import { settings } from "./convolution/controls.js";
import { sizeFormulas } from "./convolution/facts.js";
import { pictures } from "./convolution/figure.js";
import { refusal } from "./convolution/refusal.js";
import { script } from "./convolution/script.js";
import { settle, sizes } from "./convolution/tensors.js";

export { defaults, rules } from "./convolution/presets.js";
export const beside = true; // the ledger stands beside the figure where there is room

export function mount(room) {
  const { figure, ledger: panel, t, set, state } = room;
  const [ask, askLedger] = [line(), line()];
  let answer = null;
  let asked = "";
  // A change of settings, with weight and bias brought into the shape that it asks for.
  const change = (patch) => set({ ...patch, ...settle({ ...state(), ...patch }) });
  const fix = (patch) => change("padding" in patch ? { ...patch, same: false } : patch);
  const form = settings(room, change);
  const view = output(room, () => answer);

  async function update(now) {
    form.draw(now);
    view.sheet(now);
    const body = question(now);
    const key = JSON.stringify({ ...body, at: null });
    if (key === asked) ask.drop();
    else {
      const found = await ask("/api/convolution", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      if (answer.refused) return refuse();
      show(figure, view.element);
      show(panel, view.terms);
      room.script(answer.script);
    }
    if (answer.refused) return;
    const at = view.draw(now, answer);
    const found = await askLedger("/api/convolution/ledger", { ...body, at });
    if (found !== STALE) view.explain(found);
  }

  function refuse() {
    view.stop();
    show(figure, refusal(t, answer, fix));
    show(panel);
    say(answer.refused.message);
  }

  const leave = () => [form, view].forEach((part) => part.leave());
  return { update, leave };
}

function question(now) {
  const {
    same,
    picture,
    input: numbers,
    own,
    own_size,
    ink,
    pen,
    film: _,
    out_channels: __,
    kernel_size: ___,
    ...rest
  } = now;
  const drawn = picture === "drawing" ? { strokes: read(ink), pen } : {};
  const input = picture === "own" ? (tensorOf({ own, own_size }) ?? numbers) : numbers;
  return {
    ...rest,
    ...(picture && picture !== "own" ? { picture, ...drawn } : { input }),
    padding: same ? "same" : now.padding,
  };
}

// The three columns, the steps of the window, the facts, and the ledger of the chosen element.
function output({ t, set, state }, answer) {
  const draft = (strokes) => set({ ink: write(strokes) });
  const pad = drawing(t, { ondraft: draft, onink: (ink) => set({ ink }), onpen: (pen) => set({ pen }) });
  const edit = (tensor, value) => set({ [tensor]: value });
  const whole = inColour(t("convolution.whole"));
  const columns = pictures(t, { edit, pick, above: [pad.element, whole.element] });
  const steps = stepper(t, { label: t("convolution.windows"), testid: "windows", onstep });
  const terms = ledger(t, { onterm: (term) => columns.link(term) });
  const facts = h("div", { class: "facts" });
  const movie = film(t, { label: t("convolution.film"), name: "convolution" });
  const words = { channel: (c) => `${t("common.by_input")} ${c}`, bias: t("common.a_bias") };
  const reel = reels(t, { set, state, still: [columns.element, steps.element], film: movie.element });
  const element = h("div", { class: "conv" }, reel.element, facts);

  function onstep(position) {
    const [, , wide] = sizes(answer().output);
    pick(state().at[0], Math.floor(position / wide), position % wide);
  }

  function pick(o, row, column) {
    const now = state().at;
    if (now[0] !== o || now[1] !== row || now[2] !== column) set({ at: [o, row, column] });
  }

  function sheet(now) {
    pad.element.hidden = now.picture !== "drawing";
    pad.set(now.ink, now.pen);
  }

  // Gives the element that is shown: the chosen one, or the nearest that there is.
  function draw(now, shown) {
    const [, rows, wide] = sizes(shown.output);
    const at = now.at.map((i, axis) => Math.min(i, sizes(shown.output)[axis] - 1));
    whole.draw(now.picture ? shown.input : null);
    columns.draw(now, shown, at);
    reel.draw(now.film);
    if (now.film) movie.draw(script(now, shown, at[0], words));
    else movie.stop();
    steps.set(at[1] * wide + at[2], rows * wide - 1, `output[${at.join(",")}]`);
    const shape = h("code", {}, `weight (${sizes(now.weight).join(", ")})`);
    const [parameters, each, products] = ["parameters", "products_each", "products"].map((key) => count(shown[key]));
    const told = t("convolution.facts", { parameters, each, products });
    const edge = now.picture && now.padding_mode === "zeros" && now.padding.some((p) => p > 0);
    const why = edge ? [h("p", { class: "hint", "data-testid": "edge" }, t("convolution.edge"))] : [];
    facts.replaceChildren(...sizeFormulas(shown), h("p", {}, shape, " ", told), ...why);
    return at;
  }

  function leave() {
    stop();
    movie.leave();
    whole.leave();
    columns.leave();
  }

  function stop() {
    steps.stop();
    movie.stop();
  }

  return { element, terms: terms.element, explain: terms.draw, sheet, draw, leave, stop };
}
