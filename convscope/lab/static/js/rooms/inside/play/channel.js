// What a channel likes: the test images that excite it most, each with the window that did, and a picture made for it.

import { STALE, line } from "../../../core/api.js";
import { picture, unpack } from "../../../core/binary.js";
import { h, rich, say, show } from "../../../core/dom.js";
import { num, shape } from "../../../core/format.js";
import { number, select } from "../../../parts/fields.js";
import { map } from "../../../parts/map.js";
import { source } from "../picker.js";

export function panel({ t, set, state }) {
  const asking = line();
  const layer = select(t("play.layer"), {
    testid: "likes-layer",
    options: [],
    onchange: (value) => set({ likes: [value, 0] }),
  });
  const channel = number(t("play.channel"), {
    testid: "likes-channel",
    onchange: (value) => found && value < sizeOf() && set({ likes: [found.head.layer, value] }),
  });
  const best = h("ol", { class: "best", "aria-label": t("play.best") });
  const about = h("p", { class: "hint", "data-testid": "best-of" });
  const made = map({ label: t("play.made"), testid: "made", width: 196 });
  const told = h("p", { class: "hint", "data-testid": "made-told" });
  const busy = h("p", { class: "hint", role: "status", "data-testid": "likes-busy" });
  const element = h(
    "div",
    { class: "likes" },
    h("div", { class: "line" }, layer.element, channel.element, busy),
    h(
      "div",
      { class: "liked" },
      h("div", {}, h("h3", {}, t("play.best")), best, about),
      h("div", {}, h("h3", {}, t("play.made")), made.element, told),
    ),
  );
  let found = null;
  let asked = "";

  const sizeOf = () => found.head.layers.find(({ name }) => name === found.head.layer).shape[0];

  async function update({ run, likes: [name = null, at = 0] }, { head }) {
    const question = { run, layer: name, channel: at };
    if (JSON.stringify(question) === asked) asking.drop();
    else {
      busy.textContent = t("play.busy");
      const answer = await asking("/api/inside/channel", question).finally(() => (busy.textContent = ""));
      if (answer === STALE) return;
      found = unpack(answer);
      asked = JSON.stringify(question);
      draw(run, head.classes);
    }
  }

  function draw(run, classes) {
    const { layers, layer: name, channel: at } = found.head;
    layer.input.replaceChildren(
      ...layers.map((one) => h("option", { value: one.name }, `${one.name} · ${shape(one.shape)}`)),
    );
    layer.set(name);
    channel.set(at);
    channel.input.max = sizeOf() - 1;
    show(
      best,
      found.head.best.map((one, i) => h("li", {}, tile(run, one, i, classes))),
    );
    const { of, all, missing, largest } = found.head;
    about.textContent = missing ? t.said(missing).text : t("play.best_of", { of, all });
    made.draw(picture({ ...found.arrays.made, values: found.arrays.made.values }));
    const means = found.arrays.means.values;
    const words = {
      from: num(means[0], 3),
      to: num(means.at(-1), 3),
      steps: means.length - 1,
      largest: num(largest, 3),
    };
    show(told, ...rich(t("play.made_told", words)));
    told.dataset.value = means.at(-1);
    if (state().likes.length) say(t("play.likes_are", { name: `${name}[${at}]`, n: found.head.best.length }));
  }

  // One of the best: the image with the window, the number, and its class. It opens in the room.
  function tile(run, one, i, classes) {
    const share = (part, whole) => `${(100 * part) / whole}%`;
    const style = {
      top: share(one.row, one.height),
      left: share(one.column, one.width),
      height: share(one.rows, one.height),
      width: share(one.columns, one.width),
    };
    const words = `${classes[one.label]} · ${num(one.value, 3)}`; // what is read is also what is spoken
    return h(
      "button",
      {
        class: "liking",
        "data-testid": `best-${i}`,
        "data-value": one.value,
        "data-key": `best-${i}`,
        "aria-label": t("play.best_one", { told: words, n: one.image }),
        onclick: () => set({ test: one.image, ink: "", pixels: "", path: [[found.head.layer, ...one.index]] }),
      },
      h(
        "span",
        { class: "stacked" },
        h("img", { src: source(run, one.image), alt: "" }),
        one.rows > 0 && h("span", { class: "seen", style }),
      ),
      h("span", { class: "caption" }, words),
    );
  }

  return { element, update, leave: made.leave };
}
