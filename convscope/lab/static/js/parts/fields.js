// Labelled controls. Each returns {element, set(value)}; set never calls back. `Words between backticks` in a label are code.

import { h, rich } from "../core/dom.js";

let serial = 0;
const waiting = new Map(); // input → what its timer will do: what was typed and not yet reported

function labelled(label, input, extra = "") {
  input.id ||= `field-${++serial}`;
  return h(
    "div",
    { class: `field ${extra}`, "data-term": input.dataset.testid.replace(/-\d$/, "") },
    h("label", { for: input.id }, rich(label)),
    input,
  );
}

// Report whatever has been typed and is still waiting: before something is begun that depends on it.
export function flush() {
  for (const report of [...waiting.values()]) report();
}

// A number in [min, max], a whole one unless `step` is "any". What is not one is shown as invalid, with the limits, and
// not reported.
export function number(label, { min = 0, max = 65535, step = 1, testid, onchange }) {
  const limits = h("small", { class: "limits", hidden: true, "data-testid": `${testid}-limits` }, `${min} … ${max}`);
  const input = h("input", {
    type: "number",
    min,
    max,
    step,
    "data-testid": testid,
    inputmode: step === 1 ? "numeric" : "decimal",
    oninput: () => {
      const value = Number(input.value);
      const ok = input.value !== "" && input.validity.valid && (step !== 1 || Number.isInteger(value));
      input.setAttribute("aria-invalid", String(!ok));
      limits.hidden = ok;
      if (ok) onchange(value);
    },
  });
  const element = labelled(label, input, "narrow");
  element.append(limits);
  const set = (value) => {
    put(input, value);
    limits.hidden = input.getAttribute("aria-invalid") !== "true";
  };
  return { element, set, input };
}

// A line (or, with rows, an area) of text, reported while it is typed, and at once with Enter or when it is left.
export function text(label, { testid, rows, onchange, wait = 150 }) {
  const report = () => {
    clearTimeout(timer);
    if (waiting.delete(input)) onchange(input.value);
  };
  let timer;
  const input = h(rows ? "textarea" : "input", {
    rows,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "data-testid": testid,
    class: "code",
    oninput: () => {
      clearTimeout(timer);
      waiting.set(input, report);
      timer = setTimeout(report, wait);
    },
    onblur: report,
    onkeydown: (event) => event.key === "Enter" && report(),
  });
  return { element: labelled(label, input, "wide"), set: (value) => put(input, value), input };
}

// One of several: options is [[value, text], …].
export function select(label, { options, testid, onchange }) {
  const input = h(
    "select",
    { "data-testid": testid, onchange: () => onchange(input.value) },
    options.map(([value, name]) => h("option", { value }, name)),
  );
  const set = (value) => {
    input.value = value;
  };
  return { element: labelled(label, input), set, input };
}

// On or off.
export function toggle(label, { testid, onchange }) {
  const input = h("input", { type: "checkbox", "data-testid": testid, onchange: () => onchange(input.checked) });
  const set = (value) => {
    input.checked = value;
  };
  const element = h("label", { class: "field toggle", "data-term": testid }, input, h("span", {}, rich(label)));
  return { element, set };
}

// Height and width of a setting of PyTorch's, such as `stride`: onchange(axis, value).
export function pair(name, { min, max, onchange }) {
  const two = ["H", "W"].map((label, axis) =>
    number(label, { testid: `${name}-${axis}`, min, max, onchange: (value) => onchange(axis, value) }),
  );
  const element = group(h("code", {}, name), two);
  element.dataset.term = name;
  return { element, set: (values) => two.forEach((one, axis) => one.set(values[axis])) };
}

// Several fields below one label.
export function group(label, fields) {
  return h(
    "fieldset",
    {},
    h("legend", {}, label),
    fields.map((one) => one.element),
  );
}

// Buttons that set a state worth seeing: names is [[testid, words], …].
export function examples(label, names, onpick) {
  const button = ([testid, words], i) =>
    h("button", { class: "quiet", "data-testid": `example-${testid}`, onclick: () => onpick(testid, i) }, words);
  return h("p", { class: "examples" }, label, " ", names.map(button));
}

// What the user is just typing, or has typed a moment ago, is not overwritten.
function put(input, value) {
  if (waiting.has(input)) return;
  if (document.activeElement !== input || input.value === "") input.value = value;
  if (document.activeElement !== input) input.removeAttribute("aria-invalid");
}
