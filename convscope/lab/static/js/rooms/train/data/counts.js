// How many images of which classes there are, before anything is trained on them.

import { h, sentence } from "../../../core/dom.js";
import { count } from "../../../core/format.js";

const MOST = 40; // classes in the table
const UNEVEN = 10; // times the images of the smallest class: what `convscope check` calls imbalanced, too

// {part: {class: n}} → {all, train, val, test}
export function totals(images) {
  const sum = (classes) => Object.values(classes ?? {}).reduce((a, b) => a + b, 0);
  const [train, val, test] = ["train", "val", "test"].map((part) => sum(images[part]));
  return { all: train + val + test, train, val, test };
}

// A sentence on the data of a card.
export function summary(t, { name, there, classes, images }) {
  if (!there) return t("data.of", { name, what: t("data.absent", { k: classes.length }) });
  const { train, val, test } = totals(images);
  const parts = [t("data.to_train", { n: count(train) }), val && t("data.to_val", { n: count(val) })];
  parts.push(test && t("data.to_test", { n: count(test) }), t("data.classes", { n: classes.length }));
  return t("data.of", { name, what: parts.filter(Boolean).join(t("data.comma")) });
}

// The images of every class and part, and what is to be said of them.
export function classCounts(t, { there, classes, images, notes }) {
  if (!there) return [h("p", { class: "hint" }, t("data.fetched"))];
  const parts = Object.keys(images);
  const most = Math.max(1, ...Object.values(images.train));
  const rows = classes.slice(0, MOST).map((name) => row(name, parts, images, most));
  const more = classes.length - rows.length;
  const names = parts.map((part) => h("th", { scope: "col", class: "n" }, t(`data.${part}`)));
  const head = h("tr", {}, h("th", { scope: "col" }, t("data.class")), names, h("td"));
  const remarks = [!images.test && h("p", {}, t("data.drawn")), uneven(t, Object.values(images.train))];
  return [
    ...notes.map((note) => sentence("p", { class: "hint" }, t.said(note))),
    ...remarks,
    h("div", { class: "scroll" }, h("table", { class: "by-class" }, h("thead", {}, head), h("tbody", {}, rows))),
    more > 0 && h("p", { class: "hint" }, t("data.more_classes", { n: more })),
  ];
}

function row(name, parts, images, most) {
  const cells = parts.map((part) =>
    h(
      "td",
      { class: "n", "data-testid": `images-${part}-${name}`, "data-value": images[part][name] },
      count(images[part][name]),
    ),
  );
  const share = h(
    "td",
    { "aria-hidden": "true" },
    h("span", { class: "length", style: { "--share": images.train[name] / most } }),
  );
  return h("tr", {}, h("th", { scope: "row" }, name), cells, share);
}

function uneven(t, train) {
  const times = Math.max(...train) / Math.min(...train);
  return times >= UNEVEN && h("p", { class: "warning" }, t("data.uneven", { n: Math.floor(times) }));
}
