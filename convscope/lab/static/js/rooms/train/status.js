// Where the run stands, in one line and a bar, and the buttons that hold it.

import { complete, h, rich, show } from "../../core/dom.js";
import { count, num } from "../../core/format.js";
import { warning } from "../../parts/warning.js";
import { running } from "./live.js";

const NUMBERS = ["loss", "guess", "try"]; // in a remark: shown with three digits

// act(name): "start", "pause", "go", "step" or "stop".
export function status(t, { act }) {
  const button = (name, kind = "") =>
    h("button", { class: kind, "data-testid": name, onclick: () => act(name) }, t(`train.${name}`));
  const buttons = { start: button("start", "primary") };
  for (const name of ["pause", "go", "step", "stop"]) buttons[name] = button(name);
  const line = h("p", { class: "where", "data-testid": "where" });
  const bar = h("progress", { max: 1, "aria-label": t("train.progress"), "data-testid": "progress" });
  const recipe = h("p", { class: "hint recipe", "data-testid": "recipe" }); // the form above is that of the next run
  const facts = factList(t);
  const notes = h("div", { class: "notes" });
  const row = h("div", { class: "line" }, Object.values(buttons));
  const element = h(
    "div",
    { class: "status" },
    row,
    h("div", { class: "line stood" }, line, recipe),
    bar,
    facts.element,
    notes,
  );
  let noted = "";

  // against: what speaks against the finished run. lost: whether what is shown may be long past, as the lab does not answer; remarks: see diagnosis.js.
  function draw(state, { lost = false, remarks = [], against = null } = {}) {
    enable(buttons, state, lost);
    element.dataset.status = lost ? "lost" : (state?.status ?? "none");
    bar.hidden = recipe.hidden = !state?.total;
    if (!state) return show(line, t("train.nothing"));
    if (state.total) bar.value = state.step / state.total;
    const where = ` ${whereabouts(t, state, lost)}`;
    if (line.textContent !== (state.run ?? "") + where) show(line, h("strong", {}, state.run ?? ""), where);
    if (state.net) recipe.textContent = recipe.title = t("train.recipe", { ...state, lr: num(state.lr) });
    facts.draw(state);
    const now = JSON.stringify([state.status, state.notes, state.message, remarks, against]);
    if (now !== noted) show(notes, told(t, state), warning(t, against), remarks.length > 0 && diagnosed(t, remarks));
    noted = now;
  }

  return { element, draw };
}

function enable(buttons, state, lost) {
  const on = running(state) && !lost;
  const paused = state?.status === "paused";
  const open = on && state.status !== "opening";
  buttons.start.disabled = lost || on;
  buttons.pause.disabled = !open || paused;
  buttons.go.disabled = !on || !paused;
  buttons.step.disabled = !open;
  buttons.stop.disabled = !on;
}

export function whereabouts(t, { status: how, run, step, stage }, lost) {
  if (lost && running({ status: how })) return t("train.last_seen", { step: count(step) });
  if (how === "opening") return t(`film.stage_${stage}`);
  return t(how === "stopped" && !run ? "train.is_not_started" : `train.is_${how}`);
}

// What the run says of itself: notes, and where it failed, why.
function told(t, { status: how, notes = [], message, help }) {
  const failed = how === "failed";
  const words = [...notes, ...(failed ? [message, help] : [])].filter(Boolean).map((text) => t.said(text));
  const props = { class: failed ? "problem" : "hint", role: failed ? "alert" : null, "data-testid": "told" };
  const lines = words.map(({ text, lang }) => h("p", { lang }, ...rich(complete(text))));
  return words.length > 0 && h("div", props, lines);
}

function diagnosed(t, remarks) {
  const words = ([key, values]) => {
    const rounded = Object.entries(values).map(([name, value]) => [
      name,
      NUMBERS.includes(name) ? num(value, 3) : value,
    ]);
    return t(`train.diagnosis_${key}`, Object.fromEntries(rounded));
  };
  const lines = remarks.map((remark) => h("p", {}, rich(words(remark))));
  return h("div", { class: "warned", role: "status", "data-testid": "diagnosis" }, lines);
}

// Facts by name; only a text that changes is drawn again.
function factList(t) {
  const element = h("dl", { class: "facts" });
  const shown = new Map(); // key → {one, whole}

  function fact(key, text, value) {
    if (!shown.has(key)) {
      const one = h("dd", { "data-testid": `now-${key}` });
      shown.set(key, { one, whole: h("div", {}, h("dt", {}, t(`train.${key}`)), one) });
      element.append(shown.get(key).whole);
    }
    const { one, whole } = shown.get(key);
    whole.hidden = !text;
    if (one.textContent !== text) one.textContent = text;
    one.dataset.value = value ?? "";
  }

  function draw(state) {
    const { step, total, epoch, epochs, images_per_second: rate, seconds_left: left } = state;
    const last = state.epochs_done.at(-1);
    const accuracy = last && `${(100 * last.test_accuracy).toFixed(2)}\u202f%`;
    fact("update", total ? `${count(step)} / ${count(total)}` : "", step);
    fact("epoch", epochs ? `${Math.min(epochs, epoch || 1)} / ${epochs}` : "", epoch);
    fact("speed", rate ? count(Math.round(rate)) : "", rate);
    fact("left", left === null ? "" : clock(left), left);
    fact("test_accuracy", accuracy ?? "", last?.test_accuracy);
    fact("test_loss", last ? num(last.test_loss) : "", last?.test_loss);
    fact("engine", state.engine ? `${state.engine}, ${state.device}` : "", state.engine);
  }

  return { element, draw };
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const rest = `${two((whole / 60) % 60)}:${two(whole % 60)}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${rest}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

function two(value) {
  return String(Math.floor(value)).padStart(2, "0");
}
