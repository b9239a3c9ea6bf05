
// Pairs of images, judged one after the other from the keyboard.
(() => {
  const { data, el, stored, say, onKeys, csv, download } = kit;
  const { pairs, answers, images, pictures } = data;
  const byId = (id) => document.getElementById(id);
  const count = (n, one) => `${n.toLocaleString("en")} ${n === 1 ? one : one + "s"}`;
  const binary = answers.length === 2;

  // ---- what is kept: who judges, and everybody's answers ----

  const store = stored(`imagestrata:pairs:${data.key}`, { annotator: "", judged: {} });
  let annotator = "";
  let judged = {}; // pair id -> number
  let at = 0;
  let view = "start";

  function keep() {
    const all = store.read();
    all.annotator = annotator;
    all.judged[annotator] = judged;
    store.write(all);
  }

  // Another window with this page may have added answers.
  store.onChange(() => {
    if (view === "start") return;
    judged = store.read().judged[annotator] ?? {};
    show();
  });

  const answered = (i) => Object.hasOwn(judged, pairs[i][0]);
  const nAnswered = () => pairs.filter((_, i) => answered(i)).length;

  /** The first pair without an answer, from `from` on and then from the start; -1 if none. */
  function open(from) {
    for (let step = 0; step < pairs.length; step++) {
      const i = (from + step) % pairs.length;
      if (!answered(i)) return i;
    }
    return -1;
  }

  // ---- views ----

  function go(to) {
    view = to;
    for (const name of ["start", "judge", "end"]) byId(name).hidden = name !== view;
    document.body.classList.toggle("full", view === "judge");
    if (view === "start") byId("annotator").focus();
    show();
  }

  function show() {
    const done = nAnswered();
    if (view === "judge") {
      const [id, left, right] = pairs[at];
      byId("left").src = pictures[left];
      byId("right").src = pictures[right];
      byId("place").textContent = `Pair ${at + 1} of ${pairs.length} · ${done} judged`;
      byId("back").disabled = at === 0;
      byId("next").disabled = at === pairs.length - 1;
      byId("name").textContent = annotator;
      byId("done").style.width = `${(100 * done) / pairs.length}%`;
      const meter = byId("done").parentElement;
      meter.setAttribute("aria-valuemax", pairs.length);
      meter.setAttribute("aria-valuenow", done);
      for (const button of byId("answers").children) {
        button.setAttribute("aria-pressed", judged[id] === Number(button.dataset.value));
      }
    }
    if (view === "end") {
      const each = answers.map((word, value) => {
        const n = Object.values(judged).filter((given) => given === value).length;
        return `${n.toLocaleString("en")} ${word}`;
      });
      byId("counts").textContent = `${count(done, "pair")}: ${each.join(", ")}.`;
    }
  }

  function move(by) {
    if (view !== "judge") return false;
    at = Math.min(Math.max(at + by, 0), pairs.length - 1);
    show();
  }

  function answer(value) {
    if (view !== "judge" || value >= answers.length) return false;
    // Whoever goes back to change an answer goes on from there; others to what is open.
    const next = answered(at) && at + 1 < pairs.length ? at + 1 : null;
    judged[pairs[at][0]] = value;
    keep();
    at = next ?? open(at + 1);
    at === -1 ? go("end") : show();
  }

  // ---- the start ----

  byId("size").textContent = `${count(pairs.length, "pair")} of images.`;
  byId("annotator").value = store.read().annotator;

  byId("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("annotator").value.trim();
    if (!name) {
      byId("annotator").value = "";
      return byId("annotator").focus();
    }
    annotator = name;
    judged = store.read().judged[annotator] ?? {};
    keep();
    const done = nAnswered();
    at = Math.max(open(0), 0);
    go(done === pairs.length ? "end" : "judge");
    if (done > 0 && done < pairs.length) say(`Welcome back: ${count(done, "pair")} judged so far.`);
  });

  // ---- answers ----

  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  byId("keys").append("Keys: ");
  answers.forEach((word, value) => {
    const key = binary ? word[0].toUpperCase() : String(value);
    byId("keys").append(el("kbd", {}, key), ` ${word}, `);
    const button = el("button", { type: "button", "data-value": value }, capital(word), " ", el("kbd", {}, key));
    button.addEventListener("click", () => {
      button.blur(); // so that Enter does not answer the next pair
      answer(value);
    });
    byId("answers").append(button);
  });
  byId("keys").append(el("kbd", {}, "←"), " back.");

  const keys = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    Backspace: () => move(-1),
  };
  answers.forEach((word, value) => {
    keys[String(value)] = () => answer(value);
    if (binary) keys[word[0]] = () => answer(value);
  });
  onKeys(document, keys);

  byId("back").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("change").addEventListener("click", () => go("start"));
  byId("review").addEventListener("click", () => {
    at = 0;
    go("judge");
  });

  // ---- handing out ----

  function save() {
    const rows = pairs
      .filter((_, i) => answered(i))
      .map(([id, left, right]) => [id, images[left], images[right], annotator, judged[id]]);
    const file = `pairs-${annotator.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
    download(file, csv([["pair_id", "image_a", "image_b", "annotator", "judgement"], ...rows]));
    say(`Downloaded ${count(rows.length, "answer")}.`);
  }
  byId("save").addEventListener("click", save);
  byId("save-all").addEventListener("click", save);

  go("start");
})();
