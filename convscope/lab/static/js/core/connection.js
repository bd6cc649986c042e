// Whether the lab answers. Once it does not, it is asked again and again until it does; whoever listens hears of both.

const FIRST = 300; // ms until it is asked again
const EVERY = 1500; // and between any two tries after that
const listeners = new Set();
let token = document.querySelector('meta[name="convscope-token"]').content;
let state = "answering"; // or "lost", or "locked": it answers, but not us
let trying = null;

export const key = () => token;
export const connection = () => state;

// Calls back at every change with the new state, until the returned function is called.
export function onConnection(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

// Nobody answered.
export function lose() {
  trying ??= setTimeout(retry, state === "answering" ? FIRST : EVERY);
  become("lost");
}

// The key of this page may be that of a lab that has ended; the page of the new one has the new key, and the cookie of
// any tab that was let in opens it. True where there is a new one.
export async function renew() {
  const before = token;
  try {
    const response = await fetch("/", { cache: "no-store" });
    const found = response.ok && /convscope-token" content="([\w-]+)"/.exec(await response.text());
    token = found ? found[1] : token;
    become(found ? "answering" : "locked");
    if (!found) trying ??= setTimeout(retry, EVERY);
  } catch {
    lose();
  }
  return token !== before;
}

async function retry() {
  trying = null;
  await renew();
}

function become(next) {
  if (next === state) return;
  state = next;
  for (const callback of [...listeners]) callback(next);
}
