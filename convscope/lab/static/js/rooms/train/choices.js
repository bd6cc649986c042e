// The recipe of the next run, as the server offers it.

import { ask } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { oneOf, real, whole } from "../../core/state.js";
import { number, select, text, toggle } from "../../parts/fields.js";

// What the server offers: {name, kind, place, default, options, least, most, below} of each choice.
const offers = await ask("/api/train/choices");

// A default that depends on others is entered as 0.
export const choices = Object.fromEntries(
  offers.map(({ name, kind, default: usual }) => [name, usual ?? (kind === "text" ? "" : 0)]),
);

export const rules = Object.fromEntries(offers.filter(({ kind }) => kind !== "text" && kind !== "flag").map(rule));

function rule(offer) {
  if (offer.kind === "one") return [offer.name, oneOf(offer.options)];
  const { min, max } = limits(offer);
  return [offer.name, (offer.kind === "whole" ? whole : real)(min, max)];
}

// What a number may be; 0 also where it stands for "as usual".
function limits({ default: usual, least, most, below }) {
  return {
    min: usual === null ? 0 : least,
    max: below ? most - most / 10000 : Math.min(most, Number.MAX_SAFE_INTEGER),
  };
}

// What the server takes: null for what is left as usual.
export function recipe(state) {
  return Object.fromEntries(
    offers.map(({ name, default: usual }) => [name, usual === null ? state[name] || null : state[name]]),
  );
}

// Puts the fields into the room; gives {draw}.
export function controls({ controls: first, more, t, set }) {
  const offered = h("datalist", { id: "known-data" });
  const preset = select(t("train.preset"), {
    testid: "preset",
    options: [["", t("train.own")]],
    onchange: (name) => name && set({ net: name }),
  });
  const fields = Object.fromEntries(offers.map((offer) => [offer.name, field(offer, t, set)]));
  fields.data.input.setAttribute("list", "known-data");
  const at = (place) => offers.filter((offer) => offer.place === place && offer.kind !== "text");
  const usual = ["epochs", "batch_size", "lr"]; // what is changed most often stands in the first line
  const elements = (names) => names.map((name) => fields[name].element);
  const others = [...at("first"), ...at("more")].map(({ name }) => name).filter((name) => !usual.includes(name));
  first.append(fields.data.element, preset.element, fields.net.element, ...elements(usual), offered);
  more.append(...elements(others));

  function draw(state, { nets, data, default_epochs: passes }) {
    if (!offered.children.length) {
      offered.append(...data.map((value) => h("option", { value })));
      preset.input.append(...Object.keys(nets).map((value) => h("option", { value }, value)));
    }
    const shown = { net: nets[state.net] ?? state.net, epochs: state.epochs || (passes[state.data] ?? 10) };
    for (const [key, one] of Object.entries(fields)) one.set(shown[key] ?? state[key]);
    preset.set(state.net in nets ? state.net : "");
  }

  return { draw };
}

// The field of one choice; its label is the text of that name.
function field(offer, t, set) {
  const { name, kind, options } = offer;
  const label = t(`train.${name}`);
  const common = { testid: name, onchange: (value) => set({ [name]: value }) };
  if (kind === "text") return text(label, { ...common, wait: 400 });
  if (kind === "one") return select(label, { ...common, options: options.map((option) => [option, option]) });
  if (kind === "flag") return toggle(label, common);
  return number(label, { ...common, ...limits(offer), step: kind === "whole" ? 1 : "any" });
}
