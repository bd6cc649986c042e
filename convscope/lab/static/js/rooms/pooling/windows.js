// Which input cells a window of a pooling reads, and which windows read a cell. No DOM in here.

import { taps } from "../convolution/tensors.js";

// A state's settings as PyTorch takes them: AvgPool2d has no dilation, though the room remembers the one of MaxPool2d.
const settled = (state) => (state.kind === "avg" ? { ...state, dilation: [1, 1] } : state);

// The cells (row, column) that the window at output (row, column) covers, from the input's corner: −1 is padding.
export function cells(row, column, state) {
  return taps(row, column, settled(state)).map(([i, j]) => [i - state.padding[0], j - state.padding[1]]);
}

// Those cells as a box; with dilation there are holes in it.
export function box(row, column, state) {
  const { kernel_size, stride, padding, dilation } = settled(state);
  const [rows, columns] = [0, 1].map((axis) => dilation[axis] * (kernel_size[axis] - 1) + 1);
  return { row: row * stride[0] - padding[0], column: column * stride[1] - padding[1], rows, columns };
}

// The windows of an output of rows × columns that read the input cell (row, column): its gradient comes from there.
export function readers(row, column, [rows, columns], state) {
  const { kernel_size, stride, padding, dilation } = settled(state);
  const along = (cell, count, axis) =>
    Array.from({ length: count }, (_, i) => i).filter((i) => {
      const offset = cell + padding[axis] - i * stride[axis];
      return offset >= 0 && offset % dilation[axis] === 0 && offset < kernel_size[axis] * dilation[axis];
    });
  const across = along(column, columns, 1);
  return along(row, rows, 0).flatMap((r) => across.map((k) => [r, k]));
}
