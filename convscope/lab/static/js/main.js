// The frame: which room, which language, and the address bar that holds the room's whole state.

import { ApiError } from "./core/api.js";
import { lose, onConnection } from "./core/connection.js";
import { complete, h, say, show } from "./core/dom.js";
import { choose, language, load, translator } from "./core/i18n.js";
import { decode, encode, split } from "./core/state.js";
import { ROOMS } from "./rooms.js";
import { barred, classDialog } from "./parts/classroom.js";
import { flush } from "./parts/fields.js";
import { copy, frame } from "./parts/frame.js";
import { files, lesson } from "./parts/lesson.js";
import { terms } from "./parts/terms.js";
import { bar } from "./parts/top.js";

const main = document.getElementById("room");
const remembered = new Map(); // room → the query of its state when it was left
const heights = new Map(); // address → how far the page was scrolled when it was left
let current = null; // {id, defaults, state, view, lesson, parts, t, complaints: how often something was wrong}
let writing;
let known = ""; // the hash that was entered or written last: another one is the reader's, and not yet entered
let turn = 0; // counts enter() and update(): what comes late is dropped
let entering = null; // the last enter() that waits for its files: what happens in the room before does not end it
let clicked = null; // where the link leads that was clicked last; any other way is the browser's Back
let missing = false; // whether a room's files could not be had

// stays: the room is the same, with what was set meanwhile, in another language.
async function enter(stays = false) {
  const mine = (entering = {});
  turn += 1;
  known = location.hash;
  const back = known !== clicked;
  clicked = null;
  leave();
  const [room, query] = chosen();
  const lang = language();
  const asked = Number(new URLSearchParams(query).get("lesson")); // the number of a step
  choose(lang);
  main.dataset.state = "busy";
  let module;
  try {
    [module] = await Promise.all([room.load(), texts(room, lang), asked > 0 && files(room, lang)]);
  } catch {
    missing = true;
    return lose();
  }
  if (mine !== entering) return;
  entering = null;
  current?.lesson.leave();
  current?.view.leave?.();
  mount(module, room, stays ? encode(current.state, current.defaults) : query, lang);
  const self = current;
  await (asked > 0 ? self.lesson.open(asked) : update());
  if (self === current && !(asked > 0)) scrollTo(0, (back && heights.get(address(self))) || 0);
  requestIdleCallback?.(() =>
    [...ROOMS.map((one) => one.load()), files(room, lang)].forEach((one) => one.catch(() => {})),
  ); // other rooms open at once
}

const texts = ({ id, texts: more = [] }, lang) => load(lang, "common", "terms", "lesson", id, ...more);

function chosen() {
  const [id, query] = split(location.hash);
  const room = ROOMS.find((one) => one.id === id) ?? ROOMS[0];
  const kept = room.id === current?.id ? "" : remembered.get(room.id);
  return [room, query || (kept ?? "")];
}

// What is on the screen is kept for when the reader comes back.
function leave() {
  if (!current) return;
  flush();
  clearTimeout(writing);
  remembered.set(current.id, encode(current.lesson.own() ?? current.state, current.defaults));
  heights.set(address(current), scrollY);
}

function mount(module, room, query, lang) {
  const t = translator(lang);
  main.classList.toggle("beside", Boolean(module.beside));
  main.classList.remove("stale");
  const onlanguage = (other) => {
    write();
    choose(other);
    enter(true);
  };
  bar(t, lang, room, { onlanguage, onskip: () => main.focus() });
  document.title = `${t(`common.${room.id}`)} · convscope lab`;
  const parts = frame(main, t, room, link);
  const state = decode(query, module.defaults, module.rules);
  const own = current?.id === room.id ? current.lesson.own() : null; // a lesson may be open in another language
  const self = { id: room.id, defaults: module.defaults, state, parts, t, view: {}, complaints: 0 };
  current = self;
  const set = (patch) => {
    if (current !== self) return;
    Object.assign(self.state, patch);
    clearTimeout(writing);
    writing = setTimeout(write, 120); // browsers throttle pages that write the address at every key
    return update();
  };
  const fail = (error) => complain(error, self);
  const dialog = classDialog(t, { link, copy: (text) => copy(text, t) });
  const inRoom = { ...parts, t, lang, set, state: () => self.state, defaults: module.defaults, own, fail };
  self.lesson = lesson(room, inRoom, dialog);
  self.view = module.mount({ ...parts, t, say, lang, set, state: () => self.state, fail });
  terms(t, main);
  if (split(location.hash)[0] === room.id) write();
}

async function update() {
  const self = current;
  const mine = ++turn;
  const { complaints } = self;
  main.dataset.state = "busy";
  try {
    await self.view.update(self.state);
    if (self === current && mine === turn) {
      if (self.complaints === complaints) show(self.parts.problem); // what was said meanwhile stays
      main.classList.remove("stale");
    }
  } catch (error) {
    if (self === current) main.classList.add("stale"); // what is below is not what was asked for
    complain(error, self);
  }
  if (mine === turn && !entering) {
    main.dataset.state = "ready";
    performance.mark("ready");
  }
}

// What the user asked for cannot be had: the words of the command line. Anything else is our mistake, or an address that
// no room has made; either way it is said.
function complain(error, self) {
  if (self !== current) return;
  self.complaints += 1;
  if (error instanceof ApiError && !error.status) return; // the bar says that nobody answers
  const ours = !(error instanceof ApiError);
  if (ours) console.error(error);
  const [message, ...place] = error.message.split("\n"); // and where in the text that is, below it
  const words = ours ? { text: self.t("common.broken") } : self.t.said(message);
  const text = [complete(words.text), ...(ours ? [] : place)].join("\n");
  const help = !ours && error.help && self.t.said(error.help);
  const again = h("a", { href: `#/${self.id}`, onclick: () => afresh(self) }, self.t("common.afresh"));
  show(
    self.parts.problem,
    h("pre", { lang: words.lang }, text),
    help && h("p", { lang: help.lang }, complete(help.text)),
    ours && h("p", {}, again),
  );
  say(words.text);
}

// The room as it is at first.
function afresh(self) {
  Object.assign(self.state, structuredClone(self.defaults));
  write();
  enter();
}

function write() {
  if (location.hash !== known) return; // the reader has gone elsewhere: that is entered in a moment
  if (!current || (split(known)[0] || ROOMS[0].id) !== current.id) return;
  history.replaceState(null, "", address(current));
  known = location.hash;
}

function address({ id, state, defaults, lesson: open }) {
  const step = open?.at() ? `lesson=${open.at()}` : "";
  const query = [encode(state, defaults), step].filter(Boolean).join("&");
  return `#/${id}${query ? `?${query}` : ""}`;
}

function link() {
  flush();
  return location.href.split("#")[0] + address(current);
}

history.scrollRestoration = "manual";
addEventListener("click", (event) => {
  const to = event.target.closest?.("a[href^='#']");
  if (to && barred(to, current?.id)) event.preventDefault();
  clicked = to?.hash ?? null;
});
addEventListener("hashchange", () => {
  if (!current || location.hash !== address(current)) enter();
  else known = location.hash;
});
// What could not be asked is asked again as soon as the lab answers.
onConnection((state) => {
  main.classList.toggle("stale", state !== "answering");
  if (state !== "answering") return;
  if (missing) return location.reload(); // browsers do not ask twice for a module
  if (!current) return;
  current.view.reconnect?.();
  update();
});
enter();
