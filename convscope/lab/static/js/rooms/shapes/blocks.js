// The blocks of a chain: one can be changed, moved and taken out where it stands, and new ones are added.

import { h } from "../../core/dom.js";
import { pull } from "../../parts/pull.js";
import { insert, move, remove, replace, shift } from "./chain.js";

const FOLLOWED = { ArrowUp: -1, ArrowDown: 1, Insert: 1 };
const NEW = ["conv 8 3", "pool 2", "relu", "batchnorm", "dropout 0.5", "globalavg", "linear 32"];

// One block: its text, and Alt with the arrows to move it, Alt+Delete to take it out, Alt+Insert for one below it; buttons
// do the same, and a grip by which it is dragged.
export function editor(t, layers, i, name, change) {
  const acts = {
    ArrowUp: () => move(layers, i, -1),
    ArrowDown: () => move(layers, i, 1),
    Delete: () => remove(layers, i),
    Insert: () => insert(layers, i + 1, "relu"),
  };
  const onkeydown = (event) => {
    const act = event.altKey && acts[event.key];
    if (!act) return;
    event.preventDefault();
    const now = act();
    if (now === layers) return;
    input.dataset.key = `block-${i + (FOLLOWED[event.key] ?? 0)}`; // where the focus is to be then
    change(now);
  };
  const input = h("input", {
    value: layers[i],
    class: "code block",
    spellcheck: "false",
    "data-key": `block-${i}`,
    "data-testid": `block-${i}`,
    "aria-label": t("shapes.block", { name }),
    size: Math.max(8, layers[i].length + 1),
    onchange: () => change(replace(layers, i, input.value)),
    onkeydown,
  });
  const button = (sign, label, act, testid) => {
    const props = {
      class: "tiny",
      tabindex: "-1",
      "data-testid": testid,
      "aria-label": `${label}: ${name}`,
      title: label,
    };
    return h("button", { ...props, onclick: () => change(act()) }, sign);
  };
  const { ArrowUp: up, ArrowDown: down, Delete: out, Insert: below } = acts;
  const buttons = [
    button("↑", t("shapes.up"), up),
    button("↓", t("shapes.down"), down),
    button("×", t("shapes.out"), out),
    button("＋", t("shapes.below"), below, `below-${i}`),
  ];
  const grip = handle(i, (to) => change(shift(layers, i, to)));
  grip.title = t("shapes.drag");
  return h("span", { class: "editor", "data-block": i }, grip, input, buttons);
}

// Where a block is held: drop(place) when it is let go at another one's row.
function handle(i, drop) {
  const grip = h("span", { class: "grip", "aria-hidden": "true", "data-testid": `grip-${i}` }, "⠿");
  let over = null; // the row under the pointer
  const at = (row) => Number(row.querySelector("[data-block]").dataset.block);
  pull(grip, {
    move: ({ clientX, clientY }) => {
      const row = document.elementFromPoint(clientX, clientY)?.closest("tr:has([data-block])") ?? null;
      if (row === over) return;
      over?.classList.remove("drop");
      over = row;
      over?.classList.add("drop");
    },
    end: () => {
      over?.classList.remove("drop");
      if (over && at(over) !== i) drop(at(over));
      over = null;
    },
  });
  return grip;
}

// What may be added: before the classifier, a linear layer before its last one.
export function adders(t, layers, change) {
  const isHead = (layer) => layer === "flatten" || layer.startsWith("linear");
  const places = { first: layers.findIndex(isHead), last: layers.findLastIndex(isHead) };
  const button = (layer) => {
    const place = layer.startsWith("linear") ? places.last : places.first;
    const next = () => insert(layers, place < 0 ? layers.length : place, layer);
    const props = { class: "quiet", "data-key": `add-${layer}`, "data-testid": `add-${layer.split(" ")[0]}` };
    return h("button", { ...props, onclick: () => change(next()) }, h("code", {}, layer));
  };
  return h(
    "p",
    { class: "adders" },
    t("shapes.add"),
    " ",
    NEW.map(button),
    h("span", { class: "hint" }, t("shapes.keys")),
  );
}
