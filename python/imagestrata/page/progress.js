
// The progress of a collection, for the researcher; it follows the server by itself.
(() => {
  const { data, el, say, copy } = kit;
  const byId = (id) => document.getElementById(id);
  const EVERY = 10000;
  const number = (n) => n.toLocaleString("en");
  const plural = (n, word) => `${number(n)} ${n === 1 ? word : word + "s"}`;
  const called = (group) => group || "All annotators";

  function table(head, rows) {
    const line = (kind, cells) => el("tr", {}, ...cells.map((cell) => el(kind, {}, cell)));
    return el("table", {}, el("thead", {}, line("th", head)), el("tbody", {}, ...rows.map((cells) => line("td", cells))));
  }

  function figure(value, word) {
    return el("div", {}, el("dd", {}, value), el("dt", { class: "soft" }, word));
  }

  function groupOf(one, unit) {
    const { finished = 0, taken = 0, free = 0 } = one.sheets;
    const all = finished + taken + free;
    const part = all && (100 * finished) / all;
    const bar = el("div", { class: "bar" });
    bar.style.width = `${part}%`;
    return el(
      "section", { class: "group" },
      el("h2", {}, called(one.group)),
      ...(all ? [
        el("div", { class: "meter", role: "progressbar", "aria-label": "Finished sets", "aria-valuenow": finished, "aria-valuemax": all }, bar),
        el("p", { class: "soft" }, `${number(finished)} of ${plural(all, "set")} finished, ${number(taken)} taken, ${number(free)} free`),
      ] : []),
      el(
        "dl", { class: "figures" },
        figure(number(one.begun), "begun"),
        figure(number(one.finished), "finished"),
        figure(number(one.active), "at work"),
        figure(number(one.dropouts), one.dropouts === 1 ? "dropout" : "dropouts"),
        figure(number(one.answered), `${unit}s answered`),
        figure(one.seconds === null ? "–" : `${number(one.seconds)} s`, `median per ${unit}`),
      ),
    );
  }

  const ago = (seconds) => (seconds < 90 ? "just now" : seconds < 5400 ? `${Math.round(seconds / 60)} min ago` : `${number(Math.round(seconds / 3600))} h ago`);

  function draw(state) {
    byId("groups").replaceChildren(...state.groups.map((one) => groupOf(one, state.unit)));
    byId("open").hidden = state.open.length === 0;
    byId("open").querySelector("summary").textContent = plural(state.open.length, "open set");
    byId("open").querySelector("div").replaceChildren(table(
      ["Set", "Group", "State", "Done", "Last answer"],
      state.open.map((one) => [
        one.sheet, one.group || "–", one.state, `${one.done} of ${one.tasks}`, one.quiet === null ? "–" : ago(one.quiet),
      ]),
    ));
    byId("updated").textContent = `As of ${new Date(state.at * 1000).toLocaleTimeString("en-GB")}`;
  }

  byId("links").append(...Object.entries(data.links).map(([group, link]) => {
    const address = new URL(`../../r/${link}`, location.href).href;
    const button = el("button", { type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      say((await copy(address)) ? "The link is copied." : "Please select the link and copy it.");
    });
    return el("p", { class: "link" }, el("strong", {}, called(group)), el("code", {}, address), button);
  }));

  async function follow() {
    try {
      const reply = await fetch("progress", { signal: AbortSignal.timeout(EVERY) });
      if (!reply.ok) throw new Error(reply.statusText);
      draw(await reply.json());
    } catch {
      byId("updated").textContent = "The server does not answer";
    }
    setTimeout(follow, EVERY);
  }

  draw(data);
  setTimeout(follow, EVERY);
})();
