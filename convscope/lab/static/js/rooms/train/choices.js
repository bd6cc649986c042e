// The recipe of the next run.

import { ask } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { number, select, text, toggle } from "../../parts/fields.js";

// What the server offers: {name, kind, place, default, options, least, most, below} of each choice.
const offers = await ask("/api/train/choices");

// A default that depends on others is entered as 0.
export const choices = Object.fromEntries(offers.map(({ name, kind, default: usual }) => [name, usual ?? (kind === "text" ? "" : 0)]));

// What the server takes: null for what is left as usual.
export function recipe(state) {
  return Object.fromEntries(offers.map(({ name, default: usual }) => [name, usual === null ? state[name] || null : state[name]]));
}

export function controls(t, { set }) {
  const offered = h("datalist", { id: "known-data" });
  const preset = select(t("train.preset"), { testid: "preset", options: [["", t("train.own")]], onchange: (name) => name && set({ net: name }) });
  const fields = Object.fromEntries(offers.map((offer) => [offer.name, field(offer, t, set)]));
  const { data, net } = fields;
  data.input.setAttribute("list", "known-data");
  const pick = (place) => offers.filter((offer) => offer.place === place && offer.kind !== "text").map(({ name }) => fields[name].element);
  const more = h("details", { class: "more" }, h("summary", {}, t("train.more")), h("div", { class: "line" }, pick("more")));
  const element = h("div", { class: "choices" }, h("div", { class: "line" }, data.element, preset.element, net.element, offered),
    h("div", { class: "line" }, pick("first")), more);
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

// The field of one choice; its label is the text of that name.
function field({ name, kind, default: usual, options, least, most, below }, t, set) {
  const label = t(`train.${name}`);
  const common = { testid: name, onchange: (value) => set({ [name]: value }) };
  const limits = { min: usual === null ? 0 : least, max: below ? most - most / 10000 : Math.min(most, Number.MAX_SAFE_INTEGER) };
  if (kind === "text") return text(label, { ...common, wait: 400 });
  if (kind === "one") return select(label, { ...common, options: options.map((option) => [option, option]) });
  if (kind === "flag") return toggle(label, common);
  return kind === "whole" ? number(label, { ...common, ...limits }) : real(label, { ...common, ...limits });
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
