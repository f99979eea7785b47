// The pages that pair a phone: copy the line, count down, and on the phone's own page (which has no
// sign-in and so no event stream) ask now and then whether the code was used.
const POLL_MS = 3000;

// The clipboard's own interface needs HTTPS, which a rig in a room seldom has.
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const done = await copy(document.getElementById(button.dataset.copy));
  button.textContent = done ? "Copied" : "Selected: copy it by hand";
});

function count() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.ceil((Number(place.dataset.until) - Date.now()) / 1000));
    const text = `, ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
    const shown = place.querySelector("#left");
    if (shown) shown.textContent = left ? text : ": it is over, make another one";
    if (left === 0) place.toggleAttribute("data-over", true);
  }
}

// A code that was used is shown no longer.
function hideUsed() {
  const code = document.getElementById("code");
  const used = document.querySelector("[data-used]");
  if (code && used && used.dataset.used === code.dataset.code) code.remove();
}

async function poll(part, shown) {
  let last = shown;
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    if (document.hidden) continue;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.getElementById(part.id);
      if (next && next.innerHTML !== last) {
        last = next.innerHTML;
        part.replaceChildren(...document.importNode(next, true).childNodes);
        localTimes(part);
      }
      if (!answer.ok) return; // asking on would count as guessing
    } catch {
      // The controller is away; the next time it may be back.
    }
  }
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString();
  }
}

const part = document.getElementById("phone");
const html = part?.innerHTML;
if ("poll" in document.body.dataset) poll(part, html);
else if (part) new MutationObserver(hideUsed).observe(part, { childList: true });
localTimes(document);
count();
setInterval(count, 1000);
