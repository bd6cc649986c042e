// Maps side by side that are one tab stop: from one to its neighbour.

// Shift and an arrow of ``steps`` (key → how many maps on) moves the focus, and the tab stop with it.
export function hop(event, maps, steps) {
  const by = event.shiftKey && steps[event.key];
  const from = maps.findIndex((one) => one.element === event.target);
  if (!by || from < 0) return;
  event.preventDefault();
  event.stopPropagation();
  const to = maps[Math.min(maps.length - 1, Math.max(0, from + by))].element;
  maps[from].element.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}
