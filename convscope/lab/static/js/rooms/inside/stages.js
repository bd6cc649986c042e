// What happens to a drawing on its way to the net, picture by picture; every step can be left out.

import { h, show } from "../../core/dom.js";
import { picture } from "../../core/binary.js";
import { map } from "../../parts/map.js";
import { toggle } from "../../parts/fields.js";

const STEPS = [
  ["raw", null],
  ["cropped", "crop"],
  ["fitted", "box"],
  ["centred", "centre"],
];

export function stages(t, { set }) {
  const pictures = STEPS.map(([name]) => map({ label: t(`inside.${name}`), testid: `stage-${name}`, width: 92 }));
  const switches = Object.fromEntries(
    [...STEPS.map(([, step]) => step).filter(Boolean), "invert"].map((step) => [
      step,
      toggle(t(`inside.${step}`), {
        testid: `step-${step}`,
        onchange: (on) => set({ [step]: step === "invert" ? on : on ? "yes" : "no" }),
      }),
    ]),
  );
  const tiles = STEPS.map(([name, step], i) =>
    h(
      "li",
      {},
      pictures[i].element,
      h("span", { class: "caption" }, t(`inside.${name}`)),
      step && switches[step].element,
    ),
  );
  const list = h("ol", { class: "stages", "aria-label": t("inside.stages") }, tiles);
  const mass = h("p", { class: "hint", "data-testid": "mass" });
  const whole = map({ label: t("inside.image"), testid: "stage-image", width: 196 });
  const element = h("div", { class: "prepare" });

  function draw(state, head, arrays) {
    for (const [step, field] of Object.entries(switches))
      field.set(step === "invert" ? state.invert : head.steps?.[step]);
    const drawn = "raw" in arrays;
    show(element, drawn ? [list, mass] : whole.element, switches.invert.element);
    if (!drawn) return whole.draw(picture(arrays.image));
    STEPS.forEach(([name], i) => pictures[i].draw(picture(arrays[name])));
    mass.textContent = head.mass
      ? t("inside.mass", {
          r: head.mass[0].toFixed(1),
          c: head.mass[1].toFixed(1),
          y: head.corner[0],
          x: head.corner[1],
        })
      : "";
  }

  return { element, draw, leave: () => [...pictures, whole].forEach((one) => one.leave()) };
}
