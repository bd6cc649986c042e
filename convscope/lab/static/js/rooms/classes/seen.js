// What the camera sees, or a picture that was given; and below it what the trained net takes it for.

import { h, say, show } from "../../core/dom.js";
import { sure } from "../../core/format.js";
import { camera } from "../../parts/camera.js";
import { own } from "../../parts/own.js";
import { bars } from "../inside/bars.js";
import { painted, shotOf } from "./pixels.js";

const PAUSE = 120; // ms between an answer and the next question: the machine has other things to do

// answer(blob): a promise of {classes, confidence, confidences}, or of null where there is no net. ongiven(blob): a picture
// of the reader's is what is seen. fail(error).
export function seen(t, { answer, ongiven, fail }) {
  const eye = camera(t, { testid: "eye" });
  const still = h("canvas", { hidden: true, role: "img", "aria-label": t("classes.given"), "data-testid": "given" });
  const off = h("p", { class: "hint", "data-testid": "eye-off" }, t("classes.camera_off"));
  const button = h("button", { "data-testid": "camera", onclick: () => (eye.on() ? close() : open()) });
  const mine = own(t, { onpicture: give, live: false });
  const guess = h("p", { class: "guess", "data-testid": "guess" });
  const chances = bars(t, { onpick: () => {} });
  const said = h("div", { class: "answer", hidden: true }, guess, chances.element);
  const square = h("div", { class: "eye" }, eye.element, still, off);
  const element = h("div", { class: "seen" }, square, h("div", { class: "line" }, button, mine.element), said);
  let given = null; // the picture that stands in the camera's place
  let best = "";
  let timer = 0;
  let turn = 0;

  async function open() {
    const good = await eye.start();
    if (good) given = null;
    off.textContent = t(good ? "classes.camera_off" : "common.no_camera");
    if (!good) say(off.textContent);
    place();
    look();
    return good;
  }

  function close() {
    eye.stop();
    place();
  }

  async function give(picture) {
    eye.stop();
    given = await painted(still, picture);
    place();
    ongiven(given);
    look();
  }

  function place() {
    still.hidden = !given;
    eye.element.hidden = !eye.on();
    off.hidden = eye.on() || Boolean(given);
    button.textContent = t(eye.on() ? "common.close_camera" : "common.camera");
  }

  // Ask what is seen; of the camera again and again.
  async function look() {
    clearTimeout(timer);
    const mineTurn = ++turn;
    const picture = document.hidden ? null : eye.on() ? await shotOf(eye.element) : given;
    try {
      const found = picture && (await answer(picture));
      if (mineTurn !== turn) return;
      if (found) draw(found);
    } catch (error) {
      if (mineTurn === turn) fail(error);
    }
    if (mineTurn === turn && eye.on()) timer = setTimeout(look, PAUSE);
  }

  function draw(found) {
    said.hidden = false;
    chances.draw({ ...found, label: null });
    const most = Math.max(...found.confidences);
    const name = found.classes[found.confidences.indexOf(most)];
    show(guess, h("strong", { "data-testid": "best" }, name), " ", sure(found.confidence, most, 0));
    if (name !== best) say(t("inside.spoken", { name, p: sure(found.confidence, most, 0) }));
    best = name;
  }

  // The camera's video once it shows something; until then it is opened.
  async function video() {
    if (!eye.on() && !(await open())) return null;
    return eye.element;
  }

  function forget() {
    said.hidden = true;
    best = "";
    look();
  }

  function leave() {
    turn += 1;
    clearTimeout(timer);
    eye.stop();
    mine.leave();
  }

  place();
  return { element, video, forget, leave, given: () => given };
}
