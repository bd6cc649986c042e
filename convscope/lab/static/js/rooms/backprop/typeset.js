// Derivatives as fractions and exponents raised, from the plain text of the server.

import { h } from "../../core/dom.js";
import { formula, minus } from "../../core/format.js";

const PARTS = /(∂[^\s/∂=]+\/∂[^\s=:,]+|\^\([^()]*\)|²)/;

// "∂v1/∂w = x = 2" → nodes; screen readers hear the plain text.
export function typeset(text) {
  const parts = formula(minus(text)).split(PARTS).filter(Boolean);
  return h("span", { class: "math" }, parts.map(drawn));
}

function drawn(part) {
  const fraction = /^(∂.+)\/(∂.+)$/.exec(part);
  if (fraction) {
    const [, above, below] = fraction;
    const lines = [above, below].map((words) => h("span", { "aria-hidden": "true" }, words));
    return h("span", { class: "fraction", role: "img", "aria-label": part }, lines);
  }
  const raised = /^\^\((.*)\)$/.exec(part);
  return raised ? h("sup", {}, raised[1]) : part;
}
