// Pictures that change many times a second are drawn only where somebody sees them; the others when they come into sight.

const hidden = new WeakSet(); // elements known to be out of sight
const late = new Map(); // element → the latest of its work that was put off

const watch = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) hidden.add(target);
      else {
        hidden.delete(target);
        run(target);
      }
    }
  },
  { rootMargin: "200px" },
);

// Do the work now, or when `element` comes into sight; of several pieces of work only the last is done.
export function inSight(element, work) {
  watch.observe(element);
  if (!hidden.has(element)) return work();
  late.set(element, work);
}

// The element is gone.
export function forget(element) {
  watch.unobserve(element);
  hidden.delete(element);
  late.delete(element);
}

function run(element) {
  const work = late.get(element);
  late.delete(element);
  work?.();
}

addEventListener("beforeprint", () => [...late.keys()].forEach(run)); // paper has no sight
