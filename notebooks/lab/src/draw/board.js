const SIDE = 280;
const PEN = 22;
// How far a key moves the pen.
const STEP = 8;

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property in made) made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children);
  return made;
}

// A canvas to draw on with mouse, finger, pen or keys. `samples` has for each digit the ways to write it, as strokes;
// `changed` is called after every change.
function board(samples, changed) {
  let strokes = [], isSample = false, isDrawing = false;
  const pen = { x: SIDE / 2, y: SIDE / 2, isDown: false };
  const canvas = element("canvas", {
    width: SIDE, height: SIDE, tabIndex: 0, role: "application", "aria-label": "Pad to draw a digit on",
    "aria-describedby": "keys",
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const ring = element("div", { className: "pen" });

  function redraw() {
    context.clearRect(0, 0, SIDE, SIDE);
    Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    for (const stroke of strokes) {
      context.beginPath();
      // A line without a length would leave no ink: a dot has a hundredth of a pixel.
      context.moveTo(stroke[0][0] - 0.01, stroke[0][1]);
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
    ring.style.left = `${(100 * pen.x) / SIDE}%`;
    ring.style.top = `${(100 * pen.y) / SIDE}%`;
    ring.classList.toggle("down", pen.isDown);
    changed();
  }

  // A sample makes room for what the reader draws.
  function begin(point) {
    if (isSample) strokes = [];
    isSample = false;
    strokes.push([point]);
    redraw();
  }

  function replace(others, areSample = false) {
    strokes = others;
    isSample = areSample;
    // A second finger may ask for it in the middle of a stroke.
    isDrawing = pen.isDown = false;
    redraw();
  }

  const clear = () => replace([]);
  const undo = () => replace(isSample ? [] : strokes.slice(0, -1));

  // Each time the next way to write it.
  function sample(digit) {
    const ways = samples[digit];
    ways.push(ways.shift());
    replace(ways.at(-1), true);
  }

  function move(x, y) {
    const within = at => Math.min(Math.max(at, PEN / 2), SIDE - PEN / 2);
    pen.x = within(pen.x + x);
    pen.y = within(pen.y + y);
    if (pen.isDown) strokes.at(-1).push([pen.x, pen.y]);
    redraw();
  }

  function lowerOrLift() {
    pen.isDown = !pen.isDown;
    if (pen.isDown) begin([pen.x, pen.y]);
    else redraw();
  }

  const KEYS = {
    ArrowLeft: () => move(-STEP, 0), ArrowRight: () => move(STEP, 0), ArrowUp: () => move(0, -STEP),
    ArrowDown: () => move(0, STEP), " ": lowerOrLift, Backspace: undo, Delete: clear,
  };
  canvas.onkeydown = event => {
    if (event.ctrlKey || event.metaKey || event.altKey || isDrawing) return;
    // A key that is held repeats itself; the pen would go up and down.
    if (event.key === " " && event.repeat) event.preventDefault();
    else if (event.key in KEYS) KEYS[event.key]();
    else if (event.key in samples) sample(event.key);
    else return;
    event.preventDefault();
  };

  const place = event => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [((event.clientX - left) * SIDE) / width, ((event.clientY - top) * SIDE) / height];
  };
  canvas.onpointerdown = event => {
    // Not for a second finger, or the right button.
    if (!event.isPrimary || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    isDrawing = true;
    pen.isDown = false;
    begin(place(event));
  };
  canvas.onpointermove = event => {
    if (!isDrawing || !event.isPrimary) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    strokes.at(-1).push(...(passed.length ? passed : [event]).map(place));
    redraw();
  };
  canvas.onpointerup = canvas.onpointercancel = event => {
    if (!isDrawing || !event.isPrimary) return;
    isDrawing = false;
    redraw();
  };

  return {
    whole: element("div", { className: "board" }, canvas, ring),
    // A byte for each pixel.
    ink: () => context.getImageData(0, 0, SIDE, SIDE).data.filter((_, at) => at % 4 === 3),
    isBusy: () => isDrawing || pen.isDown,
    sample, undo, clear,
  };
}
