// Two runs on one image, logit by logit.

import { STALE, line } from "../../../core/api.js";
import { h, rich, say, show } from "../../../core/dom.js";
import { num, signed, sure } from "../../../core/format.js";
import { select } from "../../../parts/fields.js";

const MOST = 12; // classes

export function panel({ t, set }) {
  const asking = line();
  const other = select(t("play.other"), { testid: "other", options: [], onchange: (name) => set({ other: name }) });
  const none = h("p", { class: "hint" }, t("play.no_other"));
  const words = h("p", { class: "outcome", role: "status", "data-testid": "two-told" });
  const table = h("div", { class: "scroll" });
  const element = h("div", { class: "versus" }, h("div", { class: "line" }, other.element), none, words, table);

  async function update(now, { image, runs }) {
    const data = runs.find(({ name }) => name === now.run)?.data;
    const others = runs.filter((one) => one.name !== now.run && one.data === data); // others know other classes
    none.hidden = others.length > 0;
    other.element.hidden = !others.length;
    other.input.replaceChildren(...others.map(({ name }) => h("option", { value: name }, name)));
    const chosen = others.find(({ name }) => name === now.other) ?? others.at(-1); // the latest
    show(words);
    asking.drop();
    if (!chosen) return show(table);
    other.set(chosen.name);
    table.hidden = true; // what stands there is of other runs, or of another image
    const answer = await asking("/api/inside/beside", { ...image, other: chosen.name });
    if (answer === STALE) return;
    table.hidden = false;
    show(table, rows(answer));
    tell(answer);
  }

  const bestOf = ({ scores }) => scores.indexOf(Math.max(...scores));

  function tell({ classes, runs: [a, b] }) {
    const [left, right] = [a, b].map(bestOf);
    const said = (side, c) => `${classes[c]} (${sure(side.confidence, side.confidences[c])})`;
    const key = left === right ? "play.agree" : "play.disagree";
    show(words, ...rich(t(key, { a: a.run, b: b.run, left: said(a, left), right: said(b, right) })));
    say(words.textContent);
  }

  function rows({ classes, runs: [a, b] }) {
    const order = classes.map((_, c) => c);
    const most = (c) => Math.max(a.confidences[c], b.confidences[c]);
    if (order.length > MOST) order.sort((c, d) => most(d) - most(c)).splice(MOST);
    const limit = Math.max(...order.flatMap((c) => [Math.abs(a.scores[c]), Math.abs(b.scores[c])])) || 1;
    const bar = (value, side) =>
      h(
        "td",
        { class: `logit ${side}` },
        h("span", {
          class: `fill ${value < 0 ? "below" : "above"}`,
          style: { width: `${(100 * Math.abs(value)) / limit}%` },
        }),
      );
    const number = (side, c, at) =>
      h(
        "td",
        {
          class: `n ${c === bestOf(side) ? "most" : ""}`,
          "data-testid": `logit-${at}-${c}`,
          "data-value": side.scores[c],
        },
        num(side.scores[c]),
      );
    const row = (c) =>
      h(
        "tr",
        {},
        bar(a.scores[c], "left"),
        number(a, c, 0),
        h("th", { scope: "row" }, classes[c]),
        number(b, c, 1),
        bar(b.scores[c], "right"),
        h("td", { class: "n", "data-testid": `logit-by-${c}` }, signed(b.scores[c] - a.scores[c], 3)),
      );
    const over = (text, kind) => (text ? h("th", { scope: "col", class: kind }, text) : h("td"));
    const head = [over(), over(a.run, "run"), over(t("play.class")), over(b.run, "run"), over(), over(t("play.by"))];
    return h(
      "table",
      { class: "logits" },
      h("caption", { class: "hint" }, t("play.logits")),
      h("thead", {}, h("tr", {}, head)),
      h("tbody", {}, order.map(row)),
    );
  }

  return { element, update };
}
