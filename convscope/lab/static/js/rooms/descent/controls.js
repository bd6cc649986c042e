// The settings of room 3, and those of the question how many updates an epoch takes.

import { h } from "../../core/dom.js";
import { list, oneOf, orNull, real, whole } from "../../core/state.js";
import { examples, number, select, toggle } from "../../parts/fields.js";
import { DIRECTIONS } from "./slice.js";

export const AXES = ["updates", "samples", "seconds"];
export const SURFACES = ["line", "valley", "saddle", "two-minima"];
export const KINDS = ["stochastic", "mini", "full", "momentum", "nesterov", "adam"];
export const OPTIMIZERS = KINDS.slice(3);
const ADDED = { momentum: "add-momentum", nesterov: "add-nesterov", adam: "add-adam" };
export const END = 1e6; // the slider at its end: where a room opens

export const defaults = {
  surface: "line",
  start: null,
  optimizers: [],
  momentum: 0.9,
  adam_lr: 0.2,
  samples: 60,
  batch_size: 8,
  epochs: 4,
  lr: 0.05,
  seed: 0,
  regime: 1,
  axis: "samples",
  at: END,
  run: "",
  directions: "path",
  pair: 0,
  count_samples: 40000,
  count_batch_size: 32,
  drop_last: false,
};

const LIMITS = {
  samples: [4, 400],
  batch_size: [2, 399],
  epochs: [1, 1000],
  lr: [1e-6, 10],
  adam_lr: [1e-6, 10],
  momentum: [0, 0.99],
  seed: [0, 999999],
  pair: [0, 999999],
  count_samples: [1, 1e12],
  count_batch_size: [1, 1e12],
};
const REAL = ["lr", "adam_lr", "momentum"];

const bounded = ([key, limits]) => [key, (REAL.includes(key) ? real : whole)(...limits)];

export const rules = {
  ...Object.fromEntries(Object.entries(LIMITS).map(bounded)),
  surface: oneOf(SURFACES),
  start: orNull(list(real(-1000, 1000), 2, 2)),
  optimizers: list(oneOf(OPTIMIZERS), 0, 3),
  regime: whole(0, 5),
  axis: oneOf(AXES),
  directions: oneOf(DIRECTIONS),
  at: whole(0, END),
};

const free = { optimizers: OPTIMIZERS, regime: 3, epochs: 100, axis: "updates" };
const EXAMPLES = [
  {},
  { optimizers: OPTIMIZERS, regime: 5 },
  { surface: "valley", ...free },
  { surface: "saddle", ...free },
  { surface: "two-minima", ...free },
  { surface: "valley", ...free, optimizers: ["momentum"], regime: 2, lr: 0.104 },
];

// Another surface: from its own start, by all rules, with as many updates as it takes.
const onto = (surface) => ({ ...(surface === "line" ? defaults : { ...defaults, ...free }), surface });

// Gives {draw, cut}: cut are the controls of the other question.
export function settings({ controls, more, examples: tries, t, set }) {
  const field = (key, label = t(`descent.${key}`)) => {
    const [min, max] = LIMITS[key];
    const again = key.startsWith("count") ? {} : { at: END };
    const step = REAL.includes(key) ? "any" : 1;
    return number(label, { testid: key, min, max, step, onchange: (n) => set({ [key]: n, ...again }) });
  };
  const fields = {
    lr: field("lr", "`lr`"),
    epochs: field("epochs"),
    batch_size: field("batch_size", "`batch_size`"),
    samples: field("samples"),
    seed: field("seed", "`seed`"),
    momentum: field("momentum", "`momentum`"),
    adam_lr: field("adam_lr"),
    count_samples: field("count_samples"),
    count_batch_size: field("count_batch_size", "`batch_size`"),
  };
  const choice = (key, values, words, patch) =>
    select(t(`descent.${key}`), {
      testid: key,
      options: values.map((value, i) => [String(value), words(value, i)]),
      onchange: (value) => set(patch(value)),
    });
  const named = (kind) => t(`descent.${kind}`);
  const selects = {
    surface: choice("surface", SURFACES, (one) => t(`descent.surface_${one}`), onto),
    regime: choice(
      "regime",
      [0, 1, 2, 3, 4, 5],
      (k) => named(KINDS[k]),
      (k) => followed(Number(k)),
    ),
    axis: choice(
      "axis",
      AXES,
      (one) => t(`descent.axis_${one}`),
      (axis) => ({ axis, at: END }),
    ),
  };
  let chosen = [];
  const followed = (k) => ({ regime: k, ...(k > 2 && { optimizers: with_(chosen, KINDS[k], true) }) });
  const toggles = OPTIMIZERS.map((one) =>
    toggle(named(one), {
      testid: ADDED[one],
      onchange: (on) => set({ optimizers: with_(chosen, one, on), at: END }),
    }),
  );
  const drop = toggle("`drop_last`", { testid: "drop_last", onchange: (on) => set({ drop_last: on }) });
  const place = (...keys) => keys.map((key) => (fields[key] ?? selects[key]).element);
  controls.append(...place("surface", "lr", "epochs"), ...toggles.map((one) => one.element));
  controls.append(...place("regime", "axis"));
  const again = h(
    "button",
    { "data-testid": "start-again", onclick: () => set({ start: null }) },
    t("descent.start_again"),
  );
  more.append(...place("batch_size", "samples", "seed", "momentum", "adam_lr"), again);
  const names = t("descent.examples").map((words, i) => [i, words]);
  tries.append(examples(t("descent.try"), names, (i) => set({ ...defaults, ...EXAMPLES[i] })));

  function draw(now) {
    chosen = now.optimizers;
    for (const [key, one] of Object.entries({ ...fields, ...selects })) one.set(now[key]);
    toggles.forEach((one, i) => one.set(chosen.includes(OPTIMIZERS[i])));
    drop.set(now.drop_last);
    const passes = now.surface === "line" ? "descent.epochs" : "descent.axis_updates";
    fields.epochs.element.querySelector("label").textContent = t(passes);
    for (const key of ["batch_size", "samples", "seed"]) fields[key].element.hidden = now.surface !== "line";
    again.disabled = now.start === null;
  }

  return { draw, cut: h("div", { class: "line" }, place("count_samples", "count_batch_size"), drop.element) };
}

function with_(chosen, one, on) {
  return OPTIMIZERS.filter((name) => (name === one ? on : chosen.includes(name)));
}
