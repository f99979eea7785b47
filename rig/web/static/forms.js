// Forms that speak to the API: fields to JSON, refusals as sentences at the top of the page.
//   data-json="/api/…"     send the fields; data-method, data-then, data-closes, data-named
//   data-upload="/api/…"   send the chosen file as it is
//   data-post              a plain POST to the form's action
import { refresh } from "./parts.js";
import { operatorName } from "./person.js";

const keys = new WeakMap(); // form -> {sent, key}: a retry of the same is the same command

/** Show a refusal. */
export function refuse(text) {
  const problem = document.getElementById("problem");
  document.getElementById("problem-text").textContent = text;
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
  document.getElementById("problem-read").focus({ preventScroll: true });
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function idempotencyKey(form, sent) {
  if (keys.get(form)?.sent !== sent) keys.set(form, { sent, key: newKey() });
  return keys.get(form).key;
}

/** Say it beside the button that was pressed too: the banner may be far from what a person looks at. */
function refuseAt(button, text) {
  button?.parentElement?.querySelector(":scope > .refused-here")?.remove();
  button?.removeAttribute("aria-describedby");
  if (!text || !button || button.closest("dialog")) return; // a dialog closes: the banner says it
  const note = document.createElement("p");
  note.className = "refused-here bad";
  note.id = `refused-${newKey().slice(0, 8)}`;
  note.textContent = text;
  button.after(note);
  button.setAttribute("aria-describedby", note.id);
}

/** Send; the answer's JSON ({} when it has none), or null after a refusal that is shown. */
export async function send(path, { method = "POST", headers = {}, content, button } = {}) {
  refuseAt(button);
  try {
    const answer = await fetch(path, { method, headers, body: content });
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    const why = said.detail ?? `The controller answered ${answer.status}.`;
    refuseAt(button, why);
    refuse(why);
    return null;
  } catch {
    refuse("The controller does not answer. Look whether it runs, then try again.");
    return undefined; // not known whether it arrived
  }
}

const TYPES = {
  bool: (value) => value === "true" || value === "on",
  int: Number,
  float: Number,
  list: (value) => value.split(/[\s,]+/).filter(Boolean),
  json: JSON.parse,
};

function values(form) {
  const found = {};
  for (const box of form.querySelectorAll('input[type="checkbox"][data-type="bool"]')) {
    if (box.name) found[box.name] = box.checked;
  }
  for (const [name, value] of new FormData(form)) {
    const field = form.elements.namedItem(name);
    const type = TYPES[(field?.dataset ?? field?.[0]?.dataset)?.type];
    if (type === TYPES.bool) {
      if (field.type !== "checkbox") found[name] = type(value);
    } else if (name === "campaign/subset") {
      [found.campaign, found.subset] = value.split("/");
      found.subset = Number(found.subset);
    } else if (name === "indices") {
      const listed = value.split(/[ ,]+/).filter(Boolean).map(Number);
      if (listed.length) found.indices = listed;
    } else if (name === "last") {
      if (value && !found.indices) found.last = Number(value);
    } else if (type) {
      if (value !== "") found[name] = type(value);
    } else if (value !== "" || field?.required) found[name] = value;
  }
  if ("named" in form.dataset) found.name = operatorName() || undefined;
  return found;
}

function goOn(form, said) {
  const then = form.dataset.then;
  if (!then) {
    refresh();
    return;
  }
  const filled = then.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(said[name]));
  location.assign(filled === then && said.id !== undefined && then.endsWith("/") ? then + said.id : filled);
}

async function submit(form, button) {
  const { json, upload, method } = form.dataset;
  let path = json ?? upload ?? form.getAttribute("action");
  const request = { method: method ?? "POST", headers: {}, button };
  if (json) {
    request.content = JSON.stringify(values(form));
    request.headers["content-type"] = "application/json";
    request.headers["idempotency-key"] = idempotencyKey(form, path + request.content);
  } else if (upload) {
    const [file] = form.querySelector('input[type="file"]').files;
    request.content = file;
    request.headers["content-type"] = file.type || "application/octet-stream";
  }
  const buttons = [...form.querySelectorAll("button:enabled")];
  for (const button of buttons) button.setAttribute("aria-busy", "true");
  const said = await send(path, request);
  for (const button of buttons) button.removeAttribute("aria-busy");
  if (said !== undefined) keys.delete(form);
  if (said) {
    document.getElementById("problem").hidden = true;
    form.dispatchEvent(new CustomEvent("rig:done", { bubbles: true, detail: said }));
    goOn(form, said);
  }
}

export function listenForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-post], [data-json], [data-upload]")) return;
    event.preventDefault();
    if (form.querySelector('[aria-busy="true"]')) return;
    document.getElementById(form.dataset.closes)?.close();
    submit(form, event.submitter ?? form.querySelector("button"));
  });
  document.addEventListener("change", async (event) => {
    const into = document.getElementById(event.target.dataset?.into);
    const [file] = (into && event.target.files) || [];
    if (file) into.value = await file.text();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "problem-read") document.getElementById("problem").hidden = true;
    if (button.id === "ask-abort") document.getElementById("abort-dialog")?.showModal();
    if (button.dataset.open) document.getElementById(button.dataset.open).showModal();
    if (button.dataset.close) document.getElementById(button.dataset.close).close();
  });
}
