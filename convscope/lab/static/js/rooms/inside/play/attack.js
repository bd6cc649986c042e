// FGSM by a slider: the image moved by ε against its class, what was changed twentyfold, and the answer. The server computes
// the scores of all ε at once, so that the slider waits for nothing.

import { STALE, line } from "../../../core/api.js";
import { picture, unpack } from "../../../core/binary.js";
import { h, rich, say, show } from "../../../core/dom.js";
import { num, sure } from "../../../core/format.js";
import { select } from "../../../parts/fields.js";
import { chart } from "../../../parts/chart.js";
import { map } from "../../../parts/map.js";

const TIMES = 20;
const MOST_LINES = 4;
const MIDDLE = 127.5;

export function panel({ t, set, state }, { give }) {
  const asking = line();
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 64,
    id: "epsilon",
    "data-testid": "epsilon",
    oninput: () => draw(Number(slider.value)),
    onchange: () => set({ epsilon: Number(slider.value) }),
  });
  const told = h("output", { for: "epsilon", "data-testid": "epsilon-told" });
  const target = select(t("play.against"), {
    testid: "against",
    options: [],
    onchange: (c) => set({ lossfor: Number(c) }),
  });
  const tile = (key) => map({ label: t(`play.${key}`), testid: `attack-${key}`, width: 196 });
  const [changed, moved] = [tile("change"), tile("moved")];
  const titled = (key, part) =>
    h("figure", { class: "titled" }, h("figcaption", { class: "caption" }, ...rich(t(`play.${key}`))), part.element);
  const verdict = h("p", { class: "outcome", "data-testid": "attack-verdict" });
  const flips = h("p", { class: "hint", "data-testid": "flips" });
  const lines = h("div", { class: "lines" });
  const take = h("button", { "data-testid": "attack-take", onclick: () => give(bytes()) }, t("play.take_image"));
  const element = h(
    "div",
    { class: "attack" },
    h(
      "div",
      { class: "line" },
      h("div", { class: "field range" }, h("label", { for: "epsilon" }, t("play.epsilon")), slider),
      told,
      target.element,
      take,
    ),
    h(
      "div",
      { class: "attacked" },
      titled("change", changed),
      titled("moved", moved),
      h("div", { class: "told" }, verdict, flips, lines),
    ),
  );
  let asked = "";
  let found = null;
  let classes = [];

  async function update(now, { image, head }) {
    fill(head.classes);
    target.set(String(now.lossfor));
    const question = { ...image, ...(now.lossfor >= 0 && { target: now.lossfor }) };
    if (JSON.stringify(question) === asked) asking.drop();
    else {
      const answer = await asking("/api/inside/attack", question);
      if (answer === STALE) return;
      found = unpack(answer);
      asked = JSON.stringify(question);
    }
    slider.value = now.epsilon;
    draw(now.epsilon);
    if (state().epsilon) say(verdict.textContent);
  }

  function fill(names) {
    if (classes.join() === names.join()) return;
    classes = names;
    const automatic = h("option", { value: -1 }, t("play.true_or_likeliest"));
    target.input.replaceChildren(automatic, ...names.map((text, c) => h("option", { value: c }, text)));
  }

  // The image moved by ε, as bytes.
  function bytes(epsilon = Number(slider.value)) {
    const { image, signs } = found.arrays;
    return Uint8ClampedArray.from(image.values, (value, i) => value + epsilon * signs.values[i]);
  }

  function draw(epsilon) {
    if (!found) return;
    const { image } = found.arrays;
    const after = bytes(epsilon);
    moved.draw(picture({ shape: image.shape, values: Float32Array.from(after) }));
    const change = Float32Array.from(after, (value, i) =>
      Math.min(255, Math.max(0, MIDDLE + TIMES * (value - image.values[i]))),
    );
    changed.draw(picture({ shape: image.shape, values: change }));
    told.textContent = t("play.epsilon_is", { epsilon });
    slider.setAttribute("aria-valuetext", told.textContent);
    tell(epsilon);
  }

  function tell(epsilon) {
    const { head, arrays } = found;
    const row = (e) => arrays.confidences.values.subarray(e * classes.length, (e + 1) * classes.length);
    const best = (e) => row(e).indexOf(Math.max(...row(e)));
    const [before, after] = [best(0), best(epsilon)];
    const words = {
      before: classes[before],
      p: sure(head.confidence, row(0)[before]),
      after: classes[after],
      q: sure(head.confidence, row(epsilon)[after]),
    };
    show(
      verdict,
      h(
        "strong",
        { class: before === after ? "" : "bad", "data-testid": "attack-best", "data-value": row(epsilon)[after] },
        words.after,
      ),
      " ",
      t("play.attacked", words),
    );
    flips.textContent =
      head.flips_at === null
        ? t("play.never_flips")
        : t("play.flips_at", { epsilon: head.flips_at, name: classes[best(head.flips_at)] });
    const every = Array.from({ length: arrays.confidences.shape[0] }, (_, e) => e);
    const named = [...new Set([head.target, before, ...every.map(best)])].slice(0, MOST_LINES);
    const series = named.map((c, kind) => ({ name: classes[c], kind, points: every.map((e) => [e, row(e)[c]]) }));
    const label = t("play.attack_chart");
    show(lines, chart(t, { label, x: "ε", y: t("play.sure"), series, mark: epsilon, testid: "attack-chart" }));
    verdict.dataset.epsilon = num(epsilon);
  }

  return { element, update, leave: () => [changed, moved].forEach((part) => part.leave()) };
}
