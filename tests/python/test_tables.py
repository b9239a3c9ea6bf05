"""Tables and lists from people: every odd file is read right, or refused with file and line."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagestrata
from imagestrata import ImagestrataError, read_ratings
from imagestrata.tables import (
    as_number,
    id_texts,
    keep_given,
    read_texts,
    read_typed,
    tell_alike,
    with_text_ids,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "tables"
IDS = ["001", "300000", "1e5", "TRUE", "NA", "1_000", "98765432109876543210", "Müller"]
KEYS = ("image_id", "path")


def stored(folder: Path, text: str, encoding: str = "utf-8", mark: bytes = b"") -> Path:
    file = folder / "a.csv"
    file.write_bytes(mark + text.encode(encoding))
    return file


def golden() -> list[Path]:
    return sorted(FIXTURES.glob("good-*"))


@pytest.mark.parametrize("file", golden(), ids=lambda file: file.name)
def test_golden_files_are_all_the_same_table(file):
    """Both languages read these; R's twin is tests/testthat/test-read-tables.R."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of them is cp1252
        table = read_texts(file, ("image_id", "rating"))
    assert list(table) == ["image_id", "remark, if any", "rating"]
    assert table["image_id"].tolist() == IDS
    assert table["remark, if any"].tolist()[:3] == ['5" wide', "two\nlines", ""]
    assert table["rating"].tolist() == [str(n) for n in range(1, 9)]


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("bad-*")), ids=lambda file: file.name)
def test_golden_files_that_nobody_may_repair(file):
    """The name of the file ends in the line that is at fault."""
    line = file.stem.rsplit("-", 1)[1]
    with pytest.raises(ImagestrataError) as caught:
        read_texts(file, ("image_id", "rating"))
    assert file.name in str(caught.value)
    assert line == "0" or f"ine {line} " in str(caught.value)


def test_ids_stay_text_and_numbers_become_numbers(tmp_path):
    file = stored(tmp_path, "image_id,x,zip,yes\n" + "".join(f"{i},1.5,007,TRUE\n" for i in IDS))
    table = read_typed(file, KEYS)
    assert table["image_id"].tolist() == IDS
    assert table["x"].tolist() == [1.5] * 8
    assert table["zip"].tolist() == ["007"] * 8
    assert table["yes"].tolist() == [True] * 8


def test_decimal_commas_where_commas_separate_nothing(tmp_path):
    table = read_typed(stored(tmp_path, "image_id;x\na;1,5\nb;\nc;NA\n"), KEYS)
    assert table["x"].tolist()[0] == 1.5 and table["x"].isna().tolist() == [False, True, True]
    text = read_typed(stored(tmp_path, 'image_id,x\na,"1,5"\n'), KEYS)
    assert text["x"].tolist() == ["1,5"]


def test_what_separates_columns_can_be_said_and_is_asked_for_where_it_is_open(tmp_path):
    file = stored(tmp_path, "a,b;c\n1,2;3\n")
    with pytest.raises(ImagestrataError, match=r"commas or by semicolons.*\n.*`sep`"):
        read_texts(file)
    assert list(read_texts(file, sep=";")) == ["a,b", "c"]
    assert list(read_texts(file, sep=",")) == ["a", "b;c"]
    assert list(read_texts(stored(tmp_path, "sep=;\na,b;c\n1,2;3\n"))) == ["a,b", "c"]
    with pytest.raises(ImagestrataError, match="one character"):
        read_texts(file, sep=";;")


def test_encodings(tmp_path):
    text = "image_id,x\nü,é\n"
    with pytest.warns(UserWarning, match=r"a\.csv' is not UTF-8 \(line 2\).*cp1252"):
        assert read_texts(stored(tmp_path, text, "cp1252"))["image_id"][0] == "ü"
    file = stored(tmp_path, "image_id,x\nж,ы\n", "cp1251")
    assert read_texts(file, encoding="cp1251")["image_id"][0] == "ж"
    with pytest.raises(ImagestrataError, match="encoding 'klingon' is unknown"):
        read_texts(file, encoding="klingon")
    with pytest.raises(ImagestrataError, match=r"Line 2 of .* not text in the encoding 'ascii'"):
        read_texts(file, encoding="ascii")
    damaged = tmp_path / "d.csv"
    damaged.write_bytes("image_id\nü\né\nä\n".encode() + b"\xff\n")
    with pytest.raises(ImagestrataError, match=r"Line 5 of .* not valid UTF-8"):
        read_texts(damaged)


def test_a_workbook_is_no_csv(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(ImagestrataError, match=r"workbook.*\n.*CSV UTF-8"):
        read_texts(tmp_path / "a.xlsx")


def test_a_page_is_no_table(tmp_path):
    page = tmp_path / "coder-1.html"
    for start in ("<!doctype html>\n<title>", "\ufeff\n <HTML lang='en'>"):
        page.write_text(start + "Label</title>,", encoding="utf-8")
        with pytest.raises(ImagestrataError, match=r"page for a browser.*\n.*the page saves"):
            read_texts(page)
    (tmp_path / "a.csv").write_text("<htmlx>,image_id\n1,a\n", encoding="utf-8")
    assert list(read_texts(tmp_path / "a.csv")) == ["<htmlx>", "image_id"]


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=3,
                         max_size=3), min_size=1))  # fmt: skip
