// Room 8's lesson: what a number of the second convolution is made of, how far it sees, and what a net takes for granted.

import { BUNDLED, EXAMPLE, SURE_OF_SEVEN, best, look, most, question, rounded } from "./drawn.js";

export { look };

const SEVEN = { run: BUNDLED, test: -1, ink: EXAMPLE };
const FIRST = { ...SEVEN, path: [["conv1", 0, 10, 10]] };
const SECOND = { path: [["conv2", 0, 3, 3]] };

// The ledgers of the numbers that both states end at.
const told = (ask, { before, after }) =>
  Promise.all(
    [before, after].map((state) => {
      const [layer, ...index] = state.path.at(-1);
      return ask("/api/inside/pixel", { ...question(state), layer, index });
    }),
  );
const square = (size) => [size, size];
const side = ({ sight }) => sight.bottom - sight.top + 1;

export const steps = [
  {
    key: "terms",
    kind: "number",
    focus: ".ledger-panel .why",
    part: ".ledger",
    state: FIRST,
    then: SECOND,
    async find({ ask, states }) {
      const [was, is] = (await told(ask, states)).map(({ ledger }) => ledger.terms.length);
      return { right: is, slips: { same: was, maps: 10 }, words: { was } };
    },
  },
  {
    key: "sight",
    kind: "place",
    focus: ".ledger-panel .why",
    part: ".sight",
    place: { on: '[data-testid="image"]', as: "frame", from: [5, 5], origin: [6, 6] },
    state: FIRST,
    then: SECOND,
    async find({ ask, states }) {
      const [was, is] = (await told(ask, states)).map(side);
      const slips = { same: square(was), unpooled: square(2 * was - 1), doubled: square(2 * was) };
      return { right: square(is), slips, words: { was, is } };
    },
  },
  {
    key: "bar",
    ...SURE_OF_SEVEN,
    state: SEVEN,
    then: { ink: EXAMPLE.split(".")[0] },
  },
  {
    key: "negative",
    kind: "choice",
    focus: ".figure",
    options: ["same", "unsure", "other"],
    state: SEVEN,
    then: { invert: true },
    find({ before, after }) {
      const [was, is] = [before, after].map((answer) => rounded(most(answer)));
      const right = best(before) !== best(after) ? "other" : is < was ? "unsure" : "same";
      return { right, words: { was, is, best: best(after) } };
    },
  },
];
