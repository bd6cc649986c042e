// Backward: a weight is chosen in its kernel, and its gradient is the sum of upstream × input over all of its places.

import { STALE, line } from "../../../core/api.js";
import { unpack } from "../../../core/binary.js";
import { h, say } from "../../../core/dom.js";
import { num } from "../../../core/format.js";
import { number, select } from "../../../parts/fields.js";
import { kernels } from "./kernels.js";
import { uses } from "./uses.js";

export function panel({ t, set, state }) {
  const asking = line();
  const target = select(t("play.loss_for"), {
    testid: "loss-for",
    options: [],
    onchange: (c) => set({ lossfor: Number(c) }),
  });
  const chosen = choice(t, (weight) => set({ weight }));
  const taps = kernels(t, { onpick: (index) => set({ weight: [chosen.layer(), ...index] }) });
  const places = uses(t);
  const element = h(
    "div",
    { class: "backward" },
    h("div", { class: "chosen" }, h("div", { class: "line" }, chosen.elements, target.element), taps.element),
    places.element,
  );
  let classes = "";

  async function update(now, { image, head, arrays }) {
    if (classes !== head.classes.join()) fill(head.classes);
    const { lossfor, weight } = now;
    target.set(String(lossfor));
    const answer = await asking("/api/inside/backward", {
      ...image,
      ...asked(weight),
      ...(lossfor >= 0 && { target: lossfor }),
    });
    if (answer === STALE) return;
    const found = unpack(answer);
    chosen.draw(found.head);
    taps.draw(found);
    places.draw(found, arrays.image, head.classes);
    if (state().weight.length)
      say(t("play.gradient_is", { name: found.head.ledger.name, value: num(found.head.ledger.total) }));
  }

  function fill(names) {
    classes = names.join();
    const automatic = h("option", { value: -1 }, t("play.true_or_likeliest"));
    target.input.replaceChildren(automatic, ...names.map((text, c) => h("option", { value: c }, text)));
  }

  return { element, update, leave: () => [taps, places].forEach((part) => part.leave()) };
}

// ["conv1", 3, 0, 2, 2] is a weight, ["conv1", 3] of a convolution or ["conv1", "bias", 3] a bias; [] lets the server choose.
function asked([layer, ...index]) {
  if (!layer) return {};
  const bias = index[0] === "bias";
  return { layer, bias, index: (bias ? index.slice(1) : index).length ? (bias ? index.slice(1) : index) : null };
}

// The layer and its kernel, and whether the bias is meant: onchoose(weight).
function choice(t, onchoose) {
  let head = null;
  const layer = select(t("play.layer"), {
    testid: "weight-layer",
    options: [],
    onchange: (value) => onchoose([value]),
  });
  const kernel = number(t("play.kernel"), { testid: "weight-kernel", onchange: (value) => pick(value) });
  const bias = h(
    "button",
    { class: "quiet", "data-testid": "weight-bias", onclick: () => pick(head.index[0], true) },
    t("play.bias"),
  );

  function pick(row, only = false) {
    const [rows] = shapeOf(head);
    if (row < rows)
      onchoose([head.layer, ...(only ? ["bias", row] : [row, ...(head.bias ? middle(head) : head.index.slice(1))])]);
  }

  function draw(next) {
    head = next;
    layer.input.replaceChildren(...head.layers.map((one) => h("option", { value: one.name }, one.name)));
    layer.set(head.layer);
    kernel.set(head.index[0]);
    kernel.input.max = shapeOf(head)[0] - 1;
    bias.hidden = !head.layers.find((one) => one.name === head.layer).bias;
    bias.setAttribute("aria-pressed", String(head.bias));
  }

  return { elements: [layer.element, kernel.element, bias], draw, layer: () => head.layer };
}

const shapeOf = ({ layers, layer }) => layers.find((one) => one.name === layer).shape;
const middle = (head) =>
  shapeOf(head)
    .slice(1)
    .map((size) => Math.floor(size / 2));
