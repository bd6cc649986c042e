// The loss as a polynomial, terms [[i, j, c], …] of c·wⁱ·bʲ: exact under the mouse. No DOM in here.

export function value(terms, w, b) {
  return terms.reduce((sum, [i, j, c]) => sum + c * w ** i * b ** j, 0);
}

// [∂/∂w, ∂/∂b].
export function slope(terms, w, b) {
  const along = (axis) =>
    terms.reduce((sum, term) => {
      const [i, j, c] = term;
      if (!term[axis]) return sum;
      return sum + c * (axis ? j * w ** i * b ** (j - 1) : i * w ** (i - 1) * b ** j);
    }, 0);
  return [along(0), along(1)];
}
