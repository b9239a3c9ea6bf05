"""The observations of a model of engagement: posts, or images over all their posts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table, id_texts, with_known_texts
from ..wording import arg, kind_of, quote, verb
from .outcomes import Side, values_of

Array = NDArray[Any]

#: A column that no user has.
WEIGHT = "weight of observation"


class Group(NamedTuple):
    """Members of groups: observations and their groups, from 0, and the names of groups.

    An observation with several images is in several groups.
    """

    unit: Array
    part: Array
    labels: Array


@dataclass(frozen=True, eq=False)
class Observations:
    """Observations with the groups on which they may depend.

    Attributes
    ----------
    frame : DataFrame
        One row per observation: its id, outcomes, predictors, exposure, and ``WEIGHT``.
    groups : dict of str to Group
    n_rated : array of int
        Number of images of each observation.
    images : DataFrame
        Values of image-level predictors, one row per image with ratings.
    counts : dict
        ``n_posts``, ``n_authors``, ``n_images``.
    left_out : DataFrame
        ``reason``, ``n_posts``, ``n_images``.
    """

    frame: pd.DataFrame
    groups: dict[str, Group]
    n_rated: Array
    images: dict[str, pd.Series[Any]]
    counts: dict[str, Any]
    left_out: pd.DataFrame


def observe(
    linked: Any, sides: list[Side], ratings: pd.DataFrame | None, sample: Any, options: Any
) -> Observations:
    """The observations of a model, after checks of all columns."""
    author = options.author
    by_author = options.cluster in ("author", "both")
    needed = ["post_id", "image_id", *([author] if by_author else [])]
    needed += ["cluster"] if options.cluster == "topic" else []
    linked = check_table("linked", linked, needed, "link_posts").reset_index(drop=True)
    for name in ("post_id", "image_id"):
        linked[name] = id_texts(linked[name], name)
    linked = with_known_texts(linked)
    own, rated = _place(sides, linked, ratings, options)
    values = pd.DataFrame({side.outcome: _counts(side, linked) for side in sides})
    values = pd.concat([values, linked[own]], axis=1)
    rows = None
    if ratings is not None:
        rows = ratings.set_index("image_id").reindex(linked["image_id"]).reset_index(drop=True)
        values = pd.concat([values, rows[rated]], axis=1)
    weight = _sample_weights(linked, sample, options)
    why = pd.Series(None, linked.index, dtype=object)

    def leave(missing: Any, reason: str) -> None:
        why[why.isna() & missing] = reason

    leave(linked["image_id"].isna(), "no known image")
    leave(linked.duplicated(["post_id", "image_id"]), "repeated")
    if by_author:
        leave(linked[author].isna(), f"no {author}")
    for name in [*(side.outcome for side in sides), *own]:
        leave(values[name].isna(), f"no {name}")
    if rated:
        leave(values[rated].isna().any(axis=1), "no rated image")
    leave(weight.isna(), "no sampled image")
    left_out = _left_out(why, linked)
    _tell(why, linked, left_out)
    kept = why.isna()
    id_name = "post_id" if options.unit == "post" else "image_id"
    unit, ids = pd.factorize(linked.loc[kept, id_name])
    values = values[kept].infer_objects()
    frame = _collapsed(values, unit, [side.outcome for side in sides], options)
    frame.insert(0, id_name, np.asarray(ids, dtype=object))
    known = linked["image_id"].notna() & (why != "repeated")
    frame[WEIGHT] = _unit_weights(weight[kept], unit, linked["post_id"], known, kept, options)
    here = linked[kept]
    return Observations(
        frame=frame,
        groups=_groups(unit, here, options),
        n_rated=np.bincount(unit) if options.unit == "post" else np.ones(len(ids), dtype=int),
        images=_images(linked[known], own, ratings),
        counts={
            "n_posts": here["post_id"].nunique(),
            "n_authors": here[author].nunique() if author in here else None,
            "n_images": here["image_id"].nunique(),
        },
        left_out=left_out,
    )


def wide_ratings(ratings: Any) -> pd.DataFrame | None:
    """Ratings or labels with one row per image and one column per item."""
    if ratings is None:
        return None
    if isinstance(ratings, pd.DataFrame) and {"respondent_id", "rating"} <= {*ratings}:
        raise ImagestrataError(
            f"{arg('ratings')} has one row per answer; the model needs means of images.",
            f"Give the result of {verb('rating_means')} with {arg('by', 'image_id')}.",
        )
    table = check_table("ratings", ratings, ["image_id"], "rating_means").reset_index(drop=True)
    table = with_known_texts(table.assign(image_id=id_texts(table["image_id"])))
    if {"item", "estimate"} <= {*table}:
        twice = table.duplicated(["image_id", "item"])
        if twice.any():
            first = table[twice].iloc[0]
            raise ImagestrataError(
                f"{arg('ratings')} has several estimates of {quote(str(first['item']))} for the "
                f"image {quote(first['image_id'])}.",
                f"Give {verb('rating_means')} with {arg('by', 'image_id')}, of all respondents "
                "together, or select the rows of one group.",
            )
        table["item"] = table["item"].astype(str)
        wide = table.pivot(index="image_id", columns="item", values="estimate")
        return wide.rename_axis(columns=None).reset_index()
    twice = table["image_id"].duplicated() | table["image_id"].isna()
    if twice.any():
        raise ImagestrataError(
            f"{arg('ratings')} must have one row per image, but "
            f"{quote(table['image_id'][twice].iloc[0])} has several, or an id is missing.",
            f"{verb('consensus')} combines the labels of several annotators.",
        )
    return table


def _place(
    sides: list[Side], linked: pd.DataFrame, ratings: pd.DataFrame | None, options: Any
) -> tuple[list[str], list[str]]:
    """Columns of predictors (and of the exposure) in the linked table, and in the ratings."""
    own = [str(name) for name in linked]
    rated = [] if ratings is None else [str(name) for name in ratings if name != "image_id"]

    def check(names: Any, known: list[str], role: str) -> None:
        unknown = [name for name in names if name not in known]
        if unknown:
            has = f"; {arg('ratings')} has {', '.join(rated)}" if rated else ""
            raise ImagestrataError(
                f"There is no column {quote(unknown[0])}, {role} of the model. {arg('linked')} has "
                f"{', '.join(own)}{has}.",
                f"Ratings of images are joined by {arg('ratings')}."
                if role == "a predictor" and not rated
                else "",
            )

    exposure = [] if options.exposure is None else [options.exposure]
    for side in sides:
        check(side.outcome_names, own, "an outcome")
        check(side.names, [*own, *rated], "a predictor")
    check(exposure, [*own, *rated], "the exposure")
    wanted = [*dict.fromkeys([*(name for side in sides for name in side.names), *exposure])]
    both = [name for name in wanted if name in own and name in rated]
    if both:
        raise ImagestrataError(
            f"{', '.join(map(quote, both))} is a column of {arg('linked')} and of "
            f"{arg('ratings')}.",
            "Remove it from one of them.",
        )
    for name in wanted:
        if name in ("post_id", "image_id"):
            raise ImagestrataError(f"The id {quote(name)} cannot be a predictor.")
    return [name for name in wanted if name in own], [name for name in wanted if name in rated]


def _counts(side: Side, linked: pd.DataFrame) -> pd.Series[Any]:
    counts = values_of(side.outcome, linked)
    if not (isinstance(counts, pd.Series) and pd.api.types.is_numeric_dtype(counts)):
        seen = counts.dtype if isinstance(counts, pd.Series) else kind_of(counts)
        raise ImagestrataError(f"The outcome {quote(side.outcome)} must be numeric, not {seen}.")
    counts = counts.astype(float)
    wrong = counts.notna() & ((counts < 0) | (counts % 1 != 0) | np.isinf(counts))
    if wrong.any():
        raise ImagestrataError(
            f"The outcome {quote(side.outcome)} must hold counts (0, 1, 2, ...), but "
            f"{int(wrong.sum())} of {plural(len(wrong), 'row')} do not; the first is "
            f"{counts[wrong].iloc[0]:g}.",
            f"Model a rate, such as shares per view, as a count with {arg('exposure')}.",
        )
    return counts


def _left_out(why: pd.Series[Any], linked: pd.DataFrame) -> pd.DataFrame:
    """Posts and images of which nothing is in the model, by reason."""
    kept = why.isna()
    reasons = [reason for reason in why.dropna().unique() if reason != "repeated"]

    def lost(name: str, reason: str) -> int:
        ids = linked.loc[why == reason, name].dropna()
        return int(ids[~ids.isin(linked.loc[kept, name])].nunique())

    table = pd.DataFrame(
        {
            "reason": pd.Series(reasons, dtype="str"),
            "n_posts": [lost("post_id", reason) for reason in reasons],
            "n_images": [lost("image_id", reason) for reason in reasons],
        }
    )
    return table.sort_values(["n_posts", "reason"], ascending=[False, True], ignore_index=True)


def _tell(why: pd.Series[Any], linked: pd.DataFrame, left_out: pd.DataFrame) -> None:
    n = linked["post_id"].nunique()
    lost = n - linked.loc[why.isna(), "post_id"].nunique()
    reasons = "; ".join(
        f"{row['reason']}, {plural(row['n_posts'], 'post')}"
        for row in left_out.to_dict("records")
        if row["n_posts"]
    )
    if lost == n:
        raise ImagestrataError(
            f"No post is left for the model: {reasons}.",
            f"Do 'image_id' in {arg('linked')} and in {arg('ratings')} name the same images?",
        )
    if lost:
        warn(f"{lost:,} of {plural(n, 'post')} are not in the model: {reasons}.")


def _collapsed(
    values: pd.DataFrame, unit: Array, outcomes: list[str], options: Any
) -> pd.DataFrame:
    """Values of observations: counts are summed over the posts of an image, numbers averaged."""
    first = np.unique(unit, return_index=True)[1]
    size = np.bincount(unit)
    frame: dict[str, Any] = {}
    for name in map(str, values):
        column = values[name].reset_index(drop=True)
        is_image = options.unit == "image"
        if is_image and name == "n_posts":
            frame[name] = size
            continue
        if is_image and name in (*outcomes, options.exposure):
            frame[name] = np.bincount(unit, column.astype(float))
            continue
        start = column.iloc[first].reset_index(drop=True)
        codes = pd.factorize(column)[0]
        differs = codes != codes[first][unit]
        if not differs.any():
            frame[name] = start
            continue
        if name in outcomes or not pd.api.types.is_numeric_dtype(column):
            within = "images of a post" if options.unit == "post" else "posts of an image"
            n = len(np.unique(unit[differs]))
            raise ImagestrataError(
                f"{quote(str(name))} differs between the {within}, for {plural(n, options.unit)}.",
                "A post has one count, the same in all its rows."
                if name in outcomes
                else "Only numbers can be averaged: use one column of 1 and 0 for each category, "
                f"or another {arg('unit')}.",
            )
        frame[str(name)] = np.bincount(unit, column.astype(float)) / size
    table = pd.DataFrame(frame)
    if options.exposure is not None:
        exposure = table[options.exposure]
        numeric = pd.api.types.is_numeric_dtype(exposure)
        wrong = exposure <= 0 if numeric else pd.Series(True, exposure.index)
        if wrong.any():
            raise ImagestrataError(
                f"The exposure {quote(options.exposure)} must be positive numbers, but is "
                f"{quote(exposure[wrong].iloc[0])} for {int(wrong.sum())} of "
                f"{plural(len(wrong), options.unit)}.",
                "Leave them out, or use its logarithm plus one as a predictor.",
            )
    return table


def _sample_weights(linked: pd.DataFrame, sample: Any, options: Any) -> pd.Series[Any]:
    if options.weight == "none":
        return pd.Series(1.0, linked.index)
    name = f"weight_{options.weight}"
    table = check_table("sample", sample, ["image_id", name], "sample_images")
    weight = pd.Series(
        pd.to_numeric(table[name], errors="coerce").to_numpy(), id_texts(table["image_id"])
    )
    if weight.isna().any() or (weight < 0).any():
        raise ImagestrataError(f"{quote(name)} of {arg('sample')} must hold positive numbers.")
    # An image without weight represents nothing, as if it had not been drawn.
    return linked["image_id"].map(weight.where(weight > 0))


def _unit_weights(
    weight: pd.Series[Any], unit: Array, posts: Any, known: Any, kept: Any, options: Any
) -> Array:
    """The weight of a post is shared by all its images; weights have the mean 1."""
    if options.weight == "none":
        return np.ones(int(unit.max()) + 1)
    total: Array = np.bincount(unit, weight)
    if options.unit == "image":
        total = total / np.bincount(unit)
    else:
        total = total / posts[known].value_counts().loc[posts[kept].unique()].to_numpy()
    relative: Array = total / total.mean()
    return relative


def _images(
    linked: pd.DataFrame, own: list[str], ratings: pd.DataFrame | None
) -> dict[str, pd.Series[Any]]:
    """Image-level predictors: columns of ratings, and those that are constant by image."""
    grouped = linked.groupby("image_id", sort=False)
    found = {
        name: grouped[name].first()
        for name in own
        if pd.api.types.is_numeric_dtype(linked[name]) and (grouped[name].nunique() <= 1).all()
    }
    if ratings is not None:
        found |= {str(name): ratings[name] for name in ratings if name != "image_id"}
    return found


def _groups(unit: Array, rows: pd.DataFrame, options: Any) -> dict[str, Group]:
    def grouped(by: pd.Series[Any]) -> Group:
        part, names = pd.factorize(by)
        pairs = pd.DataFrame({"unit": unit, "part": part}).drop_duplicates()
        labels = np.asarray(names.astype(str), dtype=object)
        return Group(pairs["unit"].to_numpy(), pairs["part"].to_numpy(), labels)

    groups: dict[str, Group] = {}
    if options.cluster in ("author", "both"):
        groups["author"] = grouped(rows[options.author])
    if options.cluster in ("image", "both"):
        groups["image"] = grouped(rows["image_id"])
    if options.cluster == "topic":
        topic = rows["cluster"].astype(object)
        alone = topic.isna() | (topic == -1)
        groups["topic"] = grouped(topic.where(~alone, rows["image_id"]))
    for name, group in groups.items():
        if len(group.labels) < 2:
            raise ImagestrataError(
                f"Standard errors need at least two groups, but all {options.unit}s are of one "
                f"{name}.",
                f"Choose another {arg('cluster')}.",
            )
    return groups


def check_reliability(
    reliability: Any, sides: list[Side], data: Observations
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Reliabilities by predictor, and the correlations of their errors."""
    if reliability is None:
        return None
    correlation = None
    if isinstance(reliability, pd.DataFrame):
        correlation = reliability.attrs.get("error_correlation")
        table = _reliability_table(reliability)
    else:
        table = _reliability_numbers(reliability)
    wanted = [*dict.fromkeys(name for side in sides for name in side.names)]
    unused = [name for name in table.index if name not in wanted]
    known = table[table.index.isin(wanted)]
    if known.empty or (not isinstance(reliability, pd.DataFrame) and unused):
        raise ImagestrataError(
            f"{arg('reliability')} names {', '.join(map(quote, unused))}, not a predictor of "
            f"{arg('formula')}; its predictors are {', '.join(wanted)}."
        )
    for name in known.index:
        values = data.images.get(name)
        is_rating = values is not None and pd.api.types.is_numeric_dtype(values)
        if values is None or not is_rating or values.dropna().isin([0, 1]).all():
            raise ImagestrataError(
                f"{quote(name)} has a reliability, but is not a mean rating of images.",
                "Mistakes in labels of 1 and 0 are not classical measurement error.",
            )
    between = pd.DataFrame(np.eye(len(known)), known.index, known.index)
    if correlation is not None:
        correlation = pd.DataFrame(correlation)
        here = [name for name in known.index if name in correlation.index]
        between.loc[here, here] = correlation.loc[here, here].fillna(0.0)
    return known, between


