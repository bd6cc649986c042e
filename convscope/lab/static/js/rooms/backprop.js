// Room 2: type an expression or a net; one slider runs forward, caching values, and then backward: upstream × local.

import { line, STALE } from "../core/api.js";
import { h, say, sentence, show } from "../core/dom.js";
import { stepper } from "../parts/stepper.js";
import { settings } from "./backprop/controls.js";
import { changed, leaves, written } from "./backprop/leaves.js";
import { graph } from "./backprop/graph.js";
import { replay } from "./backprop/replay.js";
import { about, arrow, table, tell } from "./backprop/words.js";

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
  let shown = null; // the state
  const sliders = leaves(t, {
    onmove: (one, value) =>
      set(
        shown.mode === "net"
          ? { changes: changed(shown.changes, one, value) }
          : { values: written(answer, one, value) },
      ),
    onsize: (nudge) => set({ nudge }),
  });

  async function update(now) {
    drawSettings(now);
    shown = now;
    const { step: _, ...body } = now;
    const key = JSON.stringify(body);
    if (key === asked) ask.drop();
    else {
      const found = await ask("/api/backprop", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      show(figure, steps.element, told, drawing, sliders.element);
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
    sliders.draw(answer, now.nudge, (node) => finished(answer, node, taken));
    show(known, table(t, answer, seen));
    if (step) say(spoken(t, answer, step));
  }

  return { update, leave: steps.stop };
}

function spoken(t, { boxes }, step) {
  return [about(t, boxes, step), ...step.given.map((one) => arrow(t, boxes, step, one))].join(" ");
}

// Whether nothing more is handed to a leaf after that many steps.
function finished({ steps }, node, taken) {
  const last = steps.findLastIndex(({ given }) => given.some(({ input }) => input === node));
  return last >= 0 && last < taken;
}

// Keep the box of the present step in sight.
function follow(room, answer, step) {
  if (!step || room.scrollWidth <= room.clientWidth) return;
  const { x, width } = answer.boxes[step.node].place;
  room.scrollLeft = ((x + width / 2) / answer.width) * room.scrollWidth - room.clientWidth / 2;
}
