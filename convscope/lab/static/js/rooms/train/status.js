// Where the run stands, in one line and a bar, and the buttons that hold it.

import { h, rich, show } from "../../core/dom.js";
import { count, num } from "../../core/format.js";
import { running } from "./live.js";

// act(name): "start", "pause", "go", "step" or "stop".
export function status(t, { act }) {
  const button = (name, primary) => h("button", { class: primary ? "primary" : "", "data-testid": name, onclick: () => act(name) }, t(`train.${name}`));
  const buttons = { start: button("start", true), pause: button("pause"), go: button("go"), step: button("step"), stop: button("stop") };
  const line = h("p", { class: "where", "data-testid": "where" });
  const bar = h("progress", { max: 1, "aria-label": t("train.progress"), "data-testid": "progress" });
  const facts = h("dl", { class: "facts" });
  const told = new Map(); // key → {one, whole}: kept, for only a text that changes is drawn anew
  const notes = h("div", { class: "notes" });
  const element = h("div", { class: "status" }, h("div", { class: "line" }, Object.values(buttons)), line, bar, facts, notes);

  let noted = "";

  function draw(state) {
    const on = running(state);
    const paused = state?.status === "paused";
    buttons.start.disabled = on;
    buttons.pause.disabled = !on || paused || state.status === "opening";
    buttons.go.disabled = !paused;
    buttons.step.disabled = !on || state.status === "opening";
    buttons.stop.disabled = !on;
    element.dataset.status = state?.status ?? "none";
    bar.hidden = !state?.total;
    if (!state) return show(line, t("train.nothing"));
    if (state.total) bar.value = state.step / state.total;
    const where = `${state.run ?? ""} ${t(`train.is_${state.status}`)}`;
    if (line.textContent !== where) show(line, h("strong", {}, state.run ?? ""), ` ${t(`train.is_${state.status}`)}`);
    const last = state.epochs_done.at(-1);
    const rows = [
      ["update", state.total && `${count(state.step)} / ${count(state.total)}`, state.step], ["epoch", state.epochs && `${Math.min(state.epochs, state.epoch || 1)} / ${state.epochs}`, state.epoch],
      ["speed", state.images_per_second && count(Math.round(state.images_per_second)), state.images_per_second], ["left", state.seconds_left !== null && clock(state.seconds_left), state.seconds_left],
      ["test_accuracy", last && `${(100 * last.test_accuracy).toFixed(2)}\u202f%`, last?.test_accuracy], ["test_loss", last && num(last.test_loss), last?.test_loss],
      ["engine", state.engine && `${state.engine}, ${state.device}`, state.engine],
    ];
    for (const [key, text, value] of rows) fact(key, text || text === 0 ? String(text) : "", value);
    const words = [...(state.notes ?? []), ...(state.status === "failed" ? [state.message, state.help] : [])].filter(Boolean);
    const now = JSON.stringify([state.status, words]);
    if (now === noted) return;
    noted = now;
    show(notes, words.length > 0 && h("div", { class: state.status === "failed" ? "problem" : "hint", lang: "en", role: state.status === "failed" ? "alert" : null, "data-testid": "told" }, words.map((text) => h("p", {}, ...rich(text)))));
  }

  function fact(key, text, value) {
    if (!told.has(key)) {
      const one = h("dd", { "data-testid": `now-${key}` });
      told.set(key, { one, whole: h("div", {}, h("dt", {}, t(`train.${key}`)), one) });
      facts.append(told.get(key).whole);
    }
    const { one, whole } = told.get(key);
    whole.hidden = !text;
    if (one.textContent !== text) one.textContent = text;
    one.dataset.value = value ?? "";
  }

  return { element, draw };
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two((whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

function two(value) {
  return String(Math.floor(value)).padStart(2, "0");
}
