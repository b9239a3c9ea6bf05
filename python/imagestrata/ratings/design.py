"""Preparation of ratings for estimates: checks, ratings of dimensions, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table, with_known_texts
from ..validate import check_choice
from ..wording import arg, quote, verb

#: Units with equal weight; "none" is every rated image.
WEIGHTS = ("cluster", "corpus", "share", "none")

_NEEDED = ("respondent_id", "image_id", "item", "rating")


@dataclass(frozen=True, eq=False)
class Design:
    """Ratings with weights, and the images and measures that they are about.

    Attributes
    ----------
    answers : DataFrame
        One row per answer to a measure (an item or a dimension): ``level``, ``item``,
        ``dimension``, the columns of ``by``, ``respondent_id``, ``image_id``, ``cluster``
        (None if unknown), ``stratum`` (part of a cluster from which images were drawn),
        ``rating``, ``weight``, ``respondent_weight`` (a factor of ``weight``; 1 without weights of
        respondents); ``respondent`` and ``image``, as numbers.
    images : DataFrame
        One row per image, ``image_id`` in the index: ``cluster``, ``stratum``, ``weight`` (in the
        sample), ``of_all`` (number of sampled images that it represents if some images of its
        stratum have no rating), ``of_stratum`` (weight of its stratum), ``total`` (weight of its
        cluster), ``N_h`` (images of its stratum in the corpus, if they are known), and the columns
        of ``by`` that describe images.
    measures : DataFrame
        ``level``, ``item``, ``dimension``, in the order of the results.
    by : list of str
        The columns that define groups.
    of_images : list of str
        The columns among them that describe images (cluster, month), not respondents.
    weight : str
        The unit with equal weight.
    n_respondents : int
        Number of respondents in the whole survey.
    respondent_weight : str or None
        The column of respondents' weights.
    """

    answers: pd.DataFrame
    images: pd.DataFrame
    measures: pd.DataFrame
    by: list[str]
    of_images: list[str]
    weight: str
    n_respondents: int
    respondent_weight: str | None = None

    @property
    def clustered(self) -> bool:
        """Whether clusters are known."""
        return bool(self.images["cluster"].notna().all())

    @property
    def compares_images(self) -> bool:
        """Whether the first column of ``by`` describes images."""
        return bool(self.by) and self.by[0] in self.of_images


def design_ratings(ratings: Any, by: Any, weight: Any, respondent_weight: Any = None) -> Design:
    """Check ratings and compute the weighted answers that enter means."""
    table = check_ratings(ratings)
    by = _check_by(by, table)
    weight = check_choice("weight", weight, WEIGHTS)
    missing = int(table["rating"].isna().sum())
    if missing == len(table):
        raise ImagestrataError(f"All ratings ({missing:,}) are missing.")
    if missing:
        warn(f"{missing} of {plural(len(table), 'rating')} are missing and left out.")
        table = table[table["rating"].notna()]
    of_person = _respondent_weights(table, respondent_weight)
    table = table.assign(weight=_weights(table, weight), respondent_weight=of_person)
    for name in ("dimension", "cluster"):
        if name not in table:
            table[name] = None
    _check_clusters(table, weight)
    table["stratum"] = _strata(table)
    of_images = [name for name in by if _tells_images_apart(name, table)]
    images = _images(table, weight, of_images)
    measures = _measures(table)
    items = table.assign(level="item")
    answers = pd.concat([items, _dimensions(items, by)], ignore_index=True)
    n_respondents = table["respondent_id"].nunique()
    design = Design(
        answers, images, measures, by, of_images, weight, n_respondents, respondent_weight
    )
    answers["weight"] = weigh(design) * answers["respondent_weight"]
    for name in ("respondent", "image"):
        answers[name] = pd.factorize(answers[f"{name}_id"])[0]
    cell = ["level", "item", *by]
    empty = answers.groupby(cell, observed=True)["weight"].sum() == 0
    if empty.any():
        where = empty.index[empty][0]
        raise ImagestrataError(
            f"All weights `weight_{weight}` of {', '.join(map(str, where[1:]))} are zero.",
            f"No image in this group was shared: choose another {arg('weight')}.",
        )
    _warn_unequal(design)
    return design


def check_ratings(given: Any) -> pd.DataFrame:
    whole = ("respondent_id", "image_id", "item")
    ratings = check_table("ratings", given, _NEEDED, "read_ratings", whole=whole)
    if not pd.api.types.is_numeric_dtype(ratings["rating"]):
        raise ImagestrataError(
            f"The column 'rating' must hold numbers, not {ratings['rating'].dtype}.",
            f"{verb('read_ratings')} converts text to numbers and reports what is not a number.",
        )
    twice = ratings.duplicated([*whole])
    if twice.any():
        first = ratings[twice].iloc[0]
        raise ImagestrataError(
            f"{plural(int(twice.sum()), 'rating occurs', 'ratings occur')} twice, the first by "
            f"{quote(first['respondent_id'])} of image {quote(first['image_id'])} on "
            f"{quote(first['item'])}.",
            "Keep one rating of each item by respondent and image.",
        )
    return with_known_texts(ratings.reset_index(drop=True))


def _check_by(by: Any, ratings: pd.DataFrame) -> list[str]:
    names = [] if by is None else [by] if isinstance(by, str) else list(by)
    unknown = [name for name in names if name not in ratings]
    if unknown:
        raise ImagestrataError(
            f"{arg('by')} names the column {quote(unknown[0])}, which is not in the ratings; they "
            f"have {', '.join(map(str, ratings))}.",
            f"Use {arg('by', None)} for all respondents together.",
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
            "Leave these ratings out, or give them a group of their own.",
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
            f"Give {verb('read_ratings')} the sample, or use {arg('weight', 'none')}, which gives "
            "every rated image equal weight.",
        )
    weights = pd.to_numeric(ratings[name], errors="coerce")
    # With weight "share" zero is the weight of an image without shares; otherwise it is an error.
    wrong = weights.isna() | ((weights < 0) if weight == "share" else (weights <= 0))
    if wrong.any():
        raise ImagestrataError(
            f"{int(wrong.sum())} of {plural(len(ratings), 'rating')} have no positive "
            f"{quote(name)}, the first of image {quote(ratings['image_id'][wrong].iloc[0])}.",
            "Check whether images were rated that are not in the sample.",
        )
    return weights.astype(float)


def _respondent_weights(ratings: pd.DataFrame, name: Any) -> pd.Series[Any]:
    """The weight of each rating's respondent, 1 without a column of weights."""
    if name is None:
        return pd.Series(1.0, index=ratings.index)
    if not isinstance(name, str) or name not in ratings:
        raise ImagestrataError(
            f"{arg('respondent_weight')} must name a column of the ratings, not {quote(name)}; "
            f"they have {', '.join(map(str, ratings))}.",
            "Join the table of respondents by respondent_id first.",
        )
    weights = pd.to_numeric(ratings[name], errors="coerce").astype(float)
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        people = ratings["respondent_id"][wrong]
        raise ImagestrataError(
            f"{quote(name)} must be a positive number for every respondent, but is "
            f"{quote(ratings[name][wrong].iloc[0])} for {people.nunique()} of "
            f"{plural(ratings['respondent_id'].nunique(), 'respondent')}, the first "
            f"{quote(people.iloc[0])}.",
            "Complete the weights, or leave the ratings of such respondents out.",
        )
    # Weights for non-response, see response_weights(), differ between images.
    pair = [ratings["respondent_id"], ratings["image_id"]]
    kinds = weights.groupby(pair, observed=True).nunique()
    if (kinds > 1).any():
        raise ImagestrataError(
            f"{quote(name)} must be the same in all ratings that a respondent gives an image, but "
            f"differs for {quote(kinds.index[kinds > 1][0][0])}.",
            f"The weights of images are in {arg('weight')}.",
        )
    return weights


