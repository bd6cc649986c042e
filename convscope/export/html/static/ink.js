// Ink on paper → light strokes on black, cut out, scaled and centred as MNIST's makers did: convscope's data/ink.py.

const FORM = 28,
  BOX = 20 / 28;

// The ink of a grey picture in form; the picture itself, or its negative, where it is in form already.
function written(picture, steps) {
  const {
    height,
    width,
    planes: [plane],
  } = picture;
  if (height === width)
    for (const light of [plane, plane.map((v) => 255 - v)])
      if (inForm(light, height, steps.margin)) return { height, width, planes: [light] };
  return centred(findInk(picture), steps);
}

function inForm(plane, side, margin) {
  const slack = side === 28 ? 0 : 1,
    scale = side / 28,
    edge = ((1 - BOX) / 2) * side - slack;
  let lit = 0,
    brightest = 0;
  const sums = [new Float64Array(side), new Float64Array(side)];
  for (let i = 0; i < side; i++)
    for (let j = 0; j < side; j++) {
      const value = plane[i * side + j];
      if (value && (i === 0 || j === 0 || i === side - 1 || j === side - 1)) lit++;
      brightest = Math.max(brightest, value);
      sums[0][i] += value;
      sums[1][j] += value;
    }
  const around = side === 1 ? 2 : 4 * side - 4;
  if (2 * lit >= around || brightest < 192) return false;
  let longest = 0;
  for (const sum of sums) {
    const low = sum.findIndex((v) => v > 0),
      high =
        side -
        Array.from(sum)
          .reverse()
          .findIndex((v) => v > 0);
    longest = Math.max(longest, high - low);
    if (margin) {
      if (low < edge || high > side - edge) return false;
      continue;
    }
    const total = sum.reduce((a, b) => a + b, 0);
    const off = side / 2 - sum.reduce((a, v, i) => a + v * i, 0) / Math.max(total, 1),
      bound = 0.53 * scale + 0.1 * slack;
    if ((off > bound && high !== side) || (off < -bound && low !== 0)) return false;
  }
  return longest >= 18 * scale - slack && longest <= 20 * scale + 2 * slack;
}

