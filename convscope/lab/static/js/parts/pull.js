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
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => end?.());
}
