
// Pairs of images that are judged one after the other with the keyboard: one question, or several
// questions about each pair.
(() => {
  const { data, dict, el, onKeys } = kit;
  const { pairs, answers, images, pictures, questions = null, asked = null, said = null } = data;
  const byId = (id) => document.getElementById(id);
  const several = questions !== null && questions.length > 1;
  const binary = answers.length === 2;
  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  const keyOf = (value) => (binary ? answers[value][0].toUpperCase() : String(value));

  let at = 0; // the pair that is shown
  let given; // its answer; answers by question if these have names
  let active = 0; // the question that keys answer
  let isChosen = false; // whether `active` remains in the next drawing

  /** The places of the questions about a pair. */
  const asksOf = (i) => (asked ? asked[i] : questions.map((_, place) => place));
  const has = (answer, place) => answer !== undefined && Object.hasOwn(answer, questions[place].name);

  const task = kit.annotate({
    kind: "pairs",
    one: "pair",
    ids: pairs.map(([id]) => id),
    columns: ["pair_id", "image_a", "image_b", "annotator", ...(questions ? ["question"] : []), "judgement", "answer"],
    isDone: (answer, i) => !questions || asksOf(i).every((place) => has(answer, place)),

    show(i, answer) {
      const [, left, right] = pairs[i];
      byId("left").src = pictures[left];
      byId("right").src = pictures[right];
      at = i;
      given = answer;
      if (several) return showQuestions(i);
      press(byId("answers").children, questions ? answer?.[questions[0].name] : answer);
      byId("said").hidden = !said;
      if (said) byId("said").textContent = said[i][0];
    },

    rows(i, annotator, answer) {
      const [id, left, right] = pairs[i];
      const pair = [id, images[left], images[right], annotator];
      if (!questions) return [[...pair, answer, answers[answer]]];
      return asksOf(i)
        .filter((place) => has(answer, place))
        .map((place) => questions[place].name)
        .map((name) => [...pair, name, answer[name], answers[answer[name]]]);
    },

    summary(all) {
      if (!questions) return `: ${counted(all)}`;
      const each = questions.map(({ name }, place) => {
        const its = all.filter((answer) => has(answer, place));
        return `${name}: ${counted(its.map((answer) => answer[name]))}`;
      });
      return `. ${each.join("; ")}`;
    },
  });

  function counted(judgements) {
    const each = answers.map((word, value) => {
      const n = judgements.filter((judgement) => judgement === value).length;
      return `${n.toLocaleString("en")} ${word}`;
    });
    return each.join(", ");
  }

  function press(buttons, answer) {
    for (const button of buttons) button.setAttribute("aria-pressed", answer === Number(button.dataset.value));
  }

  /** A button for an answer; it loses the focus, so that Enter does not answer the next pair. */
  function button(value, action) {
    const made = el("button", { type: "button", "data-value": value }, capital(answers[value]), " ", el("kbd", {}, keyOf(value)));
    made.addEventListener("click", () => {
      made.blur();
      action();
    });
    return made;
  }

  // ---- several questions: the pair is done when all are answered ----

  function showQuestions(i) {
    const places = asksOf(i);
    if (!isChosen) active = places.find((place) => !has(given, place)) ?? places[0];
    isChosen = false;
    for (const [place, row] of [...byId("asks").children].entries()) {
      row.hidden = !places.includes(place);
      row.classList.toggle("on", place === active);
      press(row.querySelectorAll("button"), given?.[questions[place].name]);
      row.querySelector(".said").textContent = said ? said[i][place] : "";
    }
  }

  /** Answer a question; the next pair follows when this completes the pair, or after its last question. */
  function judge(place, value) {
    const places = asksOf(at);
    const wasDone = places.every((one) => has(given, one));
    const next = Object.assign(dict(given), dict({ [questions[place].name]: value }));
    const isDone = places.every((one) => has(next, one));
    if (isDone && (!wasDone || place === places.at(-1))) return task.answer(next);
    const later = [...places.slice(places.indexOf(place) + 1), ...places];
    active = isDone ? later[0] : later.find((one) => !has(next, one));
    isChosen = true;
    return task.note(next);
  }

  /** Choose the question that keys answer. */
  function choose(by) {
    const places = asksOf(at);
    const to = places[places.indexOf(active) + by];
    if (byId("judge").hidden || to === undefined) return false;
    active = to;
    for (const [place, row] of [...byId("asks").children].entries()) row.classList.toggle("on", place === active);
  }

  function makeQuestions() {
    byId("asks").hidden = false;
    byId("answers").hidden = true;
    questions.forEach(({ text }, place) => {
      const buttons = answers.map((_, value) => button(value, () => judge(place, value)));
      const words = el("div", {}, el("p", { class: "text", id: `ask-${place}` }, text), el("p", { class: "said soft small" }));
      const row = el("div", { class: "ask", role: "group", "aria-labelledby": `ask-${place}` }, words);
      row.append(el("div", { class: "buttons answers" }, ...buttons));
      byId("asks").append(row);
    });
    byId("size").before(el("ol", { class: "questions" }, ...questions.map(({ text }) => el("li", {}, text))));
  }

  // ---- keys ----

  const keys = {};
  if (several) makeQuestions();
  byId("keys").append("Keys: ");
  answers.forEach((word, value) => {
    byId("keys").append(el("kbd", {}, keyOf(value)), ` ${word}, `);
    const say = () => {
      if (byId("judge").hidden) return false;
      return questions ? judge(active, value) : task.answer(value);
    };
    if (!several) byId("answers").append(button(value, say));
    keys[String(value)] = say;
    if (binary) keys[word[0]] = say;
  });
  if (several) {
    keys.ArrowUp = () => choose(-1);
    keys.ArrowDown = () => choose(1);
    byId("keys").append("for one question after the other; ", el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " another question, ");
  }
  byId("keys").append(el("kbd", {}, "←"), " back.");
  onKeys(document, keys);

  task.begin();
})();
