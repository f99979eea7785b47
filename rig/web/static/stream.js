// One event stream for all tabs of a browser: browsers allow six connections to a host, and every
// open stream holds one. Runs as a SharedWorker; `live.js` listens by itself where there is none.
const ports = new Set();
let stream = null;

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function open() {
  stream = new EventSource("/api/events");
  stream.onmessage = (event) => tell({ kind: "event", data: event.data });
  stream.addEventListener("tick", (event) => tell({ kind: "tick", data: event.data }));
  stream.onerror = () => {
    // It comes back by itself, with the last id; only a refusal (signed out) closes it for good.
    if (stream.readyState !== EventSource.CLOSED) return;
    tell({ kind: "refused" });
    setTimeout(open, 5000);
  };
}

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data === "bye") ports.delete(port);
  };
  if (stream === null) open();
};
