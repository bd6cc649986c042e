// What a brush does to the bytes of an image (C, H, W). No DOM in here.

// A copy with a round stamp of `side` pixels at every pixel between two places [row, column].
export function stamped(bytes, [channels, rows, columns], [from, to], { ink, side }) {
  const next = bytes.slice();
  const steps = Math.max(1, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  const reach = (side - 1) / 2;
  for (let n = 0; n <= steps; n += 1) {
    const [r, c] = [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * n) / steps);
    for (let row = Math.ceil(r - reach - 0.5); row <= r + reach + 0.5; row += 1)
      for (let column = Math.ceil(c - reach - 0.5); column <= c + reach + 0.5; column += 1) {
        const inside = row >= 0 && row < rows && column >= 0 && column < columns;
        if (inside && Math.hypot(row - r, column - c) <= reach + 0.3)
          for (let k = 0; k < channels; k += 1) next[(k * rows + row) * columns + column] = ink[k];
      }
  }
  return next;
}
