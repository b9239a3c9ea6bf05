"""From ratings to what is estimated: checks, ratings of dimensions, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..validate import check_choice
from ..wording import arg, kind_of, quote, verb

#: What counts the same; "none" is every rated image.
WEIGHTS = ("cluster", "corpus", "share", "none")

_NEEDED = ("respondent_id", "image_id", "item", "rating")


@dataclass(frozen=True, eq=False)
class Design:
    """Answers ready to be averaged.

    Attributes
    ----------
    answers : DataFrame
        One row per answer to a measure (an item or a dimension): ``level``, ``item``,
        ``dimension``, the columns of ``by``, ``respondent_id``, ``image_id``, ``cluster``
        (None where unknown), ``rating``, ``weight``.
    measures : DataFrame
        ``level``, ``item``, ``dimension``, in the order of the results.
    by : list of str
        The columns whose values have means of their own.
    n_respondents : int
        Respondents of the whole survey.
    """

    answers: pd.DataFrame
    measures: pd.DataFrame
    by: list[str]
    n_respondents: int


def design_ratings(ratings: Any, by: Any, weight: Any) -> Design:
    """Check ratings and make the answers that means are taken of."""
    table = _check_ratings(ratings)
    by = _check_by(by, table)
    weight = check_choice("weight", weight, WEIGHTS)
    missing = int(table["rating"].isna().sum())
    if missing == len(table):
        raise ImagestrataError(f"All ratings ({missing:,}) are missing.")
    if missing:
        warn(f"{missing} of {plural(len(table), 'rating')} are missing and left out.")
        table = table[table["rating"].notna()]
    table = table.assign(weight=_weights(table, weight))
    for name in ("dimension", "cluster"):
        if name not in table:
            table[name] = None
    measures = _measures(table)
    items = table.assign(level="item")
    answers = pd.concat([items, _dimensions(items, by)], ignore_index=True)
    cell = ["level", "item", *by]
    # An image counts once in a cell, however many have rated it there.
    image = [*dict.fromkeys([*cell, "image_id"])]
    times = answers.groupby(image, observed=True)["rating"].transform("size")
    answers["weight"] = answers["weight"] / times
    empty = answers.groupby(cell, observed=True)["weight"].sum() == 0
    if empty.any():
        where = empty.index[empty][0]
        raise ImagestrataError(
            f"All weights `weight_{weight}` of {', '.join(map(str, where[1:]))} are zero.",
            f"No image in it was shared: choose another {arg('weight')}.",
        )
    _warn_uneven(answers, by)
    return Design(answers, measures, by, table["respondent_id"].nunique())


def _check_ratings(ratings: Any) -> pd.DataFrame:
    if not isinstance(ratings, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('ratings')} must be a table such as {verb('read_ratings')} returns, not "
            f"{kind_of(ratings)}."
        )
    lacking = [name for name in _NEEDED if name not in ratings]
    if lacking:
        raise ImagestrataError(
            f"The ratings lack the column {quote(lacking[0])}; they have "
            f"{', '.join(map(str, ratings))}."
        )
    if not len(ratings):
        raise ImagestrataError(f"{arg('ratings')} has no rows.")
    if not pd.api.types.is_numeric_dtype(ratings["rating"]):
        raise ImagestrataError(
            f"The column 'rating' must hold numbers, not {ratings['rating'].dtype}.",
            f"{verb('read_ratings')} makes numbers of texts and says which are none.",
        )
    gaps = int(ratings[["respondent_id", "image_id", "item"]].isna().any(axis=1).sum())
    if gaps:
        raise ImagestrataError(
            f"{gaps} of {plural(len(ratings), 'rating')} have no respondent, image or item."
        )
    twice = ratings.duplicated(["respondent_id", "image_id", "item"])
    if twice.any():
        first = ratings[twice].iloc[0]
        raise ImagestrataError(
            f"{plural(int(twice.sum()), 'rating is', 'ratings are')} there twice, the first by "
            f"{quote(first['respondent_id'])} of image {quote(first['image_id'])} on "
            f"{quote(first['item'])}.",
            "Keep one of them.",
        )
    return ratings.reset_index(drop=True)


def _check_by(by: Any, ratings: pd.DataFrame) -> list[str]:
    names = [] if by is None else [by] if isinstance(by, str) else list(by)
    unknown = [name for name in names if name not in ratings]
    if unknown:
        raise ImagestrataError(
            f"{arg('by')} names a column that the ratings do not have: {quote(unknown[0])}; they "
            f"have {', '.join(map(str, ratings))}.",
            f"{arg('by', None)} takes all respondents together.",
        )
    measured = [name for name in names if name in (*_NEEDED[:1], *_NEEDED[2:], "dimension")]
    if measured or len(set(names)) < len(names):
        raise ImagestrataError(
            f"{arg('by')} must name groups of respondents or images, not {quote(by)}."
        )
    gaps = int(ratings[names].isna().any(axis=1).sum())
    if gaps:
        raise ImagestrataError(
            f"{gaps} of {plural(len(ratings), 'rating')} have no {' or '.join(names)}.",
            "Leave them out, or give them a group of their own.",
        )
    pairs = ratings[["respondent_id", "image_id", *names]].drop_duplicates()
    if pairs.duplicated(["respondent_id", "image_id"]).any():
        raise ImagestrataError(
            f"{', '.join(names)} must be the same in all ratings that a respondent gives an image."
        )
    return names


def _weights(ratings: pd.DataFrame, weight: str) -> pd.Series[Any]:
    if weight == "none":
        return pd.Series(1.0, index=ratings.index)
    name = f"weight_{weight}"
    if name not in ratings:
        raise ImagestrataError(
            f"The ratings have no column {quote(name)}, which {arg('weight', weight)} needs.",
            f"Give {verb('read_ratings')} the sample; {arg('weight', 'none')} lets every rated "
            "image count the same.",
        )
    weights = pd.to_numeric(ratings[name], errors="coerce")
    # An image that nobody shared counts nothing where shares count; else zero is a mistake.
    wrong = weights.isna() | ((weights < 0) if weight == "share" else (weights <= 0))
    if wrong.any():
        raise ImagestrataError(
            f"{int(wrong.sum())} of {plural(len(ratings), 'rating')} have no positive "
            f"{quote(name)}, the first of image {quote(ratings['image_id'][wrong].iloc[0])}.",
            "Were images rated that are not in the sample?",
        )
    return weights.astype(float)


def _order(column: pd.Series[Any]) -> list[Any]:
    """Values in the order of categories, else of first appearance."""
    present = list(column.dropna().unique())
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [value for value in column.cat.categories if value in set(present)]
    return present


def _measures(ratings: pd.DataFrame) -> pd.DataFrame:
    """Dimensions, each before its items, then items without a dimension."""
    belongs = ratings[["item", "dimension"]].drop_duplicates()
    several = belongs["item"].duplicated()
    if several.any():
        raise ImagestrataError(
            f"The item {quote(belongs['item'][several].iloc[0])} belongs to more than one "
            "dimension.",
            "Give every item one dimension.",
        )
    dimension = dict(zip(belongs["item"], belongs["dimension"], strict=True))
    items = _order(ratings["item"])
    rows: list[tuple[str, Any, Any]] = []
    for name in _order(ratings["dimension"]):
        rows.append(("dimension", name, name))
        rows += [("item", item, name) for item in items if dimension[item] == name]
    rows += [("item", item, None) for item in items if pd.isna(dimension[item])]
    return pd.DataFrame(rows, columns=["level", "item", "dimension"])


def _warn_uneven(answers: pd.DataFrame, by: list[str]) -> None:
    """Where groups rated different clusters, their means are about different things."""
    if not by or "cluster" in by:
        return
    groups = answers[[*by, "image_id", "cluster"]].drop_duplicates()
    if not groups.duplicated("image_id").any():  # groups of images have none in common
        return
    pairs = groups[[*by, "cluster"]].drop_duplicates()
    times = pairs["cluster"].value_counts()
    partly = sorted(times.index[times < len(pairs[by].drop_duplicates())])
    if partly:
        warn(
            f"{plural(len(partly), 'cluster was', 'clusters were')} not rated by every group, "
            f"{quote(partly[0])} for one, so that means of groups are not about the same "
            "clusters. They stay in; to compare like with like, filter them out of all groups."
        )


def _dimensions(items: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """A respondent's rating of an image on a dimension: the mean of its items."""
    known = items[items["dimension"].notna()]
    unit = ["respondent_id", "image_id", "dimension"]
    grouped = known.groupby(unit, observed=True, sort=False)
    others = [name for name in dict.fromkeys([*by, "cluster", "weight"]) if name not in unit]
    first = grouped[others].first()
    means = first.assign(rating=grouped["rating"].mean()).reset_index()
    columns = ["level", "item", *unit, "rating", *first.columns]
    means = means.assign(level="dimension", item=means["dimension"])
    return means.loc[:, list(dict.fromkeys(columns))]
