// <rig-plot src="/api/sessions/…/series" kind="rate|rtt|storage" label="…">: numbers of a session over
// time, drawn by uPlot, which is fetched only where there is a plot.
const AGAIN_MS = 2000;
const LEAST_S = 60; // narrower than this a time axis says nothing
const KINDS = {
  rate: { keys: ["rate"], labels: ["Photos a minute"], unit: "/min", colours: ["--accent"] },
  rtt: { keys: ["rtt", "rtt_max"], labels: ["Round trip", "slowest"], unit: "ms", colours: ["--accent", "--warn"] },
  storage: { keys: ["bytes"], labels: ["Kept so far"], unit: "MB", colours: ["--accent"], scale: 1e-6 },
};
let library = null;

function load() {
  library ??= new Promise((done, failed) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./vendor/uPlot.min.css", import.meta.url).href });
    const script = Object.assign(document.createElement("script"), { src: new URL("./vendor/uPlot.iife.min.js", import.meta.url).href });
    script.addEventListener("load", () => done(window.uPlot));
    script.addEventListener("error", failed);
    document.head.append(style, script);
  });
  return library;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function clock(seconds, step) {
  const text = new Date(seconds * 1000).toTimeString();
  return step < 60 ? text.slice(0, 8) : text.slice(0, 5);
}

class RigPlot extends HTMLElement {
  #plot = null;
  #size = null;
  #timer = null;
  #heard = null;
  #theme = null;
  #line = null;
  #words = "";

  connectedCallback() {
    this.setAttribute("role", "img");
    this.setAttribute("aria-label", this.getAttribute("label") ?? "Plot");
    this.#size = new ResizeObserver(() => this.#plot?.setSize(this.#room()));
    this.#size.observe(this);
    this.#heard = ({ detail }) => {
      const mine = this.getAttribute("session") ?? document.body.dataset.session;
      if (detail.event === "committed" && (!mine || detail.session === mine)) this.#soon();
    };
    document.addEventListener("rig:event", this.#heard);
    this.#theme = new MutationObserver(() => this.#again());
    this.#theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.show();
  }

  disconnectedCallback() {
    document.removeEventListener("rig:event", this.#heard);
    this.#theme.disconnect();
    this.#size.disconnect();
    clearTimeout(this.#timer);
    this.#plot?.destroy();
    this.#plot = null;
  }

  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (!document.hidden) this.show();
    }, AGAIN_MS);
  }

  #again() {
    if (!this.#plot) return;
    const { data } = this.#plot;
    this.#plot.destroy();
    this.#plot = new window.uPlot(this.#options(this.#kind()), data, this);
    this.append(this.#line);
  }

  #kind() {
    return KINDS[this.getAttribute("kind")] ?? KINDS.rate;
  }

  #room() {
    return { width: Math.max(240, Math.floor(this.clientWidth)), height: 190 };
  }

  /** Ask for the numbers and draw them. */
  async show() {
    const kind = this.#kind();
    const [uPlot, answer] = await Promise.all([load(), fetch(this.getAttribute("src")).catch(() => null)]).catch(() => []);
    if (!uPlot || !answer?.ok || !this.isConnected) return;
    const series = await answer.json();
    const scaled = (key) => (kind.scale ? series[key].map((one) => (one === null ? null : one * kind.scale)) : series[key]);
    const data = [series.time, ...kind.keys.map(scaled)];
    this.#tell(kind, data);
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(kind), data, this);
    this.append(this.#line);
    this.dataset.points = String(series.time.length);
  }

  #tell(kind, data) {
    const known = data[1].filter((one) => one !== null);
    const label = this.getAttribute("label") ?? kind.labels[0];
    const words = known.length ? `${label}: last ${known.at(-1).toFixed(1)} ${kind.unit}, from ${Math.min(...known).toFixed(1)} to ${Math.max(...known).toFixed(1)}` : `${label}: nothing yet`;
    this.setAttribute("aria-label", words);
    this.#words = known.length ? `${known.at(-1).toFixed(1)} ${kind.unit} at the end, ${Math.min(...known).toFixed(1)} to ${Math.max(...known).toFixed(1)}${kind.labels[1] ? `; dashed: ${kind.labels[1]}` : ""}` : "Nothing yet";
    this.#write(this.#words);
  }

  // What the pointer is at, else the whole in short.
  #point(kind, plot) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.data[1][at] === null) this.#write(this.#words);
    else this.#write(`${clock(plot.data[0][at], 1)}: ${kind.labels.map((label, n) => `${label} ${plot.data[n + 1][at]?.toFixed(1) ?? "–"} ${kind.unit}`).join(", ")}`);
  }

  #write(text) {
    if (!this.#line?.isConnected) {
      this.#line = Object.assign(document.createElement("p"), { className: "hint num" });
      this.append(this.#line);
    }
    this.#line.textContent = text;
  }

  #wide(low, high) {
    if (low === null || low === undefined) low = high = Date.now() / 1000;
    const more = Math.max(0, LEAST_S - (high - low)) / 2;
    return [low - more, high + more];
  }

  #options(kind) {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: `12px ${colour("--font")}` };
    const lines = kind.labels.map((label, at) => ({
      label, stroke: colour(kind.colours[at]), width: at ? 1 : 2, dash: at ? [4, 4] : undefined, points: { show: (plot) => plot.data[0].length < 3, size: 7 },
      fill: at ? undefined : `color-mix(in srgb, ${colour(kind.colours[at])} 14%, transparent)`,
      value: (_, one) => (one === null ? "–" : `${one.toFixed(1)} ${kind.unit}`),
    }));
    return {
      ...this.#room(),
      cursor: { drag: { x: true, y: false } },
      scales: { x: { range: (plot, low, high) => this.#wide(low, plot.data[0].length > 1 ? high : low) }, y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.15)] } },
      legend: { show: false },
      hooks: { setCursor: [(plot) => this.#point(kind, plot)] },
      axes: [{ ...axis, space: 72, values: (_, ticks, __, ___, step) => ticks.map((one) => clock(one, step)) }, { ...axis, size: 52 }],
      series: [{}, ...lines],
    };
  }
}

customElements.define("rig-plot", RigPlot);
