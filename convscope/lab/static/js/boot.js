// Before the first paint: the theme and language that the user chose last. Runs as a classic script in the head.
{
  const theme = localStorage.getItem("convscope.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const lang = localStorage.getItem("convscope.lang");
  if (lang) document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}
