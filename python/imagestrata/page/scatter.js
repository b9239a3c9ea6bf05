
// Points on a canvas: drag, zoom, point at one, draw a line around many. The code is independent of
// images. Dots are drawn as pixels, which is fast without a graphics card, and a grid of cells finds
// the point under the pointer: 20,000 points move smoothly.

/**
 * `x` and `y` are whole numbers from 0 to 65535, y upwards. `order` lists the points from the bottom
 * to the top layer, `colours` has a CSS colour for each, or null for a pale one, and `labels` are
 * `{ x, y, name, word, group }`, the most important first. `isBright(i)` returns whether a point (or
 * a label, by `group`) is highlighted or selected. `onPoint(i, at)` gets the point under the pointer
 * or null, `onOpen(i)` the clicked point, `onTick(i)` the point on which X is pressed, `onLasso(list)`
 * those inside the line. `name` describes the canvas for screen readers. Returns the canvas.
 */
kit.scatter = ({ x, y, order, colours, labels, name, isBright, isLabelled, isTicked, onPoint, onOpen, onTick, onLasso }) => {
  const { el, onKeys } = kit;
  const [MARGIN, REACH, STEP, SIDE, CELLS] = [28, 6, 60, 65536, 128];
  const canvas = el("canvas", { tabindex: 0, role: "application", "aria-label": name });
  const context = canvas.getContext("2d");
  const [low, high] = [extent(x), extent(y)];
  const stats = { drawn: 0, visited: 0 }; // points in the last frame, and looked at to find the one pointed at
  const view = { scale: 0, left: 0, top: 0, fitted: 0 };
  let [width, height, pixels] = [0, 0, 1];
  let frame = 0; // asked for
  let [image, dots, pad] = [null, null, 0]; // pixels of the dots, as bytes and as numbers
  let pointed = null;

  function extent(values) {
    const span = { from: Infinity, to: -Infinity };
    for (const value of values) {
      span.from = Math.min(span.from, value);
      span.to = Math.max(span.to, value);
    }
    return span;
  }

  const across = (i) => view.left + x[i] * view.scale;
  const down = (i) => view.top + (SIDE - y[i]) * view.scale;
  const inView = (i) => across(i) >= 0 && across(i) <= width && down(i) >= 0 && down(i) <= height;

  // ---- which points lie in which cell: those of cell c are inCell[starts[c]] to inCell[starts[c + 1]] ----

  const column = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor((value * CELLS) / SIDE)));
  const cell = (i) => column(y[i]) * CELLS + column(x[i]);
  const starts = new Uint32Array(CELLS * CELLS + 1);
  const inCell = new Uint32Array(x.length);
  for (let i = 0; i < x.length; i++) starts[cell(i) + 1]++;
  for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
  const free = starts.slice();
  for (let i = 0; i < x.length; i++) inCell[free[cell(i)]++] = i;

  /** The nearest highlighted point, at most `reach` pixels away, or null. */
  function nearest(at, reach) {
    const [px, py] = [(at.x - view.left) / view.scale, SIDE - (at.y - view.top) / view.scale];
    const limit = reach / view.scale;
    let [best, least] = [null, limit * limit];
    stats.visited = 0;
    for (let row = column(py - limit); row <= column(py + limit); row++) {
      const from = starts[row * CELLS + column(px - limit)];
      const to = starts[row * CELLS + column(px + limit) + 1];
      for (let k = from; k < to; k++) {
        const i = inCell[k];
        const away = (x[i] - px) ** 2 + (y[i] - py) ** 2;
        stats.visited++;
        if (away <= least && isBright(i)) [best, least] = [i, away];
      }
    }
    return best;
  }

  // ---- drawing ----

  const draw = () => (frame ||= requestAnimationFrame(paint));

  /** The size of dots: smaller with many points, larger after zooming in. */
  const radius = () => {
    const size = Math.min(4, Math.max(2, 150 / Math.sqrt(x.length)));
    return Math.min(9, size * Math.max(1, view.scale / view.fitted) ** 0.35);
  };

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  /** The pixels of a dot: offsets in the frame and their colours. */
  function stamp(colour, r, paper) {
    const rim = r < 3.5 ? 0 : pixels; // a thin line of paper tells large dots apart
    const [inner, outer] = [r * pixels, r * pixels + rim];
    const half = Math.ceil(outer);
    const share = (radius, away) => Math.max(0, Math.min(1, radius - away + 0.5));
    const dot = { offsets: [], values: [] };
    for (let row = -half; row <= half; row++) {
      for (let across = -half; across <= half; across++) {
        const away = Math.hypot(row, across);
        const opaque = Math.round(255 * share(outer, away));
        if (!opaque) continue;
        const inside = rim ? share(inner, away) : 1;
        const [red, green, blue] = colour.map((value, at) => Math.round(inside * value + (1 - inside) * paper[at]));
        dot.offsets.push(row * image.width + across);
        dot.values.push(((opaque << 24) | (blue << 16) | (green << 8) | red) >>> 0);
      }
    }
    return dot;
  }

  function paint() {
    frame = 0;
    if (!width) return;
    const style = getComputedStyle(canvas);
    const ink = (variable) => style.getPropertyValue(variable).trim();
    const paper = rgb(ink("--paper"));
    const r = radius();
    const stamps = new Map(); // by colour
    const stampOf = (colour) => {
      if (!stamps.has(colour)) stamps.set(colour, stamp(rgb(colour ?? ink("--pale")), r, paper));
      return stamps.get(colour);
    };
    dots.fill(0);
    const put = (i, { offsets, values }) => {
      const at = (Math.round(down(i) * pixels) + pad) * image.width + Math.round(across(i) * pixels) + pad;
      for (let k = 0; k < offsets.length; k++) {
        // The soft edge of a dot does not cover other dots.
        if (values[k] >>> 24 >= dots[at + offsets[k]] >>> 24) dots[at + offsets[k]] = values[k];
      }
    };
    const [pale, bright] = [[], []];
    for (const i of order) {
      if (inView(i)) (isBright(i) ? bright : pale).push(i);
    }
    const halo = stamp(rgb(ink("--accent")), r + 2, paper);
    for (const list of [pale, bright]) {
      const dot = (i) => stampOf(list === bright ? colours[i] : null);
      const [ticked, others] = [list.filter(isTicked), list.filter((i) => !isTicked(i))];
      for (const i of others) put(i, dot(i));
      for (const i of ticked) put(i, halo);
      for (const i of ticked) put(i, dot(i));
    }
    stats.drawn = pale.length + bright.length;
    context.putImageData(image, -pad, -pad);
    context.setTransform(pixels, 0, 0, pixels, 0, 0);
    if (pointed !== null) ring(pointed, r + 4, ink("--ink"));
    write(ink("--ink"), ink("--paper"));
    if (line.length) outline(ink("--accent"));
  }

  function ring(i, r, colour) {
    context.strokeStyle = colour;
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(across(i), down(i), r, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Names that do not cover names of more important labels, then words in the same way. */
  function write(ink, paper) {
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = paper;
    context.fillStyle = ink;
    const taken = [];
    const fits = (label, text) => {
      const half = context.measureText(text).width / 2 + 4;
      const free = taken.every((other) => other.label === label
        || Math.abs(other.x - label.at.x) >= other.half + half || Math.abs(other.y - label.at.y) >= 17);
      if (free) taken.push({ ...label.at, half, label });
      return free;
    };
    const shown = labels.filter(({ group }) => isLabelled(group)).map((label) => ({
      ...label,
      // Slightly above, so that small groups remain visible.
      at: { x: view.left + label.x * view.scale, y: view.top + (SIDE - label.y) * view.scale - radius() - 9 },
    }));
    const named = shown.filter((label) => fits(label, label.name));
    for (const label of named) {
      const text = label.word && fits(label, `${label.name} ${label.word}`) ? `${label.name} ${label.word}` : label.name;
      context.strokeText(text, label.at.x, label.at.y);
      context.fillText(text, label.at.x, label.at.y);
    }
  }

  function outline(colour) {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.beginPath();
    for (const at of line) context.lineTo(at.x, at.y);
    context.closePath();
    context.stroke();
    context.setLineDash([]);
  }

  // ---- panning and zooming ----

  function fit() {
    const room = (span, size) => (size - 2 * MARGIN) / Math.max(1, span.to - span.from);
    view.fitted = view.scale = Math.max(1e-6, Math.min(room(low, width), room(high, height), 1));
    view.left = width / 2 - ((low.from + low.to) / 2) * view.scale;
    view.top = height / 2 - (SIDE - (high.from + high.to) / 2) * view.scale;
    draw();
  }

  function zoom(factor, at = { x: width / 2, y: height / 2 }) {
    const scale = Math.min(100 * view.fitted, Math.max(0.5 * view.fitted, view.scale * factor));
    view.left = at.x - ((at.x - view.left) * scale) / view.scale;
    view.top = at.y - ((at.y - view.top) * scale) / view.scale;
    view.scale = scale;
    draw();
  }

  function pan(dx, dy) {
    view.left += dx;
    view.top += dy;
    draw();
  }

  function point(i) {
    if (i === pointed) return;
    pointed = i;
    onPoint(i, i === null ? null : { x: across(i), y: down(i) }, { width, height });
    draw();
  }

  /** The point in the middle of the map stays there. */
  function resize() {
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (!w || !h) return;
    pixels = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(w * pixels), Math.round(h * pixels)];
    pad = Math.ceil(13 * pixels); // room for dots at the edge
    image = new ImageData(canvas.width + 2 * pad, canvas.height + 2 * pad);
    dots = new Uint32Array(image.data.buffer);
    const before = [width, height];
    [width, height] = [w, h];
    if (!before[0] || view.scale === view.fitted) fit();
    else pan((w - before[0]) / 2, (h - before[1]) / 2);
    paint(); // at once: a canvas of another size is empty
  }
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // ---- mouse, pen and fingers ----

  const pressed = new Map(); // pointer -> where it is
  let line = []; // around the points to be chosen
  let [lasso, moved] = [false, false];
  const place = (event) => ({ x: event.offsetX, y: event.offsetY });
  const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, place(event));
    moved = pressed.size > 1;
    line = pressed.size === 1 && (lasso || event.shiftKey) ? [place(event)] : [];
  });

  canvas.addEventListener("pointermove", (event) => {
    const at = place(event);
    const before = pressed.get(event.pointerId);
    if (!before) return event.pointerType === "mouse" && point(nearest(at, radius() + REACH));
    if (line.length) {
      const last = line.at(-1);
      if (Math.hypot(at.x - last.x, at.y - last.y) < 3) return;
      line.push(at);
      point(null);
      return draw();
    }
    if (!moved && Math.hypot(at.x - before.x, at.y - before.y) < 4) return;
    moved = true;
    point(null);
    if (pressed.size === 1) pan(at.x - before.x, at.y - before.y);
    const others = [...pressed.values()];
    pressed.set(event.pointerId, at);
    if (pressed.size !== 2) return;
    const [old, now] = [middle(others), middle([...pressed.values()])];
    pan(now.x - old.x, now.y - old.y);
    zoom(now.apart / Math.max(1, old.apart), now);
  });

  canvas.addEventListener("pointerup", (event) => {
    if (!pressed.delete(event.pointerId)) return;
    if (line.length > 2) {
      onLasso(inside(line));
    } else if (!moved && !line.length) {
      const i = nearest(place(event), radius() + (event.pointerType === "mouse" ? REACH : 3 * REACH));
      // On touch screens the first touch shows the image, the second opens it.
      if (i !== null && (event.pointerType === "mouse" || i === pointed)) onOpen(i);
      else point(i);
    }
    stop();
  });

  function stop() {
    line = [];
    draw();
  }

  canvas.addEventListener("pointercancel", (event) => {
    pressed.delete(event.pointerId);
    stop();
  });
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 400), place(event));
    point(null);
  }, { passive: false });

  /** Highlighted points inside a closed line: a ray from each crosses it an odd number of times. */
  function inside(corners) {
    const found = [];
    for (let i = 0; i < x.length; i++) {
      if (!inView(i) || !isBright(i)) continue;
      const [px, py] = [across(i), down(i)];
      let odd = false;
      corners.forEach((a, at) => {
        const b = corners.at(at - 1);
        if (a.y > py !== b.y > py && px < a.x + ((py - a.y) * (b.x - a.x)) / (b.y - a.y)) odd = !odd;
      });
      if (odd) found.push(i);
    }
    return found;
  }

  // ---- keyboard: it acts on the point in the middle ----

  function step(action) {
    action();
    point(null);
    point(nearest({ x: width / 2, y: height / 2 }, Math.min(width, height) / 2));
  }

  onKeys(canvas, {
    ArrowLeft: () => step(() => pan(STEP, 0)),
    ArrowRight: () => step(() => pan(-STEP, 0)),
    ArrowUp: () => step(() => pan(0, STEP)),
    ArrowDown: () => step(() => pan(0, -STEP)),
    "+": () => step(() => zoom(1.5)),
    "=": () => step(() => zoom(1.5)),
    "-": () => step(() => zoom(1 / 1.5)),
    0: () => step(fit),
    x: () => pointed !== null && onTick(pointed),
    Enter: () => pointed !== null && onOpen(pointed),
    Escape: () => (pressed.clear(), stop()),
  });
  canvas.addEventListener("blur", () => point(null));

  return Object.assign(canvas, {
    stats, draw, fit, zoom,
    /** Whether dragging draws a line instead of moving the map. */
    setLasso: (on) => (lasso = on),
    inView: () => order.filter((i) => inView(i) && isBright(i)),
    /** The place of point `i`, in pixels of the window. */
    where(i) {
      const box = canvas.getBoundingClientRect();
      return { x: box.left + across(i), y: box.top + down(i) };
    },
  });
};
