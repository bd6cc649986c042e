// A number with a slider beside it: drag, type or use the arrow keys. Beyond the slider's ends the number still counts.

import { h } from "../core/dom.js";

export function slider(label, { testid, onchange, plain = false, low = -10, high = 10, step = 0.1 }) {
  const input = h("input", {
    type: "number",
    step,
    "aria-label": label,
    "data-testid": testid,
    oninput: () => {
      const value = Number(input.value);
      const ok = input.value !== "" && Number.isFinite(value) && Math.abs(value) <= 1e6;
      input.setAttribute("aria-invalid", String(!ok));
      if (ok) onchange(value);
    },
  });
  const range = h("input", {
    type: "range",
    min: low,
    max: high,
    step,
    tabindex: "-1",
    "aria-label": label,
    "data-testid": `${testid}-range`,
    oninput: () => onchange(Number(range.value)),
  });
  const element = h("span", { class: "slider" }, input, plain ? null : range);
  const set = (value) => {
    range.value = value;
    if (document.activeElement === input && input.value !== "") return;
    input.value = value;
    input.removeAttribute("aria-invalid");
  };
  return { element, set };
}
