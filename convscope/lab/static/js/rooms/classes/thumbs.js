// The pictures of a class: each a button that removes it. One stop of the Tab key; arrows move among them.

import { h, show } from "../../core/dom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

// onremove(file): the reader wants it gone.
export function thumbs(t, { testid, onremove }) {
  const element = h("div", { class: "shots", role: "group", "data-testid": testid, onkeydown: move });
  const made = new Map(); // file → its button
  let at = 0; // of the one that the Tab key reaches

  // files: names, the oldest first; address(file): where the picture is. The youngest stands first.
  function draw(name, files, address) {
    element.setAttribute("aria-label", t("classes.pictures_of", { name }));
    element.hidden = !files.length;
    const kept = new Set(files);
    for (const file of made.keys()) if (!kept.has(file)) made.delete(file);
    const had = element.contains(document.activeElement);
    const all = files.toReversed().map((file) => button(file, address(file)));
    show(element, all);
    all.forEach((one, i) =>
      one.setAttribute("aria-label", t("classes.remove_picture", { i: files.length - i, n: files.length, name })),
    );
    reach(Math.min(at, all.length - 1), had && !element.contains(document.activeElement));
  }

  function button(file, source) {
    if (!made.has(file)) {
      const picture = h("img", { src: source, alt: "", width: 56, height: 56, loading: "lazy", decoding: "async" });
      const props = { class: "shot", tabindex: "-1", title: t("classes.remove"), "data-file": file };
      made.set(file, h("button", { ...props, onclick: () => onremove(file) }, picture));
    }
    return made.get(file);
  }

  function move(event) {
    const here = [...element.children].indexOf(document.activeElement);
    if (here < 0) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      at = here;
      document.activeElement.click();
    } else if (event.key in STEPS)
      reach(Math.min(element.children.length - 1, Math.max(0, here + STEPS[event.key])), true);
    else return;
    event.preventDefault();
  }

  function reach(next, focus) {
    at = Math.max(0, next);
    [...element.children].forEach((one, i) => (one.tabIndex = i === at ? 0 : -1));
    if (focus) element.children[at]?.focus();
  }

  return { element, draw };
}
