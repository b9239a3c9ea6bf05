"""Codes, and the codebook that explains them."""

from __future__ import annotations

import pandas as pd
import pytest

from imagestrata import ImagestrataError
from imagestrata.annotation.codes import Code, check_codebook, check_codes, codes_in


def test_every_kind_by_hand():
    found = check_codes(
        {
            "protest": "binary",
            "scene": ["march", "vigil"],
            "crowd": (1, 3),
            "mood": {"violent": 2, "calm": 0},
            "remark": None,
            "more": "text",
            "single": ["binary"],  # from R
        }
    )
    assert found == [
        Code("protest", "binary", ("1", "0")),
        Code("scene", "choice", ("march", "vigil")),
        Code("crowd", "scale", ("1", "2", "3")),
        Code("mood", "scale", ("0", "1", "2"), ("calm", "violent")),
        Code("remark", "text"),
        Code("more", "text"),
        Code("single", "binary", ("1", "0")),
    ]
    assert check_codes("protest") == check_codes(["protest"]) == found[:1]
    key = pd.DataFrame(
        {"image_id": ["a"], "other": ["{"], **{c.name: [c.as_json()] for c in found}}
    )
    assert codes_in(key) == found


def test_labels_as_people_write_them():
    binary, scene, crowd, remark = check_codes(
        {"a": "binary", "b": ["March", "vigil"], "c": [0, 10], "d": "text"}
    )

    def labels(code: Code, *given: str) -> list[str | None]:
        found = code.labels(pd.Series(given, dtype="str"))
        return [None if pd.isna(one) else one for one in found]

    assert labels(binary, "1", "yes", "No", "TRUE", "0.0", "2") == ["1", "1", "0", "1", "0", None]
    assert labels(scene, "March", "march", "VIGIL", "x") == ["March", "March", "vigil", None]
    assert labels(crowd, "3", "3.0", "3,0", "10", "11", "2.5") == ["3", "3", "3", "10", None, None]
    assert labels(remark, "anything") == ["anything"]
    # Where only capitals differ, only the exact answer counts.
    assert labels(check_codes({"a": ["US", "us"]})[0], "US", "us", "Us") == ["US", "us", None]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([], "`codes` must be names"),
        (5, "`codes` must be names"),
        ([""], "`codes` must be names"),
        (["a", "a"], "names a code twice"),
        ({"a": []}, "answers of the code 'a'"),
        ({"a": ["one"]}, "answers of the code 'a'"),
        ({"a": "yes"}, "answers of the code 'a'"),
        ({"a": ["x", "x"]}, "an answer twice"),
        ({"a": [1, 2, 3]}, "answers of the code 'a'"),
        ({"a": [7, 1]}, "must go up"),
        ({"a": [0, 11]}, "at most 11 points"),
        ({"a": [0.5, 3]}, "answers of the code 'a'"),
        ({"a": {"low": 1}}, "answers of the code 'a'"),
        (["note"], "has a column of that name already"),
        (["image_id"], "has a column of that name already"),
    ],
)
def test_bad_codes(codes, message):
    with pytest.raises(ImagestrataError, match=message):
        check_codes(codes)


IMAGES = pd.DataFrame({"image_id": ["i", "j"], "path": ["/x/i.jpg", "/x/j.jpg"]})


def test_a_codebook_by_hand(tmp_path):
    codes = check_codes({"protest": "binary", "scene": ["march", "vigil"]})
    other = tmp_path / "other.jpg"
    other.touch()
    table = pd.DataFrame(
        [
            ("scene", "vigil", "With candles.", None),
            ("protest", None, "People dissent.", "i"),
            ("protest", "1", "", "j.jpg"),
            ("protest", "yes", "Clearly.", str(other)),
        ],
        columns=["code", "answer", "definition", "example"],
    )
    expected = [
        ("protest", "", "People dissent.", ["i"]),
        ("protest", "yes", "Clearly.", ["j", "example-3"]),
        ("scene", "vigil", "With candles.", []),
    ]
    table.to_csv(tmp_path / "book.csv", index=False)
    for given in (table, tmp_path / "book.csv"):
        entries, shown = check_codebook(given, codes, IMAGES)
        assert [tuple(entry.values()) for entry in entries] == expected
        assert dict(zip(shown["image_id"], shown["path"], strict=True)) == {
            "i": "/x/i.jpg",
            "j": "/x/j.jpg",
            "example-3": str(other),
        }
    assert check_codebook({"scene": "Where."}, codes, IMAGES)[0][0]["definition"] == "Where."
    assert check_codebook(None, codes, IMAGES)[0] == []


@pytest.mark.parametrize(
    ("book", "message"),
    [
        ({"war": "Guns."}, "explains 'war', which is not a code"),
        (pd.DataFrame({"code": ["scene"]}), "neither a column 'definition'"),
        (pd.DataFrame({"name": ["scene"]}), "the column 'code'"),
        (5, "the column 'code'"),
        (
            [("scene", "riot", "x", "")],
            "answer 'riot' of the code 'scene', whose answers are march",
        ),
        ([("scene", "", "x", "gone.jpg")], "'gone.jpg' of the codebook is none of the images"),
    ],
)
def test_bad_codebooks(book, message):
    if isinstance(book, list):
        book = pd.DataFrame(book, columns=["code", "answer", "definition", "example"])
    codes = check_codes({"scene": ["march", "vigil"]})
    with pytest.raises(ImagestrataError, match=message):
        check_codebook(book, codes, IMAGES)
