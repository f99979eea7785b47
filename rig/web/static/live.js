// Starts what a page needs. Nothing is computed here: pages are what the controller rendered, kept
// equal to it by events.
import { connect } from "./link.js";
import { listenForms } from "./forms.js";
import { listenKeys } from "./keys.js";
import { listenNumbers, showAges, tick } from "./numbers.js";
import { listenNotices } from "./notices.js";
import { localTimes, refresh } from "./parts.js";
import { listenPerson } from "./person.js";
import "./compare.js";
import "./thumbs.js";
import "./plot.js";

const body = document.body;
let before = null; // this page's station as the last tick told it

function tell(kind, detail) {
  document.dispatchEvent(new CustomEvent(`rig:${kind}`, { detail }));
}

function hear(message) {
  const { kind } = message;
  if (kind === "refused" || kind === "begin") {
    refresh(); // signed out: the page goes to the sign-in; events lost: it shows what is now
    return;
  }
  if (kind === "event") {
    const { event } = message;
    tell("event", event);
    if ("quiet" in body.dataset) return;
    if (body.dataset.session && event.session !== body.dataset.session) return;
    if (!body.dataset.events || body.dataset.events.split(" ").includes(event.event)) refresh();
    return;
  }
  tell(kind, message.data);
  if (kind === "tick") {
    tick(message.data);
    const station = message.data.stations.find((one) => one.name === body.dataset.station) ?? null;
    const told = "phone" in body.dataset && before?.phone?.number !== station?.phone?.number;
    if (before !== null && (told || before.connected !== station?.connected)) refresh();
    before = station;
  }
}

localTimes(document);
document.addEventListener("htmx:afterSwap", ({ detail }) => localTimes(detail.target.parentElement ?? document));
listenPerson();
listenForms();
listenKeys();
listenNumbers();
listenNotices();
if ("live" in body.dataset) {
  const seq = body.dataset.seq === undefined ? null : Number(body.dataset.seq);
  connect(seq, hear);
  if (seq === null) refresh(); // what happened between the page's rendering and now
  setInterval(showAges, 1000);
  // Back from the browser's memory: what is shown is old.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
} else document.getElementById("freshness")?.setAttribute("hidden", "");
