
// Answers to the server that sent this page. An answer stays in this browser until the server has
// stored it. The server never sends answers back: they are shown again in the same tab only.
kit.remote = (() => {
  const { data, dict, say } = kit;
  if (!data.remote) return null;
  const { code, name, done, end } = data.remote;
  const unsentHere = `imagestrata:unsent:${name}:`;
  const shownHere = `imagestrata:shown:${name}`;
  const FIRST_WAIT = 1000;
  const LONGEST_WAIT = 30000;

  const known = { code, done: new Set(done), end };
  const unsent = new Map(); // the sequence of an answer, and the request with it
  const listeners = [];
  let wait = FIRST_WAIT;
  let timer = null;
  let isSending = false;

  // ---- this browser: an entry for each answer, so that two tabs never replace one another's ----

  const tab = Array.from(crypto.getRandomValues(new Uint8Array(4)), (one) => one.toString(16).padStart(2, "0")).join("");
  let number = 0;

  /** A name for an answer that sorts by time and that no other answer has. */
  function sequenceOf() {
    number += 1;
    return `${Date.now().toString(36).padStart(9, "0")}-${tab}-${String(number).padStart(6, "0")}`;
  }

  function remember(sequence, body) {
    unsent.set(sequence, body);
    try {
      localStorage.setItem(unsentHere + sequence, body);
    } catch {
      // It is sent all the same, and the page warns before it is closed.
    }
  }

  function forget(sequence) {
    unsent.delete(sequence);
    try {
      localStorage.removeItem(unsentHere + sequence);
    } catch {
      // It was not stored.
    }
  }

  /** Answers that an earlier visit could not send. */
  function recall() {
    try {
      Object.keys(localStorage)
        .filter((key) => key.startsWith(unsentHere))
        .sort()
        .forEach((key) => unsent.set(key.slice(unsentHere.length), localStorage.getItem(key)));
    } catch {
      // This browser stores nothing.
    }
  }

  // ---- sending: in order, one after the other, until the server has stored each ----

  function request(body, more) {
    return fetch("answers", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      ...more,
    });
  }

  async function flush() {
    if (isSending) return;
    isSending = true;
    clearTimeout(timer);
    while (unsent.size) {
      const [sequence, body] = unsent.entries().next().value;
      tell(wait > FIRST_WAIT);
      let reply = null;
      let said = null;
      try {
        reply = await request(body, { signal: AbortSignal.timeout(20000) });
        said = await reply.json();
      } catch {
        // No connection, or an answer of something else than our server.
      }
      if (reply?.ok && said !== null) {
        forget(sequence);
        wait = FIRST_WAIT;
        known.end = said.end;
        listeners.forEach((listener) => listener());
      } else if ([400, 409, 413, 415, 422].includes(reply?.status)) {
        forget(sequence);
        say("The server could not use your last answer. Reload this page and answer again.");
      } else {
        // Between half and the whole of the time, so that not all browsers return at once.
        timer = setTimeout(flush, wait * (0.5 + Math.random() / 2));
        wait = Math.min(2 * wait, LONGEST_WAIT);
        break;
      }
    }
    isSending = false;
    tell(unsent.size > 0);
  }

  function tell(isWaiting) {
    const n = unsent.size;
    const kept = `${n} ${n === 1 ? "answer" : "answers"} kept in this browser`;
    const place = document.getElementById("kept");
    place.textContent = n === 0 ? "Saved" : isWaiting ? `No connection: ${kept}` : "Saving…";
    place.classList.toggle("offline", n > 0 && isWaiting);
  }

  addEventListener("online", flush);
  addEventListener("beforeunload", (event) => unsent.size && event.preventDefault());
  // A last try, which the browser finishes after the page is closed.
  addEventListener("pagehide", () => {
    [...unsent.values()].slice(0, 20).forEach((body) => request(body, { keepalive: true }).catch(() => {}));
  });

  recall();
  flush();

  return {
    code,
    get done() {
      return known.done;
    },
    get end() {
      return unsent.size ? null : known.end;
    },
    send(task, value) {
      const sequence = sequenceOf();
      remember(sequence, JSON.stringify({ sequence, task, value }));
      known.end = null;
      flush();
    },
    onReply: (listener) => listeners.push(listener),
    // What a tab shows again after it was reloaded, as `kit.people()` does for pages without a server.
    onChange() {},
    read() {
      try {
        const text = sessionStorage.getItem(shownHere);
        return dict(JSON.parse(text, (_, value) => (isRecord(value) ? dict(value) : value)));
      } catch {
        return dict();
      }
    },
    write(_, answers) {
      try {
        sessionStorage.setItem(shownHere, JSON.stringify(answers));
      } catch {
        // A reloaded page shows no earlier answers.
      }
    },
    remove() {},
  };

  function isRecord(value) {
    return value !== null && typeof value === "object" && !Array.isArray(value);
  }
})();
