
// What surrounds the edits of clusters: their list, the choice of a cluster, and the help.

/** The list of edits beside the page; `sentence(edit)` describes one, `pictures(rows)` shows images. */
kit.editList = ({ model, sentence, pictures, onUndo, onRemove }) => {
  const { el, stored, csv, download } = kit;
  const byId = (id) => document.getElementById(id);
  const [panel, opener] = [byId("edits"), byId("open-edits")];
  const editor = stored("imagestrata:editor", "");
  byId("editor").value = editor.read();
  byId("editor").addEventListener("input", () => editor.write(byId("editor").value.trim()));
  opener.addEventListener("click", () => open(panel.hidden));
  byId("close-edits").addEventListener("click", () => open(false));
  byId("undo-edit").addEventListener("click", onUndo);
  byId("download-edits").addEventListener("click", () => save(model.list));
  panel.addEventListener("keydown", (event) => event.key === "Escape" && open(false));

  const save = (list) => download("edits.csv", csv(model.rows(list, byId("editor").value.trim())));

  /** Open or close; the focus goes to the note on the last edit, or back to the button. */
  function open(on, focus = true) {
    panel.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
    document.body.classList.toggle("with-edits", on);
    if (on) {
      const last = byId("list").lastElementChild;
      last?.scrollIntoView({ block: "nearest" });
      if (focus) (last?.querySelector("textarea") ?? panel).focus();
    } else if (focus) opener.focus();
  }

  function item(edit, at) {
    const number = model.first + at;
    const note = el("textarea", { rows: 1, "aria-label": `Note on edit ${number}`, placeholder: "Note" });
    note.value = edit.note;
    note.addEventListener("input", () => model.note(at, note.value));
    const remove = el("button", { type: "button", class: "quiet", "aria-label": `Remove edit ${number}` }, "✕");
    remove.addEventListener("click", () => onRemove(at));
    const rows = edit.images.slice(0, 5).map(model.position);
    return el("li", { value: number }, el("p", {}, sentence(edit)), remove, rows.length ? pictures(rows) : "", note);
  }

  function earlier() {
    const { ledger } = model;
    byId("earlier").hidden = !ledger.length;
    byId("earlier").querySelector("summary").textContent =
      `${ledger.length} earlier ${ledger.length === 1 ? "edit" : "edits"}, part of these clusters`;
    byId("earlier").querySelector("ol").replaceChildren(...ledger.map(([number, action, clusters, n, , name, note, by, applied]) =>
      el("li", { value: number },
        el("p", {}, sentence({ action, clusters, images: Array(n), name: name ?? "" }), applied ? "" : " (not applied)"),
        note ? el("p", { class: "soft" }, note) : "", by ? el("p", { class: "soft" }, by) : "")));
  }

  function draw() {
    const { list } = model;
    byId("list").replaceChildren(...list.map(item));
    byId("no-edits").hidden = list.length > 0;
    byId("with-edits").hidden = list.length === 0;
    opener.textContent = list.length ? `Edits (${list.length})` : "Edits";
  }

  earlier();
  draw();
  return { draw, open, save, isOpen: () => !panel.hidden };
};

/**
 * A dialog that asks for one of several choices, `{ value, title, about, pictures, words }`, the most
 * likely first. `own(text)` makes a further choice of what is typed. Calls `onChoice(value, typed)`.
 */
kit.picker = () => {
  const { el } = kit;
  const byId = (id) => document.getElementById(id);
  const [dialog, field, box] = [byId("picker"), byId("wanted"), byId("found")];
  const MOST = 40;
  let [choices, own, onChoice, at] = [[], null, null, 0];

  function draw() {
    const wanted = field.value.trim().toLowerCase();
    const fits = ({ words }) => wanted.split(/\s+/).every((word) => words.includes(word));
    // A number that is typed means that cluster before others whose size or name has its digits.
    const exact = choices.filter(({ value }) => String(value) === wanted);
    const others = choices.filter((choice) => !exact.includes(choice) && fits(choice));
    const shown = [...exact, ...others].slice(0, MOST);
    if (own) wanted ? shown.push(own(field.value.trim())) : shown.unshift(own(""));
    box.replaceChildren(...shown.map(({ value, title, about, pictures }, i) => {
      const option = el("div", { role: "option", id: `option-${i}`, class: "option" },
        pictures?.() ?? "", el("span", {}, el("b", {}, title), el("span", { class: "soft" }, about)));
      option.addEventListener("click", () => take(value));
      return option;
    }));
    if (!shown.length) box.append(el("p", { class: "soft" }, "No cluster fits."));
    box.values = shown.map(({ value }) => value);
    mark(0);
  }

  function mark(place) {
    const options = [...box.querySelectorAll(".option")];
    at = Math.max(0, Math.min(options.length - 1, place));
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    options[at]?.scrollIntoView({ block: "nearest" });
    options.length ? field.setAttribute("aria-activedescendant", `option-${at}`) : field.removeAttribute("aria-activedescendant");
  }

  function take(value) {
    if (value === undefined) return;
    dialog.close();
    onChoice(value, field.value.trim());
  }

  field.addEventListener("input", draw);
  field.addEventListener("keydown", (event) => {
    const keys = { ArrowDown: () => mark(at + 1), ArrowUp: () => mark(at - 1), Enter: () => take(box.values[at]) };
    if (!Object.hasOwn(keys, event.key) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  return (title, given) => {
    ({ choices, own, onChoice } = { own: null, ...given });
    byId("asked").textContent = title;
    field.value = "";
    draw();
    dialog.showModal();
    field.focus();
  };
};
