// Room 9: classes of one's own. Name them, collect pictures by the camera or from files, train, try, take along.

import { STALE, ask, line } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { cards } from "./classes/cards.js";
import { controls } from "./classes/controls.js";
import { learning } from "./classes/learning.js";
import { seen } from "./classes/seen.js";
import { base64, store } from "./classes/store.js";
import { running } from "./train/live.js";

export const defaults = { set: "my-classes", run: "", pretrained: true };
export const rules = { set: (name) => (/^my-classes(-[1-9]\d{0,3})?$/.test(name) ? name : undefined) };

export function mount(room) {
  const { figure, t, set, state, fail, script } = room;
  const { answer, program } = questions(room);
  const fields = controls(room);
  const view = seen(t, { answer, ongiven: program, fail });
  const place = h("div", { class: "collect-place" });
  const learn = learning(t, {
    start: () => store(state().set).train(state().pretrained),
    mine: ({ data }) => data === shown?.path,
    onrun: trained,
    fail,
  });
  let known = null; // {sets, fewest, installed, runs}
  let shown = null; // the set on the screen, as the server says it
  let all = null; // its cards
  show(figure, layout(t, { seen: view.element, collect: place, learn: learn.element }));
  room.onpage(async () => state().run && netPage(state().run));

  async function update(now) {
    known ??= await arrive();
    if (!all || all.of !== now.set) begin(now.set);
    drawSet(await store(now.set).show());
    fields.draw(now, known, shown.path);
    script(t("classes.no_program"));
    await learn.judge(now.run);
    view.forget();
    if (view.given()) await program(view.given());
  }

  async function arrive() {
    const [about, runs, trainer] = await Promise.all([ask("/api/classes"), ask("/api/runs"), ask("/api/train")]);
    if (running(trainer.state)) learn.connect(trainer.job);
    return { ...about, runs };
  }

  function begin(name) {
    all?.cards.leave();
    all = { of: name, cards: cards(t, { kept: store(name), video: view.video, onset: drawSet }) };
    show(place, all.cards.element);
  }

  function drawSet(found) {
    if (found.name !== all.of) return;
    shown = found;
    all.cards.draw(found);
    learn.pictures(found, known.fewest);
  }

  async function trained(run) {
    known.runs = await ask("/api/runs");
    await set({ run });
  }

  function leave() {
    all?.cards.leave();
    for (const part of [view, learn]) part.leave();
  }

  return { update, leave, reconnect: () => (known = null) };
}

// What the run says to a picture, and the program that computes it.
function questions({ state, script, fail }) {
  const writing = line();

  async function answer(blob) {
    const { run } = state();
    return run ? ask("/api/classes/answer", { run, picture: await base64(blob) }) : null;
  }

  async function program(blob) {
    const { run } = state();
    if (!run) return;
    try {
      const found = await writing("/api/inside/script", { run, picture: await base64(blob) });
      if (found !== STALE) script(found.script);
    } catch (error) {
      fail(error);
    }
  }

  return { answer, program };
}

// Three steps, each below its heading.
function layout(t, parts) {
  const part = (name) => h("section", { class: name }, h("h2", {}, t(`classes.head_${name}`)), parts[name]);
  return h("div", { class: "classes" }, part("seen"), h("div", { class: "steps" }, part("collect"), part("learn")));
}

async function netPage(run) {
  return new Blob([await ask(`/api/glass/${encodeURIComponent(run)}/page`)], { type: "text/html" });
}
