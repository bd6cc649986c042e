// Training on the set: one button, where the run stands, how good the net is and what speaks against believing that.

import { ask } from "../../core/api.js";
import { complete, h, rich, say, show } from "../../core/dom.js";
import { count } from "../../core/format.js";
import { BUNDLED } from "../glass/state.js";
import { leaving } from "../train/leaving.js";
import { live, running } from "../train/live.js";

const GOOD = 30; // pictures of a class

// start(): a promise of {job}; mine(state): whether a run is one of this set; onrun(name): it is trained; fail(error).
export function learning(t, { start, mine, onrun, fail }) {
  const connection = live({ onchange: draw, onend: (run) => ended(run).catch(fail), onerror: fail });
  const go = h("button", { class: "primary", "data-testid": "learn", onclick: () => begin().catch(fail) });
  const stop = h(
    "button",
    { "data-testid": "learn-stop", onclick: () => ask("/api/train/control", { do: "stop" }).catch(fail) },
    t("classes.stop"),
  );
  const hint = h("p", { class: "hint", "data-testid": "ready" });
  const bar = h("progress", { max: 1, "aria-label": t("train.progress"), hidden: true });
  const where = h("p", { class: "where", role: "status", "data-testid": "where" });
  const result = h("div", { class: "result" });
  const buttons = h("div", { class: "line" }, go, stop, hint);
  const element = h("div", { class: "learning", "data-status": "none" }, buttons, bar, where, result);
  let [ready, shown, fewest] = [false, "", 5];

  async function begin() {
    connection.connect((await start()).job);
    show(result);
    shown = "";
    draw(connection.run());
  }

  function draw(run) {
    const state = run?.state && mine(run.state) ? run.state : null;
    const on = Boolean(run) && (!run.state || running(run.state));
    element.dataset.status = on && !state ? "opening" : (state?.status ?? "none");
    go.textContent = t(shown ? "classes.again" : "classes.learn");
    go.disabled = on || !ready;
    stop.hidden = !on;
    bar.hidden = !on || !state?.total;
    if (state?.total) bar.value = state.step / state.total;
    const words = state ? told(t, state) : "";
    if (where.textContent !== words) where.textContent = words;
    where.classList.toggle("warning", state?.status === "failed");
  }

  async function ended({ state }) {
    if (!mine(state) && state.run) return;
    if (state.status === "finished") await onrun(state.run);
    say(told(t, state));
  }

  // set: as the server says it.
  function pictures({ classes }, least) {
    fewest = least;
    const enough = classes.filter((one) => one.pictures.length + one.others >= fewest).length;
    ready = enough >= 2;
    const few = Math.min(...classes.map((one) => one.pictures.length));
    hint.textContent = ready
      ? few < GOOD
        ? t("classes.few", { n: few, good: GOOD })
        : ""
      : t("classes.not_ready", { n: fewest, good: GOOD });
    draw(connection.run());
  }

  // What a run came to on the pictures that were held out; nothing for "", nor for the net that the lab brings.
  async function judge(run) {
    if (run === shown) return;
    shown = run;
    draw(connection.run());
    if (!run || run === BUNDLED) return show(result);
    const { evaluation } = await ask(`/api/runs/${encodeURIComponent(run)}/verdict`);
    if (run === shown) show(result, outcome(t, run, evaluation));
  }

  return { element, pictures, judge, connect: connection.connect, leave: connection.close };
}

function told(t, { status, message, help }) {
  if (status === "failed") return [message, help].map((text) => complete(t.said(text).text)).join(" ");
  return t(`classes.is_${status}`);
}

function outcome(t, run, { accuracy, images, interval }) {
  const [low, high] = interval.map((p) => (100 * p).toFixed(0));
  const values = { right: Math.round(accuracy * images), n: count(images), low, high };
  const link = (room, key) => h("a", { href: `#/${room}?run=${encodeURIComponent(run)}` }, t(`classes.${key}`));
  return [
    h("p", { "data-testid": "result", "data-value": accuracy, "data-run": run }, t("classes.result", values)),
    h("p", { class: "hint" }, rich(t("classes.honest"))),
    h("p", { class: "line" }, link("glass", "as_glass"), link("inside", "look_inside"), link("train", "mistakes")),
    leaving(t, run, ["html"]),
  ];
}
