// Points [x, y] in the plane. No DOM in here.

// Flat numbers x, y, x, y, … as points in a drawing of that size, `edge` inside it, with one scale each way; y upwards.
export function fitted(flat, wide, high, edge) {
  const count = flat.length / 2;
  const axis = (k) => Array.from({ length: count }, (_, i) => flat[2 * i + k]);
  const [across, up] = [axis(0), axis(1)].map((values) => {
    const [low, top] = [Math.min(...values), Math.max(...values)];
    return values.map((value) => (top > low ? (value - low) / (top - low) : 0.5));
  });
  return across.map((x, i) => [edge + x * (wide - 2 * edge), edge + (1 - up[i]) * (high - 2 * edge)]);
}

// The index of the point nearest to a place, null where none is within `reach`.
export function nearest(points, [x, y], reach) {
  let [best, found] = [reach, null];
  points.forEach(([a, b], i) => {
    const far = Math.hypot(a - x, b - y);
    if (far <= best) [best, found] = [far, i];
  });
  return found;
}

// The nearest point on one side of a place, within 45 degrees of the way [dx, dy]; null where there is none.
export function ahead(points, [x, y], [dx, dy]) {
  let [best, found] = [Infinity, null];
  points.forEach(([a, b], i) => {
    const [along, aside] = [(a - x) * dx + (b - y) * dy, Math.abs((a - x) * dy) + Math.abs((b - y) * dx)];
    const far = Math.hypot(along, aside);
    if (along > 0 && aside <= along && far < best) [best, found] = [far, i];
  });
  return found;
}
