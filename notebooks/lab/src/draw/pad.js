// Makes a pad of each `.lab-pad` on the page, in a shadow root, so that neither the page's styles nor other pads
// meddle.
const STYLE = `
  :host {
    display: block; max-width: 685px; color: inherit; font: 14px/1.4 system-ui, sans-serif; container-type: inline-size;
  }
  .pad { display: grid; grid-template-columns: ${SIDE}px minmax(0, 1fr); gap: 16px 28px; }
  .left, .right { display: grid; gap: 10px; align-content: start; }
  .board { position: relative; width: ${SIDE}px; max-width: 100%; }
  canvas { display: block; background: #000; image-rendering: pixelated; }
  .board canvas, .seen canvas { border-radius: 4px; }
  /* On a dark page the pad is not to be told from the page otherwise. */
  .board canvas, .seen canvas { box-shadow: 0 0 0 1px color-mix(in srgb, currentColor 40%, transparent); }
  .board canvas { width: 100%; image-rendering: auto; cursor: crosshair; touch-action: none; }
  .pen {
    position: absolute; width: 16px; height: 16px; margin: -10px; border: 2px solid #6cb6ff; border-radius: 50%;
    pointer-events: none; visibility: hidden;
  }
  .pen.down { background: #6cb6ff; }
  canvas:focus-visible + .pen { visibility: visible; }
  p { margin: 0; }
  .keys { font-size: 12.5px; }
  .samples { display: grid; grid-template-columns: repeat(10, 1fr); gap: 2px; }
  .tools { display: flex; gap: 8px; }
  button {
    font: inherit; color: inherit; background: none; min-height: 32px; padding: 0 12px; cursor: pointer;
    border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: 4px;
  }
  .samples button { padding: 0; }
  button:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
  :focus-visible { outline: 2px solid #2f8fd8; outline-offset: 2px; }
  .seen { display: flex; gap: 16px; align-items: center; }
  .seen canvas { width: 84px; height: 84px; }
  .seen b { display: block; font-size: 34px; line-height: 1.1; }
  .heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: 0; height: 27px; font-weight: inherit; text-align: left; }
  th { width: 1.4em; }
  td:last-child { width: 5em; text-align: right; }
  .track { height: 15px; background: color-mix(in srgb, currentColor 8%, transparent); }
  .bar { height: 100%; background: #0072b2; }
  .best { font-weight: bold; }
  .block { grid-column: 1 / -1; display: grid; gap: 6px; }
  .maps { display: grid; grid-template-columns: repeat(16, minmax(0, 40px)); gap: 3px; }
  /* So many times the side of a map that all its values are equally large. */
  .maps canvas { width: min(100%, 40px); }
  .maps canvas[width="13"] { width: min(100%, 39px); }
  @container (max-width: 600px) {
    .pad { grid-template-columns: minmax(0, 1fr); }
    .maps { grid-template-columns: repeat(8, minmax(0, 40px)); }
  }
  @media (hover: none) { .keys { display: none; } }
  @media print { .samples, .tools, .left p { display: none; } }`;
const BLANK = {
  image: new Float32Array(IMAGE ** 2),
  maps: BLOCKS.map(({ count, side }) => new Float32Array(count * side ** 2)),
};
const GREYS = Array.from({ length: 256 }, (_, grey) => [grey, grey, grey]);

const percent = probability => `${(100 * probability).toFixed(1)} %`;

// Paints values from 0 to `most` in these colours.
function paint(canvas, values, most, colors) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, at) => {
    const share = most > 0 ? value / most : 0;
    picture.data.set([...colors[Math.round(share * (colors.length - 1))], 255], 4 * at);
  });
  context.putImageData(picture, 0, 0);
}

