// What the server says in English sentences, said in another language: the forms of the command line's own catalogue, with
// {} for what varies, the most definite form first. {0} is the first of what varies, as it came (names, numbers); {0!} may
// itself hold a sentence. No DOM in here. The rules are those of convscope/language/book.py.

const PLACE = /\{(\d+)(!?)\}/g;
const SHORT = 10; // letters

// [[English form, the other], …] → (sentence → the same in the other language, or null where it is not in the catalogue).
export function phrasebook(sentences) {
  const whole = new Map(sentences);
  const forms = sentences.filter(([form]) => form.includes("{}")).map(shaped);
  // A sentence within another one, whose spaces around it stay.
  const held = (value) => {
    const core = value.trim();
    return value.replace(core, () => say(core) ?? core);
  };
  return say;

  function say(sentence) {
    if (whole.has(sentence)) return whole.get(sentence);
    for (const form of forms) {
      const values = taken(form, sentence);
      if (!values) continue;
      return form.words.replace(PLACE, (_, i, holds) => (holds ? held(values[i]) : values[i]));
    }
    return null;
  }
}

function shaped([form, words]) {
  const parts = form.split("{}");
  const named = parts.length === 2 && /(: | {2})$/.test(parts[0]);
  const short = !named && (parts.join("").match(/\p{L}/gu) ?? []).length < SHORT;
  const holding = new Set([...words.matchAll(PLACE)].filter((place) => place[2]).map((place) => Number(place[1])));
  return { parts, words, short, holding };
}

// What stands in the places of a sentence of this form; null where it has another.
function taken({ parts, short, holding }, sentence) {
  const [first, last] = [parts[0], parts.at(-1)];
  const end = sentence.length - last.length;
  if (end < first.length || !sentence.startsWith(first) || !sentence.endsWith(last)) return null;
  const values = [];
  let begin = first.length;
  for (const part of parts.slice(1, -1)) {
    const at = sentence.indexOf(part, begin);
    if (at < 0 || at + part.length > end) return null;
    values.push(sentence.slice(begin, at));
    begin = at + part.length;
  }
  values.push(sentence.slice(begin, end));
  const columns = values.some((value) => /^ | {2}/.test(value.trimEnd()));
  const long = short && values.some((value, i) => !holding.has(i) && value.trimEnd().includes(" "));
  return columns || long ? null : values;
}
