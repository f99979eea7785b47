// <rig-compare label="…"><img data-tag="Before"><img data-tag="After"></rig-compare>: two pictures on
// one place and a line between them, moved by pointer, touch or arrow keys.
class RigCompare extends HTMLElement {
  connectedCallback() {
    if (this.querySelector('input[type="range"]')) return;
    const range = Object.assign(document.createElement("input"), { type: "range", min: "0", max: "100", value: "50", step: "1" });
    const tags = [...this.querySelectorAll("img")].map((picture) => picture.dataset.tag ?? picture.alt);
    range.setAttribute("aria-label", this.getAttribute("label") ?? `${tags[0]} and ${tags[1]}`);
    const bar = Object.assign(document.createElement("span"), { className: "bar" });
    bar.setAttribute("aria-hidden", "true");
    this.append(bar, range);
    for (const tag of tags) this.append(Object.assign(document.createElement("span"), { className: "tag", textContent: tag }));
    const show = () => {
      this.style.setProperty("--at", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} % ${tags[0]}, ${100 - range.value} % ${tags[1]}`);
    };
    range.addEventListener("input", show);
    show();
  }
}

customElements.define("rig-compare", RigCompare);
