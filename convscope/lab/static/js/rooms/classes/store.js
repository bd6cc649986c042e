// A set of classes on the disk of this machine: what the server keeps, and how it is asked to change it.

import { ask } from "../../core/api.js";
import { toBase64 } from "../../parts/own-pixels.js";

const stores = {}; // by set, of which there is one queue, also after another was looked at
export const store = (set) => (stores[set] ??= made(set));

function made(set) {
  const turn = inTurn(); // the last answer is of the set as it is
  const post = (what, body) => ask(`/api/classes/${what}`, { set, ...body });
  const change = (what, body) => turn(() => post(what, body));
  return {
    show: () => turn(() => ask(`/api/classes/${set}`)),
    addClass: (name) => change("class", { name }),
    rename: (name, to) => change("rename", { name, to }),
    removeClass: (name) => change("remove", { name }),
    removePicture: (name, file) => change("remove", { name, file }),
    add: async (name, blob) => (await change("add", { name, picture: await base64(blob) })).file,
    train: (pretrained) => post("train", { pretrained }),
    address: (name, file) => `/api/classes/${set}/${encodeURIComponent(name)}/${file}`,
  };
}

export const begin = async () => (await ask("/api/classes/begin", {})).set;

export async function base64(blob) {
  return toBase64(new Uint8Array(await blob.arrayBuffer()));
}

// Jobs one after the other: a class is made before its first picture comes, and renamed between two of them.
export function inTurn() {
  let last = Promise.resolve();
  return (job) => {
    const mine = last.then(job);
    last = mine.catch(() => {});
    return mine;
  };
}
