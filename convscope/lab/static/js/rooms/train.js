// Room 7: train a net in a process of its own, watch it learn, hold it, and see where it is wrong.

import { STALE, ask, line } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { chart } from "../parts/chart.js";
import { forget, inSight } from "../parts/sight.js";
import { choices, controls as recipeControls, recipe } from "./train/choices.js";
import { curves, numbers, thin } from "./train/curves.js";
import { live, running } from "./train/live.js";
import { probes } from "./train/probes.js";
import { runList } from "./train/runs.js";
import { status } from "./train/status.js";
import { verdict } from "./train/verdict.js";

// over: runs whose curves are laid over; run and cell: whose mistakes are shown, and which ones.
export const defaults = { ...choices, probe: 0, over: [], run: "", cell: [] };

const CHARTS = 1000; // ms between two drawings of the curves while a run goes on, at least
const SHARE = 0.02; // of the page's time goes into drawing them, at most: the run needs the machine
const WORDS = 5000; // ms between two spoken remarks

export function mount({ controls, figure, ledger, script, t, set, state, fail, found }) {
  const writing = line();
  const cache = new Map(); // name → curves of a run in the folder
  let runs = [];
  let known = null; // what may be chosen
  let past = null; // the job that was over when the user came: no news
  let next = 0; // ms: when the curves are drawn again
  let spoken = { at: 0, epoch: 0 };
  let listed = ""; // what the list of runs and the table of epochs show now
  let tabled = "";
  let normed = null; // the norms that are drawn
  let over = false; // whether the room has been left
  let lost = false; // whether nobody answers

  const form = recipeControls(t, { set });
  const stand = status(t, { act: (name) => act(name).catch(fail) });
  const looks = probes(t, { onpick: (i) => set({ probe: i }) });
  const list = runList(t, {
    over: (names) => set({ over: names }), judge: (name) => set({ run: name, cell: [] }),
    resume: (name) => begin("/api/train/resume", { run: name }).catch(fail),
  });
  const wrong = verdict(t, { oncell: (cell) => set({ cell }) });
  const plot = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("train.curves") });
  const rows = h("div");
  const table = h("details", { class: "twin", ontoggle: () => drawTable() }, h("summary", { "data-testid": "as-table" }, t("common.as_table")), rows);
  const norms = h("div", { class: "plot" });
  const connection = live({ onchange: changed, onend: (run) => ended(run).catch(fail), onlost });
  controls.append(form.element);
  document.addEventListener("visibilitychange", woken);

  async function update(now) {
    if (!known) await arrive();
    form.draw(now, known);
    for (const name of now.over) if (!cache.has(name) && runs.some((run) => run.name === name)) cache.set(name, await ask(`/api/runs/${encodeURIComponent(name)}/curves`));
    draw();
    const answer = await writing("/api/train/script", recipe(now));
    if (answer !== STALE) script(answer.script);
    await wrong.draw(now.run, now.cell);
    const job = connection.run();
    if (job?.probe && job.probe.head.chosen !== now.probe && running(job.state)) await ask("/api/train/control", { probe: now.probe });
  }

  async function arrive() {
    [known, runs] = await Promise.all([ask("/api/train"), ask("/api/runs")]);
    if (!running(known.state)) past = known.job;
    show(figure, stand.element, h("div", { class: "two" }, h("div", { class: "plot" }, plot, table), norms), looks.element);
    show(ledger, list.element, wrong.element);
    if (known.job !== null) connection.connect(known.job);
  }

  async function act(name) {
    if (name === "start") return begin("/api/train", recipe(state()));
    return ask("/api/train/control", { do: name });
  }

  async function begin(path, body) {
    const { job } = await ask(path, body);
    connection.connect(job);
  }

  // The connection tries again by itself; until then the page says that what it shows is not the present.
  function onlost(error) {
    if (over) return;
    lost = true;
    fail(error);
  }

  function changed(run) {
    if (over) return;
    if (lost) found();
    lost = false;
    if (document.hidden) return; // woken() makes up for it
    remark(run.state);
    const now = performance.now();
    if (now >= next || run.state.status !== "training") {
      draw();
      const ended = performance.now();
      next = ended + Math.max(CHARTS, (ended - now) / SHARE);
    } else stand.draw(run.state);
    if (run.state.resumed_at > 0 && !run.before) before(run).catch(fail);
  }

  function woken() {
    if (document.hidden || !connection.run()?.state) return;
    changed(connection.run());
    draw();
    connection.look();
  }

  // A run that goes on has a past, which is in its folder.
  async function before(run) {
    run.before = true;
    const { losses, epochs } = await ask(`/api/runs/${encodeURIComponent(run.state.run)}/curves`);
    run.past = { losses: losses.filter(([step]) => step <= run.state.resumed_at), epochs: epochs.filter(([step]) => step <= run.state.resumed_at) };
    draw();
  }

  async function ended(run) {
    runs = await ask("/api/runs");
    wrong.forget();
    draw();
    if (over || run.state.status !== "finished" || (run.job === past && state().run)) return;
    await set({ run: run.state.run, cell: [] });
  }

  function remark({ epochs_done: done, status: how }) {
    const last = done.at(-1);
    const now = performance.now();
    if (how === "training" && last && last.epoch !== spoken.epoch && now - spoken.at > WORDS) {
      spoken = { at: now, epoch: last.epoch };
      say(t("train.spoken", { epoch: last.epoch, p: (100 * last.test_accuracy).toFixed(1) }));
    } else if (how !== spoken.how) say(t(`train.is_${how}`));
    spoken.how = how;
  }

  // All runs that are drawn: the one under way first, then those laid over it.
  function shown() {
    const job = connection.run();
    const found = [];
    if (job?.state?.run) {
      const { epoch_steps: each, epochs_done: done, run: name } = job.state;
      const epochs = done.map((row) => [Math.min(row.epoch * each, job.state.step), row]);
      found.push({ name, losses: [...(job.past?.losses ?? []), ...job.losses], epochs: [...(job.past?.epochs ?? []), ...epochs] });
    }
    for (const name of state().over) if (cache.has(name) && name !== found[0]?.name) found.push({ name, ...cache.get(name) });
    return found.map((run, i) => ({ ...run, kind: i % 6 }));
  }

  function draw() {
    const job = connection.run();
    stand.draw(job?.state ?? null);
    drawList(running(job?.state));
    const all = shown();
    table.hidden = looks.element.hidden = true;
    inSight(plot, () => show(plot, all.length ? curves(t, all, job?.state?.total ?? 0) : []));
    if (all.length) {
      table.hidden = false;
      drawTable();
    }
    inSight(norms, () => drawNorms(job));
    if (job?.probe) {
      looks.element.hidden = false;
      looks.draw(job.probe, job.state);
    }
  }

  // Norms come with the probes, more seldom than losses.
  function drawNorms(job) {
    if (job?.norms === normed) return;
    normed = job?.norms;
    if (job?.norms.length) {
      const series = job.state.layers.map((name, i) => ({ name, kind: i % 6, points: thin(job.norms.map(([step, values]) => [step, values[i]])) }));
      const open = norms.querySelector("details")?.open;
      show(norms, h("h2", {}, t("train.norms")), h("p", { class: "hint" }, t("train.norms_hint")), chart(t, { label: t("train.norms"), x: t("train.updates"), y: "‖∂L/∂θ‖", series, log: true, testid: "norms", open }));
    } else show(norms);
  }

  // List and table are built anew only where they would change: a run that goes on draws itself every second.
  function drawList(busy) {
    const now = JSON.stringify([runs, state().over, state().run, busy]);
    if (now !== listed) list.draw(runs, state().over, state().run, busy);
    listed = now;
  }

  function drawTable() {
    if (!table.open) return;
    const all = shown();
    const now = JSON.stringify(all.map(({ name, epochs }) => [name, epochs.length, epochs.at(-1)?.[0]]));
    if (now !== tabled) show(rows, numbers(t, all));
    tabled = now;
  }

  function leave() {
    over = true;
    document.removeEventListener("visibilitychange", woken);
    [plot, norms].forEach(forget);
    connection.close();
    looks.leave();
    wrong.leave();
  }

  return { update, leave };
}
