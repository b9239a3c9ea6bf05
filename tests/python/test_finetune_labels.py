"""Labels as people keep them, joined to images."""

from __future__ import annotations

import shutil
import unicodedata

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, scan_images
from imagestrata.finetune.labels import check_labels, label_images
from imagestrata.names import Images
from labelled import draw_labelled, label_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_labelled(tmp_path_factory.mktemp("images"), 4)


@pytest.fixture(scope="module")
def scanned(folder):
    return scan_images(folder, progress=False)


def join(scanned, folder, labels, task=None):
    return label_images(scanned, labels, task, folder)


def test_a_table_of_paths(scanned, folder):
    labelled = join(scanned, folder, label_table(folder))
    assert labelled.task == "binary" and labelled.labels == ["red"]
    assert labelled.truth.ravel().tolist() == ["/red/" in path for path in labelled.images["path"]]


def test_ids_endings_and_csv_files_say_the_same(scanned, folder, tmp_path):
    wanted = join(scanned, folder, label_table(folder)).fingerprint()
    by_id = pd.DataFrame(
        {"image_id": scanned["image_id"], "red": ["/red/" in p for p in scanned["path"]]}
    )
    assert join(scanned, folder, by_id).fingerprint() == wanted
    windows = label_table(folder).assign(path=lambda t: "old\\" + t["path"].str.replace("/", "\\"))
    windows["path"] = windows["path"].str.removeprefix("old\\")
    assert join(scanned, None, windows.sample(frac=1, random_state=0)).fingerprint() == wanted
    label_table(folder).to_csv(tmp_path / "labels.csv", index=False)
    assert join(scanned, folder, tmp_path / "labels.csv").fingerprint() == wanted


def test_a_column_of_classes(scanned, folder):
    table = label_table(folder).assign(red=lambda t: t["path"].str.split("/").str[0])
    labelled = join(scanned, folder, table.rename(columns={"red": "class"}))
    assert labelled.task == "multiclass" and labelled.labels == ["green", "red"]
    assert labelled.truth.sum(axis=1).tolist() == [1] * 8


def test_several_labels_some_of_them_unknown(scanned, folder):
    table = label_table(folder).assign(odd=[1, 0, None] * 2 + [1, 0])
    labelled = join(scanned, folder, table)
    assert labelled.task == "multilabel" and labelled.labels == ["red", "odd"]
    assert np.isnan(labelled.truth).sum() == 2


def test_folders_of_classes_and_the_elements_folders(tmp_path, folder):
    labelled = join(scan_images(folder, progress=False), folder, None)
    assert labelled.labels == ["green", "red"]
    for split, first in (("train", 0), ("val", 3)):
        for name, colour in (("positive", "red"), ("negative", "green")):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for number in range(first, 4 if first else 3):
                shutil.copy(folder / colour / f"{number:02d}.png", place)
    labelled = join(scan_images(tmp_path, progress=False), tmp_path, None)
    assert labelled.task == "binary" and labelled.labels == ["positive"]
    assert labelled.images["split"].value_counts().to_dict() == {"train": 6, "val": 2}


def test_copies_come_together(tmp_path, folder):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "red" / "00.png", tmp_path / "red" / "copy.png")
    scanned = scan_images(tmp_path, progress=False)
    labels = label_table(tmp_path)
    assert len(join(scanned, tmp_path, labels).images) == 8
    labels.loc[labels["path"] == "red/copy.png", "red"] = 0
    with pytest.raises(ImagestrataError, match=r"contradict each other for 1 image .*'red'"):
        join(scanned, tmp_path, labels)
    split = labels.assign(red=label_table(tmp_path)["red"], split="train")
    split.loc[split["path"] == "red/copy.png", "split"] = "val"
    with pytest.warns(UserWarning, match="1 image has copies in more than one split"):
        labelled = join(scanned, tmp_path, split)
    assert set(labelled.images["split"]) == {"train"}


