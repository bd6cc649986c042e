// What is on the screen as one SVG that needs nothing else: boxes, lines of text where they stand, pictures, drawings.

import { s } from "../core/dom.js";

const STYLED = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "paint-order",
];
const LETTERS = ["font-family", "font-size", "font-weight", "font-style"];
const NOTHING = /^rgba\(\d+, \d+, \d+, 0\)$|^transparent$/;

// An element of the page → an SVG element of its size, on the page's own ground.
export function vector(root) {
  const origin = root.getBoundingClientRect();
  const [width, height] = [root.scrollWidth, root.scrollHeight].map(Math.ceil);
  const paper = getComputedStyle(document.documentElement).backgroundColor;
  const out = s("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  out.append(s("rect", { width, height, fill: paper }));
  walk(root, out, { x: origin.left, y: origin.top });
  return out;
}

function walk(element, out, origin) {
  const style = getComputedStyle(element);
  const seen = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  if (!seen && style.display !== "contents") return; // whose children have boxes of their own
  const box = element.getBoundingClientRect();
  if (style.overflow === "hidden" && box.width <= 1) return; // only for screen readers
  const at = { x: box.left - origin.x, y: box.top - origin.y, width: box.width, height: box.height };
  if (element instanceof SVGSVGElement) return out.append(drawn(element, at));
  ground(style, at, out);
  if (element instanceof HTMLCanvasElement && element.width) return out.append(image(element.toDataURL(), at, style));
  if (element instanceof HTMLImageElement || element instanceof HTMLVideoElement)
    return out.append(image(pixels(element), at, style));
  if (element instanceof HTMLInputElement || element instanceof HTMLSelectElement)
    return field(element, style, at, out);
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) written(node, style, out, origin);
    else if (node.nodeType === Node.ELEMENT_NODE) walk(node, out, origin);
  }
}

// Background and border of a box.
function ground(style, at, out) {
  const fill = /gradient\(.*?(rgba?\([^)]+\))/.exec(style.backgroundImage)?.[1];
  const round = { rx: parseFloat(style.borderTopLeftRadius) || 0 };
  for (const colour of [style.backgroundColor, fill])
    if (colour && !NOTHING.test(colour)) out.append(s("rect", { ...at, ...round, fill: colour }));
  const wide = parseFloat(style.borderTopWidth);
  const all = ["Right", "Bottom", "Left"].every((side) => parseFloat(style[`border${side}Width`]) === wide);
  if (wide && all && !NOTHING.test(style.borderTopColor))
    out.append(
      s("rect", { ...inner(at, wide), ...round, fill: "none", stroke: style.borderTopColor, "stroke-width": wide }),
    );
  else if (!all) edges(style, at, out);
  const ring = /^(rgba?\([^)]+\)) 0px 0px 0px ([\d.]+)px inset/.exec(style.boxShadow);
  if (ring)
    out.append(s("rect", { ...inner(at, Number(ring[2])), fill: "none", stroke: ring[1], "stroke-width": ring[2] }));
}

function inner({ x, y, width, height }, wide) {
  return { x: x + wide / 2, y: y + wide / 2, width: Math.max(0, width - wide), height: Math.max(0, height - wide) };
}

function edges(style, { x, y, width, height }, out) {
  const sides = {
    Top: [x, y, x + width, y],
    Bottom: [x, y + height, x + width, y + height],
    Left: [x, y, x, y + height],
    Right: [x + width, y, x + width, y + height],
  };
  for (const [side, [x1, y1, x2, y2]] of Object.entries(sides)) {
    const [wide, colour] = [parseFloat(style[`border${side}Width`]), style[`border${side}Color`]];
    if (wide && !NOTHING.test(colour)) out.append(s("line", { x1, y1, x2, y2, stroke: colour, "stroke-width": wide }));
  }
}

// A drawing of the page, its style from the page's sheets written into it.
function drawn(svg, at) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((one) => [one, ...one.querySelectorAll("*")]);
  from.forEach((one, i) => {
    const style = getComputedStyle(one);
    const names = one.tagName === "text" || one.tagName === "tspan" ? [...STYLED, ...LETTERS, "text-anchor"] : STYLED;
    for (const name of names) to[i].setAttribute(name, style.getPropertyValue(name));
    if (style.opacity !== "1") to[i].setAttribute("opacity", style.opacity);
    if (style.visibility === "hidden") to[i].setAttribute("visibility", "hidden");
    for (const name of ["class", "style", "data-testid", "tabindex"]) to[i].removeAttribute(name);
  });
  for (const [name, value] of Object.entries(at)) copy.setAttribute(name, value);
  copy.setAttribute("overflow", "visible");
  return copy;
}

function image(href, at, style) {
  const sharp = style.imageRendering === "pixelated" ? { "image-rendering": "pixelated" } : {};
  const fit = { cover: "xMidYMid slice", contain: "xMidYMid meet" }[style.objectFit] ?? "none";
  return s("image", { href, ...at, preserveAspectRatio: fit, ...sharp });
}

function pixels(picture) {
  const canvas = document.createElement("canvas");
  const [width, height] = [picture.naturalWidth ?? picture.videoWidth, picture.naturalHeight ?? picture.videoHeight];
  [canvas.width, canvas.height] = [width || 1, height || 1];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL();
}

// The text of a node, line by line as the page breaks it.
function written(node, style, out, origin) {
  const range = document.createRange();
  let line = null;
  const end = () => line?.text.trim() && out.append(letters(line.text, line.x, line.base, style));
  for (let i = 0; i < node.length; i += 1) {
    range.setStart(node, i);
    range.setEnd(node, i + 1);
    const box = range.getClientRects()[0];
    if (!box?.width) continue;
    const base =
      box.bottom - origin.y - 0.21 * parseFloat(style.fontSize) - (box.height - 1.2 * parseFloat(style.fontSize)) / 2;
    if (line && Math.abs(line.base - base) < 2) line.text += node.data[i];
    else {
      end();
      line = { text: node.data[i], x: box.left - origin.x, base };
    }
  }
  end();
}

function letters(text, x, y, style) {
  const props = Object.fromEntries(LETTERS.map((name) => [name, style.getPropertyValue(name)]));
  return s("text", { x, y, fill: style.color, ...props, "xml:space": "preserve" }, text.replace(/\s+/g, " "));
}

function field(input, style, at, out) {
  if (input.type === "range") {
    const share = (input.value - input.min) / (input.max - input.min || 1);
    const y = at.y + at.height / 2;
    out.append(
      s("line", {
        x1: at.x,
        x2: at.x + at.width,
        y1: y,
        y2: y,
        stroke: style.color,
        "stroke-opacity": 0.3,
        "stroke-width": 4,
      }),
    );
    return out.append(s("circle", { cx: at.x + share * at.width, cy: y, r: 7, fill: style.accentColor }));
  }
  const text =
    input.type === "checkbox" ? (input.checked ? "☑" : "☐") : (input.selectedOptions?.[0]?.textContent ?? input.value);
  const size = parseFloat(style.fontSize);
  const right = style.textAlign === "end" || style.textAlign === "right";
  const shown = letters(text, right ? at.x + at.width - 8 : at.x + 8, at.y + at.height / 2 + 0.35 * size, style);
  if (right) shown.setAttribute("text-anchor", "end");
  out.append(shown);
}
