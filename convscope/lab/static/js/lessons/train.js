// Room 7's lesson: it trains in earnest. How many updates that takes, how far it gets, and a step that is far too large.

import { Spoken } from "../parts/lesson-judge.js";
import { running } from "../rooms/train/live.js";

const PASSES = 3;
const RECIPE = { data: "digits", net: "note", epochs: PASSES, batch_size: 64, lr: 0.1, momentum: 0.5 };
const HUGE = { ...RECIPE, lr: 10 };
const EVERY = 300; // ms between two looks at the run

const pause = () => new Promise((resume) => setTimeout(resume, EVERY));
const rounded = (share) => Number((100 * share).toFixed(2));
const curves = (ask, run) => ask(`/api/runs/${encodeURIComponent(run)}/curves`);

// A run of the lesson is trained once; who comes back to its question sees the same one.
async function trained(ask, name) {
  const key = `convscope.lesson.train.${name}`;
  const known = await ask("/api/runs");
  const earlier = known.find((run) => run.name === sessionStorage.getItem(key) && run.finished);
  if (earlier) return curves(ask, earlier.name);
  const { job, state } = await ask("/api/train");
  if (state && running(state)) throw new Spoken("busy");
  document.querySelector('[data-testid="start"]').click();
  const run = await ended(ask, job);
  sessionStorage.setItem(key, run);
  return curves(ask, run);
}

async function ended(ask, before) {
  for (let tries = 0; ; tries += 1) {
    await pause();
    const { job, state } = await ask("/api/train");
    if (job === before && tries > 30) throw new Spoken("stopped"); // the room says why
    if (job === before || running(state)) continue;
    if (state.status !== "finished") throw new Spoken("stopped");
    return state.run;
  }
}

const accuracy = ({ epochs }) => epochs.at(-1)[1].test_accuracy;

export const steps = [
  {
    key: "updates",
    kind: "number",
    focus: ".figure",
    state: RECIPE,
    async find({ ask }) {
      const { epoch_steps: each, epochs } = await trained(ask, "plain");
      const slips = { one: each, floor: PASSES * (each - 1), images: PASSES };
      return { right: epochs.at(-1)[0], slips, words: { each, passes: PASSES } };
    },
  },
  {
    key: "accuracy",
    kind: "slider",
    focus: ".figure",
    min: 0,
    max: 100,
    step: 1,
    start: 50,
    close: 5,
    state: RECIPE,
    async find({ ask }) {
      const told = await trained(ask, "plain");
      const [, first] = told.epochs[0];
      return { right: 100 * accuracy(told), slips: { chance: 10 }, words: { first: rounded(first.test_accuracy) } };
    },
  },
  {
    key: "huge",
    kind: "choice",
    focus: ".figure",
    options: ["better", "worse", "guess"],
    state: HUGE,
    async find({ ask }) {
      const is = accuracy(await trained(ask, "huge"));
      return { right: is > 0.9 ? "better" : is > 0.2 ? "worse" : "guess", words: { is: rounded(is) } };
    },
  },
];
