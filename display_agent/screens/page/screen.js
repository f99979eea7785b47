"use strict";
// The page that is the screen. It paints what the display agent sends, reads it back, and speaks up
// when anything else got in between. Messages: see browser.py.
(() => {
  const canvas = document.getElementById("screen");
  const say = document.getElementById("say");
  const token = new URLSearchParams(location.search).get("token") || "";
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const bitmapOptions = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  let socket = null, live = false, windowed = false, announced = null, lock = null, pending = null;
  let painted = null;

  // -- size ---------------------------------------------------------------------------------------

  let device = [0, 0];
  new ResizeObserver((entries) => {
    const box = entries[0].devicePixelContentBoxSize;
    device = box ? [box[0].inlineSize, box[0].blockSize]
      : [Math.round(innerWidth * devicePixelRatio), Math.round(innerHeight * devicePixelRatio)];
    sized();
  }).observe(canvas);

  const full = () => windowed ||
    (innerWidth === screen.width && innerHeight === screen.height);

  function sized() {
    if (canvas.width !== device[0] || canvas.height !== device[1]) {
      [canvas.width, canvas.height] = device; // clears it
      context.imageSmoothingEnabled = false;
      if (live) tell({ disturbed: `the page was resized to ${device[0]}x${device[1]} pixels`, size: device });
    }
    announce();
  }

  function announce() {
    if (socket === null || socket.readyState !== 1 || live || announced === null) return;
    if (device[0] === 0 || canvas.width !== device[0] || canvas.height !== device[1]) return;
    if (!full()) {
      say.textContent = "Click here, or press F11, to fill the whole monitor.";
      return;
    }
    live = true;
    document.body.classList.add("live");
    black();
    tell({ hello: 1, size: [canvas.width, canvas.height] });
    stayAwake();
  }

  addEventListener("click", () => {
    if (!full()) document.documentElement.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
  });

  // -- what gets in between -----------------------------------------------------------------------

  function disturbed(why) { if (live) tell({ disturbed: why }); }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disturbed("the page is hidden: another tab, a minimised window or sleep");
    else { stayAwake(); disturbed("the page was hidden and is back"); }
  });
  addEventListener("blur", () => disturbed("the page lost the keyboard focus to another window"));
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) disturbed("the page left full screen");
  });
  const keyNames = { " ": "space", arrowleft: "left", arrowright: "right", enter: "return" };
  addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (live && !event.repeat) tell({ key: keyNames[key] || key });
  });
  addEventListener("contextmenu", (event) => event.preventDefault());

  async function stayAwake() {
    try {
      lock = await navigator.wakeLock.request("screen");
      lock.addEventListener("release", () => { lock = null; });
    } catch { lock = null; } // an insecure context has no wake lock; the check says so
  }

  // -- painting -----------------------------------------------------------------------------------

  function black() { context.fillStyle = "#000"; context.fillRect(0, 0, canvas.width, canvas.height); }

  function opaque(mode, bytes, width, height) {
    const image = new ImageData(width, height);
    const out = new Uint32Array(image.data.buffer); // little endian everywhere a browser runs: ABGR
    if (mode === "L") {
      for (let i = 0; i < out.length; i++) out[i] = 0xff000000 | (bytes[i] * 0x010101);
    } else {
      for (let i = 0, j = 0; i < out.length; i++, j += 3)
        out[i] = 0xff000000 | (bytes[j + 2] << 16) | (bytes[j + 1] << 8) | bytes[j];
    }
    return image;
  }

  function frame() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error("the browser draws no frames: the page is hidden or the monitor sleeps")),
        3000);
      requestAnimationFrame((at) => { clearTimeout(timer); resolve(at); });
    });
  }

  async function paint(image) {
    const bitmap = await createImageBitmap(image, bitmapOptions);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    await frame(); // this frame takes the canvas; by the next one it has gone to the monitor
    await frame();
  }

  // Grey only where all three channels agree: then the hash is that of a grey picture.
  function readBack(mode) {
    const { width, height } = canvas;
    const seen = context.getImageData(0, 0, width, height).data;
    const count = width * height;
    if (mode === "L") {
      const grey = new Uint8Array(count);
      let same = true;
      for (let i = 0, j = 0; i < count; i++, j += 4) {
        grey[i] = seen[j];
        if (seen[j] !== seen[j + 1] || seen[j] !== seen[j + 2]) { same = false; break; }
      }
      if (same) return { mode: "L", bytes: grey };
    }
    const colour = new Uint8Array(count * 3);
    for (let i = 0, j = 0; j < colour.length; i += 4, j += 3) {
      colour[j] = seen[i]; colour[j + 1] = seen[i + 1]; colour[j + 2] = seen[i + 2];
    }
    return { mode: "RGB", bytes: colour };
  }

  async function surfaceSha(seen) {
    const head = new TextEncoder().encode(`${seen.mode} ${canvas.width}x${canvas.height}\n`);
    const all = new Uint8Array(head.length + seen.bytes.length);
    all.set(head); all.set(seen.bytes, head.length);
    const digest = globalThis.crypto && crypto.subtle
      ? new Uint8Array(await crypto.subtle.digest("SHA-256", all)) : sha256(all);
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // -- requests -----------------------------------------------------------------------------------

  let mode = "L";
  const work = {
    async show(request, data) {
      const size = [canvas.width, canvas.height];
      if (size[0] !== request.size[0] || size[1] !== request.size[1])
        throw new Error(`the page has ${size.join("x")} pixels and the x-ray was made for ` +
          `${request.size.join("x")}; bring it back to full screen`);
      mode = request.mode;
      painted = opaque(mode, data, ...size);
      await paint(painted);
      if (document.hidden) throw new Error("the page is hidden; bring it to the front");
      return { sha: await surfaceSha(readBack(mode)) };
    },
    async surface() { return { sha: await surfaceSha(readBack(mode)), hidden: document.hidden }; },
    async frame() { const seen = readBack(mode); return { mode: seen.mode, data: seen.bytes }; },
    // As check, but nothing is painted: an x-ray may be up.
    async look() {
      await frame();
      return { hidden: document.hidden, focus: document.hasFocus(), ratio: devicePixelRatio,
        secure: isSecureContext, awake: lock !== null, screen: [screen.width, screen.height],
        size: [canvas.width, canvas.height] };
    },
    async check() {
      const { width, height } = canvas;
      const board = new ImageData(width, height);
      const dots = new Uint32Array(board.data.buffer);
      for (let i = 0; i < dots.length; i++)
        dots[i] = ((i % width) + Math.floor(i / width)) & 1 ? 0xffffffff : 0xff000000;
      await paint(board);
      const back = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      const pixels = dots.every((dot, i) => dot === back[i]);
      if (painted !== null && painted.width === width && painted.height === height) await paint(painted);
      else { black(); await frame(); }
      const times = [];
      for (let i = 0; i < 12; i++) times.push(await frame());
      const steps = times.slice(1).map((at, i) => at - times[i]).sort((a, b) => a - b);
      return { pixels, frame_ms: steps[5], ratio: devicePixelRatio, secure: isSecureContext,
        awake: lock !== null, screen: [screen.width, screen.height], size: [width, height],
        agent: navigator.userAgent.slice(0, 200) };
    },
  };

  function tell(message) { if (socket !== null && socket.readyState === 1) socket.send(JSON.stringify(message)); }

  async function answer(request, data) {
    let reply;
    try { reply = await work[request.do](request, data); } catch (problem) { reply = { error: problem.message }; }
    const bytes = reply.data;
    delete reply.data;
    tell({ id: request.id, ...reply, binary: bytes !== undefined });
    if (bytes !== undefined) socket.send(bytes);
  }

  // One after the other: a picture is never read back in the middle of the next.
  let queue = Promise.resolve();
  function received(event) {
    if (typeof event.data === "string") {
      const message = JSON.parse(event.data);
      if (message.welcome) { windowed = message.windowed; announced = message; announce(); return; }
      if (message.binary) { pending = message; return; }
      queue = queue.then(() => answer(message, null));
    } else if (pending !== null) {
      const request = pending, data = new Uint8Array(event.data);
      pending = null;
      queue = queue.then(() => answer(request, data));
    }
  }

  // -- connection ---------------------------------------------------------------------------------

  function connect() {
    say.textContent = "Connecting to the display agent…";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/ws?token=${encodeURIComponent(token)}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = received;
    socket.onclose = (event) => {
      live = false; announced = null; pending = null; painted = null;
      document.body.classList.remove("live");
      black();
      if (event.code === 4001) { say.textContent = "Another window shows the x-rays now."; return; }
      say.textContent = "The display agent is away. This page connects again by itself.";
      setTimeout(connect, 500);
    };
  }
  connect();

  // -- SHA-256 (FIPS 180-4), for pages without crypto.subtle: plain http from another computer ------

  function sha256(bytes) {
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
    const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
    const K = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
    const H = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));
    const padded = new Uint8Array(((bytes.length + 9 + 63) >> 6) << 6);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
    view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
    const w = new Int32Array(64);
    for (let at = 0; at < padded.length; at += 64) {
      for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + i * 4);
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15], y = w[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
      }
      let [a, b, c, d, e, f, g, h] = H;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { H[i] = (H[i] + value) | 0; });
    }
    const out = new DataView(new ArrayBuffer(32));
    H.forEach((value, i) => out.setInt32(i * 4, value));
    return new Uint8Array(out.buffer);
  }
  globalThis.rigSha256 = sha256; // so that a test can compare it with crypto.subtle
})();
