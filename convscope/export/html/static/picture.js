// Pictures as the training images were prepared: Pillow's arithmetic, rounding for rounding. A picture is
// {height, width, planes}: a Uint8Array for each channel.

const FIXED = 1 << 22; // Pillow's weights are multiples of 1/FIXED

// To the nearest whole number, halves to the even one, as Python and NumPy round.
function even(value) {
  const low = Math.floor(value),
    rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
}

const FILTERS = {
  // R. G. Keys (1981) with a = −0.5
  bicubic: {
    support: 2,
    of: (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0),
  },
  box: { support: 0.5, of: (x, signed) => (signed > -0.5 && signed <= 0.5 ? 1 : 0) },
};

// For every pixel of an axis that is made: which pixels it is made of, and their weights.
function weightsOf(size, made, filter) {
  const scale = size / made,
    stretch = Math.max(scale, 1),
    support = filter.support * stretch;
  return Array.from({ length: made }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.trunc(Math.max(0, centre - support + 0.5));
    const last = Math.trunc(Math.min(size, centre + support + 0.5));
    const values = [];
    let total = 0;
    for (let x = first; x < last; x++) {
      const at = (x - centre + 0.5) * (1 / stretch);
      values.push(filter.of(Math.abs(at), at));
      total += values[values.length - 1];
    }
    return [
      first,
      values.map((value) => {
        const share = (value / total) * FIXED;
        return Math.sign(share) * Math.floor(Math.abs(share) + 0.5);
      }),
    ];
  });
}

// One axis of a plane: `lines` lines with numbers `along` apart, line by line `apart`.
function resample(plane, weights, lines, step, lineStep, target, toStep, toLineStep) {
  for (let line = 0; line < lines; line++)
    weights.forEach(([first, values], i) => {
      let sum = FIXED / 2;
      for (let k = 0; k < values.length; k++) sum += values[k] * plane[line * lineStep + (first + k) * step];
      target[line * toLineStep + i * toStep] = Math.min(255, Math.max(0, Math.floor(sum / FIXED)));
    });
  return target;
}

function resize(picture, height, width, name = "bicubic") {
  const filter = FILTERS[name],
    { height: h, width: w } = picture;
  const across = weightsOf(w, width, filter),
    down = weightsOf(h, height, filter);
  const planes = picture.planes.map((plane) => {
    if (h - height > 2 * Math.max(0, w - width)) {
      // as Pillow chooses
      const low = resample(plane, down, w, w, 1, new Uint8Array(height * w), w, 1);
      return resample(low, across, height, 1, w, new Uint8Array(height * width), 1, width);
    }
    const narrow = resample(plane, across, h, 1, w, new Uint8Array(h * width), 1, width);
    return resample(narrow, down, width, width, 1, new Uint8Array(height * width), width, 1);
  });
  return { height, width, planes };
}

function borderOf(values, height, width) {
  const border = [...values.subarray(0, width), ...values.subarray((height - 1) * width)];
  for (let i = 0; i < height; i++) border.push(values[i * width]);
  for (let i = 0; i < height; i++) border.push(values[i * width + width - 1]);
  return border;
}

// Scaled to fit with its proportions kept; what remains free is the median of its border.
function fit(picture, height, width) {
  if (picture.height === height && picture.width === width) return picture;
  const scale = Math.min(width / picture.width, height / picture.height);
  const w = Math.max(1, even(picture.width * scale)),
    h = Math.max(1, even(picture.height * scale));
  const inner = resize(picture, h, w);
  const top = Math.floor((height - h) / 2),
    left = Math.floor((width - w) / 2);
  const planes = inner.planes.map((plane) => {
    const border = borderOf(plane, h, w).sort((a, b) => a - b),
      middle = border.length / 2;
    const frame = new Uint8Array(height * width).fill(Math.floor((border[middle - 1] + border[middle]) / 2));
    for (let i = 0; i < h; i++) frame.set(plane.subarray(i * w, (i + 1) * w), (top + i) * width + left);
    return frame;
  });
  return { height, width, planes };
}

// ITU-R 601 in fixed point.
const luma = (r, g, b) => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >>> 16;

function grey({ height, width, planes }) {
  if (planes.length === 1) return { height, width, planes };
  return { height, width, planes: [planes[0].map((r, i) => luma(r, planes[1][i], planes[2][i]))] };
}

// RGBA of a canvas over a ground of one value. Ink on a transparent ground lies on the ground that shows it.
function opaque(rgba, height, width, ink) {
  const count = height * width,
    planes = [0, 1, 2].map(() => new Uint8Array(count));
  let shade = 0,
    solid = 0,
    ground = 255;
  for (let i = 0; ink && i < count; i++) {
    const alpha = rgba[4 * i + 3];
    shade += luma(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]) * alpha;
    solid += alpha;
  }
  if (ink && shade > 127 * solid) ground = 0;
  for (let i = 0; i < count; i++)
    for (let c = 0; c < 3; c++) {
      const alpha = rgba[4 * i + 3],
        sum = (rgba[4 * i + c] * alpha + ground * (255 - alpha)) * 128 + (128 << 7);
      planes[c][i] = ((sum >> 8) + sum) >> 15;
    }
  return { height, width, planes };
}

// What the net sees of a picture: uint8 (C, H, W).
function prepare(net, rgba, height, width) {
  const [channels, h, w] = net.image;
  let picture = opaque(rgba, height, width, net.ink);
  if (net.ink) picture = written(grey(picture), net.ink);
  picture = fit(picture, h, w);
  if (channels === 1) return grey(picture).planes[0];
  const three = picture.planes.length === 3 ? picture.planes : [0, 1, 2].map(() => picture.planes[0]);
  const pixels = new Uint8Array(channels * h * w);
  three.forEach((plane, c) => pixels.set(plane, c * h * w));
  return pixels;
}
