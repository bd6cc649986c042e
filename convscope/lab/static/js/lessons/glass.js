// The front page's lesson: what one stroke changes, what is evened out before the net sees it, and what it cannot say.

import { EXAMPLE, SURE, SURE_OF_SEVEN, best, look, most, rounded } from "./drawn.js";

export { look };

const LOOP = "0w0w141k1q1m2314"; // from the left end of the seven to its bar: a nine
const MOVED = "1b0w1m0v1x0u280u2j0u2p0u2q0w2m0z2g1g291z222h1w2z.1u1p241n2f1m"; // the example, 15 pixels to the right

export const steps = [
  {
    key: "loop",
    kind: "choice",
    focus: ".figure",
    options: ["7", "9", "4", "2"],
    then: { ink: `${EXAMPLE}.${LOOP}` },
    find: ({ before, after }) => ({
      right: best(after),
      words: { was: rounded(most(before)), is: rounded(most(after)) },
    }),
  },
  {
    key: "moved",
    kind: "choice",
    focus: ".figure",
    options: ["same", "unsure", "other"],
    then: { ink: MOVED },
    find({ before, after }) {
      const [was, is] = [rounded(most(before)), rounded(most(after))];
      return { right: best(before) !== best(after) ? "other" : was === is ? "same" : "unsure", words: { was, is } };
    },
  },
  {
    key: "thin",
    ...SURE_OF_SEVEN,
    then: { pen: 2 },
  },
  {
    key: "empty",
    ...SURE,
    then: { ink: "" },
    find: ({ after }) => ({ right: most(after), slips: { nothing: 0, even: 10 }, words: { best: best(after) } }),
  },
];
