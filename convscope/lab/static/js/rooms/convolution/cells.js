// What cells and pictures of numbers share. Used by convolution and pooling.

import { css, diverging, inkOn } from "../../core/colour.js";
import { h } from "../../core/dom.js";
import { isDark } from "../../core/theme.js";

export function coloured(value, limit) {
  const rgb = diverging(value, limit, isDark());
  return { value, colour: css(rgb), ink: css(inkOn(rgb)) };
}

// A part with its name above, in a box.
export function titled(text, part, large = false) {
  const title = h("h3", {}, text);
  return {
    ...part,
    title,
    kind: large ? "map" : "grid",
    box: h("div", { class: "titled" }, title, h("div", { class: "scroll" }, part.element)),
  };
}
