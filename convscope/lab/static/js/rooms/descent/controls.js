// The settings of room 3, and those of the question how many updates an epoch takes.

import { h } from "../../core/dom.js";
import { oneOf, real, whole } from "../../core/state.js";
import { number, select, toggle } from "../../parts/fields.js";

export const AXES = ["updates", "samples", "seconds"];

export const defaults = {
  samples: 60,
  batch_size: 8,
  epochs: 4,
  lr: 0.05,
  seed: 0,
  regime: 1,
  axis: "samples",
  at: 0,
  count_samples: 40000,
  count_batch_size: 32,
  drop_last: false,
};

const LIMITS = {
  samples: [4, 400],
  batch_size: [2, 399],
  epochs: [1, 100],
  lr: [1e-6, 10],
  seed: [0, 999999],
  count_samples: [1, 1e12],
  count_batch_size: [1, 1e12],
};

const bounded = ([key, limits]) => [key, (key === "lr" ? real : whole)(...limits)];

export const rules = {
  ...Object.fromEntries(Object.entries(LIMITS).map(bounded)),
  regime: whole(0, 2),
  axis: oneOf(AXES),
  at: whole(0, 1e6),
};

// names: the three regimes in words. Gives {draw, cut}: cut are the controls of the other question.
export function settings({ controls, t, set }, names) {
  const field = (key, label = t(`descent.${key}`)) => {
    const [min, max] = LIMITS[key];
    const again = key.startsWith("count") ? {} : { at: 0 };
    const step = key === "lr" ? "any" : 1;
    return number(label, { testid: key, min, max, step, onchange: (n) => set({ [key]: n, ...again }) });
  };
  const fields = {
    samples: field("samples"),
    batch_size: field("batch_size", "`batch_size`"),
    epochs: field("epochs"),
    lr: field("lr", "`lr`"),
    seed: field("seed", "`seed`"),
    count_samples: field("count_samples"),
    count_batch_size: field("count_batch_size", "`batch_size`"),
  };
  const regime = select(t("descent.regime"), {
    testid: "regime",
    options: names.map((name, k) => [String(k), name]),
    onchange: (k) => set({ regime: Number(k) }),
  });
  const axis = select(t("descent.axis"), {
    testid: "axis",
    options: AXES.map((name) => [name, t(`descent.axis_${name}`)]),
    onchange: (name) => set({ axis: name, at: 0 }),
  });
  const drop = toggle("`drop_last`", { testid: "drop_last", onchange: (on) => set({ drop_last: on }) });
  const { count_samples: count, count_batch_size: size, ...own } = fields;
  controls.append(...Object.values(own).map((one) => one.element), regime.element, axis.element);

  function draw(now) {
    for (const [key, one] of Object.entries(fields)) one.set(now[key]);
    regime.set(String(now.regime));
    axis.set(now.axis);
    drop.set(now.drop_last);
  }

  return { draw, cut: h("div", { class: "line" }, count.element, size.element, drop.element) };
}
