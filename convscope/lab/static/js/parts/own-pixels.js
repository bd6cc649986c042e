// A picture of one's own small enough for an address: its bytes in base64, and as the tensor that rooms 4 and 5 take.

import { h } from "../core/dom.js";
import { picture } from "../core/binary.js";
import { map } from "./map.js";

const SIDE = 48; // of its longer side

// {rgba, height, width} → {own: base64 of uint8 (3, H, W), own_size: [H, W]}.
export function reduced({ rgba, height, width }) {
  const scale = Math.min(1, SIDE / Math.max(height, width));
  const [high, wide] = [height, width].map((n) => Math.max(1, Math.round(n * scale)));
  const whole = new OffscreenCanvas(width, height);
  whole.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  const ink = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, wide, high);
  ink.imageSmoothingQuality = "high";
  ink.drawImage(whole, 0, 0, wide, high);
  const { data } = ink.getImageData(0, 0, wide, high);
  const area = high * wide;
  const bytes = Uint8Array.from({ length: 3 * area }, (_, i) => data[4 * (i % area) + Math.floor(i / area)]);
  return { own: toBase64(bytes), own_size: [high, wide] };
}

// The same as nested lists (3, H, W) in 0 … 1; null where the address is cut off.
export function tensorOf({ own, own_size: [high, wide] }) {
  const bytes = fromBase64(own);
  if (bytes?.length !== 3 * high * wide) return null;
  const row = (c, r) =>
    Array.from(bytes.subarray((c * high + r) * wide, (c * high + r + 1) * wide), (byte) => byte / 255);
  return [0, 1, 2].map((c) => Array.from({ length: high }, (_, r) => row(c, r)));
}

export const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// null for what is no base64.
export function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

export const isBase64 = (most) => (text) =>
  /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length <= most ? text : undefined;

// A picture in colour, beside whose planes red, green and blue it stands. draw(tensor (C, H, W) in 0 … 1, or null).
export function inColour(label) {
  const part = map({ label, testid: "whole", width: 200 });
  const element = h("div", { class: "titled" }, h("h3", {}, label), part.element);

  function draw(tensor) {
    element.hidden = tensor?.length !== 3;
    if (element.hidden) return;
    const shape = [3, tensor[0].length, tensor[0][0].length];
    part.draw(picture({ shape, values: Float32Array.from(tensor.flat(2), (value) => 255 * value) }));
  }

  return { element, draw, leave: part.leave };
}
