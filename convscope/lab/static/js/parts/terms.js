// What a term means, where it stands: a note under its label, for the mouse, for a finger, and for whoever comes to its
// field by keys. Labels with data-term are terms where the catalogue text/*/terms.json has them.

import { h } from "../core/dom.js";

const [SOON, LATER] = [250, 900]; // ms of rest under the mouse, and in a field
const note = h("div", { class: "gloss", id: "gloss", role: "tooltip", hidden: true });
let explain = () => null; // key → text, or null
let waiting;
document.body.append(note);

// From now on the words of t; the fields below `main` bear theirs for screen readers.
export function terms(t, main) {
  explain = (key) => (t.knows(`terms.${key}`) ? t(`terms.${key}`) : null);
  hide();
  for (const place of main.querySelectorAll("[data-term]")) {
    const text = explain(place.dataset.term);
    if (!text) continue;
    place.classList.add("explained");
    for (const field of place.querySelectorAll("input, select, textarea")) field.setAttribute("aria-description", text);
  }
}

function hide() {
  clearTimeout(waiting);
  note.hidden = true;
}

function show(place) {
  const text = place.isConnected && explain(place.dataset.term);
  if (!text) return;
  note.textContent = text;
  note.hidden = false;
  const [box, own] = [place.getBoundingClientRect(), note.getBoundingClientRect()];
  const left = Math.max(8, Math.min(box.left, innerWidth - own.width - 8));
  const below = box.bottom + 6 + own.height < innerHeight;
  note.style.setProperty("left", `${left}px`);
  note.style.setProperty("top", `${below ? box.bottom + 6 : Math.max(8, box.top - own.height - 6)}px`);
}

function later(place, wait) {
  hide();
  if (place) waiting = setTimeout(() => show(place), wait);
}

const onLabel = (target) => target.closest?.("label, legend, summary, .name")?.closest("[data-term]");

let hovered = null; // the term that the mouse rests on
addEventListener("pointerover", (event) => {
  const place = event.pointerType === "mouse" ? onLabel(event.target) : null;
  if (place === hovered) return; // also where the page moves under a mouse that rests
  hovered = place;
  later(place, SOON);
});
addEventListener("pointerdown", (event) => (event.pointerType === "mouse" ? hide() : later(onLabel(event.target), 0)));
addEventListener(
  "focusin",
  ({ target }) => target.matches(":focus-visible") && later(target.closest("[data-term]"), LATER),
);
addEventListener("focusout", hide);
addEventListener("keydown", ({ key }) => (key === "Escape" || key === "Tab" || key.length === 1) && hide());
addEventListener("scroll", () => (note.hidden = true), { passive: true });
