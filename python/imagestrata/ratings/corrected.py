"""Means and gaps of ratings for all images of the corpus, with a machine's predictions.

The corrected mean of a cell is ``lambda * F + sum(share * (y - lambda * f))``, with the prediction
f of the image of an answer y, the shares of answers in the mean (they add up to 1), and the mean
prediction F of all images of the clusters that were rated in the cell. It is the mean of
``y - lambda * (f - F)``: corrected answers take the place of the ratings, and their variance is
computed as that of ratings. Because F describes all images, it has no variance.

Lambda minimises the variance between the images of strata, between 0 and 1: one for each measure,
and for each group of respondents if predictions are by group; for gaps between groups of
respondents, one for each measure and pair of groups. It fits the rated images better than others,
so that their distances from the mean of the stratum are divided by one minus their influence on
lambda, as in HC3 standard errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.copies import ids_of_kept, kept_images
from ..errors import ImagestrataError, plural, warn
from ..finetune.unseen import check_unseen, warn_unknown_split
from ..tables import check_table, id_texts, label_texts, with_text_ids
from ..text.machines import by_machine
from ..wording import arg, quote, verb
from .design import Design
from .totals import LEAST_OF_OTHERS, Array, image_distances, scores_of, summed

METHODS = ("machine", "sample", "corrected")


@dataclass(frozen=True, eq=False)
class Lambda:
    """Lambda, and the influence of rated images on it."""

    value: float
    leverage: pd.Series[float]


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of all images of the clusters with ratings.

    Attributes
    ----------
    design : Design
    size : array of shape (images,)
        The weight of each image within its cluster: 1, or its number of shares.
    places : dict
        The positions of images by (cluster, values of the columns of ``by`` about images).
    f : dict
        By measure (its row in ``design.measures``) and series: predictions, of shape (images,).
    people : list of str
        The columns of ``by`` about respondents that tell series of predictions apart.
    at : Series
        The position of each rated image, by ``image_id`` of the ratings.
    """

    design: Design
    size: Array
    places: dict[tuple[Any, ...], Array]
    f: dict[tuple[int, tuple[Any, ...]], Array]
    people: list[str]
    at: pd.Series[Any]

    def series(self, group: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(str(group[name]) for name in self.people)

    def knows(self, place: int, group: dict[str, Any]) -> bool:
        """Whether a measure is predicted."""
        return (place, self.series(group)) in self.f

    def of_answers(self, place: int, group: dict[str, Any], answers: pd.DataFrame) -> Array:
        """The predictions of answers."""
        at = self.at.reindex(answers["image_id"]).to_numpy()
        f: Array = self.f[place, self.series(group)][at]
        return f

    def images(
        self, place: int, group: dict[str, Any], answers: pd.DataFrame
    ) -> tuple[Array, Array, Array]:
        """All images that a cell is about: positions, shares in the mean, predictions."""
        # Which respondents rated a cluster does not matter for the weight of its images.
        weight = answers["weight"] / answers["respondent_weight"]
        clusters = weight.groupby(answers["cluster"].to_numpy()).sum()
        domain = tuple(group[name] for name in self.design.of_images if name != "cluster")
        positions, shares = [], []
        for cluster, total in clusters.items():
            here = self.places[(cluster, *domain)]
            size = self.size[here]
            part = size / size.sum() if size.sum() > 0 else np.full(len(here), 1 / len(here))
            positions.append(here)
            shares.append(part * total)
        at, share = np.concatenate(positions), np.concatenate(shares)
        return at, share / share.sum(), self.f[place, self.series(group)][at]

    def correct(
        self, place: int, group: dict[str, Any], answers: pd.DataFrame, tuned: Lambda
    ) -> pd.DataFrame:
        """The answers with corrected ones in the place of ratings."""
        value = answers["rating"].to_numpy(float)
        if tuned.value > 0:
            _, share, every = self.images(place, group, answers)
            f = self.of_answers(place, group, answers)
            value = value - tuned.value * (f - share @ every)
        weight = answers["weight"].to_numpy(float)
        part = _collapsed(answers)
        total = np.bincount(part, weight)

        def centre(values: Array) -> Array:
            sums = np.bincount(part, weight * values)
            return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)[part]

        influence = tuned.leverage.reindex(answers["image_id"]).fillna(0.0).to_numpy()
        apart = (value - centre(value)) / (1 - np.minimum(influence, 0.9))
        return answers.assign(rating=centre(value) + apart - centre(apart))


