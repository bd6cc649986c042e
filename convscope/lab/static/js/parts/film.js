// A film of a window on its way: play, speed, scrubber, one frame on and back, and the film as WebM to take along. Nothing
// moves until play is pressed; who wants less motion gets numbers that appear where they belong.

import { h, show } from "../core/dom.js";
import { isDark, onTheme } from "../core/theme.js";
import { save } from "./take.js";
import { scene } from "./scene.js";

const SPEEDS = [0.25, 0.5, 1, 2, 5, 15, 60];
const PACE = 1.4; // seconds that a window takes at speed 1
const LONGEST = 60; // seconds of a film that is taken along: longer ones are quicker
const STEP = 1 / 30; // seconds from one of its pictures to the next, at most: however slow the page, it has them all

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// label: of the film. draw(script) shows it, from where it stands; see scene.js.
export function film(t, { label, name }) {
  const canvas = h("canvas", { class: "film", role: "img", "aria-label": label, "data-testid": "film" });
  const button = (key, words, action) => h("button", { "data-testid": `film-${key}`, onclick: action }, words);
  const play = button("play", t("common.film_play"), () => (timer ? stop() : start()));
  const slider = h("input", {
    type: "range",
    min: 0,
    step: "any",
    "aria-label": label,
    "data-testid": "film-slider",
    oninput: () => (stop(), to(Number(slider.value))),
  });
  slider.addEventListener("keydown", onkey);
  const speeds = SPEEDS.map((value) => h("option", { value, selected: value === 1 }, `${value}×`));
  const speed = h("select", { "aria-label": t("common.speed"), "data-testid": "film-speed" }, speeds);
  const webm = button("webm", "WebM", () => (recorder ? recorder.stop() : record()));
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, canvas);
  const element = h("div", { class: "filmed" }, scroll, h("div", { class: "line" }, play, slider, speed, webm));
  let [script, shown, time, timer, recorder] = [null, null, 0, 0, null];
  let before = 0;
  const silent = onTheme(() => script && draw(script));

  function draw(next) {
    script = next;
    const type = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--figure-type")) || 13;
    const width = Math.max(280, Math.min(1000, Math.floor(scroll.clientWidth)));
    shown = scene(script, { dark: isDark(), type: Math.max(13, type), still: still(), width });
    canvas.style.setProperty("width", `${shown.width}px`);
    slider.max = script.count;
    to(Math.min(time, script.count));
  }

  function to(next) {
    time = Math.min(script.count, Math.max(0, next));
    const told = shown.draw(canvas, time);
    slider.value = time;
    slider.setAttribute("aria-valuetext", `${told.window + 1} / ${script.count}`);
    Object.assign(canvas.dataset, told);
  }

  // A key is a window on or back; a fraction of one could not be told.
  function onkey(event) {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    stop();
    to(by > 0 ? Math.floor(time) + 1 : Math.ceil(time) - 1);
  }

  function start() {
    if (time >= script.count) to(0);
    before = performance.now();
    play.setAttribute("aria-pressed", "true");
    timer = requestAnimationFrame(on);
  }

  function on(now) {
    const quick = recorder ? Math.max(1, (script.count * PACE) / Number(speed.value) / LONGEST) : 1;
    const passed = (now - before) / 1000;
    to(time + ((recorder ? Math.min(passed, STEP) : passed) / PACE) * Number(speed.value) * quick);
    before = now;
    timer = time < script.count ? requestAnimationFrame(on) : 0;
    if (!timer) stop();
  }

  function stop() {
    cancelAnimationFrame(timer);
    timer = 0;
    play.setAttribute("aria-pressed", "false");
    if (recorder?.state === "recording") recorder.stop();
  }

  // The whole film, at the chosen speed.
  function record() {
    const parts = [];
    recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm", videoBitsPerSecond: 4e6 });
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => {
      recorder = null;
      webm.setAttribute("aria-pressed", "false");
      stop();
      save(new Blob(parts, { type: "video/webm" }), `convscope-${name}.webm`);
    };
    webm.setAttribute("aria-pressed", "true");
    to(0);
    recorder.onstart = start;
    recorder.start();
  }

  function leave() {
    silent();
    if (recorder) recorder.onstart = recorder.onstop = null;
    stop();
  }

  return { element, draw, stop, leave };
}

// The still figure or the film in its place, and the button between them.
export function reels(t, { set, state, still: figure, film: movie }) {
  const button = h("button", {
    class: "quiet",
    "data-testid": "film-mode",
    onclick: () => set({ film: !state().film }),
  });
  const place = h("div", { class: "reel" });
  const element = h("div", { class: "reels" }, place, button);

  function draw(on) {
    show(place, on ? movie : figure);
    button.textContent = t(on ? "common.film_close" : "common.film");
    button.setAttribute("aria-pressed", String(on));
  }

  return { element, draw };
}
