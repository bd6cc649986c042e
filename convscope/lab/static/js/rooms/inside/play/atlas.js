// The test images as points on a map of what the last layer reads: what lies near looks alike to the net. By PCA at once, by
// t-SNE as it is computed; the picture of the room lands among them.

import { STALE, line } from "../../../core/api.js";
import { unpack } from "../../../core/binary.js";
import { h, rich, say, show } from "../../../core/dom.js";
import { select } from "../../../parts/fields.js";
import { source } from "../picker.js";
import { scatter } from "./scatter.js";

const POLL = 700; // ms between two looks at t-SNE

export function panel({ t, set, state, fail }) {
  const asking = line();
  const layout = select(t("play.layout"), {
    testid: "layout",
    options: [
      ["pca", "PCA"],
      ["tsne", "t-SNE"],
    ],
    onchange: (value) => set({ layout: value }),
  });
  const progress = h("progress", {
    hidden: true,
    "aria-label": t("play.tsne_progress"),
    "data-testid": "tsne-progress",
  });
  const standing = h("p", { class: "hint", role: "status", "data-testid": "map-state" });
  const field = scatter(t, { onat: near, onpick: (i) => set({ test: head.which[i], ink: "", pixels: "" }) });
  const shown = h("div", { class: "nearby", "data-testid": "nearby" });
  const classes = h("ul", { class: "classes", "aria-label": t("play.classes_shown") });
  const mine = h("p", { class: "hint", "data-testid": "mine" });
  const element = h(
    "div",
    { class: "atlas" },
    h("div", { class: "line" }, layout.element, progress, standing),
    h("div", { class: "chartered" }, field.element, h("div", { class: "beside-map" }, classes, shown, mine)),
  );
  let head = null;
  let run = "";
  let only = -1; // the class that alone is bright
  let timer = 0;

  async function update(now, { image }) {
    clearTimeout(timer);
    layout.set(now.layout);
    const answer = await asking("/api/inside/atlas", { ...image, neighbours: now.layout === "tsne" });
    if (answer === STALE || state().play !== "map") return;
    const found = unpack(answer);
    [head, run] = [found.head, now.run];
    const sheet = `/api/inside/atlas/${encodeURIComponent(run)}.png`;
    field.draw({ head, places: found.arrays.places.values, mine: found.arrays.mine.values, sheet });
    legend();
    tell();
    if (head.done !== null && head.done < head.rounds && !head.failed)
      timer = setTimeout(() => element.isConnected && update(state(), { image }).catch(fail), POLL);
  }

  function tell() {
    const { done, rounds, failed, explained, features, which, all } = head;
    progress.hidden = done === null || done === rounds || failed !== "";
    if (!progress.hidden) Object.assign(progress, { max: rounds, value: done });
    const percent = explained.map((part) => `${(100 * part).toFixed(0)} %`).join(" + ");
    const by =
      done === null ? t("play.pca_told", { features, percent }) : t("play.tsne_told", { features, done, rounds });
    standing.textContent = failed ? t.said(failed).text : `${by} ${t("play.map_of", { n: which.length, all })}`;
    const names = [...new Set(head.near.map((n) => head.classes[head.labels[head.which.indexOf(n)]]))].join(", ");
    show(mine, ...rich(t(done === null ? "play.mine_pca" : "play.mine_tsne", { names })));
  }

  // A class alone, or all again.
  function legend() {
    const used = [...new Set(head.labels)].sort((a, b) => a - b).slice(0, 24);
    const button = (c) => {
      const onclick = () => {
        only = only === c ? -1 : c;
        field.only(only);
        legend();
      };
      const key = { class: "swatch", style: { "--swatch": field.colour(c) } };
      return h(
        "button",
        {
          class: "quiet",
          "aria-pressed": String(only === c),
          "data-key": `class-${c}`,
          "data-testid": `class-${c}`,
          onclick,
        },
        h("span", key),
        head.classes[c],
      );
    };
    show(
      classes,
      used.map((c) => h("li", {}, button(c))),
    );
  }

  // The image under the pointer or the focus, larger; null for none.
  function near(i, spoken) {
    if (i === null) return show(shown);
    const [n, label, said] = [head.which[i], head.classes[head.labels[i]], head.classes[head.predicted[i]]];
    const words = t(label === said ? "play.point" : "play.point_wrong", { n, name: label, said });
    show(shown, h("img", { src: source(run, n), alt: "" }), h("p", {}, words));
    if (spoken) say(words);
  }

  return {
    element,
    update,
    leave: () => {
      clearTimeout(timer);
      field.leave();
    },
  };
}
