"""`imagestrata pairs`, `judge` and `score` on a run folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError
from model_server import model_server


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_files(folder / "images", {f"{i}.png": encode(picture(i)) for i in range(24)})
    call("run", folder / "images", "--out", folder / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 3, "--quiet")  # fmt: skip
    return folder / "run"


def test_pairs_are_drawn_judged_and_scored(run_folder, tmp_path):
    summary = json.loads(call("pairs", run_folder, "--n", 30, "--k", 3, "--quiet", "--json"))
    assert summary["n_pairs"] == 30
    assert Path(summary["file"]).read_text().startswith("<!doctype html>")
    pairs = pd.read_csv(run_folder / "pairs.csv")
    files = []
    for annotator, wrong in (("anna", 0), ("ben", 3)):
        same = (pairs["stratum"] == "within").astype(int)
        same[:wrong] = 1 - same[:wrong]
        table = pairs[["pair_id"]].assign(annotator=annotator, judgement=same)
        files.append(tmp_path / f"{annotator}.csv")
        table.to_csv(files[-1], index=False)

    with pytest.warns(UserWarning, match="3 of 30 pairs are undecided"):
        found = json.loads(call("score", run_folder, *files, "--json"))
    agreed = {row["measure"]: row["estimate"] for row in found["agreement"]}
    assert agreed["percent_agreement"] == pytest.approx(0.9)
    assert {row["weighting"] for row in found["scores"]} == {"none", "design"}
    assert pd.read_csv(run_folder / "scores.csv")["n_pairs"].tolist() == [27] * 8
    assert len(pd.read_csv(run_folder / "agreement.csv")) == 6
    # Errors are estimated from all judgements, also of pairs that are undecided.
    with pytest.warns(UserWarning, match="3 of 30 pairs are undecided"):
        found = json.loads(call("score", run_folder, *files, "--error-rate", "estimate", "--json"))
    assert {"wrong_together", "wrong_apart"} < {row["measure"] for row in found["scores"]}
    assert {row["n_pairs"] for row in found["scores"]} == {30}
    # One annotator is enough for scores.
    said = call("score", run_folder, files[0])
    assert "percent_agreement" not in said
    assert "No agreement to report. All judgements (30) are by one annotator" in said
    # That of earlier answers does not stay beside the new scores.
    assert not (run_folder / "agreement.csv").exists()

    half = [tmp_path / "first.csv", tmp_path / "second.csv"]
    table.head(15).assign(annotator="anna").to_csv(half[0], index=False)
    table.tail(15).to_csv(half[1], index=False)
    assert "No pair was judged by two of the 2 annotators" in call("score", run_folder, *half)

    grid = tmp_path / "grid.json"
    with pytest.raises(ImagestrataError, match=r"There is no file '.*grid\.json'"):
        call("tune", run_folder, files[0], "--grid", grid)
    grid.write_text("{k: 10}")
    with pytest.raises(ImagestrataError, match=r"The grid .*grid\.json' cannot be read"):
        call("tune", run_folder, files[0], "--grid", grid)
    grid.write_text('{"k": [2, 3]}')
    call("tune", run_folder, files[0], "--grid", grid, "--folds", 2, "--quiet")
    assert (run_folder / "tuning" / "tuning.png").exists()


def test_plain_random_pairs(run_folder):
    call("pairs", run_folder, "--n", 10, "--k", 1, "--quiet", "--overwrite")
    drawn = pd.read_csv(run_folder / "pairs.csv")
    assert set(drawn["stratum"]) == {"all"} and (drawn["N_h"] == 24 * 23 / 2).all()
    with pytest.raises(ImagestrataError, match="has no effect with k=1: all pairs are one stratum"):
        call("pairs", run_folder, "--k", 1, "--share-within", 0.5)


def test_several_questions_and_a_meeting(run_folder, tmp_path):
    asked = ["--question", "things=Same things?", "--question", "ideas = Same idea?"]
    call("pairs", run_folder, "--n", 20, "--k", 3, "--quiet", "--to", "csv", "--overwrite", *asked)
    sheet = pd.read_csv(run_folder / "judge-pairs.csv", dtype=str)
    assert {"things", "ideas"} <= {*sheet}
    within = pd.read_csv(run_folder / "pairs.csv")["stratum"] == "within"
    files = []
    for annotator, wrong in (("anna", 0), ("ben", 2)):
        things = within.astype(int)
        things[:wrong] = 1 - things[:wrong]
        files.append(tmp_path / f"{annotator}.csv")
        sheet.assign(annotator=annotator, things=things, ideas=1).to_csv(files[-1], index=False)
    with pytest.warns(UserWarning, match="2 of 40 judgements are undecided"):
        found = json.loads(call("score", run_folder, *files, "--json"))
    assert [row["question"] for row in found["scores"]] == ["things"] * 8 + ["ideas"] * 8
    assert {row["question"] for row in found["agreement"]} == {"things", "ideas"}
    assert found["n_disputed"] == 2
    assert len(pd.read_csv(run_folder / "disputed-pairs.csv")) == 4

    meet = ["--disputed", files[0], "--disputed", files[1], "--to", "csv"]
    assert json.loads(call("pairs", run_folder, *meet, "--json"))["n_disputed"] == 2
    shown = pd.read_csv(run_folder / "meeting-pairs.csv", dtype=str)
    assert shown["pair_id"].tolist() == sheet["pair_id"][:2].tolist()
    decided = shown.assign(annotator="meeting", things=within[:2].astype(int))
    decided.to_csv(tmp_path / "met.csv", index=False)
    given = ["--meeting", tmp_path / "met.csv", "--json"]
    found = json.loads(call("score", run_folder, *files, *given))
    assert found["n_disputed"] == 0 and not (run_folder / "disputed-pairs.csv").exists()
    recall = [row for row in found["scores"] if row["measure"] == "precision"]
    assert recall[0]["question"] == "things" and recall[0]["n_pairs"] == 20

    one = json.loads(call("score", run_folder, *files, "--question", "things", *given))
    assert [one["scores"][i] for i in range(8)] == found["scores"][:8]
    grid = tmp_path / "grid.json"
    grid.write_text('{"k": [2, 3]}')
    tune = ["tune", run_folder, *files, "--grid", grid, "--folds", 2, "--quiet", "--overwrite"]
    with pytest.raises(ImagestrataError, match="are to 2 questions: things, ideas") as caught:
        call(*tune, *given[:2])
    assert 'question="things"' in caught.value.hint
    call(*tune, "--question", "things", *given[:2])
    with pytest.raises(ImagestrataError, match="`question` must be one of things, ideas, not 'x'"):
        call("score", run_folder, *files, "--question", "x")
    with pytest.raises(ImagestrataError, match="Several questions need names, unlike 'Same'"):
        call("pairs", run_folder, "--question", "a=Same things?", "--question", "Same")


def test_a_model_judges_and_people_correct_it(run_folder, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run_folder, out)
    call("pairs", out, "--n", 40, "--k", 3, "--share-within", 0.5, "--overwrite", "--quiet")
    pairs = pd.read_csv(out / "pairs.csv")
    people = pairs[["pair_id"]].assign(annotator="anna", judgement=[1, 0] * 20).head(36)
    people.to_csv(tmp_path / "anna.csv", index=False)
    with pytest.raises(ImagestrataError, match="step 'judge' has not been run"):
        call("score", out, tmp_path / "anna.csv", "--machine")
    with model_server() as server:
        server.answer = lambda number, request: json.dumps(
            {"q1": ["different", "same"][number % 2]}
        )
        judged = json.loads(
            call(
                "judge", out, "--model", "stub", "--base-url", server.url, "--concurrency", 1,
                "--quiet", "--json",
            )
        )  # fmt: skip
        assert len(server.requests) == 40
    assert (judged["n_pairs"], judged["n_judged"]) == (40, 40)
    table = pd.read_csv(judged["judgements"])
    assert {*table["annotator"]} == {"model:stub"}
    found = json.loads(call("score", out, tmp_path / "anna.csv", "--machine", "--json"))
    methods = [row["method"] for row in found["scores"]]
    assert methods == ["machine", "people", "corrected"] * 4
    # The model says what anna says.
    by = {(row["measure"], row["method"]): row["estimate"] for row in found["scores"]}
    assert by["precision", "corrected"] == pytest.approx(by["precision", "machine"])
    agreed = {(row["measure"], row["annotators"]): row["estimate"] for row in found["agreement"]}
    assert agreed["percent_agreement", "people and models"] == 1


def test_what_comes_first_is_told(run_folder, tmp_path):
    with pytest.raises(ImagestrataError, match="step 'embed' has not been run"):
        call("pairs", tmp_path)
    with pytest.raises(ImagestrataError, match="step 'pairs' has not been run"):
        call("score", tmp_path, "answers.csv")
    with pytest.raises(ImagestrataError, match="`to` must be one of"):
        call("pairs", run_folder, "--to", "xlsx")
