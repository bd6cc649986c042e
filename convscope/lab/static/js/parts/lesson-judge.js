// A prediction beside the answer. No DOM in here.

const EXACT = 1e-9;

// step: {kind, close}; found: {right, slips}; said: a number, the key of a choice, or the two numbers of a place. Gives
// {right, near, slip, off}: slip is the known mistake that leads to what was said, off what is missing to the answer.
export function judge({ kind, close = 0 }, { right, slips = {} }, said) {
  if (kind === "choice")
    return { right: said === right, near: said === right, slip: said === right ? null : said, off: null };
  if (kind === "place") return judgePlace(close, right, slips, said);
  const off = right - said;
  const hits = (value) => Math.abs(value - said) <= EXACT + Math.min(close, Math.abs(value - right) / 2);
  const near = Math.abs(off) <= close + EXACT;
  const slip = near ? null : (Object.keys(slips).find((key) => hits(slips[key])) ?? null);
  return { right: Math.abs(off) <= EXACT, near, slip, off };
}

// Where several mistakes are as near as that, it is the nearest.
function judgePlace(close, right, slips, said) {
  const away = (place) => Math.hypot(place[0] - said[0], place[1] - said[1]);
  const off = away(right);
  const near = off <= close + EXACT;
  const [slip] = Object.keys(slips)
    .filter((key) => away(slips[key]) <= close + EXACT)
    .sort((a, b) => away(slips[a]) - away(slips[b]));
  return { right: off <= EXACT, near, slip: near ? null : (slip ?? null), off };
}

// "{n} terms" with {n: 25} → "25 terms", −1 with its own sign; what has no value stays.
export function filled(text, values) {
  const shown = (value) => (typeof value === "number" ? String(value).replace("-", "−") : value);
  return text.replace(/\{(\w+)\}/g, (whole, word) => shown(values[word]) ?? whole);
}

// Why there is no answer, as a key of the lesson's words.
export class Spoken extends Error {}

// What was kept of a lesson of these steps: {at, said}; whatever is not that is a lesson not begun.
export function progress(text, steps) {
  let kept = null;
  try {
    kept = JSON.parse(text);
  } catch {
    // written by something else
  }
  const fits = ({ key, kind }) => SAID[kind]?.(kept?.said?.[key]) ?? isNumber(kept?.said?.[key]);
  const said = steps.filter(fits).map(({ key }) => [key, kept.said[key]]);
  const at = Number.isInteger(kept?.at) ? Math.min(steps.length, Math.max(0, kept.at)) : 0;
  return { at, said: Object.fromEntries(said) };
}

const isNumber = (value) => Number.isFinite(value);
const SAID = {
  choice: (value) => typeof value === "string",
  place: (value) => Array.isArray(value) && value.length === 2 && value.every(isNumber),
};
