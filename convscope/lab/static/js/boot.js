// Before the first paint: the theme and language that the user chose last. Runs as a classic script in the head.
{
  // The key in the address has let us in; from now on a cookie does, and nothing that is copied shows the key.
  const place = location.pathname.replace(/^\/[\w-]{32}(?=\/|$)/, "") || "/";
  if (place !== location.pathname) history.replaceState(null, "", place + location.search + location.hash);
  const theme = localStorage.getItem("convscope.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (localStorage.getItem("convscope.projector") === "on") document.documentElement.dataset.projector = "on";
  // What a teacher's link hides: see parts/classroom.js.
  const asked = new URLSearchParams(location.search);
  if (asked.has("hide")) document.documentElement.dataset.hide = asked.get("hide");
  if (asked.get("type") === "large") document.documentElement.dataset.projector = "on";
  if (asked.get("answers") === "off") document.documentElement.dataset.answers = "off";
  const lang = localStorage.getItem("convscope.lang");
  if (lang) document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}
