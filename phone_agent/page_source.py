"""HTML, style and script of the status page; in the program, since it is one zip file."""

from __future__ import annotations

STYLE = """
:root { color-scheme: dark; --bg: #0d1117; --card: #161b22; --line: #2d333b; --text: #e6edf3;
  --dim: #9198a1; --good: #3fb950; --warn: #d29922; --bad: #f85149; }
* { box-sizing: border-box; }
body { margin: 0; padding: 12px; background: var(--bg); color: var(--text);
  font: 16px/1.4 system-ui, -apple-system, Roboto, sans-serif; }
main { max-width: 720px; margin: 0 auto; display: grid; gap: 12px; }
header { display: flex; align-items: baseline; gap: 10px; }
h1 { font-size: 18px; margin: 0; font-weight: 600; }
#state { margin-left: auto; padding: 2px 12px; border-radius: 999px; border: 1px solid var(--line);
  font-weight: 600; }
#state.good { color: var(--good); border-color: var(--good); }
#state.warn { color: var(--warn); border-color: var(--warn); }
#state.bad { color: var(--bad); border-color: var(--bad); }
#abort { background: #b62324; color: #fff; border-radius: 10px; padding: 14px;
  overflow-wrap: anywhere; }
#abort strong { display: block; font-size: 24px; letter-spacing: .06em; }
#abort p { margin: 6px 0 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px; }
figure.card { margin: 0; padding: 0; overflow: hidden; }
figure img { display: block; width: 100%; max-height: 52vh; object-fit: contain;
  background: #000; }
figure .none { padding: 64px 0; text-align: center; color: var(--dim); }
figcaption { padding: 10px 12px; font: 13px/1.45 ui-monospace, "Roboto Mono", monospace;
  overflow-wrap: anywhere; }
.count { display: flex; align-items: baseline; gap: 8px; }
#count { font-size: 44px; font-weight: 700; font-variant-numeric: tabular-nums; line-height: 1; }
#total, #result { color: var(--dim); }
#result { margin-left: auto; }
progress { width: 100%; height: 8px; margin-top: 10px; accent-color: var(--good); display: block; }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin: 0; }
dt { color: var(--dim); font-size: 13px; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
dd.bad, #error { color: var(--bad); }
dd.warn { color: var(--warn); }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; font-size: 14px; }
li { padding-left: 22px; position: relative; overflow-wrap: anywhere; }
li::before { content: "\\2713"; position: absolute; left: 0; color: var(--good); }
li.bad::before { content: "!"; color: var(--warn); font-weight: 700; left: 5px; }
summary { color: var(--dim); }
[hidden] { display: none !important; }
"""

SCRIPT = """
"use strict";
const at = id => document.getElementById(id);
const query = location.search;
const good = ["armed", "exposing", "finished"], bad = ["aborted", "stopped"];
let shown = null, silent = 0;
function put(id, text, kind) {
  const node = at(id);
  node.textContent = text;
  if (kind !== undefined) node.className = kind;
}
function level(value, low) { return value !== null && value < low ? "bad" : ""; }
function photo(s) {
  if (!s.has_photo || s.name === shown) return;
  shown = s.name;
  const image = at("image");
  image.onload = () => { image.hidden = false; at("none").hidden = true; };
  image.src = "last.jpg" + (query ? query + "&" : "?") + "n=" + encodeURIComponent(s.name);
}
function show(s) {
  put("state", s.state, good.includes(s.state) ? "good" : bad.includes(s.state) ? "bad" : "warn");
  at("abort").hidden = !s.abort;
  put("why", s.abort);
  put("count", s.count);
  put("total", s.total ? "of " + s.total + (s.index === null ? "" : ", index " + s.index) : "");
  put("result", s.result);
  at("bar").max = s.total || 1;
  at("bar").value = s.count;
  put("name", s.name || "-");
  const battery = s.battery_pct === null ? "unknown" : s.battery_pct + " %" +
    (s.charging ? ", charging" : "") + (s.temp_c === null ? "" : ", " +
      Math.round(s.temp_c) + " \\u00b0C");
  put("battery", battery, s.charging ? "" : level(s.battery_pct, 20));
  at("link-card").hidden = !s.has_link;
  put("link", s.link_ms === null ? "not connected" : s.link_ms < 3000 ? "connected" :
    "silent for " + Math.round(s.link_ms / 1000) + " s",
    s.link_ms === null || s.link_ms >= 3000 ? "warn" : "");
  put("free", s.free_bytes === null ? "unknown" : (s.free_bytes / 1e9).toFixed(1) + " GB free",
    level(s.free_bytes, 5e8));
  put("camera", s.camera || "-");
  at("upload-card").hidden = !s.upload;
  put("upload", s.upload);
  at("error-card").hidden = !s.last_error;
  put("error", s.last_error);
  const list = at("checks"), open = s.checks.filter(c => !c.ok);
  list.replaceChildren(...s.checks.map(c => {
    const item = document.createElement("li");
    item.textContent = c.text;
    if (!c.ok) item.className = "bad";
    return item;
  }));
  at("checks-card").hidden = !s.checks.length;
  put("checks-head", open.length ? open.length + " of " + s.checks.length + " checks want a look" :
    "All " + s.checks.length + " checks are well");
  if (open.length && !at("details").dataset.told) {
    at("details").dataset.told = "1";
    at("details").open = true;
  }
  photo(s);
}
async function poll() {
  try {
    const answer = await fetch("status.json" + query, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    silent = 0;
  } catch {
    silent += 1;
    if (silent > 2) put("state", "agent gone", "bad");
  }
  setTimeout(poll, 1000);
}
poll();
"""

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Phone agent</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header><h1>Phone agent</h1><span id="state" role="status">starting</span></header>
<section id="abort" role="alert" hidden><strong>ABORTED</strong><p id="why"></p>
<p>Nothing is photographed until the operator confirms this id at the computer.</p></section>
<figure class="card"><img id="image" alt="The most recent photo" hidden>
<div id="none" class="none">No photo yet</div><figcaption id="name">-</figcaption></figure>
<section class="card"><div class="count"><span id="count">0</span><span id="total"></span>
<span id="result"></span></div><progress id="bar" value="0" max="1"></progress></section>
<section class="card" id="error-card" hidden><span id="error"></span></section>
<section class="card"><dl>
<div><dt>Battery</dt><dd id="battery">-</dd></div>
<div id="link-card"><dt>Link to the display</dt><dd id="link">-</dd></div>
<div><dt>Storage</dt><dd id="free">-</dd></div>
<div><dt>Camera</dt><dd id="camera">-</dd></div></dl></section>
<section class="card" id="upload-card" hidden><span id="upload"></span></section>
<section class="card" id="checks-card" hidden><details id="details">
<summary id="checks-head"></summary><ul id="checks"></ul></details></section>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""
