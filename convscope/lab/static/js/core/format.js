// Numbers as people read them. Full precision lives in data-value; here it is rounded for the eye.

export const MINUS = "\u2212";

// Up to `digits` significant digits; null (nothing yet, or not finite) is a dash.
export function num(value, digits = 4) {
  if (value === null || value === undefined) return "—";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return minus(String(value));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return minus(value.toExponential(Math.min(digits - 1, 3)));
  return minus(String(Number(value.toPrecision(digits))));
}

// A tick of an axis: what is very large or small as a power of ten, with few letters.
export function power(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return num(value, 3);
  const [digits, exponent] = value.toExponential(1).split("e");
  const raised = [...exponent.replace("+", "")].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
  const factor = Number(digits);
  return `${factor === 1 ? "" : `${minus(String(factor))}·`}10${raised}`;
}

// With a sign always, for what is added up.
export function signed(value, digits = 4) {
  return value >= 0 ? `+${num(value, digits)}` : num(value, digits);
}

export function minus(text) {
  return text.replace(/-/g, MINUS);
}

// How sure a net is: a probability as 87.1 %, a score of a net that gives no probabilities as 0.871.
export function sure(confidence, value, digits = 1) {
  return confidence === "probability" ? `${(100 * value).toFixed(digits)}\u202f%` : minus(value.toFixed(digits + 2));
}

// 8490 → "8 490", with a narrow no-break space, the same in both languages.
export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// Some Chinese fonts draw "·" as wide as a letter; the dot of products is narrow everywhere.
export function formula(text) {
  return text.replace(/·/g, "\u22c5");
}

export function shape(sizes) {
  return sizes.join("×");
}
