// The curves of the run under way and of those laid over it, the gradient norms, and all epochs as a table. Drawn only as
// often as the training can spare, and only where somebody sees it.

import { h, show } from "../../core/dom.js";
import { chart } from "../../parts/chart.js";
import { forget, inSight } from "../../parts/sight.js";
import { curves, numbers, thin } from "./curves.js";
import { playhead } from "./film/playhead.js";
import { running } from "./live.js";

// onat(update): the frame of the film that the user wants to see; −1 is the newest.
export function charts(t, { onat }) {
  const plot = h("div");
  const hand = playhead(t, { onat });
  const region = { class: "scroll under-hand", tabindex: "0", role: "region", "aria-label": t("train.curves") };
  const rows = h("div");
  const summary = h("summary", { "data-testid": "as-table" }, t("common.as_table"));
  const table = h("details", { class: "twin", ontoggle: () => drawTable() }, summary, rows);
  const norms = h("div", { class: "plot" });
  const element = h(
    "div",
    { class: "two" },
    h("div", { class: "plot" }, h("div", region, plot, hand.element), table),
    norms,
  );
  let runs = [];
  let tabled = "";
  let normed = null; // the norms that are drawn

  // shown: all runs, the one under way first; job: the run under way as live.js has it, or null; film: see reel.js.
  function draw(shown, job, film) {
    runs = shown;
    table.hidden = !runs.length;
    drawTable();
    inSight(element, () => {
      drawCurves(job, film);
      drawNorms(job);
    });
  }

  function drawCurves(job, film) {
    const { parts, ground } = runs.length ? curves(t, runs, job?.state?.total ?? 0) : { parts: [], ground: null };
    show(plot, parts);
    const ours = film !== null && runs.some(({ name }) => name === film.run);
    hand.draw(ground, ours ? film : null, running(job?.state));
  }

  // Norms come with the probes, more seldom than losses.
  function drawNorms(job) {
    if (job?.norms === normed) return;
    normed = job?.norms;
    if (!normed?.length) return show(norms);
    const series = job.state.layers.map((name, i) => ({
      name,
      kind: i % 6,
      points: thin(normed.map(([step, values]) => [step, values[i]])),
    }));
    const labels = { label: t("train.norms"), x: t("train.updates"), y: "‖∂L/∂θ‖" };
    const open = norms.querySelector("details")?.open;
    const drawn = chart(t, { ...labels, series, log: true, testid: "norms", open });
    show(norms, h("h2", {}, t("train.norms")), h("p", { class: "hint" }, t("train.norms_hint")), drawn);
  }

  // Made again only where it would change.
  function drawTable() {
    if (!table.open || !runs.length) return;
    const now = JSON.stringify(runs.map(({ name, epochs }) => [name, epochs.length, epochs.at(-1)?.[0]]));
    if (now !== tabled) show(rows, numbers(t, runs));
    tabled = now;
  }

  return { element, draw, leave: () => forget(element) };
}
