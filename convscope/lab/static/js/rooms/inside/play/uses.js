// Upstream, what was read and their products as maps of the same places; the products on the image; the sum.

import { picture, plane } from "../../../core/binary.js";
import { h, rich, show } from "../../../core/dom.js";
import { num, signed } from "../../../core/format.js";
import { ledger, name } from "../../../parts/ledger.js";
import { map } from "../../../parts/map.js";
import { overlay } from "../overlay.js";

export function uses(t) {
  const readout = h("output", { class: "readout", "data-testid": "use-at" });
  const parts = Object.fromEntries(
    ["upstream", "read", "products"].map((key) => [
      key,
      map({ label: t(`play.use_${key}`), testid: `use-${key}`, width: 128, spoken: (r, c) => at(r, c), onat: over }),
    ]),
  );
  const captions = Object.fromEntries(Object.keys(parts).map((key) => [key, h("span", { class: "caption" })]));
  const sheet = map({ label: t("play.on_image"), testid: "use-image", width: 200 });
  const laid = overlay(t("play.on_image"), "use-overlay");
  const sum = h("p", { class: "sum", "data-testid": "use-sum" });
  const where = h("p", { class: "hint" });
  const terms = ledger(t, { testid: "use-ledger", onterm: (term) => (term ? mark(...term.x.index.slice(1)) : mark()) });
  const rest = h("p", { class: "hint" });
  const cell = (key, sign) => h("li", {}, captions[key], h("span", { class: "row" }, sign, parts[key].element));
  const element = h(
    "div",
    { class: "uses" },
    sum,
    h("ol", { class: "product" }, cell("upstream", ""), cell("read", "×"), cell("products", "=")),
    readout,
    h("div", { class: "laid" }, h("div", { class: "stacked" }, sheet.element, laid.element), where),
    terms.element,
    rest,
  );
  let found = null;

  const value = (key, r, c) => found.arrays[key].values[r * found.arrays[key].shape[1] + c];

  function at(r, c) {
    const words = {
      r,
      c,
      upstream: num(value("upstream", r, c)),
      read: num(value("read", r, c)),
      product: num(value("products", r, c)),
    };
    return t("play.use_at", words);
  }

  function over(r, c, how) {
    if (how === "leave") return mark();
    mark(r, c);
    readout.textContent = at(r, c);
  }

  // Outline one place in the three maps, and where it lies in the image; nothing without a place.
  function mark(r, c) {
    const none = r === undefined;
    for (const part of Object.values(parts))
      part.outline(none ? null : { row: r, column: c ?? 0, rows: 1, columns: 1 });
    const [row, column] = none ? [-1, -1] : [value("rows", r, c ?? 0), value("columns", r, c ?? 0)];
    sheet.outline(row < 0 ? null : { row, column, rows: 1, columns: 1 });
    if (none) readout.textContent = t("play.use_hint");
  }

  function draw(next, image, classes) {
    found = next;
    const { head, arrays } = found;
    for (const [key, part] of Object.entries(parts)) part.draw(plane(arrays[key]));
    show(captions.upstream, ...rich(`\`∂loss/∂${head.layer}[${head.index[0]}]\``));
    show(captions.read, ...rich(head.bias ? "`1`" : `\`${head.read}\``));
    show(captions.products, t("play.use_products"));
    sheet.draw(picture(image));
    laid.draw(arrays.on_image ? plane(arrays.on_image) : null);
    show(
      where,
      ...rich(
        t(
          arrays.on_image
            ? head.read === "image" && !head.bias
              ? "play.laid_exactly"
              : "play.laid_centre"
            : "play.laid_nowhere",
        ),
      ),
    );
    const { total, reported, difference, terms: all } = head.ledger;
    const words = {
      n: all.length + head.omitted,
      total: signed(total, 6),
      reported: signed(reported, 6),
      difference: num(difference, 2),
    };
    show(
      sum,
      h("code", {}, name(head.ledger.name, head.index)),
      " ",
      ...rich(t("play.use_sum", { ...words, name: classes[head.target], loss: num(head.loss) })),
    );
    sum.dataset.value = total;
    terms.draw(head.ledger);
    rest.textContent = head.omitted ? t("play.omitted", { n: head.omitted, total: num(head.omitted_total) }) : "";
    mark();
  }

  return { element, draw, leave: () => [...Object.values(parts), sheet].forEach((part) => part.leave()) };
}
