
// Pairs of images that are judged one after the other with the keyboard.
(() => {
  const { data, el, onKeys } = kit;
  const { pairs, answers, images, pictures } = data;
  const byId = (id) => document.getElementById(id);
  const binary = answers.length === 2;

  const task = kit.annotate({
    kind: "pairs",
    one: "pair",
    ids: pairs.map(([id]) => id),
    columns: ["pair_id", "image_a", "image_b", "annotator", "judgement", "answer"],

    show(i, answer) {
      const [, left, right] = pairs[i];
      byId("left").src = pictures[left];
      byId("right").src = pictures[right];
      for (const button of byId("answers").children) {
        button.setAttribute("aria-pressed", answer === Number(button.dataset.value));
      }
    },

    row(i, annotator, answer) {
      const [id, left, right] = pairs[i];
      return [id, images[left], images[right], annotator, answer, answers[answer]];
    },

    summary(given) {
      const each = answers.map((word, value) => {
        const n = given.filter((answer) => answer === value).length;
        return `${n.toLocaleString("en")} ${word}`;
      });
      return `: ${each.join(", ")}`;
    },
  });

  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  const keys = {};
  byId("keys").append("Keys: ");
  answers.forEach((word, value) => {
    const key = binary ? word[0].toUpperCase() : String(value);
    byId("keys").append(el("kbd", {}, key), ` ${word}, `);
    const button = el("button", { type: "button", "data-value": value }, capital(word), " ", el("kbd", {}, key));
    task.onClick(button, value);
    byId("answers").append(button);
    keys[String(value)] = () => task.answer(value);
    if (binary) keys[word[0]] = () => task.answer(value);
  });
  byId("keys").append(el("kbd", {}, "←"), " back.");
  onKeys(document, keys);

  task.begin();
})();
