// The lesson of room 5: how much pooling leaves, what an average is, and where the gradient goes.

export const look = (ask, { picture: _, ...state }) => ask("/api/pooling", state);

const count = (map) => map.flat(Infinity).length;

export const steps = [
  {
    key: "left",
    kind: "place",
    focus: ".figure",
    place: { on: '[data-testid="input-0"]', as: "frame", from: [6, 6] },
    then: { kernel_size: [3, 3], stride: [3, 3], at: [0, 0, 0] },
    find({ before, after }) {
      const [side, was] = [before.input, before.output].map(([map]) => map.length);
      const left = after.output[0].length;
      const slips = { sliding: [side - 3 + 1, side - 3 + 1], same: [was, was] };
      return { right: [left, left], slips, words: { left, all: count(after.output) } };
    },
  },
  {
    key: "mean",
    kind: "number",
    focus: ".figure",
    state: { at: [0, 0, 0] },
    then: { kind: "avg" },
    find({ before, after }) {
      const window = [0, 1].flatMap((r) => before.input[0][r].slice(0, 2));
      const sum = window.reduce((a, b) => a + b);
      return { right: after.output[0][0][0], slips: { sum, largest: before.output[0][0][0] }, words: { sum } };
    },
  },
  {
    key: "winners",
    kind: "number",
    focus: ".figure",
    state: { at: [0, 0, 0] },
    then: { backward: true },
    find({ before, after }) {
      const fed = after.gradient.flat(2).filter((slope) => slope !== 0).length;
      return { right: fed, slips: { all: count(before.input), one: 1 }, words: { all: count(before.input) } };
    },
  },
  {
    key: "popular",
    kind: "number",
    focus: ".figure",
    state: { kernel_size: [3, 3], stride: [1, 1], at: [0, 3, 3] },
    then: { backward: true, at: [0, 4, 4] },
    find({ after }) {
      return { right: after.gradient[0][4][4], slips: { one: 1, all: 9, outputs: count(after.output) } };
    },
  },
];
