// A layer in the picture and its row in the table: whichever is pointed at or has the focus, both are lit.

// Both hold elements with data-layers, names with spaces between them; what they hold may be drawn again.
export function linked(...places) {
  const all = () => places.flatMap((place) => [...place.querySelectorAll("[data-layers]")]);
  const namesOf = (element) => element?.dataset.layers.split(" ") ?? [];

  function light({ target }) {
    const names = namesOf(target.closest?.("[data-layers]"));
    for (const one of all())
      one.classList.toggle(
        "lit",
        namesOf(one).some((name) => names.includes(name)),
      );
  }

  for (const place of places) {
    for (const event of ["pointerover", "focusin"]) place.addEventListener(event, light);
    for (const event of ["pointerleave", "focusout"]) place.addEventListener(event, () => light({ target: place }));
  }
}
