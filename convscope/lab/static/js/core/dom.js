// Elements without a framework: h("button", {class: "quiet", onclick: f, "aria-label": "…"}, child, "text", …).

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

// Text in which `words between backticks` are code: PyTorch's names stay what they are in every language.
export function rich(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", { lang: "en" }, part) : part));
}

// Words of the server, {text, lang} as t.said() gives them, as an element; as a whole sentence with sentence().
export function phrase(tag, props, { text, lang }) {
  return h(tag, { ...props, lang }, text);
}

export function sentence(tag, props, { text, lang }) {
  return phrase(tag, props, { text: complete(text), lang });
}

// A sentence as one: it begins with a capital, unless with a name of code, and ends with a stop.
export function complete(text) {
  if (!text) return "";
  const begun = /^[a-z]+(?=[ ,])/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return /[.!?:…。！？：]$/.test(begun) ? begun : `${begun}${/[\u4e00-\u9fff]/.test(begun) ? "。" : "."}`;
}

// Replace what `parent` shows, keeping the focus on the element with the same data-key where there is one. What is there
// already stays untouched: an element that is taken out, if only for a moment, loses the focus and the pointer.
export function show(parent, ...children) {
  const next = children.flat(Infinity).filter(Boolean);
  if (next.length === parent.childNodes.length && next.every((child, i) => child === parent.childNodes[i])) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...next);
  if (focused) parent.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

let waiting;
// Say something to screen readers, politely and not at every keystroke.
export function say(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => (document.getElementById("spoken").textContent = text), 120);
}
