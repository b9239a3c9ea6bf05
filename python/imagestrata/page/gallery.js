
// The gallery: views of tiles, selected by the address (#clusters, #cluster-12, ...).
(() => {
  const { data, el, svg, stored, say, onKeys, copy, csv, download } = kit;
  const { images, clusters, trace } = data;
  const everything = images.id.map((_, i) => i);
  const sampled = new Set(data.sampled);
  const groups = new Map(clusters.map((c) => [c.cluster, c])); // as they were found
  const RESIDUAL = -1;
  const model = kit.edits({ ids: images.id, cluster: images.cluster, groups: clusters, ...data.editing });
  const byId = (id) => document.getElementById(id);
  const main = byId("main");
  const posts = data.posts && kit.timeline({ posts: data.posts, n: images.id.length, groups: clusters, model, onChange: limited });

  // ---- words and numbers ----

  const english = new Intl.NumberFormat("en"); // made once: toLocaleString() makes one each time
  const whole = (n) => english.format(n);
  const count = (n, one, many = one + "s") => `${whole(n)} ${n === 1 ? one : many}`;
  const decimals = (x, digits) => (x === null ? "–" : x.toFixed(digits).replace("-", "−"));
  const percent = (x) => (100 * x).toFixed(x < 0.001 ? 2 : 1) + "%";
  const numbered = (cluster) => (cluster === RESIDUAL ? "Residual" : `Cluster ${cluster}`);
  const title = (cluster) => model.name(cluster) ?? numbered(cluster);
  const label = (cluster) => (model.name(cluster) ? `${model.name(cluster)} (cluster ${cluster})` : numbered(cluster));
  const address = (cluster) => (cluster === RESIDUAL ? "#residual" : `#cluster-${cluster}`);
  const path = (i) => (images.file[i] === null ? null : data.root + images.file[i]);
  const name = (i) => path(i)?.split(/[\\/]/).pop() || images.id[i];

  /** Whole numbers of so many bytes (at most 4) each, lowest byte first, from base64. */
  function numbers(text, size = 2) {
    const bytes = atob(text);
    const found = new Uint32Array(bytes.length / size);
    for (let k = 0; k < found.length; k++) {
      for (let at = 0; at < size; at++) found[k] |= bytes.charCodeAt(size * k + at) << (8 * at);
    }
    return found;
  }

  // ---- addresses of pictures ----

  function thumbnail(i) {
    const file = images.thumbnail[i] ?? images.id[i];
    return `${data.thumbnails}/${file.slice(0, 2)}/${file}.jpg`;
  }

  /** Possible addresses of the original, the most likely first. */
  function originals(i) {
    if (images.file[i] === null) return [];
    try {
      const coded = images.file[i].split(data.separator).map(encodeURIComponent).join("/");
      const rest = coded.replace(/^([A-Za-z])%3A\//, "$1:/"); // a drive of Windows
      return data.bases.map((base) => base + rest);
    } catch {
      return []; // a file name that is not proper text has no address
    }
  }

  // ---- selected images ----

  const store = stored(`imagestrata:gallery:${data.key}`, []);
  let ticked = new Set();
  let map = null; // the canvas, once it was looked at

  function readTicks() {
    const stored = new Set(store.read());
    ticked = new Set(stored.size ? everything.filter((i) => stored.has(images.id[i])) : []);
    showTicks();
  }

  function tick(indices, on) {
    for (const i of indices) on ? ticked.add(i) : ticked.delete(i);
    store.write(inOrder(ticked).map((i) => images.id[i]));
    showTicks(indices);
  }

  /** Show which images are ticked: of all tiles, or of those whose images have changed. */
  function showTicks(indices = null) {
    const changed = indices && new Set(indices);
    for (const tile of document.querySelectorAll(".tile")) {
      const i = Number(tile.dataset.image);
      if (changed && !changed.has(i)) continue;
      tile.classList.toggle("on", ticked.has(i));
      tile.querySelector("input").checked = ticked.has(i);
    }
    byId("ticks").hidden = ticked.size === 0;
    byId("count").textContent = `${count(ticked.size, "image")} ticked`;
    byId("tick").checked = ticked.has(shown.list[shown.at]);
    map?.draw();
    document.body.classList.toggle("has-ticks", ticked.size + chosen.size > 0);
  }

  const inOrder = (set) => [...set].sort((a, b) => a - b);

  byId("copy").addEventListener("click", async () => {
    const ids = inOrder(ticked).map((i) => images.id[i]);
    const done = await copy(ids.join("\n"));
    say(done ? `Copied ${count(ids.length, "id")}.` : "This browser does not let pages copy: download the CSV.");
  });
  byId("save").addEventListener("click", () => {
    const rows = inOrder(ticked).map((i) => [images.id[i], path(i), model.of(i)]);
    download("ticked.csv", csv([["image_id", "path", "cluster"], ...rows]));
  });
  byId("clear").addEventListener("click", () => {
    const before = inOrder(ticked);
    tick(before, false);
    main.focus({ preventScroll: true });
    say(`Cleared ${count(before.length, "tick")}.`, () => tick(before, true));
  });

  // ---- the order of images ----

  let isDoubtfulFirst = false;
  const ordered = new Map(); // images of clusters in this order, as far as they were asked for

  /** Compare by values of a column, missing ones last. */
  const by = (values, sign) => (a, b) => {
    const [x, y] = [values[a] ?? null, values[b] ?? null];
    return x === y ? 0 : x === null ? 1 : y === null ? -1 : sign * (x - y);
  };
  const first = (...compare) => (a, b) => compare.reduce((found, one) => found || one(a, b), 0) || a - b;
  const typical = first(by(images.silhouette, -1), by(images.distance, 1));
  const doubtful = first(images.margin ? by(images.margin, 1) : () => 0, by(images.silhouette, 1), by(images.distance, -1));

  /** The images of a cluster; as they are in the data if no edit changed it. */
  function members(cluster) {
    if (!ordered.has(cluster)) {
      const list = model.members(cluster);
      const sorted = !isDoubtfulFirst && !model.isChanged(cluster);
      ordered.set(cluster, sorted ? list : [...list].sort(isDoubtfulFirst ? doubtful : typical));
    }
    return ordered.get(cluster);
  }

  // ---- posts: the time and group to which the page is limited ----

  const isLimited = () => Boolean(posts?.isLimited());
  const inTime = (list) => (isLimited() ? list.filter(posts.isShown) : list);

  /** The clusters of the overview: those that posts of the chosen time show. */
  const overviewed = () => shownClusters().filter((cluster) => !isLimited() || posts.has(cluster));

  /** Draw what another choice of time or group changes. */
  function limited(changed = true) {
    for (const view of [...kept.keys()]) view !== "map" && kept.delete(view);
    redraw();
    map?.draw();
    if (changed) say(isLimited() ? `Posts of ${posts.words()}.` : "All posts.");
  }

  /** A note if clusters are not shown that no post of the chosen time shows. */
  function leftOut() {
    const n = shownClusters().length - overviewed().length;
    return n ? el("p", { class: "soft thinned" }, `${count(n, "cluster is", "clusters are")} not shown: no post of ${posts.words()} shows ${n === 1 ? "it" : "them"}.`) : "";
  }

  const onlyThese = (list) =>
    el("p", { class: "soft thinned" }, `Showing ${count(list.length, "image")} of posts: ${posts.words()}.`);

  /** The timeline above a view: of all posts, of those that show a cluster, or none. */
  function showTimeline() {
    if (!posts) return;
    const [, number] = /^cluster-(\d+)$/.exec(route) ?? [];
    const cluster = route === "residual" ? RESIDUAL : number ? Number(number) : null;
    posts.show(cluster !== null || route === "clusters" || route === "map");
    posts.draw(cluster, cluster === null ? "" : title(cluster));
  }

  /** The most typical images of a cluster, in either order. */
  const examples = (cluster) => (isDoubtfulFirst ? [...members(cluster)].sort(typical) : members(cluster));

  function reorder() {
    isDoubtfulFirst = !isDoubtfulFirst;
    byId("order").setAttribute("aria-pressed", String(isDoubtfulFirst));
    ordered.clear();
    for (const view of [...kept.keys()]) view !== "map" && kept.delete(view);
    redraw();
    say(!isDoubtfulFirst ? "The most typical images come first."
      : images.margin ? "Images come first that are nearly as close to another cluster."
      : "Images with the lowest silhouettes come first.");
  }

  // ---- tiles in full rows ----

  const GAP = 6;
  const ROWS_PER_BLOCK = 8;
  // A block of rows is filled with tiles when it is less than two screens away.
  const nearby = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && entry.target.build?.()),
    { rootMargin: "1200px 0px" },
  );

  function tile(i, note) {
    const open = el("button", { type: "button", class: "open", "aria-label": `Open ${name(i)}`, title: name(i) });
    const reason = images.missing[i];
    open.append(
      reason
        ? el("span", { class: "missing" }, reason)
        : el("img", { src: thumbnail(i), loading: "lazy", decoding: "async", alt: "" }),
    );
    const box = el("input", { type: "checkbox", "aria-label": `Tick ${name(i)}` });
    box.checked = ticked.has(i);
    const element = el("div", { class: "tile", "data-image": i }, open, box);
    element.classList.toggle("on", box.checked);
    const badge = model.from(i) ? "dropped" : sampled.has(i) ? "sampled" : note?.(i);
    if (badge) element.append(el("span", { class: "badge" }, badge));
    element.classList.toggle("gone", model.from(i) > 0);
    element.style.flexGrow = images.ratio[i];
    return element;
  }

  /** Divide a list into rows of about the given height that fill the width. */
  function rows(list, width, size) {
    const wanted = size * Math.min(data.height, width / 3.3);
    const sum = (row) => row.reduce((total, i) => total + images.ratio[i], 0);
    const total = sum(list);
    const n = Math.max(1, Math.round((total * wanted + GAP * list.length) / width));
    const cut = Array.from({ length: n }, () => []);
    let before = 0;
    for (const i of list) {
      cut[Math.floor(((before + images.ratio[i] / 2) / total) * n)].push(i);
      before += images.ratio[i];
    }
    return cut.filter((row) => row.length).map((row) => {
      const full = (width - GAP * (row.length - 1)) / sum(row);
      const height = n === 1 ? Math.min(wanted, full) : full;
      return { row, height, filler: (width - GAP * row.length) / height - sum(row) };
    });
  }

  /** Tiles of a list; the viewer pages through `context`, and `note(i)` is written on tile i. */
  function grid(list, context = list, size = 1, note = null) {
    const element = el("div", { class: "grid" });
    let width = 0;
    element.context = context;
    element.lay = (wide) => {
      if (!wide || wide === width) return;
      width = wide;
      const all = rows(list, width, size);
      element.replaceChildren();
      for (let at = 0; at < all.length; at += ROWS_PER_BLOCK) element.append(block(all.slice(at, at + ROWS_PER_BLOCK)));
    };
    const block = (part) => {
      const result = el("div", { class: "block" });
      result.style.height = part.reduce((sum, { height }) => sum + height + GAP, 0) + "px";
      result.build = () => {
        nearby.unobserve(result);
        result.build = null;
        result.style.height = "";
        result.append(...part.map(({ row, height, filler }) => drawn(row, height, filler)));
      };
      nearby.observe(result);
      return result;
    };
    const drawn = (row, height, filler) => {
      const result = el("div", { class: "row" }, ...row.map((i) => tile(i, note)));
      result.style.aspectRatio = String(width / height);
      if (filler > 0.01) {
        const rest = el("span");
        rest.style.flexGrow = filler;
        result.append(rest);
      }
      return result;
    };
    return element;
  }

  /** Fill all grids of the view. Their widths are read before any changes: one layout, not one each. */
  function layAll() {
    const grids = [...main.querySelectorAll("[data-view]:not([hidden]) .grid")];
    const widths = grids.map((one) => one.clientWidth);
    grids.forEach((one, at) => one.lay(widths[at]));
  }
  new ResizeObserver(() => requestAnimationFrame(layAll)).observe(main);
  addEventListener("beforeprint", () => {
    main.querySelectorAll("[data-view]:not([hidden]) .block").forEach((block) => block.build?.());
  });

  // ---- views ----

  const total = clusters.reduce((sum, c) => sum + c.size, 0);

  /** Numbers of the clusters in the order of the page: as found, then new ones, then the residual; by theme. */
  function shownClusters() {
    const known = new Set(clusters.map((c) => c.cluster));
    const fresh = model.numbers.filter((number) => !known.has(number)).sort((a, b) => a - b);
    const dropped = [...model.dropped.keys()].filter((number) => !known.has(number));
    const all = [...clusters.map((c) => c.cluster).filter((number) => number !== RESIDUAL), ...fresh, ...dropped, RESIDUAL]
      .filter((number) => model.has(number) || model.dropped.has(number));
    if (!data.themes) return all;
    const rank = new Map(all.map((number) => [number, number === RESIDUAL ? Infinity : themeOf(number) ?? Number.MAX_VALUE]));
    return all.sort((a, b) => (rank.get(a) === rank.get(b) ? 0 : rank.get(a) - rank.get(b)));
  }

  // ---- themes: groups of clusters ----

  const themeOfFound = new Map(clusters.map((c, at) => [c.cluster, data.themes?.of[at] ?? null]));

  /** The theme of a cluster: after edits, that of most images of the clusters found in it; null for none. */
  function themeOf(cluster) {
    const sizes = new Map();
    for (const part of model.parts(cluster)) {
      const theme = themeOfFound.get(part);
      if (theme) sizes.set(theme, (sizes.get(theme) ?? 0) + groups.get(part).size);
    }
    return [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a - b)[0] ?? null;
  }

  /** The themes of some clusters, with their clusters, in their order. */
  function byTheme(numbers) {
    const found = new Map();
    if (data.themes) for (const number of numbers) {
      const theme = number === RESIDUAL ? RESIDUAL : themeOf(number);
      found.set(theme, [...(found.get(theme) ?? []), number]);
    }
    return found;
  }

  const themeName = (theme) => data.themes.names[theme] ?? (theme === RESIDUAL ? "In no cluster" : "In no theme");

  /** A heading before the first cluster of each theme, and above all of them links to these. */
  function addThemes(view) {
    view.querySelectorAll(".theme, .themes").forEach((one) => one.remove());
    if (!data.themes) return;
    // An edit may have put a cluster into another theme.
    const cards = [...view.querySelectorAll(".card")];
    const place = new Map(shownClusters().map((number, at) => [number, at]));
    const sorted = [...cards].sort((a, b) => place.get(Number(a.dataset.cluster)) - place.get(Number(b.dataset.cluster)));
    if (sorted.some((card, at) => card !== cards[at])) view.append(...sorted);
    const links = el("nav", { class: "themes buttons", "aria-label": "Themes" });
    for (const [theme, numbers] of byTheme(overviewed())) {
      const size = numbers.reduce((sum, number) => sum + model.size(number), 0);
      const about = theme === RESIDUAL ? count(size, "image") : `${count(numbers.length, "cluster")}, ${count(size, "image")}`;
      const heading = el("h2", { class: "theme", tabindex: "-1" }, themeName(theme), " ", el("span", { class: "soft" }, about));
      view.insertBefore(heading, view.querySelector(`.card[data-cluster="${numbers[0]}"]`));
      const link = el("button", { type: "button" }, themeName(theme));
      link.addEventListener("click", () => {
        heading.scrollIntoView();
        heading.focus({ preventScroll: true });
      });
      links.append(link);
    }
    if (links.children.length) view.prepend(links);
  }

  const share = (cluster) => model.size(cluster) / total;

  function facts(cluster) {
    const found = groups.get(cluster);
    const changed = model.isChanged(cluster) || !found;
    const iterations = contents(cluster).map((part) => groups.get(part).iteration).filter((one) => one !== null);
    const list = [
      ["Images", whole(model.size(cluster))],
      ["Share", percent(share(cluster))],
      ["Silhouette", changed ? "–" : decimals(found.silhouette, 2)],
    ];
    if (iterations.length && cluster !== RESIDUAL) list.push(["Iteration", Math.min(...iterations)]);
    if (posts && !model.dropped.has(cluster)) list.splice(2, 0, ...posts.facts(cluster));
    return list;
  }

  /** The clusters as found that are in a cluster as a whole. */
  const contents = (cluster) =>
    model.parts(cluster).filter((part) => model.dropped.has(cluster) || model.heir(part) === cluster);

  /** The first terms of a cluster, in turn of those that were merged into it. */
  function keywords(cluster) {
    const lists = contents(cluster).map((part) => groups.get(part).keywords);
    const longest = Math.max(0, ...lists.map((list) => list.length));
    const mixed = Array.from({ length: longest }, (_, k) => lists.map((list) => list[k])).flat().filter(Boolean);
    return [...new Set(mixed)].slice(0, 8);
  }

  const words = (cluster) => (keywords(cluster).length ? el("p", { class: "words" }, keywords(cluster).join(", ")) : "");

  const largest = () => Math.max(...shownClusters().map(share));

  function card(cluster, most = largest()) {
    const dropped = model.dropped.has(cluster);
    const bar = el("div", { class: "bar" });
    bar.style.width = (100 * share(cluster)) / most + "%";
    const list = inTime(members(cluster));
    const size = model.size(cluster);
    const all = list.length < size ? `See ${whole(list.length)} of ${whole(size)}` : `See all ${whole(size)}`;
    const result = el("section", { class: "card", "data-cluster": cluster, "aria-label": label(cluster) },
      el("div", { class: "about" },
        heading(cluster, el("a", { href: address(cluster), draggable: dropped || cluster === RESIDUAL ? null : "true" }, title(cluster))),
        el("div", { class: "share", "aria-hidden": "true" }, bar),
        posts && !dropped ? posts.sparkline(cluster) : "",
        words(cluster),
        table(facts(cluster)),
        el("a", { class: "more", href: address(cluster) }, all),
        tools(cluster)),
      el("div", { class: "pictures" }, grid(list.slice(0, data.typical), list, 0.75), similar(cluster, 3)));
    result.classList.toggle("gone", dropped);
    result.classList.toggle("on", chosen.has(cluster));
    return result;
  }

  /** The heading, with the number of a named cluster below, and what becomes of a dropped one. */
  function heading(cluster, content) {
    const below = model.name(cluster) ? el("p", { class: "soft number" }, numbered(cluster)) : "";
    const fate = model.dropped.has(cluster) ? el("p", { class: "number" }, "Dropped: its images go to the residual.") : "";
    return el("div", { class: "title", "data-cluster": cluster }, el("h2", {}, content), below, fate, proposed(cluster));
  }

  /** The name that was proposed for a cluster which has neither a name nor other images since. */
  const proposal = (cluster) =>
    (model.name(cluster) || model.isChanged(cluster) || !model.has(cluster) ? "" : groups.get(cluster)?.proposal ?? "");

  function proposed(cluster) {
    const text = proposal(cluster);
    if (!text) return "";
    const accept = el("button", { type: "button", "aria-label": `Accept ${quoted(text)} as the name of ${numbered(cluster)}` }, "Accept");
    accept.addEventListener("click", () => act({ action: "name", clusters: [cluster], name: text }));
    return el("p", { class: "soft number" }, `Proposed: ${quoted(text)} `, accept);
  }

  function overview() {
    const most = largest();
    const view = el("div", {}, withoutOriginals, thinned(images.id.length, total), leftOut(),
      ...overviewed().map((cluster) => card(cluster, most)));
    addThemes(view);
    return view;
  }

  /** A note if originals are missing. */
  const withoutOriginals = data.small
    ? el("p", { class: "soft thinned" }, `The originals of ${whole(data.small)} images are not here: small copies are shown.`)
    : "";

  /** A note if not all images are on the page. */
  function thinned(here, all, where = "of each cluster ") {
    if (here === all) return "";
    const typical = data.thinned === 1 ? "the most typical" : `the ${whole(data.thinned)} most typical`;
    return el("p", { class: "soft thinned" }, `Showing ${whole(here)} of ${whole(all)} images: `,
      `${where}${typical}${sampled.size ? " and the sample" : ""}, the others drawn at random.`);
  }

  function table(pairs) {
    return el("dl", { class: "facts" }, ...pairs.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
  }

  function oneCluster(cluster) {
    const all = shownClusters();
    const at = all.indexOf(cluster);
    const step = (to, text) => (to === undefined ? "" : el("a", { href: address(to), class: "button" }, text));
    const onMap = el("a", { href: "#map", class: "button" }, "On the map");
    onMap.addEventListener("click", () => highlight(String(cluster)));
    const list = inTime(members(cluster));
    const theme = data.themes && themeOf(cluster);
    const known = theme ? [...facts(cluster), ["Theme", themeName(theme)]] : facts(cluster);
    const view = listing(heading(cluster, title(cluster)), list, known, [
      tools(cluster),
      data.map && model.has(cluster) ? onMap : "",
      step(all[at - 1], "← Previous"),
      step(all[at + 1], "Next →"),
    ], words(cluster), isLimited() ? onlyThese(list) : thinned(list.length, model.size(cluster), ""), similar(cluster, 6));
    view.dataset.cluster = cluster;
    view.classList.toggle("gone", model.dropped.has(cluster));
    return view;
  }

  function listing(title, list, pairs, links = [], note = "", below = "", further = "", badge = null) {
    const all = el("button", { type: "button" }, below ? "Tick all shown" : "Tick all");
    all.addEventListener("click", () => {
      const fresh = list.filter((i) => !ticked.has(i));
      tick(fresh, true);
      say(`Ticked ${count(fresh.length, "more image", "more images")}.`, () => tick(fresh, false));
    });
    return el("div", {},
      el("div", { class: "head" }, typeof title === "string" ? el("h2", {}, title) : title, table(pairs), note,
        el("div", { class: "buttons" }, ...links, list.length ? all : "")),
      further,
      below,
      list.length ? grid(list, list, 1, badge) : el("p", { class: "soft" }, "There is nothing here yet."));
  }

  const plain = (list) => [["Images", whole(list.length)]];

  const views = {
    clusters: overview,
    residual: () => model.has(RESIDUAL) && oneCluster(RESIDUAL),
    sampled: () => listing("Sampled images", inOrder(sampled), plain([...sampled])),
    ticked: () => listing("Ticked images", inOrder(ticked), plain([...ticked])),
    trace: drawTrace,
    map: () => data.map && drawMap(),
  };

  function make(route) {
    const [, what, number] = /^(cluster|like)-(\d+)$/.exec(route) ?? [];
    if (what === "like") return images.id[number] !== undefined && alike(Number(number));
    if (what) return (model.has(Number(number)) || model.dropped.has(Number(number))) && oneCluster(Number(number));
    return Object.hasOwn(views, route) && views[route]();
  }

  const kept = new Map(); // the overview and the map, as they were left
  const scrolled = new Map();
  let route = null;

  function go() {
    const wanted = location.hash.slice(1) || "clusters";
    if (wanted === "main" || wanted === route) return;
    const moved = route !== null;
    if (route) scrolled.set(route, scrollY);
    if (!open(wanted)) return;
    if (moved) main.focus({ preventScroll: true });
    scrollTo(0, scrolled.get(route) ?? 0);
  }

  /** Go to another view at once: a key that follows quickly means what is there then. */
  function goTo(address) {
    location.hash = address;
    go();
  }

  /** Make the view anew after something in it has changed. */
  function redraw() {
    const at = scrollY;
    kept.delete(route);
    if (open(route)) scrollTo(0, at);
  }

  function open(wanted) {
    if (route !== "clusters" && route !== "map") kept.delete(route);
    for (const view of main.children) view.hidden = true;
    main.replaceChildren(...kept.values());
    if (!kept.has(wanted)) {
      const view = make(wanted);
      if (!view) return void location.replace(successor(wanted));
      view.dataset.view = wanted;
      kept.set(wanted, view);
      main.append(view);
    }
    kept.get(wanted).hidden = false;
    layAll();
    showTicks();
    route = wanted;
    showTimeline();
    for (const link of byId("nav").children) {
      const here = link.hash.slice(1) === route || (link.hash === "#clusters" && route.startsWith("cluster-"));
      here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    return true;
  }

  /** Where the images of a cluster are that is gone, or the overview. */
  function successor(route) {
    const number = Number(/^cluster-(\d+)$/.exec(route)?.[1] ?? NaN);
    const heir = model.heir(number);
    return heir !== number && model.has(heir) ? address(heir) : "#clusters";
  }

  function navigation() {
    const link = (to, text) => el("a", { href: to }, text);
    byId("nav").append(link("#clusters", "Clusters"));
    const residual = link("#residual", "Residual");
    residual.hidden = !model.has(RESIDUAL);
    byId("nav").append(residual);
    if (data.map) byId("nav").append(link("#map", "Map"));
    if (sampled.size) byId("nav").append(link("#sampled", "Sample"));
    byId("nav").append(link("#ticked", "Ticked"));
    if (trace.iteration.length > 1) byId("nav").append(link("#trace", "Trace"));
  }

  // ---- images like one: its neighbours among the vectors ----

  const NO_VECTORS = "The page was written without the vectors of the images. Write it again with the clustering of the run folder.";
  let nearest = null;

  function neighbors(i) {
    const { each, bytes, packed } = data.neighbours;
    nearest ??= numbers(packed, bytes);
    return Array.from(nearest.subarray(i * each, (i + 1) * each));
  }

  function more(i) {
    if (!data.neighbours) return say(NO_VECTORS);
    viewer.close();
    goTo(`#like-${i}`);
  }

  function alike(i) {
    if (!data.neighbours) return false;
    const list = neighbors(i);
    const from = new Set(list.map(model.of));
    const back = el("a", { href: address(model.of(i)), class: "button" }, "Its cluster");
    const view = listing(`More like ${name(i)}`, list, [["Nearest images", whole(list.length)], ["From", count(from.size, "cluster")]],
      [back], "", "", grid([i], [i, ...list]), (one) => (model.of(one) === model.of(i) ? null : title(model.of(one))));
    view.classList.add("alike");
    return view;
  }

  // ---- clusters like one: those with the nearest centroids, with pictures, to be merged ----

  const byPlace = clusters.map((c) => c.cluster);

  /** Clusters near a cluster or near one of those merged into it, the nearest first. */
  function near(cluster) {
    const best = new Map();
    for (const part of model.parts(cluster)) {
      const here = [[byPlace.indexOf(part), 0], ...(groups.get(part)?.near ?? [])];
      for (const [place, away] of here) {
        const other = model.heir(byPlace[place]);
        if (other === cluster || other === RESIDUAL || !model.has(other)) continue;
        best.set(other, Math.min(away, best.get(other) ?? Infinity));
      }
    }
    return [...best.keys()].sort((a, b) => best.get(a) - best.get(b));
  }

  function minis(list) {
    const seen = list.filter((i) => !images.missing[i]).slice(0, 3);
    return el("span", { class: "minis", "aria-hidden": "true" },
      ...seen.map((i) => el("img", { src: thumbnail(i), loading: "lazy", decoding: "async", alt: "" })));
  }

  /** The strip of similar clusters, filled when it is less than two screens away. */
  function similar(cluster, n) {
    const found = model.has(cluster) && cluster !== RESIDUAL ? near(cluster).slice(0, n) : [];
    if (!found.length) return "";
    const strip = el("div", { class: "similar", role: "group", "aria-label": `Similar to ${label(cluster)}` });
    strip.build = () => {
      nearby.unobserve(strip);
      strip.build = null;
      strip.append(el("span", { class: "soft" }, "Similar"), ...found.map((other) => {
        const button = el("button", { type: "button", "aria-label": `Merge ${label(other)} with ${label(cluster)}` }, "Merge");
        button.addEventListener("click", () => merge([cluster, other]));
        return el("div", { class: "near", "data-cluster": other }, minis(examples(other)),
          el("span", {}, el("a", { href: address(other) }, title(other)), el("span", { class: "soft" }, count(model.size(other), "image"))),
          button);
      }));
    };
    strip.mentions = found;
    nearby.observe(strip);
    return strip;
  }

  // ---- edits ----

  const chosen = new Set(); // ticked clusters
  const quoted = (text) => `“${text}”`;

  function sentence({ action, clusters: numbers, images: list, into, name: text }) {
    const several = numbers.length > 1
      ? `Clusters ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`
      : numbers.map(numbered).join("");
    const called = text ? `, ${quoted(text)}` : "";
    switch (action) {
      case "name": return text ? `${several} is named ${quoted(text)}` : `${several} has no name any more`;
      case "propose": return `${quoted(text)} is proposed as the name of ${several}`;
      case "merge": return `${several} are one cluster${called}`;
      case "move": return `${count(list.length, "image")} moved to ${numbers.length ? several : `the new cluster ${into ?? ""}`.trim()}${called}`;
      case "drop": return `Dropped: ${numbers.length ? several : count(list.length, "image")}`;
      default: return `${several}: ${action}`;
    }
  }

  /** Show what a change of the edits changed, or say why it did not. */
  function done({ touched, problem }, text, back) {
    if (problem) return say(problem);
    refresh(touched);
    say(text, back);
  }

  function act(given) {
    const isFirst = !model.list.length;
    const result = model.add(given);
    if (result.problem) return say(result.problem);
    const edit = model.list.at(-1);
    if (isFirst && innerWidth >= 1100) editList.open(true, false);
    done(result, `${sentence(edit)}.`, () => model.list.at(-1) === edit && undo());
  }

  function undo() {
    const last = model.list.at(-1);
    if (!last) return say("There is no edit to undo.");
    done(model.undo(), `Undone: ${sentence(last)}.`);
  }

  const editList = kit.editList({
    model, sentence,
    pictures: minis,
    onUndo: undo,
    onRemove(at) {
      const text = `Removed: ${sentence(model.list[at])}.`;
      done(model.remove(at), text);
      (byId("undo-edit").closest("[hidden]") ? byId("edits") : byId("undo-edit")).focus();
    },
  });

  /** Draw the clusters anew that changed, and keep the focus and what is on the screen in place. */
  function refresh(touched) {
    const focus = keepFocus();
    for (const number of touched) ordered.delete(number);
    posts?.recount();
    for (const number of chosen) model.has(number) || chosen.delete(number);
    for (const view of [...kept.keys()]) view !== "clusters" && kept.delete(view);
    map = null;
    if (highlighted !== "" && !isNaN(highlighted) && !model.has(Number(highlighted))) highlighted = "";
    const cards = kept.get("clusters");
    if (cards) refreshCards(cards, touched);
    byId("nav").querySelector("[href='#residual']").hidden = !model.has(RESIDUAL);
    showList();
    if (route !== "clusters") redraw();
    else showTimeline();
    layAll();
    showTicks();
    showChosen();
    if (viewer.open) show(shown.list, shown.at);
    focus();
  }

  /** The list of edits, and above the page how many clusters there are after them. */
  function showList() {
    editList.draw();
    const n = model.numbers.filter((number) => number !== RESIDUAL).length;
    byId("after").hidden = !model.list.length;
    byId("after").textContent = `After ${count(model.list.length, "edit")} on this page: ` +
      `${count(n, "cluster")}, ${whole(model.size(RESIDUAL))} in the residual.`;
  }

  function refreshCards(view, touched) {
    const most = largest();
    const here = overviewed();
    const cards = new Map([...view.querySelectorAll(".card")].map((card) => [Number(card.dataset.cluster), card]));
    for (const number of touched) {
      if (!here.includes(number)) cards.get(number)?.remove();
      else if (cards.has(number)) cards.get(number).replaceWith(card(number, most));
      else {
        const next = here.slice(here.indexOf(number) + 1).map((one) => view.querySelector(`.card[data-cluster="${one}"]`)).find(Boolean);
        view.insertBefore(card(number, most), next ?? null);
      }
    }
    for (const one of view.querySelectorAll(".card")) {
      const number = Number(one.dataset.cluster);
      one.querySelector(".bar").style.width = (100 * share(number)) / most + "%";
      const strip = one.querySelector(".similar");
      if (!touched.has(number) && strip?.mentions.some((other) => touched.has(other))) strip.replaceWith(similar(number, 3));
    }
    addThemes(view);
  }

  /** Remember where the focus is in the view; the result puts it back. */
  function keepFocus() {
    const at = document.activeElement;
    if (!main.contains(at) || at === main) return () => {};
    const within = at.closest("[data-view]");
    const places = (selector) => [...(main.querySelector(`[data-view="${within?.dataset.view}"]`)?.querySelectorAll(selector) ?? [])];
    const selector = at.matches(".open") ? ".open" : ".title a, .head .tools button";
    const own = at.matches(".open") ? at : at.closest(".card, [data-view]").querySelector(selector);
    const place = places(selector).indexOf(own);
    return () => {
      if (main.contains(document.activeElement) && document.activeElement !== main) return;
      const now = places(selector);
      (now[Math.min(place, now.length - 1)] ?? main).focus({ preventScroll: true });
    };
  }

  const merge = (numbers) => act({ action: "merge", clusters: numbers });
  const moveTo = (indices, cluster, text = "") => {
    act({ action: "move", clusters: cluster === null ? [] : [cluster], images: indices.map((i) => images.id[i]), name: cluster === null ? text : "" });
    tick(indices, false);
  };

  function dropImages(indices) {
    if (indices.length === 1 && model.from(indices[0])) return done(model.keepImage(indices[0]), "The image is back in its cluster.");
    const fresh = indices.filter((i) => model.of(i) !== RESIDUAL);
    if (!fresh.length) return say("They are in the residual already.");
    act({ action: "drop", images: fresh.map((i) => images.id[i]) });
    tick(fresh, false);
  }

  function dropCluster(cluster) {
    if (model.dropped.has(cluster)) return done(model.keepCluster(cluster), `${label(cluster)} is back.`);
    act({ action: "drop", clusters: [cluster] });
  }

  /** Clusters to choose from: the given ones first. */
  function choices(likely, without) {
    const rest = shownClusters().filter((cluster) => model.has(cluster) && cluster !== RESIDUAL);
    return [...new Set([...likely, ...rest])].filter((cluster) => !without.includes(cluster)).map((cluster) => ({
      value: cluster,
      title: title(cluster),
      about: [model.name(cluster) ? numbered(cluster) : "", count(model.size(cluster), "image"), keywords(cluster).slice(0, 4).join(", ")].filter(Boolean).join(" · "),
      pictures: () => minis(examples(cluster)),
      words: `${label(cluster)} ${keywords(cluster).join(" ")}`.toLowerCase(),
    }));
  }

  const pick = kit.picker();

  function askMerge(cluster) {
    pick(`Merge ${label(cluster)} with`, {
      choices: choices(near(cluster), [cluster]),
      onChoice: (other) => merge([cluster, other]),
    });
  }

  function askMove(indices) {
    const from = [...new Set(indices.map(model.of))];
    pick(`Move ${count(indices.length, "image")} to`, {
      choices: choices(from.flatMap((cluster) => (model.has(cluster) ? near(cluster) : [])), from.length === 1 ? from : []),
      own: (text) => ({ value: null, title: text ? `New cluster ${quoted(text)}` : "New cluster", about: text ? "" : "type its name, or leave it without one" }),
      onChoice: (cluster, text) => moveTo(indices, cluster, text),
    });
  }

  /** Replace a heading by a field for the name. */
  function askName(holder) {
    const cluster = Number(holder.dataset.cluster);
    if (!model.has(cluster) || cluster === RESIDUAL || holder.querySelector("input")) return;
    const field = el("input", { type: "text", "aria-label": `Name of ${numbered(cluster)}`, placeholder: "Name", autocomplete: "off", spellcheck: "true" });
    const before = model.name(cluster) ?? "";
    const content = holder.querySelector("h2");
    field.value = before || proposal(cluster);
    content.hidden = true;
    holder.prepend(field);
    field.select();
    field.focus();
    let over = false;
    const finish = (save, focus) => {
      if (over) return;
      over = true;
      const text = field.value.trim().replace(/\s+/g, " ");
      content.hidden = false;
      if (focus) (content.querySelector("a") ?? main).focus({ preventScroll: true });
      field.remove();
      // Leaving the field does not accept a proposed name; Enter does.
      if (save && text !== (focus ? before : before || proposal(cluster))) act({ action: "name", clusters: [cluster], name: text });
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      finish(event.key === "Enter", true);
    });
    field.addEventListener("blur", () => finish(true, false));
  }

  function tools(cluster) {
    if (cluster === RESIDUAL) return "";
    const button = (text, action, words) => {
      const made = el("button", { type: "button", "aria-label": `${words} ${label(cluster)}` }, text);
      made.addEventListener("click", () => action(made));
      return made;
    };
    const dropped = model.dropped.has(cluster);
    const drop = button(dropped ? "Keep" : "Drop", () => dropCluster(cluster), dropped ? "Keep" : "Drop");
    if (dropped) return el("div", { class: "tools" }, drop);
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${label(cluster)}`, title: "Tick clusters to merge them" });
    box.checked = chosen.has(cluster);
    box.addEventListener("change", () => choose(cluster, box.checked));
    return el("div", { class: "tools" }, box,
      button("Name", (made) => askName(made.closest(".card, [data-view]").querySelector(".title")), "Name"),
      button("Merge", () => askMerge(cluster), "Merge"), drop);
  }

  function choose(cluster, on = !chosen.has(cluster)) {
    if (!model.has(cluster) || cluster === RESIDUAL) return;
    on ? chosen.add(cluster) : chosen.delete(cluster);
    showChosen();
  }

  function showChosen() {
    for (const element of main.querySelectorAll(".card, [data-view][data-cluster]")) {
      const on = chosen.has(Number(element.dataset.cluster));
      element.classList.toggle("on", on);
      const box = element.querySelector(".tools input");
      if (box) box.checked = on;
    }
    byId("chosen").hidden = chosen.size === 0;
    byId("n-chosen").textContent = `${count(chosen.size, "cluster")} ticked`;
    byId("merge-chosen").disabled = chosen.size < 2;
    document.body.classList.toggle("has-ticks", ticked.size + chosen.size > 0);
  }

  function untick() {
    chosen.clear();
    showChosen();
  }

  function mergeChosen() {
    const numbers = [...chosen];
    untick();
    merge(numbers);
  }

  byId("merge-chosen").addEventListener("click", mergeChosen);
  byId("drop-chosen").addEventListener("click", () => act({ action: "drop", clusters: [...chosen] }));
  byId("untick").addEventListener("click", untick);
  byId("move").addEventListener("click", () => askMove(inOrder(ticked)));
  byId("drop").addEventListener("click", () => dropImages(inOrder(ticked)));
  byId("order").addEventListener("click", reorder);

  // ---- dragging: a heading onto a cluster merges, an image onto a cluster moves ----

  let dragged = null;

  main.addEventListener("dragstart", (event) => {
    const heading = event.target.closest(".title a");
    const tile = event.target.closest(".tile");
    dragged = null;
    if (heading) {
      const cluster = Number(heading.closest(".title").dataset.cluster);
      dragged = { clusters: chosen.has(cluster) ? [...chosen] : [cluster] };
    } else if (tile) {
      const i = Number(tile.dataset.image);
      dragged = { images: ticked.has(i) ? inOrder(ticked) : [i] };
    }
    if (dragged) event.dataTransfer.effectAllowed = "move";
  });

  /** The element of the cluster on which what is dragged can be dropped. */
  function target(event) {
    const element = event.target.closest(".near, .card");
    const cluster = Number(element?.dataset.cluster);
    if (!dragged || !element || !model.has(cluster) || cluster === RESIDUAL) return null;
    const all = dragged.clusters ? dragged.clusters.every((one) => one === cluster) : dragged.images.every((i) => model.of(i) === cluster);
    return all ? null : element;
  }

  let over = null;
  function mark(element) {
    if (over === element) return;
    over?.classList.remove("over");
    over = element;
    over?.classList.add("over");
  }

  main.addEventListener("dragover", (event) => {
    mark(target(event));
    if (over) event.preventDefault();
  });
  main.addEventListener("drop", (event) => {
    const element = target(event);
    if (!element) return;
    event.preventDefault();
    const cluster = Number(element.dataset.cluster);
    const what = dragged;
    mark(null);
    dragged = null;
    if (what.images) return moveTo(what.images, cluster);
    untick();
    merge([cluster, ...what.clusters]);
  });
  addEventListener("dragend", () => mark((dragged = null)));

  // ---- edits that were made for another state of the clusters ----

  function showOthers() {
    const others = model.others();
    const applied = others.filter((other) => other.applied);
    for (const other of applied) other.remove();
    const n = applied.reduce((sum, other) => sum + other.edits.length, 0);
    if (n) say(`${count(n, "edit")} made in this browser ${n === 1 ? "is" : "are"} part of these clusters now.`);
    byId("others").replaceChildren(...others.filter((other) => !other.applied).map((other) => {
      const notice = el("div", { class: "notice" });
      const button = (text, action) => {
        const made = el("button", { type: "button" }, text);
        made.addEventListener("click", action);
        return made;
      };
      const use = () => {
        const results = other.edits.map((edit) => model.add(edit));
        const lost = results.filter(({ problem }) => problem);
        refresh(new Set(results.flatMap(({ touched }) => [...(touched ?? [])])));
        editList.open(true);
        say(lost.length ? `${count(lost.length, "edit does", "edits do")} not fit: ${lost[0].problem}` : `Added ${count(results.length, "edit")}.`);
        if (lost.length) return;
        other.remove();
        notice.remove();
      };
      notice.append(
        el("p", {}, `This browser has ${count(other.edits.length, "edit")} that ${other.edits.length === 1 ? "was" : "were"} made on an earlier page of other clusters, or of the same ones before edits. They are not applied here.`),
        el("div", { class: "buttons" },
          button("Download them", () => editList.save(other.edits)),
          button("Add them here", use),
          button("Delete them", () => (other.remove(), notice.remove()))));
      return notice;
    }));
  }

  // ---- the trace: images remaining, clusters fitted and kept, their mean size ----

  function drawTrace() {
    const panels = [
      ["Images remaining", [["n_remaining", "main"]]],
      ["Clusters fitted and cohesive", [["k", "pale"], ["n_cohesive", "bright"]]],
      ["Mean size of the cohesive clusters", [["mean_size", "main"]]],
    ];
    const columns = { iteration: "Iteration", n_remaining: "Images remaining", k: "Clusters fitted",
      n_cohesive: "Cohesive", mean_size: "Mean size" };
    const body = trace.iteration.map((_, row) =>
      el("tr", {}, ...Object.keys(columns).map((key) => el("td", {}, number(trace[key][row])))));
    return el("div", { class: "trace" },
      el("div", { class: "head" }, el("h2", {}, "How the clusters were found")),
      el("p", { class: "soft" }, "In each iteration the remaining images are clustered; clusters whose mean silhouette exceeds the threshold are cohesive and leave with their images."),
      ...panels.map(([title, series]) => panel(title, series)),
      el("details", {}, el("summary", {}, "The figures as a table"),
        el("table", {}, el("thead", {}, el("tr", {}, ...Object.values(columns).map((c) => el("th", { scope: "col" }, c)))), el("tbody", {}, ...body))));
  }

  const number = (x) => (x === null ? "–" : Number.isInteger(x) ? whole(x) : decimals(x, 1));

  function panel(title, series) {
    const width = Math.min(860, main.clientWidth); // one unit is one pixel: the text keeps its size
    const [height, left, bottom, top] = [180, 52, 26, 8];
    const n = trace.iteration.length;
    const most = Math.max(1, ...series.flatMap(([key]) => trace[key]));
    const scale = niceScale(most);
    const x = (at) => left + ((at + 0.5) * (width - left)) / n;
    const y = (value) => height - bottom - (value / scale.top) * (height - bottom - top);
    const thick = Math.min(36, (0.72 * (width - left)) / n);
    const every = Math.ceil((32 * n) / (width - left));
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}, by iteration` });
    for (const value of scale.ticks) {
      drawing.append(svg("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: "rule" }));
      drawing.append(svg("text", { x: left - 8, y: y(value) + 4, class: "right" }, whole(value)));
    }
    for (const [key, style] of series) {
      trace[key].forEach((value, at) => {
        if (!value) return;
        const text = `Iteration ${trace.iteration[at]}: ${number(value)}`;
        drawing.append(svg("rect", { x: x(at) - thick / 2, width: thick, y: y(value), height: height - bottom - y(value), class: style },
          svg("title", {}, text)));
      });
    }
    trace.iteration.forEach((iteration, at) => {
      if (at % every === 0) drawing.append(svg("text", { x: x(at), y: height - 8, class: "middle" }, String(iteration)));
    });
    const key = series.length > 1
      ? el("span", { class: "key" }, el("i", { class: "pale" }), "fitted", el("i", { class: "bright" }), "cohesive")
      : "";
    return el("figure", {}, el("figcaption", {}, title, key), drawing);
  }

  function niceScale(most) {
    const power = 10 ** Math.floor(Math.log10(most / 3));
    const step = Math.max(1, [1, 2, 5, 10].map((s) => s * power).find((s) => most / s <= 4));
    const steps = Math.ceil(most / step);
    return { top: steps * step, ticks: Array.from({ length: steps + 1 }, (_, i) => i * step) };
  }

  // ---- the map ----

  let highlighted = ""; // the number of a cluster, "theme-2", "sampled", "ticked", or "" for all

  let highlightedTheme = new Set(); // its clusters

  function highlight(what) {
    highlighted = what;
    highlightedTheme = new Set(byTheme(model.numbers).get(Number(/^theme-(\d+)$/.exec(what)?.[1] ?? NaN)));
    const choice = byId("highlight");
    if (choice) choice.value = what;
    const cluster = model.has(Number(what || NaN));
    const all = byId("all-of-it");
    if (all) {
      all.hidden = !cluster;
      if (cluster) all.href = address(Number(what));
    }
    map?.draw();
  }

  const isHighlighted = (i) =>
    highlighted === "" ? true
    : highlighted === "sampled" ? sampled.has(i)
    : highlighted === "ticked" ? ticked.has(i)
    : highlighted.startsWith("theme-") ? highlightedTheme.has(model.of(i))
    : model.of(i) === Number(highlighted);

  /** Pairs of numbers as x and y. */
  function unpacked(text) {
    const pairs = numbers(text);
    return { x: pairs.filter((_, at) => at % 2 === 0), y: pairs.filter((_, at) => at % 2 === 1) };
  }

  function drawMap() {
    const { points, palette, colours, labels, method } = data.map;
    const real = shownClusters().filter((cluster) => model.has(cluster) && cluster !== RESIDUAL);
    const { x, y } = unpacked(points);
    const found = new Map(clusters.map((c, at) => [c.cluster, { colour: palette[colours[at]], label: labels[at] }]));
    const colour = (cluster) => found.get(cluster)?.colour ?? palette[cluster % palette.length];
    const middle = (values, list) => list.map((i) => values[i]).sort((a, b) => a - b)[list.length >> 1];
    const place = (cluster) => (model.isChanged(cluster)
      ? [middle(x, members(cluster)), middle(y, members(cluster))]
      : found.get(cluster).label);
    const peek = el("div", { class: "peek", "aria-live": "polite", hidden: true });
    const peekAt = (i, at, size) => {
      peek.hidden = i === null;
      if (i === null) return;
      const reason = images.missing[i];
      peek.replaceChildren(
        reason ? el("span", { class: "missing" }, reason) : el("img", { src: thumbnail(i), alt: "" }),
        el("b", {}, label(model.of(i))), " ", name(i));
      // On the side of the point with more room.
      const [right, below] = [at.x < size.width / 2, at.y < size.height / 2];
      peek.style.left = right ? at.x + 16 + "px" : "";
      peek.style.right = right ? "" : size.width - at.x + 16 + "px";
      peek.style.top = below ? at.y + 16 + "px" : "";
      peek.style.bottom = below ? "" : size.height - at.y + 16 + "px";
    };

    map = kit.scatter({
      x,
      y,
      // The residual is at the bottom, the smallest cluster on top.
      order: [...members(RESIDUAL), ...real.flatMap(members)],
      colours: everything.map((i) => (model.of(i) === RESIDUAL ? null : colour(model.of(i)))),
      labels: real.filter((cluster) => members(cluster).length).map((cluster) => ({
        x: place(cluster)[0], y: place(cluster)[1], group: cluster,
        name: shortened(model.name(cluster) ?? String(cluster)), word: model.name(cluster) ? null : keywords(cluster)[0],
      })),
      name: "Map of the images. Arrow keys move it, plus and minus zoom; the image in the middle is shown. Enter opens it, X ticks it.",
      isBright: (i) => isHighlighted(i) && (!isLimited() || posts.isShown(i)),
      isLabelled: (cluster) => !model.has(Number(highlighted || NaN)) || cluster === Number(highlighted),
      isTicked: (i) => ticked.has(i),
      onPoint: peekAt,
      onOpen: openOnMap,
      onTick: (i) => tick([i], !ticked.has(i)),
      onLasso: tickAll,
    });

    return el("div", { class: "map" },
      el("div", { class: "head" }, el("h2", {}, "Map"), mapControls()),
      thinned(images.id.length, total),
      el("div", { class: "plane" }, map, peek),
      el("p", { class: "soft small" }, MAP_NOTES[method] ?? "", " ",
        "Drag to move, turn the wheel or pinch to zoom, point at a dot to see its image, click to open it. ",
        "Shift + drag, or the lasso, ticks images; the keys are arrows, ", el("kbd", {}, "+"), " ", el("kbd", {}, "−"), " ",
        el("kbd", {}, "0"), ", ", el("kbd", {}, "Enter"), " and ", el("kbd", {}, "X"), "."));
  }

  const shortened = (text) => (text.length > 24 ? text.slice(0, 22).trimEnd() + "…" : text);

  const MAP_NOTES = {
    umap: "UMAP: neighbours are alike; how large a group is, and how far apart two groups are, means little.",
    pca: "The first two principal components: what differs in further ones lies on top of each other here.",
  };

  /** Select images of the map that are not selected yet, with a button to undo it. */
  function tickAll(list) {
    const fresh = list.filter((i) => !ticked.has(i));
    tick(fresh, true);
    const again = list.length > fresh.length ? ` ${count(list.length - fresh.length, "was", "were")} already.` : "";
    say(`Ticked ${count(fresh.length, "image")}.${again}`, fresh.length ? () => tick(fresh, false) : undefined);
  }

  const openOnMap = (i) => {
    const list = members(model.of(i));
    show(list, list.indexOf(i));
  };

  function mapControls() {
    const button = (text, action, attributes = {}) => {
      const element = el("button", { type: "button", ...attributes }, text);
      element.addEventListener("click", () => action(element));
      return element;
    };
    const option = (value, text) => el("option", { value }, text);
    const choice = el("select", { id: "highlight" }, option("", "All images"));
    if (sampled.size) choice.append(option("sampled", `Sample (${whole(sampled.size)})`));
    choice.append(option("ticked", "Ticked"));
    for (const [theme, numbers] of byTheme(shownClusters().filter(model.has))) {
      if (theme > 0) choice.append(option(`theme-${theme}`, `Theme: ${themeName(theme)} (${count(numbers.length, "cluster")})`));
    }
    for (const cluster of shownClusters().filter(model.has)) {
      const about = keywords(cluster).length ? `: ${keywords(cluster).slice(0, 3).join(", ")}` : "";
      choice.append(option(cluster, `${label(cluster)} (${whole(model.size(cluster))})${about}`));
    }
    choice.value = highlighted;
    choice.addEventListener("change", () => highlight(choice.value));
    const lasso = (element) => {
      const on = element.getAttribute("aria-pressed") !== "true";
      element.setAttribute("aria-pressed", String(on));
      map.classList.toggle("lasso", on);
      map.setLasso(on);
    };
    return el("div", { class: "buttons" },
      el("label", { class: "check" }, "Show", choice),
      el("a", { id: "all-of-it", href: address(Number(highlighted)), hidden: !model.has(Number(highlighted || NaN)) }, "See its images"),
      button("Lasso", lasso, { "aria-pressed": "false", title: "Draw a line around images to tick them" }),
      button("Tick all in view", () => tickAll(map.inView())),
      button("+", () => map.zoom(1.5), { "aria-label": "Zoom in" }),
      button("−", () => map.zoom(1 / 1.5), { "aria-label": "Zoom out" }),
      button("Whole map", () => map.fit()));
  }

  // ---- one image, large ----

  const viewer = byId("viewer");
  const shown = { list: [], at: 0 };
  const large = el("img", { id: "large", alt: "" }); // in the page while it is looked at

  function show(list, at) {
    Object.assign(shown, { list, at });
    const i = list[at];
    byId("name").textContent = name(i);
    byId("place").textContent = `${whole(at + 1)} of ${whole(list.length)}`;
    byId("previous").disabled = at === 0;
    byId("next").disabled = at === list.length - 1;
    byId("tick").checked = ticked.has(i);
    byId("drop-one").textContent = model.from(i) ? "Keep" : "Drop";
    byId("drop-one").disabled = model.of(i) === RESIDUAL && !model.from(i);
    byId("facts").replaceChildren(...details(i));
    picture(i);
    if (!viewer.open) viewer.showModal();
  }

  /** Another cluster of an image, as a link. */
  const second = (cluster) => {
    const here = model.heir(cluster);
    return model.has(here) ? el("a", { href: address(here) }, label(here)) : numbered(cluster);
  };

  function details(i) {
    const cluster = model.of(i);
    const link = el("a", { href: address(cluster) }, label(cluster));
    // With another extension a browser could open a picture as a page and run its content.
    const file = /\.(jpe?g|jfif|png|gif|webp|avif|bmp|tiff?|hei[cf]|hif|jp2)$/i.test(path(i)) ? originals(i)[0] : null;
    const pairs = [
      ["Cluster", link],
      ["Image id", el("code", {}, images.id[i])],
      ["File", path(i) === null ? null : file ? el("a", { href: file, target: "_blank", rel: "noopener" }, path(i)) : path(i)],
      ["Dropped", model.from(i) ? `from ${label(model.from(i))}` : null],
      ["Silhouette", decimals(images.silhouette[i], 3)],
      ["Second cluster", images.second?.[i] ? second(images.second[i]) : null],
      ["Margin to it", images.margin ? decimals(images.margin[i], 3) : null],
      ["Distance to the centre", decimals(images.distance[i], 2)],
      ["Copies in the corpus", images.copies[i] === null ? null : whole(images.copies[i])],
      ["Sampled", sampled.has(i) ? "yes" : null],
      ...(posts ? posts.about(i) : []),
      ...Object.entries(data.extra).map(([column, values]) => [column, values[i]]),
    ];
    return pairs.filter(([, value]) => value !== null && value !== "").map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
  }

  /** Show the thumbnail at once and the original when it is loaded. */
  function picture(i) {
    byId("frame").replaceChildren(large);
    const note = byId("note");
    const reason = images.missing[i];
    const still = () => shown.list[shown.at] === i;
    note.textContent = reason ? `Not to be seen: ${reason}.` : "";
    large.hidden = Boolean(reason);
    large.alt = name(i);
    if (reason) return large.removeAttribute("src");
    large.src = thumbnail(i);
    const attempt = ([next, ...others]) => {
      if (!next) {
        note.textContent = "The original file cannot be shown here; this is its thumbnail.";
        return;
      }
      const original = new Image();
      original.addEventListener("load", () => {
        if (!still()) return;
        large.src = next;
      });
      original.addEventListener("error", () => still() && attempt(others));
      original.src = next;
    };
    attempt(originals(i));
  }

  const turn = (by) => {
    const at = shown.at + by;
    if (at >= 0 && at < shown.list.length) show(shown.list, at);
  };
  const toggle = () => tick([shown.list[shown.at]], !ticked.has(shown.list[shown.at]));
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("close").addEventListener("click", () => viewer.close());
  byId("tick").addEventListener("change", toggle);
  byId("facts").addEventListener("click", (event) => event.target.closest("a[href^='#']") && viewer.close());
  viewer.addEventListener("close", () => {
    large.remove();
    // What had the focus before may be gone: an image that was moved, or a view that was drawn anew.
    if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
  });
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  const showing = () => shown.list[shown.at];
  byId("like-one").addEventListener("click", () => more(showing()));
  byId("move-one").addEventListener("click", () => askMove([showing()]));
  byId("drop-one").addEventListener("click", () => dropImages([showing()]));
  onKeys(viewer, {
    ArrowLeft: () => turn(-1),
    ArrowRight: () => turn(1),
    x: toggle,
    l: () => more(showing()),
    m: () => askMove([showing()]),
    d: () => dropImages([showing()]),
    u: undo,
  });

  // ---- mouse and keyboard on tiles ----

  let lastTick = null;
  const imageOf = (element) => Number(element.closest(".tile").dataset.image);

  main.addEventListener("click", (event) => {
    const open = event.target.closest(".open");
    if (open) {
      const list = open.closest(".grid").context;
      return show(list, list.indexOf(imageOf(open)));
    }
    if (!event.target.matches(".tile input")) return;
    const list = event.target.closest(".grid").context;
    const [from, to] = [list.indexOf(lastTick), list.indexOf(imageOf(event.target))];
    const range = event.shiftKey && from >= 0 ? list.slice(Math.min(from, to), Math.max(from, to) + 1) : [list[to]];
    tick(range, event.target.checked);
    lastTick = list[to];
  });

  main.addEventListener("error", (event) => {
    if (event.target.matches(".tile img")) event.target.replaceWith(el("span", { class: "missing" }, "thumbnail not found"));
  }, true);

  function move(event, choose) {
    const here = event.target.closest(".open");
    if (!here) return false;
    const others = [...here.closest("[data-view]").querySelectorAll(".open")];
    const next = choose(others, others.indexOf(here), here.getBoundingClientRect());
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /** The nearest tile in the row above or below. */
  function vertically(sign) {
    return (others, at, here) => {
      const middle = (box) => (box.left + box.right) / 2;
      let best = null;
      for (let i = at + sign; others[i]; i += sign) {
        const box = others[i].getBoundingClientRect();
        if (sign * (box.top - here.top) < 1) continue;
        if (best && Math.abs(box.top - best.top) > 1) break;
        const away = Math.abs(middle(box) - middle(here));
        if (!best || away < best.away) best = { away, top: box.top, element: others[i] };
      }
      return best?.element;
    };
  }

  onKeys(main, {
    ArrowLeft: (event) => move(event, (others, at) => others[at - 1]),
    ArrowRight: (event) => move(event, (others, at) => others[at + 1]),
    ArrowUp: (event) => move(event, vertically(-1)),
    ArrowDown: (event) => move(event, vertically(1)),
    x: (event) => {
      if (!event.target.closest(".tile")) return false;
      const i = imageOf(event.target);
      tick([i], !ticked.has(i));
    },
  });

  // ---- keys of the page: they act on the image, or else on the cluster, that has the focus ----

  /** The images that a key means: all ticked ones if the image with the focus is one of them. */
  function focused() {
    const at = document.activeElement.closest(".tile");
    if (!at) return null;
    const i = imageOf(at);
    return ticked.has(i) ? inOrder(ticked) : [i];
  }

  const focusedTitle = () => (document.activeElement.closest(".card") ?? main.querySelector("[data-view][data-cluster]:not([hidden])"))?.querySelector(".title");

  /** Call an action with the cluster that a key means, or say that there is none. */
  function onCluster(action) {
    const title = focusedTitle();
    if (!title) return say("Choose a cluster first: J and K go from one to the next.");
    action(Number(title.dataset.cluster), title);
  }

  /** Go to the next or previous cluster. */
  function step(by) {
    if (route !== "clusters") {
      const all = shownClusters();
      const at = all.indexOf(Number(focusedTitle()?.dataset.cluster ?? NaN));
      if (at >= 0 && all[at + by] !== undefined) goTo(address(all[at + by]));
      return;
    }
    const cards = [...kept.get("clusters").querySelectorAll(".card")];
    const here = cards.indexOf(document.activeElement.closest(".card"));
    const visible = cards.findIndex((card) => card.getBoundingClientRect().bottom > 80);
    const next = cards[here < 0 ? Math.max(0, visible) : here + by];
    next?.querySelector(".title a").focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  const KEYS = [
    [["J", "K"], "next and previous cluster"],
    [["←", "→", "↑", "↓"], "from image to image"],
    [["Enter"], "see the image, or the cluster, larger"],
    [["N"], "name the cluster; Enter accepts a proposed name"],
    [["T"], "tick the cluster"],
    [["M"], "merge the cluster with another one, or all ticked clusters; on an image: move it, or all ticked images"],
    [["D"], "drop the cluster; on an image: drop it, or all ticked images. Again: keep"],
    [["X"], "tick the image"],
    [["L"], "more images like this one"],
    [["U", "Ctrl Z"], "undo the last edit"],
    [["E"], "the list of edits, with a note on each"],
    [["O"], "the most doubtful images first, or the most typical ones"],
    [["S"], "download the edits"],
    ...(posts ? [[["←", "→"], "on the timeline: the time before or after; with Shift: until later or earlier; Esc: all times"]] : []),
    [["?"], "this list"],
  ];

  function help() {
    byId("keys").replaceChildren(...KEYS.map(([keys, text]) =>
      el("div", {}, el("dt", {}, ...keys.map((key) => el("kbd", {}, key))), el("dd", {}, text))));
    byId("help").showModal();
  }

  byId("open-help").addEventListener("click", help);
  byId("close-help").addEventListener("click", () => byId("help").close());
  byId("help").addEventListener("click", (event) => event.target === byId("help") && byId("help").close());

  function editKeys() {
    const free = (action) => (event) => (event.target.closest("dialog[open]") ? false : action(event));
    onKeys(document.body, Object.fromEntries(Object.entries({
      j: () => step(1),
      k: () => step(-1),
      n: () => onCluster((_, title) => askName(title)),
      t: () => onCluster((cluster) => choose(cluster)),
      m: () => (focused() ? askMove(focused()) : chosen.size > 1 ? mergeChosen() : onCluster((cluster) => model.has(cluster) && cluster !== RESIDUAL && askMerge(cluster))),
      d: () => (focused() ? dropImages(focused()) : onCluster((cluster) => cluster !== RESIDUAL && dropCluster(cluster))),
      l: () => (focused() ? more(imageOf(document.activeElement)) : say("Choose an image first.")),
      u: undo,
      e: () => editList.open(true),
      o: reorder,
      s: () => (model.list.length ? editList.save(model.list) : say("There are no edits yet.")),
      "?": help,
    }).map(([key, action]) => [key, free(action)])));
    addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
      if (event.target.matches("input[type=text], textarea")) return;
      event.preventDefault();
      undo();
    });
  }

  // ---- start ----

  function begin() {
    navigation();
    model.read();
    showList();
    readTicks();
    store.onChange(readTicks);
    model.onChange(refresh);
    byId("controls").hidden = false;
    editKeys();
    showOthers();
    addEventListener("hashchange", go);
    history.scrollRestoration = "manual";
    go();
  }

  /** Show no image before the warning is read. */
  function warn() {
    const go = el("button", { type: "button", class: "main" }, "Show the images");
    main.append(el("p", { class: "notice warning" }, data.warning), el("div", { class: "buttons" }, go));
    go.addEventListener("click", () => {
      main.replaceChildren();
      begin();
    });
  }

  if (data.warning) warn();
  else begin();
})();
