"""`imagestrata tag` and `imagestrata coding-sheet`."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
import torchvision

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError


@pytest.fixture
def pictures(tmp_path):
    return write_files(tmp_path / "images", {f"{i}.png": encode(picture(i)) for i in range(12)})


def test_a_clustering_becomes_a_sheet(pictures, tmp_path):
    run = tmp_path / "run"
    call("run", pictures, "--out", run, "--encoder", "hog", "--method", "kmeans",
         "--n-clusters", 2, "--n-per-cluster", 2, "--quiet")  # fmt: skip
    arguments = ["coding-sheet", run, "--code", "people=yes,no", "--code", "frame", "--n", 2]
    summary = json.loads(call(*arguments, "--quiet", "--json"))
    sheet = pd.read_csv(summary["table"])
    assert summary["n_images"] == len(sheet)
    assert sheet.columns.tolist()[-4:] == ["people", "frame", "skipped", "note"]
    assert '"answers":["yes","no"]' in (run / "coding-sheet.html").read_text()
    with pytest.raises(ImagestrataError, match="exists already"):
        call(*arguments, "--quiet")


def test_tags_are_made_and_counted(pictures, tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "weights.pth"
    torch.save(torchvision.models.squeezenet1_1().state_dict(), weights)
    run = tmp_path / "run"
    summary = json.loads(
        call("tag", pictures, "--out", run, "--classifier", "squeezenet1_1", "--weights", weights,
             "--n-tags", 2, "--quiet", "--json")
    )  # fmt: skip
    counted = pd.read_csv(run / "tag-frequencies.csv")
    assert summary["n_images"] == 12
    assert counted["n_images"].sum() == 24
    assert summary["frequencies"][0]["label"] == counted["label"][0]


def test_a_service_asks_for_consent(pictures, tmp_path):
    with pytest.raises(ImagestrataError, match=r"12 images leave this machine.*eu-west-1"):
        call("tag", pictures, "--out", tmp_path / "run", "--classifier", "rekognition:labels",
             "--region", "eu-west-1", "--quiet")  # fmt: skip
    with pytest.raises(ImagestrataError, match="`operation` must be one of"):
        call("tag", pictures, "--out", tmp_path / "run", "--classifier", "rekognition", "--quiet")
