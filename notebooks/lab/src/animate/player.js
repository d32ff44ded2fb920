// Takes the animated PNG of each player on the page to pieces, or unpacks its drawings, and puts controls below them. The
// element keeps its image; a shadow root covers it, so that neither the page's styles nor other players meddle.
(() => {
  const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  const ENDS = { loop: "Loop", once: "Once", swing: "Back and forth" };
  const ICONS = {
    first: "M6 5h2.5v14H6zM19 5v14L9.5 12z",
    back: "M7 6h2v12H7zM18 6v12l-8-6z",
    play: "M7 4.5v15L20 12z",
    pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
    forward: "M15 6h2v12h-2zM6 6l8 6-8 6z",
    last: "M15.5 5H18v14h-2.5zM5 5l9.5 7L5 19z",
  };
  const STYLE = `
    :host { display: block; max-width: 100%; color: inherit; font: 14px/1.4 system-ui, sans-serif; }
    .player { display: grid; gap: 6px; width: max(336px, var(--width)); max-width: 100%; }
    .screen { display: block; width: var(--width); max-width: 100%; height: auto; border-radius: 4px; }
    .caption { margin: 0; min-height: 1.4em; }
    .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; }
    .buttons, .position, .choices { display: flex; align-items: center; gap: 0 8px; }
    .buttons { gap: 0; }
    .position { flex: 1 1 128px; min-width: 0; }
    button, select {
      font: inherit; color: inherit; background: none; cursor: pointer;
      border: 1px solid transparent; border-radius: 4px;
    }
    button { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; }
    button svg { width: 20px; height: 20px; fill: currentColor; }
    select { height: 28px; padding: 0 2px; border-color: color-mix(in srgb, currentColor 45%, transparent); }
    option { color: #111; background: #fff; }
    button:hover, select:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
    :focus-visible { outline: 2px solid #2f8fd8; outline-offset: 1px; }
    input { flex: 1; min-width: 64px; height: 24px; margin: 0; accent-color: #2f8fd8; cursor: pointer; }
    .place { min-width: 4em; white-space: nowrap; font-variant-numeric: tabular-nums; }
    @media print { .controls { display: none; } }`;

  // The chunks of a PNG file: their types, and where they lie, from length to checksum.
  function* chunks(file) {
    const view = new DataView(file.buffer);
    for (let at = SIGNATURE.length; at < file.length; ) {
      const end = at + 12 + view.getUint32(at);
      yield { type: String.fromCharCode(...file.subarray(at + 4, at + 8)), whole: file.subarray(at, end) };
      at = end;
    }
  }

  const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
    return byte;
  });

  // A chunk with the checksum that the specification asks for: CRC-32 of its type and its data.
  function chunk(type, data) {
    const whole = new Uint8Array(data.length + 12);
    const view = new DataView(whole.buffer);
    view.setUint32(0, data.length);
    whole.set(Array.from(type, letter => letter.charCodeAt(0)), 4);
    whole.set(data, 8);
    let crc = ~0;
    for (let at = 4; at < data.length + 8; at++) crc = CRC_TABLE[(crc ^ whole[at]) & 255] ^ (crc >>> 8);
    view.setUint32(data.length + 8, ~crc);
    return whole;
  }

  // The frames of an animated PNG, each a file of its own, and how long each is shown, in milliseconds.
  function takeApart(file) {
    const frames = [], common = [];
    let milliseconds = 0, end;
    for (const { type, whole } of chunks(file)) {
      if (type === "IHDR" || type === "PLTE") common.push(whole);
      else if (type === "IEND") end = whole;
      else if (type === "fcTL") {
        const view = new DataView(whole.buffer, whole.byteOffset);
        milliseconds = (1000 * view.getUint16(28)) / view.getUint16(30);
        frames.push([]);
      } else if (type === "IDAT") {
        // An image that is not animated has no control chunks.
        if (!frames.length) frames.push([]);
        frames.at(-1).push(whole);
      } else if (type === "fdAT") {
        // Its data begin with a number that a single image does not have.
        frames.at(-1).push(chunk("IDAT", whole.subarray(12, -4)));
      }
    }
    const single = data => new Blob([Uint8Array.from(SIGNATURE), ...common, ...data, end], { type: "image/png" });
    return { frames: frames.map(single), milliseconds };
  }

  // The drawings of a list in JSON, compressed and in base64, as addresses that an image can have.
  async function unpack(list) {
    const bytes = Uint8Array.from(atob(list), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const drawings = await new Response(stream).json();
    return drawings.map(svg => `data:image/svg+xml,${encodeURIComponent(svg)}`);
  }

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [property, value] of Object.entries(properties)) {
      if (property in made) made[property] = value;
      else made.setAttribute(property, value);
    }
    made.append(...children);
    return made;
  }

  function setIcon(button, icon, label) {
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
    button.title = label;
    button.setAttribute("aria-label", label);
  }

  function button(icon, label, act) {
    const made = element("button", { type: "button", onclick: act });
    setIcon(made, icon, label);
    return made;
  }

  async function build(host) {
    const image = host.querySelector("img");
    const drawings = host.dataset.drawings && (await unpack(host.dataset.drawings));
    const bytes = atob(image.getAttribute("src").split(",")[1]);
    const { frames, milliseconds } = drawings
      ? { frames: drawings, milliseconds: Number(host.dataset.milliseconds) }
      : takeApart(Uint8Array.from(bytes, byte => byte.charCodeAt(0)));
    const captions = JSON.parse(host.dataset.captions || "[]");
    const final = frames.length - 1;
    const stillness = matchMedia("(prefers-reduced-motion: reduce)");
    let shown = 0, direction = 1, playing = false, visible = false, timer;

    const [width, height] = ["width", "height"].map(name => image.getAttribute(name));
    // An image draws SVG as sharp as the reader's screen is, and light or dark as the page; a canvas does not.
    const picture = (source, alt) => element("img", { className: "screen", width, height, src: source, alt });
    let screen = element(drawings ? "img" : "canvas", { className: "screen", width, height, role: "img" });
    const context = drawings ? null : screen.getContext("2d");
    const caption = element("p", { className: "caption", hidden: !captions.length });
    const toggle = button("play", "Play", () => (playing ? pause() : play()));
    const slider = element("input", { type: "range", min: 0, max: final, value: 0, "aria-label": "Frame" });
    const place = element("span", { className: "place", "aria-hidden": "true" });
    const choice = (label, options, chosen) =>
      element("select", { title: label, "aria-label": label, value: chosen },
        ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
    const speed = choice("Speed", SPEEDS.map(speed => [speed, `${speed}×`]), 1);
    const ending = choice("At the last frame", Object.entries(ENDS), "loop");
    const controls = element("div", { className: "controls", role: "group", "aria-label": "Player" },
      element("div", { className: "buttons" },
        button("first", "First frame", () => step(-Infinity)),
        button("back", "Previous frame", () => step(-1)),
        toggle,
        button("forward", "Next frame", () => step(1)),
        button("last", "Last frame", () => step(Infinity))),
      element("div", { className: "position" }, slider, place),
      element("div", { className: "choices" }, speed, ending));

    async function show(index) {
      shown = index;
      slider.value = index;
      place.textContent = `${index + 1} / ${frames.length}`;
      const words = captions[index] ? `: ${captions[index]}` : "";
      slider.setAttribute("aria-valuetext", `${index + 1} of ${frames.length}${words}`);
      const label = `${image.alt}, frame ${index + 1} of ${frames.length}${words}`;
      caption.textContent = captions[index] ?? "";
      if (drawings) {
        const next = picture(frames[index], label);
        // Until it can be shown, the one before stays.
        await next.decode();
        if (index !== shown) return;
        screen.replaceWith(next);
        screen = next;
        return;
      }
      screen.setAttribute("aria-label", label);
      // Decoded when it is needed: hundreds of frames would fill the memory.
      const bitmap = await createImageBitmap(frames[index]);
      // By now another may have been asked for.
      if (index === shown) context.drawImage(bitmap, 0, 0);
      bitmap.close();
    }

    // The frame that comes next in playing, if any.
    function next() {
      if (ending.value === "swing") {
        if (shown + direction < 0 || shown + direction > final) direction = -direction;
        return Math.min(Math.max(shown + direction, 0), final);
      }
      direction = 1;
      if (shown < final) return shown + 1;
      return ending.value === "loop" ? 0 : undefined;
    }

    function wait() {
      clearTimeout(timer);
      if (playing && visible && final > 0) timer = setTimeout(advance, milliseconds / speed.value);
    }

    function advance() {
      const index = next();
      if (index === undefined) return pause();
      show(index);
      wait();
    }

    function play() {
      if (ending.value === "once" && shown === final) show(0);
      playing = true;
      // What changes by itself is not read out; what was asked for is.
      caption.setAttribute("aria-live", "off");
      setIcon(toggle, "pause", "Pause");
      wait();
    }

    function pause() {
      playing = false;
      clearTimeout(timer);
      caption.setAttribute("aria-live", "polite");
      setIcon(toggle, "play", "Play");
    }

    function step(by) {
      pause();
      show(Math.min(Math.max(shown + by, 0), final));
    }

    slider.oninput = () => { pause(); show(Number(slider.value)); };
    speed.onchange = wait;
    stillness.addEventListener("change", () => stillness.matches && pause());
    controls.onkeydown = event => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
      const on = event.target.localName;
      // Slider and choices have keys of their own for these.
      if (event.key in steps && on === "button") step(steps[event.key]);
      else if (event.key === " " && on === "input") toggle.click();
      else return;
      event.preventDefault();
    };
    // JupyterLab would take arrows and letters for itself.
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    host.style.setProperty("--width", `${width}px`);

    await show(0);
    pause();
    host.attachShadow({ mode: "open" }).append(
      element("style", {}, STYLE), element("div", { className: "player" }, screen, caption, controls));
    if (!stillness.matches) play();
    // Frames out of view need not be played.
    new IntersectionObserver(entries => { visible = entries.at(-1).isIntersecting; wait(); }).observe(host);
  }

  for (const host of document.querySelectorAll(".lab-player")) {
    if (host.isPlayer) continue;
    host.isPlayer = true;
    build(host).catch(error => console.warn("The animation stays as it is:", error));
  }
})();