def test_no_row_is_lost(tmp_path_factory, rows):
    """Whatever the cells hold, pandas writes them and we read as many."""
    file = tmp_path_factory.mktemp("t") / "a.csv"
    table = pd.DataFrame([["x", *row] for row in rows], columns=["image_id", "a", "b", "c"])
    table.to_csv(file, index=False)
    read = read_texts(file, ("image_id",), sep=",")
    stripped = table.map(str.strip)
    guarded = read.map(lambda text: text.lstrip("'"))
    pd.testing.assert_frame_equal(guarded, stripped.map(lambda text: text.lstrip("'")),
                                  check_dtype=False)  # fmt: skip


def test_ids_become_text_exactly():
    assert id_texts(pd.Series([1, 300000])).tolist() == ["1", "300000"]
    assert id_texts(pd.Series([300000.0, None])).tolist()[0] == "300000"
    assert id_texts(pd.Series(pd.Categorical(["b", "a"]))).tolist() == ["b", "a"]
    assert id_texts(pd.Series(IDS)).tolist() == IDS
    with pytest.raises(ImagestrataError, match="lost digits"):
        id_texts(pd.Series([1e17]))
    with pytest.raises(ImagestrataError, match="lost digits"):
        id_texts(pd.Series([1.5]))
    table = pd.DataFrame({"image_id": [1, 2]}).set_index("image_id", drop=False)
    assert with_text_ids(table)["image_id"].tolist() == ["1", "2"]


def test_numbers_keep_all_their_digits(tmp_path):
    given = [0.002554278416347382, 0.1 + 0.2, 1 / 3, -7.000000000000001e-300, 1e22]
    texts = [repr(one) for one in given]
    assert as_number(pd.Series([*texts, "none"])).tolist()[:-1] == given
    made = "x\n" + "".join(f"{text}\n" for text in texts)
    assert read_typed(stored(tmp_path, made), {}).x.tolist() == given
    table = read_typed(stored(tmp_path, "x,y\n1,1\n2,\n"), {})
    assert table.dtypes.tolist() == ["int64", "float64"]


def test_numbers_do_not_depend_on_the_locale():
    texts = pd.Series(["1.5", "1,5", " 2 ", "1e3", "0x10", "nan", "", "1_000"])
    assert as_number(texts).tolist()[0::2][:2] == [1.5, 2.0]
    assert as_number(texts).isna().tolist() == [False, True, False, False, True, True, True, True]
    assert as_number(texts, decimal_comma=True)[1] == 1.5


def test_columns_of_the_user_are_kept_under_other_names():
    table = pd.DataFrame({"image_id": ["a"], "cluster": [7], "cluster_given": [8]})
    with pytest.warns(UserWarning, match="'cluster' is now 'cluster_given_2'"):
        kept = keep_given(table, ["cluster"], "here")
    assert kept["cluster_given_2"].tolist() == [7] and kept["cluster_given"].tolist() == [8]


def test_own_columns_of_ratings_and_sheets_are_kept():
    """The sample's clusters and the sheet's ranks stand beside columns of the same name."""
    ratings = pd.DataFrame(
        {"respondent_id": ["p"], "image_id": ["a"], "item": ["proud"], "rating": [3], "N_h": ["my"]}
    )
    sample = pd.DataFrame({"image_id": ["a"], "cluster": [2], "N_h": [7]})
    with pytest.warns(UserWarning, match="'N_h' is now 'N_h_given'"):
        read = read_ratings(ratings.assign(group="g"), sample, items=["proud"])
    assert read[["cluster", "N_h", "N_h_given"]].values.tolist() == [[2, 7, "my"]]


def test_tables_in_the_types_of_arrow_are_read_like_others():
    posts = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(40)],
            "image_id": [f"i{i}" for i in range(40)],
            "author": [f"a{i % 20}" for i in range(40)],
            "cluster": [1, 1, 2, -1] * 10,
            "party": ["D", "R", "D", "D", "R"] * 8,
            "followers": range(40),
            "time": pd.date_range("2024-01-01", periods=40, freq="2D", tz="UTC"),
        }
    )
    arrow = posts.convert_dtypes(dtype_backend="pyarrow")
    for verb in (
        lambda table: imagestrata.topic_prevalence(table, ["party", "month"]),
        lambda table: imagestrata.topic_model(table, "~ party + followers").coefficients,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pd.testing.assert_frame_equal(verb(arrow), verb(posts))


def test_labels_that_differ_only_in_capitals_or_spaces_are_told():
    code = pd.Series(["scene"] * 5 + ["other"] * 2 + ["crowd"] * 2)
    label = pd.Series(["March", "march", " MARCH ", "vigil", None, "March", "rally", "x  y", "x y"])
    with pytest.warns(UserWarning, match="Labels of 'scene' differ only") as told:
        tell_alike(label, code)
    assert "'March', 'march', ' MARCH ', and 1 more" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_alike(label[3:7], code[3:7])
