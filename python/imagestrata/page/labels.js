// Images that are labelled by groups. An answer labels all images of a group; images that are
// selected get a label of their own, which goes before that of the group.
(() => {
  const { data, dict, el, onKeys, say } = kit;
  const { codes, groups, images } = data;
  const byId = (id) => document.getElementById(id);
  const count = (n, word) => `${n.toLocaleString("en")} ${n === 1 ? word : word + "s"}`;
  const required = codes.filter((code) => code.kind !== "text");
  const REASONS = ["cannot be seen clearly", "too disturbing", "I am not sure"];
  /** The longest pause, in seconds, that counts as time spent on an image. */
  const PAUSE = 60;

  let shown = null; // the group on the screen and who sees it
  let group = groups[0];
  let answer = empty();
  let selected = new Set(); // rows of images
  let isApplied = false; // whether the selection got a label, so that a click begins another one
  let last = null; // the image that was clicked last
  let now = 0; // the code that keys answer
  let hasWarned = false;
  let since = 0; // when time was last counted
  let tiles = new Map(); // row -> elements of its tile

  function empty() {
    return { codes: dict(), images: dict(), skipped: dict(), notes: dict(), seconds: 0, done: false };
  }

  const own = (row, name) => answer.images[images[row].id]?.[name] ?? "";
  const labelOf = (row, name) => own(row, name) || (answer.codes[name] ?? "");
  const isSkipped = (row) => Object.hasOwn(answer.skipped, images[row].id);
  const lacks = (row, code) => !isSkipped(row) && labelOf(row, code.name).trim() === "";
  const targets = () => (selected.size ? [...selected] : group.images);
  const wordOf = (code, label) => (code.answers ? code.words[code.answers.indexOf(label)] : label);

  const task = kit.annotate({
    kind: "labels",
    one: data.one,
    past: "labelled",
    all: "",
    arrows: false,
    file: data.packet ? `labels-${data.packet}` : "labels",
    ids: groups.map((_, i) => `g${i + 1}`),
    columns: [
      ...(data.packet ? ["packet_id", "position"] : []),
      "image_id", "annotator", ...codes.map((code) => code.name), "skipped", "note", "seconds",
    ],
    isDone: (given) => given.done,

    show(i, given, person) {
      answer = { ...empty(), ...given };
      const key = `${i} ${person}`;
      if (shown !== key) {
        shown = key;
        group = groups[i];
        since = performance.now();
        selected = new Set();
        last = null;
        hasWarned = false;
        draw(i);
        now = Math.max(codes.findIndex((code) => group.images.some((row) => lacks(row, code))), 0);
      }
      mark();
    },

    rows(i, person, given) {
      const { images: rows } = groups[i];
      const seconds = Math.round((10 * given.seconds) / rows.length) / 10;
      return rows.flatMap((row) => {
        const { id } = images[row];
        const skipped = given.skipped[id] ?? null;
        const labels = codes.map(({ name }) =>
          skipped === null ? (given.images[id]?.[name] || given.codes[name] || "").trim() : "",
        );
        const note = given.notes[id] ?? "";
        if (skipped === null && !note && labels.every((label) => label === "")) return [];
        const place = data.packet ? [data.packet, data.positions[row]] : [];
        return [[...place, id, person, ...labels, skipped, note, seconds]];
      });
    },

    summary(given) {
      const skipped = given.reduce((n, one) => n + Object.keys(one.skipped).length, 0);
      return skipped ? `, ${count(skipped, "image")} skipped` : "";
    },
  });

  // ---- the images of a group ----

  function draw(i) {
    const alone = group.images.length === 1;
    byId("labels").classList.toggle("solo", alone);
    byId("title").textContent = group.title;
    byId("title").append(...(data.alone ? [] : [" ", el("span", { class: "soft" }, count(group.images.length, "image"))]));
    byId("title").hidden = data.alone;
    tiles = new Map();
    byId("tiles").replaceChildren(...group.images.map((row, place) => tile(row, place)));
    byId("sheet").scrollTop = 0;
    byId("on").textContent = i === groups.length - 1 ? "Finish" : `Next ${data.one}`;
  }

  function tile(row, place) {
    const image = images[row];
    const picture = image.picture
      ? el("img", { src: image.picture, alt: "", loading: "lazy", decoding: "async" })
      : el("span", { class: "missing" }, image.missing);
    const pick = el("button", { type: "button", class: "pick", "aria-label": `Image ${place + 1}`, tabindex: place ? -1 : 0 }, picture);
    pick.addEventListener("click", (event) => {
      if (group.images.length === 1) return enlarge(row);
      choose(row, event.shiftKey);
    });
    pick.addEventListener("focus", () => {
      for (const one of tiles.values()) one.pick.tabIndex = one.pick === pick ? 0 : -1;
    });
    const zoom = el("button", { type: "button", class: "zoom", title: "Enlarge", "aria-label": "Enlarge", tabindex: -1 }, "⤢");
    zoom.addEventListener("click", () => enlarge(row));
    const chips = el("div", { class: "chips" });
    const card = el("article", {}, pick, ...(image.picture ? [zoom] : []), chips, ...(image.facts.length ? [facts(image)] : []));
    tiles.set(row, { card, pick, chips });
    return card;
  }

  const facts = (image) =>
    el(
      "dl",
      { class: "facts" },
      ...image.facts.map(([name, text]) =>
        el("div", { class: text.length > 28 && "long" }, el("dt", {}, name), el("dd", {}, text)),
      ),
    );

  /** The labels of an image in words; those of its own stand out. */
  function chipsOf(row) {
    if (isSkipped(row)) return [el("span", { class: "chip out" }, `skipped: ${answer.skipped[images[row].id]}`)];
    const made = codes.flatMap((code) => {
      const label = labelOf(row, code.name);
      if (label === "") return [];
      const text = code.kind === "binary" ? `${label === "1" ? "✓" : "✗"} ${code.name}` : `${code.name}: ${wordOf(code, label)}`;
      const spoken = `${code.name}: ${wordOf(code, label)}`;
      return [el("span", { class: `chip${own(row, code.name) ? " own" : ""}${code.kind === "binary" && label === "0" ? " no" : ""}`, title: spoken }, text)];
    });
    const note = answer.notes[images[row].id];
    return note ? [...made, el("span", { class: "chip note", title: note }, `✎ ${note}`)] : made;
  }

  function mark() {
    for (const [row, { card, pick, chips }] of tiles) {
      card.classList.toggle("on", selected.has(row));
      card.classList.toggle("gone", isSkipped(row));
      card.classList.toggle("open", required.some((code) => lacks(row, code)));
      if (group.images.length > 1) pick.setAttribute("aria-pressed", String(selected.has(row)));
      chips.replaceChildren(...chipsOf(row));
    }
    if (viewer.open) fillViewer();
    const n = selected.size;
    const all = group.images.length;
    byId("target").textContent =
      all === 1 ? "Labels go to this image." : n ? `Labels go to ${n === 1 ? "the selected image" : `the ${n} selected images`}.` : `Labels go to all ${all} images.`;
    byId("none").hidden = n === 0 || all === 1;
    byId("skip").setAttribute("aria-pressed", String(targets().every(isSkipped)));
    panel.forEach(({ box, set }, place) => {
      box.classList.toggle("now", place === now && codes.length > 1);
      set();
    });
  }

  function choose(row, toHere = false) {
    const members = group.images;
    if (toHere && last !== null && members.includes(last)) {
      const [from, to] = [members.indexOf(last), members.indexOf(row)].sort((a, b) => a - b);
      for (const one of members.slice(from, to + 1)) selected.add(one);
    } else if (isApplied) {
      selected = selected.has(row) && selected.size === 1 ? new Set() : new Set([row]);
    } else if (!selected.delete(row)) {
      selected.add(row);
    }
    last = row;
    isApplied = false;
    const open = codes.findIndex((code) => targets().some((one) => lacks(one, code)));
    now = open === -1 ? 0 : open;
    count_();
    mark();
  }

  function chooseNone() {
    if (!selected.size) return false;
    selected = new Set();
    mark();
  }

  // ---- labels ----

  /** Give all targets a label, or take it back if they have it. */
  function label(place, value) {
    if (byId("judge").hidden) return false;
    const { name } = codes[place];
    now = place;
    if (!selected.size) {
      if (answer.codes[name] === value) delete answer.codes[name];
      else answer.codes[name] = value;
      // An exception that says the same is no exception any more.
      for (const row of group.images) if (own(row, name) === answer.codes[name]) setOwn(row, name, "");
    } else {
      const rows = [...selected];
      const isTaken = rows.every((row) => own(row, name) === value);
      for (const row of rows) {
        delete answer.skipped[images[row].id];
        setOwn(row, name, isTaken || answer.codes[name] === value ? "" : value);
      }
      isApplied = true;
    }
    const open = codes.findIndex((code, i) => code.kind !== "text" && i !== place && targets().some((row) => lacks(row, code)));
    if (open !== -1 && !targets().some((row) => lacks(row, codes[place]))) now = open;
    store();
  }

  /** Write a text to all targets. */
  function write(name, text) {
    if (!selected.size) answer.codes[name] = text;
    else for (const row of selected) setOwn(row, name, text);
    store();
  }

  function setOwn(row, name, value) {
    const { id } = images[row];
    const labels = dict({ ...answer.images[id] });
    if (value === "") delete labels[name];
    else labels[name] = value;
    if (Object.keys(labels).length) answer.images[id] = labels;
    else delete answer.images[id];
  }

  function store() {
    count_();
    hasWarned = false;
    answer.done = group.images.every((row) => required.every((code) => !lacks(row, code)) && (required.length || isSkipped(row) || codes.some((code) => labelOf(row, code.name) !== "")));
    task.note(answer);
  }

  // ---- the panel: a row of answers for each code ----

  const keyOf = (code, place) => {
    if (code.kind === "binary") return code.answers[place];
    if (code.kind === "scale") {
      const value = Number(code.answers[place]);
      const [low, high] = [Number(code.answers[0]), Number(code.answers.at(-1))];
      if (low >= 0 && high <= 10) return value < 10 ? String(value) : low > 0 ? "0" : "x";
    }
    return place < 9 ? String(place + 1) : place === 9 ? "0" : place === 10 ? "x" : "";
  };

  function row(code, place) {
    const about = data.codebook.find((entry) => entry.code === code.name && !entry.answer);
    const heading = el("p", { class: "name" }, code.name, ...(about?.definition ? [" ", el("span", { class: "soft" }, about.definition)] : []));
    if (code.kind === "text") {
      const input = el("input", { type: "text", autocomplete: "off", "aria-label": code.name });
      input.addEventListener("input", () => write(code.name, input.value));
      input.addEventListener("keydown", (event) => {
        if ((event.key === "Enter" && !event.isComposing) || event.key === "Escape") input.blur();
      });
      const set = () => {
        const texts = new Set(targets().map((one) => labelOf(one, code.name)));
        if (input !== document.activeElement) input.value = texts.size === 1 ? [...texts][0] : "";
        input.placeholder = texts.size > 1 ? "different texts" : "";
      };
      return { box: el("div", { class: "code" }, heading, input), set };
    }
    const buttons = code.answers.map((value, i) => {
      const key = keyOf(code, i);
      const kbd = key && code.kind !== "scale" ? [el("kbd", {}, key.toUpperCase())] : [];
      const button = el("button", { type: "button", "aria-label": `${code.name}: ${code.words[i]}` }, code.words[i], ...kbd);
      button.addEventListener("click", (event) => {
        if (event.detail > 0) button.blur();
        label(place, value);
      });
      return button;
    });
    const set = () => {
      const labels = new Set(targets().map((one) => (isSkipped(one) ? "" : labelOf(one, code.name))));
      buttons.forEach((button, i) => {
        const has = labels.has(code.answers[i]);
        button.setAttribute("aria-pressed", has ? (labels.size === 1 ? "true" : "mixed") : "false");
      });
    };
    const ends = code.ends.length ? [el("p", { class: "ends soft" }, el("span", {}, code.ends[0]), el("span", {}, code.ends[1]))] : [];
    const group = el("div", { class: code.kind === "scale" ? "scale" : "choices" }, ...buttons);
    return { box: el("div", { class: "code", role: "group", "aria-label": code.name }, heading, group, ...ends), set };
  }

  const panel = codes.map(row);
  byId("codes").append(...panel.map(({ box }) => box));

  // ---- time, only while the page is visible ----

  function count_() {
    if (!document.hidden) answer.seconds += Math.min((performance.now() - since) / 1000, PAUSE);
    since = performance.now();
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) answer.seconds += Math.min((performance.now() - since) / 1000, PAUSE);
    since = performance.now();
  });

  // ---- next group ----

  function goOn() {
    if (byId("judge").hidden) return false;
    const open = required.filter((code) => group.images.some((one) => lacks(one, code)));
    if (open.length && !hasWarned) {
      const n = group.images.filter((one) => open.some((code) => lacks(one, code))).length;
      hasWarned = true;
      return say(`${n === 1 ? "1 image has" : `${n} images have`} no label for ${open.map((code) => code.name).join(", ")}. Once more leaves ${n === 1 ? "it" : "them"} open.`);
    }
    count_();
    task.answer(answer);
  }
  byId("on").addEventListener("click", (event) => {
    event.currentTarget.blur();
    goOn();
  });
  byId("next").hidden = true;
  byId("judge").classList.add("labelling");

  // ---- dialogs: reason, note, codebook, one image ----

  function dialog(className, ...children) {
    const made = el("dialog", { class: className }, ...children);
    document.body.append(made);
    return made;
  }

  const who = () => (targets().length === 1 ? "this image" : `${selected.size ? "" : "all "}${targets().length} images`);

  /** Ask for a text, or for one of several; call `use` with it. */
  function ask(heading, name, before, use, choices = []) {
    const box = dialog("picker ask");
    const input = el("input", { type: "text", autocomplete: "off", "aria-label": name, maxlength: 500 });
    input.value = before;
    const finish = (text) => {
      box.close();
      if (text !== null) use(text.trim());
    };
    const buttons = choices.map((choice, i) => {
      const button = el("button", { type: "button" }, choice, " ", el("kbd", {}, String(i + 1)));
      button.addEventListener("click", () => finish(choice));
      return button;
    });
    const form = el("form", {}, input, el("div", { class: "buttons" }, el("button", { type: "submit", class: "main" }, "Save"), cancel()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      finish(input.value);
    });
    function cancel() {
      const button = el("button", { type: "button" }, "Cancel");
      button.addEventListener("click", () => finish(null));
      return button;
    }
    box.append(el("h2", {}, heading), ...(buttons.length ? [el("div", { class: "reasons" }, ...buttons), el("p", { class: "soft" }, name)] : []), form);
    box.addEventListener("close", () => box.remove());
    // A digit as the first character chooses a reason.
    input.addEventListener("keydown", (event) => {
      if (input.value === "" && choices[Number(event.key) - 1] && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        finish(choices[Number(event.key) - 1]);
      }
    });
    box.showModal();
    input.focus();
  }

  function skip() {
    if (byId("judge").hidden || viewer.open) return false;
    const rows = targets();
    if (rows.every(isSkipped)) {
      for (const one of rows) delete answer.skipped[images[one].id];
      return store();
    }
    ask(`Why do you skip ${who()}?`, "Another reason", "", (reason) => {
      for (const one of rows) answer.skipped[images[one].id] = reason || "no reason";
      isApplied = true;
      store();
    }, REASONS);
  }

  function note() {
    if (byId("judge").hidden || viewer.open) return false;
    const rows = targets();
    const notes = new Set(rows.map((one) => answer.notes[images[one].id] ?? ""));
    ask(`A note on ${who()}`, "Note", notes.size === 1 ? [...notes][0] : "", (text) => {
      for (const one of rows) {
        if (text) answer.notes[images[one].id] = text;
        else delete answer.notes[images[one].id];
      }
      isApplied = true;
      store();
    });
  }

  const book = dialog("picker book");
  {
    const close = el("button", { type: "button" }, "Close");
    close.addEventListener("click", () => book.close());
    const entries = codes.map((code) => {
      const of = data.codebook.filter((entry) => entry.code === code.name);
      const about = (entry) => [
        ...(entry.definition ? [el("p", { class: "definition" }, entry.definition)] : []),
        ...(entry.examples.length ? [el("div", { class: "examples" }, ...entry.examples.map((src) => el("img", { src, alt: `An example of ${entry.code}${entry.answer ? `: ${entry.answer}` : ""}` })))] : []),
      ];
      const general = of.filter((entry) => !entry.answer);
      const answers = (code.words ?? []).map((word) => [word, of.filter((entry) => entry.answer === word)]);
      const listed = code.kind === "scale" && answers.every(([, found]) => !found.length)
        ? [el("p", { class: "soft" }, `${[code.words[0], code.ends[0]].filter(Boolean).join(" ")} to ${[code.words.at(-1), code.ends[1]].filter(Boolean).join(" ")}`)]
        : answers.filter(([, found]) => found.length || code.kind === "choice").map(([word, found]) => el("div", { class: "answer" }, el("h4", {}, word), ...found.flatMap(about)));
      return el("section", {}, el("h3", {}, code.name), ...general.flatMap(about), ...listed);
    });
    const keys = [
      [["1", "…", "9"], "the answers to the marked code"],
      ...(codes.length > 1 ? [[["C"], "the next code"]] : []),
      [["←", "→", "↑", "↓"], "another image"],
      [["Space"], "select it, so that labels go to it alone"],
      [["Esc"], "select none, so that labels go to all"],
      [["Z"], "enlarge"],
      [["S"], "skip, with a reason"],
      [["N"], "a note"],
      [["B"], "this page"],
      [["Enter"], `the next ${data.one}`],
      [["Backspace"], `the ${data.one} before`],
    ];
    book.append(
      el("div", { class: "buttons" }, el("h2", {}, data.codebook.length ? "Codebook and keys" : "Codes and keys"), close),
      ...entries,
      el("h3", {}, "Keys"),
      el("dl", { class: "keys" }, ...keys.map(([names, text]) => el("div", {}, el("dt", {}, ...names.map((name) => (name === "…" ? name : el("kbd", {}, name)))), el("dd", {}, text)))),
    );
    if (!data.codebook.length) byId("book").textContent = "Keys";
  }
  function openBook() {
    if (byId("judge").hidden || viewer.open) return false;
    if (book.open) book.close();
    else book.showModal();
  }

  const viewer = dialog("large");
  let enlarged = 0;
  viewer.addEventListener("click", () => viewer.close());
  function fillViewer() {
    const image = images[enlarged];
    viewer.replaceChildren(
      image.picture ? el("img", { src: image.picture, alt: "" }) : el("p", { class: "missing" }, image.missing),
      el("div", { class: "chips" }, ...chipsOf(enlarged)),
      ...(image.facts.length ? [facts(image)] : []),
    );
  }
  function enlarge(row) {
    enlarged = row;
    if (group.images.length > 1) {
      selected = new Set([row]);
      isApplied = true;
    }
    if (!viewer.open) viewer.showModal();
    mark();
  }

  for (const [id, action] of [["skip", skip], ["note", note], ["book", openBook], ["none", chooseNone]]) {
    byId(id).addEventListener("click", (event) => {
      event.currentTarget.blur();
      action();
    });
  }

  // ---- keys ----

  /** Move to another image: the next one, or the nearest one in the row above or below. */
  function step(by, isRow = false) {
    if (byId("judge").hidden || book.open) return false;
    const members = group.images;
    const at = viewer.open ? members.indexOf(enlarged) : members.findIndex((one) => tiles.get(one).pick === document.activeElement);
    let to = at + by;
    if (viewer.open) return members[to] !== undefined && enlarge(members[to]);
    if (at === -1) to = 0;
    else if (isRow) {
      const boxes = members.map((one) => tiles.get(one).card.getBoundingClientRect());
      const line = by > 0 ? boxes.find((box) => box.top > boxes[at].top + 1)?.top : boxes.findLast((box) => box.top < boxes[at].top - 1)?.top;
      if (line === undefined) return;
      const far = (i) => (Math.abs(boxes[i].top - line) < 2 ? Math.abs(boxes[i].left - boxes[at].left) : Infinity);
      to = members.reduce((best, _, i) => (far(i) < far(best) ? i : best), at);
    }
    if (members[to] === undefined) return;
    const { pick, card } = tiles.get(members[to]);
    pick.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }

  const digit = (key) => {
    if (byId("judge").hidden || book.open) return false;
    const code = codes[now];
    const place = code.answers ? code.answers.findIndex((_, i) => keyOf(code, i) === key) : -1;
    return place === -1 ? false : label(now, code.answers[place]);
  };
  const focused = () => group.images.find((one) => tiles.get(one).pick === document.activeElement);
  onKeys(document, {
    ...Object.fromEntries([..."0123456789x"].map((key) => [key, () => digit(key)])),
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    ArrowUp: () => step(-1, true),
    ArrowDown: () => step(1, true),
    Escape: () => (document.querySelector("dialog[open]") ? false : chooseNone()),
    // Enter on a button presses that button, except on an image.
    Enter: (event) => (document.querySelector("dialog[open]") || event.target.matches("button:not(.pick)") ? false : goOn()),
    c() {
      if (byId("judge").hidden || book.open) return false;
      now = (now + 1) % codes.length;
      mark();
      if (codes[now].kind === "text") panel[now].box.querySelector("input").focus();
    },
    b: openBook,
    n: note,
    s: skip,
    z() {
      if (byId("judge").hidden || book.open) return false;
      if (viewer.open) viewer.close();
      else enlarge(focused() ?? [...selected][0] ?? group.images[0]);
    },
  });

  const n = images.length;
  byId("size").textContent = data.alone ? `${count(n, "image")}.` : `${count(n, "image")} in ${count(groups.length, data.one)}.`;
  byId("keys").textContent = data.alone
    ? "An answer, or its key, labels the image."
    : `An answer, or its key, labels all images of a ${data.one}. Select those that differ, and give them an answer of their own.`;

  task.begin();
})();
