// A drawing as text: strokes are parted by dots, a point is two characters for x and two for y in base 36. No DOM here.

export const SIDE = 112;
const NEAR = 3; // pixels: points closer than this to the one before add nothing

export function write(strokes) {
  return strokes.map((stroke) => stroke.map(([x, y]) => two(x) + two(y)).join("")).join(".");
}

// The reverse; what is no drawing is an empty one.
export function read(text) {
  if (!/^(?:[0-9a-z]{4})*(?:\.(?:[0-9a-z]{4})+)*$/.test(text) || !text) return [];
  const strokes = text
    .split(".")
    .map((part) => part.match(/.{4}/g).map((point) => [parseInt(point.slice(0, 2), 36), parseInt(point.slice(2), 36)]));
  return strokes.flat().every(([x, y]) => x < SIDE && y < SIDE) ? strokes : [];
}

// The stroke with one more point, or the same stroke where the point is too near to the last one.
export function extend(stroke, [x, y]) {
  const point = [clip(x), clip(y)];
  const last = stroke.at(-1);
  return last && Math.hypot(point[0] - last[0], point[1] - last[1]) < NEAR ? stroke : [...stroke, point];
}

function clip(value) {
  return Math.min(SIDE - 1, Math.max(0, Math.round(value)));
}

function two(value) {
  return value.toString(36).padStart(2, "0");
}
