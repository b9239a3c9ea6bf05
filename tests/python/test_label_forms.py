"""Labels of images: what lies in the files, and what comes back."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from clusterings import draw_images, hand_made
from imagestrata import (
    ImagestrataError,
    agreement,
    consensus,
    export_labels,
    read_labels,
    sample_images,
)

CODES = {"protest": "binary", "scene": ["march", "vigil"], "crowd": [1, 7], "remark": "text"}
CLUSTERS = [1] * 6 + [2] * 4 + [-1] * 2


@pytest.fixture
def sample(tmp_path):
    clustering = hand_made(draw_images(tmp_path / "images", CLUSTERS), CLUSTERS)
    return sample_images(clustering, n_per_cluster=3)


def out(sample, folder, codes=CODES, **options):
    return export_labels(sample, folder / "label", codes, **{"progress": False} | options)


def data_of(page: Path):
    block = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(block[1])


def filled(folder: Path, coder: str, person: str, **values) -> Path:
    """The table of a coder with the same values in every row."""
    table = pd.read_csv(folder / f"{coder}.csv", dtype=str, keep_default_na=False)
    table.assign(**values).to_csv(folder.parent / f"{person}.csv", index=False)
    return folder.parent / f"{person}.csv"


def test_pages_by_hand(sample, tmp_path):
    folder = out(sample, tmp_path, coders=2, double=0.25, warning="Blood.", question="What?")
    assert sorted(path.name for path in folder.iterdir()) == [
        "coder-1.html",
        "coder-2.html",
        "export.json",
        "packets.csv",
    ]
    packets = pd.read_csv(folder / "packets.csv")
    assert packets.columns.tolist() == ["packet_id", "n_images", "file"]
    assert packets["n_images"].sum() == len(sample) + 2
    key = pd.read_csv(tmp_path / "label-key.csv")
    assert {*key["image_id"]} == {*sample["image_id"]}
    assert key.groupby("image_id").size().value_counts().to_dict() == {1: 5, 2: 2}
    page = (folder / "coder-1.html").read_text(encoding="utf-8")
    assert "Blood." in page and "What?" in page
    data = data_of(folder / "coder-1.html")
    assert data["images"][0]["picture"].startswith("data:image/jpeg;base64,")
    assert [code["kind"] for code in data["codes"]] == ["binary", "choice", "scale", "text"]


def test_examples_and_excluded_images(sample, tmp_path):
    first, second = sample["image_id"].iloc[:2]
    book = pd.DataFrame({"code": "protest", "definition": "Dissent.", "example": [first, second]})
    folder = out(sample, tmp_path, codebook=book, exclude=[first])
    page = (folder / "coder-1.html").read_text(encoding="utf-8")
    entry = data_of(folder / "coder-1.html")["codebook"][0]
    assert first not in page and len(entry["examples"]) == 1
    assert entry["definition"] == "Dissent."
    assert first not in (tmp_path / "label-key.csv").read_text(encoding="utf-8")
    # An example stays where its own image is labelled by somebody else.
    folder = out(sample, tmp_path, codebook=book, coders=3, overwrite=True)
    for page in folder.glob("*.html"):
        assert len(data_of(page)["codebook"][0]["examples"]) == 2


def test_tables_come_back(sample, tmp_path):
    folder = out(sample, tmp_path, to="csv", coders=2, double=1.0)
    assert (folder / "images").is_dir()
    anna = filled(folder, "coder-1", "anna", protest="yes", scene="March", crowd="3,0", note="dark")
    bo = filled(folder, "coder-2", "bo", protest="0", scene="march", crowd="5", remark="x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = read_labels([anna, bo], folder)
    assert labels.columns.tolist() == [
        "image_id", "code", "label", "annotator", "note", "kind", "seconds",
    ]  # fmt: skip
    assert labels.iloc[:7, 1:6].fillna("").values.tolist() == [
        ["protest", "1", "anna", "dark", "binary"],
        ["scene", "march", "anna", "dark", "choice"],
        ["crowd", "3", "anna", "dark", "scale"],
        ["protest", "0", "bo", "", "binary"],
        ["scene", "march", "bo", "", "choice"],
        ["crowd", "5", "bo", "", "scale"],
        ["remark", "x", "bo", "", "text"],
    ]
    assert len(labels) == 7 * len(sample)
    assert labels.attrs["pace"][0] | {"seconds": 0} == {
        "annotator": "anna", "n_images": len(sample), "n_skipped": 0, "seconds": 0,
    }  # fmt: skip
    for known in (tmp_path / "label-key.csv", pd.read_csv(tmp_path / "label-key.csv", dtype=str)):
        pd.testing.assert_frame_equal(read_labels([anna, bo], known), labels)
    # Of a table without codes, with the codes as they were given.
    again = read_labels([anna, bo], sample, codes=CODES)
    assert len(again) == len(labels) and {*again["kind"]} == {*labels["kind"]}
    # Two tables of labels can be joined as they are.
    assert len(pd.concat([read_labels(anna, folder), read_labels(bo, folder)])) == len(labels)


def test_a_skipped_image_has_no_label(sample, tmp_path):
    folder = out(sample, tmp_path, ["protest"], to="csv")
    values = ["1", "0", "", "1", "1", "", "1"]
    reasons = ["", "", "too disturbing", "", "unsure", "", ""]
    notes = ["", "n", "really", "", "", "", ""]
    file = filled(folder, "coder-1", "anna", protest=values, skipped=reasons, note=notes)
    with pytest.warns(UserWarning, match="1 of 7 images have no label"):
        labels = read_labels(file, folder)
    assert labels["label"].fillna("").tolist() == ["1", "0", "", "1", "", "1"]
    assert labels["note"].fillna("").tolist()[1:5] == ["n", "too disturbing; really", "", "unsure"]
    assert labels.attrs["pace"][0]["n_skipped"] == 2


def test_gaps_are_counted(sample, tmp_path):
    folder = out(sample, tmp_path, {"a": "binary", "b": "binary"}, to="csv", coders=2, double=0.5)
    table = pd.read_csv(folder / "coder-1.csv", dtype=str)
    filled(folder, "coder-1", "anna", a="1", b=["1"] + [""] * (len(table) - 1))
    with pytest.warns(UserWarning) as said:
        read_labels(tmp_path / "anna.csv", folder)
    told = " ".join(str(one.message) for one in said)
    assert f"{len(table) - 1} images have labels for some of the codes only" in told
    assert f"b of {len(table) - 1}" in told
    assert re.search(r"[1-4] of 4 images for two annotators have the labels of one", told)


def test_label_studio_comes_back(sample, tmp_path):
    folder = out(sample, tmp_path, {"protest": "binary", "scene": ["a", "b"]}, to="labelstudio")
    config = (folder / "config.xml").read_text()
    assert '<Choice value="yes"/>' in config and 'name="note"' in config
    assert 'required="true"' not in config
    tasks = json.loads((folder / "tasks.json").read_text())
    done = []
    for number, task in enumerate(tasks):
        result = [{"from_name": "protest", "value": {"choices": ["yes" if number else "no"]}}]
        if number == 1:
            result.append({"from_name": "note", "value": {"text": ["blurred"]}})
        if number == 2:
            result = [{"from_name": "skipped", "value": {"text": ["disturbing"]}}]
        given = {"completed_by": 7, "result": result}
        if number == 3:
            given = {"completed_by": 7, "result": [], "was_cancelled": True}
        done.append(task | {"annotations": [given]})
    (tmp_path / "answers.json").write_text(json.dumps(done))
    with pytest.warns(UserWarning, match="some of the codes only"):
        labels = read_labels(tmp_path / "answers.json", folder)
    first = labels[labels["image_id"] == tasks[0]["data"]["image_id"]]
    assert first[["code", "label", "annotator"]].values.tolist() == [["protest", "0", "7"]]
    assert {*labels["note"].dropna()} == {
        "blurred",
        "disturbing",
        "skipped in Label Studio",
    }
    assert labels["label"].isna().sum() == 4


def test_bad_answers(sample, tmp_path):
    folder = out(sample, tmp_path, {"protest": "binary", "crowd": [1, 7]}, to="csv")
    given = {"protest": "1", "crowd": "2"}

    def refused(message: str, **values):
        with pytest.raises(ImagestrataError, match=message):
            read_labels(filled(folder, "coder-1", "anna", **given | values), folder)

    refused(r"7 of 14 labels are not answers of the code 'protest' \(yes, no\): 'perhaps'",
            protest="perhaps")  # fmt: skip
    refused(
        r"7 of 14 labels are not answers of the code 'crowd' \(1, 2, 3, 4, 5, 6, 7\)", crowd="8"
    )
    refused("14 of 14 labels are about images that are not among the 7", image_id="1.2e+19")
    file = filled(folder, "coder-1", "anna", **given)
    table = pd.read_csv(file, dtype=str)
    table.drop(columns="crowd").to_csv(file, index=False)
    with pytest.raises(ImagestrataError, match="lacks the column 'crowd'"):
        read_labels(file, folder)
    table.assign(annotator="anna").to_csv(file, index=False)
    table.assign(annotator="anna", protest="0").to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ImagestrataError, match="7 images have contradictory labels by one"):
        read_labels([file, tmp_path / "b.csv"], folder)
    with pytest.raises(ImagestrataError, match="No label was found"):
        read_labels(folder / "coder-1.csv", folder)
    with pytest.raises(ImagestrataError, match="`key` does not describe any codes"):
        read_labels(file, sample)
    with pytest.raises(ImagestrataError, match="`files` is empty"):
        read_labels([], folder)


def test_bad_arguments(sample, tmp_path):
    with pytest.raises(ImagestrataError, match="is only for packets, not for labels"):
        out(sample, tmp_path, to="qualtrics")
    with pytest.raises(ImagestrataError, match="`codes` must be names"):
        out(sample, tmp_path, [])
    with pytest.raises(ImagestrataError, match="lacks the column 'path'"):
        out(sample.drop(columns="path"), tmp_path)
    with pytest.raises(ImagestrataError, match="fit no image"):
        out(sample, tmp_path, exclude=["typo"])
    assert not (tmp_path / "label").exists() or not any((tmp_path / "label").iterdir())
    out(sample, tmp_path)
    with pytest.raises(ImagestrataError, match="already contains an export"):
        out(sample, tmp_path)


def long_labels(**of_annotators) -> pd.DataFrame:
    """Labels of images a, b, c, ...: for each annotator and code a list of labels."""
    rows = [
        (chr(97 + i), code, label, name)
        for name, codes in of_annotators.items()
        for code, labels in codes.items()
        for i, label in enumerate(labels)
    ]
    return pd.DataFrame(rows, columns=["image_id", "code", "label", "annotator"])


def test_agreement_by_code():
    """As of judged pairs with the same answers."""
    kinds = {"p": "binary", "s": "choice", "c": "scale", "t": "text"}
    labels = long_labels(
        anna={"p": list("11001"), "s": list("xyzxy"), "c": list("12345"), "t": list("abcde")},
        bo={"p": ["1", "0", "0", "0", None], "s": list("xyyxx"), "c": list("12335")},
    )
    labels["kind"] = labels["code"].map(kinds)
    with pytest.warns(UserWarning, match=r"1 code is left out: t \(free text\)"):
        found = agreement(labels, n_boot=50)
    assert found["code"].drop_duplicates().tolist() == ["p", "s", "c"]
    by_code = found.set_index(["code", "measure"])
    assert by_code.loc[("p", "percent_agreement"), "estimate"].tolist() == [0.75, 0.75]
    assert by_code.loc[("p", "percent_agreement"), "n_images"].tolist() == [4, 4]
    assert by_code.loc[("s", "percent_agreement"), "estimate"].tolist() == [0.6, 0.6]
    alphas = found[found["measure"].str.startswith("kripp")].groupby("code")["measure"].apply(list)
    assert alphas["p"] == alphas["s"] == ["krippendorff_alpha_nominal"]
    assert alphas["c"] == ["krippendorff_alpha_ordinal", "krippendorff_alpha_interval"]
    scale = labels[labels["code"] == "c"]
    judged = scale.rename(columns={"image_id": "pair_id"}).assign(
        judgement=scale["label"].astype(int)
    )[["pair_id", "annotator", "judgement"]]
    pairs = agreement(judged, n_boot=50).rename(columns={"n_pairs": "n_images"})
    pairs = pairs[pairs["measure"] != "krippendorff_alpha_nominal"].reset_index(drop=True)
    mine = found[found["code"] == "c"].drop(columns="code").reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, pairs)


def test_agreement_of_labels_that_are_refused():
    labels = long_labels(anna={"p": list("10")}, bo={"p": ["1"]})
    assert agreement(labels, n_boot=5)["n_images"].tolist()[0] == 1
    with pytest.raises(ImagestrataError, match="by one annotator, 'anna'"):
        agreement(labels[labels["annotator"] == "anna"])
    with pytest.raises(ImagestrataError, match="'anna' labelled the image 'a' more than once"):
        agreement(pd.concat([labels, labels]))
    with pytest.raises(ImagestrataError, match="lacks the column 'annotator'"):
        agreement(labels.drop(columns="annotator"))
    words = long_labels(anna={"s": list("xy")}, bo={"s": list("xx")})
    with pytest.raises(ImagestrataError, match="have no ordinal level"):
        agreement(words, level="ordinal")
    apart = labels[~((labels["annotator"] == "anna") & (labels["image_id"] == "a"))]
    with pytest.raises(ImagestrataError, match="No code has labels of an image by two annotators"):
        agreement(apart)


def test_consensus_by_hand():
    labels = long_labels(
        anna={"p": ["1", "1", None], "s": list("xyz"), "c": list("246")},
        bo={"p": ["1", "0", None], "s": list("xxz"), "c": list("256")},
        cleo={"p": ["0"], "s": list("xz"), "c": list("377")},
    )
    labels["kind"] = labels["code"].map({"p": "binary", "s": "choice", "c": "scale"})
    labels["note"] = None
    labels.loc[1, "note"] = "blurred"
    with pytest.warns(UserWarning, match="2 of 9 labels are undecided: their annotators tie"):
        decided = consensus(labels[labels["code"] != "c"].pipe(lambda t: pd.concat(
            [t, labels[(labels["code"] == "c") & (labels["annotator"] == "anna")]])))  # fmt: skip
    assert decided.columns.tolist() == ["image_id", "code", "label", "note", "kind", "n_annotators"]
    wide = decided.pivot(index="image_id", columns="code", values="label").fillna("-")
    assert wide["p"].tolist() == ["1", "-", "-"]
    assert wide["s"].tolist() == ["x", "-", "z"]
    counts = decided.pivot(index="image_id", columns="code", values="n_annotators")
    assert counts["p"].tolist() == [3, 2, 0]
    assert decided["note"].dropna().tolist() == ["anna: blurred"]
    disputed = pd.DataFrame(decided.attrs["disputed"])
    assert disputed[["image_id", "code"]].drop_duplicates().values.tolist() == [
        ["a", "p"], ["b", "p"], ["b", "s"],
    ]  # fmt: skip
    assert disputed["annotator"].tolist()[:3] == ["anna", "bo", "cleo"]
    scale = labels[labels["code"] == "c"]
    assert consensus(scale, "mean")["label"].str[:4].tolist() == ["2.33", "5.33", "6.33"]
    assert consensus(scale, "any")["label"].tolist() == ["3", "7", "7"]
    binary = labels[labels["code"] == "p"]
    assert consensus(binary, "mean")["label"].fillna("-").tolist() == ["1", "1", "-"]
    assert consensus(binary, "any")["label"].fillna("-").tolist() == ["1", "1", "-"]
    with pytest.warns(UserWarning, match="their annotators differ"):
        assert consensus(binary, "all")["label"].isna().all()
    with pytest.raises(ImagestrataError, match="'s' have no order, which rule=\"mean\" needs"):
        consensus(labels, "mean")


def test_a_plain_table_is_enough():
    table = pd.DataFrame({"image_id": ["a", "b", "a"], "code": "p", "label": [True, False, True]})
    decided = consensus(table.iloc[:2])
    assert decided["label"].tolist() == ["1", "0"] and {*decided["kind"]} == {"binary"}


def test_a_meeting_sees_what_everybody_said(sample, tmp_path):
    folder = out(sample, tmp_path, ["protest"], to="csv", coders=2, double=1.0)
    ids = pd.read_csv(folder / "coder-1.csv", dtype=str)["image_id"]
    files = [
        filled(folder, "coder-1", "anna", protest=["1"] * 7, note=["unclear", *[""] * 6]),
        filled(folder, "coder-2", "bo", protest="1"),
    ]
    table = pd.read_csv(files[1], dtype=str)
    table["protest"] = table["protest"].mask(table["image_id"] == ids[0], "0")
    table.to_csv(files[1], index=False)
    labels = read_labels(files, folder)
    meeting = export_labels(
        sample, tmp_path / "meeting", ["protest"], disputed=labels, progress=False
    )
    data = data_of(meeting / "coder-1.html")
    assert [image["id"] for image in data["images"]] == [ids[0]]
    assert data["images"][0]["facts"] == [["protest", "anna: yes (unclear); bo: no"]]
    met = labels[labels["annotator"] == "bo"].assign(annotator="meeting")
    decided = consensus(labels, "all", meeting=met[met["image_id"] == ids[0]])
    assert decided["label"].isna().sum() == 0 and decided.attrs["disputed"] == []
    assert decided.loc[decided["image_id"] == ids[0], "label"].tolist() == ["0"]
    assert decided["n_annotators"].tolist() == [2] * len(decided)
    with pytest.raises(ImagestrataError, match="has several answers to 1 image"):
        consensus(labels, meeting=pd.concat([met, met.head(1).assign(annotator="anna")]))
    with pytest.raises(ImagestrataError, match="about images and codes that nobody"):
        consensus(labels, meeting=met.assign(code="crowd"))
    agreed = labels[labels["annotator"] == "anna"]
    with pytest.raises(ImagestrataError, match="Annotators disagree on none"):
        export_labels(sample, tmp_path / "m", ["protest"], disputed=agreed, progress=False)


@pytest.mark.parametrize("name", ["=a", "<b>", "it's; a, 'code'", "__proto__", "a\nb"])
def test_codes_and_answers_may_be_any_text(sample, tmp_path, name):
    answers = ["=1+1", "@x", "-2", "<i>y</i>"]
    folder = out(sample, tmp_path, {name: answers}, to="csv")
    file = filled(folder, "coder-1", "anna")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    column = table.columns[-3]
    table[column] = ["'=1+1", "=1+1", "@x", "-2", "<i>y</i>", "'-2", "<I>Y</I>"]
    table.to_csv(file, index=False)
    labels = read_labels(file, folder)
    assert {*labels["code"]} == {name}
    assert labels["label"].tolist() == ["=1+1", "=1+1", "@x", "-2", answers[3], "-2", answers[3]]
