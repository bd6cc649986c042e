// The outline of a histogram on an axis from `from` to `to`. No DOM in here.

export const [WIDE, HIGH] = [160, 56];

// The counts as one outline; heights are roots, so that few numbers stay visible beside many.
export function outline({ counts, low, high }, from, to) {
  const most = Math.sqrt(Math.max(1, ...counts));
  const at = (value) => ((value - from) / (to - from)) * WIDE;
  const [start, wide] = low < high ? [at(low), (at(high) - at(low)) / counts.length] : [at(low) - 1.5, 3];
  const shown = low < high ? counts : counts.slice(0, 1);
  const tops = shown.map((n, i) => {
    const y = (HIGH - (Math.sqrt(n) / most) * HIGH).toFixed(1);
    return `L${(start + i * wide).toFixed(1)} ${y}L${(start + (i + 1) * wide).toFixed(1)} ${y}`;
  });
  return `M${start.toFixed(1)} ${HIGH}${tops.join("")}L${(start + shown.length * wide).toFixed(1)} ${HIGH}Z`;
}
