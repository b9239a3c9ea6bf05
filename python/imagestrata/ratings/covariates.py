"""Covariates of ratings: what a model's formula names, one row per respondent and image."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..regression.formula import FUNCTIONS, variables_in
from ..regression.matrix import ModelMatrix, prepare_covariates
from ..wording import arg, quote
from .design import check_ratings

Floats = NDArray[np.float64]

#: Numbers that name something.
_NAMES = ("cluster", "theme")
#: Columns that cannot be covariates, as every measure has a model of its own.
_MEASURED = ("item", "dimension", "rating")
#: Columns of the table of fitted values.
_TAKEN = ("level", "weight", "fitted", "residual")
_PAIR = ["respondent_id", "image_id"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The answers of the model, one row per respondent and image.

    Attributes
    ----------
    ratings : DataFrame
        The ratings of these pairs.
    ids : MultiIndex
        ``respondent_id`` and ``image_id``.
    data : DataFrame
        Their covariates.
    matrix : ModelMatrix
    n_left_out : int
        Pairs without one of the covariates.
    """

    ratings: pd.DataFrame
    ids: pd.MultiIndex
    data: pd.DataFrame
    matrix: ModelMatrix
    n_left_out: int

    @property
    def categorical(self) -> set[str]:
        return self.matrix.categorical


def split_measures(formula: Any) -> tuple[list[str] | None, str]:
    """The items and dimensions on the left side, None for all, and the right side."""
    if not isinstance(formula, str) or not formula.strip() or formula.count("~") > 1:
        raise ImagestrataError(
            f"{arg('formula')} must be a text such as {quote('~ group * ideology + age')}, not "
            f"{quote(formula)}."
        )
    left, _, right = formula.rpartition("~")
    left, right = left.strip(), right.strip()
    for unfit, hint in (
        ("offset(", "Subtract it from the ratings."),
        ("|", f"Respondents and images are a matter of {arg('variance')}."),
    ):
        if unfit in right:
            raise ImagestrataError(
                f"{arg('formula')} has {quote(unfit.rstrip('('))}, which is not supported.", hint
            )
    if not left or left == "rating":
        return None, right
    try:
        tree = ast.parse(left, mode="eval").body
    except SyntaxError:
        tree = ast.Pass()  # type: ignore[assignment]
    if isinstance(tree, ast.Call) and getattr(tree.func, "id", "") == "c" and not tree.keywords:
        parts = tree.args
    elif isinstance(tree, ast.List | ast.Tuple):
        parts = tree.elts
    else:
        parts = [tree]
    names = [getattr(part, "id", None) or getattr(part, "value", None) for part in parts]
    if not names or not all(isinstance(name, str) for name in names):
        raise ImagestrataError(
            f"The left side of {arg('formula')} must name items or dimensions, not {quote(left)}.",
            'For example "c(proud, angry) ~ group"; without a left side all are modelled.',
        )
    return [*dict.fromkeys(map(str, names))], right


def pick_measures(measures: pd.DataFrame, wanted: Any, name: str) -> list[int]:
    """The rows of items and dimensions with certain names; all of them if None."""
    if wanted is None:
        return [*range(len(measures))]
    listed = [wanted] if isinstance(wanted, str) else [*wanted]
    known = [*measures["item"].astype(str)]
    for one in listed:
        if one not in known:
            raise ImagestrataError(
                f"{arg(name)} names {quote(one)}, which is neither an item nor a dimension.",
                f"There are {', '.join(map(quote, dict.fromkeys(known)))}.",
            )
    return [place for place, one in enumerate(known) if one in listed]


def read_pairs(ratings: Any, right: str, env: Any) -> Pairs:
    """Check covariates, and leave out the answers without one of them."""
    table = check_ratings(ratings)
    names = _covariates(table, right, env)
    answered = table[table["rating"].notna()]
    first = answered.drop_duplicates(_PAIR)
    pair = _codes(answered[_PAIR])
    for name in names:
        _check_unit(answered, first, pair, name)
    lacks = {name: first[name].isna() for name in names}
    missing = np.zeros(len(first), dtype=bool)
    for lack in lacks.values():
        missing |= lack.to_numpy()
    _tell_left_out(first, lacks, missing)
    kept = first[~missing]
    columns = {name: _typed(kept[name], name) for name in names}
    _tell_unused(columns)
    data = prepare_covariates(columns, len(kept), "answer", ordered=True)
    ids = pd.MultiIndex.from_frame(kept[_PAIR])
    if missing.any():
        whole = pd.MultiIndex.from_frame(table[_PAIR])
        table = table[whole.isin(ids)].reset_index(drop=True)
    matrix = ModelMatrix(data, right, env, "answer")
    return Pairs(table, ids, data, matrix, int(missing.sum()))


