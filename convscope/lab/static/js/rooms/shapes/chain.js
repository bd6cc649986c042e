// A chain of layers as a list of their texts. Every change gives a new list. No DOM in here.

export function replace(layers, at, text) {
  const parts = text.split("|").map((part) => part.trim()).filter(Boolean);
  return layers.toSpliced(at, 1, ...parts);
}

export function insert(layers, at, text) {
  return layers.toSpliced(at, 0, text);
}

export function remove(layers, at) {
  return layers.toSpliced(at, 1);
}

// One place up (−1) or down (+1); at the end nothing moves.
export function move(layers, at, by) {
  const to = at + by;
  if (to < 0 || to >= layers.length) return layers;
  return layers.with(at, layers[to]).with(to, layers[at]);
}
