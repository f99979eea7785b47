// The preview of a session becomes the live page once the session has begun: its controls are the
// first to change, the rest is another page.
const part = document.getElementById("controls");
new MutationObserver(() => {
  if (document.getElementById("do-pause")) location.reload();
}).observe(part, { childList: true, subtree: true });
