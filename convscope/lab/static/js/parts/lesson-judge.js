// A prediction beside the answer. No DOM in here.

const EXACT = 1e-9;

// step: {kind, close}; found: {right, slips}; said: a number, or the key of a choice. Gives {right, near, slip, off}:
// slip is the known mistake that leads to what was said, off what is missing to the answer.
export function judge({ kind, close = 0 }, { right, slips = {} }, said) {
  if (kind === "choice")
    return { right: said === right, near: said === right, slip: said === right ? null : said, off: null };
  const off = right - said;
  const hits = (value) => Math.abs(value - said) <= EXACT + Math.min(close, Math.abs(value - right) / 2);
  const near = Math.abs(off) <= close + EXACT;
  const slip = near ? null : (Object.keys(slips).find((key) => hits(slips[key])) ?? null);
  return { right: Math.abs(off) <= EXACT, near, slip, off };
}

// "{n} terms" with {n: 25} → "25 terms"; what has no value stays.
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, word) => values[word] ?? whole);
}

// Why there is no answer, as a key of the lesson's words.
export class Spoken extends Error {}

// What was kept of a lesson: {at, said}; whatever is not that is a lesson not begun.
export function progress(text, keys) {
  let kept = null;
  try {
    kept = JSON.parse(text);
  } catch {
    // written by something else
  }
  const said = Object.entries(kept?.said ?? {}).filter(([key, value]) => keys.includes(key) && isSaid(value));
  const at = Number.isInteger(kept?.at) ? Math.min(keys.length, Math.max(0, kept.at)) : 0;
  return { at, said: Object.fromEntries(said) };
}

const isSaid = (value) => typeof value === "string" || Number.isFinite(value);
