
// Edits of clusters: the clusters after them, their storage in this browser, and their file. The
// rules are those of edit_clusters(): a merged cluster keeps the smallest number, a new one gets the
// number after the highest that was ever given, and what is dropped is in the residual (-1).

/**
 * `ids` and `cluster` describe the images on the page, `groups` the clusters with their sizes among
 * all images. `highest` is the highest number ever given to a cluster, `first` the number of the
 * next edit, `ledger` the edits that the clusters contain already, and `key` identifies all that.
 */
kit.edits = ({ ids, cluster, groups, highest, first, ledger, key }) => {
  const RESIDUAL = -1;
  const PREFIX = "imagestrata:edits:";
  let positions = null; // of images by their ids, made when it is first asked for
  const position = (id) => (positions ??= new Map(ids.map((one, i) => [one, i]))).get(id);
  const store = kit.stored(PREFIX + key, null);
  let edits = [];
  let state = found();

  /** The clusters before the edits of this page. */
  function found() {
    return {
      of: Int32Array.from(cluster),
      from: new Int32Array(cluster.length), // the cluster from which an image was dropped
      size: new Map(groups.map((g) => [g.cluster, g.size])),
      names: new Map(groups.filter((g) => g.name).map((g) => [g.cluster, g.name])),
      parts: new Map(groups.map((g) => [g.cluster, [g.cluster]])), // the clusters found that are in it
      changed: new Set(), // clusters with other images than were found
      fate: new Map(), // the cluster that has the images of one that is gone
      dropped: new Map(), // clusters dropped as a whole, as they were
      made: new Map(), // numbers of new clusters, by those that edits call them
      highest,
    };
  }

  const copied = (s) => Object.fromEntries(Object.entries(s).map(([name, value]) => [name,
    value instanceof Map ? new Map(value) : value instanceof Set ? new Set(value)
    : ArrayBuffer.isView(value) ? value.slice() : value]));

  // ---- the actions: each changes a state and returns the edit with the numbers there ----

  function resolved(s, number) {
    const here = s.made.get(number) ?? number;
    if (here !== RESIDUAL && s.size.has(here)) return here;
    throw new Error(`Cluster ${number} is gone.`);
  }

  function remove(s, number, heir) {
    for (const one of [s.size, s.names, s.parts]) one.delete(number);
    s.fate.set(number, heir);
  }

  /** Move images, and return the edit; those of `images` that are on the page. */
  function put(s, images, number, drop = false) {
    const rows = images.map(position).filter((i) => i !== undefined && s.of[i] !== number);
    if (!rows.length) throw new Error("The images are there already.");
    for (const i of rows) {
      const before = s.of[i];
      s.from[i] = drop ? before : 0;
      s.of[i] = number;
      s.size.set(before, s.size.get(before) - 1);
      s.changed.add(before);
      if (before !== RESIDUAL && !s.size.get(before)) remove(s, before, number);
    }
    if (s.size.get(RESIDUAL) === 0) s.size.delete(RESIDUAL);
    s.size.set(number, (s.size.get(number) ?? 0) + rows.length);
    s.changed.add(number);
    return rows.map((i) => ids[i]);
  }

  const actions = {
    name(s, edit) {
      const number = resolved(s, edit.clusters[0]);
      if (edit.name) s.names.set(number, edit.name);
      else s.names.delete(number);
      return { ...edit, clusters: [number], into: number };
    },
    merge(s, edit) {
      const numbers = [...new Set(edit.clusters.map((number) => resolved(s, number)))].sort((a, b) => a - b);
      if (numbers.length < 2) throw new Error("They are one cluster already.");
      const [keep, ...rest] = numbers;
      const gone = new Set(rest);
      const name = edit.name || numbers.map((number) => s.names.get(number)).find(Boolean);
      s.parts.set(keep, numbers.flatMap((number) => s.parts.get(number)));
      s.size.set(keep, numbers.reduce((sum, number) => sum + s.size.get(number), 0));
      s.of.forEach((number, i) => gone.has(number) && (s.of[i] = keep));
      for (const number of rest) remove(s, number, keep);
      if (name) s.names.set(keep, name);
      s.changed.add(keep);
      return { ...edit, clusters: numbers, into: keep };
    },
    move(s, edit) {
      if (edit.clusters.length) {
        const number = resolved(s, edit.clusters[0]);
        return { ...edit, clusters: [number], images: put(s, edit.images, number), into: number };
      }
      const number = s.highest + 1;
      const from = new Set(edit.images.map((id) => s.of[position(id)]));
      const parts = [...new Set([...from].flatMap((one) => s.parts.get(one) ?? []))];
      const images = put(s, edit.images, number);
      s.highest = number;
      s.made.set(edit.into ?? number, number);
      s.parts.set(number, parts.filter((part) => part !== RESIDUAL));
      if (edit.name) s.names.set(number, edit.name);
      return { ...edit, images, into: number };
    },
    drop(s, edit) {
      if (edit.images.length) return { ...edit, images: put(s, edit.images, RESIDUAL, true), into: RESIDUAL };
      const numbers = [...new Set(edit.clusters.map((number) => resolved(s, number)))];
      for (const number of numbers) {
        const [size, name] = [s.size.get(number), s.names.get(number)];
        s.dropped.set(number, { size, name, parts: s.parts.get(number) });
        s.of.forEach((one, i) => one === number && ([s.of[i], s.from[i]] = [RESIDUAL, number]));
        s.size.set(RESIDUAL, (s.size.get(RESIDUAL) ?? 0) + size);
        remove(s, number, RESIDUAL);
      }
      s.changed.add(RESIDUAL);
      return { ...edit, clusters: numbers, into: RESIDUAL };
    },
  };

  // ---- the list of edits ----

  /** Apply a list from the beginning. */
  function replay(list) {
    const s = found();
    return [s, list.map((edit) => {
      try {
        return actions[edit.action](s, edit);
      } catch {
        throw new Error(`Edit ${first + edits.indexOf(edit)} builds on it: undo that one first.`);
      }
    })];
  }

  /** The clusters that two states have differently. */
  function differing(before, after) {
    const found = new Set();
    for (let i = 0; i < ids.length; i++) {
      if (before.of[i] === after.of[i] && before.from[i] === after.from[i]) continue;
      found.add(before.of[i]).add(after.of[i]);
    }
    for (const key of ["size", "names", "dropped"]) {
      for (const [number, value] of [...before[key], ...after[key]]) {
        const same = key === "dropped" ? before[key].has(number) === after[key].has(number)
          : before[key].get(number) === after[key].get(number) && value === after[key].get(number);
        if (!same) found.add(number);
      }
    }
    return found;
  }

  const lists = new Map(); // members of clusters

  /** List the members of all clusters whose list is not known, in one pass over the images. */
  function gather() {
    const unknown = new Map([...state.size.keys()].filter((one) => !lists.has(one)).map((one) => [one, []]));
    for (let i = 0; i < ids.length; i++) unknown.get(state.of[i])?.push(i);
    for (const [one, list] of unknown) lists.set(one, list);
    for (const one of state.dropped.keys()) {
      if (lists.has(one)) continue;
      const list = [];
      state.from.forEach((number, i) => number === one && list.push(i));
      lists.set(one, list);
    }
  }

  function accept(next, list, { save = true } = {}) {
    const touched = differing(state, next);
    [state, edits] = [next, list];
    for (const number of touched) lists.delete(number);
    if (save && edits.length) store.write({ page: location.pathname, edits });
    else if (save) store.remove();
    return touched;
  }

  /** The clusters that changed, or the reason why nothing did. */
  function attempt(action) {
    try {
      return { touched: action() };
    } catch (error) {
      return { problem: error.message };
    }
  }

  const change = (list) => attempt(() => accept(...replay(list)));

  function add(given) {
    return attempt(() => {
      const next = copied(state);
      const edit = { clusters: [], images: [], name: "", note: "", ...given };
      edit.name = edit.name.trim().replace(/\s+/g, " ");
      return accept(next, [...edits, actions[edit.action](next, edit)]);
    });
  }

  /** Take a cluster or an image out of the edit that dropped it. */
  function keep(what, key) {
    const at = edits.findLastIndex((edit) => edit.action === "drop" && edit[key].includes(what));
    const edit = { ...edits[at], [key]: edits[at][key].filter((one) => one !== what) };
    const rest = edit[key].length ? [edit] : [];
    return change([...edits.slice(0, at), ...rest, ...edits.slice(at + 1)]);
  }

  /** Read the edits that this window, or another one with this page, has stored. */
  function read() {
    const stored = store.read()?.edits ?? [];
    const result = attempt(() => accept(...replay(stored), { save: false }));
    if (result.touched) return result.touched;
    kit.say("The edits stored in this browser cannot be read: they are not shown.");
    return accept(found(), [], { save: false });
  }

  // ---- the file, in the format of edit_clusters() ----

  function rows(list = edits, editor = "") {
    const header = ["edit", "action", "clusters", "image_id", "into", "name", "note", "editor"];
    return [header, ...list.flatMap((edit, at) => {
      const line = (id) => [first + at, edit.action, edit.clusters.join(" "), id, edit.into ?? null, edit.name, edit.note, editor];
      return edit.images.length ? edit.images.map(line) : [line("")];
    })];
  }

  // ---- edits that this browser stored for other states of these clusters ----

  /** Whether an edit is one of the ledger. */
  function isSame(edit, [, action, clusters, n, images, name]) {
    const listed = new Set(edit.clusters);
    const mine = new Set(edit.images);
    return action === edit.action && (name ?? "") === edit.name && n === mine.size
      && clusters.length === listed.size && clusters.every((number) => listed.has(number))
      && images.every((i) => mine.has(ids[i]));
  }

  const isApplied = (list) =>
    ledger.some((_, at) => list.every((edit, k) => ledger[at + k] && isSame(edit, ledger[at + k])));

  /** `{ edits, applied, remove }` for each other state; `applied` if the clusters have the edits. */
  function others() {
    let keys = [];
    try {
      keys = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + key);
    } catch {
      // This browser stores nothing.
    }
    return keys.map((name) => kit.stored(name, null))
      .map((other) => ({ ...other.read(), remove: other.remove }))
      .filter(({ page, edits: list }) => page === location.pathname && list?.length)
      .map(({ edits: list, remove }) => ({ edits: list, remove, applied: isApplied(list) }));
  }

  return {
    first, ledger, add, rows, read, others, position,
    onChange: (action) => store.onChange(() => action(read())),
    undo: () => change(edits.slice(0, -1)),
    remove: (at) => change(edits.filter((_, k) => k !== at)),
    keepCluster: (number) => keep(number, "clusters"),
    keepImage: (i) => keep(ids[i], "images"),
    note(at, text) {
      edits[at] = { ...edits[at], note: text };
      store.write({ page: location.pathname, edits });
    },
    get list() { return edits; },
    get numbers() { return [...state.size.keys()]; },
    get dropped() { return state.dropped; },
    get highest() { return state.highest; },
    has: (number) => state.size.has(number),
    of: (i) => state.of[i],
    from: (i) => state.from[i],
    size: (number) => state.size.get(number) ?? state.dropped.get(number)?.size ?? 0,
    name: (number) => state.names.get(number) ?? state.dropped.get(number)?.name,
    parts: (number) => state.parts.get(number) ?? state.dropped.get(number)?.parts ?? [],
    isChanged: (number) => state.changed.has(number),
    /** The cluster that has the images of cluster `number` now. */
    heir(number) {
      let here = number;
      while (!state.size.has(here) && state.fate.has(here)) here = state.fate.get(here);
      return here;
    },
    /** Images of a cluster in the order of the page; of a dropped one those that were in it. */
    members(number) {
      if (!lists.has(number)) gather();
      return lists.get(number) ?? [];
    },
  };
};
