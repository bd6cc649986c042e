// One stop of the Tab key for many things: arrows move the focus among them. Used by grids, ledgers and maps.

const STEPS = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-5, 0],
  PageDown: [5, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

// Where a key leads from (row, column) in a field of rows × columns; null where it leads nowhere. No DOM in here.
export function stepTo(key, row, column, rows, columns, ctrl = false) {
  const step = STEPS[key];
  if (!step || rows < 1 || columns < 1) return null;
  const clip = (value, size) => Math.min(size - 1, Math.max(0, value));
  if (ctrl && key === "Home") return [0, 0];
  if (ctrl && key === "End") return [rows - 1, columns - 1];
  return [clip(row + step[0], rows), clip(column + step[1], columns)];
}
