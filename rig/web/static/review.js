// Boxes over a held picture: drawn, moved, changed and removed by pointer, keyboard or numbers.
const svg = document.getElementById("review-boxes");
const list = document.getElementById("review-fields");
const told = document.getElementById("review-told");
const form = document.getElementById("review-form");
const by = document.getElementById("review-by");
const WIDTH = Number(svg.dataset.width);
const HEIGHT = Number(svg.dataset.height);
const SIDES = ["left", "top", "right", "bottom"];
const CORNERS = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]];
const LEAST = 2; // pixels of the smallest box that can be drawn
const MOST = 200;

let boxes = JSON.parse(svg.dataset.boxes).map(fromSides);
let chosen = null;
let drag = null;

function fromSides([left, top, right, bottom]) {
  return { left, top, right, bottom };
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function make(kind, values, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

// Pixels of the image that one pixel of the screen is.
function scale() {
  const shown = svg.getBoundingClientRect().width;
  return shown > 0 ? WIDTH / shown : 1;
}

function pointOf(event) {
  const seen = svg.getBoundingClientRect();
  return {
    x: clamp(Math.round(((event.clientX - seen.left) / seen.width) * WIDTH), 0, WIDTH),
    y: clamp(Math.round(((event.clientY - seen.top) / seen.height) * HEIGHT), 0, HEIGHT),
  };
}

function label(box, number) {
  return `Box ${number}: left ${box.left}, top ${box.top}, right ${box.right}, bottom ${box.bottom}`;
}

function place(group, box, number) {
  const [rect, text, ...handles] = group.children;
  const size = 10 * scale();
  const at = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  for (const [name, value] of Object.entries(at)) rect.setAttribute(name, value);
  // Beside the box, where no corner's handle hides it.
  const room = WIDTH - box.right > size * 3;
  text.setAttribute("x", room ? box.right + size : box.left - size);
  text.setAttribute("text-anchor", room ? "start" : "end");
  text.setAttribute("y", (box.top + box.bottom) / 2 + size / 2);
  text.setAttribute("font-size", size * 1.6);
  handles.forEach((handle, n) => {
    const [across, down] = CORNERS[n];
    handle.setAttribute("x", box[across] - size / 2);
    handle.setAttribute("y", box[down] - size / 2);
    handle.setAttribute("width", size);
    handle.setAttribute("height", size);
  });
  group.setAttribute("aria-label", label(box, number));
}

// Everything anew; `chosen` keeps the focus when `focus` says so.
function draw(focus = false) {
  svg.replaceChildren();
  boxes.forEach((box, n) => {
    const group = make("g", { class: "review-one", tabindex: 0, role: "button", "data-n": n }, svg);
    group.classList.toggle("is-chosen", box === chosen);
    make("rect", { class: "review-box" }, group);
    make("text", { class: "review-label", "aria-hidden": "true" }, group).textContent = n + 1;
    CORNERS.forEach((corner, c) => {
      const kind = c === 1 || c === 2 ? "review-handle is-rising" : "review-handle";
      make("rect", { class: kind, "data-corner": c }, group);
    });
    place(group, box, n + 1);
    if (focus && box === chosen) group.focus();
  });
  drawFields();
  say();
}

function drawFields() {
  list.replaceChildren();
  boxes.forEach((box, n) => {
    const item = document.createElement("li");
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = `Box ${n + 1}`;
    set.append(legend);
    for (const side of SIDES) {
      const field = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { type: "number", min: 0, step: 1, value: box[side] });
      input.id = `box-${n}-${side}`;
      input.max = side === "left" || side === "right" ? WIDTH : HEIGHT;
      input.addEventListener("change", () => typed(box, side, input));
      field.htmlFor = input.id;
      field.append(side[0].toUpperCase() + side.slice(1), input);
      set.append(field);
    }
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = `Delete box ${n + 1}`;
    remove.addEventListener("click", () => removeBox(box));
    set.append(remove);
    item.append(set);
    list.append(item);
  });
}

function say(text = "") {
  const count = boxes.length;
  told.textContent = text || (count ? `${count} ${count === 1 ? "box" : "boxes"} will be blanked.` : "Nothing will be blanked.");
  document.getElementById("review-accept").textContent = count
    ? `Accept, blank ${count} ${count === 1 ? "box" : "boxes"}`
    : "Accept, nothing to blank";
}

function refresh(box) {
  const n = boxes.indexOf(box);
  place(svg.children[n], box, n + 1);
  for (const side of SIDES) document.getElementById(`box-${n}-${side}`).value = box[side];
}

function typed(box, side, input) {
  const value = input.valueAsNumber;
  const limit = side === "left" || side === "right" ? WIDTH : HEIGHT;
  const wanted = { ...box, [side]: clamp(Math.round(Number.isFinite(value) ? value : box[side]), 0, limit) };
  if (wanted.left < wanted.right && wanted.top < wanted.bottom) Object.assign(box, wanted);
  else say("Left must be less than right, and top less than bottom.");
  refresh(box);
}

function removeBox(box) {
  const n = boxes.indexOf(box);
  boxes = boxes.filter((one) => one !== box);
  chosen = boxes[Math.min(n, boxes.length - 1)] ?? null;
  draw(true);
  if (!chosen) document.getElementById("review-add").focus();
}

function addBox(box) {
  if (boxes.length >= MOST) {
    say(`More than ${MOST} boxes are not taken: refuse the image.`);
    return false;
  }
  boxes.push(box);
  chosen = box;
  return true;
}

function moved(box, across, down) {
  const dx = clamp(across, -box.left, WIDTH - box.right);
  const dy = clamp(down, -box.top, HEIGHT - box.bottom);
  Object.assign(box, { left: box.left + dx, right: box.right + dx, top: box.top + dy, bottom: box.bottom + dy });
}

svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  event.preventDefault();
  const start = pointOf(event);
  const group = event.target.closest(".review-one");
  const corner = event.target.dataset.corner;
  let box;
  if (group) {
    box = boxes[Number(group.dataset.n)];
    chosen = box;
  } else {
    box = { left: start.x, top: start.y, right: start.x, bottom: start.y };
    if (!addBox(box)) return;
  }
  draw(true);
  const fixed = corner === undefined ? null : CORNERS[3 - Number(corner)].map((side) => box[side]);
  drag = { box, last: start, anchor: group ? fixed : [start.x, start.y], isNew: !group };
  svg.setPointerCapture(event.pointerId);
});

