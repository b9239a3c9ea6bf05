
// Code for pages that show one task after the other to annotators: names of annotators,
// answers stored in this browser, navigation, saving.

/**
 * Start the page. `ids` are the ids of the tasks, `one` is the word for a task, and answers are
 * stored by `kind` and `data.key`. `show(i, answer)` draws task `i`; `row(i, answer)` is its line in
 * the CSV with `columns`, or `rows(...)` its lines; `summary(answers)` counts at the end. An answer
 * in several steps is stored by `note(answer)` until `isDone(answer, i)`. `past` is the past participle
 * of the task ("judged"), `all` the word for all tasks, `file` the name of the CSV. `arrows` are
 * keys for the tasks before and after. With a server (`kit.remote`), `sent(answer)` is what it
 * receives.
 */
kit.annotate = ({
  kind, one, ids, columns, show, row, summary,
  rows = (...task) => [row(...task)],
  isDone = () => true,
  sent = (answer) => answer,
  past = "judged",
  all = " of images",
  file = kind,
  arrows = true,
}) => {
  const { dict, people, remote, say, onKeys, csv, download } = kit;
  const byId = (id) => document.getElementById(id);
  const count = (n, word) => `${n.toLocaleString("en")} ${n === 1 ? word : word + "s"}`;
  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  // ---- storage: annotators and their answers ----

  const store = remote ?? people(kind);
  let annotator = "";
  let judged = dict(); // id -> answer
  let isDownloaded = true;
  let at = 0;
  let view = "start";

  function keep() {
    isDownloaded = false;
    store.write(annotator, judged);
    remote?.send(ids[at], sent(judged[ids[at]]));
  }

  // Another window with this page can add answers.
  store.onChange(() => {
    if (view === "start") return;
    judged = store.read(annotator);
    draw();
  });

  const begun = (i) => Object.hasOwn(judged, ids[i]);
  // A server knows which tasks are done, also on another device, and never sends answers back.
  const answered = (i) => (begun(i) ? isDone(judged[ids[i]], i) : Boolean(remote?.done.has(ids[i])));
  const nAnswered = () => ids.filter((_, i) => answered(i)).length;

  /** The first task without an answer, from `from` on and then from the start; -1 if none. */
  function open(from) {
    for (let step = 0; step < ids.length; step++) {
      const i = (from + step) % ids.length;
      if (!answered(i)) return i;
    }
    return -1;
  }

  // ---- views ----

  function go(to) {
    view = to;
    for (const name of ["start", "judge", "end"]) byId(name).hidden = name !== view;
    document.body.classList.toggle("full", view === "judge");
    if (view === "start" && !remote) {
      byId("annotator").value = ""; // the next person need not know who was here
      byId("annotator").focus();
    }
    draw();
  }

  function draw() {
    const done = nAnswered();
    if (view === "judge") {
      byId("place").textContent = `${capital(one)} ${at + 1} of ${ids.length} · ${done} ${past}`;
      byId("back").disabled = at === 0;
      byId("next").disabled = at === ids.length - 1;
      byId("name").textContent = annotator;
      byId("done").style.width = `${(100 * done) / ids.length}%`;
      const meter = byId("done").parentElement;
      meter.setAttribute("aria-valuemax", ids.length);
      meter.setAttribute("aria-valuenow", done);
      show(at, judged[ids[at]], annotator);
    }
    if (view === "end") {
      const given = Object.values(judged);
      byId("counts").textContent = `${count(done, one)}${given.length === done ? summary(given) : ""}.`;
      if (remote) farewell();
    }
  }

  function move(by) {
    if (view !== "judge") return false;
    at = Math.min(Math.max(at + by, 0), ids.length - 1);
    draw();
  }

  function answer(value) {
    if (view !== "judge") return false;
    // After a changed answer the next task follows; otherwise the next task without an answer.
    const next = answered(at) && at + 1 < ids.length ? at + 1 : null;
    judged[ids[at]] = value;
    keep();
    at = next ?? open(at + 1);
    if (at === -1) go("end");
    else draw();
  }

  /** Store an answer and stay with the task. */
  function note(value) {
    judged[ids[at]] = value;
    keep();
    draw();
  }

  // ---- the start ----

  byId("size").textContent = `${count(ids.length, one)}${all}.`;
  byId("all").textContent = `${one}s are ${past}`;

  /** Who uses this page; empty as long as it is not known. */
  function introduced() {
    if (remote) return remote.code;
    const name = byId("annotator").value.trim();
    if (name) {
      byId("annotator").blur(); // so that no key is taken for typing any more
    } else {
      byId("annotator").value = "";
      byId("annotator").focus();
    }
    return name;
  }

  byId("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = introduced();
    if (name) enter(name);
  });

  function enter(name) {
    annotator = name;
    judged = store.read(annotator);
    isDownloaded = Object.keys(judged).length === 0;
    const done = nAnswered();
    at = Math.max(open(0), 0);
    go(done === ids.length ? "end" : "judge");
    if (done > 0 && done < ids.length) say(`Welcome back: ${count(done, one)} ${past} so far.`);
  }

  // ---- navigation ----

  onKeys(document, {
    ...(arrows && { ArrowLeft: () => move(-1), ArrowRight: () => move(1) }),
    Backspace: () => (document.querySelector("dialog[open]") ? false : move(-1)),
  });
  byId("back").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  // These are on pages without a server.
  byId("change")?.addEventListener("click", () => go("start"));
  byId("review")?.addEventListener("click", () => {
    at = 0;
    go("judge");
  });

  // ---- saving ----

  /** The end of a page from a server: it gives the code once it has stored all answers. */
  function farewell() {
    const { end } = remote;
    byId("waiting").hidden = end !== null;
    byId("received").hidden = end === null;
    if (end === null) return;
    byId("completion").textContent = end.code;
    byId("return").hidden = end.address === null;
    if (end.address !== null) byId("return").setAttribute("href", end.address);
  }
  if (remote) {
    byId("code").textContent = remote.code;
    byId("copy").addEventListener("click", async () => {
      const done = await kit.copy(remote.end.code);
      say(done ? "The code is copied." : "Please select the code and copy it.");
    });
    remote.onReply(() => view === "end" && draw());
  }

  function save() {
    const lines = ids.flatMap((id, i) => (begun(i) ? rows(i, annotator, judged[id]) : []));
    download(`${file}-${annotator.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`, csv([columns, ...lines]));
    isDownloaded = true;
    say(`Downloaded ${count(lines.length, "answer")}.`);
  }
  byId("save")?.addEventListener("click", save);
  byId("save-all")?.addEventListener("click", save);

  function remove() {
    const warning = `Remove the answers of ${annotator} from this browser? They are not downloaded.`;
    if (!isDownloaded && !confirm(warning)) return;
    store.remove(annotator);
    annotator = "";
    judged = dict();
    go("start");
    say("Your answers are no longer in this browser.");
  }
  byId("remove")?.addEventListener("click", remove);
  byId("remove-all")?.addEventListener("click", remove);

  /** A button for an answer; it loses the focus, so that Enter does not answer the next task. */
  function onClick(button, value) {
    button.addEventListener("click", () => {
      button.blur();
      answer(value);
    });
  }

  return { answer, note, onClick, begin: () => (remote?.end ? enter(remote.code) : go("start")) };
};