async function build(host, module) {
  const parts = color => [0, 2, 4].map(at => parseInt(color.slice(at, at + 2), 16));
  const colors = host.dataset.colors.match(/.{6}/g).map(parts);
  const samples = JSON.parse(host.dataset.samples);
  const ask = await network(module, await unpacked(host.dataset.weights));
  let isAsked = false;
  const drawing = board(samples, () => {
    // Once for each picture that the screen shows.
    if (!isAsked) requestAnimationFrame(look);
    isAsked = true;
  });

  const button = (text, label, onclick) =>
    element("button", { type: "button", textContent: text, "aria-label": label, onclick });
  const seen = element("canvas", { width: IMAGE, height: IMAGE, role: "img" });
  const says = element("div", { "aria-hidden": "true" });
  const heard = element("p", { className: "heard", role: "status" });
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const [bar, number] = [element("div", { className: "bar" }), element("td")];
    const track = element("div", { className: "track" }, bar);
    const name = element("th", { scope: "row", textContent: digit });
    return { bar, number, row: element("tr", {}, name, element("td", {}, track), number) };
  });
  const blocks = BLOCKS.map(({ count, side }, block) => {
    const name = `After block ${block + 1}: ${count} maps of ${side} x ${side}`;
    const canvases = Array.from({ length: count }, () => element("canvas", { width: side, height: side }));
    const [words, maps] = [element("p"), element("div", { className: "maps", role: "img" }, ...canvases)];
    return { name, canvases, words, maps, size: side ** 2 };
  });

  function look() {
    isAsked = false;
    const answer = ask(drawing.ink(), SIDE);
    // For scripts of the page.
    host.answer = answer;
    const probabilities = answer?.probabilities ?? [];
    const best = probabilities.indexOf(Math.max(...probabilities));
    paint(seen, (answer ?? BLANK).image, 1, GREYS);
    seen.setAttribute("aria-label", answer ? "What the network sees, 28 x 28 pixels" : "The network sees nothing");
    const result = [element("b", { textContent: best }), `with ${percent(probabilities[best])}`];
    says.replaceChildren(...(answer ? ["The network sees this, and says", ...result] : ["Nothing drawn yet"]));
    rows.forEach(({ bar, number, row }, digit) => {
      bar.style.width = `${100 * (probabilities[digit] ?? 0)}%`;
      number.textContent = answer ? percent(probabilities[digit]) : "";
      row.classList.toggle("best", digit === best);
    });
    blocks.forEach(({ name, canvases, words, maps, size }, block) => {
      const values = (answer ?? BLANK).maps[block];
      const most = Math.max(...values);
      canvases.forEach((map, at) => paint(map, values.subarray(at * size, (at + 1) * size), most, colors));
      words.textContent = answer ? `${name}, from 0 (dark) to ${most.toFixed(1)} (yellow)` : name;
      maps.setAttribute("aria-label", words.textContent);
    });
    // Read out when a stroke is complete.
    if (drawing.isBusy()) return;
    heard.textContent = answer ? `The network says ${best}, with ${percent(probabilities[best])}` : "Nothing drawn yet";
  }

  // JupyterLab would take arrows and digits for itself.
  host.setAttribute("data-lm-suppress-shortcuts", "true");
  host.attachShadow({ mode: "open" }).append(
    element("style", {}, STYLE),
    element("div", { className: "pad" },
      element("div", { className: "left" },
        drawing.whole,
        element("p", {}, "Draw a digit, or choose one:"),
        element("div", { className: "samples", role: "group", "aria-label": "Digits to choose" },
          ...samples.map((_, digit) => button(digit, `Write ${digit}`, () => drawing.sample(digit)))),
        element("div", { className: "tools" },
          button("Undo", "Undo the last stroke", drawing.undo), button("Clear", "Clear the pad", drawing.clear)),
        element("p", { className: "keys", id: "keys" },
          "By keyboard: on the pad, arrows move a pen, the space bar lowers and lifts it.")),
      element("div", { className: "right" },
        element("div", { className: "seen" }, seen, says),
        heard,
        element("table", { "aria-label": "Probabilities" }, ...rows.map(({ row }) => row))),
      ...blocks.map(({ words, maps }) => element("div", { className: "block" }, words, maps))));
  drawing.sample(3);
}

const hosts = [...document.querySelectorAll(".lab-pad")].filter(host => !host.isPad);
for (const host of hosts) host.isPad = true;
unpacked(MODULE)
  .then(bytes => WebAssembly.compile(bytes))
  .then(module => Promise.all(hosts.map(host => build(host, module))))
  .catch(error => {
    const words = `There is no pad here, for this browser cannot compute what it takes: ${error.message}`;
    for (const host of hosts) host.textContent = words;
  });