def effective(answers: pd.DataFrame) -> float:
    """Kish's effective number of respondents: squared sum of weights by sum of squares."""
    counted = answers[answers["weight"] > 0]
    weights = counted.groupby("respondent_id", observed=True)["respondent_weight"].mean()
    return float(weights.sum() ** 2 / (weights**2).sum())


def _warn_unequal(design: Design) -> None:
    if design.respondent_weight is None:
        return
    columns = [name for name in design.by if name not in design.of_images]
    uneven = []
    for key, answers in design.answers.assign(all=0).groupby(["all", *columns], observed=True):
        people, equal = answers["respondent_id"].nunique(), effective(answers)
        if equal < people / 2:
            uneven.append((equal / people, people, equal, key[1:]))
    if uneven:
        _, people, equal, values = min(uneven, key=lambda row: row[0])
        where = ", ".join(f"{name} {value}" for name, value in zip(columns, values, strict=True))
        warn(
            f"The weights {quote(design.respondent_weight)} are very unequal in "
            f"{plural(len(uneven), 'group')}, most so for {where or 'all respondents'}: "
            f"{people} respondents are as informative as {round(equal)} with equal weights."
        )


def _order(column: pd.Series[Any]) -> list[Any]:
    """Values in the order of categories, or else of first appearance."""
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


