"""Scores of a clustering against judged pairs, true classes, or its own vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..annotation.questions import QUESTION, named_questions
from ..embeddings.embeddings import Embeddings
from ..errors import ImagestrataError
from ..sampling.pairs import MISSING
from ..validate import (
    check_choice,
    check_conf_level,
    check_float,
    check_idle,
    check_int,
    check_residual,
    check_seed,
)
from ..verbs import public
from ..wording import arg
from .labels import classes_of, clusters_of, score_by_labels
from .pair_scores import score_by_pairs
from .proxy_scores import score_with_machine
from .second_looks import check_error_rate
from .vector_scores import score_by_vectors

#: Comparisons, each with its treatments of the residual, the default first.
YARDSTICKS = {"pairs": ("alone", "drop"), "labels": ("alone", "drop"), "vectors": ("drop",)}


@public
def score_clustering(
    clustering: Any,
    truth: Any = None,
    by: str | None = None,
    *,
    embeddings: Any = None,
    measures: str | Sequence[str] | None = None,
    weighted: bool | None = None,
    residual: str | None = None,
    same_from: float = 1,
    error_rate: float | str = 0,
    machine: pd.DataFrame | None = None,
    missing: str = "error",
    n_boot: int = 1000,
    conf_level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score a clustering by judged pairs, by true classes, or by its own vectors.

    Parameters
    ----------
    clustering : Clustering or DataFrame; with labels also array-like of shape (n_images,)
        The result of :func:`cluster_images`, or a table with the columns
        ``image_id`` and ``cluster`` (-1 for the residual), or one cluster per image.
        With vectors it must be the result of :func:`cluster_images`.
    truth : DataFrame, array-like of shape (n_images,), or str; optional
        Pairs with one ``judgement`` each (with ``error_rate="estimate"`` also several), from
        0 to 2, as :func:`read_pairs` or :func:`consensus` return them; with several
        questions, one of each ``question``. Pairs without a
        judgement are left out, and the other pairs of their stratum represent them. Or
        true classes, as in :func:`compare_clusterings`: labels in the order of the images, a
        Series whose index names the images, a table with ``image_id`` and ``label``, or the
        name of a column of the clustering's images. Images without a label are left out. Or
        None, with ``embeddings``.
    by : {"pairs", "labels", "vectors"}, optional
        Kind of comparison: with judged pairs, true classes, or vectors. By default it is
        inferred from ``truth``.
    embeddings : Embeddings, or ndarray of shape (n_images, d); optional
        The vectors that were clustered, or other vectors of the same images.
    measures : str or sequence of str, optional
        Pairs only: some of "precision", "recall", "f1", "mean_pr" and "quality". By
        default all; "quality" only if a judgement is greater than 1. With too few pairs
        "quality" is NaN, with a warning.
    weighted : bool, optional
        Pairs only: whether the pairs represent all pairs of images, each with the weight
        1 / ``probability`` (the design-weighted measures), or only themselves. By
        default both are reported; without a column ``probability`` only the unweighted
        measures, with a warning.
    residual : {"alone", "drop"}, optional
        Treatment of images that belong to no cluster. ``"alone"``, the default with pairs
        and labels: each counts as a cluster of its own. ``"drop"``, the only choice with
        vectors: they are left out, with their pairs.
    same_from : float, default 1
        Pairs only: the lowest judgement that means "these belong together". With graded
        judgements (0 unrelated, 1 loosely, 2 closely related), 2 is stricter.
    error_rate : float or "estimate", default 0
        Pairs only: share of the judgements that are wrong, below one half, the same for
        pairs that belong together and pairs that do not; precision, recall, f1
        and mean_pr are corrected for it. If two annotators err independently and agree on
        a share A of the pairs, their error rate is e = (1 - sqrt(2 A - 1)) / 2; the
        majority of three such annotators has the error rate 3 e² - 2 e³. ``"estimate"``:
        some pairs were judged by several annotators, such as those of
        ``next_pairs(again=True)``; ``truth`` has a row for every judgement, and error rates
        are estimated.
    machine : DataFrame, optional
        Pairs only: judgements of all drawn pairs by a model, as :func:`judge_pairs` returns
        them. ``truth`` then contains people's judgements of a random part of these pairs, which
        correct those of the model.
    missing : {"error", "drop"}, default "error"
        Pairs only: treatment of pairs with an image that is not in the clustering.
        ``"error"`` raises an error; ``"drop"`` leaves them out and counts them in
        ``n_missing``. The measures then describe pairs of images in the clustering: to
        compare clusterings, leave out the same pairs for each.
    n_boot : int, default 1000
        Pairs only: number of draws from which intervals are computed.
    conf_level : float, default 0.95
        Pairs only: confidence level of the intervals.
    seed : int, default 0
        Pairs only: seed of the draws.

    Returns
    -------
    DataFrame
        One row per measure: ``measure`` and ``estimate``.

        **Pairs.** A row per measure and weighting, and with several questions for each
        ``question``, with ``weighting`` ("none" or "design"), ``conf_low``, ``conf_high``,
        ``n_pairs`` (judged pairs that count), ``n_residual`` (pairs with a residual image,
        whether they count or not) and ``n_missing`` (pairs with an image that is not in the
        clustering; they do not count). The measures are

        - ``precision``: among the pairs that the clustering puts together, the share
          that annotators put together;
        - ``recall``: among the pairs that annotators put together, the share that the
          clustering puts together;
        - ``mean_pr``: their arithmetic mean, which the paper calls F;
          ``f1``: their harmonic mean;
        - ``quality``: mean judgement of pairs in one cluster minus that of the
          other pairs, from -2 to 2. It needs 50 pairs of each kind;
        - with ``error_rate="estimate"`` also ``wrong_together``, the share of the judgements
          of pairs that do not belong together that put them together, and ``wrong_apart``,
          the share of the judgements of other pairs that set them apart.

        **Pairs and a machine.** Three rows per measure, with ``method``: ``"machine"`` as if the
        model were right, ``"people"`` from people's pairs alone, and ``"corrected"``, to be
        reported. ``n_pairs`` is the number of people's judgements, and ``n_predicted`` that of
        the model's. "quality" is not corrected.

        **Labels.** With ``n_images``, the number of images that count: ``precision``, ``recall``,
        ``f1`` and ``mean_pr`` over all pairs of images; ``bcubed_precision``,
        ``bcubed_recall`` and ``bcubed_f1`` (Bagga and Baldwin 1998), which give every
        image rather than every pair the same weight; ``adjusted_rand`` and
        ``adjusted_mutual_info``; and ``share_residual``. Precision is NaN where
        no two images share a cluster, recall where none share a class.

        **Vectors.** With ``n_images``, the number of images in clusters:

        - ``silhouette``: mean over images, from -1 to 1 (Rousseeuw 1987), with
          Euclidean distances to all clusters; these are not the silhouettes that
          decide which clusters leave an iteration;
        - ``calinski_harabasz``: ratio of the variances between and within
          clusters (1974); larger is better;
        - ``davies_bouldin``: mean over clusters of the worst ratio of spread to
          separation (1979); smaller is better;
        - ``share_residual``: share of the images in no cluster, such as noise
          of the method "hdbscan", which the other measures leave out.

        The first three are NaN unless there are at least two clusters and fewer
        clusters than images.

    Raises
    ------
    ImagestrataError
        If neither ``truth`` nor ``embeddings`` is given, an argument has no effect with
        this ``by``, images of the pairs are not in the clustering, a pair has one image
        twice or several judgements (without ``error_rate="estimate"``), judgements are off
        the scale, there are too few pairs for "quality" alone, labels fit no image, or the
        embeddings are of other images.

    Notes
    -----
    Pairs between clusters have a small probability of being drawn, so that a few of them can
    represent many pairs that belong together. If these few pairs were resampled, intervals
    would be too narrow, or have no width if there are none. Intervals therefore come
    from posteriors: in each stratum, the share of pairs in one cluster and, among these and
    among the others, the share that is judged as belonging together, are drawn from beta
    distributions of the numbers of judged pairs. Jeffreys' prior of half a pair of each
    kind is added once, in the stratum whose pairs have the largest weight (and in strata without
    any); in every stratum, it would make sums of many small shares too large. The
    interval lies between percentiles of the measures of the drawn shares.

    Strata that are single clusters ("within 3") have too few pairs for shares of their own.
    They are one group, whose share is the weighted mean of all its pairs, with the number of
    pairs that has the variance of this mean in a simple random sample: p (1 - p) / v, where v
    is the linearised variance of a stratified sample (Korn and Graubard 1998). Two pairs of one
    cluster that belong together do not mean that all of them do: half a pair with the
    share of the whole group is added to each stratum for v.

    How many pairs a clustering puts together is known if it has exactly the images from which
    the pairs were drawn (the sum of ``N_h`` says so). The design-weighted measures
    then use this number, and shares of pairs in one cluster are drawn given it: of twenty
    draws, the one that agrees best is kept. If the pairs were drawn from this clustering,
    these shares are 1 and 0.

    The unweighted measures describe the drawn pairs, not the corpus: pairs
    within clusters are far more frequent among them.

    Errors of judgement affect the design-weighted recall most. If one pair in twenty
    belongs together, one error in twenty pairs doubles the apparent number;
    ``error_rate`` corrects this, and intervals become wider. Shares s of all pairs in one
    cluster, and of all others, become (s - e) / (1 - 2 e), or 0 or 1 if that is outside these
    bounds. The correction is not made stratum by stratum, where bounds would make the sum
    too large.

    With ``error_rate="estimate"`` the model is that of Dawid and Skene (1979), with one rate of
    errors for pairs that belong together and one for the others (Hui and Walter 1980), the same
    for all annotators. Given whether a pair belongs together, its judgements are independent. Pairs
    may be chosen for further judgements by those they have. The posterior is drawn by Gibbs
    sampling; estimates are the measures of the mean numbers of pairs that belong together. The
    prior of both rates has a mean of 5% and the weight of ten judgements. If
    the same pairs mislead everybody, judgements are not independent, and neither these scores
    nor those of a majority are right: discuss such pairs.

    *A machine.* Judgements of a model are never taken for those of people: ``truth`` must not
    contain any (its annotators begin with "model:"). With ``machine``, the pairs of each stratum
    are divided by whether the clustering puts them together and by what the model says; a missing
    judgement is an answer of its own. How many pairs there are of each kind is estimated from all
    drawn pairs, and how often people put a pair of a kind together from the pairs that they
    judged (double sampling for stratification, Neyman 1938). This is the difference estimator of
    :func:`label_shares`, with one lambda per stratum. It is right however often the model errs,
    if people judged a random part of the pairs of each stratum, such as the first 150 rows of
    :func:`sample_pairs`. Kinds with fewer than two of people's pairs are joined with the most
    frequent one of their stratum.

    Measures of vectors compare clusterings of the same vectors with similar shares of
    residual and similar numbers of clusters. They do not compare encoders: vectors that
    form two compact groups have high silhouettes whatever these groups mean. Use
    :func:`tune_clusters` to compare encoders. The measures favour clusterings that leave
    many images out: one that treats all but the densest regions as noise scores well.

    Examples
    --------
    >>> from imagestrata import score_clustering
    >>> scores = score_clustering([1, 1, 2, 2], ["cat", "cat", "dog", "cat"])
    >>> scores.set_index("measure")["estimate"][["precision", "recall"]].round(2).to_list()
    [0.5, 0.33]
    """
    by = _yardstick(truth, by, embeddings)
    allowed = YARDSTICKS[by]
    residual = check_residual(allowed[0] if residual is None else residual, *allowed)
    of_pairs = {
        "measures": (measures, None),
        "weighted": (weighted, None),
        "same_from": (check_float("same_from", same_from, minimum=0, maximum=2), 1),
        "error_rate": (check_error_rate(error_rate), 0),
        "machine": (machine is not None, False),
        "missing": (check_choice("missing", missing, MISSING), "error"),
        "n_boot": (check_int("n_boot", n_boot, minimum=1), 1000),
        "conf_level": (check_conf_level(conf_level), 0.95),
        "seed": (check_seed(seed), 0),
    }
    if by == "pairs":
        settings: dict[str, Any] = {name: value for name, (value, _) in of_pairs.items()}
        settings |= {"residual": residual, "machine": machine}
        return _by_question(clustering, truth, **settings)
    check_idle(f"with {arg('by', by)}", **of_pairs)
    if by == "labels":
        clusters = clusters_of({"clustering": clustering})
        images = clusters["clustering"].index
        classes = classes_of(truth, clusters, {"clustering": clustering}, images)
        return score_by_labels(clusters["clustering"], classes, residual)
    return score_by_vectors(clustering, embeddings)


