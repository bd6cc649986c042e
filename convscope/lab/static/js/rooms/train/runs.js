// The runs in the folder: lay their curves over, look at their mistakes, go on with them, look inside.

import { h, show } from "../../core/dom.js";
import { num } from "../../core/format.js";

// over(names), judge(name), resume(name)
export function runList(t, { over, judge, resume }) {
  const element = h("div", { class: "runs" });

  function draw(runs, chosen, judged, busy) {
    if (!runs.length) return show(element, h("p", { class: "hint" }, t("train.no_runs")));
    const heads = ["lay_over", "run", "data", "net", "epochs", "test_accuracy", ""];
    const rows = runs.toReversed().map((run) => h("tr", { class: run.name === judged ? "judged" : null },
      h("td", {}, h("input", { type: "checkbox", checked: chosen.includes(run.name), "aria-label": `${t("train.lay_over")}: ${run.name}`, "data-key": `over-${run.name}`, "data-testid": `over-${run.name}`,
        onchange: (event) => over(event.target.checked ? [...chosen, run.name] : chosen.filter((name) => name !== run.name)) })),
      h("th", { scope: "row" }, run.name), h("td", {}, run.data), h("td", { class: "spec" }, h("code", { title: run.net }, run.net)), h("td", { class: "n" }, String(run.epochs)),
      h("td", { class: "n", "data-value": run.accuracy ?? "", "data-testid": `result-${run.name}` }, run.accuracy === null ? num(null) : `${(100 * run.accuracy).toFixed(2)}\u202f%`),
      h("td", { class: "acts" },
        run.model && h("button", { class: "quiet", "data-key": `judge-${run.name}`, "data-testid": `judge-${run.name}`, onclick: () => judge(run.name) }, t("train.mistakes")),
        run.model && h("a", { href: `#/inside?run=${encodeURIComponent(run.name)}`, "data-testid": `inside-${run.name}` }, t("common.inside")),
        run.resumable && h("button", { class: "quiet", disabled: busy, "data-key": `resume-${run.name}`, "data-testid": `resume-${run.name}`, onclick: () => resume(run.name) }, t("train.resume")))));
    show(element, h("h2", {}, t("train.runs")), h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, key && t(`train.${key}`))))), h("tbody", {}, rows))));
  }

  return { element, draw };
}
