// The checklist works as a plain form. This adds: the name is remembered on this device, a chosen
// photo is sent at once, and what was typed or ticked survives a change of the page.
const KEY = "operator";

function remembered() {
  const field = document.getElementById("condition-name");
  if (field && !field.value) field.value = localStorage.getItem(KEY) ?? "";
}

function refuse(text) {
  document.getElementById("problem-text").textContent = text;
  document.getElementById("problem").hidden = false;
}

async function send(field) {
  const [file] = field.files;
  if (!file) return;
  field.disabled = true;
  try {
    const answer = await fetch(field.dataset.evidence, {
      method: "PUT",
      headers: { "content-type": file.type || "application/octet-stream" },
      body: file,
    });
    if (!answer.ok) refuse((await answer.json()).detail ?? `The controller answered ${answer.status}.`);
  } catch {
    refuse("The photo did not arrive. Look whether the controller runs, then choose it again.");
  }
  field.value = "";
  field.disabled = false;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-evidence]")) send(event.target);
  if (event.target.id === "condition-name") localStorage.setItem(KEY, event.target.value);
});

// live.js exchanges the checklist when it changes: what a person was doing is put back.
const part = document.getElementById("conditions");
let draft = { note: "", ticked: [] };
part?.addEventListener("input", () => {
  draft = {
    note: document.getElementById("condition-note")?.value ?? "",
    ticked: [...part.querySelectorAll("input[name=factor]:checked")].map((one) => one.value),
  };
});
if (part) {
  new MutationObserver(() => {
    remembered();
    const note = document.getElementById("condition-note");
    if (note && !note.value) note.value = draft.note;
    for (const one of part.querySelectorAll("input[name=factor]")) one.checked ||= draft.ticked.includes(one.value);
  }).observe(part, { childList: true });
}
remembered();
