// Scales and ticks of a chart. No DOM in here.

// values → pixels [from, to]; with `room` a little space above and below. Never a zero span.
export function scale(values, [from, to], { log = false, room = false } = {}) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (!values.length) [low, high] = log ? [0.1, 1] : [0, 1];
  if (log) [low, high] = [Math.log10(low), Math.log10(high)];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  if (room) [low, high] = [low - (high - low) * 0.04, high + (high - low) * 0.04];
  const at = (v) => from + (((log ? Math.log10(v) : v) - low) / (high - low)) * (to - from);
  return { at, low, high, log };
}

// Some two to seven round numbers within the scale: on a logarithmic one powers of ten, with their doubles and halves where
// there are few, and evenly spaced numbers where that is still too few.
export function ticks({ low, high, log }) {
  if (!log) return even(low, high);
  const [first, last] = [Math.ceil(low), Math.floor(high)];
  const every = Math.max(1, Math.ceil((last - first + 1) / 7));
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    if (every > 1 && (power - first) % every) continue;
    for (const m of factors) {
      const place = power + Math.log10(m);
      if (place >= low && place <= high) found.push(m * 10 ** power);
    }
  }
  return found.length > 1 ? found : even(10 ** low, 10 ** high);
}

function even(low, high) {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k += 1)
    found.push(Number((k * step).toPrecision(12)));
  return found;
}

// The height of a line at x, between its nearest points; null outside of it or where it is broken.
export function heightAt(points, x) {
  const after = points.findIndex(([v]) => v >= x);
  if (after < 0) return null;
  const [b, high] = points[after];
  if (b === x) return high;
  if (after === 0 || high === null || points[after - 1][1] === null) return null;
  const [a, low] = points[after - 1];
  return low + ((high - low) * (x - a)) / (b - a);
}

// An SVG path through the points; null breaks it.
export function path(points, across, up, log = false) {
  let text = "";
  let pen = "M";
  for (const [x, y] of points) {
    if (y === null || (log && y <= 0)) {
      pen = "M";
      continue;
    }
    text += `${pen}${across.at(x).toFixed(1)} ${up.at(y).toFixed(1)}`;
    pen = "L";
  }
  return text;
}
