// Nested lists as tensors: made, resized, and the kernels that everybody knows. No DOM in here.

export function sizes(tensor) {
  return Array.isArray(tensor) ? [tensor.length, ...sizes(tensor[0])] : [];
}

// A tensor of `shape` whose elements are fill([i, j, …]).
export function build(shape, fill, at = []) {
  if (!shape.length) return fill(at);
  return Array.from({ length: shape[0] }, (_, i) => build(shape.slice(1), fill, [...at, i]));
}

export function get(tensor, at) {
  return at.reduce((part, i) => part?.[i], tensor);
}

// A copy with one element changed.
export function put(tensor, [i, ...rest], value) {
  return tensor.with(i, rest.length ? put(tensor[i], rest, value) : value);
}

// `tensor` with another shape: what it has stays, what it lacks is filled with small whole numbers.
export function resize(tensor, shape, fill = filler) {
  return build(shape, (at) => get(tensor, at) ?? fill(at));
}

export function filler(at) {
  return (at.reduce((seed, i) => (seed * 31 + i * 17 + 5) % 101, 7) % 5) - 1;
}

// The classic 3×3 kernels.
export const CLASSICS = {
  "1…9": [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ],
  identity: [
    [0, 0, 0],
    [0, 1, 0],
    [0, 0, 0],
  ],
  "box blur": [
    [1 / 9, 1 / 9, 1 / 9],
    [1 / 9, 1 / 9, 1 / 9],
    [1 / 9, 1 / 9, 1 / 9],
  ],
  sharpen: [
    [0, -1, 0],
    [-1, 5, -1],
    [0, -1, 0],
  ],
  "Sobel x": [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ],
  "Sobel y": [
    [-1, -2, -1],
    [0, 0, 0],
    [1, 2, 1],
  ],
  Laplace: [
    [0, 1, 0],
    [1, -4, 1],
    [0, 1, 0],
  ],
  emboss: [
    [-2, -1, 0],
    [-1, 1, 1],
    [0, 1, 2],
  ],
};

// A settings change may change the weight's shape; this keeps weight and bias as the settings say.
export function settle(state) {
  const [out] = sizes(state.weight);
  const each = Math.max(1, Math.floor(state.in_channels / state.groups));
  const count = state.out_channels ?? out;
  const weight = resize(state.weight, [count, each, ...state.kernel_size]);
  const bias = state.bias && resize(state.bias, [count], () => 0);
  return { weight, bias };
}

// Which kernel (o, c) reads input channel `channel`: its place c within the kernel of output o, or null (another group).
export function place(o, channel, out, inputs, groups) {
  const each = Math.floor(inputs / groups);
  const group = Math.floor(o / (out / groups));
  const c = channel - group * each;
  return c >= 0 && c < each ? c : null;
}

// The cells of the padded grid that the window at output (row, column) reads.
export function taps(row, column, { kernel_size: [kh, kw], stride, dilation }) {
  const cells = [];
  for (let i = 0; i < kh; i += 1) {
    for (let j = 0; j < kw; j += 1)
      cells.push([row * stride[0] + i * dilation[0], column * stride[1] + j * dilation[1]]);
  }
  return cells;
}
