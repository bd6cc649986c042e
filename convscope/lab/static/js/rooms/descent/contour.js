// Lines of equal height by marching squares, and round-ish levels for them. No DOM in here.

// heights[row][column] over (xs, ys) → an SVG path of the line at `level`, in the coordinates that px and py give.
export function contour(heights, xs, ys, level, px, py) {
  let path = "";
  const cross = (a, b, from, to) => from + ((level - a) / (b - a)) * (to - from);
  for (let r = 0; r + 1 < ys.length; r += 1) {
    for (let c = 0; c + 1 < xs.length; c += 1) {
      const [a, b, d, e] = [heights[r][c], heights[r][c + 1], heights[r + 1][c + 1], heights[r + 1][c]];
      const points = [];
      if (a < level !== b < level) points.push([cross(a, b, xs[c], xs[c + 1]), ys[r]]);
      if (b < level !== d < level) points.push([xs[c + 1], cross(b, d, ys[r], ys[r + 1])]);
      if (e < level !== d < level) points.push([cross(e, d, xs[c], xs[c + 1]), ys[r + 1]]);
      if (a < level !== e < level) points.push([xs[c], cross(a, e, ys[r], ys[r + 1])]);
      for (let i = 0; i + 1 < points.length; i += 2) {
        const [[x0, y0], [x1, y1]] = [points[i], points[i + 1]];
        path += `M${px(x0).toFixed(1)} ${py(y0).toFixed(1)}L${px(x1).toFixed(1)} ${py(y1).toFixed(1)}`;
      }
    }
  }
  return path;
}

// `count` levels that grow by one factor, from just above the lowest height to the highest.
export function levels(heights, count = 16) {
  const all = heights.flat();
  const low = Math.min(...all) * 1.03 + 1e-12;
  const high = Math.max(...all);
  return Array.from({ length: count }, (_, i) => low * (high / low) ** (i / count));
}

// The last of `points` whose `axis` is not beyond x: where a regime has got to.
export function reached(points, axis, x) {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (points[middle][axis] <= x + 1e-12) low = middle;
    else high = middle - 1;
  }
  return low;
}
