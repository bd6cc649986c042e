// The folders of this machine, one list at a time, until one is chosen as data.

import { ask } from "../../../core/api.js";
import { h, sentence, show } from "../../../core/dom.js";
import { count } from "../../../core/format.js";
import { stepTo } from "../../../core/roving.js";

// onchosen(card): a folder is chosen, and these are its images. fail(error).
export function chooser(t, { onchosen, fail }) {
  const where = h("p", { class: "code path", "data-testid": "folder-path" });
  const up = h("button", { "data-testid": "folder-up", onclick: () => go(now.above) }, `↑ ${t("data.up")}`);
  const list = h("ul", { class: "folders", "data-testid": "folders", onkeydown: walk });
  const note = h("p", { class: "hint", role: "status", "data-testid": "folder-note" });
  const use = h("button", { class: "primary", "data-testid": "use-folder", onclick: take }, t("data.use"));
  const close = h("button", { class: "quiet", "data-testid": "close-folders", onclick: () => element.close() });
  close.append(t("lesson.close"));
  const element = h(
    "dialog",
    { class: "class chooser", "aria-labelledby": "chooser-title", "data-testid": "chooser" },
    h("h2", { id: "chooser-title" }, t("data.choose_title")),
    h("p", { class: "hint" }, t("data.choose_help")),
    h("div", { class: "line" }, up, where),
    list,
    note,
    h("p", { class: "line" }, use, close),
  );
  let now = { path: "", above: null, folders: [] };

  function open() {
    element.showModal();
    go(now.path).catch(fail);
  }

  // Show the folders in `path`; "" are those where one may begin.
  async function go(path) {
    try {
      draw(await ask(`/api/data/folders?at=${encodeURIComponent(path)}`), now.path);
    } catch (error) {
      refused(error);
    }
  }

  function draw(found, before) {
    now = found;
    where.textContent = found.path || t("data.places");
    up.disabled = found.above === null;
    use.disabled = !found.path;
    show(list, found.folders.map(entry));
    const more = found.more && t("data.more_folders", { n: count(found.more) });
    const images = found.path && t("data.here", { folders: count(found.folders.length), images: count(found.images) });
    show(note, [images, more].filter(Boolean).join(" "));
    note.classList.remove("warning");
    const buttons = [...list.querySelectorAll("button")];
    (buttons.find((one) => one.dataset.path === before) ?? buttons[0] ?? (up.disabled ? close : up)).focus();
  }

  function entry({ name, path, root }) {
    const words = root && h("span", { class: "hint" }, t(`data.${root}`));
    const button = h("button", { class: "folder", "data-testid": `folder-${name}`, onclick: () => go(path) });
    button.dataset.path = path;
    button.append(h("span", { "aria-hidden": "true" }, "▸"), h("span", {}, name), words || "");
    return h("li", {}, button);
  }

  // Arrows lead from folder to folder, Backspace to the one around them.
  function walk(event) {
    if (event.key === "Backspace" && now.above !== null) go(now.above);
    const buttons = [...list.querySelectorAll("button")];
    const next = stepTo(event.key, buttons.indexOf(document.activeElement), 0, buttons.length, 1);
    if (!next) return;
    event.preventDefault();
    buttons[next[0]].focus();
  }

  async function take() {
    use.disabled = true;
    try {
      const card = await ask("/api/data/choose", { folder: now.path });
      if (card.problem) told(card.problem, card.help);
      else {
        element.close();
        onchosen(card);
      }
    } catch (error) {
      refused(error);
    }
    use.disabled = false;
  }

  function refused(error) {
    if (!error.status) return fail(error);
    return told(error.message, error.help);
  }

  // The list stays as it is; what is wrong is said below it.
  function told(...sentences) {
    note.classList.add("warning");
    show(
      note,
      sentences.filter(Boolean).map((text) => sentence("span", {}, t.said(text))),
    );
  }

  return { element, open };
}