def predict_ratings(
    predictions: Any, clustering: Any, ratings: pd.DataFrame, design: Design
) -> Predicted | None:
    """Join predictions to the rated images and their clusters; None without predictions."""
    if predictions is None:
        if clustering is not None:
            raise ImagestrataError(
                f"{arg('clustering')} has an effect only with {arg('predictions')}.",
                f"Leave it out, or give {arg('predictions')}.",
            )
        return None
    ratings = with_text_ids(ratings)
    _check_predictable(clustering, design)
    found, copies = kept_images(clustering)
    assert found is not None
    people = [name for name in design.by if name not in design.of_images]
    guesses = _check_predictions(predictions, copies, people)
    rated = pd.Series(design.images.index, dtype=object)
    kept = ids_of_kept(id_texts(rated), copies)
    _check_placed(kept, rated, found, ratings, design)
    check_unseen(guesses, kept, "rated image", "ratings")
    lacks = [name for name in design.of_images if name not in found]
    if lacks:
        raise ImagestrataError(
            f"{arg('by')} names {', '.join(map(quote, lacks))}, which {arg('clustering')} does not "
            "have: it must be known of all images, not of the rated ones alone.",
            "Join the column to the images of the clustering by image_id.",
        )
    size = _sizes(found, kept, rated, ratings, design)
    known = found["cluster"].isin(design.images["cluster"]).to_numpy()
    if not known.all():
        n = found["cluster"][~known].nunique()
        warn(
            f"{int((~known).sum()):,} of {plural(len(known), 'image')} are in "
            f"{plural(n, 'cluster')} without ratings: estimates are for the other "
            f"{int(known.sum()):,}."
        )
    images, size = found[known].reset_index(drop=True), size[known]
    names = ["cluster", *(name for name in design.of_images if name != "cluster")]
    rows = images.groupby(names, observed=True).indices
    places = {key if isinstance(key, tuple) else (key,): np.asarray(at) for key, at in rows.items()}
    at = pd.Series(pd.Index(images["image_id"]).get_indexer(kept), index=rated.to_numpy())
    own = [name for name in people if name in guesses]
    f = _by_measure(guesses, design, images["image_id"], own)
    return Predicted(design, size, places, f, own, at)


# ---- Checks ------------------------------------------------------------------------------


def _check_predictable(clustering: Any, design: Design) -> None:
    if design.weight == "none":
        raise ImagestrataError(
            f"{arg('predictions')} are about all images of the corpus, but {arg('weight', 'none')} "
            "is about the rated images alone.",
            f"Use {arg('weight', 'cluster')}, {quote('corpus')} or {quote('share')}.",
        )
    if not design.clustered:
        raise ImagestrataError(
            f"{arg('predictions')} need ratings with a column 'cluster': it says which images the "
            "rated ones represent.",
            f"Give {verb('read_ratings')} the sample.",
        )
    if clustering is None:
        raise ImagestrataError(
            f"{arg('predictions')} need the clusters of all images as {arg('clustering')}.",
            "Give the clustering from which the sample was drawn, or a table with the columns "
            "image_id and cluster.",
        )
    if "image_id" in design.by:
        raise ImagestrataError(
            f"{arg('predictions')} correct means of many images, but {arg('by')} names 'image_id'."
        )


