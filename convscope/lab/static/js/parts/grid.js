// Numbers in rows and columns: every cell can be reached by arrow keys, is spoken, and may be edited.

import { h } from "../core/dom.js";
import { num } from "../core/format.js";
import { stepTo } from "../core/roving.js";

const LETTERS = 5; // that a square cell holds

// options: label, testid, editable, spoken(r, c, cell) → text, onat(r, c, how: "focus" | "hover" | "leave"), onedit(r, c, value).
// draw(cells) takes rows of {value, text?, kind?, colour?, ink?}; a cell with `fixed` cannot be edited.
export function grid({ label, testid, editable = false, spoken, onat = () => {}, onedit = () => {} }) {
  const element = h("div", {
    role: "grid",
    class: "grid",
    "aria-label": label,
    "data-testid": testid,
    onkeydown,
    onclick: (event) => go(event, "focus"),
    ondblclick: (event) => edit(place(event.target)),
    onpointerover: (event) => go(event, "hover"),
    onpointerleave: () => onat(-1, -1, "leave"),
    onwheel,
    onfocusin: (event) => {
      const at = place(event.target);
      if (at) {
        rove(at);
        onat(...at, "focus");
      }
    },
  });
  let cells = []; // elements by row
  let data = [];
  let at = [0, 0];

  function draw(rows) {
    const same = rows.length === data.length && rows[0]?.length === data[0]?.length;
    const focused = element.contains(document.activeElement);
    data = rows;
    if (!same) build(rows);
    rows.forEach((row, r) => row.forEach((cell, c) => paint(cells[r][c], cell, r, c)));
    if (focused && !same) cells[at[0]][at[1]].focus();
  }

  function build(rows) {
    at = [Math.min(at[0], rows.length - 1), Math.min(at[1], (rows[0]?.length ?? 1) - 1)];
    cells = rows.map((row, r) =>
      row.map((_, c) => h("div", { role: "gridcell", tabindex: "-1", "data-r": r, "data-c": c })),
    );
    element.style.setProperty("--columns", rows[0]?.length ?? 0);
    element.replaceChildren(...cells.map((row) => h("div", { role: "row" }, row)));
    if (cells.length) cells[at[0]][at[1]].tabIndex = 0;
  }

  function paint(cell, { value, text, kind = "", colour, ink, fixed }, r, c) {
    if (cell.firstChild?.nodeName === "INPUT") return; // just being edited
    cell.textContent = text ?? short(value);
    cell.className = kind;
    cell.dataset.value = value === null || value === undefined ? "" : value;
    cell.style.setProperty("--fill", colour ?? "transparent");
    cell.style.setProperty("--on", ink ?? "inherit");
    cell.setAttribute("aria-label", spoken ? spoken(r, c, data[r][c]) : `${r}, ${c}: ${cell.textContent}`);
    if (editable) cell.setAttribute("aria-readonly", String(Boolean(fixed)));
  }

  // Put `kind` on exactly these cells, given as [[r, c], …].
  function mark(kind, places) {
    for (const cell of element.querySelectorAll(`.${kind}`)) cell.classList.remove(kind);
    for (const [r, c] of places) cells[r]?.[c]?.classList.add(kind);
  }

  function place(target) {
    const cell = target.closest?.("[role=gridcell]");
    return cell ? [Number(cell.dataset.r), Number(cell.dataset.c)] : null;
  }

  function go(event, how) {
    const to = place(event.target);
    if (!to) return;
    if (how === "hover") onat(...to, "hover");
    else if (event.target.nodeName !== "INPUT") cells[to[0]][to[1]].focus();
  }

  function rove(to) {
    cells[at[0]]?.[at[1]]?.setAttribute("tabindex", "-1");
    at = to;
    cells[at[0]][at[1]].tabIndex = 0;
  }

  function onkeydown(event) {
    const from = place(event.target);
    if (!from || event.target.nodeName === "INPUT" || event.altKey || event.metaKey) return;
    const to = stepTo(event.key, ...from, cells.length, cells[0].length, event.ctrlKey);
    if (to) {
      event.preventDefault();
      cells[to[0]][to[1]].focus();
    } else if (
      editable &&
      (event.key === "Enter" || event.key === "F2" || /^[-0-9.]$/.test(event.key)) &&
      !event.ctrlKey
    ) {
      event.preventDefault();
      edit(from, event.key.length === 1 ? event.key : null);
    }
  }

  // The number that has the focus goes up and down with the wheel; elsewhere the wheel moves the page.
  function onwheel(event) {
    const where = place(event.target);
    if (!editable || !where || cells[where[0]][where[1]] !== document.activeElement) return;
    const { value, fixed } = data[where[0]][where[1]];
    if (fixed || !event.deltaY) return;
    event.preventDefault();
    onedit(...where, value - Math.sign(event.deltaY));
  }

  // An input in the cell. Enter takes the number, Escape leaves it, leaving the cell takes it too.
  function edit(where, start = null) {
    if (!where || !editable || data[where[0]][where[1]].fixed) return;
    const [r, c] = where;
    const cell = cells[r][c];
    const old = data[r][c].value;
    const input = h("input", {
      class: "code",
      "aria-label": cell.getAttribute("aria-label"),
      inputmode: "decimal",
      value: start ?? String(old),
    });
    let done = false;
    const close = (take, back) => {
      if (done) return;
      done = true;
      const value = Number(input.value.replace(",", ".").replace("−", "-"));
      input.remove();
      paint(cell, data[r][c], r, c);
      if (back) cell.focus();
      if (take && input.value.trim() !== "" && Number.isFinite(value) && Math.abs(value) <= 1e9 && value !== old)
        onedit(r, c, value);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        close(event.key === "Enter", true);
      } else if (event.key === "Tab") close(true, true);
    });
    input.addEventListener("blur", () => close(true, false));
    cell.replaceChildren(input);
    input.focus();
    if (start === null) input.select();
  }

  return { element, draw, mark, focus: (r, c) => cells[r]?.[c]?.focus(), at: () => at };
}

// With as many digits, three at most, as a cell holds: its full number is spoken, and stands in the ledger.
function short(value) {
  const texts = [3, 2, 1].map((digits) => num(value, digits));
  return texts.find((text) => text.length <= LETTERS) ?? texts.at(-1);
}
