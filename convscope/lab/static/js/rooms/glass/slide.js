// The ledger of the chosen number, which slides in from the side: from a class down to the ink.

import { h } from "../../core/dom.js";
import { trail } from "../inside/trail.js";
import { spans } from "../inside/windows.js";

// go(path): the user moves to another element, to none with an empty path. onplaces: what the ledger's terms read.
export function slide(t, { go, onplaces }) {
  const way = trail(t, { go, onterm: (x) => onplaces(x && x.index.length === 3 ? [...windows, spot(x)] : windows) });
  const close = h("button", { class: "quiet", "data-testid": "close-ledger", onclick: () => go([]) }, t("glass.close"));
  const head = h("header", {}, h("h2", {}, t("inside.why")), close);
  const element = h(
    "aside",
    { class: "slide", "data-testid": "slide", "aria-label": t("inside.why"), inert: true },
    head,
    way.element,
  );
  let windows = [];
  let before = null; // what had the focus when it came in

  // Wherever the focus is: a click into a map leaves it there. And beneath the ledger nobody sees what has the focus.
  const escape = (event) => {
    if (event.key !== "Escape" || element.inert || event.target.closest("dialog")) return;
    event.preventDefault();
    go([]);
  };
  const left = ({ key, target }) => key === "Tab" && !element.inert && !element.contains(target) && go([]);
  document.addEventListener("keydown", escape);
  document.addEventListener("keyup", left);

  function draw(path, told, known, image) {
    way.image(image);
    way.draw(path, told, known);
    windows = spans(told.ledger.terms).map(({ tensor, ...box }) => ({ name: tensor, ...box }));
    onplaces(windows);
    if (!element.inert) return;
    before = document.activeElement;
    element.inert = false;
    element.classList.add("open");
    if (!before.closest("#top")) close.focus(); // the switches there make the room again
  }

  function hide() {
    if (element.inert) return;
    const inside = element.contains(document.activeElement);
    element.inert = true;
    element.classList.remove("open");
    windows = [];
    if (inside) before?.focus();
  }

  function leave() {
    document.removeEventListener("keydown", escape);
    document.removeEventListener("keyup", left);
    way.leave();
  }

  return { element, draw, hide, leave };
}

function spot({ tensor, index: [channel, row, column] }) {
  return { name: tensor, channel, row, column, rows: 1, columns: 1 };
}
