"""`imagestrata describe`, `embed-text` and `keywords` on a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError
from model_server import model_server


@pytest.fixture
def run_folder(tmp_path) -> Path:
    write_files(tmp_path / "images", {f"{i}.png": encode(picture(i)) for i in range(8)})
    call("scan", tmp_path / "images", "--out", tmp_path / "run", "--quiet")
    return tmp_path / "run"


def test_images_are_described_clustered_by_the_words_and_named_by_them(run_folder):
    topics = ["A cat sleeps on the sofa.", "The flag of a march in the street."]
    with model_server() as server:
        server.answer = lambda number, request: topics[number % 2]
        found = json.loads(call(
            "describe", run_folder, "--model", "stub", "--base-url", server.url, "--prompt",
            "What is this?", "--price", 1, 2, "--budget", 1, "--concurrency", 1, "--quiet",
            "--json",
        ))  # fmt: skip
        assert {request["messages"][0]["content"][0]["text"] for request in server.requests} == {
            "What is this?"
        }
    assert found["n_described"] == 8
    assert found["cost"] == pytest.approx(8 * 300e-6)

    call("embed-text", run_folder, "--quiet")
    call("cluster", run_folder, "--method", "kmeans", "--n-clusters", 2, "--quiet")
    said = call("keywords", run_folder, "--n", 3)
    assert sorted(line.split("  ")[-1] for line in said.splitlines()) == [
        "cat, sleeps, sofa",
        "flag, march, street",
    ]
    call("gallery", run_folder, "--quiet")
    assert "sofa" in (run_folder / "gallery" / "index.html").read_text()


def test_posts_are_counted(run_folder, tmp_path):
    ids = pd.read_parquet(run_folder / "images.parquet")["image_id"]
    posts = pd.DataFrame(
        {
            "post_id": ["001", "001", "002", *map(str, range(7))],
            "image_id": [*ids[:2], ids[0], *ids[:7]],
            "time": ["2024-01-31T10:00:00Z"] * 3 + ["2024-02-01"] * 7,
            "tags": ["#a #b"] * 3 + ["#b"] * 7,
        }
    )
    posts.to_csv(tmp_path / "posts.csv", index=False)
    call("embed", run_folder, "--encoder", "hog", "--quiet")
    call("cluster", run_folder, "--method", "kmeans", "--n-clusters", 2, "--quiet")
    given = ("--metadata", tmp_path / "posts.csv", "--unit", "post", "--json")
    found = json.loads(call("metadata", run_folder, *given, "--column", "tags", "--separator", " "))
    table = pd.DataFrame(found["metadata"])
    assert table.groupby("value")["n_posts"].sum()["#b"] >= 9
    stored = pd.read_csv(run_folder / "metadata.csv", float_precision="round_trip")
    assert table.equals(stored.astype(table.dtypes))
    months = json.loads(
        call("metadata", run_folder, *given, "--column", "time", "--period", "month")
    )
    assert {row["value"] for row in months["metadata"]} == {"2024-01", "2024-02"}
    words = json.loads(
        call(
            "keywords", run_folder, "--texts", tmp_path / "posts.csv", "--column", "tags",
            "--unit", "post", "--json",
        )
    )  # fmt: skip
    assert {row["term"] for row in words["keywords"]} == {"#a", "#b"}
    assert all(row["n_posts"] <= row["n"] for row in words["keywords"])
    with pytest.raises(ImagestrataError, match="must name the column to count"):
        call("metadata", run_folder)


def test_texts_of_ones_own(run_folder, tmp_path):
    ids = pd.read_parquet(run_folder / "images.parquet")["image_id"]
    table = pd.DataFrame({"image_id": ids, "hashtags": ["#cats;#home", "#march;#flags"] * 4})
    table.to_csv(tmp_path / "posts.csv", index=False)
    call("embed-text", run_folder, "--texts", tmp_path / "posts.csv", "--quiet")
    call("cluster", run_folder, "--method", "kmeans", "--n-clusters", 2, "--quiet")
    call("keywords", run_folder, "--texts", tmp_path / "posts.csv", "--separator", ";")
    assert set(pd.read_csv(run_folder / "keywords.csv")["term"]) == {
        "#cats", "#home", "#march", "#flags",
    }  # fmt: skip


def test_what_is_missing_is_said(run_folder, tmp_path):
    with pytest.raises(ImagestrataError, match="no descriptions, no text in images and no tags"):
        call("embed-text", run_folder)
    with pytest.raises(ImagestrataError, match=r"There is no file .*absent\.csv"):
        call("embed-text", run_folder, "--texts", tmp_path / "absent.csv")
    with pytest.raises(ImagestrataError, match="8 images leave this machine"):
        call("describe", run_folder, "--model", "m", "--base-url", "https://models.example.org/v1")
    with pytest.raises(ImagestrataError, match="no --base-url and no --price"):
        call("describe", run_folder, "--model", "m", "--local", "--price", 1, 2)
