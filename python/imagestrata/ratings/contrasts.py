"""What gaps compare: pairs of groups, differences from a reference, trends, and their changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..validate import check_choice
from ..wording import arg, quote
from .design import Design

#: Values of the columns that are compared, the first or the first two of ``by``.
Key: TypeAlias = tuple[Any, ...]

#: How groups are compared.
CONTRASTS = ("pairs", "trend")

#: How gaps are compared over the values of the second column.
CHANGES = ("none", "pairs", "consecutive", "trend")


#: More values have more pairs than anybody reads, and take hours.
MOST_COMPARED = 100


@dataclass(frozen=True, eq=False)
class Comparison:
    """A sum of means of cells, each times a number.

    Attributes
    ----------
    contrast : str
        Its name in the results, such as "Democrat - Republican".
    change : str or None
        The values of the second column of ``by`` that it compares, such as "June - May".
    times : dict
        For the values of the compared columns, what the mean is multiplied by.
    """

    contrast: str
    change: str | None
    times: dict[Key, float]

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.contrast if self.change is None else f"{self.contrast}, {self.change}"


def comparisons_of(
    design: Design, reference: Any = None, contrasts: str = "pairs", change: str = "none"
) -> list[Comparison]:
    """Return what is compared, in the order of the results."""
    check_choice("contrasts", contrasts, CONTRASTS)
    check_choice("change", change, CHANGES)
    if reference is not None and contrasts == "trend":
        raise ImagestrataError(
            f"{arg('reference')} cannot be combined with {arg('contrasts', 'trend')}, which has no "
            "reference.",
            "Leave one of them out.",
        )
    if not design.by:
        raise ImagestrataError(
            f"{arg('by')} must name the column of groups.", f"For example {arg('by', 'group')}."
        )
    if change != "none" and len(design.by) < 2:
        raise ImagestrataError(
            f"{arg('change')} needs a second column in {arg('by')}, over whose values gaps change.",
            f"For example {arg('by', [design.by[0], 'month'])}.",
        )
    column = design.answers[design.by[0]]
    if contrasts == "trend":
        first = _trend(column, "contrasts")
    elif reference is None:
        first = _pairs(column)
    else:
        first = _from_reference(column, reference)
    if change == "none":
        return [
            Comparison(name, None, {(value,): by for value, by in times.items()})
            for name, times in first
        ]
    column = design.answers[design.by[1]]
    if change == "trend":
        second = _trend(column, "change")
    else:
        second = _pairs(column, later_first=True, consecutive=change == "consecutive")
    return [
        Comparison(
            name,
            other_name,
            {
                (value, other): by * other_by
                for value, by in times.items()
                for other, other_by in other_times.items()
            },
        )
        for other_name, other_times in second
        for name, times in first
    ]


#: A name, and what the mean of each value is multiplied by.
_Named: TypeAlias = tuple[str, dict[Any, float]]


def _pairs(
    column: pd.Series[Any], *, later_first: bool = False, consecutive: bool = False
) -> list[_Named]:
    values = _values(column)
    n = len(values)
    if not consecutive and n > MOST_COMPARED:
        raise ImagestrataError(
            f"{column.name} has {n} values, so that there are {n * (n - 1) // 2:,} pairs to "
            f"compare; at most {MOST_COMPARED} values are compared in pairs.",
            f"Use {arg('change', 'consecutive')} or {arg('change', 'trend')}, or filter the "
            "ratings."
            if later_first
            else f"Give one of the values as {arg('reference')}, or filter the ratings. "
            f"{arg('by', ['group', 'cluster'])} compares groups within each cluster.",
        )
    pairs = list(itertools.pairwise(values) if consecutive else itertools.combinations(values, 2))
    return [_difference(*(reversed(pair) if later_first else pair)) for pair in pairs]


def _from_reference(column: pd.Series[Any], reference: Any) -> list[_Named]:
    values = _values(column)
    if reference not in values:
        raise ImagestrataError(
            f"{arg('reference')} must be one value of {column.name}, not {quote(reference)}.",
            f"Its values are {', '.join(map(quote, values))}.",
        )
    return [_difference(value, reference) for value in values if value != reference]


def _difference(first: Any, second: Any) -> _Named:
    return f"{first} - {second}", {first: 1.0, second: -1.0}


def _trend(column: pd.Series[Any], argument: str) -> list[_Named]:
    """The slope of the least-squares line through the means of all values."""
    values = _values(column)
    ordered = isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not ordered and not numeric:
        raise ImagestrataError(
            f"A trend needs numbers or ordered categories, but {column.name} is neither.",
            f"Give it ordered categories of pandas, or use {arg(argument, 'pairs')}.",
        )
    places = column.cat.categories.get_indexer(pd.Index(values)) if ordered else values
    score = np.asarray(places, dtype=float)
    score = score - score.mean()
    # The middle of an odd number of values has a score that is 0 except for rounding.
    score[np.abs(score) < 1e-12 * np.abs(score).max()] = 0
    times = score / (score**2).sum()
    return [
        (
            f"trend of {column.name}",
            {value: float(by) for value, by in zip(values, times, strict=True) if by},
        )
    ]


def _values(column: pd.Series[Any]) -> list[Any]:
    """The values of a column, sorted or in the order of categories."""
    present = column.unique()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = [value for value in column.cat.categories if value in present]
    else:
        values = sorted(present)
    if len(values) < 2:
        raise ImagestrataError(
            f"There is nothing to compare: {column.name} is {quote(values[0])} in all ratings."
        )
    return values


def alike(
    design: Design, keys: Sequence[Key], sides: Sequence[pd.DataFrame]
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """The answers on which groups are compared, and those that are left out.

    Groups of respondents are compared on the clusters that all of them have rated. Groups of
    images have different images in any case: where gaps change over months, the clusters of
    each month are those that all groups have rated in that month. If there are none, no answers
    are returned.
    """
    of_images = [name in design.of_images for name in design.by[: len(keys[0])]]
    if not design.clustered or all(of_images):
        return list(sides), sides[0].iloc[:0]
    parts = [tuple(value for value, of in zip(key, of_images, strict=True) if of) for key in keys]
    rated: dict[Key, set[Any]] = {}
    for part, side in zip(parts, sides, strict=True):
        own = set(side["cluster"][side["weight"] > 0])
        rated[part] = rated[part] & own if part in rated else own
    if not all(rated.values()):
        return [], sides[0].iloc[:0]
    inside = [side["cluster"].isin(rated[part]) for part, side in zip(parts, sides, strict=True)]
    kept = [side[of] for side, of in zip(sides, inside, strict=True)]
    return kept, pd.concat([side[~of] for side, of in zip(sides, inside, strict=True)])
