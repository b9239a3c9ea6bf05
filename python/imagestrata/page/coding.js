// A sheet of images with a field for every code. Entries of each coder are stored in this browser
// until they are saved as CSV.
{
  const { data, dict, el, people, say, csv, download } = kit;
  const byId = (id) => document.getElementById(id);
  const count = (n, word) => `${n.toLocaleString("en")} ${n === 1 ? word : word + "s"}`;
  const names = data.codes.map((code) => code.name);
  const title = (group) => (group.cluster === -1 ? "Residual" : `Cluster ${group.cluster}`);

  // ---- storage: coders and their codes ----

  const store = people("coding");
  let coder = "";
  let coded = dict(); // image -> code -> value
  let waiting = null;
  let isDownloaded = true;

  function keep() {
    clearTimeout(waiting);
    waiting = null;
    store.write(coder, coded);
  }

  function keepSoon() {
    isDownloaded = false;
    if (waiting === null) waiting = setTimeout(keep, 300);
  }

  addEventListener("pagehide", () => waiting !== null && keep());

  // Another window with this page can add codes.
  store.onChange(() => {
    if (byId("sheet").hidden || waiting !== null) return;
    coded = store.read(coder);
    fill();
  });

  const value = (id, name) => coded[id]?.[name] ?? "";
  const begun = (id) => names.some((name) => value(id, name).trim() !== "");
  const whole = (id) => names.every((name) => value(id, name).trim() !== "");

  // ---- the sheet, drawn once ----

  const cards = []; // { id, card, fields } in the order of the page

  function field(image, code, number) {
    const id = `f${cards.length}-${number}`;
    let input;
    if (code.choices) {
      input = el("select", { id }, el("option", { value: "" }, ""));
      input.append(...code.choices.map((choice) => el("option", { value: choice }, choice)));
    } else {
      input = el("input", { id, type: "text", autocomplete: "off" });
    }
    input.addEventListener("input", () => {
      coded[image.id] = dict({ ...coded[image.id], [code.name]: input.value });
      keepSoon();
      mark();
    });
    input.addEventListener("keydown", (event) => {
      // Enter moves to the same code of the next image.
      if (event.key !== "Enter" || event.isComposing || event.target.tagName === "SELECT") return;
      const at = cards.findIndex((one) => one.id === image.id);
      cards[at + 1]?.fields[number].focus();
    });
    return [el("label", { for: id }, code.name), input];
  }

  const facts = (image) =>
    el(
      "dl",
      { class: "facts" },
      ...image.facts.map(([name, text]) =>
        el("div", { class: text.length > 28 && "long" }, el("dt", {}, name), el("dd", {}, text)),
      ),
    );

  function card(image, rank) {
    const picture = image.picture
      ? el("img", { src: image.picture, alt: "", loading: "lazy", decoding: "async" })
      : el("div", { class: "missing" }, image.missing);
    const parts = data.codes.map((code, number) => field(image, code, number));
    const zoom = el("button", { type: "button", class: "look", title: "Enlarge" }, picture);
    if (image.picture) zoom.addEventListener("click", () => enlarge(image));
    const made = el(
      "article",
      { "aria-label": `Image ${rank}` },
      image.picture ? zoom : picture,
      facts(image),
      el("div", { class: "fields" }, ...parts.flat()),
    );
    cards.push({ id: image.id, card: made, fields: parts.map((part) => part[1]) });
    return made;
  }

  function section(heading, rows) {
    if (!rows.length) return [];
    return [
      el("h3", {}, heading),
      el("div", { class: "cards" }, ...rows.map((row, i) => card(data.images[row], i + 1))),
    ];
  }

  for (const group of data.groups) {
    const id = `c${group.cluster}`;
    byId("groups").append(
      el(
        "section",
        { id },
        el("h2", {}, `${title(group)} `, el("span", { class: "soft" }, count(group.size, "image"))),
        ...section("Most certain", group.most),
        ...section("Least certain", group.least),
      ),
    );
    byId("jump").append(el("option", { value: id }, title(group)));
  }

  // ---- progress ----

  function mark() {
    const done = cards.filter((one) => whole(one.id)).length;
    for (const one of cards) one.card.classList.toggle("done", whole(one.id));
    byId("place").textContent = `${done.toLocaleString("en")} of ${count(cards.length, "image")} coded`;
    byId("done").style.width = `${(100 * done) / cards.length}%`;
    const meter = byId("done").parentElement;
    meter.setAttribute("aria-valuemax", cards.length);
    meter.setAttribute("aria-valuenow", done);
    byId("open").disabled = done === cards.length;
  }

  function fill() {
    for (const { id, fields } of cards) {
      fields.forEach((input, number) => {
        if (input !== document.activeElement) input.value = value(id, names[number]);
      });
    }
    byId("name").textContent = `Coded by ${coder}.`;
    mark();
  }

  // ---- the start ----

  function go(to) {
    for (const name of ["start", "sheet"]) byId(name).hidden = name !== to;
    if (to === "start") {
      byId("annotator").value = ""; // the next person need not know who was here
      byId("annotator").focus();
    }
    scrollTo(0, 0);
  }

  byId("size").textContent = `${count(cards.length, "image")} of ${count(data.groups.length, "cluster")}.`;
  byId("keys").textContent = "Tab goes to the next field, Enter to the same code of the next image.";
  byId("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("annotator").value.trim();
    if (!name) {
      byId("annotator").value = "";
      return byId("annotator").focus();
    }
    byId("annotator").blur();
    coder = name;
    coded = store.read(coder);
    isDownloaded = Object.keys(coded).length === 0;
    go("sheet");
    fill();
    const done = cards.filter((one) => begun(one.id)).length;
    if (done) say(`Welcome back: ${count(done, "image")} with codes so far.`);
  });
  byId("change").addEventListener("click", () => {
    if (waiting !== null) keep();
    go("start");
  });
  byId("remove").addEventListener("click", () => {
    const warning = `Remove the codes of ${coder} from this browser? They are not downloaded.`;
    if (!isDownloaded && !confirm(warning)) return;
    clearTimeout(waiting);
    waiting = null;
    store.remove(coder);
    coder = "";
    coded = dict();
    fill();
    go("start");
    say("Your codes are no longer in this browser.");
  });

  // ---- navigation ----

  byId("jump").addEventListener("change", () => {
    byId(byId("jump").value).scrollIntoView();
    byId("jump").value = "";
  });
  byId("open").addEventListener("click", () => {
    const next = cards.find((one) => !whole(one.id));
    if (!next) return;
    next.card.scrollIntoView({ block: "center" });
    next.fields[names.findIndex((name) => value(next.id, name).trim() === "")].focus({
      preventScroll: true,
    });
  });

  const viewer = el("dialog", { class: "large" });
  document.body.append(viewer);
  viewer.addEventListener("click", () => viewer.close());
  function enlarge(image) {
    viewer.replaceChildren(el("img", { src: image.picture, alt: "" }), facts(image));
    viewer.showModal();
  }

  // ---- saving ----

  byId("save").addEventListener("click", () => {
    if (waiting !== null) keep();
    const lines = data.groups.flatMap((group) =>
      ["most", "least"].flatMap((end) =>
        group[end].map((row, i) => [group.cluster, end, i + 1, data.images[row].id]),
      ),
    );
    const rows = lines
      .filter((line) => begun(line[3]))
      .map((line) => [...line, coder, ...names.map((name) => value(line[3], name).trim())]);
    if (!rows.length) return say("Nothing is coded yet.");
    const columns = ["cluster", "certainty", "rank", "image_id", "coder", ...names];
    download(`coding-${coder.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`, csv([columns, ...rows]));
    isDownloaded = true;
    say(`Downloaded the codes of ${count(rows.length, "image")}.`);
  });

  go("start");
}
