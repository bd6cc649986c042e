// One slider, buttons and keys through a sequence. Nothing moves until "play" is pressed, and pausing is the same button.

import { h, s } from "../core/dom.js";

// Drawn, because fonts lack half of these signs.
const SIGNS = {
  first: "M3 3v10M13 3L6 8l7 5z",
  back: "M11 3L4 8l7 5z",
  play: "M4 2.5L13 8l-9 5.5z",
  pause: "M5 3v10M11 3v10",
  next: "M5 3l7 5l-7 5z",
  last: "M13 3v10M3 3l7 5l-7 5z",
};

const sign = (key) =>
  s(
    "svg",
    { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", { d: SIGNS[key], "stroke-width": 1.6, "stroke-linejoin": "round" }),
  );

// options: label, testid, pace (ms a step), onstep(position). Returns {element, set(position, last, text), stop()}.
export function stepper(t, { label, testid = "stepper", pace = 700, onstep }) {
  let at = 0;
  let shown = 0; // what is shown may come later: playing waits for it
  let last = 0;
  let timer = null;
  const slider = h("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": label,
    "data-testid": `${testid}-slider`,
    oninput: () => {
      stop();
      to(Number(slider.value));
    },
  });
  const text = h("output", { class: "n", "data-testid": `${testid}-text` });
  const button = (key, action) =>
    h(
      "button",
      {
        "aria-label": t(`common.${key}`),
        title: t(`common.${key}`),
        "data-testid": `${testid}-${key}`,
        onclick: action,
      },
      sign(key),
    );
  const play = button("play", () => (timer ? stop() : start()));
  const element = h(
    "div",
    { class: "stepper", role: "group", "aria-label": label },
    button("first", () => (stop(), to(0))),
    button("back", () => (stop(), to(at - 1))),
    play,
    button("next", () => (stop(), to(at + 1))),
    button("last", () => (stop(), to(last))),
    slider,
    text,
  );

  function to(position) {
    const next = Math.min(last, Math.max(0, position));
    if (next === at) return;
    at = next;
    onstep(next);
  }

  function start() {
    if (at >= last) to(0);
    play.replaceChildren(sign("pause"));
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => (at >= last ? stop() : shown === at && to(at + 1)), pace);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.replaceChildren(sign("play"));
    play.setAttribute("aria-pressed", "false");
  }

  function set(position, end, words = `${position} / ${end}`) {
    [at, shown, last] = [position, position, end];
    slider.max = end;
    slider.value = position;
    slider.setAttribute("aria-valuetext", words);
    text.textContent = words;
  }

  return { element, set, stop };
}
