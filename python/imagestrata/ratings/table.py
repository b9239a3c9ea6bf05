"""Tables for papers: estimates of ratings as journals print them."""

from __future__ import annotations

import html
import math
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.named import label_of, names_of
from ..errors import ImagestrataError
from ..files import write_text
from ..validate import check_bool, check_choice, check_idle, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb

DASH, MINUS, TIMES = "\u2013", "\u2212", "\u00d7"

#: Extension of a file -> format of the table in it.
FORMATS = {".docx": "docx", ".md": "markdown", ".tex": "latex", ".html": "html"}

#: Columns of estimates that are not groups.
_ESTIMATES = frozenset({
    "level", "term", "item", "dimension", "contrast", "method", "estimate", "std_error", "df",
    "statistic", "p_value", "p_adjusted", "conf_low", "conf_high", "n_ratings", "n_respondents",
    "n_images", "n_clusters", "n_effective", "n_predicted", "lambda", "weight",
    "respondent_weight", "variance", "adjust", "reason", "cluster_name", "theme_name",
})  # fmt: skip

#: The words for weights, standard errors and adjustments, in notes and in the methods paragraph.
WHAT_COUNTS = {
    "cluster": "every cluster has equal weight",
    "corpus": "every image of the corpus has equal weight",
    "share": "every share has equal weight",
    "none": "every rated image has equal weight",
}
ERRORS = {
    "two-way": "standard errors allow for respondents and for images within clusters",
    "respondent": "standard errors allow for respondents",
    "image": "standard errors allow for images only",
    "mixed model": "estimates are shrunken by a mixed model",
}
ADJUSTED = {
    "holm": "p values are adjusted by Holm's method",
    "BH": "p values are adjusted by the method of Benjamini and Hochberg",
    "none": "p values are not adjusted",
}

#: Most columns of groups, or of items of a model, that fit on a page.
_MOST = 6


@dataclass(frozen=True)
class _Style:
    """How numbers and names are written."""

    interval: bool
    digits: int
    labels: Mapping[str, str]

    def named(self, name: Any, text: str | None = None) -> str:
        """The text for a value: the user's own, or the usual one."""
        return self.labels.get(str(name), str(name) if text is None else text)

    def number(self, x: Any) -> str:
        """A rounded number with a minus sign, never "-0.00"."""
        if pd.isna(x):
            return DASH
        text = f"{abs(x):.{self.digits}f}"
        return MINUS + text if x < 0 and float(text) else text

    def between(self, row: Mapping[Any, Any]) -> str:
        """The interval of an estimate, in brackets."""
        if pd.isna(row["conf_low"]):
            return DASH
        return f"[{self.number(row['conf_low'])}, {self.number(row['conf_high'])}]"

    def cell(self, row: Mapping[Any, Any]) -> str:
        """An estimate with its interval or standard error beside it."""
        if pd.isna(row["estimate"]):
            return DASH
        beside = self.between(row) if self.interval else f"({self.number(row['std_error'])})"
        return f"{self.number(row['estimate'])} {DASH if pd.isna(row['std_error']) else beside}"


