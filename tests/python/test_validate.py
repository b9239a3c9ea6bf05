"""Every check names the argument, what was expected and what was seen."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from imagestrata import Clustering, Embeddings, FineTunedModel, embed_images, scan_images
from imagestrata.errors import ImagestrataError, plural
from imagestrata.files import make_folder
from imagestrata.provenance import require_step
from imagestrata.validate import (
    check_bool,
    check_choice,
    check_float,
    check_folder,
    check_int,
    check_path,
    check_seed,
    check_unmasked,
)


def test_plain_values_pass_and_come_back_plain():
    assert check_int("k", 5.0) == 5
    assert type(check_int("k", np.int32(5))) is int
    assert check_float("t", 1) == 1.0
    assert check_bool("b", np.True_) is True
    assert check_choice("m", "a", ["a", "b"]) == "a"
    assert check_seed(2**32 - 1) == 2**32 - 1


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (check_int, ("k", 2.5), "`k` must be a whole number, not 2.5"),
        (check_int, ("k", True), "`k` must be a whole number, not True"),
        (check_int, ("k", "5"), "not '5'"),
        (check_float, ("t", float("nan")), "finite number, not nan"),
        (check_float, ("t", None), "finite number, not None"),
        (check_bool, ("b", 1), "must be True or False, not 1"),
        (check_choice, ("m", "c", ["a", "b"]), "one of 'a', 'b', not 'c'"),
        (check_choice, ("m", "kmean", ["kmeans", "hdbscan"]), "Did you mean 'kmeans'?"),
        (check_seed, (-1,), "`seed` must be between 0 and 4294967295"),
        (check_folder, ("images", 5), "must be a path, not 5"),
        (check_folder, ("images", "/no/such"), "The folder '/no/such' does not exist"),
        (check_folder, ("images", __file__), "is a file"),
    ],
)
def test_other_values_are_refused(check, arguments, message):
    with pytest.raises(ImagestrataError) as caught:
        check(*arguments)
    assert message.replace("\\", "") in str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"minimum": 1}, "at least 1, not 0"),
        ({"maximum": -1}, "at most -1, not 0"),
        ({"minimum": 1, "maximum": 3}, "between 1 and 3, not 0"),
    ],
)
def test_bounds(bounds, message):
    for check in (check_int, check_float):
        with pytest.raises(ImagestrataError, match=message):
            check("n", 0, **bounds)


def test_folder_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_folder("images", "~") == tmp_path


@pytest.mark.parametrize("name", ["a\0b", "n" * 300, "a/" * 3000, "caf\ud800"])
def test_what_can_be_no_path_is_said_by_every_reader(name):
    """Not with the operating system's error, which the command line would show as a crash."""
    readers = [
        lambda: check_path("x", name),
        lambda: scan_images(name),
        lambda: embed_images(name, "hog"),
        lambda: make_folder(name),
        lambda: require_step(Path(name), "scan"),
        lambda: Embeddings.load(name),
        lambda: Clustering.load(name),
        lambda: FineTunedModel.load(name),
    ]
    for read in readers:
        with pytest.raises(ImagestrataError, match="is not a valid path on this system"):
            read()


def test_a_tilde_may_begin_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~$old").mkdir()
    assert check_folder("x", "~$old").samefile(tmp_path / "~$old")
    with pytest.raises(ImagestrataError, match="The folder '~nobodyatall/x' does not exist"):
        check_folder("x", "~nobodyatall/x")


def test_folder_without_permission(unprivileged, tmp_path):
    tmp_path.chmod(0o700)
    with unprivileged(), pytest.raises(ImagestrataError, match="No permission"):
        check_folder("images", tmp_path)


def test_numbers_with_their_nouns():
    assert [plural(n, "image") for n in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]
    assert [plural(n, "copy", "copies") for n in (1, 2)] == ["1 copy", "2 copies"]


def test_accents_of_a_path_are_those_of_the_file_system(tmp_path, monkeypatch):
    name = unicodedata.normalize("NFD", "Müller")
    composed = unicodedata.normalize("NFC", name)
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for typed, stored in (
        (composed, name), (f"{composed}/new é", f"{name}/new é"), (name, name), ("é", "é"),
    ):  # fmt: skip
        assert check_path("out", typed) == Path(stored)
        assert check_path("out", tmp_path / typed) == tmp_path / stored
    (tmp_path / composed).mkdir()  # both are there: the one that was typed
    assert check_path("out", composed) == Path(composed)


def test_masked_values_are_refused():
    masked = np.ma.masked_array(np.arange(4.0), [False, True, True, False])
    with pytest.raises(ImagestrataError, match="2 masked values"):
        check_unmasked("matrix", masked)
    check_unmasked("matrix", np.ma.masked_array(np.arange(4.0)))
    check_unmasked("matrix", np.arange(4.0))
    check_unmasked("matrix", [1, 2])
