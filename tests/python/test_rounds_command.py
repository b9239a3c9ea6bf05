"""Further rounds of pairs, meetings about labels, accepted names and a census in a shell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import Clustering, Embeddings, ImagestrataError, next_pairs


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rounds")
    write_files(folder / "images", {f"{i}.png": encode(picture(i)) for i in range(24)})
    call("run", folder / "images", "--out", folder / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 3, "--n-per-cluster", 2, "--quiet")  # fmt: skip
    return folder / "run"


@pytest.fixture
def run_folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def judge(table: Path, out: Path, annotator: str = "anna") -> Path:
    """Somebody says that every other pair belongs together."""
    pairs = pd.read_csv(table, dtype={"pair_id": str})
    said = [i % 2 for i in range(len(pairs))]
    pairs[["pair_id"]].assign(annotator=annotator, judgement=said).to_csv(out, index=False)
    return out


def told(*arguments: object) -> dict[str, object]:
    found = json.loads(call(*arguments, "--quiet", "--json"))
    assert isinstance(found, dict)
    return found


def test_rounds_are_drawn_judged_and_scored_together(run_folder, tmp_path):
    draw = ["pairs", run_folder, "--n", 30, "--k", 4, "--seed", 3, "--to", "csv"]
    call(*draw, "--from-clusters", "--quiet")
    first = judge(run_folder / "pairs.csv", tmp_path / "first.csv")
    more = ["next-pairs", run_folder, first]
    found = told(*more, "--n", 12, "--to", "csv")
    assert (found["n_pairs"], found["round"]) == (12, 2)
    second = pd.read_csv(run_folder / "pairs-2.csv")
    assert (second["round"] == 2).all()
    # The same as in Python, with k and seed of the first draw.
    known = pd.read_csv(run_folder / "pairs.csv").merge(pd.read_csv(first), on="pair_id")
    clustering = Clustering.load(run_folder)
    same = next_pairs(known, clustering, Embeddings.load(run_folder), 12, k=4, seed=3)
    assert same["pair_id"].tolist() == second["pair_id"].tolist()
    assert same["probability"].tolist() == pytest.approx(second["probability"].tolist())

    # Killed after the pairs were drawn, the form is written.
    form, key = (run_folder / f"judge-pairs-2{ending}.csv" for ending in ("", "-key"))
    before = form.read_bytes()
    form.unlink(), key.unlink()
    call(*more, "--n", 12, "--to", "csv", "--quiet")
    assert form.read_bytes() == before
    # The same command again draws no third round without answers to the second.
    with pytest.raises(ImagestrataError, match="of round 2 are drawn, and there are no answers"):
        call(*more, "--n", 12, "--to", "csv", "--quiet")
    assert told(*more, "--n", 5, "--to", "csv", "--overwrite")["round"] == 2
    assert len(pd.read_csv(run_folder / "pairs-2.csv")) == 5
    assert not (run_folder / "pairs-3.csv").exists()

    answered = [first, judge(run_folder / "pairs-2.csv", tmp_path / "second.csv")]
    scores = told("score", run_folder, *answered)["scores"]
    assert {row["n_pairs"] for row in scores} == {35}
    said = call("next-pairs", run_folder, *answered, "--width", 1, "--quiet")
    assert "narrow enough: no further pair is needed" in said
    assert told("next-pairs", run_folder, *answered, "--n", 4, "--to", "csv")["round"] == 3
    third = pd.read_csv(run_folder / "pairs-3.csv")
    assert not {*third["pair_id"]} & {*known["pair_id"], *pd.read_csv(answered[1])["pair_id"]}
    # Second looks are at pairs that were judged, and make no round.
    looks = told("next-pairs", run_folder, *answered, "--again", "--n", 6, "--to", "csv")
    again = pd.read_csv(str(looks["file"]))
    assert {*again["pair_id"]} <= {*known["pair_id"], *pd.read_csv(answered[1])["pair_id"]}
    assert len(again) == 6 and not (run_folder / "pairs-4.csv").exists()
    # A new draw takes all rounds of the earlier one with it.
    with pytest.warns(UserWarning, match=r"pairs-2\.csv"):
        call(*draw, "--from-clusters", "--seed", 4, "--overwrite", "--quiet")
    assert not [*run_folder.glob("pairs-*.csv")]


def test_pairs_of_a_k_means_have_no_next_round(run_folder, tmp_path):
    call("pairs", run_folder, "--n", 20, "--k", 3, "--to", "csv", "--quiet")
    answers = judge(run_folder / "pairs.csv", tmp_path / "first.csv")
    with pytest.raises(ImagestrataError, match="drawn from the clusters of a k-means") as caught:
        call("next-pairs", run_folder, answers)
    assert "--from-clusters" in str(caught.value)


def test_a_meeting_decides_about_labels(run_folder, tmp_path):
    form = ["labels", run_folder, "--code", "protest", "--to", "csv"]
    call(*form, "--coders", 2, "--double", 1, "--quiet")
    files = []
    for number, changed in ((1, 0), (2, 2)):
        (sheet,) = (run_folder / "label-csv").glob(f"*{number}*.csv")
        table = pd.read_csv(sheet, dtype=str)
        table["protest"] = [str(int(i < changed)) for i in range(len(table))]
        files.append(tmp_path / f"coder-{number}.csv")
        table.assign(annotator=f"c{number}").to_csv(files[-1], index=False)
    with pytest.warns(UserWarning, match="2 of 6 labels are undecided"):
        call("read-labels", run_folder, *files, "--quiet")
    met = told(*form, "--disputed", files[0], "--disputed", files[1])
    assert met["n_images"] == 2
    sheet = Path(str(met["folder"])) / "coder-1.csv"
    table = pd.read_csv(sheet, dtype=str).assign(protest="1", annotator="meeting")
    table.to_csv(tmp_path / "met.csv", index=False)
    call("read-labels", run_folder, *files, "--meeting", tmp_path / "met.csv", "--quiet")
    decided = pd.read_csv(run_folder / "labels-decided.csv", dtype=str)
    shown = {*pd.read_csv(str(met["key"]), dtype=str)["image_id"]}
    assert {*decided.loc[decided["label"] == "1", "image_id"]} == shown
    assert decided["label"].notna().all()


def test_proposed_names_are_accepted(run_folder, tmp_path):
    ids = Clustering.load(run_folder).images[["image_id", "cluster"]]
    words = tmp_path / "words.csv"
    ids.assign(text="topic" + ids["cluster"].astype(str)).drop(columns="cluster").to_csv(
        words, index=False
    )
    call("keywords", run_folder, "--texts", words, "--quiet")
    call("propose", run_folder, "--quiet")
    with pytest.raises(ImagestrataError, match="must be the number of a cluster or 'all'"):
        call("edit", run_folder, "--accept", "two")
    call("edit", run_folder, "--accept", 2, "--quiet")
    named = Clustering.load(run_folder).clusters.set_index("cluster")["cluster_name"]
    assert named.notna().tolist() == [False, True, False]
    call("edit", run_folder, "--accept", "all", "--quiet")
    assert Clustering.load(run_folder).clusters["cluster_name"].notna().all()
    with pytest.raises(ImagestrataError, match="Give at least one of"):
        call("edit", run_folder)


def test_a_sample_may_hold_all_images(run_folder):
    found = told("sample", run_folder, "--n-per-cluster", "all", "--overwrite")
    assert found["n_sampled"] == len(Clustering.load(run_folder).images)
    assert (pd.read_csv(run_folder / "sample.csv")["inclusion_probability"] == 1).all()
    with pytest.raises(ImagestrataError, match="must be a number of images or 'all', not 'many'"):
        call("sample", run_folder, "--n-per-cluster", "many")