def _check_clusters(ratings: pd.DataFrame, weight: str) -> None:
    """Check that every image has one cluster and one weight, where weights need them."""
    missing = int(ratings["cluster"].isna().sum())
    if missing and weight == "none":
        ratings["cluster"] = None
    elif missing == len(ratings):
        warn(
            f"The ratings have no column 'cluster': 'weight_{weight}' is used unchanged, so that a "
            "cluster has less weight if not all its sampled images were rated. Give "
            f"{verb('read_ratings')} the sample."
        )
    elif missing:
        raise ImagestrataError(
            f"{missing} of {len(ratings)} ratings have no cluster.",
            "Check whether images were rated that are not in the sample.",
        )
    elif weight != "none":
        for name in ("cluster", "weight"):
            kinds = ratings.groupby("image_id", observed=True)[name].nunique()
            if (kinds > 1).any():
                column = name if name == "cluster" else f"weight_{weight}"
                raise ImagestrataError(
                    f"{quote(column)} must be the same in all ratings of an image, but differs for "
                    f"{quote(kinds.index[kinds > 1][0])}.",
                    f"{verb('read_ratings')} joins clusters and weights by image_id.",
                )


def _strata(ratings: pd.DataFrame) -> pd.Series[Any]:
    """The stratum of each rating: a part of its cluster, by default all of it."""
    if "stratum" in ratings and ratings["stratum"].notna().all():
        unit = ratings.groupby("image_id", observed=True)["stratum"].nunique()
        part = ratings.groupby("stratum", observed=True)["cluster"].nunique(dropna=False)
        if (unit == 1).all() and (part == 1).all():
            return ratings["stratum"]
    return ratings["cluster"]


def _tells_images_apart(name: str, ratings: pd.DataFrame) -> bool:
    """Whether a column describes images (cluster, month), not respondents.

    If no respondent rated images with two values, both are possible. A column that is
    constant in every cluster then describes images, unless it is ``group``.
    """

    def constant(unit: str) -> bool:
        return bool((ratings.groupby(unit, observed=True)[name].nunique() <= 1).all())

    if name == "image_id":
        return True
    if not constant("image_id"):
        return False
    if not constant("respondent_id"):
        return True
    known = name == "cluster" or ratings["cluster"].notna().all()
    return name != "group" and bool(known) and (name == "cluster" or constant("cluster"))


def _images(ratings: pd.DataFrame, weight: str, of_images: list[str]) -> pd.DataFrame:
    columns = ["cluster", "stratum", "weight", *of_images]
    columns += [name for name in ("n_h", "N_h", "weight_cluster") if name in ratings]
    columns = [name for name in dict.fromkeys(columns) if name != "image_id"]
    images = ratings.drop_duplicates("image_id").set_index("image_id", drop=False)
    images = images[[*columns, *(["image_id"] if "image_id" in of_images else [])]].copy()
    if "N_h" not in images:
        images["N_h"] = np.nan
    images.index.name = None
    images["of_all"] = 1.0
    images["of_stratum"] = images["total"] = 1.0
    if images["cluster"].isna().any():
        return images
    rated = images.groupby("stratum", observed=True)["weight"].transform("size")
    if "n_h" in images:
        sampled = images["n_h"]
    elif "weight_cluster" in images:
        sampled = 1 / images["weight_cluster"]
    else:
        sampled = pd.Series(np.nan, images.index)
    images["of_all"] = (sampled / rated).clip(lower=1).fillna(1.0)
    stands = images.assign(total=images["weight"] * images["of_all"])
    totals = {
        name: stands.groupby([*dict.fromkeys([unit, *of_images])], observed=True)["total"]
        for name, unit in (("of_stratum", "stratum"), ("total", "cluster"))
    }
    images["of_stratum"] = totals["of_stratum"].transform("sum")
    if weight in ("corpus", "share"):
        images["total"] = totals["total"].transform("sum")
    return images


