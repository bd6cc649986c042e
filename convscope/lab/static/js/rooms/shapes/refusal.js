// What does not fit: PyTorch's own words, ours, and changes that were tried.

import { h, sentence } from "../../core/dom.js";
import { formula } from "../../core/format.js";

// A layer that does not fit into its place; change(patch): the user takes one of the changes.
export function misfit(t, { name, text, problem, pytorch, help, fixes }, change) {
  const tried = fixes.map((fix) => [fix.what, fix.whole, { net: fix.net, image: fix.image }]);
  return card(t, { name, layer: text, pytorch, problem, help, tried }, change);
}

// What came of the tensor that was fed.
export function verdict(t, { shape, outputs, failed, diagnosis, changes }, change) {
  if (!diagnosis) {
    const last = Object.values(outputs).at(-1);
    return h("p", { class: "good", "data-testid": "fed-good" }, `✓ (${shape.join(", ")}) → (${last.join(", ")})`);
  }
  const { layer, message, problem, fix } = diagnosis;
  const tried = changes.map(({ what, net, image, feed }) => [what, true, { net, image, feed }]);
  return card(t, { name: failed, layer, pytorch: message, problem, help: fix, tried }, change);
}

function card(t, { name, layer, pytorch, problem, help, tried }, change) {
  const words = { lang: "en", "data-testid": "pytorch-words" };
  return h(
    "div",
    { class: "refusal", role: "group", "aria-label": t("shapes.refused"), "data-testid": "refusal" },
    h("p", { class: "where" }, h("strong", {}, name), " ", h("code", {}, layer)),
    pytorch && h("blockquote", words, h("cite", {}, "PyTorch"), pytorch),
    sentence("p", {}, narrow(t.said(problem))),
    help && sentence("p", { class: "hint" }, t.said(help)),
    tried.length > 0 && h("div", { class: "fixes" }, h("span", {}, t("common.fix")), tried.map(button)),
  );

  function button([what, whole, patch], i) {
    const props = { "data-testid": `fix-${i}`, "data-key": `fix-${i}`, class: whole ? "" : "part" };
    const title = whole ? null : t("shapes.partly");
    return h("button", { ...props, title, onclick: () => change(patch) }, t.said(what).text);
  }
}

// A sentence with the narrow dot of products.
export function narrow(said) {
  return { ...said, text: formula(said.text) };
}
