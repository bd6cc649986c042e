// The frame: which room, which language, and the address bar that holds the room's whole state.

import { ApiError } from "./core/api.js";
import { h, say, show } from "./core/dom.js";
import { LANGUAGES, choose, language, load, translator } from "./core/i18n.js";
import { decode, encode, split } from "./core/state.js";
import { isDark, toggle } from "./core/theme.js";
import { ROOMS } from "./rooms.js";
import { frame } from "./parts/frame.js";

const top = document.getElementById("top");
const main = document.getElementById("room");
let current = null; // {id, defaults, state, view, parts, t}
let writing;
let turn = 0; // counts enter() and update(): what comes late is dropped

function chosen() {
  const [id, query] = split(location.hash);
  return [ROOMS.find((room) => room.id === id) ?? ROOMS[0], query];
}

async function enter() {
  const mine = ++turn;
  const [room, query] = chosen();
  const lang = language();
  choose(lang);
  main.dataset.state = "busy";
  const [module] = await Promise.all([room.load(), load(lang, "common", room.id)]);
  if (mine !== turn) return;
  current?.view.leave?.();
  const t = translator(lang);
  main.classList.toggle("beside", Boolean(module.beside));
  drawTop(t, lang, room);
  document.title = `${t(`common.${room.id}`)} · convscope lab`;
  const parts = frame(main, t, room, link);
  const self = { id: room.id, defaults: module.defaults, state: decode(query, module.defaults), parts, t, view: {} };
  current = self;
  const set = (patch) => {
    if (current !== self) return;
    Object.assign(self.state, patch);
    clearTimeout(writing);
    writing = setTimeout(write, 120); // browsers throttle pages that write the address at every key
    return update();
  };
  self.view = module.mount({ ...parts, t, say, lang, set, state: () => self.state, fail: (error) => complain(error, self), found: () => self === current && show(parts.problem) });
  await update();
}

async function update() {
  const self = current;
  const mine = ++turn;
  main.dataset.state = "busy";
  try {
    await self.view.update(self.state);
    if (self === current && mine === turn) show(self.parts.problem);
  } catch (error) {
    complain(error, self);
  }
  if (mine === turn) {
    main.dataset.state = "ready";
    performance.mark("ready");
  }
}

// What the user asked for cannot be had: the same words as on the command line. Anything else is our mistake.
function complain(error, self) {
  if (!(error instanceof ApiError)) throw error;
  if (self !== current) return;
  const words = error.status ? error.message : self.t("common.no_answer");
  show(self.parts.problem, h("pre", {}, words), error.help && h("p", {}, error.help));
  say(words);
}

function write() {
  if (current && split(location.hash)[0] === current.id) history.replaceState(null, "", address(current));
}

function address({ id, state, defaults }) {
  const query = encode(state, defaults);
  return `#/${id}${query ? `?${query}` : ""}`;
}

function link() {
  return location.href.split("#")[0].split("?")[0] + address(current);
}

function drawTop(t, lang, room) {
  const rooms = ROOMS.map(({ id, number }) =>
    h("li", {},
      h("a", { href: `#/${id}`, "aria-current": id === room.id ? "page" : null, "data-testid": `room-${id}` },
        h("span", { class: "number", "aria-hidden": "true" }, String(number)), t(`common.${id}`))),
  );
  const other = lang === "en" ? "zh" : "en";
  show(top,
    h("a", { class: "skip", href: `#/${room.id}`, onclick: (event) => (event.preventDefault(), main.focus()) }, t("common.skip")),
    h("a", { class: "brand", href: `#/${ROOMS[0].id}` }, "convscope", h("span", {}, t("common.lab"))),
    h("nav", { "aria-label": t("common.rooms") }, h("ol", {}, rooms)),
    h("div", { class: "switches" },
      h("button", { class: "quiet", "data-key": "lang", "data-testid": "lang", lang: other === "zh" ? "zh-CN" : "en", onclick: () => (write(), choose(other), enter()) }, LANGUAGES[other]),
      h("button", { class: "quiet", "data-key": "theme", "data-testid": "theme", "aria-label": t("common.theme"), title: t("common.theme"),
        onclick: toggle }, "◐")),
  );
  top.querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
}

addEventListener("hashchange", () => {
  if (!current || location.hash !== address(current)) enter();
});
enter();
