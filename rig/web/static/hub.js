// Shared worker: one event stream for all tabs of a browser. Browsers allow six connections to a
// host over HTTP/1.1, and every open stream holds one.
import { Ring, Stream } from "./stream.js";

const ports = new Set();
const ring = new Ring();
const last = new Map(); // the newest tick and numbers
let waiting = []; // who came before it is known where the stream begins
let open = false;

function hear(message) {
  if (message.kind === "event") ring.add(message);
  else if (message.kind === "begin") ring.begin(message.seq);
  else if (message.kind !== "refused") last.set(message.kind, message);
  for (const port of ports) port.postMessage(message);
  if (waiting.length && stream.seq !== null) {
    for (const [port, after] of waiting) catchUp(port, after);
    waiting = [];
  }
}

const stream = new Stream(hear);

function join(port, after) {
  if (!open) {
    open = true;
    ports.add(port);
    if (after !== null) ring.begin(after);
    stream.open(after);
  } else if (stream.seq === null) waiting.push([port, after]);
  else catchUp(port, after);
}

function catchUp(port, after) {
  ports.add(port);
  for (const message of last.values()) port.postMessage(message);
  const missed = after === null ? [] : ring.since(after);
  if (missed === null) port.postMessage({ kind: "begin", seq: stream.seq });
  else for (const message of missed) port.postMessage(message);
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "join") join(port, data.after);
    else ports.delete(port);
  };
};
