
// The first page of a visitor of the server: she gets the next free set of tasks, or her own again.
(() => {
  const { data } = kit;
  const byId = (id) => document.getElementById(id);
  const button = byId("entry").querySelector("button");

  function refuse(text) {
    byId("refused").textContent = text;
    byId("refused").hidden = false;
    button.disabled = false;
  }

  byId("entry").addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    byId("refused").hidden = true;
    try {
      const reply = await fetch(data.begin, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id: data.id, code: byId("own-code")?.value.trim() || null }),
        signal: AbortSignal.timeout(20000),
      });
      const said = await reply.json();
      if (reply.ok) location.replace(said.go);
      else refuse(said.error);
    } catch {
      refuse("The server does not answer. Check your connection and try again.");
    }
  });
})();
