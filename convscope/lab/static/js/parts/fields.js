// Labelled controls. Each returns {element, set(value)}; set never calls back. `Words between backticks` in a label are code.

import { h, rich } from "../core/dom.js";

let serial = 0;

function labelled(label, input, extra = "") {
  input.id ||= `field-${++serial}`;
  return h("div", { class: `field ${extra}` }, h("label", { for: input.id }, rich(label)), input);
}

// A whole number in [min, max]. What is not one is shown as invalid and not reported.
export function number(label, { min = 0, max = 65535, testid, onchange }) {
  const input = h("input", { type: "number", min, max, step: 1, "data-testid": testid, inputmode: "numeric",
    oninput: () => {
      const ok = input.value !== "" && Number.isInteger(Number(input.value)) && input.validity.valid;
      input.setAttribute("aria-invalid", String(!ok));
      if (ok) onchange(Number(input.value));
    } });
  return { element: labelled(label, input, "narrow"), set: (value) => put(input, value) };
}

// A line (or, with rows, an area) of text, reported while it is typed.
export function text(label, { testid, rows, onchange, wait = 150 }) {
  let timer;
  const input = h(rows ? "textarea" : "input", { rows, spellcheck: "false", autocomplete: "off", autocapitalize: "off", "data-testid": testid, class: "code",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => onchange(input.value), wait);
    } });
  return { element: labelled(label, input, "wide"), set: (value) => put(input, value), input };
}

// One of several: options is [[value, text], …].
export function select(label, { options, testid, onchange }) {
  const input = h("select", { "data-testid": testid, onchange: () => onchange(input.value) },
    options.map(([value, name]) => h("option", { value }, name)));
  return { element: labelled(label, input), set: (value) => { input.value = value; }, input };
}

// On or off.
export function toggle(label, { testid, onchange }) {
  const input = h("input", { type: "checkbox", "data-testid": testid, onchange: () => onchange(input.checked) });
  return { element: h("label", { class: "field toggle" }, input, h("span", {}, rich(label))), set: (value) => { input.checked = value; } };
}

// What the user is just typing is not overwritten.
function put(input, value) {
  if (document.activeElement !== input || input.value === "") input.value = value;
  if (document.activeElement !== input) input.removeAttribute("aria-invalid");
}
