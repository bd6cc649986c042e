// The settings of room 4: the input and its size, the channels, the settings of Conv2d, examples.

import { reduced } from "../../parts/own-pixels.js";
import { own } from "../../parts/own.js";
import { examples, group, number, pair, select, toggle } from "../../parts/fields.js";
import { EXAMPLES, MODES, PICTURES, defaults } from "./presets.js";
import { CLASSICS, resize, sizes } from "./tensors.js";

const PAIRS = { kernel_size: 1, stride: 1, padding: 0, dilation: 1 }; // and the least that each may be

// change(patch) also brings weight and bias into the shape that the settings ask for.
export function settings({ controls, more, examples: tries, t, set, state }, change) {
  const size = sizesOf({ set, state, change });
  const box = group(t("convolution.size"), Object.values(size));
  const channels = channelsOf({ state, change });
  const pairs = Object.entries(PAIRS).map(([name, min]) => {
    const onchange = (axis, n) => change({ [name]: state()[name].with(axis, n) });
    return [name, pair(name, { min, max: 20, onchange })];
  });
  const same = toggle('`padding="same"`', { testid: "same", onchange: (on) => set({ same: on }) });
  const onbias = (on) => set({ bias: on ? state().weight.map(() => 1) : null });
  const bias = toggle("`bias`", { testid: "bias", onchange: onbias });
  const options = MODES.map((mode) => [mode, mode]);
  const onmode = (padding_mode) => set({ padding_mode });
  const mode = select("`padding_mode`", { testid: "padding_mode", options, onchange: onmode });
  const source = sourceOf({ t, state, change });
  const classic = classicOf({ t, set, state });
  const names = Object.keys(EXAMPLES).map((key, i) => [key, t("convolution.examples")[i]]);
  const elements = Object.fromEntries(pairs.map(([name, two]) => [name, two.element]));
  const { dilation, ...first } = elements;
  const onpicture = (picture) => change({ ...reduced(picture), picture: "own", in_channels: 3, at: [0, 0, 0] });
  const mine = own(t, { onpicture });
  controls.append(source.element, mine.element, box, ...Object.values(first));
  more.append(...Object.values(channels).map((one) => one.element), bias.element, dilation);
  more.append(mode.element, same.element, classic.element);
  const onexample = (key) => set(structuredClone({ ...defaults, ...EXAMPLES[key] }));
  tries.append(examples(t("convolution.try"), names, onexample));

  return { draw, leave: mine.leave };

  function draw(now) {
    source.set(now.picture);
    classic.set(classicIn(now));
    box.hidden = now.picture !== "";
    sizes(now.input).forEach((n, axis) => Object.values(size)[axis].set(n));
    for (const [name, field] of [...Object.entries(channels), ...pairs]) field.set(now[name]);
    same.set(now.same);
    bias.set(now.bias !== null);
    mode.set(now.padding_mode);
  }
}

function sizesOf({ set, state, change }) {
  const resized = (axis, n) => resize(state().input, sizes(state().input).with(axis, n));
  const channels = (c) => {
    const old = state().input.length;
    change({ input: resized(0, c), in_channels: state().in_channels === old ? c : state().in_channels });
  };
  return {
    channels: number("C", { testid: "channels", min: 1, max: 6, onchange: channels }),
    height: number("H", { testid: "height", min: 1, max: 12, onchange: (n) => set({ input: resized(1, n) }) }),
    width: number("W", { testid: "width", min: 1, max: 12, onchange: (n) => set({ input: resized(2, n) }) }),
  };
}

function channelsOf({ state, change }) {
  const field = (name, max, patch) =>
    number(`\`${name}\``, { testid: name, min: 1, max, onchange: (n) => change({ [name]: n, ...patch?.(n) }) });
  return {
    in_channels: field("in_channels", 12),
    out_channels: field("out_channels", 8, (n) => ({ at: state().at.with(0, Math.min(n - 1, state().at[0])) })),
    groups: field("groups", 12),
  };
}

function sourceOf({ t, state, change }) {
  const inputs = (name) => (name === "" ? state().input.length : name === "digit" || name === "drawing" ? 1 : 3);
  return select(t("convolution.source"), {
    testid: "source",
    options: [["", t("convolution.own")], ...PICTURES.map((name, i) => [name, t("convolution.pictures")[i]])],
    onchange: (name) => change({ picture: name, in_channels: inputs(name), at: [0, 0, 0] }),
  });
}

// The name of the classic kernel that lies in the output channel which is chosen, or "".
function classicIn({ weight, at }) {
  const kernels = (weight[at[0]] ?? weight[0]).map((kernel) => JSON.stringify(kernel));
  const found = Object.keys(CLASSICS).find((name) => kernels.every((one) => one === JSON.stringify(CLASSICS[name])));
  return found ?? "";
}

// A classic kernel for the output channel that is chosen.
function classicOf({ t, set, state }) {
  const put = (name) => {
    const { weight, at } = state();
    const square = resize(weight, [weight.length, weight[0].length, 3, 3]);
    const kernel = weight[0].map(() => CLASSICS[name]);
    set({ kernel_size: [3, 3], weight: square.with(at[0], kernel) });
  };
  const options = [["", "…"], ...Object.keys(CLASSICS).map((name) => [name, name])];
  return select(t("convolution.classic"), { testid: "classic", options, onchange: (name) => name && put(name) });
}
