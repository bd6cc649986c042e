// What the reader expects is said in the figure itself: how large something is by a frame that is pulled open, where
// something is by a window or a cross that is moved there. By mouse, finger and pen, or with arrow keys.

import { h, say } from "../core/dom.js";
import { num } from "../core/format.js";
import { pull } from "./pull.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = 40; // key presses across a ground without cells; with Shift a quarter of that step
const DIGITS = 2; // after the point

// place, of a step of a lesson: {on: what it lies over, as: "frame" | "window" | "cross", from: what it shows at first,
// size: [rows, columns] of a window, origin: where a frame begins}. What is said is [rows, columns] of a frame, [row,
// column] of a window, or the two numbers of the axes that the ground names. onenter(): the Enter key. Gives what
// lesson-fields.js asks for of a part; over lies over the figure, settle() brings it to where that is now.
export function place(t, { place: step }, _, onenter) {
  const kind = KINDS[step.as];
  let [said, right] = [null, null];
  let ground = null;
  const hint = t(`lesson.drag_${step.as}`);
  const output = h("output", { class: "n", "data-testid": "lesson-placed" }, "?");
  const told = h("span", {}, hint);
  const element = h("p", { class: "placed" }, told, h("span", {}, t("lesson.expect"), " ", output));
  const handle = h("button", {
    type: "button",
    class: `expected ${step.as}`,
    "aria-label": hint,
    "data-testid": "lesson-handle",
    onkeydown,
  });
  const answer = h("i", { class: `answer ${step.as}`, hidden: true });
  const over = h("div", { class: "foreseen", "data-testid": "lesson-ground" }, answer, handle);
  const follow = (event) => to(kind.under(ground, pointed(event), step));
  pull(over, { begin: (event) => (handle.focus({ preventScroll: true }), follow(event)), move: follow });

  function pointed({ clientX, clientY }) {
    const area = over.getBoundingClientRect();
    return [(clientX - area.left) / area.width, (clientY - area.top) / area.height];
  }

  function onkeydown(event) {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation(); // the figure behind has arrow keys, too
    if (arrow) to(kind.moved(ground, said ?? step.from, arrow, event.shiftKey ? 0.25 : 1, step));
    else onenter();
  }

  function to(next) {
    if (handle.disabled) return;
    said = next;
    draw();
    say(output.textContent);
  }

  function draw() {
    output.textContent = said ? spoken(t, step, said) : "?";
    handle.dataset.value = said ?? "";
    answer.hidden = !right;
    if (!ground) return;
    lay(handle, kind.box(ground, said ?? step.from, step));
    if (right) lay(answer, kind.box(ground, right, step));
  }

  function set(what, answered = null) {
    [said, right] = [what, answered];
    told.hidden = true;
    draw();
  }

  function settle() {
    const under = document.querySelector(step.on);
    if (!under) return over.remove();
    ground = measured(under);
    if (!over.isConnected) document.querySelector(".lesson").after(over); // the Tab key comes from the question
    const home = over.offsetParent.getBoundingClientRect();
    const { left, top, width, height } = ground.area;
    const style = { left: left - home.left, top: top - home.top, width, height };
    for (const [side, pixels] of Object.entries(style)) over.style.setProperty(side, `${pixels}px`);
    return draw();
  }

  return { element, over, inputs: [handle], value: () => said, set, settle, leave: () => over.remove() };
}

function lay(mark, { left, top, width, height }) {
  for (const [side, share] of Object.entries({ left, top, width, height }))
    mark.style.setProperty(side, `${100 * share}%`);
}

export function spoken(t, { as }, at) {
  const [a, b] = at.map((value) => num(Number(value.toFixed(DIGITS)), DIGITS + 1));
  return t(`lesson.placed_${as}`, { a, b });
}

// Where the ground lies on the screen, and its numbers: cells of a grid or a map, or the axes that it names.
function measured(element) {
  const cells = element.querySelectorAll("[role=gridcell]");
  const canvas = element.querySelector("canvas");
  if (cells.length) {
    const [first, last] = [cells[0], cells[cells.length - 1]].map((cell) => cell.getBoundingClientRect());
    const area = { left: first.left, top: first.top, width: last.right - first.left, height: last.bottom - first.top };
    const { r, c } = cells[cells.length - 1].dataset;
    return { area, rows: Number(r) + 1, columns: Number(c) + 1 };
  }
  if (canvas) return { area: canvas.getBoundingClientRect(), rows: canvas.height, columns: canvas.width };
  const [low, high] = [element.dataset.low, element.dataset.high].map((text) => text.split(",").map(Number));
  return { area: element.getBoundingClientRect(), low, high };
}

const within = (low, value, high) => Math.min(high, Math.max(low, value));
const inCells = (row, column, high, wide, { rows, columns }) => ({
  left: column / columns,
  top: row / rows,
  width: wide / columns,
  height: high / rows,
});

const KINDS = {
  frame: {
    box: (ground, [high, wide], { origin: [r, c] = [0, 0] }) => inCells(r, c, high, wide, ground),
    under: (ground, [u, v], step) => opened(ground, [v * ground.rows, u * ground.columns], step, true),
    moved: (ground, [high, wide], [x, y], _, step) => opened(ground, [high + y, wide + x], step, false),
  },
  window: {
    box: (ground, [row, column], { size: [high, wide] }) => inCells(row, column, high, wide, ground),
    under: (ground, [u, v], { size }) =>
      shifted(ground, [v * ground.rows - size[0] / 2, u * ground.columns - size[1] / 2], size),
    moved: (ground, [row, column], [x, y], _, { size }) => shifted(ground, [row + y, column + x], size),
  },
  cross: {
    box: ({ low, high }, [x, y]) => ({
      left: (x - low[0]) / (high[0] - low[0]),
      top: (high[1] - y) / (high[1] - low[1]),
      width: 0,
      height: 0,
    }),
    under: ({ low, high }, [u, v]) =>
      settled({ low, high }, [low[0] + u * (high[0] - low[0]), high[1] - v * (high[1] - low[1])]),
    moved: ({ low, high }, at, [x, y], share) =>
      settled(
        { low, high },
        [x, -y].map((by, axis) => at[axis] + ((high[axis] - low[axis]) / KEYS) * share * by),
      ),
  },
};

// How far a frame is pulled: to the place under the pointer, or to so many rows and columns.
function opened({ rows, columns }, [high, wide], { origin: [r, c] = [0, 0] }, pointed) {
  const size = pointed ? [high - r, wide - c] : [high, wide];
  return [within(1, Math.round(size[0]), rows - r), within(1, Math.round(size[1]), columns - c)];
}

function shifted({ rows, columns }, [row, column], [high, wide]) {
  return [within(0, Math.round(row), rows - high), within(0, Math.round(column), columns - wide)];
}

function settled({ low, high }, at) {
  return at.map((value, axis) => Number(within(low[axis], value, high[axis]).toFixed(DIGITS)));
}
