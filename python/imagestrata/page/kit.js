"use strict";

// Code of all pages. Data are only inserted as text: elements are made by el(), never from strings
// of HTML.
const kit = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  /** Make an element: attributes by name, then children (elements or text). */
  function el(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  /** The same for SVG. */
  function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }

  /** A dictionary with any text as keys, also "__proto__" and "constructor". */
  function dict(entries = {}) {
    return Object.assign(Object.create(null), entries);
  }

  // A script can be faster than the browser, which on a busy machine does not yet know that this page
  // is open, and then drops all that the page stores, without an error. A cookie is only answered
  // when it knows.
  void document.cookie;

  const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  /** A value stored in this browser under `key`, also after the page is closed; objects are dictionaries. */
  function stored(key, otherwise) {
    return {
      read() {
        try {
          const text = localStorage.getItem(key);
          return JSON.parse(text, (_, value) => (isRecord(value) ? dict(value) : value)) ?? otherwise;
        } catch {
          return otherwise;
        }
      },
      write(value) {
        try {
          localStorage.setItem(key, JSON.stringify(value));
        } catch {
          say("This browser does not keep your choices: download them before you close the page.");
        }
      },
      remove() {
        try {
          localStorage.removeItem(key);
        } catch {
          // The value is not stored.
        }
      },
      /** Call `action` when another window changes the value. */
      onChange(action) {
        addEventListener("storage", (event) => event.key === key && action());
      },
    };
  }

  let silence;

  /** Show a message for a few seconds; `undo` adds a button that calls it. */
  function say(text, undo) {
    const message = document.getElementById("message");
    // What is outside an open dialog can be neither clicked nor read aloud.
    const around = document.querySelector("dialog[open]") ?? document.body;
    if (message.parentElement !== around) around.append(message);
    message.replaceChildren(text);
    if (undo) {
      const button = el("button", { type: "button" }, "Undo");
      button.addEventListener("click", () => {
        undo();
        message.replaceChildren();
      });
      message.append(" ", button);
    }
    clearTimeout(silence);
    silence = setTimeout(() => message.replaceChildren(), undo ? 12000 : 5000);
  }

  /** Call `keys[event.key]`, unless the user types in a field or holds a modifier. */
  function onKeys(element, keys) {
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches("input:not([type=checkbox], [type=radio]), textarea, select")) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (Object.hasOwn(keys, key) && keys[key](event) !== false) event.preventDefault();
    });
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = el("textarea", { class: "unseen", "aria-hidden": "true" });
      area.value = text;
      (document.querySelector("dialog[open]") ?? document.body).append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  /** A table as CSV; `rows` are arrays, the first one has the names of the columns. */
  function csv(rows) {
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    // Spreadsheet programs evaluate text that starts like a formula, also after what they read as
    // the end of a cell. A quote before it prevents that.
    const text = String(value)
      .replace(/^(?=['"]*[=+\-@\t\r\n＝＋－＠])/, "'")
      .replace(/([;|\t\r\n])(?=['"]*[=+\-@＝＋－＠])/g, "$1'");
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  /**
   * The answers of all users of this page in this browser, by name. The page does not list other
   * users; a user can remove answers after saving them.
   */
  function people(kind) {
    const store = stored(`imagestrata:${kind}:${data.key}`, dict());
    return {
      onChange: store.onChange,
      read: (name) => store.read()[name] ?? dict(),
      write: (name, answers) => store.write(Object.assign(dict(), store.read(), dict({ [name]: answers }))),
      remove(name) {
        const { [name]: gone, ...others } = store.read();
        if (Object.keys(others).length) store.write(others);
        else store.remove();
      },
    };
  }

  function download(name, text, type = "text/csv") {
    const address = URL.createObjectURL(new Blob([text], { type: type + ";charset=utf-8" }));
    const link = el("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  return { data, el, svg, dict, stored, say, onKeys, copy, csv, people, download };
})();
