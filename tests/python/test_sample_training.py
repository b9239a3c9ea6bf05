"""sample_training: balanced draws, negatives of other clusters, near-copies, splits."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    fine_tune,
    sample_training,
    scan_images,
)


def long(code, answers, **more):
    """A table of labels by number of the image."""
    rows = [{"image_id": f"i{n}", "code": code, "label": label} for n, label in answers.items()]
    return pd.DataFrame(rows).assign(**more)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Thirty pictures in three clusters of ten, the last in part residual; a copy of the first."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(30):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        picture = Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:02d}.png")
    with Image.open(folder / "00.png") as picture:
        picture.resize((120, 90)).save(folder / "00-small.png")
    scanned = scan_images(folder, progress=False)
    file = scanned["path"].str.rsplit("/").str[-1]
    number = file.str[:2].astype(int)
    vectors = np.random.default_rng(0).normal(size=(31, 3)).astype(np.float32)
    embeddings = Embeddings(scanned, vectors, {"name": None, "width": 3})
    groups = np.where(number < 10, 1, np.where(number < 20, 2, np.where(number < 28, 3, -1)))
    clustering = Clustering.from_labels(embeddings, groups)
    return clustering, dict(zip(file, scanned["image_id"], strict=True))


def named(study, answers, **more):
    """Labels of files of the study."""
    ids = study[1]
    rows = [{"image_id": ids[f], "code": "crowd", "label": a} for f, a in answers.items()]
    return pd.DataFrame(rows).assign(**more)


class TestDraws:
    def test_as_many_of_each_answer(self):
        labels = long("crowd", {n: int(n < 3) for n in range(10)})
        found = sample_training(labels, seed=1)
        assert found["label"].value_counts().to_dict() == {"1": 3, "0": 3}
        assert set(found.loc[found["label"] == "1", "image_id"]) == {"i0", "i1", "i2"}
        assert (found["source"] == "label").all() and (found["kind"] == "binary").all()
        again = sample_training(labels.sample(frac=1, random_state=0), seed=1)
        assert len(again) == 6
        pd.testing.assert_frame_equal(sample_training(labels, seed=1), found)
        assert not sample_training(labels, seed=2).equals(found)
        assert len(sample_training(labels, balance=False)) == 10

    def test_each_code_has_a_set_of_its_own(self):
        labels = pd.concat([
            long("crowd", {n: int(n < 3) for n in range(10)}),
            long("place", {n: ["street", "square", "park"][min(n // 2, 2)] for n in range(9)}),
        ])  # fmt: skip
        found = sample_training(labels)
        counts = found.groupby(["code", "label"]).size().to_dict()
        assert counts == {
            ("crowd", "1"): 3, ("crowd", "0"): 3,
            ("place", "street"): 2, ("place", "square"): 2, ("place", "park"): 2,
        }  # fmt: skip
        told = found.attrs["counts"].set_index(["code", "label"])
        assert told.loc[("place", "park"), ["labelled", "drawn"]].tolist() == [5, 2]

    def test_only_training_images_are_balanced(self):
        split = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
        labels = long("crowd", {n: int(n in (0, 1, 6, 8)) for n in range(12)}, split=split)
        found = sample_training(labels)
        assert found.groupby(["split", "label"]).size().to_dict() == {
            ("train", "0"): 2, ("train", "1"): 2, ("val", "0"): 1, ("val", "1"): 1,
            ("test", "0"): 3, ("test", "1"): 1,
        }  # fmt: skip

    def test_copies_count_once_and_never_straddle(self, study):
        files = {"00.png": 1, "00-small.png": 1, "01.png": 1, "10.png": 0, "11.png": 0}
        found = sample_training(named(study, files), study[0], balance=False, progress=False)
        assert len(found) == 4
        told = found.attrs["counts"].set_index("label")
        assert told["copies"].to_dict() == {"1": 1, "0": 0}
        torn = files | {"00-small.png": 0}
        with pytest.warns(UserWarning, match="1 group of near-copies has different labels"):
            found = sample_training(named(study, torn), study[0], balance=False, progress=False)
        assert len(found) == 3
        pair = {"00.png": 1, "00-small.png": 0}
        with pytest.warns(UserWarning), pytest.raises(ImagestrataError, match="no usable label"):
            sample_training(named(study, pair), study[0], progress=False)


class TestNegatives:
    def files(self):
        """Positives in cluster 1, one negative in cluster 2; nobody looked at cluster 3."""
        return {"00.png": 1, **{f"0{n}.png": 1 for n in range(1, 5)}, "10.png": 0}

    def test_they_come_from_clusters_without_positives(self, study):
        labels = named(study, self.files(), split=["train"] * 6)
        found = sample_training(labels, study[0], negatives="clusters", progress=False)
        assert found["label"].value_counts().to_dict() == {"1": 5, "0": 5}
        assumed = found[found["source"] == "cluster"]
        assert len(assumed) == 4 and set(assumed["cluster"]) == set(
            found.loc[(found["source"] == "label") & (found["label"] == "0"), "cluster"]
        )
        assert set(assumed["split"]) == {"train"} and (assumed["label"] == "0").all()
        assert not set(assumed["image_id"]) & set(labels["image_id"])
        assert found.attrs["counts"].set_index("label")["assumed"]["0"] == 4

    def test_never_unless_asked(self, study):
        found = sample_training(named(study, self.files()), study[0], progress=False)
        assert (found["source"] == "label").all() and len(found) == 2

    def test_too_few(self, study):
        files = self.files() | {f"{n}.png": 1 for n in range(20, 28)}
        labels = named(study, files, split=["train"] * len(files))
        with pytest.warns(UserWarning, match="12 more negatives .* 9 images without a label are"):
            found = sample_training(labels, study[0], negatives="clusters", progress=False)
        assert found["label"].value_counts().to_dict() == {"1": 10, "0": 10}

    def test_they_are_for_training_only(self, study):
        files = {f"0{n}.png": 1 for n in range(1, 9)} | {f"1{n}.png": 0 for n in range(4)}
        found = sample_training(named(study, files), study[0], negatives="clusters", progress=False)
        assert set(found["split"]) == {"train", "val", "test"}
        assert set(found.loc[found["source"] == "cluster", "split"]) == {"train"}

    def test_fine_tune_takes_them(self, study):
        files = {f"0{n}.png": 1 for n in range(1, 9)} | {f"1{n}.png": 0 for n in range(6)}
        found = sample_training(named(study, files), study[0], negatives="clusters", progress=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = fine_tune(
                study[0].images["path"].tolist(), found, encoder="hog", freeze="backbone",
                epochs=2, progress=False,
            )  # fmt: skip
        assert model.labels == ["crowd"] and len(model.predictions) == len(found)
        splits = model.predictions.set_index("image_id")["split"]
        assert splits[found["image_id"]].tolist() == found["split"].tolist()


class TestBadInput:
    def test_arguments(self, study):
        labels = long("crowd", {0: 1, 1: 0})
        with pytest.raises(ImagestrataError, match="needs a clustering"):
            sample_training(labels, negatives="clusters")
        with pytest.raises(ImagestrataError, match="All usable labels of 'crowd' are '1'"):
            sample_training(long("crowd", {0: 1, 1: 1}))
        classes = named(study, {"00.png": "a", "10.png": "b"})
        with pytest.raises(ImagestrataError, match="has classes, which have no negatives"):
            sample_training(classes, study[0], negatives="clusters")
        with pytest.raises(ImagestrataError, match="`negatives` must be one of"):
            sample_training(labels, study[0], negatives="all")

    def test_pictures_that_are_gone(self, study, tmp_path):
        place = study[0].images["path"].iloc[0].rsplit("/", 1)[0]
        gone = shutil.copytree(place, tmp_path / "p")
        scanned = scan_images(gone, progress=False)
        vectors = np.zeros((31, 3), dtype=np.float32) + np.arange(31, dtype=np.float32)[:, None]
        moved = Clustering.from_labels(
            Embeddings(scanned, vectors, {"name": None, "width": 3}), [1] * 15 + [2] * 16
        )
        (gone / "01.png").unlink()
        files = {"01.png": 1, "02.png": 1, "10.png": 0, "11.png": 0}
        with pytest.warns(UserWarning, match="1 of 4 images could not be read"):
            found = sample_training(named(study, files), moved, progress=False)
        assert len(found) == 4
