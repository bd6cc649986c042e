// What the server explains in English sentences, said in another language. The English catalogue has the sentences with
// {places} for what varies; the other has the same keys. A place may itself hold a sentence. No DOM in here.

// (English catalogue, the other) → (sentence → the same in the other language, or null where it is not in the catalogue).
export function phrasebook(english, other) {
  const known = Object.entries(english).map(([key, form]) => ({
    form: new RegExp(
      `^${form
        .split(/\{\w+\}/)
        .map(literal)
        .join("(.+?)")}$`,
      "u",
    ),
    places: places(form),
    words: other[key],
  }));
  return function say(sentence) {
    for (const { form, places: names, words } of known) {
      const found = form.exec(sentence);
      if (!found) continue;
      const values = Object.fromEntries(names.map((name, i) => [name, say(found[i + 1]) ?? found[i + 1]]));
      return words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
    }
    return null;
  };
}

function places(form) {
  return [...form.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
}

function literal(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
