// The part of each map that a ledger's terms read. No DOM in here.

export function spans(terms) {
  const boxes = new Map();
  for (const { x } of terms) {
    if (x.padding || x.index.length !== 3) continue;
    const [channel, row, column] = x.index;
    const key = `${x.tensor} ${channel}`;
    const box = boxes.get(key) ?? { tensor: x.tensor, channel, top: row, bottom: row, left: column, right: column };
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row);
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
    boxes.set(key, box);
  }
  return [...boxes.values()].map(({ tensor, channel, top, bottom, left, right }) => {
    return { tensor, channel, row: top, column: left, rows: bottom - top + 1, columns: right - left + 1 };
  });
}