def _reliability_numbers(given: Any) -> pd.DataFrame:
    numbers = given if isinstance(given, Mapping) else {}
    try:
        found = {str(name): float(value) for name, value in numbers.items()}
    except (TypeError, ValueError):
        found = {}
    if not found or not all(0 < value <= 1 for value in found.values()):
        raise ImagestrataError(
            f"{arg('reliability')} must be a table with 'item', 'icc', 'icc_average', "
            f"'conf_low' and 'conf_high', or numbers above 0 and up to 1 by the names of "
            f"predictors, not {quote(given)}.",
            f"For example {arg('reliability', {'hopeful': 0.6})}.",
        )
    return pd.DataFrame({"estimate": found})


def _reliability_table(given: pd.DataFrame) -> pd.DataFrame:
    table = given.rename(columns=lambda name: str(name).replace(".", "_"))
    needed = ["item", "icc", "icc_average", "conf_low", "conf_high"]
    table = check_table("reliability", table, needed, "share_model")
    twice = table["item"].duplicated()
    if twice.any():
        raise ImagestrataError(
            f"{arg('reliability')} has several rows of {quote(str(table['item'][twice].iloc[0]))}.",
            "Give the reliability of all respondents together.",
        )
    # Spearman and Brown's formula, with the number of ratings that leads to icc_average.
    n = (1 / (1 - table["icc_average"]) - 1) * (1 / table["icc"] - 1)

    def average(icc: pd.Series[Any]) -> pd.Series[Any]:
        return n * icc / (1 + (n - 1) * icc)

    return pd.DataFrame(
        {
            "low": average(table["conf_low"]),
            "estimate": table["icc_average"],
            "high": average(table["conf_high"]),
        }
    ).set_axis(table["item"].astype(str))