def test_labels_of_unknown_images_are_listed(scanned, folder):
    table = label_table(folder)
    strange = pd.concat([table, pd.DataFrame({"path": ["gone.png"], "red": [1]})])
    with pytest.warns(UserWarning, match="1 of 9 rows.*identify no image.*'gone.png'"):
        join(scanned, folder, strange)
    with pytest.raises(ImagestrataError, match="No row of"):
        join(scanned, folder, strange.tail(1))
    with pytest.warns(UserWarning, match="2 of 8 images have no label"):
        join(scanned, folder, table.drop(index=[0, 7]))
    everywhere = table.assign(path=table["path"].str.split("/").str[-1])
    with pytest.raises(ImagestrataError, match="fits 2 images"):
        join(scanned, None, everywhere)


def test_labels_of_unusable_images_are_listed(tmp_path, folder):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "red" / "bad.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="cannot be used.*bad.png"):
        join(scan_images(tmp_path, progress=False), tmp_path, label_table(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(red=1), "never 0: of 8 images, 8 have it"),
        (lambda t: t.assign(red=0), "never 1"),
        (lambda t: t.assign(red=[1, 1] + [0] * 6), "2 images with it and 6 without"),
        (lambda t: t.assign(red=[0, 1, 2, 3] * 2, odd=0), "'red' must hold 1, 0.*4 of 8"),
        (lambda t: t.assign(red="same"), "of one class, 'same'"),
        (lambda t: t.assign(red=list("abcdefgh")), "8 labelled images are too few for 8 classes"),
        (lambda t: t.drop(columns="path"), "column 'image_id', 'path' or 'file'"),
        (lambda t: t.drop(columns="red"), "no column with labels"),
        (lambda t: t.assign(split="exam"), "'split' must hold train, val, test.*'exam'"),
        (lambda t: t.assign(path=[None, *t["path"][1:]]), "1 of 8 rows of labels have no path"),
    ],
)  # fmt: skip
def test_labels_that_teach_nothing_are_refused(scanned, folder, change, message):
    with pytest.raises(ImagestrataError, match=message):
        join(scanned, folder, change(label_table(folder)))


@pytest.mark.parametrize(
    ("task", "columns", "message"),
    [
        ("regression", 1, "must be one of 'binary', 'multiclass', 'multilabel'"),
        ("multiclass", 2, "one column of classes; there are 2"),
        ("binary", 2, "needs one column"),
    ],
)
def test_tasks_that_labels_cannot_answer(scanned, folder, task, columns, message):
    table = label_table(folder).assign(other=[0, 1] * 4)
    with pytest.raises(ImagestrataError, match=message):
        join(scanned, folder, table.iloc[:, : columns + 1], task)


def test_what_is_no_table_of_labels(scanned, folder, tmp_path):
    with pytest.raises(ImagestrataError, match="There is no file"):
        join(scanned, folder, tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ImagestrataError, match="is empty"):
        join(scanned, folder, tmp_path / "empty.csv")
    with pytest.raises(ImagestrataError, match="not an int"):
        join(scanned, folder, 3)
    with pytest.raises(ImagestrataError, match="`images` must be one folder"):
        join(scanned, None, None)
    with pytest.raises(ImagestrataError, match="8 of 8 images are not in a folder"):
        join(scanned.assign(path=[f"/x/{i}.png" for i in range(8)]), "/x", None)


def rows_of(names: list[str], paths: list[str]) -> list[int]:
    table = pd.DataFrame({"image_id": [f"id {n}" for n in range(len(paths))], "path": paths})
    return Images(table).rows_of(names, "labels").tolist()


def test_accents_of_labels_may_be_composed_or_not():
    """Archives of a Mac hold decomposed names, and tables are typed composed."""
    name = unicodedata.normalize("NFD", "Müller")
    there = [f"/x/{name}.png", "/x/other.png"]
    typed = unicodedata.normalize("NFC", name)
    assert rows_of([f"{typed}.png", f"/x/{typed}.png", there[0]], there) == [0, 0, 0]
    both = [f"/x/{name}.png", f"/x/{typed}.png"]
    assert rows_of(both, both) == [0, 1]


