// What page_checks.py asks of a page: an object of functions, of which one is called at a time.
({
  ready: async () => {
    const near = [...document.images].filter((i) => i.getBoundingClientRect().top < 2600);
    for (const one of near) one.loading = "eager";
    await Promise.all(near.map((i) => i.decode().catch(() => 0)));
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  },

  clipped: () => {
    const wide = document.documentElement.scrollWidth - innerWidth;
    const found = wide > 0 ? [`the page is ${wide} px wider than its window`] : [];
    const scrolls = (one) => one.closest(
      ".scroll, .log, .side, .review-frame, .visually-hidden, rig-compare, textarea, dialog, .skip");
    for (const one of document.querySelectorAll("body *")) {
      if (!one.checkVisibility() || scrolls(one)) continue;
      const style = getComputedStyle(one);
      const cut = style.overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1;
      if (cut && one.textContent.trim() && style.textOverflow !== "ellipsis" && style.position !== "absolute") {
        found.push(`cut off: ${one.outerHTML.slice(0, 100)}`);
      }
      const box = one.getBoundingClientRect();
      if (box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)) {
        found.push(`outside: ${one.outerHTML.slice(0, 100)}`);
      }
    }
    return found;
  },

  moving: () => {
    const found = document.getAnimations().map((a) => `moves: ${a.effect?.target?.outerHTML.slice(0, 90)}`);
    const long = (text) => text.split(",").some((one) => parseFloat(one) > 0);
    for (const one of document.querySelectorAll("*")) {
      for (const part of [null, "::before", "::after", "::backdrop"]) {
        const style = getComputedStyle(one, part);
        if (long(style.transitionDuration) || long(style.animationDuration) || style.scrollBehavior === "smooth") {
          found.push(`would move: ${one.outerHTML.slice(0, 90)} ${part ?? ""}`);
        }
      }
    }
    return found;
  },

  mark: () => {
    const can = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    const group = new Set();
    window.usable = new Set();
    for (const one of document.querySelectorAll(can)) {
      if (one.disabled || one.tabIndex < 0 || !one.checkVisibility() || one.closest("dialog:not([open])")) continue;
      if (one.type === "radio") {
        if (group.has(one.name)) continue;
        group.add(one.name);
      }
      window.usable.add(one);
    }
    window.reached = new Set();
    document.activeElement.blur();
    scrollTo(0, 0);
    getSelection().collapse(document.body, 0); // Tab begins there
  },

  left: () => [...window.usable].filter((one) => !window.reached.has(one) && one.isConnected)
    .map((one) => one.outerHTML.slice(0, 110)),

  focus: () => {
    const one = document.activeElement;
    if (!one || one === document.body || one === document.documentElement) return null;
    if (window.reached.has(one)) return "again";
    window.reached.add(one);
    const ring = (element, part) => {
      const style = getComputedStyle(element, part);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    };
    const shows = ring(one) || (one.closest("rig-compare") && ring(one.closest("rig-compare")))
      || (one.matches(".review-one") && parseFloat(getComputedStyle(one.firstChild).strokeWidth) >= 4);
    const box = one.getBoundingClientRect();
    const x = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1);
    const covers = [0.1, 0.5, 0.9].map((part) => box.top + box.height * part).filter((y) => y > 0 && y < innerHeight)
      .map((y) => document.elementFromPoint(x, y)).filter(Boolean);
    const hidden = covers.length > 0 && covers.every((over) => {
      const bar = over.closest(".top, .strip, dialog");
      return bar && !bar.contains(one);
    });
    const name = one.outerHTML.slice(0, 110);
    if (!shows) return `no ring: ${name}`;
    if (!covers.length) return `out of sight: ${name}`;
    return hidden ? `covered: ${name}` : "";
  },

  byColour: () => {
    const found = [];
    const said = (one) => (getComputedStyle(one, "::before").content + one.textContent
      + (one.getAttribute("aria-label") ?? "") + (one.title ?? "")).replace(/none|normal|"/g, "").trim();
    const states = ".state, .badge, .asked, .attention, .freshness, .thumb[class*='is-'], .cell, .needs li, .banner";
    for (const one of document.querySelectorAll(states)) {
      if (one.checkVisibility() && !/\p{L}{2,}/u.test(said(one))) found.push(`only a colour: ${one.outerHTML.slice(0, 110)}`);
    }
    const marks = /[✓✕▲◼■❚○◔▶●?!…i–]/u;
    for (const one of document.querySelectorAll(".is-good, .is-warn, .is-bad, [class*='state-']")) {
      if (!one.checkVisibility() || one.matches("progress")) continue;
      const text = said(one);
      if (!marks.test(text) && !one.querySelector(".icon")) found.push(`no shape: ${one.outerHTML.slice(0, 110)}`);
    }
    for (const one of document.querySelectorAll(".timeline, rig-plot, .row-bar")) {
      const name = one.getAttribute("aria-label") ?? one.querySelector("title")?.textContent ?? one.getAttribute("aria-hidden");
      if (!name) found.push(`a picture without words: ${one.outerHTML.slice(0, 110)}`);
    }
    for (const one of document.querySelectorAll("main :is(p, li, dd, td) a")) {
      const style = getComputedStyle(one);
      const alone = one.parentElement.textContent.trim() === one.textContent.trim();
      if (!alone && style.textDecorationLine === "none" && style.borderStyle === "none" && !one.querySelector("img, svg")) {
        found.push(`a link by colour alone: ${one.outerHTML.slice(0, 110)}`);
      }
    }
    return found;
  },

  weight: () => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((one) => one.initiatorType !== "img" && !one.name.includes("/api/"))
    .reduce((sum, one) => [sum[0] + 1, sum[1] + one.transferSize, sum[2] + one.decodedBodySize], [0, 0, 0]),

  hide: ([folder, words]) => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode;
      if (node.data.includes(folder)) node.data = node.data.replaceAll(folder, words);
    }
    for (const one of document.querySelectorAll("input, textarea")) {
      if (one.value.includes?.(folder)) one.value = one.value.replaceAll(folder, words);
      if (one.placeholder.includes(folder)) one.placeholder = one.placeholder.replaceAll(folder, words);
    }
  },
})
