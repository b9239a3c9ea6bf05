"""A run folder says what it holds; nothing in it is replaced by mistake."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from imagestrata import ImagestrataError
from imagestrata.provenance import Step, fingerprint, read_run, require_step


def begin(folder, name="scan", inputs="i", overwrite=False, **settings):
    return Step(folder, name, settings, inputs=inputs, overwrite=overwrite)


def test_without_a_folder_nothing_is_stored():
    step = begin(None, k=1)
    assert not step.finished
    assert step.parts is None
    step.finish(n=1)


def test_a_finished_step_is_found_again(tmp_path):
    begin(tmp_path, k=(1, 2)).finish(images=3)
    assert begin(tmp_path, k=(1, 2)).finished
    (tmp_path / "images.parquet").write_text("x")
    entry = require_step(tmp_path, "scan")
    assert entry["counts"] == {"images": 3}
    assert entry["settings"] == {"k": [1, 2]}
    assert "numpy" in entry["versions"]


def test_a_step_whose_result_was_deleted_is_made_again(tmp_path):
    def read(folder):
        return (folder / "images.parquet").read_text()

    begin(tmp_path).finish()
    (tmp_path / "images.parquet").write_text("x")
    assert begin(tmp_path).stored(read) == "x"
    (tmp_path / "images.parquet").unlink()
    with pytest.raises(ImagestrataError, match=r"'images.parquet' is missing"):
        require_step(tmp_path, "scan")
    step = begin(tmp_path)
    assert step.stored(read) is None
    assert not step.finished
    with pytest.raises(ImagestrataError, match="'scan' was interrupted"):
        require_step(tmp_path, "scan")


def test_an_interrupted_step_goes_on_with_its_parts(tmp_path):
    begin(tmp_path, k=1).parts.write("0", pd.DataFrame({"x": [1]}))
    step = begin(tmp_path, k=1)
    assert not step.finished
    assert step.parts.read("0").num_rows == 1
    step.finish()
    assert not (tmp_path / "partial").exists()


def test_other_settings_are_refused_until_overwritten(tmp_path):
    begin(tmp_path, k=1).finish()
    Step(tmp_path, "embed", {}, inputs="i", made_from={"scan": "a"}).finish()
    with pytest.raises(ImagestrataError, match=r"'scan' with k=1; now k=2") as caught:
        begin(tmp_path, k=2)
    assert "overwrite=True" in caught.value.hint
    assert list(read_run(tmp_path)["steps"]) == ["scan", "embed"]
    begin(tmp_path, k=2, overwrite=True).made("b")
    assert list(read_run(tmp_path)["steps"]) == ["scan"]


def test_other_inputs_are_refused_when_finished_and_taken_when_not(tmp_path):
    begin(tmp_path, inputs="a")
    begin(tmp_path, inputs="b").finish()
    with pytest.raises(ImagestrataError, match="other images or earlier results"):
        begin(tmp_path, inputs="c")


def test_steps_missing_or_interrupted_are_named(tmp_path):
    with pytest.raises(ImagestrataError, match="'embed' has not been run"):
        require_step(tmp_path, "embed")
    begin(tmp_path, "embed")
    with pytest.raises(ImagestrataError, match="'embed' was interrupted"):
        require_step(tmp_path, "embed")


def test_someone_elses_run_json(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"name": "other"}))
    with pytest.raises(ImagestrataError, match="not written by imagestrata"):
        begin(tmp_path)
    (tmp_path / "run.json").write_text("{broken")
    with pytest.raises(ImagestrataError, match="damaged"):
        begin(tmp_path)


def test_fingerprints_depend_on_content_only():
    assert fingerprint({"a": 1, "b": (2,)}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
