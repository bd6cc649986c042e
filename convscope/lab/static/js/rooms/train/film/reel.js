// The film whose frames are shown: that of the run under way, else that of the run which is looked at.

import { STALE, ask, line } from "../../../core/api.js";
import { unpack } from "../../../core/binary.js";
import { running } from "../live.js";

const KEPT = 40; // frames

// The run whose film is shown: {run, live}, where job is the run under way or null and chosen is the name of another run.
export function filmed(job, chosen) {
  const own = job?.state?.run;
  if (own && (running(job.state) || !chosen || chosen === own)) return { run: own, live: true };
  return chosen ? { run: chosen, live: false } : null;
}

// The place in `steps` of the last frame at or before update `at`; −1 is the newest.
export function placeOf(steps, at) {
  if (at < 0) return steps.length - 1;
  return Math.max(
    0,
    steps.findLastIndex((step) => step <= at),
  );
}

export function reel() {
  const asking = line();
  const frames = new Map(); // "run step image" → a look
  let listed = null; // {run, steps, classes}, of a run that is not under way
  let shown = null; // the look that was asked for last
  let turns = 0; // what comes late, after a frame that was there already, is kept but not shown

  // The film for what the user wants to see, as {run, live, steps, at, classes, look}; null where there is none. at: an
  // update, −1 for the newest.
  async function turn(job, { run: chosen, frame: at, probe }) {
    const which = filmed(job, chosen);
    const mine = ++turns;
    shown = null;
    if (!which) return;
    if (!which.live && listed?.run !== which.run) {
      const found = await ask(`/api/runs/${encodeURIComponent(which.run)}/film`).catch(() => ({ ...which, steps: [] }));
      if (mine !== turns) return;
      listed = found;
    }
    const steps = stepsOf(which, job);
    if (!steps.length || present(which, job, at)) return;
    const look = await frame(which.run, steps[placeOf(steps, at)], probe);
    if (mine === turns) shown = look;
  }

  async function frame(run, step, probe) {
    const key = `${run} ${step} ${probe}`;
    if (!frames.has(key)) {
      const answer = await asking(`/api/runs/${encodeURIComponent(run)}/film/${step}?image=${probe}`);
      if (answer === STALE) return null;
      frames.set(key, unpack(answer));
      if (frames.size > KEPT) frames.delete(frames.keys().next().value);
    }
    return frames.get(key);
  }

  function stepsOf({ live }, job) {
    return live ? (job.state.film ?? []) : (listed?.steps ?? []);
  }

  // Whether the newest look of a run under way is shown, which comes by itself.
  function present({ live }, job, at) {
    return live && at < 0 && running(job.state);
  }

  // What is known now.
  function now(job, { run: chosen, frame: at }) {
    const which = filmed(job, chosen);
    if (!which || (!which.live && listed?.run !== which.run)) return null;
    const steps = stepsOf(which, job);
    const look = present(which, job, at) ? job.probe : (shown ?? (which.live && at < 0 ? job.probe : null));
    const classes = which.live ? job.state.classes : listed.classes;
    return { ...which, steps, at: at < 0 ? at : steps[placeOf(steps, at)], classes, look };
  }

  return { turn, now, forget: () => (listed = null) };
}
