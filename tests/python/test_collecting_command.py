"""`imagestrata serve` and `imagestrata answers` on a run folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError, read_pairs
from served import Rater, rating


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("study")
    write_files(place / "images", {f"{i}.png": encode(picture(i)) for i in range(24)})
    call("run", place / "images", "--out", place / "run", "--encoder", "hog", "--method",
         "kmeans", "--n-clusters", 3, "--n-per-cluster", 2, "--quiet")  # fmt: skip
    return place / "run"


#: The command, which a line of input interrupts as Ctrl-C does, on every system.
INTERRUPTIBLE = """
import _thread, sys, threading
def wait():
    sys.stdin.readline()
    _thread.interrupt_main()
threading.Thread(target=wait, daemon=True).start()
from imagestrata.cli import main
main()
"""


def serving(*arguments: object) -> tuple[subprocess.Popen[str], dict]:
    command = [sys.executable, "-c", INTERRUPTIBLE, "serve", *map(str, arguments), "--json"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def interrupted(process: subprocess.Popen[str]) -> str:
    """Interrupt the command, and return what it says."""
    _, told = process.communicate("\n", timeout=30)
    assert process.returncode == 130
    return told


def test_packets_are_served_until_ctrl_c(run_folder, tmp_path):
    with pytest.raises(ImagestrataError, match="has no export for a server"):
        call("answers", run_folder, tmp_path / "answers.csv")
    call("assign", run_folder, "--n-images", 3, "--group", "A", "--to", "server", "--item",
         "proud", "--item", "angry", "--quiet")  # fmt: skip
    with pytest.raises(ImagestrataError, match="Nobody has answered"):
        call("answers", run_folder, tmp_path / "answers.csv")
    process, started = serving(run_folder, "--port", 0, "--completion-code", "DONE")
    assert started["folder"] == str(run_folder / "rate-server")
    rater = Rater(started["links"]["A"] + "?id=R1")
    for image in rater.data["images"]:
        said = rater.answer(image, rating())
    assert said["end"] == {"code": "DONE", "address": None}
    assert "the same command continues" in interrupted(process)
    line = call("answers", run_folder, tmp_path / "answers.csv")
    assert f"Answers: {tmp_path / 'answers.csv'}" in line
    assert set(pd.read_csv(tmp_path / "answers.csv")["respondent_id"]) == {"R1"}
    people = pd.read_csv(tmp_path / "answers-people.csv")
    assert people["completion_code"].tolist() == ["DONE"]


def test_pairs_are_served_and_scored(run_folder, tmp_path):
    call("pairs", run_folder, "--n", 6, "--k", 3, "--to", "server", "--quiet")
    folder = run_folder / "judge-pairs"
    process, started = serving(folder, "--port", 0)
    rater = Rater(started["links"][""] + "?id=ann")
    for task, _, _ in rater.data["pairs"]:
        rater.answer(task, 1)
    interrupted(process)
    call("answers", folder, tmp_path / "judged.csv")
    judged = read_pairs(tmp_path / "judged.csv", run_folder / "judge-pairs-key.csv")
    assert judged["judgement"].tolist() == [1] * 6
    call("score", run_folder, tmp_path / "judged.csv", "--quiet")
    assert (run_folder / "scores.csv").exists()
