// What the reader expects is said by one of several choices, a number, a slider, or in the figure itself.

import { h, rich } from "../core/dom.js";
import { num } from "../core/format.js";
import { place } from "./lesson-place.js";

// onsay(said): a number, the key of a choice, a place, or null where nothing was said. Gives {element, over: what lies
// over the figure, or null; fix(said, right), free(), settle(), leave()}: fix shows what was said, and with the answer also
// that; settle() is called when the figure is drawn.
export function fieldOf(t, step, words, onsay) {
  const part = { choice: choices, number, slider, place }[step.kind](t, step, words, () => onsay(part.value()));
  const check = h("button", { class: "primary", "data-testid": "lesson-check" }, t("lesson.check"));
  const element = h(
    "form",
    {
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        onsay(part.value());
      },
    },
    part.element,
    check,
  );

  function fix(said, right) {
    for (const input of part.inputs) input.disabled = true;
    check.hidden = true;
    part.set(said, right);
  }

  function free() {
    for (const input of part.inputs) input.disabled = false;
    check.hidden = false;
  }

  return { element, over: part.over ?? null, fix, free, settle: () => part.settle?.(), leave: () => part.leave?.() };
}

function choices(t, { options }, words) {
  const inputs = options.map((value) =>
    h("input", { type: "radio", name: "lesson-choice", value, "data-testid": `lesson-choice-${value}` }),
  );
  const labels = options.map((value, i) => h("label", {}, inputs[i], h("span", {}, rich(words.options[value]))));
  const element = h("fieldset", { class: "choices" }, h("legend", { class: "unseen" }, t("lesson.expect")), labels);
  const value = () => inputs.find((input) => input.checked)?.value ?? null;

  function set(said, right) {
    inputs.forEach((input, i) => {
      input.checked = input.value === said;
      labels[i].classList.toggle("answer", input.value === right);
    });
  }

  return { element, inputs, value, set };
}

function number(t, _, words) {
  const input = h("input", {
    type: "number",
    step: "any",
    inputmode: "decimal",
    autocomplete: "off",
    "aria-label": t("lesson.expect"),
    "data-testid": "lesson-number",
  });
  const element = h("label", { class: "number" }, h("span", {}, t("lesson.expect")), input, words.unit ?? "");
  const value = () => (input.value === "" || !Number.isFinite(Number(input.value)) ? null : Number(input.value));
  return { element, inputs: [input], value, set: (said) => (input.value = said) };
}

function slider(t, { min, max, step, start = min }, words) {
  let moved = false;
  const output = h("output", { class: "n" });
  const answer = h("i", { class: "answer", hidden: true });
  const input = h("input", {
    type: "range",
    min,
    max,
    step,
    value: start,
    "aria-label": t("lesson.expect"),
    "data-testid": "lesson-slider",
    oninput: told,
    onpointerup: told,
    onkeydown: ({ key }) => key.startsWith("Arrow") && told(),
  });
  const track = h("span", { class: "track" }, input, answer);
  const element = h("label", { class: "slide-value" }, h("span", {}, t("lesson.expect")), track, output);
  const say = () => {
    const text = `${num(Number(input.value))}${words.unit ?? ""}`;
    output.textContent = moved ? text : "?";
    input.setAttribute("aria-valuetext", text);
  };

  function told() {
    moved = true;
    say();
  }

  function set(said, right) {
    moved = true;
    input.value = said;
    say();
    answer.hidden = right === undefined;
    if (!answer.hidden) answer.style.setProperty("--at", Math.min(1, Math.max(0, (right - min) / (max - min))));
  }

  say();
  return { element, inputs: [input], value: () => (moved ? Number(input.value) : null), set };
}
