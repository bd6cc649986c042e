// Light, dark, or what the system says. Drawings on canvas listen to onTheme; everything else is CSS.

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

export function toggle() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("convscope.theme", next);
  tell();
}

// Calls back at every change, until the returned function is called.
export function onTheme(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

function tell() {
  for (const callback of listeners) callback();
}

system.addEventListener("change", tell);
