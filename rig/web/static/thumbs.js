// <rig-thumb-grid><ol class="sheet"><li><a class="thumb">…</ol><a rel="next" href="…">More</a>: a
// contact sheet that fetches its next page when somebody comes near its end.
const NEAR = "1200px";

class RigThumbGrid extends HTMLElement {
  #near = null;
  #busy = false;

  connectedCallback() {
    this.addEventListener("keydown", (event) => this.#move(event));
    this.#near = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.more(), { rootMargin: NEAR });
    this.#watch();
  }

  disconnectedCallback() {
    this.#near?.disconnect();
  }

  get #next() {
    return this.querySelector(':scope a[rel="next"]');
  }

  #watch() {
    this.#near.disconnect();
    if (this.#next) this.#near.observe(this.#next);
    this.toggleAttribute("data-whole", !this.#next);
  }

  /** Fetch the next page and put its thumbs behind those that are here. */
  async more() {
    const link = this.#next;
    if (!link || this.#busy) return;
    this.#busy = true;
    link.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(link.href, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = (this.id && page.getElementById(this.id)) || page.querySelector("rig-thumb-grid");
      const sheet = this.querySelector(".sheet");
      for (const item of found?.querySelectorAll(".sheet > li") ?? []) sheet.append(document.importNode(item, true));
      const next = found?.querySelector('a[rel="next"]');
      if (next) link.replaceWith(document.importNode(next, true));
      else link.remove();
      this.dispatchEvent(new CustomEvent("rig:more", { bubbles: true }));
    } catch {
      link.removeAttribute("aria-busy"); // the link is still there to be pressed
      this.#near.disconnect();
      return;
    } finally {
      this.#busy = false;
    }
    this.#watch();
  }

  #move(event) {
    const thumbs = [...this.querySelectorAll(".thumb")];
    const at = thumbs.indexOf(document.activeElement);
    if (at < 0) return;
    const top = thumbs[0].getBoundingClientRect().top;
    const wide = Math.max(1, thumbs.findIndex((one) => one.getBoundingClientRect().top > top + 4));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide, Home: -at, End: thumbs.length - 1 - at }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    thumbs[Math.min(Math.max(at + step, 0), thumbs.length - 1)].focus();
  }
}

customElements.define("rig-thumb-grid", RigThumbGrid);