@public
def rating_table(
    estimates: Any,
    level: str | None = None,
    uncertainty: str = "interval",
    digits: int = 2,
    labels: Mapping[str, str] | None = None,
    to: str | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Any:
    """Make a table for a paper from means, gaps or models of ratings.

    It has a row for each item and dimension, numbers with their intervals or standard errors, and
    a note that states weights, errors and numbers of ratings. R's ``rating_table()`` writes the
    same.

    Parameters
    ----------
    estimates : DataFrame or RatingModel
        The result of :func:`rating_means`, :func:`rating_gaps` or :func:`rating_model`, or some
        rows of the first two.
    level : {"dimension", "item"} or None, default None
        Rows of one level; None for all. A model with more than six items and dimensions needs one
        of them, or fewer items, to fit on a page.
    uncertainty : {"interval", "standard error"}, default "interval"
        What stands beside an estimate.
    digits : int, default 2
        Decimals of estimates. Small coefficients of models have more, up to the first digit of
        their standard error.
    labels : mapping of str to str, optional
        Other texts for rows and columns, as ``{"scared": "Afraid"}``.
    to : {"markdown", "latex", "html"} or None, default None
        None returns the table; the others return text with the note.
    out : path, optional
        A file to write. Its extension gives the format: ``.docx`` (Word, by the program pandoc),
        ``.md``, ``.tex`` (for the package booktabs) or ``.html``.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    DataFrame, str or Path
        A table of texts with ``attrs["caption"]`` and ``attrs["note"]``; with ``to`` a string;
        with ``out`` the path of the file. What could not be estimated is a dash.

    Raises
    ------
    ImagestrataError
        If the estimates are of another kind or have no such rows, if a model has too many items,
        if the file exists or its extension is not known, or if pandoc is needed and absent.

    Notes
    -----
    Means have a column for each group, the first column of ``by``. More than six groups, such as
    clusters, have a row each instead. Gaps have a row each, with p values as they were adjusted.
    Models have a row for each term and a column for each item or dimension. Numbers of ratings,
    respondents and images are those of the rows: smallest and largest.
    """
    if level is not None:
        level = check_choice("level", level, ("dimension", "item"))
    uncertainty = check_choice("uncertainty", uncertainty, ("interval", "standard error"))
    digits = check_int("digits", digits, minimum=0)
    if to is not None:
        to = check_choice("to", to, ("markdown", "latex", "html"))
    overwrite = check_bool("overwrite", overwrite)
    if out is None:
        check_idle(f"with {arg('out')}", overwrite=(overwrite, False))
    file = None if out is None else _check_file(out, overwrite)
    style = _Style(uncertainty == "interval", digits, _check_labels(labels))
    if hasattr(estimates, "coefficients"):
        table = _of_model(estimates, level, style)
    else:
        table = _of_estimates(_rows(_check_estimates(estimates), level), style)
    if file is not None:
        return _write(table, file)
    return table if to is None else _render(table, to)


def _check_labels(labels: Any) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise ImagestrataError(
            f"{arg('labels')} must be texts by name, such as {{'scared': 'Afraid'}}, "
            f"not {quote(labels)}."
        )
    return {str(name): str(text) for name, text in labels.items()}


def _check_file(out: Any, overwrite: bool) -> Path:
    file = check_path("out", out)
    if file.suffix.lower() not in FORMATS:
        raise ImagestrataError(
            f"{arg('out')} must end in {', '.join(FORMATS)}, not {quote(file.name)}."
        )
    if file.exists() and not overwrite:
        raise ImagestrataError(
            f"{quote(file)} exists.",
            f"Choose another name, or replace it with {arg('overwrite', True)}.",
        )
    return file


def _check_estimates(given: Any) -> pd.DataFrame:
    needed = ["level", "item", "dimension", "estimate", "std_error", "df", "conf_low", "conf_high"]
    needed += ["n_ratings"]  # which coefficients and effects of models, no means, do not have
    if not isinstance(given, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('estimates')} must be a result of {_made_by()}, not {quote(given)}."
        )
    lacking = [name for name in needed if name not in given.columns]
    if lacking:
        raise ImagestrataError(
            f"{arg('estimates')} must be a result of {_made_by()}, but lacks "
            f"{', '.join(map(quote, lacking))}."
        )
    return given


def _made_by() -> str:
    return f"{verb('rating_means')}, {verb('rating_gaps')} or {verb('rating_model')}"


def _rows(table: pd.DataFrame, level: str | None) -> pd.DataFrame:
    rows = table if level is None else table[table["level"] == level]
    if rows.empty:
        raise ImagestrataError(f"{arg('estimates')} has no {quote(level or 'row')} to show.")
    return rows.reset_index(drop=True)


# ---- Means and gaps ---------------------------------------------------------------------


