// The bar above every room: the rooms, the language, the theme; and below it, whether the lab answers.

import { connection, onConnection } from "../core/connection.js";
import { h, say, show } from "../core/dom.js";
import { LANGUAGES } from "../core/i18n.js";
import { toggle } from "../core/theme.js";
import { ROOMS } from "../rooms.js";
import { hides } from "./classroom.js";
import { isLarge, project } from "./keys.js";

const top = document.getElementById("top");
const alert = document.getElementById("connection");
let words = () => "";

// onlanguage(code): the user wants the other language. onskip(): to the room's content.
export function bar(t, lang, room, { onlanguage, onskip }) {
  words = () => (connection() === "answering" ? "" : t(`common.${connection()}`));
  tell();
  const skip = (event) => {
    event.preventDefault();
    onskip();
  };
  const link = ({ id, number }) => {
    const current = id === room.id ? "page" : null;
    const props = { href: `#/${id}`, "aria-current": current, "data-testid": `room-${id}`, "data-number": number };
    return h(
      "li",
      {},
      h("a", props, h("span", { class: "number", "aria-hidden": "true" }, `${number}`), t(`common.${id}`)),
    );
  };
  const other = lang === "en" ? "zh" : "en";
  const quiet = (key, props, text) =>
    h("button", { class: "quiet", "data-key": key, "data-testid": key, ...props }, text);
  const [name, large] = [t("common.theme"), t("common.projector")];
  show(
    top,
    h("a", { class: "skip", href: `#/${room.id}`, onclick: skip }, t("common.skip")),
    h(
      "a",
      { class: "brand", href: hides("rooms") ? null : `#/${ROOMS[0].id}` },
      "convscope",
      h("span", {}, t("common.lab")),
    ),
    h("nav", { "aria-label": t("common.rooms"), onfocusin: reached }, h("ol", {}, ROOMS.map(link))),
    h(
      "div",
      { class: "switches" },
      quiet("lang", { lang: other === "zh" ? "zh-CN" : "en", onclick: () => onlanguage(other) }, LANGUAGES[other]),
      quiet(
        "projector",
        { "aria-label": large, title: large, "aria-pressed": String(isLarge()), onclick: () => project() },
        "Aa",
      ),
      quiet("theme", { "aria-label": name, title: name, onclick: toggle }, "◐"),
    ),
  );
  centre(top.querySelector("[aria-current]"));
}

// By the keys: browsers leave a link where it is when a part of it is in sight. Under a mouse nothing may move.
function reached({ target }) {
  if (target.matches(":focus-visible")) centre(target);
}

const centre = (link) => link.scrollIntoView({ block: "nearest", inline: "center" });

function tell() {
  const text = words();
  show(alert, text && h("p", { "data-testid": "connection" }, text));
  if (text) say(text);
}

onConnection(tell);
