// How a tab hears the event stream: from a shared worker; where there is none, from the tab that
// holds a lock; where there are no locks either (Android over plain HTTP), by a stream of its own
// that rests while the tab is hidden.
import { Ring, Stream } from "./stream.js";

const NAME = "rig-stream";
const REST_MS = 10_000;

/** Gives messages (see stream.js) that follow event number `after` to `hear`, each event once. */
export function connect(after, hear) {
  const tab = new Tab(after, hear);
  if (window.SharedWorker) viaWorker(tab);
  else if (navigator.locks && window.BroadcastChannel) viaLeader(tab);
  else alone(tab);
}

/** What this tab has heard; drops what it knows and notices what it missed. */
class Tab {
  ring = new Ring();

  constructor(after, hear) {
    this.seq = after;
    this.hear = hear;
    if (after !== null) this.ring.begin(after);
  }

  /** False when events are missing before this one. */
  take(message) {
    if (message.kind === "begin") {
      this.seq = message.seq;
      this.ring.begin(message.seq);
    } else if (message.kind === "event") {
      if (this.seq !== null && message.event.seq <= this.seq) return true;
      if (this.seq !== null && message.prev > this.seq) return false;
      this.seq = message.event.seq;
      this.ring.add(message);
    }
    this.hear(message);
    return true;
  }
}

function viaWorker(tab) {
  const worker = new SharedWorker(new URL("./hub.js", import.meta.url), { type: "module", name: NAME });
  worker.port.onmessage = ({ data }) => tab.take(data);
  worker.port.postMessage({ kind: "join", after: tab.seq });
  addEventListener("pagehide", () => worker.port.postMessage({ kind: "bye" }));
}

function viaLeader(tab) {
  const channel = new BroadcastChannel(NAME);
  const last = new Map();
  let leads = false;
  const ask = () => channel.postMessage({ kind: "join", after: tab.seq });

  // The leader answers one tab; the others know it all and drop it.
  function answer(after) {
    for (const message of last.values()) channel.postMessage(message);
    if (after === null || tab.seq === null || after >= tab.seq) return;
    const missed = tab.ring.since(after) ?? [{ kind: "lost", after, seq: tab.seq }];
    for (const message of missed) channel.postMessage(message);
  }

  channel.onmessage = ({ data }) => {
    if (data.kind === "join") {
      if (leads) answer(data.after);
    } else if (data.kind === "lost") {
      if (tab.seq !== null && tab.seq <= data.after) tab.take({ kind: "begin", seq: data.seq });
    } else if (!leads && !tab.take(data)) ask();
  };
  ask();
  navigator.locks.request(NAME, () => {
    leads = true;
    const stream = new Stream((message) => {
      if (message.kind === "tick" || message.kind === "numbers") last.set(message.kind, message);
      tab.take(message);
      channel.postMessage(message);
    });
    stream.open(tab.seq);
    return new Promise(() => {}); // until this tab is gone
  });
}

function alone(tab) {
  const stream = new Stream((message) => tab.take(message));
  let rest = null;
  stream.open(tab.seq);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(rest);
    if (document.hidden) rest = setTimeout(() => stream.close(), REST_MS);
    else stream.open(tab.seq);
  });
}
