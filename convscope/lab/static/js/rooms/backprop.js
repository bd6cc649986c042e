// Room 2: type an expression or a net; one slider runs forward, caching values, and then backward: upstream × local.

import { line, STALE } from "../core/api.js";
import { h, rich, say, sentence, show } from "../core/dom.js";
import { minus } from "../core/format.js";
import { number, select, text } from "../parts/fields.js";
import { stepper } from "../parts/stepper.js";
import { graph } from "./backprop/graph.js";
import { replay } from "./backprop/replay.js";

export const defaults = {
  mode: "expression", expression: "(w*x + b - y)**2", values: "w=3 x=2 b=1 y=5",
  net: "linear 2 | relu | linear 1", input: "1, 2", target: "0.5", loss: "mse", seed: 0, passes: 1, step: 0,
};

const EXAMPLES = [
  { expression: defaults.expression, values: defaults.values },
  { expression: "x*x + x", values: "x=3" },
  { expression: "relu(w*x) * sigmoid(w)", values: "w=-1 x=2" },
  { expression: "sum((W @ x - y)**2)", values: "W=[[1,2],[3,4]] x=[1,-1] y=[0,1]" },
  { expression: "x*x + x", values: "x=3", passes: 2 },
  { mode: "net" },
];

export function mount({ controls, figure, ledger: panel, script, t, set, state }) {
  const ask = line();
  let answer = null;
  let asked = "";
  const restart = (patch) => set({ step: 0, ...patch });
  const mode = select(t("backprop.mode"), { testid: "mode", options: [["expression", t("backprop.expression")], ["net", t("backprop.net")]], onchange: (value) => restart({ mode: value }) });
  const field = (key, label, testid) => text(label, { testid, onchange: (value) => restart({ [key]: value }) });
  const fields = {
    expression: field("expression", t("backprop.expression"), "expression"), values: field("values", t("backprop.values"), "values"),
    net: field("net", t("backprop.net"), "net"), input: field("input", t("backprop.input"), "input"), target: field("target", t("backprop.target"), "target"),
  };
  const loss = select(t("backprop.loss"), { testid: "loss", options: ["mse", "mae", "cross-entropy"].map((l) => [l, l]), onchange: (value) => restart({ loss: value }) });
  const seed = number("`seed`", { testid: "seed", max: 999999, onchange: (value) => restart({ seed: value }) });
  const again = number(t("backprop.passes"), { testid: "passes", min: 1, max: 3, onchange: (value) => set({ passes: value }) });
  const forExpression = h("div", { class: "line whole" }, fields.expression.element, fields.values.element);
  const forNet = h("div", { class: "line" }, fields.net.element, fields.input.element, fields.target.element);
  controls.append(mode.element, again.element, loss.element, seed.element, forExpression, forNet,
    h("p", { class: "examples" }, t("backprop.try"), " ", EXAMPLES.map((example, i) =>
      h("button", { class: "quiet", "data-testid": `example-${i}`, onclick: () => set({ ...defaults, ...example }) }, t("backprop.examples")[i]))));

  const steps = stepper(t, { label: t("backprop.steps"), pace: 1100, onstep: (step) => set({ step }) });
  const drawing = h("div", {});
  const known = h("div", {});
  const told = h("div", { class: "told", "data-testid": "told" });

  async function update(now) {
    mode.set(now.mode);
    again.set(now.passes);
    for (const [key, one] of Object.entries(fields)) one.set(now[key]);
    loss.set(now.loss);
    seed.set(now.seed);
    forExpression.hidden = now.mode !== "expression";
    loss.element.hidden = seed.element.hidden = forNet.hidden = now.mode !== "net";
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
    follow(step);
    show(told, tell(step));
    show(known, table(seen));
    if (step) say(`${t.said(step.text).text}. ${step.given.map((given) => `${answer.boxes[given.input].label}: ${given.text}`).join(". ")}`);
  }

  // Keep the box of the present step in sight.
  function follow(step) {
    const room = drawing.firstChild;
    if (!step || room.scrollWidth <= room.clientWidth) return;
    const { x, width } = answer.boxes[step.node].place;
    room.scrollLeft = ((x + width / 2) / answer.width) * room.scrollWidth - room.clientWidth / 2;
  }

  function tell(step) {
    if (!step) return h("p", { class: "hint" }, rich(t("backprop.start")));
    const { remark } = answer.boxes[step.node];
    const phase = t(`backprop.${step.phase}`, { n: step.backward_pass });
    return [
      h("p", {}, h("strong", {}, phase), " ", sentence("span", { class: "code" }, t.said(step.text))),
      step.given.length > 0 && h("ul", {}, step.given.map((given) => h("li", {},
        h("code", {}, `∂/∂${answer.boxes[given.input].label} += ${given.formula}`), h("span", { class: "code" }, ` : ${given.text}`),
        h("span", { class: "hint" }, ` ${t("backprop.sofar", { value: minus(given.accumulated.text) })}`),
        given.note && [" · ", sentence("span", { class: "hint" }, t.said(given.note))]))),
      remark && sentence("p", { class: "hint" }, t.said(remark)),
    ];
  }

  function table({ known: values, gradients, cached }) {
    const heads = ["node", "operation", "value", "kept", "local", "gradient"];
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("backprop.table") }, h("table", { class: "walk" },
      h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col", class: key === "value" || key === "gradient" ? "n" : null }, t(`backprop.${key}`))))),
      h("tbody", {}, answer.boxes.map((box, i) => h("tr", {},
        h("th", { scope: "row" }, box.label),
        h("td", { class: "code" }, box.kind === "operation" ? box.formula : t(`backprop.${box.kind}`), box.numbers && h("span", { class: "hint" }, ` = ${box.numbers}`)),
        h("td", { class: "n code" }, values[i] ? minus(box.value.text) : "—"),
        h("td", {}, cached.has(i) ? "●" : ""),
        h("td", { class: "code hint" }, values[i] ? box.locals.map((local) => h("div", {}, local)) : ""),
        h("td", { class: "n code" }, !box.requires_grad ? "" : gradients[i] ? minus(gradients[i].text) : "—"))))));
  }

  return { update, leave: () => steps.stop() };
}
