// PyTorch refuses: its own words, what they mean here, and changes that were tried. Used by convolution and pooling.

import { h } from "../../core/dom.js";
import { formula } from "../../core/format.js";

export function refusal(t, { refused, mends }, change) {
  return h("div", { class: "refusal", role: "group", "data-testid": "refusal" },
    h("p", { class: "where" }, h("code", {}, refused.layer)),
    h("blockquote", { lang: "en", "data-testid": "pytorch-words" }, h("cite", {}, "PyTorch"), refused.message),
    h("p", { lang: "en" }, formula(refused.problem)), refused.mend && h("p", { class: "hint", lang: "en" }, refused.mend),
    mends.length > 0 && h("div", { class: "mends" }, h("span", {}, t("common.mend")),
      mends.map(({ what, patch }, i) => h("button", { "data-testid": `mend-${i}`, "data-key": `mend-${i}`, onclick: () => change(patch) }, h("code", {}, what)))));
}
