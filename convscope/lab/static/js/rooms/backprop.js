// Room 2: type an expression or a net; one slider runs forward, caching values, and then backward: upstream × local.

import { line, STALE } from "../core/api.js";
import { h, say, sentence, show } from "../core/dom.js";
import { stepper } from "../parts/stepper.js";
import { settings } from "./backprop/controls.js";
import { graph } from "./backprop/graph.js";
import { replay } from "./backprop/replay.js";
import { table, tell } from "./backprop/words.js";

export { defaults, rules } from "./backprop/controls.js";

export function mount(room) {
  const { figure, ledger: panel, script, t, set } = room;
  const ask = line();
  let answer = null;
  let asked = "";
  const drawSettings = settings(room);
  const steps = stepper(t, { label: t("backprop.steps"), pace: 1100, onstep: (step) => set({ step }) });
  const drawing = h("div", {});
  const known = h("div", {});
  const told = h("div", { class: "told", "data-testid": "told" });

  async function update(now) {
    drawSettings(now);
    const { step: _, ...body } = now;
    const key = JSON.stringify(body);
    if (key !== asked) {
      const found = await ask("/api/backprop", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      show(figure, steps.element, told, drawing);
      show(panel, known, sentence("p", { class: "hint", "data-testid": "check" }, t.said(answer.check)));
      script(answer.script);
    }
    const taken = Math.min(now.step, answer.steps.length);
    const step = taken ? answer.steps[taken - 1] : null;
    const seen = replay(answer, taken);
    steps.set(taken, answer.steps.length, `${taken} / ${answer.steps.length}`);
    const left = drawing.firstChild?.scrollLeft ?? 0;
    show(drawing, graph(t, answer, seen, step));
    drawing.firstChild.scrollLeft = left;
    follow(drawing.firstChild, answer, step);
    show(told, tell(t, answer, step));
    show(known, table(t, answer, seen));
    if (step) say(spoken(t, answer, step));
  }

  return { update, leave: steps.stop };
}

function spoken(t, { boxes }, { text, given }) {
  const parts = given.map((one) => `${boxes[one.input].label}: ${one.text}`);
  return `${t.said(text).text}. ${parts.join(". ")}`;
}

// Keep the box of the present step in sight.
function follow(room, answer, step) {
  if (!step || room.scrollWidth <= room.clientWidth) return;
  const { x, width } = answer.boxes[step.node].place;
  room.scrollLeft = ((x + width / 2) / answer.width) * room.scrollWidth - room.clientWidth / 2;
}
