// The lesson as it is seen: a card at the foot of the page with the question, what the reader expects, and what came.

import { complete, h, rich, show } from "../core/dom.js";
import { num } from "../core/format.js";
import { ROOMS } from "../rooms.js";
import { isQuiet } from "./classroom.js";
import { fieldOf } from "./lesson-fields.js";
import { Spoken, filled } from "./lesson-judge.js";
import { spoken } from "./lesson-place.js";

// check(said), go(step, afresh), close(): what the reader does; share(): the dialog for a class, or null.
export function panel(t, room, { check, go, close: leave, share }) {
  const button = (key, action, kind = "quiet") =>
    h("button", { class: kind, type: "button", "data-testid": `lesson-${key}`, onclick: action }, t(`lesson.${key}`));
  const where = h("p", { class: "where" });
  const head = h("header", {}, where, share && button("class", share), button("close", leave));
  const question = h("h1", { tabindex: "-1", "data-testid": "lesson-question" });
  const body = h("div", { class: "body" });
  const result = h("div", { class: "result", role: "status", "data-testid": "lesson-result" });
  const feet = h("p", { class: "feet" });
  const element = h(
    "section",
    {
      class: "lesson",
      "aria-label": t("lesson.name", { name: t(`common.${room.id}`) }),
      "data-testid": "lesson-card",
      hidden: true,
    },
    head,
    question,
    body,
    result,
    feet,
  );
  let now = null; // {at, steps, step, words, field}

  function ask(at, steps, step) {
    const words = t(`lessons/${room.id}.${step.key}`);
    const field = fieldOf(t, step, words, submit);
    now?.field?.leave();
    now = { at, steps, step, words, field };
    element.hidden = false;
    element.dataset.phase = "ask";
    element.dataset.step = step.key;
    show(where, t("lesson.where", { at: at + 1, of: steps.length }), dots(at, steps.length));
    show(question, ...rich(words.ask));
    show(body, field.element);
    show(result);
    show(feet, at > 0 && button("back", () => go(at - 1)));
    question.focus({ preventScroll: true });
  }

  function submit(said) {
    if (said === null) return show(result, h("p", { class: "bad" }, t(`lesson.missing_${now.step.kind}`)));
    return check(said);
  }

  // The answer is on its way: a run may have to be trained for it.
  function wait(said) {
    element.dataset.phase = "wait";
    now.field.fix(said);
    show(result, h("p", { class: "hint" }, now.words.wait ?? t("lesson.wait")));
  }

  // Answers are off: what was said is kept, no more.
  function noted(said) {
    element.dataset.phase = "noted";
    now.field.fix(said);
    show(result, h("p", {}, t("lesson.noted", { said: shown(said) })));
    further();
  }

  function tell(found, judged, said) {
    const { step, words, field } = now;
    element.dataset.phase = "told";
    field.fix(said, found.right);
    const values = { ...found.words, said: shown(said), right: shown(found.right) };
    const slip = judged.slip && words.slips?.[judged.slip];
    const lines = [slip, words.why].filter(Boolean).map((text) => h("p", {}, rich(complete(filled(text, values)))));
    const verdict = h(
      "p",
      { class: `verdict ${judged.near ? "good" : "bad"}`, "data-testid": "lesson-verdict", "data-value": found.right },
      judged.near ? "✓ " : "≠ ",
      told(judged, values, step),
    );
    show(result, verdict, ...lines);
    further();
  }

  function told({ right, near, off }, values, { kind }) {
    if (kind === "choice" || (kind === "place" && right === near))
      return t(right ? "lesson.said_same" : "lesson.said_other", values);
    if (right) return t("lesson.said_right", values);
    const key = near ? "near" : off > 0 ? "low" : "high";
    return t(`lesson.said_${key}`, { ...values, off: `${num(Math.abs(off), 3)}${now.words.unit ?? ""}` });
  }

  function shown(value) {
    const { step, words } = now;
    if (step.kind === "choice") return words.options[value] ?? value;
    if (step.kind === "place") return spoken(t, step.place, value);
    return `${num(value)}${words.unit ?? ""}`;
  }

  function further() {
    const { at, steps } = now;
    const last = at + 1 === steps.length;
    const on = h(
      "button",
      { class: "primary", type: "button", "data-testid": "lesson-next", onclick: () => go(at + 1) },
      t(last ? "lesson.finish" : "lesson.next"),
      " →",
    );
    show(feet, at > 0 && button("back", () => go(at - 1)), on);
    on.focus({ preventScroll: true });
    element.scrollTop = element.scrollHeight; // where the card is too short for all of it, the answer is in sight
  }

  function fail(error) {
    element.dataset.phase = "ask";
    now.field.free();
    const { text, lang } = error instanceof Spoken ? { text: t(`lesson.${error.message}`) } : t.said(error.message);
    show(result, h("p", { class: "bad", role: "alert", lang }, complete(text) || t("lesson.no_answer")));
  }

  function end(steps, said) {
    now?.field?.leave();
    element.hidden = false;
    element.dataset.phase = "end";
    show(where, t("lesson.where_end"), dots(steps.length, steps.length));
    show(question, t(isQuiet() ? "lesson.end_quiet" : "lesson.end", { name: t(`common.${room.id}`) }));
    show(body, t(`lessons/${room.id}.end`));
    show(result, isQuiet() && expected(steps, said));
    show(
      feet,
      button("again", () => go(0, true)),
      onward(),
    );
    question.focus({ preventScroll: true });
  }

  // What was expected, for the talk in class.
  function expected(steps, said) {
    const line = (step) => {
      now = { step, words: t(`lessons/${room.id}.${step.key}`) };
      return h("li", {}, rich(now.words.ask), " ", h("strong", {}, step.key in said ? shown(said[step.key]) : "—"));
    };
    return h("ol", { "data-testid": "lesson-expected" }, steps.map(line));
  }

  function onward() {
    const next = ROOMS[room.number + 1];
    if (!next) return null;
    const to = { class: "onward", href: `#/${next.id}?lesson=1`, "data-testid": "lesson-onward" };
    return h("a", to, t("lesson.onward", { name: `${next.number} ${t(`common.${next.id}`)}` }), " →");
  }

  function close() {
    now?.field?.leave();
    element.hidden = true;
  }

  const settle = () => now?.field?.settle();
  return { element, over: () => now?.field?.over, ask, settle, wait, noted, tell, fail, end, close };
}

function dots(at, of) {
  const one = (_, i) => h("i", { class: i < at ? "past" : i === at ? "now" : null });
  return h("span", { class: "dots", "aria-hidden": "true" }, Array.from({ length: of }, one));
}
