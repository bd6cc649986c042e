// The lesson of room 2: upstream × local, sums where a value is used twice, dead ReLUs, and gradients that pile up.

export const look = (ask, state) => ask("/api/backprop", state);

const ALL = 10000; // steps: more than there are
const box = ({ boxes }, label) => boxes.find((one) => one.label === label);

// What has come together at a node when the walk is over.
function gradient(answer, label) {
  const { id } = box(answer, label);
  const given = answer.steps.flatMap((step) => step.given).filter(({ input }) => input === id);
  return given.at(-1).accumulated.number;
}

const value = (answer, label) => box(answer, label).value.number;

export const steps = [
  {
    key: "chain",
    kind: "number",
    focus: ".figure",
    state: { step: 4 },
    then: { step: ALL },
    find({ after }) {
      const [upstream, x] = [gradient(after, "v1"), value(after, "x")];
      return { right: gradient(after, "w"), slips: { upstream, local: x }, words: { upstream, x } };
    },
  },
  {
    key: "shared",
    kind: "number",
    focus: ".figure",
    state: { expression: "x*x + x", values: "x=3", step: 2 },
    then: { step: ALL },
    find({ after }) {
      const x = value(after, "x");
      return { right: gradient(after, "x"), slips: { product: 2 * x, once: x + 1 }, words: { x } };
    },
  },
  {
    key: "dead",
    kind: "choice",
    focus: ".figure",
    options: ["plus", "zero", "minus"],
    state: { expression: "relu(w*x) * sigmoid(w)", values: "w=-1 x=2", step: 4 },
    then: { step: ALL },
    find({ after }) {
      const slope = gradient(after, "w");
      return { right: slope > 0 ? "plus" : slope < 0 ? "minus" : "zero", words: { inner: value(after, "v1") } };
    },
  },
  {
    key: "again",
    kind: "number",
    focus: ".figure",
    state: { expression: "x*x + x", values: "x=3", step: ALL },
    then: { passes: 2 },
    find({ before, after }) {
      const was = gradient(before, "x");
      return { right: gradient(after, "x"), slips: { same: was, none: 0 }, words: { was } };
    },
  },
];
