// Numbers as colours: blue below zero, orange above, the paper at zero. Safe for colour-blind eyes. No DOM in here.

const LIGHT = { zero: [250, 249, 246], minus: [33, 102, 172], plus: [202, 90, 10] };
const DARK = { zero: [30, 33, 39], minus: [94, 160, 230], plus: [245, 158, 66] };

// value in [−limit, limit] → [r, g, b]; beyond it is clipped, null is the paper.
export function diverging(value, limit, dark = false) {
  const { zero, minus, plus } = dark ? DARK : LIGHT;
  if (value === null || !(limit > 0)) return zero;
  const share = Math.min(1, Math.abs(value) / limit);
  const end = value < 0 ? minus : plus;
  const t = share ** 0.85; // small values stay visible
  return zero.map((start, i) => Math.round(start + (end[i] - start) * t));
}

// 0 → black, limit → white, as the image itself is.
export function grey(value, low, high) {
  const level = Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low || 1))));
  return [level, level, level];
}

// The same for whole pictures, into the pixels (r, g, b, a) of an ImageData; `values` has one number a pixel, or three planes.
// Sixty maps at every stroke of a pen: here no list is made for a pixel, and the colours come from a table.
const SHADES = 1023; // of each sign
const tables = new Map(); // dark or not → [r, g, b] of −1 … 1, flat

function table(dark) {
  if (!tables.has(dark)) {
    tables.set(
      dark,
      Uint8ClampedArray.from(
        Array.from({ length: 2 * SHADES + 1 }, (_, i) => diverging(i - SHADES, SHADES, dark)).flat(),
      ),
    );
  }
  return tables.get(dark);
}

export function paintDiverging(pixels, values, limit, dark) {
  const colours = table(dark);
  const scale = limit > 0 ? SHADES / limit : 0;
  for (let i = 0, to = 0; to < pixels.length; i += 1, to += 4) {
    const shade = Math.round(Math.max(-SHADES, Math.min(SHADES, values[i] * scale || 0))); // NaN and null are the paper
    const from = 3 * (shade + SHADES);
    pixels[to] = colours[from];
    pixels[to + 1] = colours[from + 1];
    pixels[to + 2] = colours[from + 2];
    pixels[to + 3] = 255;
  }
}

export function paintGrey(pixels, values, low, high) {
  const scale = 255 / (high - low || 1);
  for (let i = 0, to = 0; to < pixels.length; i += 1, to += 4) {
    pixels[to] = pixels[to + 1] = pixels[to + 2] = Math.round((values[i] - low) * scale); // the array clips
    pixels[to + 3] = 255;
  }
}

export function paintRGB(pixels, values) {
  const area = pixels.length / 4;
  for (let i = 0; i < area; i += 1) {
    for (let plane = 0; plane < 3; plane += 1) pixels[4 * i + plane] = Math.round(255 * values[plane * area + i]);
    pixels[4 * i + 3] = 255;
  }
}

export function css([r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

// Relative luminance and contrast as WCAG 2 defines them.
export function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];

// The ink that is read best on a colour.
export function inkOn(rgb) {
  return contrast(rgb, BLACK) >= contrast(rgb, WHITE) ? BLACK : WHITE;
}

export function limitOf(values) {
  let limit = 0;
  for (const value of values) if (value !== null && Math.abs(value) > limit) limit = Math.abs(value);
  return limit;
}
