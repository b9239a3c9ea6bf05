"""`imagestrata assign` on a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError


@pytest.fixture
def run_folder(tmp_path) -> Path:
    write_files(tmp_path / "images", {f"{i}.png": encode(picture(i)) for i in range(24)})
    call("run", tmp_path / "images", "--out", tmp_path / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 3, "--n-per-cluster", 2, "--quiet")  # fmt: skip
    return tmp_path / "run"


def test_a_sample_is_dealt_and_handed_out(run_folder, tmp_path):
    hidden = pd.read_csv(run_folder / "sample.csv")["image_id"][0]
    (tmp_path / "hidden.txt").write_text(f"{hidden}\n")
    summary = json.loads(
        call("assign", run_folder, "--n-images", 3, "--group", "A", "--quiet", "--json",
             "--exclude", tmp_path / "hidden.txt")
    )  # fmt: skip
    packets = pd.read_csv(run_folder / "packets.csv")
    asked = json.loads(
        call("assign", run_folder, "--n-images", 3, "--group", "A", "--quiet", "--json",
             "--to", "csv", "--item", "anger", "--item", "joy", "--scale", 1, 5)
    )  # fmt: skip
    assert asked["costs"][0]["n_ratings"] == len(packets) * 2
    assert summary["costs"][0] | {"n_ratings": len(packets) * 10} == summary["costs"][0]
    assert set(packets["group"]) == {"A"}
    pages = sorted((run_folder / "rate-page").glob("p*.html"))
    assert [page.stem for page in pages] == sorted(packets["packet_id"].unique())
    assert not any(hidden in page.read_text() for page in pages)
    with pytest.raises(ImagestrataError, match="n_images=3, not with n_images=2"):
        call("assign", run_folder, "--n-images", 2, "--group", "A", "--quiet")
    again = call("assign", run_folder, "--n-images", 3, "--group", "A", "--quiet", "--to",
                 "qualtrics", "--base-url", "https://x.org/i")  # fmt: skip
    assert str(run_folder / "rate-qualtrics") in again


def test_what_comes_first_or_is_missing_is_told(run_folder, tmp_path):
    with pytest.raises(ImagestrataError, match="step 'sample' has not been run"):
        call("assign", tmp_path)
    with pytest.raises(ImagestrataError, match="must be given: with to"):
        call("assign", run_folder, "--to", "qualtrics")
    with pytest.raises(ImagestrataError, match="contains the images"):
        call("assign", run_folder, "--base-url", "https://x.org")
    with pytest.raises(ImagestrataError, match=r"none\.txt' does not exist"):
        call("assign", run_folder, "--exclude", tmp_path / "none.txt")


def test_a_topped_up_sample_is_handed_out_in_further_packets(run_folder):
    assign = ("assign", run_folder, "--n-images", 2, "--group", "A", "--quiet")
    call(*assign)
    first = pd.read_csv(run_folder / "packets.csv")
    answered = {page.name: page.read_bytes() for page in (run_folder / "rate-page").glob("*.html")}
    said = call("sample", run_folder, "--keep", "--n-per-cluster", 4, "--quiet")
    assert "12 images sampled, of which 6 were drawn before" in said
    summary = json.loads(call(*assign, "--json"))
    packets = pd.read_csv(run_folder / "packets.csv")
    pd.testing.assert_frame_equal(packets.iloc[: len(first)], first)
    assert summary["folder"] == str(run_folder / "rate-page-2")
    further = {*packets["packet_id"]} - {*first["packet_id"]}
    assert {page.stem for page in (run_folder / "rate-page-2").glob("p*.html")} == further
    assert summary["costs"][0]["n_images"] == 6
    now = {page.name: page.read_bytes() for page in (run_folder / "rate-page").glob("*.html")}
    assert now == answered
