// Keys for the whole page: 0 to 8 go to the rooms, P makes the type large, as on a projector. Where something is typed, or
// numbers are edited, they are what they are.

const KEY = "convscope.projector";
const TYPED = "input, textarea, select, [role=grid], [contenteditable]";

export const isLarge = () => document.documentElement.dataset.projector === "on";

export function project(on = !isLarge()) {
  if (on) document.documentElement.dataset.projector = "on";
  else delete document.documentElement.dataset.projector;
  localStorage.setItem(KEY, on ? "on" : "off");
  document.querySelector("[data-testid=projector]")?.setAttribute("aria-pressed", String(on));
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.target.closest?.(TYPED)) return;
  if (event.key === "p" || event.key === "P") project();
  else document.querySelector(`#top a[data-number="${CSS.escape(event.key)}"]`)?.click();
});
