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

// The reverse. What is unknown, unreadable or of another type than its default is left out: links may be old.
export function decode(text, defaults) {
  const parts = new URLSearchParams(text);
  const state = structuredClone(defaults);
  for (const [key, initial] of Object.entries(defaults)) {
    if (!parts.has(key)) continue;
    const value = read(parts.get(key), initial);
    if (value !== undefined && kind(value) === kind(initial)) state[key] = value;
  }
  return state;
}

// "#/shapes?net=note" → ["shapes", "net=note"]
export function split(hash) {
  const [, room, query] = /^#\/?([a-z-]*)\??(.*)$/s.exec(hash) ?? [null, "", ""];
  return [room, query];
}

// Brackets, commas and bars stay readable; they mean nothing in a fragment.
function escape(text) {
  return encodeURIComponent(text).replace(/%(?:2C|5B|5D|7C|2F|3A)/g, decodeURIComponent).replace(/%20/g, "+");
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
