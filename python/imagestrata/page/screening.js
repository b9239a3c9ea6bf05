// Images that a machine proposes to exclude, blurred until they are clicked. Ticks are stored in this
// browser until the list of the other images is saved as CSV.
{
  const { data, dict, el, stored, say, csv, download } = kit;
  const byId = (id) => document.getElementById(id);
  const count = (n, word) => `${n.toLocaleString("en")} ${n === 1 ? word : word + "s"}`;
  const store = stored(`imagestrata:screening:${data.key}`, dict());
  let kept = store.read(); // image -> true
  const cards = [];

  const labelOf = (image) => image.label ?? data.unscreened;

  function mark() {
    const n = data.images.filter((image) => kept[image.id]).length;
    byId("place").textContent = `${count(data.images.length, "image")} proposed, ${n.toLocaleString("en")} kept`;
    for (const { image, card, box } of cards) {
      box.checked = Boolean(kept[image.id]);
      card.classList.toggle("done", box.checked);
    }
  }

  store.onChange(() => {
    kept = store.read();
    mark();
  });

  function card(image, number) {
    const picture = image.picture
      ? el("img", { src: image.picture, alt: "", loading: "lazy", decoding: "async" })
      : el("div", { class: "missing" }, image.missing);
    const look = el("button", { type: "button", class: "look", title: "Show or blur", "aria-pressed": "false" }, picture);
    look.addEventListener("click", () => {
      look.setAttribute("aria-pressed", look.getAttribute("aria-pressed") !== "true");
    });
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      if (box.checked) kept[image.id] = true;
      else delete kept[image.id];
      store.write(kept);
      mark();
    });
    const facts = [
      ["Reason", image.reason],
      ...(image.cluster === null ? [] : [["Cluster", image.cluster === -1 ? "residual" : String(image.cluster)]]),
      ["File", image.path === null ? image.id : image.path.split(/[/\\]/).pop()],
    ];
    const made = el(
      "article",
      { "aria-label": `Image ${number}` },
      image.picture ? look : picture,
      el(
        "dl",
        { class: "facts" },
        ...facts.map(([name, text]) =>
          el("div", {}, el("dt", {}, name), el("dd", {}, text)),
        ),
      ),
      el("label", { class: "check" }, box, "People may see it"),
    );
    cards.push({ image, card: made, box, look });
    return made;
  }

  const groups = new Map();
  for (const image of data.images) {
    const label = labelOf(image);
    groups.set(label, [...(groups.get(label) ?? []), image]);
  }
  const sections = [];
  byId("only").append(el("option", { value: "" }, "All labels"));
  let number = 0;
  for (const [label, images] of groups) {
    const name = images[0].label === null ? "Not screened" : label;
    const section = el(
      "section",
      {},
      el("h2", {}, `${name} `, el("span", { class: "soft" }, count(images.length, "image"))),
      el("div", { class: "cards" }, ...images.map((image) => card(image, ++number))),
    );
    sections.push(section);
    byId("groups").append(section);
    byId("only").append(el("option", { value: String(sections.length) }, name));
  }
  if (!data.images.length) byId("groups").append(el("p", { class: "soft" }, "No image is proposed."));

  byId("only").addEventListener("change", () => {
    const chosen = byId("only").value;
    sections.forEach((section, i) => (section.hidden = chosen !== "" && chosen !== String(i + 1)));
  });
  byId("all").addEventListener("change", () => {
    for (const { look } of cards) look.setAttribute("aria-pressed", byId("all").checked);
  });
  byId("save").addEventListener("click", () => {
    const rows = data.images.filter((image) => !kept[image.id]);
    if (!rows.length) return say("You keep all images: there is nothing to exclude.");
    const columns = ["image_id", "path", "label", "confidence", "reason"];
    const lines = rows.map((one) => [one.id, one.path, one.label, one.confidence, one.reason]);
    download("exclude.csv", csv([columns, ...lines]));
    say(`Downloaded ${count(rows.length, "image")} to exclude.`);
  });
  mark();
}
