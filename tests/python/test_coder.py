"""A model as a coder, by a real server on this machine that fails in every way that servers do."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from commands import call
from images import write_pictures
from imagestrata import (
    ImagestrataError,
    LocalModel,
    ModelServer,
    compare_tags,
    costs,
    label_shares,
    tag_frequencies,
    tag_images,
)
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_run
from imagestrata.text import coder as coder_module
from imagestrata.text import server as server_module
from imagestrata.text.questions import (
    MEANINGS,
    REMINDER,
    check_questions,
    prompt_of,
    read_answers,
    schema_of,
)
from model_server import TOKENS_IN, TOKENS_OUT, Server, chat, model_server, picture_in

PRICE = (1.0, 2.0)
ONE_ANSWER = (TOKENS_IN * PRICE[0] + TOKENS_OUT * PRICE[1]) / 1e6
MAX_TOKENS = 60
QUESTIONS: dict[str, Any] = {
    "protest": "Does this image show a protest?",
    "place": ("Where is it?", ["street", "indoors", "cannot tell"]),
}
GOOD = '{"q1": "yes", "q2": "street"}'


@pytest.fixture
def server() -> Iterator[Server]:
    with model_server() as running:
        running.answer = lambda number, request: GOOD
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 4)


def provider(server: Server, **settings: Any) -> ModelServer:
    return ModelServer("stub", server.url, **{"concurrency": 1, "price": PRICE} | settings)


def code(
    images: Any, server: Server, out: Path, settings: dict[str, Any] | None = None, **options: Any
) -> pd.DataFrame:
    options = {"questions": QUESTIONS, "max_tokens": MAX_TOKENS, "progress": False} | options
    return tag_images(images, provider(server, **settings or {}), out=out, **options)


def in_turn(*replies: Any) -> Callable[[int, dict[str, Any]], Any]:
    """The replies one after the other, the last one for ever."""
    return lambda number, request: replies[min(number, len(replies)) - 1]


# ---- what is asked and what comes back ----


def test_answers_are_labels(server: Server, pictures: Path, tmp_path: Path) -> None:
    def answer(number: int, request: dict[str, Any]) -> str:
        red = picture_in(request).getpixel((0, 0))[0]
        return json.dumps({"q1": "yes" if red > 128 else "No", "q2": " Cannot tell "})

    server.answer = answer
    table = code(pictures, server, tmp_path / "run", {"concurrency": 3})
    columns = ["image_id", "path", "file", "code", "label", "annotator", "kind", "reason"]
    assert table.columns.tolist() == columns
    assert table["code"].tolist() == ["protest", "place"] * 4
    assert table["kind"].tolist() == ["binary", "choice"] * 4
    assert (table["annotator"] == "model:stub").all() and table["reason"].isna().all()
    for path, label in table.loc[table["code"] == "protest", ["path", "label"]].to_numpy():
        red = Image.open(path).getpixel((0, 0))[0]
        assert abs(red - 128) < 20 or label == str(int(red > 128))
    assert (table.loc[table["code"] == "place", "label"] == "cannot tell").all()
    counts = read_run(tmp_path / "run")["steps"]["tag"]["counts"]
    assert (counts["images"], counts["without"], counts["attempts"]) == (4, 0, 4)
    assert counts["cost"] == pytest.approx(4 * ONE_ANSWER)
    assert (counts["models"], counts["sent_to"]) == (["stub-1"], "127.0.0.1")


def test_the_request(server: Server, pictures: Path, tmp_path: Path) -> None:
    code(pictures, server, tmp_path / "run", temperature=0, side=64, meaning="connotative")
    request = server.requests[0]
    words = request["messages"][0]["content"][0]["text"]
    assert MEANINGS["connotative"] in words and MEANINGS["denotative"] not in words
    assert 'q1: Does this image show a protest?\n- "yes"\n- "no"' in words
    assert 'q2: Where is it?\n- "street"' in words and REMINDER not in words
    assert (request["temperature"], request["max_tokens"]) == (0, MAX_TOKENS)
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["q1"]["enum"] == ["yes", "no"]
    assert schema["required"] == ["q1", "q2"] and schema["additionalProperties"] is False
    assert max(picture_in(request).size) <= 64


def test_one_question(server: Server, pictures: Path, tmp_path: Path) -> None:
    server.answer = lambda number, request: '{"q1": "march"}'
    labels = {"march": "people walk through streets", "other": "anything else"}
    asked = {"questions": None, "question": "What is it?", "labels": labels}
    table = code(pictures, server, tmp_path / "run", **asked)
    assert table["label"].tolist() == ["march"] * 4
    assert {*table["code"]} == {"question"}
    words = server.requests[0]["messages"][0]["content"][0]["text"]
    assert '- "march": people walk through streets' in words


def test_resumed_and_grown(server: Server, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    table = code(pictures, server, run)
    assert len(server.requests) == 4
    pd.testing.assert_frame_equal(code(pictures, server, run), table)
    write_pictures(pictures, 6)
    grown = code(pictures, server, run, overwrite=True)
    assert len(server.requests) == 6 and len(grown) == 12
    with pytest.raises(ImagestrataError, match="'tag'"):
        code(pictures, server, run, meaning="connotative")


# ---- answers off the list ----


def test_an_invalid_answer_is_asked_again(server: Server, pictures: Path, tmp_path: Path) -> None:
    server.answer = in_turn('{"q1": "perhaps", "q2": "street"}', '{"q1": "no", "q2": "indoors"}')
    table = code(pictures, server, tmp_path / "run")
    assert len(server.requests) == 5
    first = table[table["image_id"] == table["image_id"].iloc[0]]
    assert first["label"].tolist() == ["0", "street"]  # the first valid answer to each
    texts = [one["messages"][0]["content"][0]["text"] for one in server.requests]
    assert [REMINDER in text for text in texts] == [False, True, False, False, False]
    counts = read_run(tmp_path / "run")["steps"]["tag"]["counts"]
    assert counts["attempts"] == 5 and counts["cost"] == pytest.approx(5 * ONE_ANSWER)


def test_no_answer_is_guessed(server: Server, tmp_path: Path) -> None:
    replies = ['{"q1": "perhaps", "q2": "street"}', "It shows a protest.", '["yes"]']
    folder = write_pictures(tmp_path / "pictures", 2)
    server.answer = in_turn(*replies, GOOD)
    with pytest.warns(ImagestrataWarning, match="1 of 4 answers are missing"):
        table = code(folder, server, tmp_path / "run")
    assert len(server.requests) == 4
    assert table["label"].isna().tolist() == [True, False, False, False]
    assert table["reason"].iloc[0] == 'not one of the answers: ["yes"]'
    assert table["label"].iloc[1] == "street"
    # It is final: the same call asks for it no more.
    code(folder, server, tmp_path / "run")
    assert len(server.requests) == 4


def test_refusals_are_final(server: Server, tmp_path: Path) -> None:
    refused = [
        "I'm sorry, but I can't help with that.",
        chat("", "content_filter"),
        chat(None, refusal="This is against the rules."),
        (400, {}, {"error": {"message": "filtered", "code": "content_filter"}}),
    ]
    folder = write_pictures(tmp_path / "pictures", 5)
    server.answer = in_turn(GOOD, *refused)
    table = code(folder, server, tmp_path / "run")
    assert len(server.requests) == 5
    reasons = table["reason"].fillna("")[::2].tolist()
    assert reasons[0] == ""
    assert all(reason.startswith("refused: ") for reason in reasons[1:])
    assert table["label"].isna().tolist() == [False] * 2 + [True] * 8


def test_a_model_that_never_answers_stops(server: Server, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 15)
    server.answer = lambda number, request: "What a nice picture."
    with pytest.raises(ImagestrataError, match="10 images in a row received no valid answer"):
        code(folder, server, tmp_path / "run")
    assert len(server.requests) == 30  # of 45


# ---- servers ----


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_without_formats(
    server: Server, pictures: Path, tmp_path: Path, status: int
) -> None:
    def answer(number: int, request: dict[str, Any]) -> Any:
        if "response_format" in request:
            return (status, {}, {"error": {"message": "unknown field response_format"}})
        return f"Here is the answer:\n```json\n{GOOD}\n```"

    server.answer = answer
    table = code(pictures, server, tmp_path / "run")
    assert table["label"].tolist() == ["1", "street"] * 4
    assert len(server.requests) == 5  # it is tried once
    counts = read_run(tmp_path / "run")["steps"]["tag"]["counts"]
    assert counts["cost"] == pytest.approx(4 * ONE_ANSWER)


def test_an_image_that_the_server_refuses(server: Server, pictures: Path, tmp_path: Path) -> None:
    server.answer = in_turn(GOOD, (400, {}, {"error": {"message": "no such picture"}}), GOOD)
    with pytest.warns(ImagestrataWarning, match="1 of 4 images have no answer yet"):
        table = code(pictures, server, tmp_path / "run")
    assert table["reason"].iloc[2] == "HTTP 400: no such picture"
    assert len(server.requests) == 4


@pytest.mark.parametrize("fault", [429, 500, "cut", b"not json", {"choices": []}])
def test_faults_that_pass(server: Server, pictures: Path, tmp_path: Path, fault: Any) -> None:
    server.answer = in_turn(fault, GOOD)
    table = code(pictures, server, tmp_path / "run")
    assert table["label"].tolist() == ["1", "street"] * 4
    assert len(server.requests) == 5


def test_faults_between_attempts_keep_what_was_paid(
    server: Server, pictures: Path, tmp_path: Path
) -> None:
    """The first reply is half valid; then the server is down; the next call goes on."""
    run = tmp_path / "run"
    server.answer = in_turn('{"q1": "yes", "q2": "?"}', 500)
    with pytest.warns(ImagestrataWarning, match="4 of 4 images have no answer yet"):
        table = code(pictures, server, run, {"retries": 0})
    assert table["label"].iloc[0] == "1"
    assert table["reason"].iloc[1].startswith("HTTP 500")
    n = len(server.requests)
    server.answer = lambda number, request: '{"q1": "no", "q2": "street"}'
    again = code(pictures, server, run, {"retries": 0})
    assert again["label"].tolist() == ["1", "street"] + ["0", "street"] * 3
    assert REMINDER in server.requests[n]["messages"][0]["content"][0]["text"]
    counts = read_run(run)["steps"]["tag"]["counts"]
    assert counts["cost"] == pytest.approx(5 * ONE_ANSWER) and counts["attempts"] == 5


def test_killed_between_attempts(
    server: Server, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    server.answer = in_turn('{"q1": "yes", "q2": "?"}', GOOD)
    add = coder_module.Answers.add

    def add_and_die(*arguments: Any) -> None:
        add(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(coder_module.Answers, "add", add_and_die)
        with pytest.raises(KeyboardInterrupt):
            code(pictures, server, run)
    table = code(pictures, server, run)
    assert table["label"].tolist() == ["1", "street"] * 4
    assert len(server.requests) == 5
    lines = (run / "tags" / "answers.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in lines] == [1, 2, 1, 1, 1]


# ---- money ----


def test_the_budget_covers_further_attempts(server: Server, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 6)
    run = tmp_path / "run"
    server.answer = lambda number, request: '{"q1": "yes", "q2": "?"}' if number % 2 else GOOD
    dearest = ((TOKENS_IN + len(REMINDER)) * PRICE[0] + MAX_TOKENS * PRICE[1]) / 1e6
    budget = 5 * ONE_ANSWER + 0.99 * (dearest - ONE_ANSWER)
    with pytest.warns(ImagestrataWarning, match="budget reached"):
        table = code(folder, server, run, {"tokens_per_image": 0}, budget=budget)
    spent = len(server.requests) * ONE_ANSWER
    assert spent <= budget
    assert table["reason"].dropna().eq("budget reached").all()
    n = len(server.requests)
    whole = code(folder, server, run, budget=1.0)
    assert whole["label"].tolist() == ["1", "street"] * 6
    assert 0 < len(server.requests) - n < 12
    counts = read_run(run)["steps"]["tag"]["counts"]
    assert counts["cost"] == pytest.approx(len(server.requests) * ONE_ANSWER)


def test_costs_before_and_after(server: Server, pictures: Path, tmp_path: Path) -> None:
    asked = provider(server)
    given: dict[str, Any] = {"questions": QUESTIONS, "max_tokens": MAX_TOKENS, "progress": False}
    before = costs(pictures, asked, tmp_path / "run", **given).iloc[0]
    assert (before["n_images"], before["n_answered"], before["spent"]) == (4, 0, 0)
    assert before["cost"] == pytest.approx(
        (before["tokens_in"] * PRICE[0] + before["tokens_out"] * PRICE[1]) / 1e6
    )
    assert not server.requests
    tag_images(pictures, asked, out=tmp_path / "run", **given)
    after = costs(pictures, asked, tmp_path / "run", **given).iloc[0]
    assert (after["n_answered"], after["cost"]) == (4, 0)
    assert after["spent"] == pytest.approx(4 * ONE_ANSWER)
    with pytest.raises(ImagestrataError, match=r"prompt.*has no effect with questions"):
        costs(pictures, asked, prompt="Describe it", **given)


def test_consent_comes_first(pictures: Path, tmp_path: Path) -> None:
    away = ModelServer("big", "https://models.example.org/v1", api_key="secret", price=PRICE)
    with pytest.raises(ImagestrataError) as caught:
        tag_images(pictures, away, questions=QUESTIONS, out=tmp_path / "run", progress=False)
    message = str(caught.value)
    assert "4 images leave this machine" in message and "with 2 questions" in message
    assert "Nothing has been sent yet" in message and "secret" not in message


def test_several_at_once_pay_once(server: Server, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 20)
    lock, seen = threading.Lock(), dict[str, int]()

    def answer(number: int, request: dict[str, Any]) -> str:
        picture = request["messages"][0]["content"][1]["image_url"]["url"]
        with lock:
            seen[picture] = seen.get(picture, 0) + 1
            return GOOD if seen[picture] == 2 else '{"q1": 1, "q2": []}'

    server.answer = answer
    table = code(folder, server, tmp_path / "run", {"concurrency": 5})
    assert table["label"].notna().all()
    assert {*seen.values()} == {2} and len(seen) == 20


# ---- the table elsewhere ----


def test_with_labels_by_people(server: Server, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 4)
    replies = [
        '{"q1": "yes", "q2": "street"}', '{"q1": "no", "q2": "indoors"}',
        '{"q1": "no", "q2": "street"}', *['{"q1": "?", "q2": "street"}'] * 3,
    ]  # fmt: skip
    server.answer = in_turn(*replies)
    with pytest.warns(ImagestrataWarning, match="1 of 8 answers"):
        table = code(folder, server, tmp_path / "run")
    counted = tag_frequencies(table).set_index("label")
    assert counted.loc["street", ["n_images", "share"]].tolist() == [3, 0.75]
    assert counted.loc["protest", ["n_images", "share"]].tolist() == [1, pytest.approx(1 / 3)]
    ids = table["image_id"].unique()
    people = pd.DataFrame(
        {
            "image_id": [*ids, *ids],
            "code": ["protest"] * 4 + ["place"] * 4,
            "label": [1, 0, 1, 1, "street", "street", "street", "indoors"],
        }
    )
    compared = compare_tags(table, people)
    confusion = compared.confusion.set_index(["label", "truth", "decision"])["n"]
    found = [
        confusion.get(("protest", *pair), 0)
        for pair in [("yes", "yes"), ("yes", "no"), ("no", "no")]
    ]
    assert found == [1, 1, 1]  # the image without an answer is left out
    assert confusion["street", "yes", "yes"] == 2
    assert confusion["street", "no", "yes"] == 1
    assert confusion["indoors", "yes", "no"] == 1
    wide = pd.DataFrame({"image_id": ids, "protest": [1, 0, 1, 1]})
    accuracy = compare_tags(table, wide).summary["accuracy"].item()
    assert accuracy == pytest.approx(2 / 3)
    with pytest.raises(ImagestrataError, match="several labels of the image"):
        compare_tags(table, pd.concat([people, people]))
    same = table.assign(label="street", kind="choice")
    with pytest.raises(ImagestrataError, match="have the same answer, 'street'"):
        compare_tags(same, people)


def test_answers_are_predictions(server: Server, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    replies = [
        f'{{"q1": "{"yes" if number % 3 else "no"}", "q2": "street"}}' for number in range(12)
    ]
    server.answer = in_turn(*replies)
    table = code(folder, server, tmp_path / "run")
    ids = table["image_id"].unique()[:8]
    sample = pd.DataFrame({"image_id": ids, "cluster": 1, "N_h": 12, "n_h": 8})
    people = pd.DataFrame({"image_id": ids, "code": "protest", "label": [0, 1] * 4})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shares = label_shares(people, table, sample).set_index("method")
    assert shares.loc["machine", "estimate"] == pytest.approx(8 / 12)
    assert shares.loc["sample", "estimate"] == 0.5
    assert shares.loc["corrected", "n_predicted"] == 12


def test_the_command(server: Server, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text(json.dumps(QUESTIONS))
    run = tmp_path / "run"
    given: list[object] = [
        "tag",
        pictures,
        "--out",
        run,
        "--base-url",
        server.url,
        "--token-price",
        1,
        2,
    ]
    given += ["--classifier", "server:stub", "--max-tokens", MAX_TOKENS]
    said = json.loads(call(*given, "--questions", file, "--budget", 1, "--json"))
    assert said["n_images"] == 4
    labels = {one["label"]: one["n_images"] for one in said["frequencies"]}
    assert labels == {"protest": 4, "street": 4}
    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "tags.parquet"), code(pictures, server, run)
    )
    assert len(server.requests) == 4
    file.write_text("{")
    with pytest.raises(ImagestrataError, match=r"The file of questions .* cannot be read"):
        call(*given, "--questions", file)


def test_a_model_on_this_machine(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = []

    class Describer:
        def __init__(self, *arguments: Any) -> None:
            assert arguments[2:] == (MAX_TOKENS, None)

        def ask(self, pictures: Any, prompt: str) -> tuple[str, bool, server_module.Usage]:
            prompts.append(prompt)
            return ("Maybe" if len(prompts) == 1 else "Yes"), False, server_module.Usage(9, 1)

    monkeypatch.setattr(coder_module, "LocalDescriber", Describer)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.safetensors").write_bytes(b"0")
    table = tag_images(
        pictures, LocalModel(tmp_path / "model"), question="Is it red?", out=tmp_path / "run",
        max_tokens=MAX_TOKENS, progress=False,
    )  # fmt: skip
    assert table["label"].tolist() == ["1"] * 4 and {*table["annotator"]} == {"model:model"}
    assert len(prompts) == 5 and prompts[1].endswith(REMINDER)


# ---- questions and answers ----


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (GOOD, {"protest": "1", "place": "street"}),
        ('{"q1": true, "q2": "STREET "}', {"protest": "1", "place": "street"}),
        ('Sure: {"q1": "no"}', {"protest": "0"}),
        ('{"q1": "yes", "q1": "no", "q2": "indoors"}', {"place": "indoors"}),
        ('{"q1": "yes, I think", "q2": null}', {}),
        ('{"q1": "1", "q2": ["street"]}', {}),
        ("yes", {}),
        ("}{", {}),
        ("[" * 5000, {}),
        ('{"a":' * 5000 + "}" * 5000, {}),
    ],
)
def test_replies(reply: str, expected: dict[str, str]) -> None:
    questions = check_questions(None, None, QUESTIONS)
    labels, wrong = read_answers(reply, questions)
    assert labels == expected
    assert {*labels} | {*wrong} == {*QUESTIONS} and not {*labels} & {*wrong}
    assert all(len(said) < 90 for said in wrong.values())


def test_a_bare_reply_answers_one_question() -> None:
    questions = check_questions([1, 2, 3.5], "How many?", None)
    assert read_answers("3.5", questions)[0] == {"question": "3.5"}
    assert read_answers('{"q1": 2}', questions)[0] == {"question": "2"}
    assert read_answers("about 2", questions)[0] == {}


def test_the_prompt_and_the_format_name_everything() -> None:
    questions = check_questions(None, None, QUESTIONS)
    text = prompt_of(questions, "denotative")
    assert MEANINGS["denotative"] in text and '"q1", "q2"' in text
    assert re.search("Choose exactly one of the listed answers to each question", text)
    assert json.loads(json.dumps(schema_of(questions)))["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None, None, None), "A model needs `question`"),
        ((None, "Is it?", {"a": "b"}), "already holds the questions"),
        ((["a"], None, {"a": "b"}), "`labels` has no effect"),
        ((None, None, {}), "must give each code a question"),
        ((None, None, ["a"]), "must give each code a question"),
        ((None, None, {"a": 3}), "must have a question"),
        ((None, None, {"": "b"}), "must have names"),
        ((["a"], "Is it?", None), "at least two answers"),
        ((["a", "A"], "Is it?", None), "contain 'A' twice"),
        (([" a", "b"], "Is it?", None), "words without spaces around them"),
        (("ab", "Is it?", None), "at least two answers"),
        (({"a": 3, "b": "x"}, "Is it?", None), "meaning of the answer 'a'"),
        ((None, " ", None), "must be a question in words"),
    ],
)
def test_bad_questions(given: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ImagestrataError, match=message):
        check_questions(*given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"meaning": "deep"}, "`meaning` must be"),
        ({"n_tags": 3}, "n_tags=3 has no effect with a model"),
        ({"exclusive": False}, "exclusive=False has no effect"),
        ({"budget": 1, "max_tokens": None}, "length of answers is not limited"),
        ({"out": None}, "`out` must be a run folder"),
    ],
)
def test_bad_arguments(
    server: Server, pictures: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImagestrataError, match=message):
        code(pictures, server, **{"out": tmp_path / "run"} | options)
    assert not server.requests


def test_questions_are_for_models(pictures: Path) -> None:
    with pytest.raises(ImagestrataError, match="has no effect with this classifier, only with"):
        tag_images(pictures, question="Is it red?", progress=False)
