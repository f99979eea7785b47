// The controller's event stream: every event once and in order, over lost connections, a killed
// controller and a change of hands between tabs. Used by the shared worker and, without one, by tabs.
const SILENT_MS = 9000; // four ticks without a word: the connection is dead, whatever TCP says
const RING = 2000;

/** The newest events, for whoever comes later. Complete for everything that follows `floor`. */
export class Ring {
  floor = null;
  #events = [];

  add(message) {
    this.floor ??= message.prev;
    this.#events.push(message);
    if (this.#events.length > RING) this.floor = this.#events.shift().event.seq;
  }

  begin(seq) {
    this.#events = [];
    this.floor = seq;
  }

  /** The messages that follow event number `after`; null when that is longer ago than is kept. */
  since(after) {
    if (this.floor === null || after < this.floor) return null;
    return this.#events.filter((one) => one.event.seq > after);
  }
}

/**
 * Tells messages: {kind: "event", prev, event}, {kind: "tick" | "numbers", data}, {kind: "begin",
 * seq} where the stream (newly) begins, {kind: "refused"} when the controller turned it away.
 */
export class Stream {
  seq = null; // number of the event that was told last
  #source = null;
  #tell;
  #delay = 500;
  #timer = null;
  #heardAt = 0;
  #watch = null;

  constructor(tell) {
    this.#tell = tell;
  }

  /** Events that follow number `after`; null: from now on. */
  open(after = null) {
    if (after !== null) this.seq = after;
    this.#connect();
    this.#watch ??= setInterval(() => {
      if (this.#source && performance.now() - this.#heardAt > SILENT_MS) this.#connect();
    }, 1000);
  }

  close() {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#watch = null;
    this.#source?.close();
    this.#source = null;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#heardAt = performance.now();
    const source = new EventSource(`/api/events${this.seq === null ? "" : `?after=${this.seq}`}`);
    this.#source = source;
    const hear = (kind, act) =>
      source.addEventListener(kind, (message) => {
        if (source !== this.#source) return; // a later one has taken over
        this.#heardAt = performance.now();
        this.#delay = 500;
        act(JSON.parse(message.data), message);
      });
    hear("begin", ({ seq }) => this.#begin(seq));
    hear("message", (event) => this.#event(event));
    hear("tick", (data) => this.#tell({ kind: "tick", data }));
    hear("numbers", (data) => this.#tell({ kind: "numbers", data }));
    source.onerror = () => {
      // It comes back by itself, with the last number; only an answer that is no stream ends it.
      if (source !== this.#source || source.readyState !== EventSource.CLOSED) return;
      this.#source = null;
      this.#tell({ kind: "refused" });
      this.#timer = setTimeout(() => this.#connect(), this.#delay);
      this.#delay = Math.min(this.#delay * 2, 10_000);
    };
  }

  #begin(seq) {
    const known = this.seq;
    if (known !== null && seq >= known) return; // as was asked for
    this.seq = seq; // the first time, or the log is shorter than it was: a backup was restored
    this.#tell({ kind: "begin", seq });
  }

  #event(event) {
    if (this.seq !== null && event.seq <= this.seq) return;
    const prev = this.seq ?? event.seq - 1;
    this.seq = event.seq;
    this.#tell({ kind: "event", prev, event });
  }
}