def _of_estimates(rows: pd.DataFrame, style: _Style) -> pd.DataFrame:
    by = groups_of(rows)
    gaps = "contrast" in rows
    wide = not gaps and bool(by) and rows[by[0]].nunique() <= _MOST
    further = by[1:] if wide else by
    stub = pd.DataFrame({"Item": [style.named(row.item, _shown(row)) for row in rows.itertuples()]})
    for name in further:
        stub[style.named(name, sentence(name))] = _values(rows, name, style)
    if "method" in rows and rows["method"].nunique() > 1:
        stub["Method"] = rows["method"]
    records = rows.to_dict("records")
    if wide:
        unit = [name for name in ("level", "item", *further, "method") if name in rows]
        keys = rows.groupby(unit, sort=False, observed=True, dropna=False).ngroup()
        first = keys.drop_duplicates()
        table = stub.loc[first.index].reset_index(drop=True)
        cells = pd.Series([style.cell(row) for row in records], dtype="object")
        for group in _ordered(rows[by[0]]):
            own = rows[by[0]] == group
            found = dict(zip(keys[own], cells[own], strict=True))
            header = _new(style.named(group), table)
            table[header] = [found.get(key, DASH) for key in first]
    else:
        table = stub
        if gaps and rows["contrast"].nunique() > 1:
            table["Contrast"] = [style.named(name) for name in rows["contrast"]]
        table["Gap" if gaps else "Mean"] = [style.number(row["estimate"]) for row in records]
        if style.interval:
            table[f"{percent(conf_level_of(rows))}interval"] = [style.between(r) for r in records]
        else:
            table["Standard error"] = [style.number(row["std_error"]) for row in records]
        if gaps:
            p_values = rows["p_adjusted"] if "p_adjusted" in rows else rows["p_value"]
            table["p"] = [_p_text(p) for p in p_values]
    return _finished(table, _caption(rows, by, gaps), _note(rows, style, wide, table))


def _new(header: str, table: pd.DataFrame) -> str:
    if header in table.columns:
        raise ImagestrataError(
            f"Two columns of the table would be called {quote(header)}.",
            f"Give one of them another name with {arg('labels')}.",
        )
    return header


def _shown(row: Any) -> str:
    """Dimensions stand out, as in figures."""
    return str(row.item).upper() if row.level == "dimension" else str(row.item)


def _values(rows: pd.DataFrame, name: str, style: _Style) -> list[str]:
    if name != "cluster":
        return [style.named(value) for value in rows[name]]
    given = {n: style.labels[str(n)] for n in rows["cluster"] if str(n) in style.labels}
    texts = names_of(rows) | given
    return [label_of(n, texts) for n in rows["cluster"]]


def _ordered(column: pd.Series[Any]) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [value for value in column.cat.categories if (column == value).any()]
    return sorted(column.dropna().unique())


def sentence(text: str) -> str:
    """The text with a capital."""
    return text[:1].upper() + text[1:]


def _p_text(p: Any) -> str:
    if pd.isna(p):
        return DASH
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def groups_of(rows: pd.DataFrame) -> list[str]:
    """The columns of estimates that name groups."""
    return [name for name in rows.columns if name not in _ESTIMATES]


def conf_level_of(rows: pd.DataFrame) -> float:
    """The confidence level, which the columns tell: width = 2 t(level, df) * std_error."""
    from scipy import stats

    known = rows[(rows["std_error"] > 0) & rows["conf_high"].notna()]
    if known.empty:
        return float("nan")
    row = known.iloc[0]
    half = (row["conf_high"] - row["conf_low"]) / 2 / row["std_error"]
    return float(np.round(2 * stats.t.cdf(half, row["df"]) - 1, 6))


def percent(level: float) -> str:
    """The level as "95% "; an empty text if it is not known."""
    return "" if np.isnan(level) else f"{100 * level:.4g}% "


# ---- Models -----------------------------------------------------------------------------


