
// Images that are rated on several items, one image after the other.
(() => {
  const { data, dict, el, onKeys, say } = kit;
  const { items, images, pictures } = data;
  const [low, high] = data.scale;
  const byId = (id) => document.getElementById(id);
  const scale = Array.from({ length: high - low + 1 }, (_, i) => low + i);

  let shown = null; // the image on the screen and who sees it
  let order = []; // items as this person sees them
  let answer = empty();
  let now = 0; // the place of the item that keys rate
  let since = 0; // when the image came on the screen, or was last counted

  function empty() {
    return { ratings: dict(), skipped: false, seconds: 0 };
  }

  const task = kit.annotate({
    kind: "ratings",
    one: "image",
    past: "rated",
    all: "",
    file: `ratings-${data.packet}`,
    ids: images,
    columns: ["respondent_id", "group", "packet_id", "position", "image_id", "item", "item_position", "rating", "skipped", "seconds"],
    // The server stores in which order the items were shown.
    sent: (given) => ({ ...given, order }),
    isDone: (given) => given.skipped || items.every((item) => Object.hasOwn(given.ratings, item)),

    show(i, given, person) {
      answer = { ...empty(), ...given, ratings: dict(given?.ratings) };
      const key = `${i} ${person}`;
      if (shown !== key) {
        shown = key;
        since = performance.now();
        order = shuffled(items, `${data.packet} ${person}`);
        byId("picture").src = pictures[i];
        byId("items").replaceChildren(ends(), ...order.map(item));
        byId("items").scrollTop = 0;
        now = Math.max(order.findIndex((name) => !rated(name)), 0);
      }
      mark();
    },

    rows: (i, person, given) =>
      shuffled(items, `${data.packet} ${person}`).map((name, place) => [
        person, data.group, data.packet, i + 1, images[i], name, place + 1,
        given.ratings[name] ?? null, Number(given.skipped), Math.round(given.seconds * 10) / 10,
      ]),

    summary(given) {
      const skipped = given.filter((one) => one.skipped).length;
      return skipped ? `, ${skipped} of them skipped` : "";
    },
  });

  // ---- one item, and all of them ----

  function ends() {
    const [lowest, highest] = data.anchors;
    return el("p", { class: "ends soft" }, el("span", {}, `${low} ${lowest}`), el("span", {}, `${high} ${highest}`));
  }

  function item(name, place) {
    const buttons = scale.map((value) => {
      const button = el("button", { type: "button", "aria-label": `${name}: ${value}` }, String(value));
      button.addEventListener("click", (event) => {
        // After a click the button loses the focus, so that Enter continues; with the keyboard it keeps it.
        if (event.detail > 0) button.blur();
        now = place;
        rate(value);
      });
      return button;
    });
    return el("div", { class: "item", role: "group", "aria-label": name }, el("span", {}, name), el("div", { class: "scale" }, ...buttons));
  }

  const rated = (name) => Object.hasOwn(answer.ratings, name);
  const complete = () => order.every(rated);

  function mark() {
    [...byId("items").querySelectorAll(".item")].forEach((row, place) => {
      row.classList.toggle("now", place === now);
      row.classList.toggle("rated", rated(order[place]));
      [...row.querySelectorAll("button")].forEach((button, i) => {
        button.setAttribute("aria-pressed", String(answer.ratings[order[place]] === scale[i]));
      });
    });
    byId("on").disabled = !complete() && !answer.skipped;
    byId("skip").setAttribute("aria-pressed", String(answer.skipped));
  }

  /** Store a rating and continue with the next item without one. */
  function rate(value) {
    if (byId("judge").hidden) return false;
    answer.ratings[order[now]] = value;
    answer.skipped = false;
    const open = [...order.keys()].map((step) => (now + step) % order.length).find((place) => !rated(order[place]));
    to(open ?? now);
    count();
    task.note(answer);
  }

  function to(place) {
    if (byId("judge").hidden) return false;
    now = Math.min(Math.max(place, 0), order.length - 1);
    mark();
    byId("items").querySelectorAll(".item")[now].scrollIntoView({ block: "center" });
  }

  // ---- time, only while the page is visible ----

  function count() {
    if (!document.hidden) answer.seconds += (performance.now() - since) / 1000;
    since = performance.now();
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) answer.seconds += (performance.now() - since) / 1000;
    since = performance.now();
  });

  // ---- next image ----

  function goOn() {
    if (byId("judge").hidden || byId("on").disabled) {
      if (!byId("judge").hidden) say(`${order.filter((name) => !rated(name)).length} left on this image.`);
      return false;
    }
    count();
    task.answer(answer);
  }
  byId("on").addEventListener("click", goOn);
  byId("skip").addEventListener("click", (event) => {
    event.currentTarget.blur();
    count();
    task.answer({ ...answer, ratings: dict(), skipped: true });
  });
  byId("next").hidden = true;
  byId("judge").classList.add("rating");
  byId("items").classList.toggle("wide", items.some((name) => name.length > 16));

  /** The items in a random order that is constant for a respondent. */
  function shuffled(names, person) {
    let state = 2166136261;
    for (const character of person) state = Math.imul(state ^ character.codePointAt(0), 16777619);
    const random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
    const all = [...names];
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }

  // ---- keys ----

  const keyOf = (value) => (value < 10 ? String(value) : low > 0 ? "0" : "x");
  const keys = {
    ArrowUp: () => to(now - 1),
    ArrowDown: () => to(now + 1),
    // Enter on a button presses that button.
    Enter: (event) => (event.target.matches("button") ? false : goOn()),
  };
  for (const value of scale) keys[keyOf(value)] = () => rate(value);
  onKeys(document, keys);
  const key = (name) => el("kbd", {}, name);
  byId("keys").append(
    "Keys: ", key(keyOf(low)), " to ", key(String(Math.min(high, 9))),
    ...(high === 10 ? [", ", key(keyOf(10).toUpperCase()), " for 10"] : []),
    ", ", key("↑"), " ", key("↓"), " other item, ", key("Enter"), " next image, ", key("←"), " back.",
  );

  task.begin();
})();
