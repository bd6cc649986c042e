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

// What lies above `level`, as an SVG path: whole runs of cells as one box, cut ones along the contour.
export function above(heights, xs, ys, level, px, py) {
  let path = "";
  const draw = (points) => {
    path += `M${points.map(([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("L")}Z`;
  };
  for (let r = 0; r + 1 < ys.length; r += 1) {
    for (let c = 0; c + 1 < xs.length; c += 1) {
      let end = c;
      while (end + 1 < xs.length && corners(heights, xs, ys, r, end).every(([, , h]) => h >= level)) end += 1;
      if (end > c) {
        draw(box(xs[c], xs[end], ys[r], ys[r + 1]));
        c = end - 1;
        continue;
      }
      const cell = clipped(corners(heights, xs, ys, r, c), level);
      if (cell.length > 2) draw(cell);
    }
  }
  return path;
}

const box = (left, right, low, high) => [
  [left, low],
  [right, low],
  [right, high],
  [left, high],
];

function corners(heights, xs, ys, r, c) {
  return [
    [xs[c], ys[r], heights[r][c]],
    [xs[c + 1], ys[r], heights[r][c + 1]],
    [xs[c + 1], ys[r + 1], heights[r + 1][c + 1]],
    [xs[c], ys[r + 1], heights[r + 1][c]],
  ];
}

// The part of a cell above the level (Sutherland and Hodgman, 1974).
function clipped(cell, level) {
  return cell.flatMap(([x, y, h], i) => {
    const [x1, y1, h1] = cell[(i + 1) % 4];
    const found = h >= level ? [[x, y]] : [];
    if (h >= level !== h1 >= level) {
      const share = (level - h) / (h1 - h);
      found.push([x + share * (x1 - x), y + share * (y1 - y)]);
    }
    return found;
  });
}

const WIDE = 50;

// `count` round levels from just above the lowest height to the highest, closer together near the ground.
export function levels(heights, count = 12) {
  const all = heights.flat();
  const low = Math.min(...all);
  const high = Math.max(...all);
  const span = high - low;
  const steep = low > 0 && high > WIDE * low; // as on a logarithmic axis
  const found = steep
    ? Array.from({ length: count }, (_, i) => rounded(low * (high / low) ** ((i + 0.5) / count), low))
    : Array.from({ length: count }, (_, i) => rounded(low + span * 0.01 * 100 ** (i / count), span * 0.01));
  return [...new Set(found)].filter((level) => level > low);
}

// To two digits, or as many as its neighbour needs.
function rounded(level, step) {
  const digit = 10 ** Math.floor(Math.log10(Math.max(Math.abs(level) / 10, step)));
  return Number((Math.round(level / digit) * digit).toPrecision(6));
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
