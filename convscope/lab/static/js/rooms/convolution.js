// Room 4: input, kernels and output, all in the user's hands; every output number opens its ledger.

import { line, STALE } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { count, formula } from "../core/format.js";
import { drawing } from "../parts/drawing.js";
import { number, select, toggle } from "../parts/fields.js";
import { read, write } from "../parts/ink.js";
import { ledger } from "../parts/ledger.js";
import { stepper } from "../parts/stepper.js";
import { pictures } from "./convolution/figure.js";
import { CLASSICS, build, filler, resize, settle, sizes } from "./convolution/tensors.js";
import { refusal } from "./convolution/refusal.js";

const NOTE = [[[3, 4, 6, 5, 7], [2, 4, 6, 8, 2], [1, 6, 7, 8, 4], [9, 7, 4, 6, 2], [3, 7, 5, 4, 1]]];
const SEVEN = write([[[28, 28], [84, 28], [48, 92]], [[42, 60], [78, 60]]]);

export const defaults = {
  picture: "", input: NOTE, ink: SEVEN, pen: 10, in_channels: 1, out_channels: 1, kernel_size: [3, 3], weight: [[CLASSICS["1…9"]]], bias: null,
  stride: [1, 1], padding: [1, 1], same: false, padding_mode: "zeros", dilation: [1, 1], groups: 1, at: [0, 1, 1],
};

const EXAMPLES = {
  note: {},
  stride: { stride: [2, 2], padding: [0, 0], at: [0, 0, 0] },
  volume: { input: build([3, 6, 6], filler), in_channels: 3, weight: build([1, 3, 3, 3], filler), padding: [0, 0], at: [0, 0, 0] },
  groups: { input: build([4, 5, 5], filler), in_channels: 4, out_channels: 4, groups: 2, weight: build([4, 2, 3, 3], filler), at: [2, 1, 1] },
  dilation: { picture: "digit", weight: [[CLASSICS["Sobel x"]]], dilation: [2, 2], padding: [2, 2], at: [0, 3, 3] },
  photo: { picture: "china", in_channels: 3, out_channels: 2, weight: [[CLASSICS["Sobel x"], CLASSICS["Sobel x"], CLASSICS["Sobel x"]], [CLASSICS["Sobel y"], CLASSICS["Sobel y"], CLASSICS["Sobel y"]]], at: [0, 20, 30] },
  drawing: { picture: "drawing", weight: [[CLASSICS["Sobel x"]]], at: [0, 11, 17] },
  channels: { input: build([6, 4, 4], filler), in_channels: 5, weight: build([1, 5, 3, 3], filler), at: [0, 0, 0] },
};

export const beside = true; // the ledger stands beside the figure where there is room

