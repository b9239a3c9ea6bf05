"""Tables for papers: by hand, and the same as R's."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from imagestrata import ImagestrataError, rating_table
from test_golden import FIXTURES, golden


def _one(name: str, variance: str) -> pd.DataFrame:
    table = golden(name)
    kept = (table["variance"] == variance) & (table["weight"] == "cluster")
    if "adjust" in table:
        kept &= table["adjust"] == "holm"
    return table[kept].reset_index(drop=True)


def test_tables_for_papers_are_those_of_r():
    means, gaps = _one("means", "two-way"), _one("gaps", "respondent")
    months = pd.concat([means.assign(month=name) for name in ("May", "June")], ignore_index=True)
    months.insert(0, "month", months.pop("month"))
    months.loc[:2, "estimate"] = [float("nan"), -0.001, -2]
    tables = [
        rating_table(means),
        rating_table(means, level="item", uncertainty="standard error", digits=3),
        rating_table(gaps, labels={"angry": "Angry"}),
        rating_table(gaps.iloc[[0, 0, 1]], uncertainty="standard error"),
        rating_table(months, labels={"June": "6"}),
        rating_table(means[means["group"] == "Democrat"].drop(columns="group")),
    ]
    lines = []
    for table in tables:
        rows = [" | ".join(row) for row in [table.columns, *table.to_numpy()]]
        lines += [table.attrs["caption"], *rows, table.attrs["note"], ""]
    expected = (FIXTURES / "paper-tables.txt").read_text(encoding="utf-8").splitlines()
    assert lines == expected


def small_means() -> pd.DataFrame:
    """Two groups and two items, by hand."""
    estimate = pd.Series([3.456, 2, -0.001, None])
    error = pd.Series([0.5, 0.25, 1, None])
    half = stats.t.ppf(0.95, 10) * error
    return pd.DataFrame(
        {
            "level": "item",
            "item": ["proud", "proud", "angry", "angry"],
            "dimension": "all",
            "group": ["D", "R"] * 2,
            "estimate": estimate,
            "std_error": error,
            "df": 10,
            "conf_low": estimate - half,
            "conf_high": estimate + half,
            "n_ratings": [1200, 1100, 1000, 1],
            "weight": "corpus",
            "respondent_weight": "survey_weight",
            "variance": "respondent",
        }
    )


def test_means_have_a_column_for_each_group_by_hand():
    table = rating_table(small_means())
    assert table.columns.tolist() == ["Item", "D", "R"]
    assert table["D"].tolist() == ["3.46 [2.55, 4.36]", "0.00 [\u22121.81, 1.81]"]
    assert table["R"].tolist() == ["2.00 [1.55, 2.45]", "\u2013"]
    note = table.attrs["note"]
    assert note.startswith("Means with 90% intervals in brackets; every image of the corpus has")
    assert "respondents are weighted by survey_weight; standard errors allow for resp" in note
    assert note.endswith("Each mean rests on 1 to 1,200 ratings. \u2013: cannot be estimated.")


@pytest.mark.parametrize("format", ["markdown", "latex", "html"])
def test_formats_have_caption_numbers_and_note(format):
    text = rating_table(small_means(), to=format)
    for part in ("Mean ratings by group", "3.46 [2.55, 4.36]", "Note."):
        assert part in text
    if format == "latex":
        assert "[$-$1.81, 1.81]" in text and r"survey\_weight" in text and r"90\% int" in text


def small_gaps(adjust: str) -> pd.DataFrame:
    return small_means().assign(
        contrast=r"a<b>c - d~e^f\g", p_value=0.0001, p_adjusted=0.0001, adjust=adjust
    )


def test_signs_of_latex_are_written_out():
    latex = rating_table(small_gaps("holm"), labels={"proud": "p > 0 & ~"}, to="latex")
    assert r"\textless{}.001" in latex and r"p \textgreater{} 0 \& \textasciitilde{}" in latex
    assert r"a\textless{}b\textgreater{}c $-$ d\textasciitilde{}e\textasciicircum{}f" in latex
    assert r"f\textbackslash{}g" in latex and "<" not in latex and ">" not in latex


def test_the_note_says_that_intervals_are_not_adjusted():
    def note(adjust: str, **more: str) -> str:
        return str(rating_table(small_gaps(adjust), **more).attrs["note"])

    assert "adjusted by Holm's method, intervals are not. " in note("holm")
    assert "Benjamini and Hochberg, intervals are not. " in note("BH")
    assert "p values are not adjusted. " in note("none")
    assert "intervals" not in note("holm", uncertainty="standard error")


def test_files_have_the_format_of_their_extension(tmp_path: Path):
    for ending in (".md", ".tex", ".html"):
        out = rating_table(small_means(), out=tmp_path / f"means{ending}")
        assert "3.46" in out.read_text(encoding="utf-8")
    page = (tmp_path / "means.html").read_text(encoding="utf-8")
    assert page.startswith('<meta charset="utf-8">\n<table')
    with pytest.raises(ImagestrataError, match="exists"):
        rating_table(small_means(), out=out)
    rating_table(small_means(), out=out, overwrite=True)
    with pytest.raises(ImagestrataError, match="must end in"):
        rating_table(small_means(), out=tmp_path / "means.pdf")


def test_word_is_made_by_pandoc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ImagestrataError, match="pandoc"):
        rating_table(small_means(), out=tmp_path / "means.docx")
    stand_in = tmp_path / "pandoc"
    stand_in.write_text(
        "#!/usr/bin/env python3\nimport sys, zipfile\n"
        "with zipfile.ZipFile(sys.argv[sys.argv.index('-o') + 1], 'w') as file:\n"
        "    file.writestr('text', sys.stdin.buffer.read())\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(stand_in))
    out = rating_table(small_means(), out=tmp_path / "means.docx")
    with zipfile.ZipFile(out) as file:
        assert "| proud | 3.46 \\[" not in file.read("text").decode()
        assert "| proud | 3.46 [2.55, 4.36] |" in file.read("text").decode()


def test_wrong_input_is_refused():
    for given, message in [
        (1, "must be a result of"),
        (small_means().drop(columns="df"), "lacks 'df'"),
        # The coefficients of a model are no means; the model itself has a table.
        (small_means().drop(columns="n_ratings").assign(term="groupR"), "lacks 'n_ratings'"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            rating_table(given)
    for arguments, message in [
        ({"level": "dimension"}, "no 'dimension' to show"),
        ({"labels": "Proud"}, "texts by name"),
        ({"labels": {"D": "R"}}, "would be called 'R'"),
        ({"overwrite": True}, "out"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            rating_table(small_means(), **arguments)
