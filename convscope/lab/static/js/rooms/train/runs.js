// The runs in the folder: lay their curves over, look at their mistakes, resume them, look inside.

import { h, sentence, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { warning } from "../../parts/warning.js";

const HEADS = ["run", "state", "test_accuracy", "mistakes_of", "data", "epochs", "lay_over"];

// over(names), judge(name), resume(name)
export function runList(t, acts) {
  const element = h("div", { class: "runs" });

  function draw(runs, chosen, judged, busy) {
    if (!runs.length) return show(element, h("p", { class: "hint" }, t("train.no_runs")));
    const heads = HEADS.map((key) => h("th", { scope: "col" }, t(`train.${key}`)));
    const rows = runs.toReversed().map((run) => row(t, run, { chosen, judged, busy }, acts));
    const table = h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
    show(element, h("h2", {}, t("train.runs")), h("div", { class: "scroll" }, table));
  }

  return { element, draw };
}

function row(t, run, { chosen, judged, busy }, { over, judge, resume }) {
  const id = (what) => ({ "data-key": `${what}-${run.name}`, "data-testid": `${what}-${run.name}` });
  const button = (what, words, props) => h("button", { class: "quiet", ...id(what), ...props }, words);
  const others = chosen.filter((name) => name !== run.name);
  const inside = `#/inside?run=${encodeURIComponent(run.name)}`;
  const overlay = h("input", {
    type: "checkbox",
    checked: chosen.includes(run.name),
    "aria-label": `${t("train.lay_over")}: ${run.name}`,
    onchange: (event) => over(event.target.checked ? [...others, run.name] : others),
    ...id("over"),
  });
  const views = run.views
    ? sentence("p", { class: "hint", "data-testid": `views-${run.name}` }, t.said(run.views))
    : null;
  const note = run.own ? h("p", { class: "hint" }, t("common.own_net")) : null;
  const told = warning(t, run.warning);
  const accuracy = run.accuracy === null ? num(null) : `${(100 * run.accuracy).toFixed(2)}\u202f%`;
  const main = h(
    "tr",
    { class: run.name === judged ? "judged" : null },
    h("th", { scope: "row", class: "name", title: run.net }, run.name),
    h(
      "td",
      { class: "acts" },
      state(t, run, busy),
      run.resumable && button("resume", t("train.resume"), { disabled: busy, onclick: () => resume(run.name) }),
    ),
    h("td", { class: "n", "data-value": run.accuracy ?? "", "data-testid": `result-${run.name}` }, accuracy),
    h(
      "td",
      { class: "acts" },
      run.model && button("judge", t("train.mistakes"), { onclick: () => judge(run.name) }),
      run.model && h("a", { href: inside, "data-testid": `inside-${run.name}` }, t("common.inside")),
    ),
    h("td", { class: "source", title: run.data }, run.data.split("/").at(-1)),
    h("td", { class: "n" }, String(run.epochs)),
    h("td", {}, overlay),
  );
  const notes = [views, note, told].filter(Boolean);
  return notes.length ? [main, h("tr", { class: "note" }, h("td", { colspan: HEADS.length }, notes))] : [main];
}

// How far the run has come.
function state(t, { finished, done, epochs, resumable }, busy) {
  if (finished && !resumable) return t("train.state_finished");
  if (busy && !finished && !resumable) return t("train.state_begun");
  return t("train.state_stopped", { done, epochs });
}
