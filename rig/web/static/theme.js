// Runs before anything is drawn, so that no bright page flashes in a dark room. Not a module: those
// wait for the document.
const THEMES = ["dark", "light", "room", "system"];

function chosenTheme() {
  try {
    const kept = localStorage.getItem("theme");
    return THEMES.includes(kept) ? kept : "dark";
  } catch {
    return "dark"; // storage is switched off
  }
}

function showTheme() {
  const chosen = chosenTheme();
  const bright = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = chosen === "system" ? (bright ? "light" : "dark") : chosen;
}

showTheme();
matchMedia("(prefers-color-scheme: light)").addEventListener("change", showTheme);
addEventListener("storage", (event) => event.key === "theme" && showTheme());