def _check_predictions(
    predictions: Any, copies: dict[str, str], people: Sequence[str]
) -> pd.DataFrame:
    """A row per image, item and group: ``image_id``, ``item``, ``prediction``, those columns."""
    table = check_table(
        "predictions", predictions, ("image_id",), "predict_labels", whole=("image_id",)
    )
    value = next((name for name in ("prediction", "label") if name in table), None)
    name = next((one for one in ("item", "code", "label") if one in table and one != value), None)
    if value is None or name is None:
        raise ImagestrataError(
            f"{arg('predictions')} must have the columns image_id, item and prediction; it has "
            f"{', '.join(map(str, table))}.",
            "The name of the item may also be in 'code' or 'label', and with 'code' the "
            "prediction in 'label', as in labels by a machine.",
        )
    own = [one for one in people if one in table]
    texts = label_texts(table[value])
    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    wrong = texts.notna() & ~np.isfinite(numbers)
    if wrong.any():
        raise ImagestrataError(
            f"{quote(value)} of {arg('predictions')} must hold numbers on the scale of the "
            f"ratings, not {quote(texts[wrong].iloc[0])}."
        )
    made = pd.DataFrame(
        {
            "image_id": ids_of_kept(table["image_id"], copies),
            "item": id_texts(table[name], name),
            "prediction": numbers,
            **{one: table[one] for one in own},
            **({"split": table["split"]} if "split" in table else {}),
        }
    )
    keys = ["image_id", "item", *own]
    if made[keys].isna().any(axis=None):
        raise ImagestrataError(
            f"{arg('predictions')} has missing values in {', '.join(['image_id', name, *own])}."
        )
    made[own] = made[own].astype(str)
    made = made.drop_duplicates()
    twice = made.duplicated(keys)
    if twice.any():
        one = made[twice].iloc[0]
        raise ImagestrataError(
            f"{arg('predictions')} has several predictions of {quote(one['item'])} for the image "
            f"{quote(one['image_id'])}.",
            "Give the predictions of one model, one row per image and item. Predictions by group "
            f"of respondents need the column of the group, which {arg('by')} must name.",
        )
    if "split" not in made and not by_machine(table).all():
        warn_unknown_split("rated images", "ratings")
    return made


def _check_placed(
    kept: pd.Series[Any],
    rated: pd.Series[Any],
    found: pd.DataFrame,
    ratings: pd.DataFrame,
    design: Design,
) -> None:
    """Rated images are in the clustering, in the same cluster; clusters have N_h images."""
    cluster = found.set_index("image_id")["cluster"].reindex(kept)
    lost = cluster.isna().to_numpy()
    if lost.any():
        raise ImagestrataError(
            f"{int(lost.sum()):,} of {plural(len(rated), 'rated image')} are not in "
            f"{arg('clustering')}, {quote(rated[lost].iloc[0])} for one.",
            "Give the clustering from which the sample was drawn.",
        )
    ours, theirs = design.images["cluster"].to_numpy(), cluster.to_numpy()
    differs = ours.astype(str) != theirs.astype(str)
    if differs.any():
        first = int(differs.argmax())
        raise ImagestrataError(
            f"{int(differs.sum()):,} rated images are in another cluster of {arg('clustering')} "
            f"than in the ratings: {quote(rated.iloc[first])} is in {theirs[first]}, not "
            f"{ours[first]}.",
            "Give the clustering that the ratings were joined to. After "
            f"{verb('edit_clusters')}, read them again with its result as {arg('clustering')}.",
        )
    if "N_h" not in ratings:
        return
    size = ratings.drop_duplicates("image_id").set_index("image_id")["N_h"].reindex(rated)
    strata = design.images[["cluster", "stratum"]].assign(n=size.to_numpy())
    strata = strata.drop_duplicates("stratum").dropna(subset="n")
    known = strata.groupby("cluster")["n"].agg(["sum", "size"])
    n = found.groupby("cluster").size().reindex(known.index).fillna(0)
    # Strata without ratings are not known.
    whole = (known["size"] == 1) & ("stratum" not in ratings)
    wrong = (n < known["sum"]) | (whole & (n != known["sum"]))
    if wrong.any():
        one = known.index[wrong.to_numpy()][0]
        raise ImagestrataError(
            f"The ratings say that cluster {one} has {plural(int(known['sum'][one]), 'image')} "
            f"(N_h), but it has {int(n[one]):,} in {arg('clustering')}.",
            "Give the clustering from which the sample was drawn.",
        )


