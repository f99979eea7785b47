// Keeps a page equal to what the controller would render now. Nothing is computed here: on every
// event the page is asked for again and the parts marked `data-part` that differ are exchanged.
const STALE_MS = 5000;
const body = document.body;
const freshness = document.getElementById("freshness");
let heardAt = performance.now(); // when the controller last said anything
let station = null; // what the last tick said about this page's station
const shown = new Map(); // part -> its HTML as the controller rendered it
let busy = false;
let again = false;

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString();
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The old picture stays until the new one can be drawn: no black in between.
async function drawable(root) {
  const pictures = [...root.querySelectorAll("img")].map((picture) => picture.decode());
  await Promise.race([Promise.allSettled(pictures), wait(2000)]);
}

async function exchange(fresh) {
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === shown.get(part)) continue;
    shown.set(part, next.innerHTML);
    const copy = document.importNode(next, true);
    await drawable(copy);
    part.replaceChildren(...copy.childNodes);
    localTimes(part);
  }
  document.title = fresh.title;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected) location.reload();
    else if (answer.ok) {
      await exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // The stream notices a lost controller; what is shown turns grey.
  }
  await wait(250);
  busy = false;
  if (again) {
    again = false;
    refresh();
  }
}

function age(ms) {
  return ms < 1000 ? "now" : `${Math.round(ms / 1000)} s ago`;
}

function showFreshness() {
  const silent = performance.now() - heardAt;
  const heard = station?.connected ? station.heard_age_ms + silent : null;
  let text = `Controller: ${age(silent)}`;
  let stale = silent > STALE_MS;
  if (stale) text = `No contact with the controller for ${Math.round(silent / 1000)} s: the numbers are old`;
  else if (body.dataset.station) {
    stale = heard === null || heard > STALE_MS;
    if (heard === null) text = `Station ${body.dataset.station} is not connected: the numbers are old`;
    else text = `Station ${body.dataset.station}: ${age(heard)}`;
    if (heard !== null && stale) text += ": the numbers are old";
  }
  freshness.dataset.link = stale ? "stale" : "fresh";
  if (freshness.textContent !== text) freshness.textContent = text;
  body.toggleAttribute("data-stale", stale);
  const phoneAge = document.getElementById("phone-age");
  if (phoneAge && station?.phone) phoneAge.textContent = age(station.phone.age_ms + silent);
}

function hear({ kind, data }) {
  if (kind === "refused") {
    setTimeout(() => location.reload(), 3000);
    return;
  }
  heardAt = performance.now();
  const said = JSON.parse(data);
  if (kind === "tick") {
    const before = station;
    station = said.stations.find((one) => one.name === body.dataset.station) ?? null;
    const told = "phone" in body.dataset && before?.phone?.number !== station?.phone?.number;
    if (before !== null && (told || before.connected !== station?.connected)) refresh();
    showFreshness();
  } else if (!body.dataset.session || said.session === body.dataset.session) refresh();
}

function listen() {
  if (!("live" in body.dataset)) return;
  if (window.SharedWorker) {
    const worker = new SharedWorker("/static/stream.js");
    worker.port.onmessage = ({ data }) => hear(data);
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    // Back from the browser's memory: what is shown is old.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  } else {
    const stream = new EventSource("/api/events");
    stream.onmessage = ({ data }) => hear({ kind: "event", data });
    stream.addEventListener("tick", ({ data }) => hear({ kind: "tick", data }));
    stream.onerror = () => stream.readyState === EventSource.CLOSED && hear({ kind: "refused" });
  }
  refresh(); // what happened between the page's rendering and now
}

function refuse(text) {
  document.getElementById("problem-text").textContent = text;
  document.getElementById("problem").hidden = false;
}

async function post(path, value) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: value === undefined ? undefined : JSON.stringify(value),
    });
    const said = await answer.json();
    if (answer.ok) return said;
    refuse(said.detail ?? `The controller answered ${answer.status}.`);
  } catch {
    refuse("The controller does not answer. Look whether it runs, then try again.");
  }
  return null;
}

function values(form) {
  const found = {};
  for (const [name, value] of new FormData(form)) {
    if (name === "campaign/subset") {
      [found.campaign, found.subset] = value.split("/");
      found.subset = Number(found.subset);
    } else if (name === "indices") {
      const listed = value.split(/[ ,]+/).filter(Boolean).map(Number);
      if (listed.length) found.indices = listed;
    } else if (name === "last") {
      if (value && !found.indices) found.last = Number(value);
    } else found[name] = value;
  }
  if ("named" in form.dataset) found.name = document.getElementById("operator")?.value.trim() || undefined;
  return found;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-post], [data-json]")) return;
  event.preventDefault();
  document.getElementById(form.dataset.closes)?.close();
  const path = form.dataset.json ?? form.getAttribute("action");
  const said = await post(path, form.dataset.json ? values(form) : undefined);
  if (said && form.dataset.then) location.assign(form.dataset.then + said.id);
  else if (said) refresh();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "problem-read") document.getElementById("problem").hidden = true;
  if (button.id === "ask-abort") document.getElementById("abort-dialog").showModal();
  if (button.dataset.open) document.getElementById(button.dataset.open).showModal();
  if (button.dataset.close) document.getElementById(button.dataset.close).close();
  if (button.id === "theme") setTheme(document.documentElement.dataset.theme === "room" ? "dark" : "room");
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("button, a, input, select, textarea, dialog[open]")) return;
  if (event.key === " ") {
    const button = document.querySelector("#do-resume:enabled") ?? document.querySelector("#do-pause:enabled");
    if (!button) return;
    event.preventDefault();
    button.click();
  } else if (event.key === "a" || event.key === "A") document.querySelector("#ask-abort:enabled")?.click();
});

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").setAttribute("aria-pressed", String(theme === "room"));
  localStorage.setItem("theme", theme);
}

for (const part of document.querySelectorAll("[data-part]")) shown.set(part, part.innerHTML);
const operator = document.getElementById("operator");
if (operator) {
  operator.value = localStorage.getItem("operator") ?? "";
  operator.addEventListener("change", () => localStorage.setItem("operator", operator.value.trim()));
}
setTheme(localStorage.getItem("theme") ?? "dark");
localTimes(document);
listen();
setInterval(showFreshness, 1000);
