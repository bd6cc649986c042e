// All of the page is dimmed and out of reach but what matters now: for the eye, the mouse, the keys and screen readers.

const FRAME = "#top > :is(nav, .brand)"; // language, type and theme stay within reach
const MARGIN = 12; // pixels around what is lit

// kept(): what stays lit always, such as the lesson itself. Gives {light(selector | null), show(), leave()}.
export function spotlight(main, kept) {
  let wanted = null;
  let dimmed = new Set();
  const watch = new MutationObserver(apply);

  function light(selector) {
    wanted = selector;
    watch.disconnect();
    if (wanted) watch.observe(main, { childList: true, subtree: true });
    apply();
  }

  function lit() {
    return wanted ? [...main.querySelectorAll(wanted)].filter((one) => one.getClientRects().length) : [];
  }

  // What is drawn again is dimmed again.
  function apply() {
    const shown = lit();
    const dark = new Set(
      shown.length ? [...document.querySelectorAll(FRAME), ...beside(main, [...kept(), ...shown])] : [],
    );
    for (const one of dimmed) if (!dark.has(one)) dim(one, false);
    for (const one of dark) dim(one, true);
    dimmed = dark;
  }

  // Scroll what is lit, or a part of it, between the bar and the lesson.
  function show(low, part) {
    const [whole] = lit();
    if (!whole) return;
    const first = (part && whole.querySelector(part)) || whole;
    if (first !== whole) first.scrollIntoView({ block: "start" });
    const { top, bottom } = first.getBoundingClientRect();
    const bar = document.getElementById("top");
    const high = getComputedStyle(bar).position === "sticky" ? bar.getBoundingClientRect().bottom : 0;
    const [up, down] = [top - high - MARGIN, bottom - low + MARGIN];
    if (up < 0 || down > 0) scrollBy(0, up < 0 ? up : Math.min(up, down));
  }

  return { light, show, leave: () => light(null) };
}

// The largest elements below `root` that hold none of `kept`.
function beside(root, kept) {
  return [...root.children].flatMap((child) => {
    if (kept.some((one) => one.contains(child))) return [];
    return kept.some((one) => child.contains(one)) ? beside(child, kept) : [child];
  });
}

function dim(element, on) {
  element.inert = on;
  element.classList.toggle("dimmed", on);
}