def _sizes(
    found: pd.DataFrame,
    kept: pd.Series[Any],
    rated: pd.Series[Any],
    ratings: pd.DataFrame,
    design: Design,
) -> Array:
    """What images represent within their cluster: themselves, or their shares."""
    if design.weight != "share":
        return np.ones(len(found))
    name = next((one for one in ("n_shares", "n_copies") if one in found), None)
    if name is None:
        raise ImagestrataError(
            f"{arg('weight', 'share')} needs the column 'n_shares' or 'n_copies' of "
            f"{arg('clustering')}."
        )
    size = pd.to_numeric(found[name], errors="coerce").to_numpy(float)
    if not (size >= 0).all():
        raise ImagestrataError(f"The column {quote(name)} must hold numbers, 0 or more.")
    if {"weight_corpus", "weight_share"} <= {*ratings}:
        first = ratings.drop_duplicates("image_id").set_index("image_id").reindex(rated)
        own = (first["weight_share"] / first["weight_corpus"]).to_numpy(float)
        of = pd.Series(size, found["image_id"]).reindex(kept).to_numpy()
        differs = np.abs(own - of) > 1e-6 * np.maximum(own, of)
        if differs.any():
            at = int(differs.argmax())
            raise ImagestrataError(
                f"The numbers of shares differ: the image {quote(rated.iloc[at])} has {own[at]:g} "
                f"in the ratings ('weight_share' / 'weight_corpus') and {of[at]:g} in "
                f"{arg('clustering')}.",
                f"Give {arg('clustering')} the column 'n_shares' of the sample's draw.",
            )
    return size


def check_comparable(
    predicted: Predicted | None, design: Design, contrasts: str, change: str
) -> None:
    """Refuse predictions that are the same for groups of respondents that are compared."""
    if predicted is not None and (contrasts == "trend" or change != "none"):
        raise ImagestrataError(
            f"{arg('predictions')} correct differences of two means, but not trends and changes.",
            f"Leave {arg('predictions')} out, or use {arg('contrasts', 'pairs')} and "
            f"{arg('change', 'none')}.",
        )
    if predicted is None or design.compares_images or predicted.people:
        return
    name = design.by[0]
    raise ImagestrataError(
        f"{arg('predictions')} are the same for all values of {quote(name)}: they cancel out in a "
        "gap.",
        f"Give predictions for each group, with the column {quote(name)}, or leave them out. "
        f"{verb('rating_means')} takes predictions that are the same for all groups.",
    )


# ---- Predictions ---------------------------------------------------------------------------


def _by_measure(
    guesses: pd.DataFrame, design: Design, image_ids: pd.Series[Any], own: list[str]
) -> dict[tuple[int, tuple[Any, ...]], Array]:
    """Predictions by measure and series; a dimension has the mean of those of its items."""
    places = pd.Index(image_ids)
    known = guesses.assign(at=places.get_indexer(guesses["image_id"]))
    known = known[(known["at"] >= 0) & known["prediction"].notna()]
    groups = design.answers[own].astype(str).drop_duplicates()
    wanted: list[tuple[Any, ...]] = [*groups.itertuples(index=False, name=None)] if own else [()]
    have = {*guesses[own].itertuples(index=False, name=None)} if own else {()}
    for series in wanted:
        if tuple(series) not in have:
            where = ", ".join(f"{one} {value}" for one, value in zip(own, series, strict=True))
            raise ImagestrataError(
                f"{arg('predictions')} has none for {quote(where)}.",
                "Give predictions for each group of respondents; or leave out the column "
                f"{', '.join(map(quote, own))}, if predictions are the same for all groups.",
            )
    found: dict[tuple[int, tuple[Any, ...]], Array] = {}
    lacks, gaps = [], {}
    for place, row in enumerate(design.measures.itertuples(index=False)):
        items = _items(row, design.measures, known["item"])
        rows = known[known["item"].isin(items)]
        if rows.empty:
            lacks.append(row.item)
            continue
        most = 0
        for series in wanted:
            mine = rows[(rows[own] == list(series)).all(axis=1)] if own else rows
            f = np.full(len(places), np.nan)
            mean = mine.groupby("at")["prediction"].mean()
            f[mean.index.to_numpy()] = mean.to_numpy()
            empty = np.isnan(f)
            most = max(most, int(empty.sum()))
            # Corrected estimates are unbiased for any predictions that do not depend on ratings.
            f[empty] = np.nanmean(f) if not empty.all() else 0.0
            found[place, tuple(series)] = f
        if most and row.level == "item":
            gaps[row.item] = most
    _tell_incomplete(lacks, gaps, design, len(places))
    return found


