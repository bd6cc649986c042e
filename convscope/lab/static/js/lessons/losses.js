// The lesson of room 1: squares grow faster than distances; what cross entropy sees, and the softmax too many.

export const look = (ask, state) => ask("/api/losses", state);

const NAMES = ["mse", "l2", "mae"];
const START = { prediction: [1, 2, 3, 7], target: [1.5, 2, 5, 4], at: 3 };
const FAR = { prediction: [1, 2, 3, 10] };

export const steps = [
  {
    key: "square",
    kind: "number",
    focus: ".figure > .scroll",
    state: START,
    then: FAR,
    find({ before, after }) {
      const [was, is] = [before, after].map(({ regression }) => regression.mse.elements[3]);
      return {
        right: is.term,
        slips: { doubled: was.term * (is.difference / was.difference), absolute: Math.abs(is.difference) },
        words: { was: was.term },
      };
    },
  },
  {
    key: "leap",
    kind: "choice",
    focus: ".figure > .loss-values",
    options: NAMES,
    state: START,
    then: FAR,
    find({ before, after }) {
      const grown = (name) => after.regression[name].value / before.regression[name].value;
      const words = Object.fromEntries(NAMES.map((name) => [name, grown(name).toFixed(2)]));
      return { right: NAMES.reduce((best, name) => (grown(name) > grown(best) ? name : best)), words };
    },
  },
  {
    key: "shift",
    kind: "choice",
    focus: ".ledger-panel",
    options: ["more", "same", "less"],
    state: { logits: [2, -1, 0.5], klass: 0 },
    then: { logits: [12, 9, 10.5] },
    find: ({ before, after }) => compared(before.cross_entropy.value, after.cross_entropy.value),
  },
  {
    key: "clueless",
    kind: "slider",
    focus: ".ledger-panel",
    min: 0,
    max: 10,
    step: 0.1,
    close: 0.1,
    state: { logits: [0, 0], klass: 0 },
    then: { logits: Array(10).fill(0) },
    find({ before, after }) {
      const was = before.cross_entropy.value;
      return { right: after.cross_entropy.value, slips: { times: 5 * was }, words: { was: was.toFixed(3) } };
    },
  },
  {
    key: "twice",
    kind: "choice",
    focus: ".ledger-panel",
    options: ["more", "same", "less"],
    state: { logits: [8, 0, 0], klass: 0 },
    then: { twice: true },
    find: ({ before, after }) => compared(before.cross_entropy.value, after.twice.loss.value),
  },
];

// Two losses are the same where they are so as people read them.
function compared(was, is) {
  const right = Math.abs(is - was) < 1e-9 ? "same" : is > was ? "more" : "less";
  return { right, words: { was: Number(was.toPrecision(3)), is: Number(is.toPrecision(3)) } };
}
