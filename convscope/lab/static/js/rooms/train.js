// Room 7: train a net in a process of its own, watch it learn, hold it, and see where it is wrong.

import { STALE, ask, line } from "../core/api.js";
import { connection, onConnection } from "../core/connection.js";
import { show } from "../core/dom.js";
import { list, whole } from "../core/state.js";
import { flush } from "../parts/fields.js";
import { charts } from "./train/charts.js";
import { choices, controls as recipeControls, recipe, rules as recipeRules } from "./train/choices.js";
import { remarks } from "./train/diagnosis.js";
import { running } from "./train/live.js";
import { probes } from "./train/probes.js";
import { runList } from "./train/runs.js";
import { status } from "./train/status.js";
import { verdict } from "./train/verdict.js";
import { drawable, watch } from "./train/watch.js";

// over: runs whose curves are laid over; run and cell: whose mistakes are shown, and which ones.
export const defaults = { ...choices, probe: 0, over: [], run: "", cell: [] };
const isName = (value) => (typeof value === "string" ? value : undefined);
export const rules = {
  ...recipeRules,
  probe: whole(0, 999),
  over: list(isName, 0, 20),
  cell: list(whole(0, 1e6), 0, 2),
};

export function mount(room) {
  const { figure, ledger, script, t, set, state, fail } = room;
  const writing = line();
  const parts = view(room, { act, resume: (name) => job.begin("/api/train/resume", { run: name }).catch(fail) });
  const job = watch(t, {
    onall: () => draw(),
    onlittle: () => parts.stand(job.run()),
    onend: (run) => ended(run).catch(fail),
    fail,
  });
  const silent = onConnection(() => parts.stand(job.run()));
  let runs = [];
  let known = null; // what may be chosen
  let past = null; // the job that was over when the user came: no news
  let over = false; // whether the room has been left
  const draw = () => over || parts.draw(job.run(), runs);

  async function update(now) {
    if (!known) await arrive();
    parts.form.draw(now, known);
    await parts.load(now.over, runs);
    draw();
    const answer = await writing("/api/train/script", recipe(now));
    if (answer !== STALE) script(answer.script);
    await parts.wrong.draw(now.run, now.cell);
    await pick(job.run(), now.probe);
  }

  async function arrive() {
    [known, runs] = await Promise.all([ask("/api/train"), ask("/api/runs")]);
    if (!running(known.state)) past = known.job;
    show(figure, parts.figure);
    show(ledger, parts.ledger);
    job.reconnect(known.job);
    if (known.job !== null) job.connect(known.job);
  }

  function act(name) {
    flush(); // the net that has just been typed is the one to train
    const asked = name === "start" ? job.begin("/api/train", recipe(state())) : ask("/api/train/control", { do: name });
    asked.catch(fail);
  }

  async function ended(run) {
    runs = await ask("/api/runs");
    parts.wrong.forget();
    draw();
    if (over || run.state.status !== "finished" || (run.job === past && state().run)) return;
    await set({ run: run.state.run, cell: [] });
  }

  function leave() {
    over = true;
    for (const end of [silent, job.leave, parts.leave]) end();
  }

  return { update, leave, reconnect: () => (known = null) };
}

// The image that the probes of the run under way shall show.
async function pick(run, probe) {
  if (run?.probe && run.probe.head.chosen !== probe && running(run.state)) await ask("/api/train/control", { probe });
}

// What is on the screen: the recipe, where the run stands, its curves and probes; below, the runs and their mistakes.
function view(room, { act, resume }) {
  const { t, set, state } = room;
  const form = recipeControls(room);
  const stand = status(t, { act });
  const looks = probes(t, { onpick: (i) => set({ probe: i }) });
  const plots = charts(t);
  const judge = (name) => set({ run: name, cell: [] });
  const table = runList(t, { over: (names) => set({ over: names }), judge, resume });
  const wrong = verdict(t, { oncell: (cell) => set({ cell }) });
  const cache = new Map(); // name → curves of a run in the folder
  let warnings = new Map(); // run → what speaks against its result
  let listed = ""; // what the table of runs shows now

  async function load(names, runs) {
    for (const name of names.filter((one) => !cache.has(one) && runs.some((run) => run.name === one)))
      cache.set(name, await ask(`/api/runs/${encodeURIComponent(name)}/curves`));
  }

  function draw(job, runs) {
    warnings = new Map(runs.map(({ name, warning }) => [name, warning]));
    drawStand(job);
    const now = JSON.stringify([runs, state().over, state().run, running(job?.state)]);
    if (now !== listed) table.draw(runs, state().over, state().run, running(job?.state));
    listed = now;
    plots.draw(shown(job), job);
    looks.element.hidden = !job?.probe;
    if (job?.probe) looks.draw(job.probe, job.state);
  }

  function drawStand(job) {
    const stood = job?.state ?? null;
    const against = stood?.status === "finished" ? (warnings.get(stood.run) ?? null) : null;
    stand.draw(stood, { lost: connection() !== "answering", remarks: stood ? remarks(job) : [], against });
  }

  // All runs that are drawn: the one under way first, then those laid over it.
  function shown(job) {
    const drawn = job?.state?.run ? [drawable(job)] : [];
    for (const name of state().over)
      if (cache.has(name) && name !== drawn[0]?.name) drawn.push({ name, ...cache.get(name) });
    return drawn.map((run, i) => ({ ...run, kind: i % 6 }));
  }

  const leave = () => [plots, looks, wrong].forEach((part) => part.leave());
  const figure = [stand.element, plots.element, looks.element];
  return { form, wrong, load, draw, stand: drawStand, leave, figure, ledger: [table.element, wrong.element] };
}