def _covariates(ratings: pd.DataFrame, right: str, env: Any) -> list[str]:
    """The columns that the formula names."""
    names = []
    for name in variables_in(right):
        if name in _MEASURED:
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)} among its covariates, but every item and "
                "dimension has a model of its own.",
                "Name items or dimensions on the left side, as in 'proud ~ group'.",
            )
        if name in _TAKEN and name in ratings:
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)}, which is a column of the results.",
                "Rename the column.",
            )
        if name in ratings:
            names.append(name)
        elif name not in FUNCTIONS and not np.isscalar(env.namespace.get(name)):
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)}, which is not a column of {arg('ratings')}.",
                f"Its columns are {', '.join(map(str, ratings))}.",
            )
    return names


def _codes(values: Any) -> NDArray[np.int64]:
    """Equal values, or equal rows, as numbers from 0; missing values are equal."""
    if isinstance(values, pd.DataFrame):
        keys = [values[name] for name in values]
        return np.asarray(values.groupby(keys, dropna=False, sort=False, observed=True).ngroup())
    return np.asarray(pd.factorize(values, use_na_sentinel=False)[0])


def _check_unit(
    answered: pd.DataFrame, first: pd.DataFrame, pair: NDArray[np.int64], name: str
) -> None:
    """A covariate describes respondents, or images, or single answers."""
    try:
        value = _codes(answered[name])
    except TypeError:
        raise ImagestrataError(f"{quote(name)} must be one value per rating, not a list.") from None
    place = np.unique(pair, return_index=True)[1]
    within = value != value[place[pair]]
    if within.any():
        row = answered.iloc[int(within.argmax())]
        same = (answered["respondent_id"] == row["respondent_id"]) & (
            answered["image_id"] == row["image_id"]
        )
        raise ImagestrataError(
            f"{quote(name)} must be the same in all ratings that a respondent gives an image, but "
            f"{quote(row['respondent_id'])} has {_seen(answered[name][same])} for image "
            f"{quote(row['image_id'])}."
        )
    value = value[np.sort(place)]
    of = {unit: pd.DataFrame({"unit": _codes(first[unit]), "value": value}) for unit in _PAIR}
    kinds = {unit: table.groupby("unit")["value"].nunique() for unit, table in of.items()}
    if any((kind == 1).all() for kind in kinds.values()):
        return
    several = of["respondent_id"].groupby("unit").size() > 1
    differs = (kinds["respondent_id"] > 1)[several]
    if 2 * differs.sum() >= len(differs):
        return  # such as the position in a packet
    changed = np.flatnonzero(kinds["respondent_id"] > 1)
    who = first["respondent_id"].drop_duplicates().iloc[int(changed[0])]
    raise ImagestrataError(
        f"{quote(name)} must have one value per respondent, or one per image, but respondent "
        f"{quote(who)} has {_seen(first[name][first['respondent_id'] == who])}.",
        f"Correct the column; {int(differs.sum()):,} of {plural(len(several), 'respondent')} "
        "have several values.",
    )


def _seen(values: pd.Series[Any]) -> str:
    texts = [quote(None) if pd.isna(one) else quote(one) for one in values.drop_duplicates()]
    return " and ".join(texts[:3])


def _tell_left_out(
    first: pd.DataFrame, lacks: dict[str, pd.Series[bool]], missing: NDArray[np.bool_]
) -> None:
    parts = [f"{int(lack.sum()):,} without {quote(name)}" for name, lack in lacks.items()]
    parts = [part for part, lack in zip(parts, lacks.values(), strict=True) if lack.any()]
    if missing.all():
        raise ImagestrataError(
            f"No answer has all covariates: of {plural(len(first), 'answer')}, {', '.join(parts)}."
        )
    if missing.any():
        people = first["respondent_id"]
        warn(
            f"{int(missing.sum()):,} of {plural(len(first), 'answer')} (of a respondent to an "
            f"image; by {people[missing].nunique():,} of "
            f"{plural(people.nunique(), 'respondent')}) are left out: {', '.join(parts)}."
        )


def _typed(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Numbers of clusters and themes are categories."""
    if name in _NAMES and pd.api.types.is_numeric_dtype(column.dtype):
        whole = (column % 1 == 0).all()
        column = column.astype("int64") if whole else column
        return pd.Series(pd.Categorical(column, sorted(column.unique())), column.index)
    return column


def _tell_unused(columns: dict[str, pd.Series[Any]]) -> None:
    for name, column in columns.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            unused = [one for one in column.cat.categories if one not in {*column}]
            if len(unused):
                warn(
                    f"No answer has the value {', '.join(map(quote, unused))} of {quote(name)}: "
                    "the model has no coefficient for it."
                )
