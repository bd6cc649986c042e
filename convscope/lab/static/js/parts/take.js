// Take it along: the figure as SVG or PNG, the room as one file.

import { h, say } from "../core/dom.js";
import { vector } from "./vector.js";

const FINE = 2; // pixels of a PNG for one of the page

// parts: {figure, ledger, code(): the program, page(): null, or a file that lives without the lab}; link(): the address of
// the present state. The file of a room is that page, or the room as it stands.
export function take(t, room, parts, link) {
  const name = () => `convscope-${room.id}`;
  const button = (key, action) =>
    h(
      "button",
      { class: "quiet", "data-testid": `take-${key}`, onclick: () => action().catch(failed) },
      key.toUpperCase(),
    );
  const failed = () => say(t("common.take_failed"));
  const kinds = {
    svg: () => save(svgOf(parts.figure), `${name()}.svg`),
    png: () => png(parts.figure, `${name()}.png`),
    html: async () => save((await parts.page()) ?? page(t, room, parts, link()), `${name()}.html`),
  };
  return h(
    "p",
    { class: "take" },
    h("span", {}, t("common.take")),
    Object.entries(kinds).map(([key, action]) => button(key, action)),
  );
}

function svgOf(element) {
  return new Blob([new XMLSerializer().serializeToString(vector(element))], { type: "image/svg+xml" });
}

export async function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function png(element, name) {
  const canvas = await painted(element, FINE);
  const blob = await new Promise((resume) => canvas.toBlob(resume, "image/png"));
  await save(blob, name);
}

// An element as a canvas, `fine` pixels for each of the page.
export async function painted(element, fine = 1) {
  const drawing = vector(element);
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = ["width", "height"].map((side) => fine * drawing.getAttribute(side));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// The room as it stands: text, settings, figure, numbers and program, in one file that loads nothing.
function page(t, room, { figure, ledger, code }, address) {
  const style =
    "body{font:16px/1.5 sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem}svg{max-width:100%;height:auto}pre{overflow:auto;background:#f1efe9;padding:1rem}td,th{padding:2px 8px;text-align:start}code{font-family:monospace}";
  const prose = t(`${room.id}.intro`).map((text) => h("p", {}, text.replaceAll("`", "")));
  const body = h(
    "body",
    {},
    h("h1", {}, t(`common.${room.id}`)),
    prose,
    vector(figure),
    ledger.childElementCount > 0 && [h("h2", {}, t("common.ledger")), vector(ledger)],
    code() && [h("h2", {}, t("common.pytorch")), h("pre", {}, code())],
    h("p", {}, t("common.live"), " ", h("a", { href: address }, address)),
  );
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  const head = `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>${t(`common.${room.id}`)}</title><style>${style}</style>`;
  const lang = document.documentElement.lang;
  const text = `<!doctype html><html lang="${lang}"><head>${head}</head>${body.outerHTML}</html>`;
  return new Blob([text], { type: "text/html" });
}
