// The run under way: what the server has sent so far. The connection comes back by itself; nothing is lost by a pause of it.

import { STALE, ask } from "../../core/api.js";
import { lose } from "../../core/connection.js";
import { unpack } from "../../core/binary.js";

const MOST = 4000; // points of a curve and rows that are kept; beyond, every second one of the older half goes

// onchange(run) at every event: run is {state, losses, norms, probe, lines}; onend(run) once it is over; onerror(error) where a
// probe cannot be had.
export function live({ onchange, onend, onerror }) {
  let source = null;
  let run = null;
  let fetching = false;

  function connect(job) {
    if (run?.job === job && (source || !running(run.state))) return;
    close();
    run = { job, state: null, losses: [], norms: [], probe: null, looked: 0, lines: null, lined: 0 };
    listen();
  }

  function listen() {
    source = new EventSource(`/api/train/events?job=${run.job}`);
    source.onmessage = (event) => take(JSON.parse(event.data));
    source.onerror = lose;
  }

  function take({ losses, norms, epochs_done: news, ...state }) {
    const told = run.state?.epochs_done ?? [];
    run.state = {
      ...state,
      epochs_done: news.length ? kept([...told.filter((row) => row.epoch < news[0].epoch), ...news]) : told,
    };
    run.losses = merge(run.losses, losses);
    run.norms = merge(run.norms, norms);
    onchange(run);
    look();
    if (!running(state)) {
      close();
      onend(run);
    }
  }

  // The latest look at the probe images, and the last update that was taken alone; one question at a time, and none where
  // nobody sees it.
  async function look() {
    const mine = run;
    const { probe_version: version, lines_version: lined } = mine.state;
    if (fetching || document.hidden || (version === mine.looked && lined === mine.lined)) return;
    fetching = true;
    try {
      if (lined !== mine.lined) [mine.lines, mine.lined] = [await latest("lines", mine.job, mine.lines), lined];
      if (version !== mine.looked) [mine.probe, mine.looked] = [await latest("probe", mine.job, mine.probe), version];
      if (mine === run) onchange(mine);
    } catch (error) {
      return onerror(error);
    } finally {
      fetching = false;
    }
    if (mine === run) look();
  }

  // Once another run is under way there is nothing of this one: what is shown stays.
  async function latest(what, job, shown) {
    const answer = await ask(`/api/train/${what}?job=${job}`);
    return answer === STALE ? shown : unpack(answer);
  }

  // The lab answers again. What was missed is sent from the last event on; the job may be over, or that of a lab that
  // has ended.
  function reconnect(job) {
    if (!run || source?.readyState === EventSource.OPEN) return;
    const last = run.job === job && running(run.state) ? run : null;
    if (!last) run = null;
    close();
    if (job !== null && !last) connect(job);
    else if (last) listen();
  }

  function close() {
    source?.close();
    source = null;
  }

  return { connect, reconnect, close, look, run: () => run };
}

export function running(state) {
  return Boolean(state) && ["opening", "training", "paused"].includes(state.status);
}

// Points that came later go behind; a point of the same update takes the place of the old one.
export function merge(old, news) {
  if (!news.length) return old;
  const from = news[0][0];
  const before = old.length && old.at(-1)[0] >= from ? old.filter(([step]) => step < from) : old;
  return kept([...before, ...news]);
}

// A page that is open for days does not grow.
export function kept(all) {
  const half = MOST / 2;
  return all.length <= MOST ? all : [...all.slice(0, half).filter((_, i) => i % 2 === 0), ...all.slice(half)];
}