def _by_question(
    clustering: Any, pairs: pd.DataFrame, machine: pd.DataFrame | None, **settings: Any
) -> pd.DataFrame:
    """The scores of judged pairs, for each question if they have names."""
    made = []
    names: list[str | None] = [*named_questions(pairs)]
    for name in names or [None]:
        said = machine
        asked = pairs if name is None else pairs[pairs[QUESTION] == name]
        if name is not None and isinstance(machine, pd.DataFrame) and QUESTION in machine:
            said = machine[machine[QUESTION] == name]
        if machine is None:
            found = score_by_pairs(clustering, asked, **settings)
        else:
            found = score_with_machine(clustering, asked, said, **settings)
        if name is not None:
            found.insert(0, QUESTION, name)
        made.append(found)
    return pd.concat(made, ignore_index=True)


def _yardstick(truth: Any, by: str | None, embeddings: Any) -> str:
    """The kind of comparison, given as ``by`` or inferred from ``truth``."""
    if isinstance(truth, Embeddings) or (isinstance(truth, np.ndarray) and truth.ndim == 2):
        raise ImagestrataError(
            f"{arg('truth')} must be judged pairs or true classes, not vectors.",
            f"Give the vectors as {arg('embeddings')}.",
        )
    if by is not None:
        by = check_choice("by", by, YARDSTICKS)
    elif truth is None:
        by = "vectors"
    else:
        by = "pairs" if {"image_a", "image_b"} <= {*getattr(truth, "columns", ())} else "labels"
    given = {"embeddings": embeddings, "truth": truth}
    needed, idle = given if by == "vectors" else reversed(given)
    if given[needed] is None:
        raise ImagestrataError(
            "There is nothing to compare the clustering with: "
            f"{arg(needed)} is missing for {arg('by', by)}.",
            f"Give judged pairs or true classes as {arg('truth')}, or vectors as "
            f"{arg('embeddings')}.",
        )
    if given[idle] is not None:
        raise ImagestrataError(
            f"{arg(idle)} has no effect with {arg('by', by)}.", f"Leave it out, or {arg('by')}."
        )
    return by
