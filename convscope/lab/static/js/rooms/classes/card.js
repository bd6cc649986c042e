// One class: its name, the button that is held to shoot, its pictures.

import { complete, h, show } from "../../core/dom.js";
import { intake } from "./intake.js";
import { shutter } from "./shutter.js";
import { inTurn } from "./store.js";
import { thumbs } from "./thumbs.js";

// kept: see store.js; video(): the camera's, a promise of null where it has yet to open; onchange(set | null): what the
// server says of the set, null where it must be asked; ongone(): it is no more. name: of a class that is there,
// or (there: false) will be with its first picture.
export function card(t, { index, name, there, kept, video, onchange, ongone }) {
  let own = { name, pictures: [], others: 0 };
  const turn = inTurn();
  const note = h("p", { class: "hint", role: "status", "data-testid": `note-${index}` });
  const count = h("span", { class: "count", "data-testid": `count-${index}` });
  const input = h("input", {
    value: name,
    maxlength: 60,
    autocomplete: "off",
    "aria-label": t("classes.name"),
    "data-testid": `name-${index}`,
    onchange: () => turn(() => rename(input.value)).catch(refused),
    onkeydown: (event) => event.key === "Enter" && input.blur(),
  });
  const taken = intake(t, {
    add: (blob) => turn(() => add(blob)),
    video,
    tell: (words) => tell(words),
    refused: (error) => refused(error),
  });
  const hold = shutter(t("classes.hold"), { testid: `shoot-${index}`, onshot: taken.shot });
  const shown = thumbs(t, { testid: `shots-${index}`, onremove: (file) => change(kept.removePicture(own.name, file)) });
  const gone = h("button", { class: "quiet", "data-testid": `gone-${index}`, onclick: remove, onblur: disarm }, "×");
  const head = h("header", {}, input, count, gone);
  const choosers = [chooser("files", { accept: "image/*" }), chooser("folder", { webkitdirectory: true })];
  const element = h(
    "section",
    { class: "card", "data-testid": `class-${index}`, ondragover, ondragleave, ondrop },
    head,
    h("div", { class: "line" }, hold.element, choosers),
    note,
    shown.element,
  );

  function draw(next) {
    own = next;
    there ||= next.there !== false;
    if (document.activeElement !== input) input.value = own.name;
    element.setAttribute("aria-label", own.name);
    const n = own.pictures.length;
    count.textContent = n === 1 ? t("classes.count_one") : t("classes.count", { n });
    count.dataset.value = n;
    shown.draw(own.name, own.pictures, (file) => kept.address(own.name, file));
    if (own.others) tell(t("classes.others", { n: own.others }));
    gone.setAttribute("aria-label", t("classes.remove_class", { name: own.name }));
    if (Number(gone.dataset.armed) !== n) disarm(); // it was asked about another number
  }

  async function ensure() {
    if (there) return;
    const set = await kept.addClass(own.name);
    there = true;
    onchange(set);
  }

  async function add(blob) {
    await ensure();
    const file = await kept.add(own.name, blob);
    if (own.pictures.includes(file)) return;
    draw({ ...own, pictures: [...own.pictures, file] });
    onchange(null);
  }

  function chooser(key, more) {
    const file = h("input", {
      type: "file",
      multiple: true,
      class: "unseen",
      tabindex: "-1",
      "aria-label": t(`classes.${key}`),
      "data-testid": `${key}-${index}`,
      ...more,
      onchange: () => taken.files({ files: file.files }).finally(() => (file.value = "")),
    });
    return h("span", {}, h("button", { onclick: () => file.click() }, t(`classes.${key}`)), file);
  }

  async function rename(to) {
    if (to.trim() === own.name) return;

    const set = there ? await kept.rename(own.name, to) : await kept.addClass(to);
    there = true;
    const after = set.classes.find((one) => one.name === to.trim().replace(/\s+/g, " ").normalize("NFC"))?.name ?? to;
    own = { ...own, name: after };
    tell("");
    onchange(set);
  }

  // Twice, where pictures go with it.
  async function remove() {
    if (own.pictures.length && !gone.dataset.armed) {
      gone.dataset.armed = own.pictures.length;
      gone.textContent = t("classes.really", { n: own.pictures.length });
      return;
    }
    if (there) await change(kept.removeClass(own.name), ongone);
    else ongone();
  }

  function disarm() {
    delete gone.dataset.armed;
    gone.textContent = "×";
  }

  async function change(answer, then = () => {}) {
    try {
      const set = await answer;
      then();
      onchange(set);
    } catch (error) {
      refused(error);
    }
  }

  function refused(error) {
    hold.end();
    if (error.help === undefined) throw error;
    const words = [error.message, error.help].filter(Boolean).map((text) => complete(t.said(text).text));
    tell(words.join(" "), true);
  }

  function tell(words, wrong = false) {
    show(note, words);
    note.classList.toggle("warning", wrong);
  }

  function ondragover(event) {
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("over");
  }

  function ondragleave() {
    element.classList.remove("over");
  }

  function ondrop(event) {
    event.preventDefault();
    event.stopPropagation();
    ondragleave();
    document.body.classList.remove("over");
    taken.files(event.dataTransfer);
  }

  draw({ ...own, there });
  return { element, draw, state: () => own, isThere: () => there, end: hold.end };
}
