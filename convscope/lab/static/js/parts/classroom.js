// The page for a class: a link that hides what the teacher chose, makes the type large and gives no answers. It stands
// before the #, so it holds for every room and every reload; only the address without it shows everything. boot.js reads
// it before the first paint, and css/04-lesson.css hides.

import { h, rich } from "../core/dom.js";
import { split } from "../core/state.js";

const PARTS = ["rooms", "text", "examples", "settings", "numbers", "program"];
const USUAL = ["rooms", "examples", "settings", "program", "large", "quiet", "lesson"];

const { dataset } = document.documentElement;

export const hides = (part) => (dataset.hide ?? "").split(" ").includes(part);
export const isQuiet = () => dataset.answers === "off";
export const isClass = () => "hide" in dataset || isQuiet();

// Whether a link to a room leads where the reader shall not go now: out of a lesson, or out of the class's room.
export const barred = (link, room) =>
  Boolean(link.closest("[inert]")) || (hides("rooms") && split(link.hash)[0] !== room);

// The address of the class: place is the page's own, hash the room with its state.
export function classLink(chosen, place, hash) {
  const hide = PARTS.filter((part) => chosen.includes(part)).join("+");
  const parts = [`hide=${hide}`, chosen.includes("large") && "type=large", chosen.includes("quiet") && "answers=off"];
  const [room, query] = split(hash);
  const state = query.split("&").filter((part) => part && !part.startsWith("lesson="));
  const step = /(?:^|&)(lesson=\d+)/.exec(query)?.[1] ?? "lesson=1";
  const inside = [...state, ...(chosen.includes("lesson") ? [step] : [])].join("&");
  return `${place}?${parts.filter(Boolean).join("&")}#/${room}${inside && "?"}${inside}`;
}

// A dialog that makes such a link, and the button that opens it; link() is the address of the present state. null where
// this is a class already.
export function classDialog(t, { link, copy }) {
  if (isClass()) return null;
  const boxes = [...PARTS, "large", "quiet", "lesson"].map((key) => {
    const input = h("input", {
      type: "checkbox",
      checked: USUAL.includes(key),
      "data-testid": `class-${key}`,
      onchange: write,
    });
    return { key, input, element: h("label", { class: "toggle" }, input, h("span", {}, t(`lesson.class_${key}`))) };
  });
  const address = h("input", {
    class: "code",
    readonly: true,
    "data-testid": "class-link",
    "aria-label": t("lesson.class_link"),
    onfocus: (event) => event.target.select(),
  });
  const open = h("a", { target: "_blank", "data-testid": "class-open" }, t("lesson.class_open"));
  const group = (legend, keys) =>
    h(
      "fieldset",
      {},
      h("legend", {}, legend),
      boxes.filter(({ key }) => keys(key)).map(({ element }) => element),
    );
  const dialog = h(
    "dialog",
    { class: "class", "aria-labelledby": "class-title", "data-testid": "class" },
    h("h2", { id: "class-title" }, t("lesson.class_title")),
    h("p", { class: "hint" }, rich(t("lesson.class_hint"))),
    group(t("lesson.class_hide"), (key) => PARTS.includes(key)),
    group(t("lesson.class_how"), (key) => !PARTS.includes(key)),
    address,
    h(
      "p",
      { class: "line" },
      h("button", { "data-testid": "class-copy", onclick: () => copy(address.value) }, t("lesson.class_copy")),
      open,
      h("button", { class: "quiet", "data-testid": "class-close", onclick: () => dialog.close() }, t("lesson.close")),
    ),
  );

  function write() {
    const chosen = boxes.filter(({ input }) => input.checked).map(({ key }) => key);
    const [place, hash] = link().split("#");
    address.value = classLink(chosen, place, `#${hash}`);
    open.href = address.value;
  }

  function show() {
    write();
    dialog.showModal();
  }

  const entry = h("button", { "data-testid": "for-class", onclick: show }, t("lesson.class"));
  return { element: dialog, open: show, entry };
}