def _of_model(model: Any, level: str | None, style: _Style) -> pd.DataFrame:
    rows = _rows(model.coefficients, level)
    fit = model.summary
    measures = rows[["level", "item"]].drop_duplicates()
    if len(measures) > _MOST:
        first = ", ".join(measures["item"].astype(str)[:2])
        raise ImagestrataError(
            f"A model of {len(measures)} items and dimensions is too wide for a table: six fit "
            "on a page.",
            f"Use {arg('level', 'dimension')}, or name items in the formula: c({first}) ~ ...",
        )
    names = list(dict.fromkeys(rows["term"]))
    counts = {"Ratings": "n_ratings", "Respondents": "n_respondents", "Images": "n_images"}
    variables = re.findall(r"[A-Za-z_][\w.]*", str(model.formula).split("~", 1)[-1])
    terms = [style.named(name, _term(name, variables)) for name in names]
    table = pd.DataFrame({"Term": [*terms, *counts]})
    for row in measures.itertuples():
        own = rows[(rows["level"] == row.level) & (rows["item"] == row.item)]
        line = fit[(fit["level"] == row.level) & (fit["item"] == row.item)].iloc[0]
        records = own.to_dict("records")
        cells = {record["term"]: _finer(style, record).cell(record) for record in records}
        numbers = [f"{int(line[count]):,}" for count in counts.values()]
        table[_new(style.named(row.item, _shown(row)), table)] = [
            *(cells.get(name, DASH) for name in names), *numbers
        ]  # fmt: skip
    rows = rows.assign(weight=model.weight, variance=model.variance)
    if model.respondent_weight is not None:
        rows = rows.assign(respondent_weight=model.respondent_weight)
    note = _note(rows, style, True, table, "Coefficients")
    return _finished(table, "Linear models of ratings", note)


def _term(term: str, variables: Sequence[str]) -> str:
    """ "groupRepublican:age" as "group: Republican × age"."""
    if term == "(Intercept)":
        return "Intercept"
    parts = []
    for part in term.replace("`", "").split(":"):
        found = max((name for name in variables if part.startswith(name)), key=len, default="")
        level = part.removeprefix(found)
        parts.append(f"{found}: {level}" if found and level else part)
    return f" {TIMES} ".join(parts)


def _finer(style: _Style, row: Mapping[Any, Any]) -> _Style:
    """Decimals that show the first digit of a standard error: coefficients have units."""
    error = row["std_error"]
    if not error > 0:
        return style
    return replace(style, digits=max(style.digits, -math.floor(math.log10(error))))


# ---- Notes ------------------------------------------------------------------------------


def _caption(rows: pd.DataFrame, by: Sequence[str], gaps: bool) -> str:
    groups = " and ".join(name.replace("_", " ") for name in by)
    text = "Gaps between mean ratings" if gaps else "Mean ratings"
    if gaps and rows["contrast"].nunique() == 1:
        text += ": " + str(rows["contrast"].iloc[0]).replace(" - ", f" {MINUS} ")
    return f"{text} by {groups}" if by else text


def _note(
    rows: pd.DataFrame, style: _Style, wide: bool, table: pd.DataFrame, what: str | None = None
) -> str:
    gaps = "contrast" in rows
    what = what or ("Gaps" if gaps else "Means")
    beside = f"{percent(conf_level_of(rows))}intervals" if style.interval else "standard errors"
    where = (" in brackets" if style.interval else " in parentheses") if wide else ""
    parts = [f"{what} with {beside}{where}"]
    weight, people = _only(rows, "weight"), _only(rows, "respondent_weight")
    variance, adjust = _only(rows, "variance"), _only(rows, "adjust")
    if weight:
        parts.append(WHAT_COUNTS[weight])
    if people:
        parts.append(f"respondents are weighted by {people}")
    if variance in ERRORS:
        parts.append(ERRORS[variance])
    if gaps and adjust:
        parts.append(ADJUSTED[adjust])
        if style.interval and adjust != "none":
            parts[-1] += ", intervals are not"
    if "method" in rows and (rows["method"] == "corrected").any():
        parts.append("corrected by predictions of all images")
    note = "; ".join(parts) + "."
    if rows["level"].nunique() > 1:
        note += " Dimensions, in capitals, are the means of the items that follow them."
    note += counts_in_words(rows, what)
    if table.map(lambda text: DASH in text).to_numpy().any():
        note += f" {DASH}: cannot be estimated."
    return note


