// A room's state is one flat object; the address bar holds what differs from its defaults. No DOM in here.

// {net: "note", classes: 10} → "net=note&classes=10". Strings stand as they are, everything else as JSON.
export function encode(state, defaults) {
  const parts = [];
  for (const [key, initial] of Object.entries(defaults)) {
    const text = write(state[key]);
    if (text !== write(initial)) parts.push(`${key}=${escape(text)}`);
  }
  return parts.join("&");
}

// The reverse. What is unknown, unreadable, of another type than its default or against the room's `rules` is left out:
// links may be old, cut off or made by hand. A rule is one of the functions below; numbers are brought into its limits.
export function decode(text, defaults, rules = {}) {
  const parts = new URLSearchParams(text);
  const state = structuredClone(defaults);
  for (const [key, initial] of Object.entries(defaults)) {
    if (!parts.has(key)) continue;
    const value = read(parts.get(key), initial);
    if (value === undefined || kind(value) !== kind(initial)) continue;
    const settled = rules[key] ? rules[key](value) : value;
    if (settled !== undefined) state[key] = settled;
  }
  return state;
}

// Rules: a value → the value as the room may have it, or undefined.
export const oneOf = (values) => (value) => (values.includes(value) ? value : undefined);

export const real = (min, max) => (value) =>
  typeof value === "number" && !Number.isNaN(value) ? Math.min(max, Math.max(min, value)) : undefined;

export const whole = (min, max) => (value) => {
  const settled = real(min, max)(value);
  return settled === undefined ? undefined : Math.round(settled);
};

// A list with min to max entries that `rule` takes.
export const list =
  (rule, min = 0, max = Infinity) =>
  (value) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) return undefined;
    const settled = value.map(rule);
    return settled.includes(undefined) ? undefined : settled;
  };

// Nested lists of numbers with that many axes, none of them empty, every row as long as its neighbours.
export const tensor = (axes) => (value) => (rectangular(value, axes) ? value : undefined);

// Also null, where a list is not there yet.
export const orNull = (rule) => (value) => (value === null ? null : rule(value));

function rectangular(value, axes) {
  if (axes === 0) return typeof value === "number" && Number.isFinite(value);
  if (!Array.isArray(value) || !value.length || !value.every((part) => rectangular(part, axes - 1))) return false;
  return axes === 1 || value.every((part) => sizesOf(part).join() === sizesOf(value[0]).join());
}

function sizesOf(value) {
  return Array.isArray(value) ? [value.length, ...sizesOf(value[0])] : [];
}

// "#/shapes?net=note" → ["shapes", "net=note"]
export function split(hash) {
  const [, room, query] = /^#\/?([a-z-]*)\??(.*)$/s.exec(hash) ?? [null, "", ""];
  return [room, query];
}

// Brackets, commas and bars stay readable; they mean nothing in a fragment.
function escape(text) {
  return encodeURIComponent(text)
    .replace(/%(?:2C|5B|5D|7C|2F|3A)/g, decodeURIComponent)
    .replace(/%20/g, "+");
}

function write(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function read(text, initial) {
  if (typeof initial === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// null is a list that is not there yet, so either may stand for the other.
function kind(value) {
  return value === null || Array.isArray(value) ? "list" : typeof value;
}
