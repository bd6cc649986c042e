// What goes wrong in a run, in sentences, from what it has told so far. No DOM in here.

const GUESSING = 0.03; // of ln K: so near to it a loss says that the net guesses
const ROSE = 5; // times the loss of guessing: one above that came of steps that are too large
const SILENT = 0.5; // of a layer's channels: more that are 0 for all probe images are worth a word
const GROWN = 1.3; // times its least: a test loss above that tells of overfitting
const VANISHED = 1e-4; // of the largest gradient norm

// run: {state, losses, norms, probe}, as live.js has it. Gives [[key, values], …], what matters most first.
export function remarks({ state, losses, norms, probe }) {
  if (!state?.classes) return [];
  const lr = { try: Number((state.lr / 10).toPrecision(3)) };
  const silent = dead(probe);
  const found = [exploded(state, losses, lr), ...silent, plateau(state), overfitting(state)];
  if (!silent.some(([key]) => key === "dead")) found.push(vanished(state, norms)); // else that is why
  return found.filter(Boolean);
}

// Where the loss of guessing is not known, the run's own first loss stands for it.
function exploded({ classes, loss }, losses, lr) {
  if (!losses.length) return null;
  const limit = ROSE * (loss === "cross-entropy" ? Math.log(classes.length) : losses[0][1]);
  const at = losses.findIndex(([, value]) => value > limit);
  if (at < 0) return null;
  const most = losses.reduce((a, b) => (b[1] > a[1] ? b : a));
  return ["exploded", { loss: most[1], step: losses[at][0], ...lr }];
}

// ReLU layers of which all channels, or most, are 0 everywhere for all probe images: what lies below no longer learns from
// them.
function dead(probe) {
  return (probe?.head.outputs ?? [])
    .filter(({ silent, channels }) => silent > 0 && silent >= SILENT * channels)
    .map(({ name, silent, channels }) => [silent === channels ? "dead" : "silent", { name, n: silent, of: channels }]);
}

function plateau({ classes, loss, epochs_done: epochs }) {
  const guess = Math.log(classes.length);
  const lately = epochs.slice(-2);
  const flat = lately.length === 2 && lately.every((row) => Math.abs(row.train_loss - guess) < GUESSING * guess);
  return loss === "cross-entropy" && flat ? ["plateau", { k: classes.length, guess }] : null;
}

function overfitting({ epochs_done: epochs }) {
  if (epochs.length < 4) return null;
  const best = epochs.reduce((a, b) => (b.test_loss < a.test_loss ? b : a));
  const last = epochs.at(-1);
  const apart = last.test_loss > GROWN * best.test_loss && last.train_loss < 0.5 * last.test_loss;
  return apart && last.epoch - best.epoch >= 2 ? ["overfitting", { epoch: best.epoch }] : null;
}

function vanished({ layers }, norms) {
  const last = norms.at(-1)?.[1];
  if (!last?.length || !layers) return null;
  const most = Math.max(...last);
  const at = last.findIndex((norm) => norm < VANISHED * most);
  return at < 0 ? null : ["vanished", { name: layers[at] }];
}