def _only(rows: pd.DataFrame, name: str) -> str:
    """The value of a column that has one; otherwise an empty text."""
    values: list[Any] = rows[name].dropna().unique().tolist() if name in rows else []
    return str(values[0]) if len(values) == 1 else ""


def counts_in_words(rows: pd.DataFrame, what: str) -> str:
    """What each row rests on: the smallest and the largest numbers."""
    texts = []
    for noun in ("ratings", "respondents", "images", "clusters"):
        if f"n_{noun}" not in rows:
            continue
        values = rows[f"n_{noun}"].dropna().astype(int).tolist()
        if values:
            ends = sorted({min(values), max(values)})
            word = noun.removesuffix("s") if ends[-1] == 1 else noun
            texts.append(f"{' to '.join(f'{end:,}' for end in ends)} {word}")
    if not texts:
        return ""
    listed = " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
    return f" Each {what.lower().removesuffix('s')} rests on {listed}."


# ---- Rendering --------------------------------------------------------------------------


def _finished(table: pd.DataFrame, caption: str, note: str) -> pd.DataFrame:
    table.attrs.update(caption=caption, note=note)
    return table


def _render(table: pd.DataFrame, format: str) -> str:
    caption, note = table.attrs["caption"], table.attrs["note"]
    if format == "html":
        body = table.to_html(index=False, border=0)
        body = body.replace("<thead>", f"<caption>{html.escape(caption)}</caption>\n  <thead>", 1)
        return f"{body}\n<p><em>Note.</em> {html.escape(note, quote=False)}</p>\n"
    lines: list[list[str]] = [list(table.columns), *table.to_numpy().tolist()]
    if format == "markdown":
        cells = [[_markdown(text) for text in row] for row in lines]
        cells.insert(1, [":-" if name == "l" else ":-:" for name in _alignment(table)])
        body = "\n".join(f"| {' | '.join(row)} |" for row in cells)
        return f"Table: {_markdown(caption)}\n\n{body}\n\n*Note.* {_markdown(note)}\n"
    rows = [" & ".join(map(_latex, row)) + r" \\" for row in lines]
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{_latex(caption)}}}",
        rf"\begin{{tabular}}{{{''.join(_alignment(table))}}}", r"\toprule", rows[0], r"\midrule",
        *rows[1:], r"\bottomrule", r"\end{tabular}", "", r"\smallskip",
        rf"\parbox{{\linewidth}}{{\footnotesize \emph{{Note.}} {_latex(note)}}}",
        r"\end{table}", "",
    ])  # fmt: skip


def _alignment(table: pd.DataFrame) -> list[str]:
    """Numbers are centred, texts are not."""
    numbers = table.map(lambda text: bool(re.match(rf"[\[(<.0-9{MINUS}{DASH}]", text))).all()
    texts = ("Item", "Term", "Contrast", "Method")
    return ["c" if numbers[name] and name not in texts else "l" for name in table.columns]


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>#$~^])", r"\\\1", text)


#: Signs that LaTeX would read as commands, or that some of its fonts lack.
_LATEX = {sign: rf"\{sign}" for sign in "#$%&_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", MINUS: "$-$", TIMES: r"$\times$", DASH: "--",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _write(table: pd.DataFrame, file: Path) -> Path:
    """Word by pandoc from markdown; other files are the text itself."""
    format = FORMATS[file.suffix.lower()]
    if format != "docx":
        # A page without its encoding shows other signs in Word on Windows.
        page = '<meta charset="utf-8">\n' if format == "html" else ""
        write_text(file, page + _render(table, format))
        return file
    pandoc = shutil.which("pandoc")
    if pandoc is None:
        raise ImagestrataError(
            "Tables for Word are made by the program pandoc, which is not there.",
            f"Install pandoc, or write {quote('.html')}, which Word opens.",
        )
    command = [pandoc, "-f", "markdown", "-t", "docx", "-o", str(file)]
    subprocess.run(command, input=_render(table, "markdown"), encoding="utf-8", check=True)
    return file
