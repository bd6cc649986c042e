// Where things stand in a frame of the film: side by side, or below each other where the screen is narrow. No DOM in here.

const [GAP, HEAD] = [26, 24];
const LARGEST = 46; // of a cell
const NARROW = 560; // pixels: below, things stand below each other
const MIDDLE = 12.5; // letters that the sum needs, across
const LINES = 9; // and down

// Of a script (see scene.js): {inputs, tally, output, maps: places {x, y, cell}, width, height}.
export function arranged(script, look) {
  const { planes, columns, maps, rows } = script;
  const across = Math.min(planes.length, 3);
  const [high, wide] = [planes[0].values.length, planes[0].values[0].length];
  const plan = (look.width < NARROW ? below : beside)(
    { across, high, wide, rows, columns, planes: planes.length },
    look,
  );
  const { cell } = plan;
  const inputs = planes.map((_, i) => ({
    x: (i % across) * (wide * cell + GAP),
    y: HEAD + Math.floor(i / across) * (high * cell + HEAD + 8),
    cell,
  }));
  const deep = Math.ceil(planes.length / across) * (high * cell + HEAD + 8);
  const { tally, output, bottom } = plan.rest(deep);
  const small = Math.max(1, Math.min(14, (look.width / Math.max(1, maps.length) - GAP) / columns));
  const places = maps.map((_, i) => ({
    x: i * (Math.max(columns * small, 6 * look.type) + GAP),
    y: bottom + HEAD,
    cell: small,
  }));
  const height = bottom + (maps.length ? HEAD + rows * small + 12 : 0);
  return { inputs, tally, output, maps: places, width: look.width, height: Math.ceil(height) };
}

// deep: pixels down to the end of the inputs.
function beside({ across, high, wide, rows, columns }, { type, width }) {
  const middle = MIDDLE * type;
  const most = (width - middle - GAP * (across + 1)) / (across * wide + columns);
  const cell = Math.max(1, Math.min(LARGEST, most, 380 / high));
  const left = across * (wide * cell + GAP);
  const rest = (deep) => ({
    tally: { x: left, y: HEAD, width: middle },
    output: { x: left + middle, y: HEAD, cell },
    bottom: Math.max(deep, rows * cell + HEAD, LINES * type) + 12,
  });
  return { cell, rest };
}

function below({ across, high, wide, rows, columns, planes }, { type, width }) {
  const middle = MIDDLE * type;
  const lines = (1.5 * (planes + 1) + 1) * type; // one for each channel, and the sum
  const most = Math.min((width - GAP * (across - 1)) / (across * wide), width / columns);
  const cell = Math.max(1, Math.min(LARGEST, most, 300 / high));
  const aside = middle + columns * cell <= width; // the output has room beside the sum
  const rest = (deep) => {
    const top = deep + 8;
    const output = { x: aside ? middle : 0, y: aside ? top + HEAD : top + lines + HEAD, cell };
    const bottom = Math.max(top + lines, output.y + rows * cell) + 12;
    return { tally: { x: 0, y: top, width: middle }, output, bottom };
  };
  return { cell, rest };
}
