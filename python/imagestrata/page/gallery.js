
// The gallery: views of tiles, selected by the address (#clusters, #cluster-12, ...).
(() => {
  const { data, el, svg, stored, say, onKeys, copy, csv, download } = kit;
  const { images, clusters, trace } = data;
  const everything = images.id.map((_, i) => i);
  const sampled = new Set(data.sampled);
  const groups = new Map(clusters.map((c) => [c.cluster, c]));
  const members = new Map(clusters.map((c) => [c.cluster, everything.slice(c.first, c.first + c.shown)]));
  const byId = (id) => document.getElementById(id);
  const main = byId("main");

  // ---- words and numbers ----

  const whole = (n) => n.toLocaleString("en");
  const count = (n, one, many = one + "s") => `${whole(n)} ${n === 1 ? one : many}`;
  const decimals = (x, digits) => (x === null ? "–" : x.toFixed(digits).replace("-", "−"));
  const percent = (x) => (100 * x).toFixed(x < 0.001 ? 2 : 1) + "%";
  const label = (cluster) => (cluster === -1 ? "Residual" : `Cluster ${cluster}`);
  const address = (cluster) => (cluster === -1 ? "#residual" : `#cluster-${cluster}`);
  const path = (i) => (images.file[i] === null ? null : data.root + images.file[i]);
  const name = (i) => path(i)?.split(/[\\/]/).pop() || images.id[i];

  // ---- addresses of pictures ----

  const thumbnail = (i) => `${data.thumbnails}/${images.thumbnail[i].slice(0, 2)}/${images.thumbnail[i]}.jpg`;

  /** Possible addresses of the original, the most likely first. */
  function originals(i) {
    if (images.file[i] === null) return [];
    try {
      const rest = images.file[i].split(data.separator).map(encodeURIComponent).join("/");
      return data.bases.map((base) => base + rest);
    } catch {
      return []; // a file name that is not proper text has no address
    }
  }

  // ---- selected images ----

  const store = stored(`imagestrata:gallery:${data.key}`, []);
  const position = new Map(images.id.map((id, i) => [id, i]));
  let ticked = new Set();
  let map = null; // the canvas, once it was looked at

  function readTicks() {
    ticked = new Set(store.read().map((id) => position.get(id)).filter((i) => i !== undefined));
    showTicks(everything);
  }

  function tick(indices, on) {
    for (const i of indices) on ? ticked.add(i) : ticked.delete(i);
    store.write(inOrder(ticked).map((i) => images.id[i]));
    showTicks(indices);
  }

  function showTicks(indices) {
    const changed = new Set(indices);
    for (const tile of document.querySelectorAll(".tile")) {
      const i = Number(tile.dataset.image);
      if (!changed.has(i)) continue;
      tile.classList.toggle("on", ticked.has(i));
      tile.querySelector("input").checked = ticked.has(i);
    }
    byId("ticks").hidden = ticked.size === 0;
    byId("count").textContent = `${count(ticked.size, "image")} ticked`;
    byId("tick").checked = ticked.has(shown.list[shown.at]);
    map?.draw();
    document.body.classList.toggle("has-ticks", ticked.size > 0);
  }

  const inOrder = (set) => [...set].sort((a, b) => a - b);

  byId("copy").addEventListener("click", async () => {
    const ids = inOrder(ticked).map((i) => images.id[i]);
    const done = await copy(ids.join("\n"));
    say(done ? `Copied ${count(ids.length, "id")}.` : "This browser does not let pages copy: download the CSV.");
  });
  byId("save").addEventListener("click", () => {
    const rows = inOrder(ticked).map((i) => [images.id[i], path(i), images.cluster[i]]);
    download("ticked.csv", csv([["image_id", "path", "cluster"], ...rows]));
  });
  byId("clear").addEventListener("click", () => {
    const before = inOrder(ticked);
    tick(before, false);
    main.focus({ preventScroll: true });
    say(`Cleared ${count(before.length, "tick")}.`, () => tick(before, true));
  });

  // ---- tiles in full rows ----

  const GAP = 6;
  const ROWS_PER_BLOCK = 8;
  // A block of rows is filled with tiles when it is less than two screens away.
  const nearby = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && entry.target.build?.()),
    { rootMargin: "1200px 0px" },
  );

  function tile(i) {
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
    if (sampled.has(i)) element.append(el("span", { class: "badge" }, "sampled"));
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

  /** Tiles of a list; the viewer pages through `context`. */
  function grid(list, context = list, size = 1) {
    const element = el("div", { class: "grid" });
    let width = 0;
    element.context = context;
    element.lay = () => {
      if (!element.clientWidth || element.clientWidth === width) return;
      width = element.clientWidth;
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
      const result = el("div", { class: "row" }, ...row.map(tile));
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

  const layAll = () => main.querySelectorAll("[data-view]:not([hidden]) .grid").forEach((g) => g.lay());
  new ResizeObserver(() => requestAnimationFrame(layAll)).observe(main);
  addEventListener("beforeprint", () => {
    main.querySelectorAll("[data-view]:not([hidden]) .block").forEach((block) => block.build?.());
  });

  // ---- views ----

  function facts({ size, share, silhouette, iteration }) {
    const found = [
      ["Images", whole(size)],
      ["Share", percent(share)],
      ["Silhouette", decimals(silhouette, 2)],
    ];
    if (iteration !== null) found.push(["Iteration", iteration]);
    return found;
  }

  function overview() {
    const largest = Math.max(...clusters.map((c) => c.share));
    return el("div", {}, withoutOriginals, thinned(images.id.length, total), ...clusters.map((c) => {
      const bar = el("div", { class: "bar" });
      bar.style.width = (100 * c.share) / largest + "%";
      const list = members.get(c.cluster);
      const all = c.shown < c.size ? `See ${whole(c.shown)} of ${whole(c.size)}` : `See all ${whole(c.size)}`;
      const more = el("a", { class: "more", href: address(c.cluster) }, all);
      return el("section", { class: "card", "aria-label": label(c.cluster) },
        el("div", { class: "about" },
          el("h2", {}, el("a", { href: address(c.cluster) }, label(c.cluster))),
          el("div", { class: "share", "aria-hidden": "true" }, bar),
          words(c),
          table(facts(c)),
          more),
        grid(list.slice(0, data.typical), list, 0.75));
    }));
  }

  const total = clusters.reduce((sum, c) => sum + c.size, 0);

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

  const words = ({ keywords }) => (keywords.length ? el("p", { class: "words" }, keywords.join(", ")) : "");

  function table(pairs) {
    return el("dl", { class: "facts" }, ...pairs.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
  }

  function oneCluster(cluster) {
    const at = clusters.findIndex((c) => c.cluster === cluster);
    const step = (to, text) => (to ? el("a", { href: address(to.cluster), class: "button" }, text) : "");
    const onMap = el("a", { href: "#map", class: "button" }, "On the map");
    onMap.addEventListener("click", () => highlight(String(cluster)));
    return listing(label(cluster), members.get(cluster), facts(clusters[at]), [
      data.map ? onMap : "",
      step(clusters[at - 1], "← Previous"),
      step(clusters[at + 1], "Next →"),
    ], words(clusters[at]), thinned(clusters[at].shown, clusters[at].size, ""));
  }

  function listing(title, list, pairs, links = [], note = "", below = "") {
    const all = el("button", { type: "button" }, below ? "Tick all shown" : "Tick all");
    all.addEventListener("click", () => {
      const fresh = list.filter((i) => !ticked.has(i));
      tick(fresh, true);
      say(`Ticked ${count(fresh.length, "more image", "more images")}.`, () => tick(fresh, false));
    });
    return el("div", {},
      el("div", { class: "head" }, el("h2", {}, title), table(pairs), note, el("div", { class: "buttons" }, ...links, list.length ? all : "")),
      below,
      list.length ? grid(list) : el("p", { class: "soft" }, "There is nothing here yet."));
  }

  const plain = (list) => [["Images", whole(list.length)]];

  const views = {
    clusters: overview,
    residual: () => groups.has(-1) && oneCluster(-1),
    sampled: () => listing("Sampled images", inOrder(sampled), plain([...sampled])),
    ticked: () => listing("Ticked images", inOrder(ticked), plain([...ticked])),
    trace: drawTrace,
    map: () => data.map && drawMap(),
  };

  function make(route) {
    const cluster = /^cluster-(\d+)$/.exec(route);
    if (cluster) return groups.has(Number(cluster[1])) && oneCluster(Number(cluster[1]));
    return Object.hasOwn(views, route) && views[route]();
  }

  const kept = new Map(); // the overview and the map, as they were left
  const scrolled = new Map();
  let route = null;

  function go() {
    const wanted = location.hash.slice(1) || "clusters";
    if (wanted === "main") return;
    if (route) scrolled.set(route, scrollY);
    if (route !== "clusters" && route !== "map") kept.delete(route);
    for (const view of main.children) view.hidden = true;
    main.replaceChildren(...kept.values());
    if (!kept.has(wanted)) {
      const view = make(wanted);
      if (!view) return location.replace("#clusters");
      view.dataset.view = wanted;
      kept.set(wanted, view);
      main.append(view);
    }
    kept.get(wanted).hidden = false;
    layAll();
    showTicks(everything);
    const moved = route !== null;
    route = wanted;
    for (const link of byId("nav").children) {
      const here = link.hash.slice(1) === route || (link.hash === "#clusters" && route.startsWith("cluster-"));
      here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    if (moved) main.focus({ preventScroll: true });
    scrollTo(0, scrolled.get(route) ?? 0);
  }

  function navigation() {
    const link = (to, text) => el("a", { href: to }, text);
    byId("nav").append(link("#clusters", "Clusters"));
    if (groups.has(-1)) byId("nav").append(link("#residual", "Residual"));
    if (data.map) byId("nav").append(link("#map", "Map"));
    if (sampled.size) byId("nav").append(link("#sampled", "Sample"));
    byId("nav").append(link("#ticked", "Ticked"));
    if (trace.iteration.length > 1) byId("nav").append(link("#trace", "Trace"));
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

  let highlighted = ""; // the number of a cluster, "sampled", "ticked", or "" for all

  function highlight(what) {
    highlighted = what;
    const choice = byId("highlight");
    if (choice) choice.value = what;
    const cluster = members.get(Number(what || NaN));
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
    : images.cluster[i] === Number(highlighted);

  /** Pairs of 16 bits, lowest byte first, as x and y. */
  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const whole = (at) => bytes[at] + 256 * bytes[at + 1];
    return {
      x: Uint16Array.from(images.id, (_, i) => whole(4 * i)),
      y: Uint16Array.from(images.id, (_, i) => whole(4 * i + 2)),
    };
  }

  function drawMap() {
    const { points, palette, colours, labels, method } = data.map;
    const real = clusters.filter((c) => c.cluster !== -1);
    const colour = new Map(real.map((c, at) => [c.cluster, palette[colours[at]]]));
    const peek = el("div", { class: "peek", "aria-live": "polite", hidden: true });
    const peekAt = (i, at, size) => {
      peek.hidden = i === null;
      if (i === null) return;
      const reason = images.missing[i];
      peek.replaceChildren(
        reason ? el("span", { class: "missing" }, reason) : el("img", { src: thumbnail(i), alt: "" }),
        el("b", {}, label(images.cluster[i])), " ", name(i));
      // On the side of the point with more room.
      const [right, below] = [at.x < size.width / 2, at.y < size.height / 2];
      peek.style.left = right ? at.x + 16 + "px" : "";
      peek.style.right = right ? "" : size.width - at.x + 16 + "px";
      peek.style.top = below ? at.y + 16 + "px" : "";
      peek.style.bottom = below ? "" : size.height - at.y + 16 + "px";
    };

    map = kit.scatter({
      ...unpacked(points),
      // The residual is at the bottom, the smallest cluster on top.
      order: [...(members.get(-1) ?? []), ...real.flatMap((c) => members.get(c.cluster))],
      colours: images.cluster.map((cluster) => colour.get(cluster) ?? null),
      labels: real.map((c, at) => ({
        x: labels[at][0], y: labels[at][1], group: c.cluster,
        name: String(c.cluster), word: c.keywords[0],
      })),
      name: "Map of the images. Arrow keys move it, plus and minus zoom; the image in the middle is shown. Enter opens it, X ticks it.",
      isBright: isHighlighted,
      isLabelled: (cluster) => !members.has(Number(highlighted || NaN)) || cluster === Number(highlighted),
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
    const list = members.get(images.cluster[i]);
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
    for (const c of clusters) {
      const about = c.keywords.length ? `: ${c.keywords.slice(0, 3).join(", ")}` : "";
      choice.append(option(c.cluster, `${label(c.cluster)} (${whole(c.size)})${about}`));
    }
    choice.addEventListener("change", () => highlight(choice.value));
    const lasso = (element) => {
      const on = element.getAttribute("aria-pressed") !== "true";
      element.setAttribute("aria-pressed", String(on));
      map.classList.toggle("lasso", on);
      map.setLasso(on);
    };
    return el("div", { class: "buttons" },
      el("label", { class: "check" }, "Show", choice),
      el("a", { id: "all-of-it", hidden: true }, "See its images"),
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
    byId("facts").replaceChildren(...details(i));
    picture(i);
    if (!viewer.open) viewer.showModal();
  }

  function details(i) {
    const cluster = images.cluster[i];
    const link = el("a", { href: address(cluster) }, label(cluster));
    // With another extension a browser could open a picture as a page and run its content.
    const file = /\.(jpe?g|jfif|png|gif|webp|avif|bmp|tiff?|hei[cf]|hif|jp2)$/i.test(path(i)) ? originals(i)[0] : null;
    const pairs = [
      ["Cluster", link],
      ["Image id", el("code", {}, images.id[i])],
      ["File", path(i) === null ? null : file ? el("a", { href: file, target: "_blank", rel: "noopener" }, path(i)) : path(i)],
      ["Silhouette", decimals(images.silhouette[i], 3)],
      ["Distance to the centre", decimals(images.distance[i], 2)],
      ["Copies in the corpus", images.copies[i] === null ? null : whole(images.copies[i])],
      ["Sampled", sampled.has(i) ? "yes" : null],
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
  viewer.addEventListener("close", () => large.remove());
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  onKeys(viewer, { ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), x: toggle });

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

  // ---- start ----

  function begin() {
    navigation();
    readTicks();
    store.onChange(readTicks);
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
