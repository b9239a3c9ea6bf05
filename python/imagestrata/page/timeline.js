
// Posts that show the images: their numbers over time, above the clusters and beside each, and the
// choice of a time or a group to which the page is limited. Posts are counted anew after edits.

/**
 * `posts` are the data of explore/timeline.py, `n` is the number of images on the page, `groups` are
 * the clusters as found. `onChange()` is called after another time or group was chosen.
 */
kit.timeline = ({ posts, n, groups, model, onChange }) => {
  const { el, svg } = kit;
  const byId = (id) => document.getElementById(id);
  const whole = (number) => number.toLocaleString("en");
  const count = (number, word) => `${whole(number)} ${word}${number === 1 ? "" : "s"}`;
  const percent = (x) => (100 * x).toFixed(x > 0 && x < 0.001 ? 2 : 1) + "%";

  /** Whole numbers of 32 bits, lowest byte first, from base64. */
  function numbers32(text) {
    const bytes = atob(text);
    const at = (place) => bytes.charCodeAt(place);
    return Uint32Array.from({ length: bytes.length / 4 }, (_, k) =>
      at(4 * k) + 256 * at(4 * k + 1) + 65536 * at(4 * k + 2) + 16777216 * at(4 * k + 3));
  }

  const days = numbers32(posts.days); // from 1, in order; 0 is unknown
  const counts = numbers32(posts.counts);
  const places = numbers32(posts.images);
  const groupOf = posts.groups && numbers32(posts.groups.of);
  const authorOf = posts.authors && numbers32(posts.authors.of);
  const starts = new Uint32Array(counts.length + 1);
  counts.forEach((number, p) => (starts[p + 1] = starts[p] + number));
  const begin = days.findIndex((day) => day > 0);
  const hasTimes = begin >= 0;
  const undated = posts.timed ? (hasTimes ? begin : days.length) : 0;

  // ---- days, and the periods that they are in ----

  const DAY = 86400000;
  const date = (day) => new Date((posts.first + day - 1) * DAY);
  const written = (day, options) => date(day).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
  const full = (day) => written(day, { day: "numeric", month: "long", year: "numeric" });
  /** The number of a period, the first day of a period with a number, and its name. */
  const UNITS = {
    day: { number: (day) => day, first: (number) => number, name: full },
    week: {
      number: (day) => Math.floor((posts.first + day + 2) / 7), // from Monday
      first: (number) => 7 * number - posts.first - 2,
      name: (day) => `week of ${full(day)}`,
    },
    month: {
      number: (day) => 12 * date(day).getUTCFullYear() + date(day).getUTCMonth(),
      first: (number) => Date.UTC(Math.floor(number / 12), number % 12, 1) / DAY - posts.first + 1,
      name: (day) => written(day, { month: "long", year: "numeric" }),
    },
    year: {
      number: (day) => date(day).getUTCFullYear(),
      first: (number) => Date.UTC(number, 0, 1) / DAY - posts.first + 1,
      name: (day) => written(day, { year: "numeric" }),
    },
  };
  const span = hasTimes ? days.at(-1) - days[begin] + 1 : 0;
  let unit = span <= 62 ? "day" : span <= 200 ? "week" : span <= 7500 ? "month" : "year";
  let periods = []; // their names
  let periodOf = null; // of each post; -1 is unknown

  function divide() {
    periodOf = new Int32Array(days.length).fill(-1);
    periods = [];
    if (!hasTimes) return;
    const { number, first, name } = UNITS[unit];
    const least = number(days[begin]);
    let [last, here] = [0, 0];
    for (let p = begin; p < days.length; p++) {
      if (days[p] !== last) [last, here] = [days[p], number(days[p]) - least];
      periodOf[p] = here;
    }
    periods = Array.from({ length: here + 1 }, (_, at) => name(first(least + at)));
  }

  // ---- counts ----

  let range = null; // the first and last period that were chosen
  let group = 0; // from 1; 0 is all
  let found = null;

  /** Numbers of posts in all, and of each cluster after the edits: by period and in the range. */
  function tally() {
    const empty = () => ({ series: new Uint32Array(periods.length), all: 0, within: 0, last: -1 });
    const total = empty();
    const clusters = new Map();
    const isShown = new Uint8Array(n);
    const heirs = groups.map(({ cluster }) => model.heir(cluster));
    for (let p = 0; p < days.length; p++) {
      if (group && groupOf[p] !== group) continue;
      const period = periodOf[p];
      const within = !range || (period >= range[0] && period <= range[1]);
      const add = (to) => {
        if (to.last === p) return;
        to.last = p;
        to.all++;
        if (period >= 0) to.series[period]++;
        if (within) to.within++;
      };
      add(total);
      for (let k = starts[p]; k < starts[p + 1]; k++) {
        const place = places[k];
        const cluster = place < n ? model.of(place) : heirs[place - n];
        if (!clusters.has(cluster)) clusters.set(cluster, empty());
        add(clusters.get(cluster));
        if (within && place < n) isShown[place] = 1;
      }
    }
    return { total, clusters, isShown, none: empty() };
  }

  const now = () => (found ??= tally());
  const of = (cluster) => now().clusters.get(cluster) ?? now().none;
  const share = (cluster, period) => (now().total.series[period] ? of(cluster).series[period] / now().total.series[period] : 0);

  /** The time and the group that were chosen, in words; empty if there is no choice. */
  function words() {
    const time = !range ? "" : range[0] === range[1] ? periods[range[0]] : `${periods[range[0]]} to ${periods[range[1]]}`;
    return [time, group ? posts.groups.values[group - 1] : ""].filter(Boolean).join(", ");
  }

  // ---- one image ----

  let postsOf = null; // posts by image

  function ofImage(i) {
    if (!postsOf) {
      postsOf = Array.from({ length: n }, () => []);
      for (let p = 0; p < days.length; p++) {
        for (let k = starts[p]; k < starts[p + 1]; k++) if (places[k] < n) postsOf[places[k]].push(p);
      }
    }
    return postsOf[i];
  }

  const MOST = 30;

  /** Pairs of a term and a value about the posts of an image. */
  function about(i) {
    const list = ofImage(i);
    const dated = list.filter((p) => days[p]);
    const when = dated.length ? [...new Set([days[dated[0]], days[dated.at(-1)]])].map(full).join(" to ") : null;
    const pairs = [["Posts", whole(list.length)], ["Posted", when]];
    if (posts.authors) {
      const lines = list.slice(0, MOST).map((p) =>
        `${days[p] ? `${full(days[p])}: ` : ""}${authorOf[p] ? posts.authors.values[authorOf[p] - 1] : "unknown"}`);
      if (list.length > MOST) lines.push(`and ${count(list.length - MOST, "further post")}`);
      if (lines.length) pairs.push(["Posted by", el("ul", { class: "plain" }, ...lines.map((line) => el("li", {}, line)))]);
    }
    return pairs;
  }

  // ---- beside a cluster ----

  function facts(cluster) {
    const { within } = of(cluster);
    return [["Posts", whole(within)], ["Of all posts", now().total.within ? percent(within / now().total.within) : "–"]];
  }

  /** The share of posts that show a cluster, as a small line. */
  function sparkline(cluster) {
    if (periods.length < 2 || !of(cluster).all) return "";
    const [width, height] = [194, 34];
    const values = periods.map((_, at) => share(cluster, at));
    const most = Math.max(...values) || 1;
    const step = width / periods.length;
    const y = (value) => (height - 1 - (value / most) * (height - 3)).toFixed(1);
    const line = values.map((value, at) => `${((at + 0.5) * step).toFixed(1)},${y(value)}`).join(" ");
    const peak = values.indexOf(most);
    const text = `Share of posts by ${unit}${peak < 0 ? "" : `: at most ${percent(most)}, ${periods[peak]}`}`;
    const drawing = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text }, svg("title", {}, text));
    if (range) drawing.append(svg("rect", { x: range[0] * step, width: (range[1] - range[0] + 1) * step, y: 0, height, class: "chosen" }));
    drawing.append(
      svg("polygon", { points: `${step / 2},${height - 1} ${line} ${width - step / 2},${height - 1}` }),
      svg("polyline", { points: line }));
    return drawing;
  }

  // ---- above the page ----

  const section = byId("timeline");
  const caption = el("h2");
  const plot = el("div", { class: "plot", id: "plot", tabindex: "0", role: "slider", "aria-label": "Time", "aria-valuemin": 0 });
  const controls = el("div", { class: "buttons" });
  const notes = [
    undated ? `${count(undated, "post")} without a time.` : "",
    posts.unlinked ? `${count(posts.unlinked, "post")} without an image of these clusters ${posts.unlinked === 1 ? "is" : "are"} left out.` : "",
  ].filter(Boolean).join(" ");
  const figures = el("details", {}, el("summary", {}, "The figures as a table"));
  const body = el("div");
  figures.append(body);
  section.append(caption, hasTimes ? plot : "", controls, notes ? el("p", { class: "soft small" }, notes) : "", hasTimes ? figures : "");

  let cluster = null; // the one whose posts are shown; null for all
  let title = "";

  const value = (at) => (cluster === null ? now().total.series[at] : share(cluster, at));
  const inWords = (at) => {
    const all = now().total.series[at];
    return cluster === null ? `${periods[at]}: ${count(all, "post")}`
      : `${periods[at]}: ${whole(of(cluster).series[at])} of ${count(all, "post")}, ${percent(share(cluster, at))}`;
  };

  const [HEIGHT, LEFT, BOTTOM, TOP] = [104, 52, 22, 10];
  let width = 0;

  function drawPlot() {
    if (!hasTimes || section.hidden) return;
    width = Math.max(240, plot.clientWidth);
    const most = Math.max(...periods.map((_, at) => value(at))) || 1;
    const step = (width - LEFT) / periods.length;
    const thick = Math.max(1, Math.min(30, 0.8 * step));
    const y = (number) => HEIGHT - BOTTOM - (number / most) * (HEIGHT - BOTTOM - TOP);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    for (const number of [0, most]) {
      drawing.append(svg("line", { x1: LEFT, x2: width, y1: y(number), y2: y(number), class: "rule" }));
      drawing.append(svg("text", { x: LEFT - 8, y: y(number) + 4, class: "right" }, cluster === null ? whole(number) : percent(number)));
    }
    periods.forEach((_, at) => {
      const isIn = range && at >= range[0] && at <= range[1];
      const x = LEFT + at * step;
      // The whole height can be clicked.
      drawing.append(svg("rect", { x, width: step, y: 0, height: HEIGHT - BOTTOM, class: isIn ? "chosen" : "free" }, svg("title", {}, inWords(at))));
      if (value(at)) {
        drawing.append(svg("rect", { x: x + (step - thick) / 2, width: thick, y: y(value(at)),
          height: HEIGHT - BOTTOM - y(value(at)), class: isIn ? "bright" : range ? "pale" : "main" }));
      }
    });
    const every = Math.ceil(periods.length / Math.max(1, Math.floor((width - LEFT) / 190)));
    for (let at = 0; at < periods.length; at += every) {
      drawing.append(svg("text", { x: LEFT + at * step + (step - thick) / 2, y: HEIGHT - 5 }, periods[at].replace("week of ", "")));
    }
    plot.replaceChildren(drawing);
    if (figures.open) drawTable();
  }

  function drawTable() {
    const columns = cluster === null ? ["Posts"] : ["Posts", "Of all posts", "Share"];
    const cells = (at) => (cluster === null ? [whole(value(at))]
      : [whole(of(cluster).series[at]), whole(now().total.series[at]), percent(value(at))]);
    body.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, ...[unit[0].toUpperCase() + unit.slice(1), ...columns].map((one) => el("th", { scope: "col" }, one)))),
      el("tbody", {}, ...periods.map((name, at) => el("tr", {}, el("th", { scope: "row" }, name), ...cells(at).map((one) => el("td", {}, one)))))));
  }
  figures.addEventListener("toggle", () => figures.open && drawTable());

  const select = (id, label, options, chosen, action) => {
    const made = el("select", { id, "aria-label": label }, ...options.map(([at, text]) => el("option", { value: at }, text)));
    made.value = String(chosen);
    made.addEventListener("change", () => action(made.value));
    return el("label", { class: "check" }, label, made);
  };

  function drawControls() {
    const focus = controls.contains(document.activeElement) ? document.activeElement.id : null;
    const names = periods.map((name, at) => [at, name]);
    const parts = [];
    if (hasTimes) {
      parts.push(
        select("time-unit", "By", Object.keys(UNITS).map((name) => [name, name]), unit, setUnit),
        select("time-from", "From", [["", "the beginning"], ...names], range ? range[0] : "", (at) => setEnd(0, at)),
        select("time-to", "To", [["", "the end"], ...names], range ? range[1] : "", (at) => setEnd(1, at)));
    }
    if (posts.groups) {
      const options = [[0, "all"], ...posts.groups.values.map((name, at) => [at + 1, name])];
      parts.push(select("post-group", posts.groups.name, options, group, (at) => limit(range, Number(at))));
    }
    const all = el("button", { type: "button", id: "all-posts" }, "All posts");
    all.disabled = !range && !group;
    all.addEventListener("click", () => limit(null, 0));
    controls.replaceChildren(...parts, parts.length ? all : "");
    if (focus) (byId(focus)?.disabled ? plot : byId(focus))?.focus();
  }

  /** Draw the section for a cluster, or for all; its name is `called`. */
  function draw(number = cluster, called = title) {
    [cluster, title] = [number, called];
    const { total } = now();
    const within = words() ? `, ${words()}` : "";
    caption.replaceChildren(cluster === null
      ? `${count(total.within, "post")}${within}`
      : `${title}: ${whole(of(cluster).within)} of ${count(total.within, "post")}${within}`);
    drawControls();
    plot.setAttribute("aria-valuemax", periods.length - 1);
    plot.setAttribute("aria-valuenow", range ? range[0] : 0);
    plot.setAttribute("aria-valuetext", !range ? "all times" : range[0] === range[1] ? inWords(range[0]) : words());
    drawPlot();
  }

  // ---- choosing ----

  function limit(wanted, of = group) {
    if (String(wanted) === String(range) && of === group) return draw();
    [range, group, found] = [wanted, of, null];
    draw();
    onChange();
  }

  function setUnit(name) {
    const hadRange = range !== null;
    [unit, range, found] = [name, null, null];
    divide();
    draw();
    onChange(hadRange);
  }

  function setEnd(end, text) {
    const last = periods.length - 1;
    const ends = range ? [...range] : [0, last];
    ends[end] = text === "" ? [0, last][end] : Number(text);
    if (ends[0] > ends[1]) ends[1 - end] = ends[end];
    limit(ends[0] === 0 && ends[1] === last ? null : ends);
  }

  const at = (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width - LEFT;
    return Math.max(0, Math.min(periods.length - 1, Math.floor((x / (width - LEFT)) * periods.length)));
  };
  let from = null;
  const between = (event) => [Math.min(from, at(event)), Math.max(from, at(event))];
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = at(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const [low, high] = between(event);
    const boxes = plot.querySelectorAll(".free, .chosen");
    boxes.forEach((box, place) => box.setAttribute("class", place >= low && place <= high ? "chosen" : "free"));
  });
  plot.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const wanted = between(event);
    from = null;
    // A click on the chosen period shows all again.
    limit(String(wanted) === String(range) ? null : wanted);
  });
  plot.addEventListener("pointercancel", () => {
    from = null;
    drawPlot();
  });

  /** Move the chosen period, or with Shift its end. */
  function move(by, event) {
    const last = periods.length - 1;
    const within = (place) => Math.max(0, Math.min(last, place));
    if (!range) return limit(by > 0 ? [0, 0] : [last, last]);
    if (event.shiftKey) return limit([range[0], Math.max(range[0], within(range[1] + by))]);
    const here = within((by > 0 ? range[1] : range[0]) + by);
    limit([here, here]);
  }
  kit.onKeys(plot, {
    ArrowLeft: (event) => move(-1, event),
    ArrowRight: (event) => move(1, event),
    Home: () => limit([0, 0]),
    End: () => limit([periods.length - 1, periods.length - 1]),
    Escape: () => limit(null),
  });
  new ResizeObserver(() => requestAnimationFrame(() => plot.clientWidth !== width && drawPlot())).observe(plot);

  divide();
  return {
    draw, facts, sparkline, about, words,
    /** Whether a cluster has posts in the time that was chosen. */
    has: (number) => of(number).within > 0,
    isShown: (i) => Boolean(now().isShown[i]),
    isLimited: () => range !== null || group > 0,
    /** Count anew after edits. */
    recount() {
      found = null;
    },
    show(on) {
      section.hidden = !on;
    },
  };
};
