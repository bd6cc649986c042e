// Test images of the run: by number, or one of each class.

import { ask } from "../../core/api.js";
import { h, sentence, show } from "../../core/dom.js";
import { number } from "../../parts/fields.js";

export function source(run, index) {
  return `/api/runs/${encodeURIComponent(run)}/images/${index}.png`;
}

export function picker(t, { onpick }) {
  const field = number(t("inside.test"), {
    min: 0,
    testid: "test",
    onchange: (value) => value < count && onpick(value),
  });
  const step = (by, sign, key) =>
    h(
      "button",
      {
        "aria-label": t(`inside.${key}`),
        title: t(`inside.${key}`),
        "data-testid": key,
        onclick: () => onpick(((at < 0 ? 0 : at) + by + count) % count),
      },
      sign,
    );
  const thumbs = h("div", { class: "thumbs", role: "group", "aria-label": t("inside.one_each") });
  const note = h("p", { class: "hint" });
  const element = h(
    "div",
    { class: "picker" },
    h("div", { class: "line" }, field.element, step(-1, "←", "previous"), step(1, "→", "following")),
    thumbs,
    note,
  );
  let loaded = "";
  let count = 0;
  let at = -1;

  async function draw(run, test) {
    at = test;
    if (run !== loaded) await load(run);
    field.set(test < 0 ? "" : test);
    for (const button of thumbs.children)
      button.setAttribute("aria-pressed", String(Number(button.dataset.index) === test));
  }

  // A run whose data are gone can still be drawn for.
  async function load(run) {
    loaded = run;
    try {
      const { classes, labels } = await ask(`/api/runs/${encodeURIComponent(run)}/images`);
      count = labels.length;
      const firsts = classes
        .slice(0, 12)
        .map((name, c) => [name, labels.indexOf(c)])
        .filter(([, i]) => i >= 0);
      show(
        thumbs,
        firsts.map(([name, i]) =>
          h(
            "button",
            {
              class: "thumb",
              "data-index": i,
              "data-testid": `thumb-${i}`,
              "aria-label": name,
              title: name,
              onclick: () => onpick(i),
            },
            h("img", { src: source(run, i), alt: "", width: 36, height: 36 }),
          ),
        ),
      );
      show(note);
      element.classList.remove("without");
    } catch (error) {
      if (!error.help && !error.status) throw error;
      count = 0;
      element.classList.add("without");
      show(thumbs);
      show(note, sentence("span", {}, t.said(error.message)));
    }
  }

  return { element, draw };
}
