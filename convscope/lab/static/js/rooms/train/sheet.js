// Many small planes on one sheet, with a gap of one cell between them. No DOM in here.

const ROW = 10; // planes beside each other, before the next row begins

// (C, H, W): ten in a row. (O, C, H, W): a column for each output, a row for each input. The gaps are 0, which is paper.
export function sheet({ shape, values }) {
  const [high, wide] = shape.slice(-2);
  const kernels = shape.length === 4;
  const [across, down] = kernels ? [shape[0], shape[1]] : [Math.min(ROW, shape[0]), Math.ceil(shape[0] / ROW)];
  const rows = down * (high + 1) - 1;
  const columns = across * (wide + 1) - 1;
  const cells = new Float32Array(rows * columns);
  const area = high * wide;
  for (let i = 0; i * area < values.length; i += 1) {
    const [a, d] = kernels ? [Math.floor(i / down), i % down] : [i % ROW, Math.floor(i / ROW)];
    for (let r = 0; r < high; r += 1) {
      cells.set(
        values.subarray(i * area + r * wide, i * area + (r + 1) * wide),
        (d * (high + 1) + r) * columns + a * (wide + 1),
      );
    }
  }
  return { rows, columns, values: cells };
}
