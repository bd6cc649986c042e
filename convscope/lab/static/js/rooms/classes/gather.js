// The files that somebody drops or chooses: also those of folders, and of folders within.

const MOST = 2000; // files at once

// Of an input, or of what was dropped; hidden files are left out.
export async function gathered({ files, items }) {
  const entries = [...(items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length ? await within(entries) : [...files];
  return found.filter(({ name }) => !name.startsWith(".")).slice(0, MOST);
}

async function within(entries) {
  const found = [];
  for (const entry of entries) {
    if (found.length >= MOST) break;
    if (entry.isFile) found.push(await new Promise((give, fail) => entry.file(give, fail)));
    else found.push(...(await within(await listed(entry.createReader()))));
  }
  return found;
}

// A folder gives its entries in portions.
async function listed(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((give, fail) => reader.readEntries(give, fail));
    if (!some.length || all.length >= MOST) return all;
    all.push(...some);
  }
}
