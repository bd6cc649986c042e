// Two catalogues, one file a room and language. A key is "file.key"; PyTorch's names stay as they are.

export const LANGUAGES = { en: "English", zh: "中文" };

const texts = new Map(); // "en/shapes" → {key: text}

export function language() {
  const chosen = localStorage.getItem("convscope.lang");
  if (chosen in LANGUAGES) return chosen;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

export function choose(lang) {
  localStorage.setItem("convscope.lang", lang);
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}

export async function load(lang, ...files) {
  const missing = files.filter((file) => !texts.has(`${lang}/${file}`));
  await Promise.all(
    missing.map(async (file) => {
      const response = await fetch(new URL(`../../text/${lang}/${file}.json`, import.meta.url));
      texts.set(`${lang}/${file}`, await response.json());
    }),
  );
}

// t("common.shapes"), t("common.sum_of", {n: 9}). A missing key is a mistake and says so.
export function translator(lang) {
  return (key, values = {}) => {
    const [file, name] = key.split(".");
    const text = texts.get(`${lang}/${file}`)?.[name];
    if (text === undefined) throw new Error(`no text for ${key} in ${lang}`);
    return Array.isArray(text) ? text : text.replace(/\{(\w+)\}/g, (_, word) => values[word]);
  };
}
