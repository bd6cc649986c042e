// Data as cards: what there is, how much of it, what it looks like; and the folder that a person chooses.

import { STALE, ask, line } from "../../../core/api.js";
import { h, sentence, show } from "../../../core/dom.js";
import { count } from "../../../core/format.js";
import { chooser } from "./chooser.js";
import { classCounts, summary, totals } from "./counts.js";

// onpick(data): other data are chosen.
export function dataCards(t, { onpick, fail }) {
  const asking = line();
  const told = h("span", { "data-testid": "data-told" });
  const list = h("div", { class: "data-cards", role: "group", "aria-label": t("data.cards") });
  const open = h("button", { class: "data-card other", "data-testid": "choose-folder", onclick: () => choose.open() });
  open.append(h("strong", {}, t("data.choose")), h("span", { class: "hint" }, t("data.choose_hint")));
  const about = h("div", { class: "card-about" });
  const choose = chooser(t, { onchosen: chosen, fail });
  const fold = h("details", {}, h("summary", {}, h("strong", {}, t("train.data")), " ", told), list, about);
  const element = h("section", { class: "data", "data-testid": "data-cards" }, fold, choose.element);
  const cards = new Map(); // data → {button, found}, where found is a promise of the server's card
  let shown = null; // the data that are told of
  fold.open = true;

  // known: what has a card; folded: whether there is a run, whose curves come first.
  function arrive(known, folded) {
    for (const data of known) if (!cards.has(data)) add(data, ask(`/api/data/card?data=${encodeURIComponent(data)}`));
    if (folded) away();
    place();
  }

  function add(data, answer) {
    const button = h("button", {
      class: "data-card",
      title: data,
      "aria-pressed": "false",
      onclick: () => onpick(data),
    });
    button.dataset.testid = `data-${data}`;
    button.append(h("strong", {}, data));
    const found = answer.then((card) => {
      if (card.problem)
        button.remove(); // it is no data after all
      else show(button, face(card));
      return card;
    });
    found.catch(fail);
    cards.set(data, { button, found });
  }

  function face({ name, there, classes, images, samples }) {
    const pictures = samples.map(({ picture, label }) => h("img", { src: picture, alt: "", title: label }));
    const words = there
      ? t("data.count", { n: count(totals(images).all), k: classes.length })
      : t("data.absent", { k: classes.length });
    return [
      h("span", { class: "samples", "aria-hidden": "true" }, pictures),
      h("strong", {}, name),
      h("span", { class: "hint" }, words),
    ];
  }

  function place() {
    show(
      list,
      [...cards.values()].map(({ button }) => button),
      open,
    );
  }

  // The data of the next run: a card is pressed, and what they hold is told.
  async function draw(data) {
    for (const [key, { button }] of cards) button.setAttribute("aria-pressed", String(key === data));
    if (data === shown) return;
    shown = data;
    const card = await (cards.get(data)?.found ?? asking(`/api/data/card?data=${encodeURIComponent(data)}`));
    if (card === STALE || data !== shown) return;
    const wrong = card.problem && sentence("span", { class: "warning" }, t.said(card.problem));
    show(told, wrong || summary(t, card));
    show(about, wrong ? card.help && sentence("p", { class: "hint" }, t.said(card.help)) : classCounts(t, card));
    told.dataset.value = data;
  }

  function chosen(card) {
    cards.get(card.data)?.button.remove();
    add(card.data, Promise.resolve(card));
    place();
    shown = null;
    onpick(card.data);
  }

  const away = () => (fold.open = false);
  return { element, arrive, draw, away };
}
