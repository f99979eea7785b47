// Numbers that follow the rig at once, and the age of everything that is shown.
//   <rig-live of="committed" as="int" session="s…">   a number of a session
//   <progress data-of="committed">                    the same as a bar
//   <rig-age of="station:NAME">                       when it was heard last
//   data-ages="station:NAME" | "controller"           greyed, with its age, when that is too long ago
import { afterExchange } from "./parts.js";

const STALE_MS = 5000;
const body = document.body;
const sessions = new Map(); // id -> its numbers as the controller told them last
const stations = new Map(); // name -> what the last tick said of it
let heardAt = performance.now();
let ticked = false;

const FORMATS = {
  int: (value) => String(Math.round(value)),
  ms: (value) => `${value.toFixed(1)} ms`,
  percent: (value) => `${Math.floor(value)} %`,
  duration: (seconds) => {
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    if (seconds < 120) return `${Math.round(seconds)} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  },
  size: (bytes) => {
    for (const unit of ["bytes", "kB", "MB", "GB"]) {
      if (bytes < 1000) return `${bytes >= 10 || unit === "bytes" ? bytes.toFixed(0) : bytes.toFixed(1)} ${unit}`;
      bytes /= 1000;
    }
    return `${bytes.toFixed(1)} TB`;
  },
};

const sessionOf = (one) => one.getAttribute("session") ?? one.closest("[data-session]")?.dataset.session;

function write(one, text) {
  if (one.textContent !== text) one.textContent = text;
}

class RigLive extends HTMLElement {
  connectedCallback() {
    this.render();
  }

  render() {
    const numbers = sessions.get(sessionOf(this));
    const key = this.getAttribute("of");
    if (!numbers || !(key in numbers)) return;
    const value = numbers[key];
    const format = FORMATS[this.getAttribute("as")] ?? String;
    write(this, value === null ? "–" : format(value));
  }
}

class RigAge extends HTMLElement {
  connectedCallback() {
    this.render();
  }

  render() {
    if (!ticked) return;
    const age = ageOf(this.getAttribute("of"));
    write(this, age === null ? "not connected" : words(age));
  }
}

const words = (ms) => (ms < 1000 ? "now" : `${FORMATS.duration(Math.round(ms / 1000))} ago`.replace(".0 s", " s"));

/** Milliseconds since `of` was heard; null when it is not connected. */
function ageOf(of) {
  const silent = performance.now() - heardAt;
  if (!of.startsWith("station:")) return silent;
  const station = stations.get(of.slice(8));
  return station?.connected ? station.heard_age_ms + silent : null;
}

function fill(root) {
  for (const one of root.querySelectorAll("rig-live")) one.render();
  for (const bar of root.querySelectorAll("progress[data-of]")) {
    const value = sessions.get(sessionOf(bar))?.[bar.dataset.of];
    if (typeof value === "number" && bar.value !== value) bar.value = value;
  }
}

export function tick(said) {
  heardAt = performance.now();
  ticked = true;
  stations.clear();
  for (const one of said.stations) stations.set(one.name, one);
  showAges();
}

/** Say how old everything is; called every second and at every tick. */
export function showAges() {
  const text = sentence();
  const freshness = document.getElementById("freshness");
  if (freshness && text.words) {
    freshness.dataset.link = text.stale ? "stale" : "fresh";
    write(freshness, text.words);
  }
  body.toggleAttribute("data-stale", text.stale);
  for (const one of document.querySelectorAll(".numbers")) one.dataset.age = text.age;
  for (const one of document.querySelectorAll("[data-ages]")) age(one);
  for (const one of document.querySelectorAll("rig-age")) one.render();
  const phone = document.getElementById("phone-age");
  const told = stations.get(body.dataset.station)?.phone;
  if (phone && told) write(phone, words(told.age_ms + performance.now() - heardAt));
}

function age(one) {
  if (!ticked) return;
  const ms = ageOf(one.dataset.ages);
  const old = ms === null || ms > STALE_MS;
  one.toggleAttribute("data-old", old);
  one.dataset.age = old ? (ms === null ? "not connected" : words(ms)) : "";
}

function sentence() {
  const silent = performance.now() - heardAt;
  const seconds = Math.round(silent / 1000);
  if (silent > STALE_MS) {
    return { stale: true, age: `${seconds} s old`, words: `No contact with the controller for ${seconds} s: the numbers are old` };
  }
  if (!ticked) return { stale: false, age: "", words: "" }; // nothing is known yet
  const name = body.dataset.station;
  if (!name) return { stale: false, age: "", words: `Controller: ${words(silent)}` };
  const heard = ageOf(`station:${name}`);
  if (heard === null) return { stale: true, age: "", words: `Station ${name} is not connected: the numbers are old` };
  const stale = heard > STALE_MS;
  return { stale, age: stale ? words(heard) : "", words: `Station ${name}: ${words(heard)}${stale ? ": the numbers are old" : ""}` };
}

export function listenNumbers() {
  document.addEventListener("rig:numbers", ({ detail }) => {
    heardAt = performance.now();
    for (const one of detail.sessions) sessions.set(one.id, one);
    fill(document);
  });
  document.addEventListener("rig:event", () => {
    heardAt = performance.now();
  });
  afterExchange(fill);
  customElements.define("rig-live", RigLive);
  customElements.define("rig-age", RigAge);
}
