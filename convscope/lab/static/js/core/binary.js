// Answers with numbers: a JSON head and float32 arrays behind it, little-endian (see convscope/lab/binary.py). No DOM.

// ArrayBuffer → {head, arrays: {name: {shape, values: Float32Array}}}; the arrays are views, nothing is copied.
export function unpack(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const { arrays: parts, ...head } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  const arrays = {};
  for (const { name, shape, offset } of parts) {
    const length = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { shape, values: new Float32Array(buffer, 4 + size + 4 * offset, length) };
  }
  return { head, arrays };
}

// Channel c of an array (C, H, W), or the whole of (H, W), as what a map draws.
export function plane({ shape, values }, c = 0) {
  const [rows, columns] = shape.slice(-2);
  const area = rows * columns;
  return { rows, columns, values: shape.length === 3 ? values.subarray(c * area, (c + 1) * area) : values };
}

// An image (C, H, W) with values in 0…255 as what a map draws: grey, or colour where there are three channels.
export function picture(array) {
  if (array.shape[0] !== 3 || array.shape.length !== 3) return { ...plane(array), low: 0, high: 255 };
  return { ...plane(array), values: array.values.map((v) => v / 255), rgb: true };
}
