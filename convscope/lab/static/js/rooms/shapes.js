// Room 6: the shape after every layer. The chain is edited as text or block by block in the table itself.

import { line, STALE } from "../core/api.js";
import { h, rich, sentence, show } from "../core/dom.js";
import { count, shape } from "../core/format.js";
import { number, select, text } from "../parts/fields.js";
import { insert, spec as written } from "./shapes/chain.js";
import { narrow, table } from "./shapes/table.js";
import { volumes } from "./shapes/volumes.js";

export const defaults = { net: "note", image: [1, 28, 28], classes: 10, feed: "" };

const NEW = ["conv 8 3", "pool 2", "relu", "batchnorm", "dropout 0.5", "globalavg", "linear 32"];

export function mount({ controls, figure, ledger, script, t, say, set, state }) {
  const ask = line();
  let zoo = {};
  const preset = select(t("shapes.preset"), { testid: "preset", options: [["", t("shapes.own")]], onchange: (name) => name && set({ net: name, image: zoo[name].image }) });
  const net = text(t("shapes.net"), { testid: "net", rows: 2, onchange: (value) => set({ net: value }) });
  const sizes = [0, 1, 2].map((axis) =>
    number(["C", "H", "W"][axis], { testid: `image-${axis}`, min: 1, onchange: (value) => set({ image: state().image.with(axis, value) }) }));
  const classes = number(t("shapes.classes"), { testid: "classes", min: 1, max: 1000000, onchange: (value) => set({ classes: value }) });
  const feed = text(t("shapes.feed"), { testid: "feed", onchange: (value) => set({ feed: value }) });
  controls.append(
    preset.element, h("fieldset", {}, h("legend", {}, t("shapes.image")), sizes.map((size) => size.element)), classes.element,
    h("div", { class: "line" }, net.element), h("div", { class: "line" }, feed.element, h("p", { class: "hint" }, rich(t("shapes.feed_hint")))));

  const examples = h("p", { class: "examples" }, t("shapes.try"), " ",
    [["note", [1, 28, 28], "64, 28, 28, 1"], ["note", [1, 28, 28], "64, 1, 32, 32"], ["conv 10 3 | linear", [5, 100, 100], "1, 6, 100, 100"], ["note", [1, 8, 8], ""], ["resnet8", [3, 32, 32], ""]].map(
      ([spec, image, tensor], i) => h("button", { class: "quiet", "data-testid": `example-${i}`, onclick: () => set({ net: spec, image, feed: tensor }) }, t("shapes.examples")[i])));
  controls.append(examples);

  async function update(now) {
    if (!Object.keys(zoo).length) {
      zoo = await ask("/api/shapes/zoo");
      for (const name of Object.keys(zoo)) preset.input.append(h("option", { value: name }, name));
    }
    preset.set(now.net in zoo ? now.net : "");
    net.set(now.net in zoo ? zoo[now.net].spec : now.net);
    sizes.forEach((size, axis) => size.set(now.image[axis]));
    classes.set(now.classes);
    feed.set(now.feed);
    const answer = await ask("/api/shapes", now);
    if (answer === STALE) return;
    show(figure, volumes(now.image, answer, t), answer.failure && refusal(answer.failure), answer.fed && verdict(answer.fed));
    show(ledger, table(answer, t, (layers) => set({ net: written(layers) })), blocks(answer));
    script(answer.script);
    say(spoken(answer));
  }

  function spoken(answer) {
    if (answer.failure) return `${answer.failure.name}: ${t.said(answer.failure.problem).text}`;
    if (answer.fed?.diagnosis) return `${answer.fed.failed}: ${answer.fed.diagnosis.message}`;
    return t("shapes.fits", { shape: shape(answer.lines.at(-1).output), parameters: count(answer.parameters) });
  }

  // What does not fit: PyTorch's own words, ours, and changes that were tried.
  function refusal({ name, text: layer, problem, pytorch, help, mends }) {
    return card(name, layer, pytorch, problem, help,
      mends.map((mend) => [mend.what, mend.whole, { net: mend.net, image: mend.image }]));
  }

  function verdict({ shape: sizes, outputs, failed, diagnosis, changes }) {
    if (!diagnosis) {
      const last = Object.values(outputs).at(-1);
      return h("p", { class: "good", "data-testid": "fed-good" }, `✓ (${sizes.join(", ")}) → (${last.join(", ")})`);
    }
    return card(failed, diagnosis.layer, diagnosis.message, diagnosis.problem, diagnosis.mend,
      changes.map((change) => [change.what, true, { net: change.net, image: change.image, feed: change.feed }]));
  }

  function card(name, layer, pytorch, problem, help, mends) {
    return h("div", { class: "refusal", role: "group", "aria-label": t("shapes.refused"), "data-testid": "refusal" },
      h("p", { class: "where" }, h("strong", {}, name), " ", h("code", {}, layer)),
      pytorch && h("blockquote", { lang: "en", "data-testid": "pytorch-words" }, h("cite", {}, "PyTorch"), pytorch),
      sentence("p", {}, narrow(t.said(problem))), help && sentence("p", { class: "hint" }, t.said(help)),
      mends.length > 0 && h("div", { class: "mends" }, h("span", {}, t("common.mend")),
        mends.map(([what, whole, patch], i) =>
          h("button", { "data-testid": `mend-${i}`, "data-key": `mend-${i}`, class: whole ? "" : "part", title: whole ? null : t("shapes.partly"), onclick: () => set(patch) }, t.said(what).text))));
  }

  function blocks({ layers }) {
    const at = layers.findLastIndex((layer) => layer === "flatten" || layer.startsWith("linear"));
    const first = layers.findIndex((layer) => layer === "flatten" || layer.startsWith("linear"));
    return h("p", { class: "adders" }, t("shapes.add"), " ", NEW.map((layer) => {
      const where = layer.startsWith("linear") ? at : first;
      return h("button", { class: "quiet", "data-key": `add-${layer}`, "data-testid": `add-${layer.split(" ")[0]}`, onclick: () => set({ net: written(insert(layers, where < 0 ? layers.length : where, layer)) }) }, h("code", {}, layer));
    }), h("span", { class: "hint" }, t("shapes.keys")));
  }

  return { update };
}
