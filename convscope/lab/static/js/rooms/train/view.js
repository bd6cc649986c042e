// What is on the screen of room 7: the recipe, where the run stands, its curves, its film and its probes; below, the runs
// and their mistakes.

import { ask } from "../../core/api.js";
import { connection } from "../../core/connection.js";
import { flush } from "../../parts/fields.js";
import { charts } from "./charts.js";
import { controls as recipeControls, recipe } from "./choices.js";
import { dataCards } from "./data/cards.js";
import { remarks } from "./diagnosis.js";
import { histograms } from "./film/histograms.js";
import { fourLines } from "./film/lines.js";
import { reel } from "./film/reel.js";
import { timeline } from "./film/timeline.js";
import { running } from "./live.js";
import { probes } from "./probes.js";
import { rates } from "./rates.js";
import { runList } from "./runs.js";
import { status } from "./status.js";
import { verdict } from "./verdict.js";
import { drawable } from "./watch.js";

// What takes long can begin before a run is started; whoever starts one hears of trouble.
export function ready() {
  ask("/api/train/ready", {}).catch(() => {});
}

// acts: act(name), resume(name), as status.js and runs.js have them.
export function view(room, { act, resume }) {
  const { t, set, state, fail } = room;
  const form = recipeControls(room);
  const data = dataCards(t, { onpick: (name) => set({ data: name }), fail });
  const stand = status(t, { act: (name) => (name === "start" && data.away(), act(name)) });
  const chosen = () => (flush(), recipe(state()));
  const finder = rates(t, { recipe: chosen, take: (lr) => set({ lr }), fail, onend: ready });
  room.controls.append(finder.button);
  const looks = probes(t, { onpick: (i) => set({ probe: i }) });
  const [plots, spread, lines, movie] = [charts(t, { onat: turn }), histograms(t), fourLines(t), reel()];
  const hand = timeline(t, { onat: turn });
  const judge = (name) => set({ run: name, cell: [] });
  const table = runList(t, { over: (names) => set({ over: names }), judge, resume });
  const wrong = verdict(t, { oncell: (cell) => set({ cell }) });
  const cache = new Map(); // name → curves of a run in the folder
  let warnings = new Map(); // run → what speaks against its result
  let listed = ""; // what the table of runs shows now

  function turn(frame) {
    set({ frame });
  }

  // What may be chosen, and the runs.
  async function arrive() {
    ready();
    const [known, runs, cards] = await Promise.all(["train", "runs", "data"].map((of) => ask(`/api/${of}`)));
    data.arrive(cards.data, Boolean(known.state));
    return [known, runs];
  }

  // The recipe of the next run.
  function choices(now, known) {
    form.draw(now, known);
    data.draw(now.data).catch(fail);
  }

  async function load(now, runs, job) {
    const known = (name) => runs.some((run) => run.name === name);
    for (const name of now.over.filter((one) => !cache.has(one) && known(one)))
      cache.set(name, await ask(`/api/runs/${encodeURIComponent(name)}/curves`));
    await movie.turn(job, now);
  }

  function draw(job, runs) {
    warnings = new Map(runs.map(({ name, warning }) => [name, warning]));
    drawStand(job);
    const now = JSON.stringify([runs, state().over, state().run, running(job?.state)]);
    if (now !== listed) table.draw(runs, state().over, state().run, running(job?.state));
    listed = now;
    drawFilm(job);
  }

  // What the film shows, the newest frame or one of the past, and where along the curves that is.
  function drawFilm(job) {
    const film = movie.now(job, state());
    const past = film !== null && film.at >= 0;
    plots.draw(shown(job), job, film);
    hand.draw(film, running(job?.state));
    const look = film?.look;
    looks.element.hidden = spread.element.hidden = !look;
    if (!look) return;
    const { run, live, classes } = film;
    const place = live
      ? `/api/train/probe/{}.png?job=${job.job}`
      : `/api/runs/${encodeURIComponent(run)}/film/images/{}.png`;
    const fixed = (!live || past || !running(job.state)) && !look.head.any;
    looks.draw(look, { classes, source: (i) => place.replace("{}", i), fixed });
    spread.draw(look, run);
  }

  function drawStand(job) {
    const stood = job?.state ?? null;
    const against = stood?.status === "finished" ? (warnings.get(stood.run) ?? null) : null;
    const alone = stood?.status === "paused" && job.lines?.head.step === stood.step;
    lines.draw(alone ? job.lines : null, stood);
    stand.draw(stood, { lost: connection() !== "answering", remarks: stood ? remarks(job) : [], against });
  }

  // All runs that are drawn: the one under way first, then those laid over it.
  function shown(job) {
    const drawn = job?.state?.run ? [drawable(job)] : [];
    for (const name of state().over)
      if (cache.has(name) && name !== drawn[0]?.name) drawn.push({ name, ...cache.get(name) });
    return drawn.map((run, i) => ({ ...run, kind: i % 6 }));
  }

  const leave = () => [plots, looks, wrong, spread, lines, hand, finder].forEach((part) => part.leave());
  const forget = () => [wrong, movie].forEach((part) => part.forget());
  const figure = [
    finder.element,
    stand.element,
    data.element,
    lines.element,
    plots.element,
    hand.element,
    looks.element,
    spread.element,
  ];
  return {
    arrive,
    choices,
    wrong,
    load,
    draw,
    stand: drawStand,
    forget,
    leave,
    figure,
    ledger: [table.element, wrong.element],
  };
}
