// The blocks of a net: its layers, and the brackets around branches ("[", "/", "]+"), in reading order. Every change gives
// a new list. No DOM in here.

const BLOCK = /[[/|]|\][^\s|/[\]]*|[^|/[\]]+/g;

// ["relu", "[", "tanh", "]+"] → "relu | [ tanh ]+".
export function spec(blocks) {
  return blocks
    .map((block, i) => (i ? ("[/".includes(blocks[i - 1]) || "/]".includes(block[0]) ? " " : " | ") : "") + block)
    .join("");
}

export function replace(blocks, at, text) {
  const parts = [...text.matchAll(BLOCK)].map(([part]) => part.trim()).filter((part) => part && part !== "|");
  return blocks.toSpliced(at, 1, ...parts);
}

export function insert(blocks, at, text) {
  return blocks.toSpliced(at, 0, text);
}

// A layer; with a bracket its other end and what separates its branches, so that the layers inside stay.
export function remove(blocks, at) {
  const gone = new Set(isBracket(blocks[at]) ? around(blocks, at) : [at]);
  return blocks.filter((_, i) => !gone.has(i));
}

// One place up (−1) or down (+1); at the end nothing moves.
export function move(blocks, at, by) {
  const to = at + by;
  if (to < 0 || to >= blocks.length) return blocks;
  return blocks.with(at, blocks[to]).with(to, blocks[at]);
}

// From one place to another; what lies between makes room.
export function shift(blocks, from, to) {
  return blocks.toSpliced(from, 1).toSpliced(to, 0, blocks[from]);
}

export function isBracket(block) {
  return "[/]".includes(block[0]);
}

// The places of the bracket that `at` is part of: from its opening to its closing one, and between its branches.
function around(blocks, at) {
  const open = [];
  for (const [i, block] of blocks.entries()) {
    if (block === "[") open.push([i]);
    else if (isBracket(block)) open.at(-1).push(i);
    if (block[0] === "]") {
      const places = open.pop();
      if (places.includes(at)) return places;
    }
  }
  return [at];
}
