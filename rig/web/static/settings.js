// The switches of this browser.
import { keepName, operatorName } from "./person.js";

const changed = (key) => dispatchEvent(new StorageEvent("storage", { key }));

function show() {
  const theme = localStorage.getItem("theme") ?? "dark";
  for (const one of document.querySelectorAll('input[name="theme"]')) one.checked = one.value === theme;
  document.getElementById("sound-on").checked = localStorage.getItem("sound") === "on";
  document.getElementById("keys-wanted").checked = localStorage.getItem("keys") !== "off";
}

document.getElementById("themes").addEventListener("change", ({ target }) => {
  localStorage.setItem("theme", target.value);
  changed("theme");
});
document.getElementById("sound-on").addEventListener("change", () => document.getElementById("sound").click());
document.getElementById("keys-wanted").addEventListener("change", ({ target }) => {
  localStorage.setItem("keys", target.checked ? "on" : "off");
});
document.getElementById("settings-name").addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = document.getElementById("settings-name-told");
  const kept = await keepName(document.getElementById("settings-operator").value.trim());
  told.textContent = kept ? "Kept: it stands beside everything you ask for." : "The controller did not take this name: use letters, digits, spaces and dashes.";
});
document.getElementById("settings-operator").value = operatorName();
addEventListener("storage", () => requestAnimationFrame(show));
document.getElementById("sound").addEventListener("click", () => requestAnimationFrame(show));
show();
