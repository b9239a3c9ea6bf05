/* Contents of the page, buttons that copy code, and the search over all pages, from plain files. */
"use strict";

const make = (tag, props, ...inside) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...inside);
  return node;
};

/* ---- contents of the page ---- */
const contents = document.querySelector("#toc, #contents");
if (contents) {
  const list = make("ul");
  for (const heading of document.querySelectorAll("main h2[id], main h3[id]")) {
    const text = heading.textContent.trim();
    const item = make("li", {}, make("a", { href: `#${heading.id}`, textContent: text }));
    item.classList.toggle("deep", heading.tagName === "H3");
    list.append(item);
  }
  contents.append(list);
  contents.hidden = list.children.length < 2;
}

/* ---- code ---- */
const typed = (pre) => {
  const lines = pre.innerText.split("\n").filter((line) => !line.startsWith("#>"));
  if (!lines.some((line) => line.startsWith(">>> "))) return lines.join("\n").trimEnd();
  const entered = lines.filter((line) => /^(>>>|\.\.\.)( |$)/.test(line));
  return entered.map((line) => line.slice(4)).join("\n");
};
for (const pre of document.querySelectorAll("main div.sourceCode > pre")) {
  const button = make("button", { className: "copy", type: "button", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(typed(pre));
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  pre.parentElement.append(button);
}

/* ---- search ---- */
/* search.js calls this with rows of [kind, title, heading, address, text]; a script, because pages that
   are opened from a disk may not fetch files. */
let rows = null;
window.searchRows = (given) => {
  const plain = (text) => text.toLowerCase().replaceAll("_", " ");
  rows = given.map(([kind, title, heading, path, text]) => ({
    kind, title, heading, path, text,
    titled: plain(title), headed: plain(heading), written: plain(text),
  }));
};

const SHOWN = 14;
const form = document.querySelector("form[role=search]");
const box = form.querySelector("input");
const found = document.querySelector("#found");
const said = form.querySelector(".said");
const root = form.dataset.root;
let chosen = -1;

const loaded = () => new Promise((resolve) => {
  if (rows) { resolve(); return; }
  const script = make("script", { src: `${root}search.js`, onload: resolve });
  document.head.append(script);
});

/* Every word must occur; where it occurs says how much it counts. */
const score = (row, words, whole) => {
  let sum = 0;
  for (const word of words) {
    const at = row.titled.indexOf(word);
    const start = at === 0 || (at > 0 && row.titled[at - 1] === " ");
    if (at >= 0) sum += start ? 12 : 6;
    else if (row.headed.includes(word)) sum += 5;
    const times = row.written.split(word).length - 1;
    sum += Math.min(times, 4) / 2;
    if (!times && at < 0 && !row.headed.includes(word)) return 0;
  }
  if (row.titled === whole) sum += 100;
  else if (row.titled.startsWith(whole)) sum += 20;
  if (words.length > 1) {
    if (row.headed.includes(whole)) sum += 10;
    else if (row.written.includes(whole)) sum += 5;
  }
  /* The head of a page counts more than its sections, and pages more than tables of results. */
  return sum * (row.heading ? 1 : 1.5) * (row.kind === "Results" ? 0.4 : 1);
};

const search = (query) => {
  const whole = query.toLowerCase().replaceAll("_", " ").replace(/[()]/g, "").trim();
  const words = whole.split(/\s+/).filter(Boolean);
  if (!words.length) return { hits: [], words };
  const best = new Map(); // one hit a page, its best section
  for (const row of rows) {
    const value = score(row, words, whole);
    const page = row.path.split("#")[0];
    if (value > (best.get(page)?.value ?? 0)) best.set(page, { row, value });
  }
  const hits = [...best.values()].sort((a, b) => b.value - a.value);
  return { hits: hits.map((hit) => hit.row), words };
};

/* The text around the words together, or around the first that occurs, with all words marked. */
const excerpt = (row, words) => {
  const together = row.written.indexOf(words.join(" "));
  const places = words.map((word) => row.written.indexOf(word)).filter((n) => n >= 0);
  const at = together >= 0 ? together : Math.min(...places, row.text.length);
  const start = at >= row.text.length ? 0 : Math.max(0, row.text.lastIndexOf(" ", Math.max(0, at - 40)) + 1);
  const piece = row.text.slice(start, start + 150);
  const low = row.written.slice(start, start + 150);
  const out = make("small");
  if (row.heading) out.append(`${row.heading}: `);
  if (start > 0) out.append("… ");
  let from = 0;
  while (from < piece.length) {
    const next = words.map((word) => [low.indexOf(word, from), word.length]).filter(([n]) => n >= 0).sort((a, b) => a[0] - b[0])[0];
    if (!next) break;
    out.append(piece.slice(from, next[0]), make("mark", { textContent: piece.slice(next[0], next[0] + next[1]) }));
    from = next[0] + next[1];
  }
  out.append(piece.slice(from));
  if (start + 150 < row.text.length) out.append(" …");
  return out;
};

const choose = (number) => {
  const items = [...found.querySelectorAll("[role=option]")];
  chosen = items.length ? (number + items.length) % items.length : -1;
  items.forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
  box.setAttribute("aria-activedescendant", items[chosen]?.id ?? "");
  items[chosen]?.scrollIntoView({ block: "nearest" });
};

const close = () => {
  found.hidden = true;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
};

const show = async () => {
  const query = box.value;
  if (query.trim().length < 2) { close(); return; }
  await loaded();
  if (query !== box.value) return; // typed on meanwhile
  const { hits, words } = search(query);
  found.replaceChildren(...hits.slice(0, SHOWN).map((row, i) => {
    const kind = make("span", { className: "kind", textContent: row.kind });
    const link = make("a", { href: root + row.path, tabIndex: -1 }, kind, make("b", { textContent: row.title }), excerpt(row, words));
    const item = make("li", { id: `hit-${i}` }, link);
    item.setAttribute("role", "option");
    return item;
  }));
  if (!hits.length) found.append(make("li", { className: "none", textContent: "No page contains all these words." }));
  said.textContent = `${hits.length} ${hits.length === 1 ? "page" : "pages"} found`;
  found.hidden = false;
  box.setAttribute("aria-expanded", "true");
  choose(0);
};

box.addEventListener("focus", () => { loaded(); if (box.value) show(); });
box.addEventListener("input", show);
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { choose(chosen + 1); event.preventDefault(); }
  else if (event.key === "ArrowUp") { choose(chosen - 1); event.preventDefault(); }
  else if (event.key === "Escape") close();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!found.hidden) found.querySelector("[aria-selected=true] a")?.click();
});
document.addEventListener("click", (event) => { if (!form.contains(event.target)) close(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    box.focus();
    event.preventDefault();
  }
});
