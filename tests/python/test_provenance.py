"""A run folder says what it holds; nothing in it is replaced by mistake."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from imagestrata import ImagestrataError
from imagestrata.provenance import Step, fingerprint, read_run, require_step


def begin(folder, name="scan", inputs="i", overwrite=False, **settings):
    return Step(folder, name, settings, inputs=inputs, overwrite=overwrite)


def finish(step, result=None, **counts):
    """End a step whose result nobody reads, with this fingerprint."""
    identity = result and (lambda made: result)
    step.result(lambda folder: None, lambda: 0, lambda made, folder: counts, identity=identity)


def test_without_a_folder_nothing_is_stored():
    step = begin(None, k=1)
    assert not step.finished
    assert step.parts is None
    finish(step, n=1)


def test_a_finished_step_is_found_again(tmp_path):
    finish(begin(tmp_path, k=(1, 2)), images=3)
    assert begin(tmp_path, k=(1, 2)).finished
    (tmp_path / "images.parquet").write_text("x")
    entry = require_step(tmp_path, "scan")
    assert entry["counts"] == {"images": 3}
    assert entry["settings"] == {"k": [1, 2]}
    assert "numpy" in entry["versions"]


def test_a_step_whose_result_was_deleted_is_made_again(tmp_path):
    file = tmp_path / "images.parquet"
    finish(begin(tmp_path))
    with pytest.raises(ImagestrataError, match=r"'images.parquet' is missing"):
        require_step(tmp_path, "scan")

    def make():
        with pytest.raises(ImagestrataError, match="'scan' was interrupted"):
            require_step(tmp_path, "scan")
        return "x"

    step = begin(tmp_path)
    assert step.finished
    step.result(lambda _: file.read_text(), make, lambda made, _: {"n": file.write_text(made)})
    assert not step.finished
    assert require_step(tmp_path, "scan")["counts"] == {"n": 1}


class TestResult:
    """``Step.result()``: read where finished, else made and written once."""

    def take(self, folder, made="x", *, read=None, finished=True, **how):
        """The result of a step whose file holds one word, and what was done to have it."""
        done = []

        def write(word, run):
            done.append("written")
            (run / "pairs.csv").write_text(word)
            return {"letters": len(word)} if finished else None

        def make():
            done.append("made")
            return made

        step = begin(folder, "pairs", **how)
        found = step.result(
            read or (lambda run: (run / "pairs.csv").read_text()),
            make,
            write,
            identity=lambda word: f"hash of {word}",
            note={"by": "test"},
        )
        return found, done

    def test_made_and_written_once(self, tmp_path):
        assert self.take(tmp_path) == ("x", ["made", "written"])
        entry = read_run(tmp_path)["steps"]["pairs"]
        assert (entry["result"], entry["counts"], entry["by"]) == (
            "hash of x",
            {"letters": 1},
            "test",
        )
        assert self.take(tmp_path, "never made") == ("x", [])

    def test_without_a_folder_it_is_only_made(self):
        assert self.take(None) == ("x", ["made"])

    @pytest.mark.parametrize("read", [None, lambda run: None])
    def test_a_missing_result_is_made_again_under_the_lock(self, tmp_path, read):
        self.take(tmp_path)
        (tmp_path / "pairs.csv").unlink()

        def other_process():
            assert not read_run(tmp_path)["steps"]["pairs"]["finished"]
            return "y"

        step = begin(tmp_path, "pairs")
        reader = read or (lambda run: (run / "pairs.csv").read_text())
        assert step.result(reader, other_process, lambda word, run: {}) == "y"
        assert read_run(tmp_path)["steps"]["pairs"]["finished"]

    def test_a_step_of_which_some_failed_is_tried_again(self, tmp_path):
        self.take(tmp_path, finished=False)
        assert not read_run(tmp_path)["steps"]["pairs"]["finished"]
        assert self.take(tmp_path, "y") == ("y", ["made", "written"])

    def test_a_table_that_somebody_edited_is_refused_and_kept(self, tmp_path):
        self.take(tmp_path)
        (tmp_path / "pairs.csv").write_text("edited")
        with pytest.raises(ImagestrataError, match="was changed after the step"):
            self.take(tmp_path)
        with pytest.warns(UserWarning, match="The changed file 'pairs.csv' was moved to"):
            assert self.take(tmp_path, overwrite=True)[0] == "x"
        assert [file.read_text() for file in tmp_path.glob("replaced/*/pairs.csv")] == ["edited"]


def test_an_interrupted_step_goes_on_with_its_parts(tmp_path):
    begin(tmp_path, k=1).parts.write("0", pd.DataFrame({"x": [1]}))
    step = begin(tmp_path, k=1)
    assert not step.finished
    assert step.parts.read("0").num_rows == 1
    finish(step)
    assert not (tmp_path / "partial").exists()


def test_other_settings_are_refused_until_overwritten(tmp_path):
    finish(begin(tmp_path, k=1))
    finish(Step(tmp_path, "embed", {}, inputs="i", made_from={"scan": "a"}))
    with pytest.raises(ImagestrataError, match=r"'scan' with k=1, not with k=2") as caught:
        begin(tmp_path, k=2)
    assert "overwrite=True" in caught.value.hint
    assert list(read_run(tmp_path)["steps"]) == ["scan", "embed"]
    finish(begin(tmp_path, k=2, overwrite=True), "b")
    assert list(read_run(tmp_path)["steps"]) == ["scan"]


def test_other_inputs_are_refused_when_finished_and_taken_when_not(tmp_path):
    begin(tmp_path, inputs="a")
    finish(begin(tmp_path, inputs="b"))
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


class TestGrowing:
    """A step that grows replaces its result, and what rests on the earlier one stays."""

    @staticmethod
    def scan(folder, inputs, result, *, within=True, overwrite=False, k=1):
        step = Step(
            folder, "scan", {"k": k}, inputs=inputs, overwrite=overwrite, grows=lambda _: within
        )
        finish(step, result)

    @staticmethod
    def embed(folder, result_of_scan):
        finish(Step(folder, "embed", {}, inputs="x", made_from={"scan": result_of_scan}), "vectors")

    def test_steps_made_from_an_earlier_state_stay(self, tmp_path):
        self.scan(tmp_path, "a", "A")
        self.embed(tmp_path, "A")
        self.scan(tmp_path, "ab", "AB")
        self.scan(tmp_path, "abc", "ABC")
        steps = read_run(tmp_path)["steps"]
        assert steps["scan"]["earlier"] == ["AB", "A"]
        assert "grows" not in steps["scan"] and "replaces" not in steps["scan"]
        assert steps["embed"]["finished"]
        Step(tmp_path, "faces", {}, inputs="y", made_from={"scan": "A"})
        with pytest.raises(ImagestrataError, match="another result of the step 'scan'"):
            Step(tmp_path, "faces", {}, inputs="z", made_from={"scan": "Z"})

    def test_a_growth_that_was_interrupted_goes_on_with_another_listing(self, tmp_path):
        self.scan(tmp_path, "a", "A")
        self.embed(tmp_path, "A")
        begun = Step(tmp_path, "scan", {"k": 1}, inputs="ab", grows=lambda _: True)
        begun.parts.write("part-0", pd.DataFrame({"n": [1]}))
        del begun
        again = Step(tmp_path, "scan", {"k": 1}, inputs="abc", grows=lambda _: True)
        assert again.parts.read("part-0") is not None
        finish(again, "ABC")
        steps = read_run(tmp_path)["steps"]
        assert steps["scan"]["earlier"] == ["A"]
        assert "embed" in steps

    def test_files_that_only_moved_change_nothing(self, tmp_path):
        self.scan(tmp_path, "a", "A")
        self.embed(tmp_path, "A")
        self.scan(tmp_path, "moved", "A")
        assert read_run(tmp_path)["steps"]["scan"]["earlier"] == []
        assert "embed" in read_run(tmp_path)["steps"]

    def test_other_images_and_other_settings_are_no_growth(self, tmp_path):
        self.scan(tmp_path, "a", "A")
        self.embed(tmp_path, "A")
        with pytest.raises(ImagestrataError, match="made from other images"):
            self.scan(tmp_path, "b", "B", within=False)
        self.scan(tmp_path, "ab", "AB", k=2, overwrite=True)
        steps = read_run(tmp_path)["steps"]
        assert "embed" not in steps and "earlier" not in steps["scan"]

    def test_replacing_a_grown_step_retires_what_rests_on_its_earlier_states(self, tmp_path):
        self.scan(tmp_path, "a", "A")
        self.embed(tmp_path, "A")
        self.scan(tmp_path, "ab", "AB")
        self.scan(tmp_path, "c", "C", within=False, overwrite=True)
        assert "embed" not in read_run(tmp_path)["steps"]
