// Calls a person: the title, the icon, a word in the bar, and a sound if it is wished for. Also the
// switches for sound and dark room.
const SOUND = "sound";
const RANG = "rang";
const ONCE_MS = 3000;
const bare = (title) => title.replace(/^\(\d+\) /, "");
let title = bare(document.title);
let count = 0;
let context = null;

const soundOn = () => localStorage.getItem(SOUND) === "on";

function showTitle() {
  const text = count > 0 ? `(${count}) ${title}` : title;
  if (document.title !== text) document.title = text;
}

function showIcon() {
  const icon = document.querySelector('link[rel="icon"]');
  const wanted = count > 0 ? icon.dataset.needy : icon.dataset.calm;
  if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
}

// Three falling tones, made here: no sound file is needed, and it is not a phone's.
function ring() {
  context ??= new AudioContext();
  const begin = context.currentTime + 0.02;
  for (const [step, hertz] of [880, 660, 880].entries()) {
    const tone = context.createOscillator();
    const loud = context.createGain();
    const at = begin + step * 0.22;
    tone.frequency.value = hertz;
    loud.gain.setValueAtTime(0.0001, at);
    loud.gain.exponentialRampToValueAtTime(0.3, at + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
    tone.connect(loud).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.22);
  }
}

// Of several tabs one rings.
function ringOnce() {
  if (Date.now() - Number(localStorage.getItem(RANG) ?? 0) < ONCE_MS) return;
  localStorage.setItem(RANG, String(Date.now()));
  ring();
  document.dispatchEvent(new CustomEvent("rig:rang"));
}

let told = null; // what was called for when this page looked first does not ring

function attend({ attention }) {
  const before = told;
  told = attention.calls;
  count = attention.count;
  showTitle();
  showIcon();
  const link = document.getElementById("attention");
  if (link) {
    link.hidden = count === 0;
    if (count) {
      link.href = attention.link;
      document.getElementById("attention-text").textContent = count === 1 ? "1 needs you" : `${count} need you`;
      link.title = attention.words;
    }
  }
  if (before !== null && soundOn() && attention.calls.some((one) => !before.includes(one))) ringOnce();
}

function listenSwitches() {
  const sound = document.getElementById("sound");
  const theme = document.getElementById("theme");
  if (!sound || !theme) return;
  const show = () => {
    sound.setAttribute("aria-pressed", String(soundOn()));
    theme.setAttribute("aria-pressed", String(document.documentElement.dataset.theme === "room"));
  };
  sound.addEventListener("click", () => {
    localStorage.setItem(SOUND, soundOn() ? "off" : "on");
    if (soundOn()) ring(); // how it will sound; browsers let a page ring only after a click
    show();
  });
  theme.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme;
    if (now !== "room") localStorage.setItem("theme-before", localStorage.getItem("theme") ?? "dark");
    localStorage.setItem("theme", now === "room" ? localStorage.getItem("theme-before") ?? "dark" : "room");
    dispatchEvent(new StorageEvent("storage", { key: "theme" }));
  });
  addEventListener("storage", () => requestAnimationFrame(show));
  show();
}

export function listenNotices() {
  document.addEventListener("rig:title", ({ detail }) => {
    title = bare(detail);
    showTitle();
  });
  document.addEventListener("rig:numbers", ({ detail }) => attend(detail));
  listenSwitches();
}
