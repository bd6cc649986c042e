// A lesson in a room: it sets a state, asks, lets the reader predict, and only then does what the question is about. The
// answer is what the room's own explanation says then. Predict, observe, explain: R. White and R. Gunstone, Probing
// Understanding, 1992.

import { ask } from "../core/api.js";
import { h } from "../core/dom.js";
import { lose } from "../core/connection.js";
import { load } from "../core/i18n.js";
import { hides, isQuiet } from "./classroom.js";
import { judge, progress } from "./lesson-judge.js";
import { panel } from "./lesson-panel.js";
import { spotlight } from "./spotlight.js";

// A lesson is a module lessons/<room>.js with `look(ask, state)`, what the server explains of a state, and `steps`:
// {key, kind, focus, state, then, find, …}. state and then are patches of the room's defaults, before and after the
// answer; focus is what is lit, part what is scrolled into sight of it; find({before, after, states, ask}) gives {right,
// slips, words} of those two explanations. Its words are text/*/lessons/<room>.json.
export async function files({ id }, lang) {
  const [course] = await Promise.all([import(`../lessons/${id}.js`), load(lang, `lessons/${id}`)]);
  return course;
}

// Those whose figure the teacher did not hide.
const visible = ({ focus }) => !(hides("numbers") && focus.startsWith(".ledger-panel"));

// room: {t, lang, main, head, tools, problem, set, state, defaults, own}; dialog: for a class, {element, entry, open()},
// or null. Gives {at(): the number of the step shown, or null; own(): the reader's own state meanwhile; open(number), leave()}.
export function lesson(kind, room, dialog) {
  const { t, lang, main, set, state, defaults } = room;
  const name = `convscope.lesson.${kind.id}`;
  let course = null;
  let kept = progress(localStorage.getItem(name), []);
  let at = null;
  let { own } = room;
  let turn = 0; // counts steps and answers: what comes late is dropped
  const card = panel(t, kind, { check, go, close, share: dialog?.open });
  const light = spotlight(main, () => [card.element, card.over(), room.problem, dialog?.element].filter(Boolean));
  const entry = h("button", { class: "lesson-entry", "data-testid": "lesson", onclick: () => open(null).catch(lose) });
  entry.append(t("lesson.open"), h("span", { class: "longer" }, t("lesson.open_longer")));
  room.head.append(entry);
  main.prepend(card.element);
  if (dialog) {
    main.prepend(dialog.element);
    room.tools.lastElementChild.before(dialog.entry);
  }
  addEventListener("keydown", escape);
  addEventListener("resize", card.settle);
  main.addEventListener("scroll", card.settle, true);

  async function open(number) {
    course ??= await files(kind, lang).then(({ look, steps }) => ({ look, steps: steps.filter(visible) }));
    const { steps } = course;
    kept = progress(localStorage.getItem(name), steps);
    own ??= structuredClone(state());
    main.classList.add("learning");
    entry.hidden = true;
    const finished = kept.at === steps.length && number === null;
    await go(finished ? 0 : Math.min(steps.length, number === null ? kept.at : Math.ceil(number) - 1));
  }

  async function go(next, afresh = false) {
    const mine = ++turn;
    if (afresh) kept.said = {};
    at = kept.at = next;
    save();
    const step = course.steps[at];
    if (!step) return end();
    card.ask(at, course.steps, step);
    await set(stateOf(step));
    if (mine !== turn) return;
    focus(step);
    if (!isQuiet() && step.key in kept.said) await tell(step);
  }

  function check(said) {
    const step = course.steps[at];
    kept.said[step.key] = said;
    save();
    if (!isQuiet()) return tell(step);
    card.noted(said);
    focus(step);
    return null;
  }

  // What was asked about is done, and what comes of it is told beside what was said.
  async function tell(step) {
    const mine = ++turn;
    const said = kept.said[step.key];
    card.wait(said);
    try {
      const found = await answer(step);
      if (mine !== turn) return;
      await set(stateOf(step, step.then));
      if (mine !== turn) return;
      card.tell(found, judge(step, found, said), said);
      focus(step);
    } catch (error) {
      if (mine === turn) card.fail(error);
    }
  }

  const stateOf = (step, then) => structuredClone({ ...defaults, ...step.state, ...then });

  async function answer(step) {
    const [before, after] = [stateOf(step), stateOf(step, step.then)];
    const look = course.look ?? (() => null);
    const [was, is] = await Promise.all([look(ask, before), look(ask, after)]);
    return step.find({ before: was, after: is, states: { before, after }, ask });
  }

  function end() {
    light.light(null);
    card.end(course.steps, kept.said);
    return set({});
  }

  function focus(step) {
    light.light(step.focus);
    light.show(card.element.getBoundingClientRect().top, step.part);
    card.settle();
  }

  function save() {
    localStorage.setItem(name, JSON.stringify(kept));
  }

  function escape(event) {
    const elsewhere = document.querySelector("dialog[open]") || event.target.closest?.("[role=grid]");
    if (event.key === "Escape" && at !== null && !event.defaultPrevented && !elsewhere) close();
  }

  function close() {
    turn += 1;
    at = null;
    card.close();
    light.light(null);
    main.classList.remove("learning");
    entry.hidden = false;
    entry.focus();
    const mine = own;
    own = null;
    return set(mine);
  }

  function leave() {
    turn += 1;
    light.leave();
    card.close();
    removeEventListener("keydown", escape);
    removeEventListener("resize", card.settle);
    main.removeEventListener("scroll", card.settle, true);
  }

  return { at: () => (at === null ? null : at + 1), own: () => own, open, leave };
}
