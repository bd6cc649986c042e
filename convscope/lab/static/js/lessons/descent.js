// The lesson of room 3: how many updates an epoch has, which way down is ahead, and steps that are too large.

export const look = (ask, state) => ask("/api/descent", state);

const REGIMES = ["stochastic", "mini", "full"];
const FULL = REGIMES.indexOf("full");
const END = 1e6; // of the slider: beyond the last place

const losses = ({ paths }) => paths.slice(0, REGIMES.length).map(({ regime }) => regime.points.at(-1).loss);
const updates = ({ paths }, k) => paths[k].regime.points.length - 1;

export const steps = [
  {
    key: "updates",
    kind: "number",
    focus: ".ledger-panel .cut",
    then: { count_batch_size: 64 },
    find({ before, after }) {
      const was = before.batches.updates;
      return { right: after.batches.updates, slips: { twice: 2 * was, same: was } };
    },
  },
  {
    key: "rest",
    kind: "number",
    focus: ".ledger-panel .cut",
    state: { count_samples: 40010, drop_last: true },
    then: { drop_last: false },
    find({ before, after }) {
      const was = before.batches.updates;
      return { right: after.batches.updates, slips: { same: was }, words: { last: after.batches.last } };
    },
  },
  {
    key: "ahead",
    kind: "choice",
    focus: ".figure",
    options: REGIMES,
    state: { at: 0 },
    then: { at: END },
    find({ after }) {
      const reached = losses(after);
      const words = REGIMES.flatMap((name, k) => [
        [name, Number(reached[k].toPrecision(2))],
        [`${name}_updates`, updates(after, k)],
      ]);
      return { right: REGIMES[reached.indexOf(Math.min(...reached))], words: Object.fromEntries(words) };
    },
  },
  {
    key: "steep",
    kind: "choice",
    focus: ".figure",
    options: ["faster", "slower", "away"],
    state: { regime: FULL, at: END },
    then: { lr: 1 },
    find({ before, after }) {
      const [slow, start, fast] = [losses(before)[FULL], after.paths[FULL].regime.points[0].loss, losses(after)[FULL]];
      const right = fast > start ? "away" : fast < slow ? "faster" : "slower";
      const shown = (number) => Number(number.toPrecision(3));
      return { right, words: { start: shown(start), end: shown(fast), limit: shown(2 / after.curvature) } };
    },
  },
  {
    key: "hollow",
    kind: "place",
    focus: ".figure",
    place: { on: '[data-testid="map"] .sea', as: "cross", from: [1.6, 1.2] },
    close: 0.25,
    state: { surface: "two-minima", epochs: 100, regime: FULL, axis: "updates", at: 0 },
    then: { at: END },
    find({ after }) {
      const { parameters, loss } = after.paths[0].regime.points.at(-1);
      const least = Math.min(...after.map.heights.flat());
      const words = { loss: Number(loss.toFixed(2)), least: Number(least.toFixed(2)) };
      return { right: parameters, slips: { lowest: after.map.best }, words };
    },
  },
];
