// Watching the run under way: its past where it was resumed, remarks spoken now and then, a pace that leaves the machine to
// the run.

import { ask } from "../../core/api.js";
import { say } from "../../core/dom.js";
import { live, running } from "./live.js";
import { whereabouts } from "./status.js";

const CHARTS = 1000; // ms between two drawings of the curves while a run is trained, at least
const SHARE = 0.02; // of the page's time goes into drawing them, at most: the run needs the machine
const WORDS = 5000; // ms between two spoken remarks

// onall(): time to draw everything; onlittle(): only where the run stands; onend(run) once it is over; fail(error).
export function watch(t, { onall, onlittle, onend, fail }) {
  const connection = live({ onchange, onend, onerror: fail });
  let next = 0; // ms: when the curves are drawn again
  let spoken = { at: 0, epoch: 0 };
  document.addEventListener("visibilitychange", woken);

  function onchange(run) {
    if (document.hidden) return; // woken() makes up for it
    remark(run.state);
    const now = performance.now();
    if (now >= next || run.state.status !== "training") {
      onall();
      const after = performance.now();
      next = after + Math.max(CHARTS, (after - now) / SHARE);
    } else onlittle();
    if (run.state.resumed_at > 0 && !run.before) before(run).catch(fail);
  }

  function woken() {
    if (document.hidden) return;
    follow().catch(fail);
    if (!connection.run()?.state) return;
    onchange(connection.run());
    onall();
    connection.look();
  }

  // Where no run is under way here, one may have been started in another tab.
  async function follow() {
    if (running(connection.run()?.state)) return;
    const { job } = await ask("/api/train");
    if (job !== null) connection.connect(job);
  }

  // A run that was resumed has a past, which is in its folder.
  async function before(run) {
    run.before = true;
    const { losses, epochs } = await ask(`/api/runs/${encodeURIComponent(run.state.run)}/curves`);
    const earlier = ([step]) => step <= run.state.resumed_at;
    run.past = { losses: losses.filter(earlier), epochs: epochs.filter(earlier) };
    onall();
  }

  function remark({ epochs_done: done, status: how, run, stage }) {
    const last = done.at(-1);
    const now = performance.now();
    if (how === "training" && last && last.epoch !== spoken.epoch && now - spoken.at > WORDS) {
      spoken = { at: now, epoch: last.epoch };
      say(t("train.spoken", { epoch: last.epoch, p: (100 * last.test_accuracy).toFixed(1) }));
    } else if (how !== spoken.how) say(whereabouts(t, { status: how, run, stage }, false));
    spoken.how = how;
  }

  async function begin(path, body) {
    connection.connect((await ask(path, body)).job);
  }

  function leave() {
    document.removeEventListener("visibilitychange", woken);
    connection.close();
  }

  return { ...connection, begin, leave };
}

// The run under way as a run that is drawn: its curves since the start.
export function drawable({ state, losses, past }) {
  const { epoch_steps: each, epochs_done: done, run: name, step } = state;
  const epochs = done.map((row) => [Math.min(row.epoch * each, step), row]);
  return { name, losses: [...(past?.losses ?? []), ...losses], epochs: [...(past?.epochs ?? []), ...epochs] };
}
