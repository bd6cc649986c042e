// A button that is held: by mouse, finger, Space or Enter. While it is down, a shot every eighth of a second.

import { h } from "../../core/dom.js";

const EVERY = 125; // ms

// onshot() at once and again and again, until the button is let go.
export function shutter(words, { testid, onshot }) {
  let timer = 0;
  const button = h("button", { class: "primary shutter", "data-testid": testid, "aria-pressed": "false" }, words);
  const keyed = ({ key }) => key === " " || key === "Enter";

  function begin() {
    if (timer) return;
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(onshot, EVERY);
    onshot();
  }

  function end() {
    clearInterval(timer);
    timer = 0;
    button.setAttribute("aria-pressed", "false");
  }

  const listeners = {
    pointerdown: (event) => {
      if (event.button) return;
      button.setPointerCapture(event.pointerId);
      begin();
    },
    pointerup: end,
    pointercancel: end,
    lostpointercapture: end,
    blur: end,
    contextmenu: (event) => event.preventDefault(), // a finger that stays
    keydown: (event) => {
      if (!keyed(event)) return;
      event.preventDefault();
      if (!event.repeat) begin();
    },
    keyup: (event) => {
      if (!keyed(event)) return;
      event.preventDefault();
      end();
    },
    click: ({ detail, pointerType }) => !detail && !pointerType && onshot(), // of a screen reader: one shot
  };
  for (const [name, listener] of Object.entries(listeners)) button.addEventListener(name, listener);
  return { element: button, end };
}
