// Room 1: three losses of numbers beside each other, cross entropy step by step, and two traps.

import { line, STALE } from "../core/api.js";
import { say } from "../core/dom.js";
import { num } from "../core/format.js";
import { list, real, whole } from "../core/state.js";
import { number, toggle } from "../parts/fields.js";
import { entropy } from "./losses/entropy.js";
import { NAMES, pairs } from "./losses/pairs.js";

export const defaults = {
  prediction: [1, 2, 3, 7],
  target: [1.5, 2, 5, 4],
  at: 3,
  column: false,
  logits: [2, -1, 0.5],
  klass: 0,
  twice: false,
};

const numbers = (min, max) => list(real(-1e6, 1e6), min, max);

export const rules = {
  prediction: numbers(1, 12),
  target: numbers(1, 12),
  at: whole(0, 11),
  logits: numbers(2, 10),
  klass: whole(0, 9),
};

export function mount(room) {
  const ask = line();
  const [drawSettings, ofClasses] = settings(room);
  const [drawPairs, drawEntropy] = [pairs(room), entropy(room, ofClasses)];

  async function update(now) {
    settle(now);
    drawSettings(now);
    const { twice: _, ...question } = now;
    const found = await ask("/api/losses", question);
    if (found === STALE) return;
    drawPairs(now, found);
    drawEntropy(now, found);
    room.script(found.script);
    const told = Object.entries(NAMES).map(([name, text]) => `${text} ${num(found.regression[name].value)}`);
    say(told.join(", "));
  }

  return { update };
}

// A link may name a sample or a class that there is not, or have more predictions than targets.
function settle(now) {
  const count = Math.min(now.prediction.length, now.target.length);
  now.prediction = now.prediction.slice(0, count);
  now.target = now.target.slice(0, count);
  now.at = Math.min(now.at, count - 1);
  now.klass = Math.min(now.klass, now.logits.length - 1);
}

// Gives draw(now) and the fields that belong to the classes below.
function settings({ controls, t, set, state }) {
  const resized = (key, count, fill) => Array.from({ length: count }, (_, i) => state()[key][i] ?? fill(i));
  const onsamples = (n) =>
    set({
      prediction: resized("prediction", n, (i) => i),
      target: resized("target", n, (i) => i),
      at: Math.min(state().at, n - 1),
    });
  const onclasses = (n) => set({ logits: resized("logits", n, () => 0), klass: Math.min(state().klass, n - 1) });
  const samples = number(t("losses.samples"), { testid: "samples", min: 1, max: 12, onchange: onsamples });
  const classes = number(t("losses.classes"), { testid: "classes", min: 2, max: 10, onchange: onclasses });
  const column = toggle(t("losses.column"), { testid: "column", onchange: (on) => set({ column: on }) });
  const twice = toggle(t("losses.twice"), { testid: "twice", onchange: (on) => set({ twice: on }) });
  controls.append(samples.element, column.element);

  function draw(now) {
    samples.set(now.prediction.length);
    classes.set(now.logits.length);
    column.set(now.column);
    twice.set(now.twice);
  }

  return [draw, [classes.element, twice.element]];
}
