// The graph: boxes with value and gradient, edges that carry what flows back.

import { h, s } from "../../core/dom.js";
import { minus } from "../../core/format.js";

const LINE = 17;
const MARGIN = 8;

// answer: the server's drawing; now: what is known (replay); step: the one just taken, or null.
export function graph(t, answer, now, step) {
  const active = new Set(step ? step.given.map((given) => given.edge) : []);
  const svg = s(
    "svg",
    {
      class: "graph",
      viewBox: `${-MARGIN} ${-MARGIN} ${answer.width + 2 * MARGIN} ${answer.height + 2 * MARGIN}`,
      role: "img",
      "aria-label": t("backprop.graph", { source: answer.source }),
    },
    answer.edges.map((edge, i) => route(edge, active.has(i))),
    answer.edges.map((edge, i) => edge.label && now.flows.has(i) && flow(edge.label, now.flows.get(i), active.has(i))),
    answer.boxes.map((box, i) => node(t, box, now.known[i], now.gradients[i], now.cached.has(i), step?.node === i)),
  );
  const natural = answer.width + 2 * MARGIN;
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("backprop.drawing") },
    h(
      "div",
      {
        class: "graph-room",
        style: { "--natural": natural },
      },
      svg,
    ),
  );
}

function node(
  t,
  { label, kind, formula, value, requires_grad, place: { x, y, width, height } },
  known,
  gradient,
  cached,
  active,
) {
  const longest = Math.max(6, Math.floor((width - 20) / 7.9) - label.length - 2);
  const lines = (words, at, top, shown, name) =>
    words.map((line, i) =>
      s(
        "text",
        {
          x: at,
          y: top + LINE * i,
          class: name,
          "data-testid": i ? null : `${name}-${label}`,
          "data-value": i ? null : (shown?.number ?? ""),
        },
        minus(line),
      ),
    );
  const left = x + 10;
  const right = x + width - 10;
  const top = y + 20;
  return s(
    "g",
    { class: `node ${kind}${active ? " now" : ""}`, "data-testid": `node-${label}` },
    s("rect", { x, y, width, height, rx: 7 }),
    s("text", { x: left, y: top, class: "label" }, label),
    s(
      "text",
      { x: right, y: top, class: "hint", "text-anchor": "end" },
      short(kind === "operation" ? formula : t(`backprop.${kind}`), longest),
    ),
    s("text", { x: left, y: top + LINE, class: "hint" }, cached ? t("backprop.kept") : t("backprop.value")),
    lines(known ? value.lines : ["—"], left, top + 2 * LINE, known ? value : null, "value"),
    requires_grad &&
      s("text", { x: right, y: top + LINE, class: "hint", "text-anchor": "end" }, t("backprop.gradient")),
    requires_grad &&
      s(
        "g",
        { "text-anchor": "end" },
        lines(gradient ? gradient.lines : ["—"], right, top + 2 * LINE, gradient, "gradient"),
      ),
    cached && s("rect", { x: x + 4, y: y + 4, width: 3, height: height - 8, rx: 1.5, class: "chip" }),
  );
}

function flow({ x, y, width, height }, given, active) {
  const lines = given.value.number === null ? [given.formula, ...given.value.lines] : [given.text];
  return s(
    "g",
    { class: `flow${active ? " now" : ""}` },
    s("rect", { x, y, width, height, rx: 4 }),
    lines.map((line, i) => {
      const place = { x: x + 2, y: y + 15 + 16 * i };
      return i ? s("text", place, line) : s("text", place, "←", s("tspan", { dx: 3 }, line)); // no room for a space
    }),
  );
}

function route({ points: [[x0, y0], ...rest] }, active) {
  let [x, y] = [x0, y0];
  let d = `M${x} ${y}`;
  for (const [i, j] of rest) {
    const middle = (x + i) / 2;
    d += `C${middle} ${y} ${middle} ${j} ${i} ${j}`;
    [x, y] = [i, j];
  }
  return s(
    "g",
    { class: `route${active ? " now" : ""}` },
    s("path", { d }),
    s("path", { class: "tip", d: `M${x} ${y}l-7 -4v8z` }),
  );
}

function short(text, longest) {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
