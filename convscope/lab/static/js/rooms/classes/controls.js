// The settings of room 9: which set, which net it is to be trained with, which run answers.

import { h } from "../../core/dom.js";
import { select, toggle } from "../../parts/fields.js";
import { begin } from "./store.js";

export function controls({ controls: first, t, set, fail }) {
  const sets = select(t("classes.set"), {
    testid: "set",
    options: [],
    onchange: (name) => set({ set: name, run: "" }),
  });
  const fresh = h("button", { class: "quiet", "data-testid": "new-set", onclick: () => renew().catch(fail) });
  const run = select(t("classes.net"), { testid: "run", options: [], onchange: (name) => set({ run: name }) });
  const pretrained = toggle(t("classes.pretrained"), {
    testid: "pretrained",
    onchange: (on) => set({ pretrained: on }),
  });
  const note = h("p", { class: "hint" });
  fresh.textContent = t("classes.new_set");
  first.append(sets.element, fresh, run.element, pretrained.element, note);
  let known = null;

  async function renew() {
    const name = await begin();
    known.sets.push(name);
    await set({ set: name, run: "" });
  }

  function draw(now, found, path) {
    known = found;
    fill(sets, [...new Set([...known.sets, now.set])]);
    const own = known.runs.filter(({ data, model }) => model && data === path).map(({ name }) => name);
    fill(run, [...new Set(["", ...own, now.run])], (name) => name || t("classes.no_net"));
    sets.set(now.set);
    run.set(now.run);
    pretrained.set(now.pretrained && known.installed);
    pretrained.element.querySelector("input").disabled = !known.installed;
    note.hidden = known.installed;
    note.textContent = t("classes.not_installed");
  }

  return { draw };
}

function fill({ input }, values, words = (value) => value) {
  const shown = [...input.options].map(({ value }) => value);
  if (JSON.stringify(shown) === JSON.stringify(values)) return;
  input.replaceChildren(...values.map((value) => new Option(words(value), value)));
}
