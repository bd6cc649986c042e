// Opens a run's net: small nets are computed here, at every stroke; of others the server computes the maps.

import { forward, openNet } from "../../engine.js";
import { ask, line, STALE } from "../../core/api.js";
import { unpack } from "../../core/binary.js";
import { toBase64 } from "../../parts/own-pixels.js";

const KEPT = 3;
const opened = new Map(); // run → promise of what open() gives

// run → {run, bundled, net, layers, local, look(pixels)}. look gives {pixels, made: {layer: Float32Array}, scores,
// confidences}, a promise of that where the server computes it, or of STALE where a later picture overtook this one.
export function open(run) {
  if (!opened.has(run)) {
    const found = fetched(run);
    opened.set(run, found);
    found.catch(() => opened.delete(run));
    if (opened.size > KEPT) opened.delete(opened.keys().next().value);
  }
  return opened.get(run);
}

// A run under way has other weights by now.
export const forget = () => opened.clear();

async function fetched(run) {
  const answer = await ask(`/api/glass/${encodeURIComponent(run)}`);
  const { net, weights } = answer;
  if (weights === null) return { ...answer, local: false, look: remote(answer) };
  await openNet(net, weights);
  const last = net.steps.at(-1).name;
  const look = (pixels) => {
    const { probabilities: confidences, made } = forward(net, pixels);
    return { pixels, made, scores: made[last], confidences };
  };
  return { ...answer, local: true, look };
}

function remote({ run }) {
  const asking = line();
  return async (pixels) => {
    const answer = await asking("/api/inside/look", { run, pixels: toBase64(pixels) });
    if (answer === STALE) return STALE;
    const { head, arrays } = unpack(answer);
    const made = { image: arrays.given.values };
    for (const { name } of head.layers) made[name] = arrays[`map.${name}`].values;
    return { pixels, made, scores: head.scores, confidences: head.confidences };
  };
}
