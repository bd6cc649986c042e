// What a block says in words: "conv 10 5" are 10 kernels of 5×5.

// layer: a block as it is written. Null where it needs no words, as a bracket.
export function meaning(t, layer) {
  const [name, ...rest] = layer.split(/\s+/);
  const numbers = rest.filter((one) => /^[\d.]+(x\d+)?$/.test(one));
  const key = `shapes.means_${name}${name === "linear" && !numbers.length ? "_last" : ""}`;
  if (!t.knows(key)) return null;
  return t(key, { n: numbers[0] ?? "", k: square(numbers.at(-1) ?? "2"), p: numbers[0] ?? "0.5" });
}

// "5" and "3x5" as the sides of a window.
function square(text) {
  return text.includes("x") ? text.replace("x", "×") : `${text}×${text}`;
}