def _items(row: Any, measures: pd.DataFrame, predicted: pd.Series[Any]) -> list[str]:
    if row.level == "item":
        return [str(row.item)]
    items = measures["item"][(measures["level"] == "item") & (measures["dimension"] == row.item)]
    names = [*map(str, items)]
    return names if predicted.isin(names).any() else [str(row.item)]


def _tell_incomplete(lacks: list[Any], gaps: dict[Any, int], design: Design, n_images: int) -> None:
    if len(lacks) == len(design.measures):
        items = design.measures["item"][design.measures["level"] == "item"]
        raise ImagestrataError(
            f"{arg('predictions')} are of none of the items {', '.join(map(quote, items))}.",
            "The column 'item' of both tables must have the same names.",
        )
    if lacks:
        warn(
            f"{arg('predictions')} has nothing about {', '.join(map(quote, lacks))}: there are "
            "only estimates from the sample."
        )
    if gaps:
        item, n = max(gaps.items(), key=lambda pair: pair[1])
        most = ", the item with fewest" if len(gaps) > 1 else ""
        warn(
            f"{n:,} of {plural(n_images, 'image')} have no prediction of {quote(item)}{most}: they "
            "get the mean of the others."
        )


# ---- Lambda ----------------------------------------------------------------------------------


def tune(predicted: Predicted, place: int, cells: Iterable[tuple[dict[str, Any], Any]]) -> Lambda:
    """Lambda for the means of several groups of respondents that have the same predictions.

    Parameters
    ----------
    predicted : Predicted
    place : int
        The measure.
    cells : iterable of tuple
        The group and the answers of each cell, where images of all kinds are together.
    """
    distances = [_distances(predicted, place, group, answers) for group, answers in cells]
    ids = np.concatenate([each[0] for each in distances])
    return _lambda(ids, *(np.concatenate([each[i] for each in distances]) for i in (1, 2)))


def tune_gap(
    predicted: Predicted, place: int, pairs: Iterable[list[tuple[dict[str, Any], Any]]]
) -> Lambda:
    """Lambda for the gap between two groups: each pair has the groups and answers of two sides."""
    parts = []
    for sides in pairs:
        (one, first, f_first), (two, second, f_second) = (
            _distances(predicted, place, group, answers) for group, answers in sides
        )
        ids = np.concatenate([one, two])
        y = summed(ids, np.concatenate([first, -second]))
        parts.append((y[0], y[1], summed(ids, np.concatenate([f_first, -f_second]))[1]))
    ids, y_all, f_all = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return _lambda(ids, y_all, f_all)


def _lambda(ids: Array, y: Array, f: Array) -> Lambda:
    square = float(f @ f)
    value = float(f @ y) / square if square > 1e-24 else 0.0
    if not 0 < value < 1:
        return Lambda(min(max(value, 0.0), 1.0), pd.Series(dtype=float))
    return Lambda(value, pd.Series(f**2 / square, ids).groupby(level=0).sum())


def _distances(
    predicted: Predicted, place: int, group: dict[str, Any], answers: pd.DataFrame
) -> tuple[Array, Array, Array]:
    """Images, and distances of their ratings and predictions from the mean of the stratum."""
    weight = answers["weight"].to_numpy(float)
    share = weight / weight.sum()
    image = answers["image_id"].to_numpy()
    _, y = scores_of(answers["rating"].to_numpy(float), share)
    _, f = scores_of(predicted.of_answers(place, group, answers), share)
    stratum = _collapsed(answers)
    images, of_y, _ = image_distances(image, stratum, y)
    return images, of_y, image_distances(image, stratum, f)[1]


def _collapsed(answers: pd.DataFrame) -> Array:
    """Strata of the answers of a cell.

    Images that are alone in their stratum have one together if they are compared across strata,
    see :func:`across_strata`.
    """
    place = pd.factorize(answers["stratum"], use_na_sentinel=False)[0]
    unit, first = pd.factorize(answers["image_id"])[0], ~answers["image_id"].duplicated().to_numpy()
    alone = np.bincount(place[first])[place] == 1
    share = np.bincount(unit, answers["weight"].to_numpy(float)) ** 2
    few = share[~alone[first]].sum() < LEAST_OF_OTHERS * share.sum()
    return np.where(alone & few, place.max() + 1, place)
