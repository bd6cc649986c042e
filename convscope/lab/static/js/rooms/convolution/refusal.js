// PyTorch refuses: its own words, what they mean here, and changes that were tried. Used by convolution and pooling.

import { h, sentence } from "../../core/dom.js";

export function refusal(t, { refused, mends }, change) {
  return h(
    "div",
    { class: "refusal", role: "group", "data-testid": "refusal" },
    h("p", { class: "where" }, h("code", {}, refused.layer)),
    h("blockquote", { lang: "en", "data-testid": "pytorch-words" }, h("cite", {}, "PyTorch"), refused.message),
    sentence("p", {}, t.said(refused.problem)),
    refused.mend && sentence("p", { class: "hint" }, t.said(refused.mend)),
    mends.length > 0 &&
      h(
        "div",
        { class: "mends" },
        h("span", {}, t("common.mend")),
        mends.map(({ what, patch }, i) =>
          h(
            "button",
            { "data-testid": `mend-${i}`, "data-key": `mend-${i}`, onclick: () => change(patch) },
            h("code", {}, what),
          ),
        ),
      ),
  );
}
