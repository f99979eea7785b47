// Keeps the parts of a page (`data-part`) equal to what the controller would render now. The page is
// asked for again and what differs is changed in place: focus, typed text, open details and running
// elements stay.
const LEAST_MS = 250;
const HIDDEN_MS = 5000;
const OURS = new Set(["open", "data-old", "data-age"]); // set here, not by the controller
const MADE = "rig-compare, rig-thumb-grid, rig-plot"; // they fill themselves
const made = new WeakMap(); // such an element -> its HTML as the controller rendered it
const shown = new Map(); // id of a part -> its HTML as the controller rendered it
const coming = new WeakMap(); // picture -> the address that is being loaded in its place
const afterwards = [];
let busy = false;
let again = false;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Somebody looks at the tab again.
function looked() {
  return new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}

/** Call `act(root)` whenever something below root was exchanged. */
export function afterExchange(act) {
  afterwards.push(act);
}

export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    time.textContent = "date" in time.dataset ? when.toLocaleString() : when.toLocaleTimeString();
    time.title = when.toLocaleString();
  }
}

// Before any element fills itself: this module is loaded ahead of theirs.
for (const part of document.querySelectorAll("[data-part]")) shown.set(part.id, part.innerHTML);
for (const one of document.querySelectorAll(MADE)) made.set(one, one.outerHTML);

function copyOf(next) {
  const copy = document.importNode(next, true);
  if (next.nodeType !== Node.ELEMENT_NODE) return copy;
  if (next.matches(MADE)) made.set(copy, next.outerHTML);
  const copies = copy.querySelectorAll(MADE);
  for (const [at, one] of next.querySelectorAll(MADE).entries()) made.set(copies[at], one.outerHTML);
  return copy;
}

/** Ask for the page again; soon, but never faster than it can be made. */
export async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  const began = performance.now();
  try {
    // The answer to a form has an address that cannot be asked for: its page names another.
    const answer = await fetch(document.body.dataset.at ?? location.href, { headers: { accept: "text/html" } });
    if (answer.redirected) location.reload();
    else if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The stream notices a lost controller; what is shown turns grey.
  }
  const rest = 3 * (performance.now() - began);
  await wait(Math.max(LEAST_MS, rest));
  if (document.hidden) await Promise.race([wait(HIDDEN_MS - rest), looked()]);
  busy = false;
  if (again) {
    again = false;
    refresh();
  }
}

function exchange(fresh) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === shown.get(part.id)) continue;
    shown.set(part.id, next.innerHTML);
    children(part, next);
    localTimes(part);
    for (const act of afterwards) act(part);
  }
  document.dispatchEvent(new CustomEvent("rig:title", { detail: fresh.title }));
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");

function children(from, to) {
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    let same = at && alike(at, next) ? at : null;
    if (!same && next.id) same = [...from.children].find((one) => alike(one, next)) ?? null;
    if (!same) from.insertBefore(copyOf(next), at);
    else {
      if (same === at) at = at.nextSibling;
      else from.insertBefore(same, at);
      node(same, next);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function node(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if ("keep" in old.dataset) return;
  if (old.matches(MADE)) {
    const known = made.get(old) ?? next.outerHTML; // a script put it there
    made.set(old, known);
    if (known !== next.outerHTML) old.replaceWith(copyOf(next));
    return;
  }
  if (old.nodeName === "IMG" && old.getAttribute("src") !== next.getAttribute("src")) {
    exchangePicture(old, next);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !OURS.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (!OURS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.nodeName !== "TEXTAREA") children(old, next);
}

// The old picture stays until the new one can be drawn: no black in between.
async function exchangePicture(old, next) {
  const source = next.getAttribute("src");
  if (coming.get(old) === source) return;
  coming.set(old, source);
  const copy = document.importNode(next, true);
  copy.loading = "eager";
  await Promise.race([copy.decode().catch(() => null), wait(4000)]);
  if (coming.get(old) === source) old.replaceWith(copy);
}