function quantile(values, q) {
  const sorted = Float64Array.from(values).sort(),
    at = q * (sorted.length - 1),
    low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function findInk(picture) {
  const longer = Math.max(picture.height, picture.width);
  if (longer > 512) {
    const side = (n) => Math.max(1, even(n * (512 / longer)));
    picture = resize(picture, side(picture.height), side(picture.width), "box");
  }
  const {
      height,
      width,
      planes: [plane],
    } = picture,
    none = { height, width, planes: [new Uint8Array(plane.length)] };
  const [residual, grain] = withoutPaper(plane, height, width);
  const strong = residual.filter((v) => v > Math.max(20, 4 * grain));
  const peak = strong.length ? quantile(strong, 0.95) : 0;
  if (peak <= 6 * grain) return none;
  const least = Math.max(0.1 * peak, 4 * grain);
  const ink = Uint8Array.from(residual, (v) => (v < least || v < 0 ? 0 : Math.min(255, even(v * (255 / peak)))));
  return { height, width, planes: [withoutDust(ink, height, width)] };
}

// How much each pixel differs from the paper, ink positive, and the standard deviation of its grain.
function withoutPaper(plane, height, width) {
  const values = Float64Array.from(plane),
    border = borderOf(values, height, width);
  if (border.every((v) => v === border[0])) {
    const residual = values.map((v) => border[0] - v);
    return [residual.reduce((a, b) => a + b, 0) >= 0 ? residual : residual.map((v) => -v), 0];
  }
  let surface = surfaceOf(values, () => true, height, width, 1),
    light = true,
    paper;
  for (let round = 0; round < 3; round++) {
    const residual = values.map((v, i) => v - surface[i]),
      edge = threshold(residual);
    const bright = Uint8Array.from(residual, (v) => v > edge),
      mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
    light = mean(borderOf(bright, height, width)) + mean(bright) >= 1;
    paper = bright.map((b) => (light ? b : 1 - b));
    surface = surfaceOf(values, (i) => paper[i], height, width, 2);
  }
  const residual = values.map((v, i) => (light ? surface[i] - v : v - surface[i])),
    steps = [];
  for (let i = 0; i < values.length; i++) if ((i + 1) % width) steps.push(values[i + 1] - values[i]);
  return [residual, Math.max(spread(residual.filter((_, i) => paper[i])), spread(steps) / Math.SQRT2)];
}

const spread = (values) => (values.length ? (quantile(values, 0.9) - quantile(values, 0.1)) / 2.563 : 0);

// The polynomial of `degree` in row and column that fits `values` best where it should, by least squares.
function surfaceOf(values, where, height, width, degree) {
  const powers = [];
  for (let i = 0; i <= degree; i++) for (let j = 0; j + i <= degree; j++) powers.push([i, j]);
  const along = (n, size) => (size > 1 ? -1 + (2 * n) / (size - 1) : -1),
    count = powers.length;
  const terms = (i, j) => powers.map(([a, b]) => along(i, height) ** a * along(j, width) ** b);
  const step = Math.max(1, Math.trunc(Math.sqrt(values.length / 20000)));
  const rows = powers.map(() => new Float64Array(count + 1));
  let chosen = 0;
  for (let i = 0; i < height; i += step)
    for (let j = 0; j < width; j += step) {
      if (!where(i * width + j)) continue;
      chosen++;
      const t = terms(i, j);
      for (let a = 0; a < count; a++) {
        for (let b = 0; b < count; b++) rows[a][b] += t[a] * t[b];
        rows[a][count] += t[a] * values[i * width + j];
      }
    }
  if (chosen < 4 * count) return new Float64Array(values.length).fill(quantile(values, 0.5));
  const found = solve(rows, 1e-10 * chosen);
  return values.map((_, n) => terms(Math.floor(n / width), n % width).reduce((sum, t, a) => sum + t * found[a], 0));
}

// Gauss's elimination of rows [matrix | right side]; a ridge keeps what the picture cannot decide at 0.
function solve(rows, ridge) {
  const n = rows.length;
  for (let a = 0; a < n; a++) rows[a][a] += ridge;
  for (let a = 0; a < n; a++)
    for (let b = 0; b < n; b++) {
      const factor = b === a ? 0 : rows[b][a] / rows[a][a];
      if (factor) for (let c = a; c <= n; c++) rows[b][c] -= factor * rows[a][c];
    }
  return rows.map((row, a) => row[n] / row[a]);
}

// N. Otsu (1979) over 256 bins.
function threshold(values) {
  let low = values[0],
    high = values[0];
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const edge = (i) => (i === 256 ? high : low + (i * (high - low)) / 256),
    counts = new Float64Array(256);
  for (const v of values) {
    let bin = Math.min(255, Math.floor(((v - low) / (high - low)) * 256));
    if (v < edge(bin)) bin--;
    else if (bin < 255 && v >= edge(bin + 1)) bin++;
    counts[bin]++;
  }
  const middle = (i) => (edge(i) + edge(i + 1)) / 2;
  const all = values.length,
    sum = counts.reduce((a, n, i) => a + n * middle(i), 0);
  let below = 0,
    total = 0,
    best = -1,
    found = 0;
  for (let i = 0; i < 256; i++) {
    below += counts[i];
    total += counts[i] * middle(i);
    const between = below * (all - below) * (total / below - (sum - total) / (all - below)) ** 2;
    if (Number.isFinite(between) && between > best) [best, found] = [between, i];
  }
  return edge(found + 1);
}

// Without spots of less than 2 % of the largest stroke's area.
function withoutDust(ink, height, width) {
  const spot = new Int32Array(ink.length),
    areas = [0];
  for (let start = 0; start < ink.length; start++) {
    if (!ink[start] || spot[start]) continue;
    const number = areas.length,
      stack = [start];
    areas.push(0);
    spot[start] = number;
    while (stack.length) {
      const at = stack.pop(),
        y = Math.floor(at / width),
        x = at % width;
      areas[number]++;
      for (let i = Math.max(0, y - 1); i <= Math.min(height - 1, y + 1); i++)
        for (let j = Math.max(0, x - 1); j <= Math.min(width - 1, x + 1); j++)
          if (ink[i * width + j] && !spot[i * width + j]) {
            spot[i * width + j] = number;
            stack.push(i * width + j);
          }
    }
  }
  const least = 0.02 * areas.reduce((a, b) => Math.max(a, b), 0);
  return ink.map((v, i) => (areas[spot[i]] >= least ? v : 0));
}

function bounds({ height, width, planes: [plane] }) {
  let [top, left, bottom, right] = [height, width, 0, 0];
  plane.forEach((v, n) => {
    if (!v) return;
    const i = Math.floor(n / width),
      j = n % width;
    [top, left, bottom, right] = [Math.min(top, i), Math.min(left, j), Math.max(bottom, i + 1), Math.max(right, j + 1)];
  });
  return [top, left, bottom, right];
}

function cut({ width, planes: [plane] }, [top, left, bottom, right]) {
  const rows = Array.from({ length: bottom - top }, (_, i) =>
    plane.subarray((top + i) * width + left, (top + i) * width + right),
  );
  const target = new Uint8Array((bottom - top) * (right - left));
  rows.forEach((row, i) => target.set(row, i * (right - left)));
  return { height: bottom - top, width: right - left, planes: [target] };
}

// Light ink on black → 28×28: cut out, in its box, its centre of mass in the middle.
function centred(ink, steps) {
  const frame = new Uint8Array(FORM * FORM),
    result = { height: FORM, width: FORM, planes: [frame] };
  if (!ink.planes[0].some((v) => v)) return result;
  let image = steps.crop ? cut(ink, bounds(ink)) : ink;
  const room = Math.max(1, even((steps.box ? BOX : 1) * FORM)),
    scale = Math.min(room / image.height, room / image.width);
  image = resize(image, Math.max(1, even(image.height * scale)), Math.max(1, even(image.width * scale)));
  const brightest = image.planes[0].reduce((a, b) => Math.max(a, b), 0);
  if (steps.crop && brightest) {
    image.planes[0] = image.planes[0].map((v) => even(v * (255 / brightest)));
    image = cut(image, bounds(image));
  }
  const {
    height,
    width,
    planes: [plane],
  } = image;
  let [total, down, across] = [0, 0, 0];
  plane.forEach((v, n) => {
    total += v;
    down += v * Math.floor(n / width);
    across += v * (n % width);
  });
  const place = (length, mass) => {
    const wanted = steps.centre && total ? even(FORM / 2 - mass / total) : Math.floor((FORM - length) / 2);
    const edge = steps.margin && steps.box ? Math.floor((FORM - Math.max(length, even(BOX * FORM))) / 2) : 0;
    return Math.min(Math.max(wanted, edge), FORM - edge - length);
  };
  const top = place(height, down),
    left = place(width, across);
  for (let i = 0; i < height; i++) frame.set(plane.subarray(i * width, (i + 1) * width), (top + i) * FORM + left);
  return result;
}