class TestLongLabels:
    """Labels with one row per image and code, as read_labels() and consensus() return them."""

    def rows(self, **codes):
        table = [
            {"image_id": image, "code": code, "label": label, "annotator": "anna", "kind": kind}
            for code, (kind, answers) in codes.items()
            for image, label in answers.items()
        ]
        return pd.DataFrame(table)

    def test_one_binary_code_by_hand(self):
        rows = self.rows(protest=("binary", {"a": "1", "b": "0", "c": None}))
        with pytest.warns(UserWarning, match="1 of 3 labels are missing"):
            found = check_labels(rows)
        assert found.to_dict("list") == {"image_id": ["a", "b"], "protest": [1, 0]}

    def test_several_binary_codes_and_one_choice(self):
        rows = self.rows(
            protest=("binary", {"a": "1", "b": "0"}), flag=("binary", {"b": "1", "c": "1"})
        )
        found = check_labels(rows).set_index("image_id")
        assert list(found) == ["protest", "flag"]
        assert found["protest"].tolist()[:2] == [1, 0] and found["protest"].isna()["c"]
        choice = self.rows(place=("choice", {"a": "street", "b": "square"}))
        assert check_labels(choice)["place"].tolist() == ["street", "square"]

    @pytest.mark.parametrize("answers", [[1, 0], [True, False], [1.0, 0.0], ["1", "0"]])
    def test_plain_tables_of_any_type(self, answers):
        rows = pd.DataFrame({"image_id": ["a", "b"], "code": "protest", "label": answers})
        assert check_labels(rows)["protest"].tolist() == [1, 0]

    def test_a_label_called_code_is_a_label(self):
        rows = pd.DataFrame({"image_id": ["a", "b"], "code": [1, 0], "label": [0, 1]})
        assert list(check_labels(rows)) == ["image_id", "code", "label"]

    def test_splits_stay(self):
        rows = self.rows(protest=("binary", {"a": "1", "b": "0"})).assign(split=["train", "val"])
        assert check_labels(rows)["split"].tolist() == ["train", "val"]

    def test_several_annotators(self):
        rows = self.rows(protest=("binary", {"a": "1", "b": "0"}))
        both = pd.concat([rows, rows.assign(annotator="ben")])
        with pytest.raises(ImagestrataError, match=r"2 images have .* annotators(?s:.*)consensus"):
            check_labels(both)
        shared = rows.assign(annotator=["anna", "ben"])  # who shared the work
        assert len(check_labels(pd.concat([shared, shared]))) == 2

    @pytest.mark.parametrize(
        ("kind", "message"),
        [("scale", r"'anger' \(scale\)(?s:.*)label_ratings"), ("text", r"'anger' \(text\)")],
    )
    def test_kinds_that_a_network_does_not_learn(self, kind, message):
        rows = self.rows(
            protest=("binary", {"a": "1", "b": "0"}), anger=(kind, {"a": "7", "b": "2"})
        )
        with pytest.raises(ImagestrataError, match=message):
            check_labels(rows)
        plain = pd.DataFrame({"image_id": ["a", "b"], "code": "anger", "label": [7, 2]})
        with pytest.raises(ImagestrataError, match=r"'anger' \(scale\)"):
            check_labels(plain)

    def test_classes_beside_other_codes(self):
        rows = self.rows(
            protest=("binary", {"a": "1", "b": "0"}), place=("choice", {"a": "street"})
        )
        with pytest.raises(ImagestrataError, match=r"2 codes, of which .*place(?s:.*)separate"):
            check_labels(rows)
        assert list(check_labels(rows, several=True)) == ["image_id", "protest", "place"]
