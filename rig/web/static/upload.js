// Sends the files of a catalog in pieces, then lets the form go: the import itself is the
// controller's work. A broken connection is taken up where it broke.
const PIECE = 4 * 1024 * 1024;
const TRIES = 5;
const KINDS = /\.(csv|zip|jpe?g|png|tiff?|bmp|webp)$/i;

const form = document.getElementById("upload-form");
const zip = document.getElementById("upload-zip");
const folder = document.getElementById("upload-folder");
const button = document.getElementById("do-upload");

function say(words, share) {
  document.getElementById("upload-state").hidden = false;
  document.getElementById("upload-words").textContent = words;
  if (share !== undefined) document.getElementById("upload-progress").value = share;
}

function refuse(text) {
  document.getElementById("problem-text").textContent = text;
  const banner = document.getElementById("problem");
  banner.hidden = false;
  banner.scrollIntoView({ block: "nearest" });
}

class Refused extends Error {}

async function answer(path, options) {
  const found = await fetch(path, options);
  const said = await found.json();
  if (found.ok) return said;
  if (found.status === 409 && options.method === "PATCH") return null; // a piece came twice
  throw new Refused(said.detail ?? `The controller answered ${found.status}.`);
}

// What the browser names: a folder's files with their folders, a single file by itself.
function chosen() {
  const files = zip.files.length ? [...zip.files] : [...folder.files];
  return files
    .map((file) => ({ file, name: file.webkitRelativePath || file.name }))
    .filter(({ name }) => KINDS.test(name) && !name.split("/").some((part) => part.startsWith(".")));
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function send(path, { file, name }, told) {
  let size = 0;
  let tries = 0;
  do {
    const piece = file.slice(size, size + PIECE);
    const at = `${path}/files?name=${encodeURIComponent(name)}`;
    try {
      const said = await answer(`${at}&offset=${size}`, { method: "PATCH", body: piece });
      size = (said ?? (await answer(at, {}))).size;
      tries = 0;
    } catch (error) {
      if (error instanceof Refused || ++tries > TRIES) throw error;
      await wait(500 * tries);
      size = (await answer(at, {})).size;
    }
    told(size);
  } while (size < file.size);
}

async function sendAll(files) {
  const { id } = await answer(form.dataset.sends, { method: "POST" });
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  let before = 0;
  for (const [number, one] of files.entries()) {
    await send(`${form.dataset.sends}/${id}`, one, (size) => {
      say(`Sending file ${number + 1} of ${files.length}`, total ? (before + size) / total : 1);
    });
    before += one.file.size;
  }
  return id;
}

form?.addEventListener("submit", async (event) => {
  if (document.getElementById("upload-id").value) return;
  event.preventDefault();
  const files = chosen();
  if (!files.length) {
    refuse("Choose a zip, or a folder with a CSV and images.");
    return;
  }
  button.disabled = true;
  try {
    document.getElementById("upload-id").value = await sendAll(files);
    say("All is sent", 1);
    form.submit();
  } catch (error) {
    const lost = "The controller does not answer. Look whether it runs, then send again.";
    refuse(error instanceof Refused ? error.message : lost);
    button.disabled = false;
  }
});
// One of the two: what is chosen last counts.
zip?.addEventListener("change", () => zip.files.length && (folder.value = ""));
folder?.addEventListener("change", () => folder.files.length && (zip.value = ""));
