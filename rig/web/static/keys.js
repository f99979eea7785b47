// Keys for people who stand: never while somebody types, and they can be switched off.
const KEY = "keys";
const GO_MS = 1500;
const PAGES = { h: ["/", "Home"], c: ["/campaigns", "Campaigns"], t: ["/catalogs", "Catalogs"], s: ["/stations", "Stations"], j: ["/jobs", "Jobs"] };
let goUntil = 0;

const on = () => localStorage.getItem(KEY) !== "off";

function named(element) {
  const copy = element.cloneNode(true);
  for (const hint of copy.querySelectorAll("kbd")) hint.remove();
  return (element.getAttribute("aria-label") ?? copy.textContent).trim().replace(/\s+/g, " ");
}

function press(key) {
  if (key === " ") return document.querySelector("#do-resume:enabled") ?? document.querySelector("#do-pause:enabled");
  if (key === "a") return document.querySelector("#ask-abort:enabled");
  const wanted = (one) => one.getAttribute("aria-keyshortcuts").toLowerCase() === key;
  return [...document.querySelectorAll("[aria-keyshortcuts]:not(:disabled)")].find(wanted);
}

function listed() {
  const found = new Map([["?", "This list"]]);
  if (document.getElementById("do-pause")) found.set("Space", "Pause after this image, or resume");
  if (document.getElementById("ask-abort")) found.set("a", "Abort, after you confirm it");
  for (const one of document.querySelectorAll("[aria-keyshortcuts]")) {
    const key = one.getAttribute("aria-keyshortcuts");
    if (![...found.keys()].some((known) => known.toLowerCase() === key.toLowerCase())) found.set(key.length === 1 ? key.toLowerCase() : key, named(one));
  }
  for (const [key, [, name]] of Object.entries(PAGES)) found.set(`g ${key}`, `Go to ${name}`);
  found.set("Esc", "Close a dialog");
  return found;
}

function fillList() {
  const list = document.getElementById("keys-list");
  list.replaceChildren();
  for (const [key, text] of listed()) {
    const term = document.createElement("dt");
    for (const part of key.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: part }), " ");
    list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
  }
  document.getElementById("keys-on").checked = on();
}

function typing(target) {
  return target.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable], dialog[open]") !== null;
}

export function listenKeys() {
  const list = document.getElementById("shortcuts");
  if (!list) return; // a page of its own, without the bar
  list.addEventListener("click", fillList);
  document.getElementById("keys-on").addEventListener("change", ({ target }) => {
    localStorage.setItem(KEY, target.checked ? "on" : "off");
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !on() || typing(event.target)) return;
    const key = event.key.toLowerCase();
    if (performance.now() < goUntil && PAGES[key]) {
      location.assign(PAGES[key][0]);
      return;
    }
    goUntil = 0;
    // What has the focus takes these keys itself.
    if ((key === " " || key === "enter") && event.target.closest("button, a, summary, input, [tabindex]:not(main)")) return;
    if (key === "g") {
      goUntil = performance.now() + GO_MS;
      return;
    }
    const found = key === "?" ? list : press(key);
    if (!found) return;
    event.preventDefault();
    found.click();
  });
}
