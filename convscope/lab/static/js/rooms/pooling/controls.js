// The settings of room 5: the input and its size, the settings of MaxPool2d or AvgPool2d, examples.

import { list, oneOf, orNull, tensor, whole } from "../../core/state.js";
import { isBase64, reduced } from "../../parts/own-pixels.js";
import { own } from "../../parts/own.js";
import { examples, group, number, pair, select, toggle } from "../../parts/fields.js";
import { build, filler, resize, sizes } from "../convolution/tensors.js";

// prettier-ignore
const IMAGE = [[[1, 3, 2, 1, 0, 2], [4, 2, 1, 5, 3, 1], [0, 1, 6, 2, 2, 2], [7, 2, 3, 1, 2, 2], [1, 0, 2, 4, 8, 1], [3, 5, 1, 2, 0, 6]]];
// prettier-ignore
const TIES = [[[2, 2, 0, 1], [2, 2, 1, 0], [0, 0, 3, 3], [0, 0, 3, 3]]];
const PICTURES = ["digit", "china", "flower", "own"];
const PAIRS = { kernel_size: 1, stride: 1, padding: 0, dilation: 1 }; // and the least that each may be

export const defaults = {
  own: "",
  own_size: [1, 1],
  film: false,
  picture: "",
  input: IMAGE,
  kind: "max",
  kernel_size: [2, 2],
  stride: [2, 2],
  padding: [0, 0],
  dilation: [1, 1],
  ceil_mode: false,
  count_include_pad: true,
  backward: false,
  upstream: null,
  at: [0, 1, 1],
};

const side = (min) => list(whole(min, 12), 2, 2);

export const rules = {
  picture: oneOf(["", ...PICTURES]),
  own: isBase64(12000),
  own_size: list(whole(1, 48), 2, 2),
  input: tensor(3),
  kind: oneOf(["max", "avg"]),
  kernel_size: side(1),
  stride: side(1),
  padding: side(0),
  dilation: side(1),
  upstream: orNull(tensor(3)),
  at: list(whole(0, 1000), 3, 3),
};

const EXAMPLES = {
  plain: {},
  overlap: { kernel_size: [3, 3], stride: [1, 1], at: [0, 1, 2] },
  ties: { input: TIES, backward: true, at: [0, 0, 0] },
  ceil: { input: [build([5, 5], filler)], ceil_mode: true, at: [0, 2, 2] },
  padding: { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1], at: [0, 0, 0] },
  photo: { picture: "flower", kernel_size: [4, 4], stride: [4, 4], at: [0, 6, 9] },
  refused: { kind: "max", kernel_size: [2, 2], padding: [2, 2] },
};

// change(patch) forgets the upstream gradient, whose shape may no longer fit.
export function settings({ controls, more, examples: tries, t, set, state }, change) {
  const kinds = ["max", "avg"].map((kind) => [kind, kind === "max" ? "MaxPool2d" : "AvgPool2d"]);
  const kind = select(t("pooling.kind"), { testid: "kind", options: kinds, onchange: (value) => set({ kind: value }) });
  const source = select(t("pooling.source"), {
    testid: "source",
    options: [["", t("pooling.own")], ...PICTURES.map((name, i) => [name, t("pooling.pictures")[i]])],
    onchange: (name) => change({ picture: name, at: [0, 0, 0] }),
  });
  const resized = (axis) => (n) =>
    change({ input: resize(state().input, sizes(state().input).with(axis, n)), at: [0, 0, 0] });
  const dims = ["C", "H", "W"].map((name, axis) =>
    number(name, { testid: `size-${axis}`, min: 1, max: [4, 12, 12][axis], onchange: resized(axis) }),
  );
  const size = group(t("pooling.size"), dims);
  const pairs = Object.entries(PAIRS).map(([name, min]) => {
    const onchange = (axis, n) => change({ [name]: state()[name].with(axis, n) });
    return [name, pair(name, { min, max: 12, onchange })];
  });
  const switches = {
    ceil_mode: toggle("`ceil_mode`", { testid: "ceil_mode", onchange: (on) => change({ ceil_mode: on }) }),
    count_include_pad: toggle("`count_include_pad`", {
      testid: "count_include_pad",
      onchange: (on) => set({ count_include_pad: on }),
    }),
    backward: toggle(t("pooling.backward"), {
      testid: "backward",
      onchange: (on) => set({ backward: on, film: false, at: [state().at[0], 0, 0] }),
    }),
  };
  const names = Object.keys(EXAMPLES).map((key, i) => [key, t("pooling.examples")[i]]);
  const [kernel, stride, padding, dilation] = pairs.map(([, two]) => two.element);
  const mine = own(t, { onpicture: (picture) => change({ ...reduced(picture), picture: "own", at: [0, 0, 0] }) });
  controls.append(kind.element, source.element, size, kernel, stride, padding);
  more.append(switches.backward.element, dilation, switches.ceil_mode.element, switches.count_include_pad.element);
  const onexample = (key) => set(structuredClone({ ...defaults, kind: state().kind, ...EXAMPLES[key] }));
  tries.append(mine.element, examples(t("pooling.try"), names, onexample));

  const leave = mine.leave;
  return { draw, leave };

  function draw(now) {
    kind.set(now.kind);
    source.set(now.picture);
    size.hidden = now.picture !== "";
    sizes(now.input).forEach((n, axis) => dims[axis].set(n));
    for (const [name, field] of [...pairs, ...Object.entries(switches)]) field.set(now[name]);
    pairs.at(-1)[1].element.hidden = now.kind === "avg"; // AvgPool2d has no dilation
    switches.count_include_pad.element.hidden = now.kind === "max";
  }
}
