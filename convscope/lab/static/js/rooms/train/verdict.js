// Where a net is wrong: the confusion matrix, whose cells open their images, and the most confident mistakes.

import { STALE, line } from "../../core/api.js";
import { css, diverging, inkOn } from "../../core/colour.js";
import { h, show } from "../../core/dom.js";
import { count, sure } from "../../core/format.js";
import { isDark, onTheme } from "../../core/theme.js";
import { grid } from "../../parts/grid.js";
import { source } from "../inside/picker.js";
import { leaving } from "./leaving.js";

const SHORT = 2; // letters that stand over a column
const MOST_CLASSES = 30;

// oncell([true, predicted]): the user chooses a cell.
export function verdict(t, { oncell }) {
  const matrix = grid({
    label: t("train.confusion"),
    testid: "confusion",
    spoken: (r, c, cell) => t("train.cell", { truth: found?.names[r], said: found?.names[c], n: cell.value }),
    onat: (r, c, how) => {
      if (how === "focus") oncell([r, c]);
    },
  });
  const element = h("div", { class: "verdict" });
  const opened = h("div", { class: "opened", "data-testid": "opened" });
  const judging = line();
  const opening = line();
  let found = null; // {run, names, evaluation, confidence, worst}: what is shown
  let stale = false; // whether the runs have changed since
  const silent = onTheme(() => found && paint());

  async function draw(run, cell) {
    for (const asking of [judging, opening]) asking.drop();
    if (!run) return show(element);
    if ((stale || found?.run !== run) && !(await load(run))) return; // a later question overtook this one
    if (cell.length === 2) await open(found, cell);
    else show(opened);
  }

  async function load(run) {
    const name = encodeURIComponent(run);
    const answer = await judging(`/api/runs/${name}/verdict`);
    if (answer === STALE) return false;
    const { evaluation, confidence, worst } = answer;
    stale = false;
    found = { run, names: evaluation.classes.map((row) => row.name), evaluation, confidence, worst };
    const { names } = found;
    const few = names.length <= MOST_CLASSES;
    const longest = Math.max(...names.map((text) => text.length));
    if (few) paint();
    matrix.element.classList.toggle("small", names.length > 10);
    const [low, high] = evaluation.interval.map((p) => (100 * p).toFixed(2));
    show(
      element,
      h("h2", {}, t("train.where_wrong", { run })),
      h(
        "p",
        { "data-testid": "verdict", "data-value": evaluation.accuracy },
        t("train.accuracy_of", { p: (100 * evaluation.accuracy).toFixed(2), n: count(evaluation.images), low, high }),
      ),
      h(
        "div",
        { class: "judged-pair" },
        few &&
          h(
            "div",
            {},
            h("p", { class: "hint" }, t("train.confusion_hint")),
            h(
              "div",
              { class: "scroll" },
              h(
                "div",
                {
                  class: "confusion",
                  style: { "--n": names.length, "--names": `${0.2 + 0.5 * Math.min(10, longest)}rem` },
                },
                h(
                  "div",
                  { class: `columns${longest > SHORT ? " upright" : ""}`, "aria-hidden": "true" },
                  names.map((text) => h("span", {}, text)),
                ),
                h(
                  "div",
                  { class: "with-rows" },
                  h(
                    "div",
                    { class: "rows", "aria-hidden": "true" },
                    names.map((text) => h("span", {}, text)),
                  ),
                  matrix.element,
                ),
              ),
            ),
          ),
        opened,
      ),
      h("h3", {}, t("train.worst")),
      worst.length ? pictures(found, worst) : h("p", {}, t("train.no_mistakes")),
      leaving(t, run),
    );
    return true;
  }

  function paint() {
    const counts = found.evaluation.confusion;
    const most = Math.max(1, ...counts.map((row, r) => Math.max(...row.filter((_, c) => c !== r), 0)));
    const dark = isDark();
    matrix.draw(
      counts.map((row, r) =>
        row.map((n, c) => {
          const colour =
            r === c
              ? diverging(-0.35, 1, dark)
              : n
                ? diverging(0.15 + (0.85 * n) / most, 1, dark)
                : diverging(0, 1, dark);
          return { value: n, text: n ? String(n) : "·", colour: css(colour), ink: css(inkOn(colour)) };
        }),
      ),
    );
  }

  async function open(judged, [label, predicted]) {
    const { run, names } = judged;
    const answer = await opening(`/api/runs/${encodeURIComponent(run)}/cell?label=${label}&predicted=${predicted}`);
    if (answer === STALE) return;
    const { images, shown } = answer;
    show(
      opened,
      h("h3", {}, t("train.cell", { truth: names[label], said: names[predicted], n: images })),
      shown.length > 0 && pictures(judged, shown),
    );
  }

  function pictures({ run, names, confidence: kind }, mistakes) {
    return h(
      "ul",
      { class: "mistakes" },
      mistakes.map(({ index, label, predicted, confidence }) => {
        const words = t("train.mistake", { truth: names[label], said: names[predicted], p: sure(kind, confidence) });
        const shown = label === predicted ? sure(kind, confidence, 0) : `${names[label]} → ${names[predicted]}`;
        return h(
          "li",
          {},
          h(
            "a",
            {
              href: `#/inside?run=${encodeURIComponent(run)}&test=${index}`,
              "data-testid": `mistake-${index}`,
              "aria-label": `${shown}: ${words}`,
              title: words,
            },
            h("img", {
              src: source(run, index),
              alt: "",
              width: 56,
              height: 56,
              loading: mistakes.length > 30 ? "lazy" : null,
            }),
            h("span", {}, shown),
          ),
        );
      }),
    );
  }

  return {
    element,
    draw,
    forget: () => {
      stale = true;
    },
    leave: silent,
  };
}
