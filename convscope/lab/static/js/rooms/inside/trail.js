// The way from a class down to the ink: breadcrumbs, the ledger of the number they end at, and what it sees.

import { picture, plane } from "../../core/binary.js";
import { h, rich, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { ledger, name } from "../../parts/ledger.js";
import { map } from "../../parts/map.js";
import { overlay } from "./overlay.js";

// go(path): the user moves to another element; onterm(places): cells that belong to the term under the pointer.
export function trail(t, { go, onterm }) {
  const crumbs = h("nav", { class: "crumbs", "aria-label": t("inside.crumbs") });
  const sheet = map({ label: t("inside.image"), testid: "image", width: 252 });
  const over = overlay(t("inside.overlay"));
  const seen = h("p", { class: "hint", "data-testid": "sight" });
  const legend = h("p", { class: "hint", "data-testid": "saliency" });
  const terms = ledger(t, { testid: "ledger", onterm: (term) => onterm(term ? term.x : null) });
  const omitted = h("p", { class: "hint" });
  const hint = h("p", { class: "hint" }, t("inside.descend"));
  const element = h(
    "div",
    { class: "trail" },
    crumbs,
    h(
      "div",
      { class: "pair" },
      h("div", { class: "sight" }, h("div", { class: "stacked" }, sheet.element, over.element), seen, legend),
      h("div", {}, hint, terms.element, omitted),
    ),
  );
  let current = { path: [], told: null };

  terms.element.addEventListener("click", (event) => descend(event.target));
  terms.element.addEventListener("keydown", (event) => event.key === "Enter" && descend(event.target));

  function descend(target) {
    const row = target.closest("tr.term");
    const x = row && current.told.ledger.terms[Number(row.dataset.testid.slice(5))].x;
    if (!x || x.padding || !current.known.has(x.tensor)) return;
    go([...current.path, [x.tensor, ...x.index]]);
  }

  // known: names of the tensors that have ledgers.
  function draw(path, told, known) {
    current = { path, told, known };
    const last = path.length - 1;
    show(
      crumbs,
      h(
        "ol",
        {},
        path.map(([layer, ...index], i) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                class: "quiet",
                "data-key": `crumb-${i}`,
                "data-testid": `crumb-${i}`,
                "aria-current": i === last ? "true" : null,
                onclick: () => go(path.slice(0, i + 1)),
              },
              h("code", {}, name(layer, index)),
            ),
          ),
        ),
      ),
    );
    terms.draw(told.ledger);
    for (const row of terms.element.querySelectorAll("tr.term")) {
      const { x } = told.ledger.terms[Number(row.dataset.testid.slice(5))];
      if (!x.padding && known.has(x.tensor)) row.classList.add("way");
    }
    hint.hidden = !told.ledger.terms.some(({ x }) => !x.padding && known.has(x.tensor));
    omitted.textContent = told.omitted ? t("inside.omitted", { n: told.omitted, total: num(told.omitted_total) }) : "";
    const { top, bottom, left, right, holes } = told.sight;
    const size = { row: top, column: left, rows: bottom - top + 1, columns: right - left + 1 };
    sheet.outline(bottom < top ? null : size);
    const words = { rows: size.rows, columns: size.columns, top, left, holes: holes.length };
    const one = size.rows * size.columns === 1;
    const key = bottom < top ? "only_padding" : holes.length ? "sees_holes" : one ? "sees_one" : "sees";
    show(seen, ...rich(t(`inside.${key}`, words)));
  }

  function image(array) {
    sheet.draw(picture(array));
  }

  // found: the answer of /api/inside/saliency, or null for none; kind says which of its maps is laid over.
  function lay(found, kind, classes) {
    const array = found?.arrays[kind];
    over.draw(array ? plane(array) : null);
    const words = found && {
      name: classes[found.head.target],
      score: num(found.head.score),
      square: found.head.square,
      layer: found.head.layer,
    };
    show(legend, ...(array ? rich(t(`inside.about_${kind}`, words)) : found ? [t("inside.no_cam")] : []));
  }

  return { element, draw, image, lay, leave: sheet.leave };
}
