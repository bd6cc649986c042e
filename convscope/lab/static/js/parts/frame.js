// What every room has: number, title, a short text, controls, a figure, a ledger, "copy as PyTorch" and a permalink.

import { h, rich, say, show } from "../core/dom.js";

export function frame(main, t, room, link) {
  const controls = h("section", { class: "controls", "aria-label": t("common.controls") });
  const problem = h("div", { class: "problem", role: "alert", "data-testid": "problem" });
  const figure = h("section", { class: "figure", "aria-label": t("common.figure") });
  const ledger = h("section", { class: "ledger-panel", "aria-label": t("common.ledger") });
  const code = h("pre", { class: "script", tabindex: "0", lang: "en", "data-testid": "script" });
  const script = h(
    "details",
    { class: "copy" },
    h("summary", { "data-testid": "show-script" }, t("common.pytorch")),
    h("p", { class: "hint" }, rich(t("common.pytorch_hint"))),
    button(t("common.copy"), () => copy(code.textContent, t), "copy-script"),
    code,
  );
  main.dataset.room = room.id;
  show(
    main,
    h(
      "header",
      { class: "title" },
      h("p", { class: "chapter", "aria-hidden": "true" }, String(room.number)),
      h("h1", {}, t(`common.${room.id}`)),
      h(
        "div",
        { class: "prose" },
        t(`${room.id}.intro`).map((text) => h("p", {}, rich(text))),
      ),
    ),
    controls,
    problem,
    figure,
    ledger,
    h(
      "footer",
      { class: "tools" },
      script,
      button(t("common.permalink"), () => copy(link(), t), "permalink"),
    ),
  );
  return { main, controls, problem, figure, ledger, script: (text) => (code.textContent = text) };
}

function button(text, action, testid) {
  return h("button", { onclick: action, "data-testid": testid }, text);
}

// The clipboard is only there on secure origins (127.0.0.1 is one); elsewhere the old command serves.
async function copy(text, t) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else {
    const area = h("textarea", { value: text, class: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(t("common.copied"));
}

function toast(text) {
  const note = h("div", { class: "toast" }, text);
  document.body.append(note);
  say(text);
  setTimeout(() => note.remove(), 1600);
}
