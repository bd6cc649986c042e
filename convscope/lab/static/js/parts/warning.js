// What speaks against a run: what is wrong, why that is likely so, and what to try, in the words of the page's fields.

import { complete, h } from "../core/dom.js";

const FIELDS = { "--lr": "lr", "--epochs": "epochs", "--optimizer": "optimizer", "--weight-decay": "weight_decay" };

// The server's sentence "what: why; try" as an element; null where there is none.
export function warning(t, text) {
  if (!text) return null;
  const parts = /^(.*?): (.*); (.*?)$/s.exec(text)?.slice(1) ?? [text];
  const words = parts.map((part) => t.said(part));
  const lang = words.find((one) => one.lang)?.lang;
  const told = words
    .map((one) => complete(inFields(t, one.text)))
    .join(" ")
    .replace(/([。！？]) /g, "$1");
  return h("p", { class: "hint warning", lang, "data-testid": "warning" }, "⚠ ", told);
}

// The page has fields where the command line has options.
function inFields(t, text) {
  return text.replace(/--[a-z-]+/g, (flag) => (flag in FIELDS ? t(`common.field_${FIELDS[flag]}`) : flag));
}
