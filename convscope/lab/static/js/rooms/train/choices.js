// The recipe of the next run.

import { h } from "../../core/dom.js";
import { number, select, text } from "../../parts/fields.js";

export const choices = { data: "digits", net: "note", epochs: 0, batch_size: 64, lr: 0.01, momentum: 0.5, weight_decay: 0, optimizer: "sgd", schedule: "constant", loss: "cross-entropy", val_fraction: 0, seed: 0, image_size: 0 };

const SCHEDULES = ["constant", "cosine", "one-cycle"];
const LOSSES = ["cross-entropy", "mse", "mae"];

// What the server takes: 0 stands for "as usual" in the two that may be left out.
export function recipe(state) {
  const chosen = Object.fromEntries(Object.keys(choices).map((key) => [key, state[key]]));
  return { ...chosen, epochs: state.epochs || null, image_size: state.image_size || null };
}

export function controls(t, { set }) {
  const decimal = (key, min, max) => real(t(`train.${key}`), { testid: key, min, max, onchange: (value) => set({ [key]: value }) });
  const whole = (key, min, max) => number(t(`train.${key}`), { testid: key, min, max, onchange: (value) => set({ [key]: value }) });
  const one = (key, options) => select(t(`train.${key}`), { testid: key, options: options.map((name) => [name, name]), onchange: (value) => set({ [key]: value }) });
  const offered = h("datalist", { id: "known-data" });
  const data = text(t("train.data"), { testid: "data", wait: 400, onchange: (value) => set({ data: value }) });
  data.input.setAttribute("list", "known-data");
  const preset = select(t("train.preset"), { testid: "preset", options: [["", t("train.own")]], onchange: (name) => name && set({ net: name }) });
  const net = text(t("train.net"), { testid: "net", wait: 400, onchange: (value) => set({ net: value }) });
  const fields = {
    data, net, epochs: whole("epochs", 0, 1e6), batch_size: whole("batch_size", 1, 1e9), lr: decimal("lr", 0, 1e6),
    optimizer: one("optimizer", ["sgd", "adam"]), momentum: decimal("momentum", 0, 0.9999), schedule: one("schedule", SCHEDULES), loss: one("loss", LOSSES),
    weight_decay: decimal("weight_decay", 0, 1e6), val_fraction: decimal("val_fraction", 0, 0.9999), image_size: whole("image_size", 0, 1024), seed: whole("seed", 0, 2 ** 53 - 1),
  };
  const pick = (...keys) => keys.map((key) => fields[key].element);
  const more = h("details", { class: "more" }, h("summary", {}, t("train.more")), h("div", { class: "line" }, pick("weight_decay", "val_fraction", "image_size", "seed")));
  const element = h("div", { class: "choices" }, h("div", { class: "line" }, data.element, preset.element, net.element, offered),
    h("div", { class: "line" }, pick("epochs", "batch_size", "lr", "optimizer", "momentum", "schedule", "loss")), more);
  let nets = {};

  function draw(state, known) {
    if (!offered.children.length) {
      nets = known.nets;
      offered.append(...known.data.map((value) => h("option", { value })));
      preset.input.append(...Object.keys(nets).map((value) => h("option", { value }, value)));
    }
    for (const [key, field] of Object.entries(fields)) field.set(state[key]);
    preset.set(state.net in nets ? state.net : "");
    net.set(nets[state.net] ?? state.net);
    fields.epochs.set(state.epochs || (known.default_epochs[state.data] ?? 10));
  }

  return { element, draw };
}

// A number that need not be whole.
function real(label, { min, max, testid, onchange }) {
  const field = number(label, { min, max, testid, onchange: () => {} });
  const input = field.element.querySelector("input");
  input.step = "any";
  input.inputMode = "decimal";
  input.addEventListener("input", () => {
    const ok = input.value !== "" && input.validity.valid;
    input.setAttribute("aria-invalid", String(!ok));
    if (ok) onchange(Number(input.value));
  });
  return field;
}
