// How a ledger is laid out: which lines, in which order. No DOM in here.

// The terms, channel by channel under their subtotals, or sorted: what counts most comes first, for a sum the largest products of
// either sign, for a maximum the largest values (null is the −∞ of padding). Gives [{subtotal: {channel, terms, total}} or {term, i}].
// i is the term's place in the ledger; of the terms the first `most` are given.
export function layout({ terms, subtotals, operation }, { sorted = false, most = Infinity } = {}) {
  const order = terms.map((term, i) => ({ term, i }));
  const weight = ({ term: { product } }) => (operation === "max" ? (product ?? -Infinity) : Math.abs(product));
  if (sorted) order.sort((a, b) => (weight(a) === weight(b) ? 0 : weight(b) - weight(a)));
  const parted = !sorted && subtotals.length > 1;
  const lines = [];
  let channel = null;
  for (const line of order.slice(0, most)) {
    if (parted && line.term.channel !== channel) {
      channel = line.term.channel;
      lines.push({ subtotal: subtotals.find((part) => part.channel === channel) });
    }
    lines.push(line);
  }
  return lines;
}

export function name(tensor, index) {
  return index.length ? `${tensor}[${index.join(",")}]` : tensor;
}