export function mount({ controls, figure, ledger: panel, script, t, set, state }) {
  const ask = line();
  const askLedger = line();
  let answer = null;
  let asked = "";

  // A change of settings, with weight and bias brought into the shape that it asks for.
  const change = (patch) => set({ ...patch, ...settle({ ...state(), ...patch }) });
  const own = () => state().picture === "";
  const fields = {
    channels: number("C", { testid: "channels", min: 1, max: 6, onchange: (c) => {
      const [old, ...rest] = sizes(state().input);
      change({ input: resize(state().input, [c, ...rest]), in_channels: state().in_channels === old ? c : state().in_channels });
    } }),
    height: number("H", { testid: "height", min: 1, max: 12, onchange: (n) => set({ input: resize(state().input, sizes(state().input).with(1, n)) }) }),
    width: number("W", { testid: "width", min: 1, max: 12, onchange: (n) => set({ input: resize(state().input, sizes(state().input).with(2, n)) }) }),
    in_channels: number("`in_channels`", { testid: "in_channels", min: 1, max: 12, onchange: (n) => change({ in_channels: n }) }),
    out_channels: number("`out_channels`", { testid: "out_channels", min: 1, max: 8, onchange: (n) => change({ out_channels: n, at: state().at.with(0, Math.min(n - 1, state().at[0])) }) }),
    groups: number("`groups`", { testid: "groups", min: 1, max: 12, onchange: (n) => change({ groups: n }) }),
  };
  const pair = (key, min) => [0, 1].map((axis) =>
    number(["H", "W"][axis], { testid: `${key}-${axis}`, min, max: 20, onchange: (n) => change({ [key]: state()[key].with(axis, n) }) }));
  const pairs = { kernel_size: pair("kernel_size", 1), stride: pair("stride", 1), padding: pair("padding", 0), dilation: pair("dilation", 1) };
  const same = toggle("`padding=\"same\"`", { testid: "same", onchange: (on) => set({ same: on }) });
  const bias = toggle("`bias`", { testid: "bias", onchange: (on) => set({ bias: on ? state().weight.map(() => 1) : null }) });
  const mode = select("`padding_mode`", { testid: "padding_mode", options: ["zeros", "reflect", "replicate", "circular"].map((m) => [m, m]), onchange: (m) => set({ padding_mode: m }) });
  const source = select(t("convolution.source"), { testid: "source", options: [["", t("convolution.own")], ...["digit", "china", "flower", "drawing"].map((p, i) => [p, t("convolution.pictures")[i]])],
    onchange: (name) => change({ picture: name, in_channels: name === "" ? state().input.length : name === "digit" || name === "drawing" ? 1 : 3, at: [0, 0, 0] }) });
  const sheet = drawing(t, { ondraft: (strokes) => set({ ink: write(strokes) }), onink: (ink) => set({ ink }), onpen: (pen) => set({ pen }) });
  const classic = select(t("convolution.classic"), { testid: "classic", options: [["", "…"], ...Object.keys(CLASSICS).map((k) => [k, k])],
    onchange: (name) => name && set({ kernel_size: [3, 3], weight: resize(state().weight, [state().weight.length, state().weight[0].length, 3, 3]).with(state().at[0], state().weight[0].map(() => CLASSICS[name])) }) });
  controls.append(
    source.element, h("fieldset", {}, h("legend", {}, t("convolution.size")), fields.channels.element, fields.height.element, fields.width.element), classic.element,
    fields.in_channels.element, fields.out_channels.element, fields.groups.element, bias.element,
    h("div", { class: "line" }, Object.entries(pairs).map(([name, two]) => h("fieldset", {}, h("legend", {}, h("code", {}, name)), two.map((one) => one.element))), mode.element, same.element),
    h("p", { class: "examples" }, t("convolution.try"), " ", Object.keys(EXAMPLES).map((key, i) =>
      h("button", { class: "quiet", "data-testid": `example-${key}`, onclick: () => set({ ...structuredClone(defaults), ...structuredClone(EXAMPLES[key]) }) }, t("convolution.examples")[i]))));

  const steps = stepper(t, { label: t("convolution.windows"), testid: "windows", onstep: (p) => {
    const [, , columns] = sizes(answer.output);
    pick(state().at[0], Math.floor(p / columns), p % columns);
  } });
  const view = pictures(t, { edit, pick, above: sheet.element });
  const terms = ledger(t, { onterm: (term) => view.link(term) });
  const facts = h("div", { class: "facts" });
  const room = h("div", { class: "conv" }, view.element, steps.element, facts);

  function edit(tensor, value) {
    set(typeof tensor === "string" ? { [tensor]: value } : tensor);
  }

  function pick(o, row, column) {
    const now = state().at;
    if (now[0] !== o || now[1] !== row || now[2] !== column) set({ at: [o, row, column] });
  }

  function question(now) {
    const { same: whole, picture, input, ink, pen, out_channels: _, kernel_size: __, ...rest } = now;
    const drawn = picture === "drawing" ? { strokes: read(ink), pen } : {};
    return { ...rest, ...(picture ? { picture, ...drawn } : { input }), padding: whole ? "same" : now.padding };
  }

  async function update(now) {
    draw(now);
    const body = question(now);
    const key = JSON.stringify({ ...body, at: null });
    if (key !== asked) {
      const found = await ask("/api/convolution", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      if (answer.refused) {
        steps.stop();
        show(figure, refusal(t, answer, (patch) => change("padding" in patch ? { ...patch, same: false } : patch)));
        show(panel);
        say(answer.refused.message);
        return;
      }
      show(figure, room);
      show(panel, terms.element);
      script(answer.script);
      facts.replaceChildren(...fact(now));
    }
    if (answer.refused) return;
    const shapeNow = sizes(answer.output);
    const at = now.at.map((i, axis) => Math.min(i, shapeNow[axis] - 1));
    view.draw(now, answer, at);
    steps.set(at[1] * shapeNow[2] + at[2], shapeNow[1] * shapeNow[2] - 1, `output[${at.join(",")}]`);
    const found = await askLedger("/api/convolution/ledger", { ...body, at });
    if (found !== STALE) terms.draw(found);
  }

  function draw(now) {
    const [c, height, width] = sizes(now.input);
    source.set(now.picture);
    sheet.element.hidden = now.picture !== "drawing";
    sheet.set(now.ink, now.pen);
    classic.set("");
    for (const [field, value] of [["channels", c], ["height", height], ["width", width]]) {
      fields[field].set(value);
      fields[field].element.parentElement.hidden = !own();
    }
    for (const name of ["in_channels", "out_channels", "groups"]) fields[name].set(now[name]);
    for (const [name, two] of Object.entries(pairs)) two.forEach((one, axis) => one.set(now[name][axis]));
    same.set(now.same);
    bias.set(now.bias !== null);
    mode.set(now.padding_mode);
  }

  function fact(now) {
    const rows = answer.rows.formula === answer.columns.formula ? [["H, W", answer.rows]] : [["H", answer.rows], ["W", answer.columns]];
    return [
      ...rows.map(([axis, side]) => h("p", {}, h("strong", {}, axis), " ", formula(side.formula))),
      h("p", {}, h("code", {}, `weight (${sizes(now.weight).join(", ")})`), " ", t("convolution.facts", { parameters: count(answer.parameters), each: count(answer.products_each), products: count(answer.products) })),
    ];
  }

  return { update, leave: () => { steps.stop(); view.leave(); } };
}
