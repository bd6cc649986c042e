// The blocks of a chain: one can be changed, moved and taken out where it stands, and new ones are added.

import { h } from "../../core/dom.js";
import { insert, move, remove, replace } from "./chain.js";

const NEW = ["conv 8 3", "pool 2", "relu", "batchnorm", "dropout 0.5", "globalavg", "linear 32"];

// One block: its text, and Alt with the arrows to move it, Alt+Delete to take it out; buttons do the same.
export function editor(t, layers, i, name, change) {
  const acts = {
    ArrowUp: () => move(layers, i, -1),
    ArrowDown: () => move(layers, i, 1),
    Delete: () => remove(layers, i),
  };
  const onkeydown = (event) => {
    const act = event.altKey && acts[event.key];
    if (!act) return;
    event.preventDefault();
    change(act());
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
  const button = (sign, label, act) => {
    const props = { class: "tiny", tabindex: "-1", "aria-label": `${label}: ${name}`, title: label };
    return h("button", { ...props, onclick: () => change(act()) }, sign);
  };
  const { ArrowUp: up, ArrowDown: down, Delete: out } = acts;
  const buttons = [
    button("↑", t("shapes.up"), up),
    button("↓", t("shapes.down"), down),
    button("×", t("shapes.out"), out),
  ];
  return h("span", { class: "editor" }, input, buttons);
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
