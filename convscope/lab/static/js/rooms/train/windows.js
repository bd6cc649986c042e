// Where an axis ends, and a loss as means of equal windows. No DOM in here.

// The end of the axis: that of the run, but while this is far away a round number a little beyond what is reached.
export function horizon(reached, last) {
  if (last <= 3 * reached) return Math.max(1, reached, last);
  const size = 10 ** Math.floor(Math.log10(1.3 * reached));
  return [1, 2, 5, 10].map((m) => m * size).find((end) => end >= 1.3 * reached);
}

// Points (update, mean loss of the updates since the point before) as means of windows of `width` updates each. A point
// that spans several windows counts in each by the share that lies there; the last window may be shorter.
export function windows(points, width) {
  const found = [];
  let [sum, count, end, before] = [0, 0, width, 0];
  for (const [step, loss] of points) {
    while (before < step) {
      const part = Math.min(step, end) - before;
      [sum, count, before] = [sum + part * loss, count + part, before + part];
      if (before < end) continue;
      found.push([end, sum / count]);
      [sum, count, end] = [0, 0, end + width];
    }
  }
  if (count) found.push([before, sum / count]);
  return found;
}
