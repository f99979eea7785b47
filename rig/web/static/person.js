// Who sits here: a name that stands beside every wish in the log. Kept by the controller with this
// browser's sign-in, and here, so that it is shown at once.
const KEY = "operator";
const HERE_MS = 30_000;

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** The operator's name, "" when nobody said one. */
export function operatorName() {
  return kept();
}

function show(name) {
  const text = document.getElementById("who-text");
  if (text) text.textContent = name || "Your name";
}

/** Keep `name` here and at the controller; false when the controller refuses it. */
export async function keepName(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Only for as long as this page is open.
  }
  show(name);
  if (!name) return true;
  const answer = await fetch("/api/me", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
  }).catch(() => null);
  document.dispatchEvent(new CustomEvent("rig:name", { detail: name }));
  return answer === null || answer.ok;
}

async function askController() {
  const answer = await fetch("/api/me").catch(() => null);
  const name = answer?.ok ? (await answer.json()).name : null;
  if (!name) return;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Shown all the same.
  }
  show(name);
}

// A lock whose holder touches the page now and then is not silent.
function tellPresence() {
  let told = -HERE_MS;
  const here = () => {
    if (performance.now() - told < HERE_MS || !kept()) return;
    told = performance.now();
    fetch("/api/me/here", { method: "POST" }).catch(() => null);
  };
  addEventListener("pointerdown", here, { passive: true });
  addEventListener("keydown", here, { passive: true });
}

export function listenPerson() {
  show(kept());
  const who = document.getElementById("who");
  if (!who) return;
  if (!kept()) askController();
  const field = document.getElementById("operator-name");
  who.addEventListener("click", () => {
    field.value = kept();
  });
  document.getElementById("name-form").addEventListener("submit", () => keepName(field.value.trim()));
  addEventListener("storage", (event) => event.key === KEY && show(kept()));
  tellPresence();
}
