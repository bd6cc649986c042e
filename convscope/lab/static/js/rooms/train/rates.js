// Which learning rate a net bears: a net that is thrown away is trained with a rate that grows, and the loss tells.

import { ask } from "../../core/api.js";
import { h, show } from "../../core/dom.js";
import { num } from "../../core/format.js";
import { chart } from "../../parts/chart.js";

// recipe(): what is to be trained. take(lr): the user takes the rate over. fail(error). onend(): the machine is free again.
export function rates(t, { recipe, take, fail, onend }) {
  const words = (key) => t(`film.${key}`);
  const button = h("button", { class: "quiet", "data-testid": "find-lr", onclick: () => press() }, words("find"));
  const element = h("section", { class: "rates", hidden: true, "data-testid": "rates" });
  let asked = false;

  function press() {
    if (asked) return ask("/api/train/rates/stop", {}).catch(fail);
    return find();
  }

  async function find() {
    busy(true);
    show(element, h("p", { role: "status" }, words("finding")));
    try {
      const found = await ask("/api/train/rates", recipe());
      if (found.rates) draw(found);
      else close();
    } catch (error) {
      close();
      fail(error);
    } finally {
      busy(false);
      onend();
    }
  }

  function busy(on) {
    asked = on;
    if (on) element.hidden = false;
    button.textContent = words(on ? "find_stop" : "find");
    button.setAttribute("aria-pressed", String(on));
  }

  function draw({ rates: along, losses, smoothed, suggested, largest }) {
    const points = (values) => along.map((rate, i) => [rate, values[i]]);
    const series = [
      { name: words("each"), kind: 5, points: points(losses) },
      { name: words("mean"), kind: 0, points: points(smoothed) },
    ];
    const labels = { label: words("rates"), x: t("train.lr"), y: t("train.loss") };
    const accept = () => {
      close();
      take(suggested);
    };
    const told = t("film.suggested", { rate: num(suggested), largest: num(largest, 3) });
    show(
      element,
      h("h2", {}, words("rates")),
      h("p", { "data-testid": "suggested", "data-value": suggested }, told),
      h(
        "p",
        { class: "line" },
        h(
          "button",
          { class: "primary", "data-testid": "take-lr", onclick: accept },
          t("film.take", { rate: num(suggested) }),
        ),
        h("button", { class: "quiet", "data-testid": "close-rates", onclick: close }, words("close")),
      ),
      chart(t, { ...labels, series, logx: true, mark: suggested, testid: "rates-chart" }),
    );
  }

  function close() {
    element.hidden = true;
    show(element);
    button.focus();
  }

  const leave = () => asked && ask("/api/train/rates/stop", {}).catch(() => {});
  return { button, element, leave };
}
