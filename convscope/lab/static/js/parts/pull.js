// A pointer that is held down on an element, whether mouse, finger or pen: begin(event), move(event) …, end().

export function pull(element, { begin, move, end }) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    begin?.(event);
  });
  // Browsers report the places between two frames together.
  element.addEventListener("pointermove", (event) => {
    if (!element.hasPointerCapture(event.pointerId)) return;
    const since = event.getCoalescedEvents?.() ?? [];
    for (const one of since.length ? since : [event]) move(one);
  });
  // A quick stroke is a fling to Chromium, whatever touch-action says, and the tap that follows then only ends the fling:
  // the first button pressed after drawing was not heard.
  element.addEventListener("touchmove", (event) => event.preventDefault(), { passive: false });
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => end?.());
}
