"""Pairs judged by a model, by a real server on this machine that fails as servers do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from images import write_pictures
from imagestrata import (
    ImagestrataError,
    ModelServer,
    agreement,
    consensus,
    costs,
    embed_images,
    export_pairs,
    judge_pairs,
    read_pairs,
    sample_pairs,
    scan_images,
)
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_run
from imagestrata.text import server as server_module
from imagestrata.text.questions import REMINDER
from model_server import TOKENS_IN, TOKENS_OUT, Server, chat, model_server

PRICE = (1.0, 2.0)
ONE_ANSWER = (TOKENS_IN * PRICE[0] + TOKENS_OUT * PRICE[1]) / 1e6
SAME, DIFFERENT = '{"q1": "same"}', '{"q1": "different"}'


@pytest.fixture
def server() -> Iterator[Server]:
    with model_server() as running:
        running.answer = lambda number, request: SAME
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)


@pytest.fixture
def pairs(tmp_path: Path) -> pd.DataFrame:
    scanned = scan_images(write_pictures(tmp_path / "pictures", 6), progress=False)
    return sample_pairs(embed_images(scanned, "hog", progress=False), 8, 2)


def judge(
    pairs: pd.DataFrame, server: Server, out: Path, settings: Any = None, **options: Any
) -> pd.DataFrame:
    given = {"concurrency": 1, "price": PRICE} | (settings or {})
    options = {"max_tokens": 60, "progress": False} | options
    return judge_pairs(pairs, ModelServer("stub", server.url, **given), out, **options)


def pictures_in(request: dict[str, Any]) -> list[Image.Image]:
    content = request["messages"][0]["content"][1:]
    urls = [part["image_url"]["url"].split(",")[1] for part in content]
    return [Image.open(BytesIO(base64.b64decode(url))) for url in urls]


def in_turn(*replies: Any) -> Any:
    """The replies one after the other, the last one for ever."""
    return lambda number, request: replies[min(number, len(replies)) - 1]


# ---- what is asked and what comes back ----


def test_judgements(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    def answer(number: int, request: dict[str, Any]) -> str:
        red = [picture.getpixel((0, 0))[0] for picture in pictures_in(request)]
        return SAME if red[0] > red[1] else DIFFERENT

    server.answer = answer
    judged = judge(pairs, server, tmp_path / "run", {"concurrency": 3})
    pd.testing.assert_frame_equal(judged[[*pairs]], pairs)
    assert judged.columns.tolist() == [*pairs, "annotator", "judgement", "reason"]
    assert (judged["annotator"] == "model:stub").all() and judged["reason"].isna().all()
    for row in judged.itertuples():
        red = [Image.open(path).getpixel((0, 0))[0] for path in (row.path_a, row.path_b)]
        assert abs(red[0] - red[1]) < 10 or row.judgement == float(red[0] > red[1])
    counts = read_run(tmp_path / "run")["steps"]["judge"]["counts"]
    assert (counts["pairs"], counts["without"], counts["attempts"]) == (8, 0, 8)
    assert counts["cost"] == pytest.approx(8 * ONE_ANSWER)
    assert (counts["models"], counts["sent_to"]) == (["stub-1"], "127.0.0.1")


def test_the_request(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    judge(pairs, server, tmp_path / "run", side=64, temperature=0)
    request = server.requests[0]
    words = request["messages"][0]["content"][0]["text"]
    assert words.startswith("Answer this question about the two images.")
    assert 'Do these two images belong to the same topic?\n- "different"\n- "same"' in words
    assert len(pictures_in(request)) == 2 and request["temperature"] == 0
    assert all(max(picture.size) <= 64 for picture in pictures_in(request))
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["q1"]["enum"] == ["different", "same"]


def test_graded_and_in_own_words(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    server.answer = in_turn('{"q1": "closely related"}', '{"q1": "Unrelated"}')
    judged = judge(pairs, server, tmp_path / "run", graded=True, questions="Alike?")
    assert judged["judgement"].tolist() == [2.0] + [0.0] * 7
    assert "q1: Alike?" in server.requests[0]["messages"][0]["content"][0]["text"]


def test_several_questions(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    server.answer = lambda number, request: '{"q1": "same", "q2": "different"}'
    asked = {"denotative": "The same things?", "connotative": "The same idea?"}
    judged = judge(pairs, server, tmp_path / "run", questions=asked)
    assert judged["question"].tolist() == [*asked] * 8 and len(server.requests) == 8
    assert judged["pair_id"].tolist() == pairs["pair_id"].repeat(2).tolist()
    assert judged["judgement"].tolist() == [1.0, 0.0] * 8
    pd.testing.assert_frame_equal(judge(pairs, server, tmp_path / "run", questions=asked), judged)


# ---- nothing is lost or guessed ----


def test_invalid_answers_are_missing(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    server.answer = in_turn("Maybe", "Hm", "They look alike", SAME, "Perhaps", SAME)
    with pytest.warns(ImagestrataWarning, match=r"1 of 8 answers are missing.*\n.*Pairs without"):
        judged = judge(pairs, server, tmp_path / "run")
    assert np.isnan(judged["judgement"][0]) and (judged["judgement"][1:] == 1).all()
    assert judged["reason"][0] == "not one of the answers: They look alike"
    words = [one["messages"][0]["content"][0]["text"] for one in server.requests]
    assert [text.endswith(REMINDER) for text in words[:6]] == [
        False,
        True,
        True,
        False,
        False,
        True,
    ]
    # Three attempts are all there are.
    again = judge(pairs, server, tmp_path / "run")
    pd.testing.assert_frame_equal(again, judged)
    assert len(server.requests) == 11


def test_refusals_are_missing(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    server.answer = in_turn(SAME, chat(None, refusal="I cannot compare people."), SAME)
    judged = judge(pairs, server, tmp_path / "run")
    assert judged["judgement"].isna().sum() == 1
    assert judged["reason"][1] == "refused: I cannot compare people."
    assert read_run(tmp_path / "run")["steps"]["judge"]["counts"]["without"] == 1


def test_an_interrupted_call_continues(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    server.answer = lambda number, request: SAME if number <= 3 else 503
    with pytest.warns(ImagestrataWarning, match=r"5 of 8 pairs have no answer yet: HTTP 503"):
        judged = judge(pairs, server, tmp_path / "run", {"retries": 0})
    assert judged["judgement"].notna().sum() == 3
    assert judged["reason"].fillna("").str.startswith("HTTP 503").sum() == 5
    asked = len(server.requests)
    server.answer = lambda number, request: DIFFERENT
    judged = judge(pairs, server, tmp_path / "run")
    assert judged["judgement"].tolist() == [1.0] * 3 + [0.0] * 5
    assert len(server.requests) == asked + 5
    # The sides of a pair, and other columns, do not make it another pair.
    turned = pairs.rename(columns={"image_a": "image_b", "image_b": "image_a"})
    turned = turned.rename(columns={"path_a": "path_b", "path_b": "path_a"})
    judge(turned, server, tmp_path / "run", overwrite=True)
    assert len(server.requests) == asked + 5


def test_the_budget_is_kept(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    most = (TOKENS_IN + len(REMINDER)) / 1e6 + 60 * PRICE[1] / 1e6
    budget, few = 3 * ONE_ANSWER + most, {"tokens_per_image": 10}
    with pytest.warns(
        ImagestrataWarning, match=r"of 8 pairs have no answer yet: budget reached \(4\)"
    ):
        judged = judge(pairs, server, tmp_path / "run", few, budget=budget)
    assert len(server.requests) == 4
    assert (judged["reason"] == "budget reached").sum() == 4
    with pytest.raises(ImagestrataError, match="length of answers is not limited"):
        judge(pairs, server, tmp_path / "run", budget=1, max_tokens=None)


def test_nothing_leaves_without_consent(pairs: pd.DataFrame, tmp_path: Path, capsys: Any) -> None:
    away = ModelServer("m", "https://models.example.org/v1", api_key="k-1234567", price=PRICE)
    n = len({*pairs["image_a"], *pairs["image_b"]})
    said = rf"{n} images leave this machine in 8 pairs, as JPEG .* models\.example\.org"
    with pytest.raises(ImagestrataError, match=said) as error:
        judge_pairs(pairs, away, tmp_path / "run", progress=False)
    assert "Nothing has been sent yet" in str(error.value) and "k-1234567" not in str(error.value)
    # Two pictures a pair, and the words.
    assert "at most about 0.02" in str(error.value)
    assert not (tmp_path / "run" / "judgements").exists()


def test_a_model_that_answers_nothing_valid_is_stopped(server: Server, tmp_path: Path) -> None:
    scanned = scan_images(write_pictures(tmp_path / "pictures", 8), progress=False)
    pairs = sample_pairs(embed_images(scanned, "hog", progress=False), 20, 2)
    server.answer = lambda number, request: "banana"
    with pytest.raises(ImagestrataError, match=r"10 pairs in a row received no valid answer"):
        judge(pairs, server, tmp_path / "run")
    assert len(server.requests) == 30


def test_what_cannot_be_judged(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ImagestrataError, match="must be a ModelServer"):
        judge_pairs(pairs, "gpt", tmp_path / "run")
    with pytest.raises(ImagestrataError, match="path_a"):
        judge(pairs.drop(columns="path_a"), server, tmp_path / "run")
    with pytest.raises(ImagestrataError, match="has no rows"):
        judge(pairs.iloc[:0], server, tmp_path / "run")
    for wrong in (7, {}, {"a": ["x"]}):
        with pytest.raises(ImagestrataError, match="questions"):
            judge(pairs, server, tmp_path / "run", questions=wrong)
    assert not server.requests


# ---- beside the judgements of people ----


def test_people_judge_a_part(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    """Judged pairs are exported like drawn ones, and say nothing about the model."""
    judged = judge(pairs, server, tmp_path / "run")
    page = export_pairs(judged.head(4), tmp_path / "people.csv", to="csv", progress=False)
    sheet = pd.read_csv(page)
    assert "model:stub" not in page.read_text() and sheet["judgement"].isna().all()
    sheet.assign(annotator="anna", judgement=[0, 1, 1, 0]).to_csv(page, index=False)
    people = read_pairs(page, judged.head(4))
    assert {*people["annotator"]} == {"anna"} and len(people) == 4


def many(**judgements: list[int]) -> pd.DataFrame:
    """Judgements by annotator; the images do not matter."""
    parts = [
        pd.DataFrame(
            {"pair_id": [f"p{i}" for i in range(len(said))], "annotator": name, "judgement": said}
        ).assign(image_a=lambda t: t["pair_id"] + "a", image_b=lambda t: t["pair_id"] + "b")
        for name, said in judgements.items()
    ]
    return pd.concat(parts, ignore_index=True)


ANNA = [1, 1, 1, 1, 0, 0, 0, 0]
BEN = [1, 1, 1, 0, 0, 0, 1, 1]
MODEL = [1, 1, 0, 0, 0, 0, 0, 0]


def test_a_model_has_no_vote() -> None:
    answers = many(anna=ANNA, ben=BEN, **{"model:m": MODEL})
    with pytest.warns(ImagestrataWarning, match=r"8 judgements by model:m are left out"):
        decided = consensus(answers, "mean")
    pd.testing.assert_frame_equal(decided, consensus(many(anna=ANNA, ben=BEN), "mean"))
    assert "annotator" not in decided
    two = consensus(many(**{"model:m": MODEL, "model:n": BEN}), "mean")
    assert {*two["annotator"]} == {"model:m, model:n"}


def test_agreement_of_people_and_models() -> None:
    people = many(anna=ANNA, ben=BEN)
    answers = pd.concat([people, many(**{"model:m": MODEL})], ignore_index=True)
    found = agreement(answers).set_index(["measure", "annotators"])["estimate"]
    of_people = agreement(people).set_index(["measure", "annotators"])["estimate"]
    assert {*found.index.get_level_values("annotators")} == {
        "anna, ben", "people", "anna, model:m", "ben, model:m", "people and models",
    }  # fmt: skip
    for measure in ("percent_agreement", "cohen_kappa", "fleiss_kappa"):
        assert found[measure, "people"] == of_people[measure, "all"]
    assert found["krippendorff_alpha_nominal", "people"] == pytest.approx(
        of_people["krippendorff_alpha_nominal", "all"]
    )
    # By hand: 6 and 5 of 8 agree.
    assert found["percent_agreement", "anna, model:m"] == 6 / 8
    assert found["percent_agreement", "people and models"] == (6 / 8 + 5 / 8) / 2
    # Cohen: (6/8 - 1/2) / (1 - 1/2), with margins 1/2 and 1/4.
    assert found["cohen_kappa", "anna, model:m"] == pytest.approx(0.5)
    assert ("fleiss_kappa", "people and models") not in found


def test_agreement_of_one_person_with_a_model() -> None:
    found = agreement(many(anna=ANNA, **{"model:m": MODEL}))
    assert found["annotators"].tolist() == ["anna, model:m", "people and models"] * 2
    assert (found["n_pairs"] == 8).all()
    models = agreement(many(**{"model:m": MODEL, "model:n": BEN}))
    assert "all" in models["annotators"].tolist()


def test_judgements_are_json(server: Server, pairs: pd.DataFrame, tmp_path: Path) -> None:
    """Each answer is on disk, whatever becomes of the table."""
    judge(pairs, server, tmp_path / "run")
    lines = (tmp_path / "run" / "judgements" / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 8
    assert {json.loads(line)["image_id"] for line in lines} == {*pairs["pair_id"]}


# ---- what it costs ----


def test_costs_of_pairs_are_those_of_the_answers(
    pairs: pd.DataFrame, server: Server, tmp_path: Path
) -> None:
    provider = ModelServer("stub", server.url, concurrency=1, price=PRICE)
    before = costs(pairs, provider, tmp_path / "run", max_tokens=60)
    n = len(pairs)
    assert before[["n_pairs", "n_answered", "spent"]].iloc[0].tolist() == [n, 0, 0]
    assert before["tokens_out"].item() == 60 * n
    # Each pair has two pictures.
    assert before["tokens_in"].item() > 2 * n * provider.tokens_per_image
    assert not server.requests
    judge(pairs[:3], server, tmp_path / "run")
    after = costs(pairs, provider, tmp_path / "run", max_tokens=60).iloc[0]
    assert after["n_answered"] == 3 and after["spent"] == pytest.approx(3 * ONE_ANSWER)
    assert after["tokens_in"] == (n - 3) * TOKENS_IN
    # Other answers are other questions, which nobody has answered.
    graded = costs(pairs, provider, tmp_path / "run", max_tokens=60, graded=True).iloc[0]
    assert graded["n_answered"] == 0
    with pytest.raises(ImagestrataError, match='meaning="connotative" has no effect with pairs'):
        costs(pairs, provider, meaning="connotative")
    with pytest.raises(ImagestrataError, match="`provider` is missing"):
        costs(pairs)
