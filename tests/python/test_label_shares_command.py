"""`imagestrata label-shares`: estimates from labels and predictions in files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import Clustering, ImagestrataError


@pytest.fixture
def run(tmp_path) -> Path:
    write_files(tmp_path / "images", {f"{i}.png": encode(picture(i)) for i in range(12)})
    call("run", tmp_path / "images", "--out", tmp_path / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 2, "--n-per-cluster", 3, "-q")  # fmt: skip
    return tmp_path / "run"


def test_shares_are_estimated_from_files(run):
    with pytest.raises(ImagestrataError, match=r"no labels in .*labels-decided\.csv"):
        call("label-shares", run)
    sample = pd.read_csv(run / "sample.csv", dtype={"image_id": str})
    images = Clustering.load(run).images
    labels = sample[["image_id"]].assign(code="dark", label=[0, 1] * (len(sample) // 2))
    labels.to_csv(run / "labels-decided.csv", index=False)
    made = json.loads(call("label-shares", run, "--json", "-q"))
    assert [row["method"] for row in made["label_shares"]] == ["sample"]
    guesses = pd.DataFrame(
        {"image_id": images["image_id"], "label": "dark", "decision": True, "split": "fold"}
    )
    file = run.parent / "predictions.csv"
    guesses.to_csv(file, index=False)
    said = call("label-shares", run, "--predictions", file, "--by", "cluster")
    table = pd.read_csv(run / "label-shares.csv")
    assert table["method"].tolist() == ["machine", "sample", "corrected"] * 2
    assert table["cluster"].tolist() == [1] * 3 + [2] * 3
    assert (table.loc[table["method"] == "machine", "estimate"] == 1).all()
    assert "corrected" in said and "label-shares.csv" in said
    with pytest.raises(ImagestrataError, match=r"posts\.csv"):
        call("label-shares", run, "--weight", "post")
