// Two catalogues, one file a room and language. A key is "file.key"; PyTorch's names stay as they are.

import { phrasebook } from "./phrases.js";

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
  const wanted = [
    ...files.map((file) => `${lang}/${file}`),
    ...(lang === "en" ? [] : [`${lang}/sentences`]), // all that the server says, made from its own catalogue
  ];
  await Promise.all(
    wanted
      .filter((path) => !texts.has(path))
      .map(async (path) => {
        const response = await fetch(new URL(`../../text/${path}.json`, import.meta.url));
        texts.set(path, await response.json());
      }),
  );
}

// t("common.shapes"), t("common.sum_of", {n: 9}). A missing key is a mistake and says so. t.said(sentence) is for what the
// server explains: {text, lang}, where lang is "en" for a sentence that only exists in English.
export function translator(lang) {
  const book = lang === "en" ? null : phrasebook(texts.get(`${lang}/sentences`));
  const t = (key, values = {}) => {
    const [file, name] = key.split(".");
    const text = texts.get(`${lang}/${file}`)?.[name];
    if (text === undefined) throw new Error(`no text for ${key} in ${lang}`);
    return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (_, word) => values[word]) : text;
  };
  t.knows = (key) => texts.get(`${lang}/${key.split(".")[0]}`)?.[key.split(".")[1]] !== undefined;
  t.said = (sentence) => {
    const text = book?.(sentence);
    return text ? { text } : { text: sentence, lang: "en" };
  };
  return t;
}
