// Room 6: the shape after every layer. The chain is edited as text or block by block in the table itself.

import { line, STALE } from "../core/api.js";
import { h, rich, show } from "../core/dom.js";
import { count, shape } from "../core/format.js";
import { list, whole } from "../core/state.js";
import { examples, group, number, select, text } from "../parts/fields.js";
import { adders } from "./shapes/blocks.js";
import { spec as written } from "./shapes/chain.js";
import { linked } from "./shapes/link.js";
import { misfit, verdict } from "./shapes/refusal.js";
import { table } from "./shapes/table.js";
import { volumes } from "./shapes/volumes.js";

export const defaults = { net: "note", image: [1, 28, 28], classes: 10, feed: "" };
export const rules = { image: list(whole(1, 65535), 3, 3), classes: whole(1, 1000000) };

const EXAMPLES = [
  { net: "note", image: [1, 28, 28], feed: "64, 28, 28, 1" },
  { net: "note", image: [1, 28, 28], feed: "64, 1, 32, 32" },
  { net: "conv 10 3 | linear", image: [5, 100, 100], feed: "1, 6, 100, 100" },
  { net: "note", image: [1, 8, 8], feed: "" },
  { net: "resnet8", image: [3, 32, 32], feed: "" },
];

export function mount(room) {
  const { figure, ledger, script, t, say, set } = room;
  const ask = line();
  let zoo = null;
  const drawSettings = settings(room, () => zoo);
  const change = (blocks) => set({ net: written(blocks) });
  linked(figure, ledger);

  async function update(now) {
    zoo ??= await ask("/api/shapes/zoo");
    if (zoo === STALE) return (zoo = null);
    drawSettings(now);
    const answer = await ask("/api/shapes", now);
    if (answer === STALE) return;
    const { failure, fed, layers } = answer;
    show(figure, volumes(now.image, answer, t), failure && misfit(t, failure, set), fed && verdict(t, fed, set));
    show(ledger, table(t, answer, change), adders(t, layers, change));
    script(answer.script);
    say(spoken(t, answer));
  }

  return { update };
}

function spoken(t, { failure, fed, lines, parameters }) {
  if (failure) return `${failure.name}: ${t.said(failure.problem).text}`;
  if (fed?.diagnosis) return `${fed.failed}: ${fed.diagnosis.message}`;
  return t("shapes.fits", { shape: shape(lines.at(-1).output), parameters: count(parameters) });
}

function settings({ controls, more, examples: tries, t, set, state }, zoo) {
  const preset = select(t("shapes.preset"), {
    testid: "preset",
    options: [["", t("shapes.own")]],
    onchange: (name) => name && set({ net: name, image: zoo()[name].image }),
  });
  const net = text(t("shapes.net"), { testid: "net", rows: 1, onchange: (value) => set({ net: value }) });
  const onside = (axis) => (value) => set({ image: state().image.with(axis, value) });
  const sides = ["C", "H", "W"].map((name, axis) =>
    number(name, { testid: `image-${axis}`, min: 1, onchange: onside(axis) }),
  );
  const classes = number(t("shapes.classes"), {
    testid: "classes",
    min: 1,
    max: 1000000,
    onchange: (value) => set({ classes: value }),
  });
  const feed = text(t("shapes.feed"), { testid: "feed", onchange: (value) => set({ feed: value }) });
  const names = t("shapes.examples").map((words, i) => [i, words]);
  controls.append(preset.element, net.element, group(t("shapes.image"), sides), classes.element);
  more.append(feed.element, h("p", { class: "hint" }, rich(t("shapes.feed_hint"))));
  tries.append(examples(t("shapes.try"), names, (i) => set(EXAMPLES[i])));

  return function draw(now) {
    const known = zoo();
    if (preset.input.options.length === 1)
      preset.input.append(...Object.keys(known).map((name) => h("option", { value: name }, name)));
    preset.set(now.net in known ? now.net : "");
    net.set(now.net in known ? known[now.net].spec : now.net);
    sides.forEach((side, axis) => side.set(now.image[axis]));
    classes.set(now.classes);
    feed.set(now.feed);
  };
}
