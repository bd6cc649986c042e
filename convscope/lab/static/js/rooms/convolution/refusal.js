// PyTorch refuses: its own words, what they mean here, and changes that were tried. Used by convolution and pooling.

import { h, sentence } from "../../core/dom.js";

export function refusal(t, { refused, fixes }, change) {
  return h(
    "div",
    { class: "refusal", role: "group", "data-testid": "refusal" },
    h("p", { class: "where" }, h("code", {}, refused.layer)),
    h("blockquote", { lang: "en", "data-testid": "pytorch-words" }, h("cite", {}, "PyTorch"), refused.message),
    sentence("p", {}, t.said(refused.problem)),
    refused.fix && sentence("p", { class: "hint" }, t.said(refused.fix)),
    fixes.length > 0 &&
      h(
        "div",
        { class: "fixes" },
        h("span", {}, t("common.fix")),
        fixes.map(({ what, patch }, i) =>
          h(
            "button",
            { "data-testid": `fix-${i}`, "data-key": `fix-${i}`, onclick: () => change(patch) },
            h("code", {}, what),
          ),
        ),
      ),
  );
}
