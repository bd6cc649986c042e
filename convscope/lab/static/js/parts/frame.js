// What every room has: number, title, a short text, controls, a figure, a ledger, "copy as PyTorch" and a permalink.
// The figure comes early: the text is a sentence after the first visit, and what few need of the settings is folded away.

import { h, rich, say, show } from "../core/dom.js";
import { ROOMS } from "../rooms.js";
import { take } from "./take.js";

export function frame(main, t, room, link) {
  const { settings, controls, more, examples } = settingsOf(t, room);
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
  let page = () => null; // the room as a file that lives without the lab, where there is one
  const parts = { figure, ledger, code: () => code.textContent, page: () => page() };
  const head = title(t, room);
  main.dataset.room = room.id;
  show(
    main,
    head,
    examples,
    settings,
    problem,
    figure,
    ledger,
    h(
      "footer",
      { class: "tools" },
      script,
      button(t("common.permalink"), () => copy(link(), t), "permalink"),
      take(t, room, parts, link),
      onward(t, room),
    ),
  );
  const onpage = (make) => (page = make);
  const tools = main.lastElementChild;
  return {
    onpage,
    main,
    head,
    tools,
    controls,
    more,
    examples,
    problem,
    figure,
    ledger,
    script: (text) => (code.textContent = text),
  };
}

// The settings in one line, `more` folded away below it, examples above. On a phone all of it is a sheet at the foot.
function settingsOf(t, { id }) {
  const key = `convscope.more.${id}`;
  const examples = h("div", { class: "tries" });
  const controls = h("div", { class: "controls" });
  const more = h("div", { class: "controls rest", id: "rest" });
  const fold = h("button", { class: "quiet fold", "aria-controls": "rest", "data-testid": "more" });
  fold.addEventListener("click", () => open(more.hidden));
  const open = (on) => {
    more.hidden = !on;
    fold.setAttribute("aria-expanded", String(on));
    fold.textContent = t(on ? "common.fewer_settings" : "common.more_settings");
    if (on) localStorage.setItem(key, "1");
    else localStorage.removeItem(key);
  };
  open(localStorage.getItem(key) !== null);
  const settings = h("section", { class: "settings", "aria-label": t("common.controls") });
  const handle = h(
    "button",
    { class: "handle", "aria-expanded": "false", "data-testid": "sheet" },
    t("common.controls"),
  );
  handle.addEventListener("click", () => {
    handle.setAttribute("aria-expanded", String(settings.classList.toggle("open")));
  });
  settings.append(handle, h("div", { class: "first" }, controls, fold), more);
  return { settings, controls, more, examples };
}

// Where the reader goes from here.
function onward(t, { number }) {
  const next = ROOMS[number + 1] ?? ROOMS[0];
  const words = next.number ? `${next.number} ${t(`common.${next.id}`)}` : t(`common.${next.id}`);
  return h(
    "a",
    { class: "onward", href: `#/${next.id}`, "data-testid": "next-room" },
    t("common.next_room", { name: words }),
    " →",
  );
}

function title(t, room) {
  const { id, number } = room;
  const intro = t(`${room.id}.intro`);
  const prose = h(
    "div",
    { class: "prose", id: "prose" },
    intro.map((text) => h("p", {}, rich(text))),
  );
  const lead = h("p", { class: "lead" }, rich(firstSentence(intro[0])));
  const fold = h("button", {
    class: "quiet",
    "aria-controls": "prose",
    "data-testid": "prose",
    onclick: () => open(prose.hidden),
  });
  const open = (on) => {
    prose.hidden = !on;
    lead.hidden = on;
    fold.setAttribute("aria-expanded", String(on));
    fold.textContent = t(on ? "common.less" : "common.more");
  };
  open(!localStorage.getItem(`convscope.seen.${id}`));
  localStorage.setItem(`convscope.seen.${id}`, "1");
  const chapter = number ? h("p", { class: "chapter", "aria-hidden": "true" }, String(number)) : null;
  return h("header", { class: "title" }, chapter, h("h1", {}, t(`common.${id}`)), lead, fold, prose);
}

export function firstSentence(text) {
  return /^.*?(?:[.!?](?= )|[。！？]|$)/s.exec(text)[0];
}

function button(text, action, testid) {
  return h("button", { onclick: action, "data-testid": testid }, text);
}

// The clipboard is only there on secure origins (127.0.0.1 is one); elsewhere the old command serves.
export async function copy(text, t) {
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
