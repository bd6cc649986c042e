// What is lit up for the map, or the class, that the pointer is on: windows, ribbons, the lens.

import { num } from "../../core/format.js";
import { drawn } from "./columns.js";
import { flows, readBy, shares, windowOf } from "./flow.js";

// parts: {net: columns(), chances: bars(), bands: ribbons(), glass: lens()}.
export function focus({ net, chances, bands, glass }) {
  let shown = null; // {net, answer, best}
  let known = null; // {target, gradients: {layer: Float32Array}} of the picture that is shown, when it has come
  let at = null; // [layer, index] under the pointer, or ["", class]

  function draw(next) {
    [shown, known] = [next, null];
    if (at) light(...at);
  }

  function gradients(found) {
    known = found;
    if (at) light(...at);
  }

  function clear() {
    at = null;
    net.outline([]);
    bands.draw([]);
    glass.clear();
  }

  function light(layer, index) {
    at = [layer, index];
    if (layer === "") return ofClass(index);
    const { made } = shown.answer;
    const step = shown.net.net.steps.find(({ name }) => name === layer.name) ?? null;
    const gradient = known?.gradients[layer.name];
    const [channel, row, column] = index;
    const value = made[layer.name][index.reduce((sum, i, axis) => sum * layer.shape[axis] + i, 0)];
    const each = gradient ? shares(layer, made[layer.name], gradient) : null;
    const parts =
      step && gradient
        ? flows(
            step,
            channel,
            step.inputs.map((name) => made[name]),
            made[layer.name],
            gradient,
          )
        : null;
    const share = each && { amount: each[channel], name: shown.net.net.classes[known.target] };
    net.outline([...windows(step, layer, index), spot(layer, index, row, column)]);
    bands.draw(carried(layer, step, channel, parts, each));
    glass.draw({ layer, step, index, value }, share, parts);
  }

  // Ribbons from the maps that are read, and on to the answer.
  function carried(layer, step, channel, parts, each) {
    if (!each) return [];
    const here = net.mapOf(layer.name, channel)?.element;
    const of = Math.max(...each.map(Math.abs), ...(parts ?? []).map(Math.abs));
    const on = { from: here, to: chances.row(known.target), amount: each[channel], of, name: "answer" };
    const reads = parts ? readBy(step, channel) : [];
    const back = reads.map(({ input, channel: c }, i) => {
      const name = step.inputs[input];
      return { from: net.mapOf(name, c)?.element, to: here, amount: parts[i], of, name: `${name}-${c}` };
    });
    return [...(layer.name === "image" ? [] : back), on];
  }

  function windows(step, layer, [channel, row, column]) {
    const box = step && layer.shape.length === 3 && windowOf(step, row, column);
    return box
      ? readBy(step, channel).map(({ input, channel: c }) => ({ name: step.inputs[input], channel: c, ...box }))
      : [];
  }

  // A class: what every map before the last layer brings to its score.
  function ofClass(klass) {
    net.outline([]);
    glass.clear();
    const { steps } = shown.net.net;
    const last = steps.at(-1);
    const source = drawn(shown.net.layers).at(-1);
    if (last?.op !== "linear" || !source || !net.row(source.name)) return bands.draw([]);
    const x = shown.answer.made[last.inputs[0]];
    const size = x.length / source.shape[0];
    if (!Number.isInteger(size)) return bands.draw([]);
    const score = num(shown.answer.scores[klass]);
    glass.score({ name: shown.net.net.classes[klass], score, layer: source.name });
    const parts = shares(
      { shape: [source.shape[0], size] },
      x,
      last.weights[0].subarray(klass * x.length, (klass + 1) * x.length),
    );
    const of = Math.max(...parts.map(Math.abs));
    const to = chances.row(klass);
    bands.draw(
      parts.map((amount, c) => ({
        from: net.mapOf(source.name, c)?.element,
        to,
        amount,
        of,
        name: `${source.name}-${c}`,
      })),
    );
  }

  return { draw, gradients, light, clear, again: () => at && light(...at) };
}

function spot(layer, [channel], row, column) {
  if (row === undefined) return { name: layer.name, channel, row: 0, column: 0, rows: 0, columns: 0 };
  return { name: layer.name, channel, row, column, rows: 1, columns: 1 };
}
