// Room 5: max and average pooling. Backward, the same two pictures show the gradient: given at the output, found at the input.

import { line, STALE } from "../core/api.js";
import { h, say, show } from "../core/dom.js";
import { film, reels } from "../parts/film.js";
import { ledger } from "../parts/ledger.js";
import { inColour, tensorOf } from "../parts/own-pixels.js";
import { stepper } from "../parts/stepper.js";
import { sizeFormulas } from "./convolution/facts.js";
import { refusal } from "./convolution/refusal.js";
import { sizes } from "./convolution/tensors.js";
import { settings } from "./pooling/controls.js";
import { pictures } from "./pooling/figure.js";
import { script } from "./pooling/script.js";

export { defaults, rules } from "./pooling/controls.js";
export const beside = true;

export function mount(room) {
  const { figure, ledger: panel, t, set } = room;
  const [ask, askLedger] = [line(), line()];
  let answer = null;
  let asked = "";
  const change = (patch) => set({ upstream: null, ...patch });
  const form = settings(room, change);
  const view = output(room, () => answer);

  async function update(now) {
    form.draw(now);
    const { picture, input: numbers, own, own_size, film: _, ...rest } = now;
    const input = picture === "own" ? (tensorOf({ own, own_size }) ?? numbers) : numbers;
    const body = { ...rest, ...(picture && picture !== "own" ? { picture } : { input }) };
    const key = JSON.stringify({ ...body, at: null, backward: null });
    if (key === asked) ask.drop();
    else {
      const found = await ask("/api/pooling", body);
      if (found === STALE) return;
      [answer, asked] = [found, key];
      if (answer.refused) return refuse();
      show(figure, view.element);
      show(panel, view.terms);
      room.script(answer.script);
    }
    if (answer.refused) return;
    const at = view.draw(now, answer);
    const found = await askLedger("/api/pooling/ledger", { ...body, at });
    if (found !== STALE) view.explain(found);
  }

  function refuse() {
    view.stop();
    show(figure, refusal(t, answer, change));
    show(panel);
    say(answer.refused.message);
  }

  const leave = () => [form, view].forEach((part) => part.leave());
  return { update, leave };
}

// Both pictures, the steps through the elements, the facts, and the ledger of the chosen element.
function output({ t, set, state }, answer) {
  const whole = inColour(t("pooling.whole"));
  const columns = pictures(t, { above: whole.element, pick, edit: (name, tensor) => set({ [name]: tensor }) });
  const steps = stepper(t, { label: t("pooling.windows"), testid: "windows", onstep });
  const terms = ledger(t, { onterm: (term) => columns.link(term) });
  const facts = h("div", { class: "facts" });
  const movie = film(t, { label: t("pooling.film"), name: "pooling" });
  const reel = reels(t, { set, state, still: [columns.element, steps.element], film: movie.element });
  const element = h("div", { class: "conv" }, reel.element, facts);

  const shapeOf = (now, shown) => sizes(now.backward ? shown.input : shown.output);

  function onstep(position) {
    const [, , wide] = shapeOf(state(), answer());
    pick(state().at[0], Math.floor(position / wide), position % wide);
  }

  function pick(c, row, column) {
    const now = state().at;
    if (now[0] !== c || now[1] !== row || now[2] !== column) set({ at: [c, row, column] });
  }

  // Gives the element that is shown: the chosen one, or the nearest that there is.
  function draw(now, shown) {
    const shape = shapeOf(now, shown);
    const at = now.at.map((i, axis) => Math.min(i, shape[axis] - 1));
    const name = now.backward ? "∂loss/∂input" : "output";
    whole.draw(now.picture && !now.backward ? shown.input : null);
    columns.draw(now, shown, at);
    const shows = now.film && !now.backward;
    reel.draw(shows);
    if (shows) movie.draw(script(now, shown, at[0]));
    else movie.stop();
    steps.set(at[1] * shape[2] + at[2], shape[1] * shape[2] - 1, `${name}[${at.join(",")}]`);
    const words = t(`pooling.${now.backward ? "back" : "forward"}_${now.kind}`);
    facts.replaceChildren(...sizeFormulas(shown), h("p", { class: "hint" }, words));
    return at;
  }

  function leave() {
    stop();
    movie.leave();
    whole.leave();
    columns.leave();
  }

  function stop() {
    steps.stop();
    movie.stop();
  }

  return { element, terms: terms.element, explain: terms.draw, draw, leave, stop };
}
