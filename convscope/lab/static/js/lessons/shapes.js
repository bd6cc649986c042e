// The lesson of room 6: what a classifier reads, what colour costs, where the weights are, and which layer refuses.

export const look = (ask, state) => ask("/api/shapes", state);

const line = ({ lines }, name) => lines.find((one) => one.name === name);
const WEIGHTED = ["conv1", "conv2", "linear1"];

export const steps = [
  {
    key: "features",
    kind: "number",
    focus: ".figure",
    then: { image: [1, 32, 32] },
    find({ before, after }) {
      const [was, is] = [before, after].map((answer) => line(answer, "flatten1"));
      const [channels, rows, wide] = is.input;
      const quarter = channels * (32 / 4) ** 2;
      return { right: is.output[0], slips: { same: was.output[0], quarter }, words: { channels, rows, wide } };
    },
  },
  {
    key: "colour",
    kind: "number",
    focus: ".figure",
    then: { image: [3, 28, 28] },
    find({ before, after }) {
      const [was, is] = [before, after].map((answer) => line(answer, "conv1").parameters);
      const kernels = line(before, "conv1").output[0];
      const slips = { same: was, tripled: 3 * was, bare: is - kernels };
      return { right: is, slips, words: { was, kernels } };
    },
  },
  {
    key: "heaviest",
    kind: "choice",
    focus: ".figure",
    options: WEIGHTED,
    find({ after }) {
      const sizes = Object.fromEntries(WEIGHTED.map((name) => [name, line(after, name).parameters]));
      return { right: WEIGHTED.reduce((best, name) => (sizes[name] > sizes[best] ? name : best)), words: sizes };
    },
  },
  {
    key: "refuses",
    kind: "choice",
    focus: ".figure",
    options: [...WEIGHTED, "none"],
    state: { feed: "64, 1, 28, 28" },
    then: { feed: "64, 1, 32, 32" },
    find({ after }) {
      const { failed, outputs } = after.fed;
      return {
        right: failed ?? "none",
        words: { features: outputs.flatten1[1], made: line(after, "flatten1").output[0] },
      };
    },
  },
];