def weigh(design: Design) -> pd.Series[Any]:
    """Weights of answers.

    In a cell each cluster has the weight that ``weight`` gives it. It is divided among its
    strata with a rating in proportion to what they represent, then among the rated images of a
    stratum in proportion to their weights in the sample, and the weight of an image equally among
    its ratings. (Respondents' weights multiply the result; divided within images or clusters, they
    would cancel out where an image or a cluster has one rating.)
    """
    answers = design.answers
    cell = ["level", "item", *design.by]
    image = [*dict.fromkeys([*cell, "image_id"])]
    times = answers.groupby(image, observed=True)["rating"].transform("size")
    weights = answers["weight"] / times
    if design.weight == "none" or not design.clustered:
        return weights
    for unit, total in (("stratum", "of_stratum"), ("cluster", "total")):
        within = [answers[name] for name in dict.fromkeys([*cell, unit])]
        rated = weights.groupby(within, observed=True).transform("sum")
        whole = answers["image_id"].map(design.images[total]).astype(float)
        weights = (whole * weights / rated.where(rated > 0)).fillna(0.0)
    return weights


def unrated(design: Design) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """For each group, numbers of images and clusters without a rating, and of all.

    If items differ, the item with the most missing ratings counts.
    """
    answers, by, domain = design.answers.assign(all=0), design.by, design.of_images
    images = design.images.assign(all=0)
    # Only the cluster is known of images without a rating.
    places = images.drop_duplicates([*dict.fromkeys(["cluster", *domain])])
    if places.duplicated("cluster").any():
        images["of_all"] = 1.0
    keys = ["all", *domain]
    n_images = images.groupby(keys, observed=True)["of_all"].sum().round().to_dict()
    asked = images[images["total"] > 0].groupby(keys, observed=True)["cluster"]
    n_clusters = asked.nunique().to_dict()
    answers["counted"] = answers["cluster"].where(answers["weight"] > 0)
    cells = answers.groupby(["all", *by, "level", "item"], observed=True)
    rated = cells[["image_id", "counted"]].nunique()
    least = rated.groupby(level=["all", *by], observed=True).min()
    found = []
    for key, n_rated, n_counted in least.itertuples():
        values = key if isinstance(key, tuple) else (key,)
        group = dict(zip(by, values[1:], strict=True))
        place = (0, *(group[name] for name in domain)) if domain else 0
        row = {
            "all_images": int(n_images[place]),
            "all_clusters": int(n_clusters.get(place, 0)),
        }
        row["images"] = row["all_images"] - int(n_rated)
        row["clusters"] = row["all_clusters"] - int(n_counted)
        found.append((group, row))
    return found


def warn_unrated(design: Design, left_out: list[str] | None = None, all_pairs: bool = True) -> None:
    """Warn once about clusters and sampled images that enter no mean, or no gap."""
    if not design.clustered:
        return
    lacking = [(group, row) for group, row in unrated(design) if row["images"] + row["clusters"]]
    if not lacking:
        return
    lines = []
    for group, row in lacking[:3]:
        line = f"{row['images']:,} of {plural(row['all_images'], 'sampled image')}"
        if row["clusters"]:
            line += f" and {row['clusters']:,} of {plural(row['all_clusters'], 'cluster')}"
        where = ", ".join(f"{name} {value}" for name, value in group.items())
        lines.append(line + (f" ({where})" if where else ""))
    if len(lacking) > 3:
        lines.append(f"and more in {plural(len(lacking) - 3, 'further group')}")
    text = f"There are no ratings of {'; '.join(lines)}."
    if design.weight != "none":
        text += " The rated images of a cluster represent the others."
    if left_out:
        groups = "both" if all_pairs else "all its"
        text += (
            f" A gap describes the clusters that {groups} groups rated; it leaves out "
            f"{'; '.join(left_out)}."
        )
    elif left_out is None and any(row["clusters"] for _, row in lacking):
        text += (
            f" A mean describes the clusters with a rating; {verb('rating_gaps')} compares "
            "groups by the clusters that both have rated."
        )
    warn(text)


def _dimensions(items: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """A respondent's rating of an image on a dimension: the mean of its items."""
    known = items[items["dimension"].notna()]
    unit = ["respondent_id", "image_id", "dimension"]
    grouped = known.groupby(unit, observed=True, sort=False)
    asked = dict.fromkeys([*by, "cluster", "stratum", "weight", "respondent_weight"])
    others = [name for name in asked if name not in unit]
    first = grouped[others].first()
    means = first.assign(rating=grouped["rating"].mean()).reset_index()
    columns = ["level", "item", *unit, "rating", *first.columns]
    means = means.assign(level="dimension", item=means["dimension"])
    return means.loc[:, list(dict.fromkeys(columns))]
