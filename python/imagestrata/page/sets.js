
// Sets of images: annotators choose a description that fits all of them, or the image that does
// not belong.
(() => {
  const { data, el, onKeys } = kit;
  const { kind, sets, images, pictures, options } = data;
  const byId = (id) => document.getElementById(id);
  const matching = kind === "matching";
  let answers = []; // what can be answered now, in the order of their numbers
  let typed = "";

  const task = kit.annotate({
    kind,
    one: "set",
    ids: sets.map(([id]) => id),
    columns: ["set_id", "annotator", "judgement"],

    show(i, answer) {
      const members = sets[i][1];
      typed = "";
      answers = matching ? options.map(([value]) => value) : members.map((image) => images[image]);
      byId("set").replaceChildren(
        ...members.map((image, place) => {
          const picture = el("img", { src: pictures[image], alt: `Image ${place + 1}` });
          return matching ? el("figure", {}, picture) : choice(place, answer, picture);
        }),
      );
      if (matching) {
        byId("options").replaceChildren(...options.map(([, text], place) => choice(place, answer, text)));
      }
    },

    row: (i, annotator, answer) => [sets[i][0], annotator, answer],
    summary: () => "",
  });

  /** A button with a number that can be typed. */
  function choice(place, answer, content) {
    const number = el("kbd", {}, String(place + 1));
    const button = el("button", { type: "button", "aria-pressed": String(answers[place] === answer) }, number, content);
    task.onClick(button, answers[place]);
    return button;
  }

  /** Read a digit: answer if no further digit can follow, else wait for it or for Enter. */
  function digit(key) {
    typed += key;
    const number = Number(typed);
    if (!number || number > answers.length) typed = "";
    else if (number * 10 > answers.length) return task.answer(answers[number - 1]);
    mark();
  }

  function mark() {
    const buttons = byId(matching ? "options" : "set").children;
    [...buttons].forEach((button, place) => button.classList.toggle("typed", Number(typed) === place + 1));
  }

  const keys = {
    Enter: () => (typed ? task.answer(answers[Number(typed) - 1]) : false),
    Escape: () => {
      typed = "";
      mark();
    },
  };
  for (const key of "0123456789") keys[key] = () => digit(key);
  onKeys(document, keys);

  byId("set").classList.toggle("choose", !matching);
  byId("options").hidden = !matching;
  byId("keys").append(
    "Type the number of ",
    matching ? "the description" : "the image",
    ...(matching && options.length > 9 ? [" (then ", el("kbd", {}, "Enter"), " where more digits could follow)"] : []),
    ", or click it. ",
    el("kbd", {}, "←"),
    " back.",
  );
  task.begin();
})();