svg.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const { x, y } = pointOf(event);
  if (drag.anchor) {
    const [ax, ay] = drag.anchor;
    Object.assign(drag.box, {
      left: Math.min(ax, x), right: Math.max(ax, x), top: Math.min(ay, y), bottom: Math.max(ay, y),
    });
  } else {
    moved(drag.box, x - drag.last.x, y - drag.last.y);
    drag.last = { x, y };
  }
  refresh(drag.box);
});

function dropped() {
  if (!drag) return;
  const { box, isNew } = drag;
  drag = null;
  const small = box.right - box.left < LEAST || box.bottom - box.top < LEAST;
  if (small && isNew) removeBox(box);
  else if (small) {
    box.right = Math.min(WIDTH, Math.max(box.right, box.left + LEAST));
    box.left = Math.min(box.left, box.right - LEAST);
    box.bottom = Math.min(HEIGHT, Math.max(box.bottom, box.top + LEAST));
    box.top = Math.min(box.top, box.bottom - LEAST);
    refresh(box);
  }
  say();
}
svg.addEventListener("pointerup", dropped);
svg.addEventListener("pointercancel", dropped);

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

svg.addEventListener("keydown", (event) => {
  const group = event.target.closest(".review-one");
  if (!group) return;
  const box = boxes[Number(group.dataset.n)];
  const arrow = ARROWS[event.key];
  if (event.key === "Delete" || event.key === "Backspace") removeBox(box);
  else if (arrow) {
    const step = event.ctrlKey ? 10 : 1;
    const [dx, dy] = arrow.map((one) => one * step);
    if (event.shiftKey) {
      box.right = clamp(box.right + dx, box.left + 1, WIDTH);
      box.bottom = clamp(box.bottom + dy, box.top + 1, HEIGHT);
    } else moved(box, dx, dy);
    refresh(box);
  } else return;
  event.preventDefault();
  event.stopPropagation();
});

svg.addEventListener("focusin", (event) => {
  const group = event.target.closest(".review-one");
  if (!group) return;
  chosen = boxes[Number(group.dataset.n)];
  for (const one of svg.children) one.classList.toggle("is-chosen", one === group);
});

document.getElementById("review-add").addEventListener("click", () => {
  const [w, h] = [Math.max(LEAST, Math.round(WIDTH / 4)), Math.max(LEAST, Math.round(HEIGHT / 20))];
  const left = Math.round((WIDTH - w) / 2);
  const top = Math.round((HEIGHT - h) / 2);
  if (addBox({ left, top, right: left + w, bottom: top + h })) draw(true);
});
document.getElementById("review-suspected").addEventListener("click", () => {
  boxes = JSON.parse(svg.dataset.suspected).map(fromSides);
  chosen = null;
  draw();
});
document.getElementById("review-clear").addEventListener("click", () => {
  boxes = [];
  chosen = null;
  draw();
});
document.getElementById("review-size").addEventListener("click", (event) => {
  const full = document.getElementById("review-frame").classList.toggle("is-full");
  event.currentTarget.setAttribute("aria-pressed", String(full));
});

function refuse(text) {
  document.getElementById("problem-text").textContent = text;
  const problem = document.getElementById("problem");
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
}

// Enter in a field decides nothing: only the buttons do.
form.addEventListener("submit", (event) => event.preventDefault());

async function decide(decision) {
  if (!form.reportValidity()) return;
  const buttons = form.querySelectorAll("button");
  const content = { decision, by: by.value.trim(), note: form.elements.note.value };
  if (decision === "accept") content.boxes = boxes.map((box) => SIDES.map((side) => box[side]));
  for (const one of buttons) one.disabled = true;
  try {
    localStorage.setItem("operator", content.by);
    const answer = await fetch(form.dataset.address, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(content),
    });
    if (answer.ok) {
      location.assign(form.dataset.then);
      return;
    }
    const said = await answer.json().catch(() => ({}));
    refuse(said.detail ?? `The controller answered ${answer.status}.`);
  } catch {
    refuse("The controller does not answer. Look whether it runs, then try again.");
  }
  for (const one of buttons) one.disabled = false;
}
document.getElementById("review-accept").addEventListener("click", () => decide("accept"));
document.getElementById("review-refuse").addEventListener("click", () => decide("refuse"));

by.value ||= localStorage.getItem("operator") ?? "";
draw();
new ResizeObserver(() => {
  boxes.forEach((box, n) => place(svg.children[n], box, n + 1));
}).observe(svg);
