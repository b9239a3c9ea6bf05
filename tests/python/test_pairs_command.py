"""`imagestrata pairs` and `imagestrata score` on a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError


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


def test_what_comes_first_is_told(run_folder, tmp_path):
    with pytest.raises(ImagestrataError, match="step 'embed' has not been run"):
        call("pairs", tmp_path)
    with pytest.raises(ImagestrataError, match="step 'pairs' has not been run"):
        call("score", tmp_path, "answers.csv")
    with pytest.raises(ImagestrataError, match="`to` must be one of"):
        call("pairs", run_folder, "--to", "xlsx")
