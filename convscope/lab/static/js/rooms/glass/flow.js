// What a number reads and what it counts for. No DOM in here. A step is one of net.js's, arrays are (C, H, W) flat.

// What each number of a layer counts in a score: gradient × number, added up map by map.
export function shares({ shape }, values, gradient) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return Array.from({ length: shape[0] }, (_, c) => {
    let sum = 0;
    for (let i = c * size; i < (c + 1) * size; i += 1) sum += values[i] * gradient[i];
    return sum;
  });
}

// The window that element (row, column) of a step reads of its input: {row, column, rows, columns}, padding cut off;
// null where it reads everything or nothing of the image's plane.
export function windowOf(step, row, column) {
  const [, height, width] = step.from[0];
  if (step.op === "conv") {
    const [top, left] = [row * step.stride[0] - step.before[0], column * step.stride[1] - step.before[1]];
    const [high, wide] = step.kernel.map((k, axis) => (k - 1) * step.dilation[axis] + 1);
    return cut(top, left, top + high, left + wide, height, width);
  }
  if (step.op === "pool") {
    const [[top, bottom], [left, right]] = [step.rows[row], step.columns[column]];
    return cut(top, left, bottom, right, height, width);
  }
  if (step.op === "pad")
    return cut(step.rows[row], step.columns[column], step.rows[row] + 1, step.columns[column] + 1, height, width);
  if (["each", "scale", "add", "concat"].includes(step.op)) return cut(row, column, row + 1, column + 1, height, width);
  return null;
}

function cut(top, left, bottom, right, height, width) {
  const [row, column] = [Math.max(0, top), Math.max(0, left)];
  const [rows, columns] = [Math.min(height, bottom) - row, Math.min(width, right) - column];
  return rows > 0 && columns > 0 ? { row, column, rows, columns } : null;
}

// The maps that map `channel` of a step reads: [{input: index into step.inputs, channel}].
export function readBy(step, channel) {
  if (step.op === "conv") {
    const each = step.from[0][0] / step.groups;
    const first = Math.floor(channel / (step.shape[0] / step.groups)) * each;
    return Array.from({ length: each }, (_, c) => ({ input: 0, channel: first + c }));
  }
  if (step.op === "add") return step.inputs.map((_, input) => ({ input, channel }));
  if (step.op === "concat") {
    let before = 0;
    for (const [input, [count]] of step.from.entries()) {
      if (channel < before + count) return [{ input, channel: channel - before }];
      before += count;
    }
  }
  if (step.op === "linear") return Array.from({ length: step.from[0][0] }, (_, i) => ({ input: 0, channel: i }));
  return [{ input: 0, channel }];
}

// The kernel with which map `channel` reads the c-th of the maps that it reads, flat; null where there is none.
export function kernelOf(step, channel, c) {
  if (step.op !== "conv") return null;
  const area = step.kernel[0] * step.kernel[1];
  const each = step.from[0][0] / step.groups;
  return step.weights[0].subarray((channel * each + c) * area, (channel * each + c + 1) * area);
}

// What each map that `channel` reads brings to it, in the score: Σ over its numbers of gradient × part, in the order of
// readBy(). Of a sum the parts are its terms; of a maximum, of a function and of whatever else has one input, the whole.
export function flows(step, channel, inputs, values, gradient) {
  const reads = readBy(step, channel);
  const area = step.shape.slice(1).reduce((a, b) => a * b, 1);
  const g = gradient.subarray(channel * area, (channel + 1) * area);
  if (step.op === "conv")
    return reads.map((read, c) => through(step, g, inputs[0], read.channel, kernelOf(step, channel, c)));
  if (step.op === "linear")
    return reads.map(({ channel: i }) => g[0] * step.weights[0][channel * reads.length + i] * inputs[0][i]);
  const counted = (x, from) => g.reduce((sum, one, i) => sum + one * x[from * area + i], 0);
  if (step.op === "add" || step.op === "concat")
    return reads.map(({ input, channel: from }) => counted(inputs[input], from));
  return [counted(values, channel)];
}

function through(step, g, x, channel, taps) {
  const [, height, width] = step.from[0];
  const [, rows, columns] = step.shape;
  const [kh, kw] = step.kernel;
  let sum = 0;
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const weight = g[i * columns + j];
      if (!weight) continue;
      for (let u = 0; u < kh; u += 1) {
        const r = i * step.stride[0] - step.before[0] + u * step.dilation[0];
        if (r < 0 || r >= height) continue;
        for (let v = 0; v < kw; v += 1) {
          const q = j * step.stride[1] - step.before[1] + v * step.dilation[1];
          if (q >= 0 && q < width) sum += weight * taps[u * kw + v] * x[(channel * height + r) * width + q];
        }
      }
    }
  }
  return sum;
}
