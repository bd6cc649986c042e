// Room 7: train a net in a process of its own, watch it learn, hold it, and see where it is wrong.

import { STALE, ask, line } from "../core/api.js";
import { onConnection } from "../core/connection.js";
import { show } from "../core/dom.js";
import { list, whole } from "../core/state.js";
import { flush } from "../parts/fields.js";
import { choices, recipe, rules as recipeRules } from "./train/choices.js";
import { running } from "./train/live.js";
import { ready, view } from "./train/view.js";
import { watch } from "./train/watch.js";

// over: runs whose curves are laid over; run and cell: whose mistakes are shown, and which ones; frame: the update whose
// frame of the film is shown, −1 for the newest.
export const defaults = { ...choices, probe: 0, over: [], run: "", cell: [], frame: -1 };
const isName = (value) => (typeof value === "string" ? value : undefined);
export const rules = {
  ...recipeRules,
  probe: whole(0, 999),
  over: list(isName, 0, 20),
  cell: list(whole(0, 1e6), 0, 2),
  frame: whole(-1, 1e15),
};

export function mount(room) {
  const { figure, ledger, script, t, set, state, fail } = room;
  const write = program(script);
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
    parts.choices(now, known);
    await parts.load(now, runs, job.run());
    draw();
    await write(recipe(now), job.run()?.state?.run);
    await parts.wrong.draw(now.run, now.cell);
    await pick(job.run(), now.probe);
  }

  async function arrive() {
    [known, runs] = await parts.arrive();
    if (!running(known.state)) past = known.job;
    show(figure, parts.figure);
    show(ledger, parts.ledger);
    job.reconnect(known.job);
    if (known.job !== null) job.connect(known.job);
  }

  function act(name) {
    flush(); // the net that has just been typed is the one to train
    if (name === "start") set({ frame: -1 });
    const asked = name === "start" ? job.begin("/api/train", recipe(state())) : ask("/api/train/control", { do: name });
    asked.catch(fail);
  }

  async function ended(run) {
    runs = await ask("/api/runs");
    parts.forget();
    ready();
    draw();
    if (over) return;
    const old = run.state.status !== "finished" || (run.job === past && state().run);
    await set(old ? {} : { run: run.state.run, cell: [] }); // {}: its film can be looked through from now on
  }

  function leave() {
    over = true;
    for (const end of [silent, job.leave, parts.leave]) end();
  }

  return { update, leave, reconnect: () => (known = null) };
}

// Shows a recipe as a program, where it or the run whose images it is for is another one than before.
function program(script) {
  const asking = line();
  let written = "";
  return async (chosen, run) => {
    const text = JSON.stringify([chosen, run]);
    if (text === written) return asking.drop();
    const answer = await asking("/api/train/script", chosen);
    if (answer === STALE) return;
    script(answer.script);
    written = text;
  };
}

// The image that the probes of the run under way shall show.
async function pick(run, probe) {
  if (run?.probe && run.probe.head.chosen !== probe && running(run.state)) await ask("/api/train/control", { probe });
}
