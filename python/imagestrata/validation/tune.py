"""Choice of encoder and settings: a grid of clusterings, scored on judged pairs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.grid import (
    Candidate,
    Reduced,
    baselines_of,
    candidates_of,
    checked_grid,
    common_images,
    fit_all,
    named_embeddings,
    on_images,
    varied_settings,
)
from ..embeddings.inputs import embeddings_fingerprint
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..provenance import Step, check_base, fingerprint, one_of
from ..sampling.pairs import MISSING
from ..validate import (
    check_bool,
    check_choice,
    check_float,
    check_int,
    check_path,
    check_residual,
    check_seed,
)
from ..verbs import public
from ..wording import arg
from .differences import Compared
from .folds import JudgedPairs, choose_on_folds, score_all
from .pair_scores import MEASURES, tell_not_weighted
from .tuning import Tuning

#: The paper's grid (its section 2.4), for each encoder, with the paper's rule for which clusters
#: leave: with the default rule its thresholds make almost no difference.
PAPER_GRID: dict[str, list[Any]] = {
    "preset": ["paper"],
    "step_size": [3, 5],
    "similarity_threshold": [0.0, 0.01, 0.02, 0.03, 0.04, 0.05],
}


@public
def tune_clusters(
    embeddings: Any,
    pairs: pd.DataFrame,
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | None = None,
    *,
    measure: str = "f1",
    folds: int = 5,
    baselines: bool = True,
    weighted: bool | None = None,
    residual: str = "alone",
    same_from: float = 1,
    missing: str = "error",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Tuning:
    """Find the encoder and the settings whose clusters agree best with judged pairs.

    Every combination of the grid is fitted to every encoder's vectors and scored
    on the pairs as in :func:`score_clustering`. Combinations that differ only in which
    clusters leave an iteration (``similarity_threshold``, ``release_share``,
    ``stop_size``, ``patience``) share their fits as long as the same images remain.

    Parameters
    ----------
    embeddings : Embeddings, a list or a dict of them
        Embeddings of the same images by the encoders to choose from. The keys of a dict
        name them; otherwise they have the names of their encoders.
    pairs : DataFrame
        Judged pairs, one row each: pair_id, image_a, image_b, stratum, N_h,
        probability and judgement. Draw them from the candidates, with
        ``sample_pairs(embeddings, grid=...)``. :func:`consensus` combines annotators.
    grid : mapping of lists, or list of such, optional
        Settings of :func:`cluster_images`, including ``method`` and ``preset``. All
        combinations of each grid are tried; None is a value, too, as in
        ``{"neighbors": [None, 15]}``. By default the paper's grid, with
        ``preset="paper"``: step_size 3 and 5, similarity_threshold 0 to .05 in steps
        of .01. With ``reduction`` ("pca", "umap" or None), vectors are reduced first, each once,
        as :func:`reduce_embeddings` does; ``n_components``, ``n_neighbors``, ``min_dist`` and
        ``metric`` are then its settings: ``{"method": ["hdbscan"], "reduction": ["umap"],
        "n_components": [5, 10], "n_neighbors": [5, 15, 30], "min_cluster_size": [50, 100]}``.
    measure : str, default "f1"
        Measure to maximise: "precision", "recall", "f1", "mean_pr" (the paper's F) or,
        with graded judgements, "quality", which is NaN for clusterings with too few
        pairs in one cluster or in two. See :func:`score_clustering`.
    folds : int, default 5
        Number of folds for cross-validation (the paper's number), each with the same
        share of every stratum and judgement.
    baselines : bool, default True
        Compare with every method that takes a number of clusters, such as a single
        k-means, at the numbers that the candidates found (numbers within a tenth of
        each other share one baseline).
    weighted : bool, optional
        Whether the pairs represent all pairs of images, each with the weight 1 /
        ``probability``, or only themselves. By default they are weighted; pairs
        without a column ``probability`` are not, with a warning. Without weights, a
        clustering that is worse for the corpus can score higher.
    residual : {"alone", "drop"}, default "alone"
        ``"alone"``: each image of the residual counts as a cluster of its own.
        ``"drop"``: its pairs are left out.
    same_from : float, default 1
        The lowest judgement that means "these belong together".
    missing : {"error", "drop"}, default "error"
        Treatment of pairs with an image that an encoder has not embedded. ``"error"``
        raises an error. ``"drop"`` leaves out pairs with an image that any encoder lacks
        and counts them in ``summary``; every clustering is still fitted to all images of
        its encoder.
    seed : int, default 0
        Seed of the clusterings, the folds, and the draws of the intervals.
    out : path, optional
        Run folder. The result is stored in its folder ``tuning``, which has its own
        ``run.json``, since tuning neither uses a stored clustering nor makes one obsolete.
        An interrupted tuning continues with the first unfinished candidate.
    overwrite : bool, default False
        Replace a tuning of other settings, pairs or embeddings stored there.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts candidates.

    Returns
    -------
    Tuning
        Tables of results, of the differences between clusterings, of the choice on each fold,
        and of its scores on held-out pairs.

    Raises
    ------
    ImagestrataError
        If a setting is unknown, the embeddings are of different images, a pair
        names an unknown image, or there are too few pairs for the folds.

    Warns
    -----
    UserWarning
        If pairs have no ``probability``, or several points of the grid give
        identical clusters.

    Notes
    -----
    Estimates, standard errors and intervals come from all pairs together, by the
    posterior of :func:`score_clustering`. Nothing is fitted to the pairs, so a
    candidate's estimate is unbiased; that of the *best of many* is not. ``heldout`` is an
    estimate without this optimism: each fold is set aside in turn, the best candidate on
    the other folds decides the pairs of that fold, and the pairs of all folds are scored
    together. ``docs/judged-pairs.md`` reports how often intervals cover.

    ``differences`` compares clusterings on the same pairs. Its intervals come from draws that
    give each judged pair a random weight, the same for all clusterings (the Bayesian bootstrap of
    Rubin 1981 in each stratum), so that what two clusterings have in common cancels. Each
    interval is for one comparison that was planned. The choice of the best among many is another
    question: ``may_be_best`` marks the candidates that are not significantly worse than any
    other, in comparisons of each with all others (Hsu 1984). This set contains the best
    candidate with 95% confidence, however many candidates there are.

    Pairs drawn from one k-means are hardly informative about clusterings that differ from
    it elsewhere; pairs drawn from the candidates compare them best.
    """
    missing = check_choice("missing", missing, MISSING)
    encoders = named_embeddings(embeddings, missing)
    images = common_images(encoders)
    seed = check_seed(seed)
    measure = check_choice("measure", measure, MEASURES)
    baselines = check_bool("baselines", baselines)
    grids = checked_grid(PAPER_GRID if grid is None else grid)
    candidates = candidates_of(encoders, grids, seed)
    has_probability = "probability" in getattr(pairs, "columns", ())
    scoring: dict[str, Any] = {
        "folds": check_int("folds", folds, minimum=2),
        "weighted": has_probability if weighted is None else check_bool("weighted", weighted),
        "residual": check_residual(residual, "alone", "drop"),
        "same_from": check_float("same_from", same_from, minimum=0, maximum=2),
        "missing": missing,
        "seed": seed,
    }
    judged = JudgedPairs.of(pairs, images, **scoring)
    if measure not in judged.measures:
        raise ImagestrataError(
            "Quality needs graded judgements (0, 1, 2); none of these is above 1.",
            f"Choose one of {', '.join(judged.measures)}.",
        )
    if weighted is None and not has_probability:
        tell_not_weighted()

    settings = {"grid": grids, "measure": measure, "baselines": baselines, **scoring}
    prints = {name: embeddings_fingerprint(given) for name, given in encoders.items()}
    told = pairs.drop(columns=["path_a", "path_b"], errors="ignore")  # images may have moved
    inputs = fingerprint([prints, told.astype(str).to_dict("list")])
    folder = None if out is None else check_path("out", out) / "tuning"
    if out is not None:
        given = one_of(out, "embed", list(prints.values()))
        check_base(check_path("out", out), "embed", given, "tune")
    step = Step(folder, "tune", settings, inputs=inputs, overwrite=overwrite)

    def make() -> Tuning:
        vectors = Reduced(encoders, seed, step.parts)
        found = fit_all(candidates, vectors, progress, "Tuning")
        own = list(range(len(candidates)))
        compared = baselines_of(candidates, found) if baselines else []
        if compared:
            found += fit_all(compared, vectors, progress, "Comparing")
        every = [*candidates, *compared]
        on_common = on_images(images, every, found, encoders)
        selection, heldout = choose_on_folds(on_common, own, judged, measure, seed)
        about = _about(every, found, varied_settings(grids))
        _tell_the_same(about[~about["baseline"]], varied_settings(grids))
        scores = score_all(on_common, judged, seed)
        paired = Compared.of(on_common, about["same_as"].tolist(), own, judged, scores, seed)
        weighting = "design" if scoring["weighted"] else "none"
        numbers = [*scores.columns[1:-1]]
        scores = scores.merge(paired.may_be_best, on=["candidate", "measure"])
        results = about.merge(scores.assign(weighting=weighting), on="candidate")
        columns = [*about.drop(columns="settings"), "measure", "weighting", *numbers]
        return Tuning(
            results=results[[*columns, "may_be_best", "settings"]],
            selection=selection,
            heldout=heldout.assign(weighting=weighting)[["measure", "weighting", *numbers]],
            differences=paired.differences,
            settings={
                **settings,
                "n_pairs": len(judged.a),
                "n_missing": judged.n_missing,
                "embeddings": prints,
            },
        )

    def write(tuned: Tuning, folder: Path) -> dict[str, int]:
        tuned.save(folder)
        n_candidates = tuned.results["candidate"].nunique()
        return {"n_candidates": n_candidates, "n_pairs": len(judged.a)}

    return step.result(Tuning.load, make, write)


def _about(
    candidates: Sequence[Candidate], found: Sequence[NDArray[np.intp]], varied: Sequence[str]
) -> pd.DataFrame:
    """The settings of candidates and the clusters that they found."""
    first: dict[tuple[str, bytes], int] = {}
    same_as = [
        first.setdefault((candidate.encoder, labels.tobytes()), number)
        for number, (candidate, labels) in enumerate(zip(candidates, found, strict=True), 1)
    ]
    return pd.DataFrame(
        {
            "candidate": np.arange(1, len(candidates) + 1),
            "same_as": same_as,
            "encoder": [candidate.encoder for candidate in candidates],
            "method": [candidate.method for candidate in candidates],
            "baseline": [candidate.baseline for candidate in candidates],
            **{name: [one.point.get(name) for one in candidates] for name in varied},
            "n_clusters": [int(labels.max(initial=-1)) + 1 for labels in found],
            "share_residual": [float((labels < 0).mean()) for labels in found],
            "settings": [json.dumps(candidate.point) for candidate in candidates],
        }
    )


def _tell_the_same(own: pd.DataFrame, varied: Sequence[str]) -> None:
    """Warn if points of the grid give identical clusters, and name settings without an effect."""
    n_different = own["same_as"].nunique()
    if n_different == len(own):
        return
    settings = own["settings"].map(json.loads)
    idle = []
    for name in varied:
        others = [
            json.dumps([encoder, method, {key: one[key] for key in one if key != name}])
            for encoder, method, one in zip(own["encoder"], own["method"], settings, strict=True)
        ]
        alike = own["same_as"].groupby(others)
        if alike.nunique().max() == 1 < alike.size().max():
            idle.append(name)
    names = ", ".join(arg(name) for name in idle)
    warn(
        f"The {len(own)} points of the grid give only {plural(n_different, 'different clustering')}"
        f": see the column 'same_as'."
        + (f" No value of {names} makes a difference." if idle else ""),
        f"A threshold decides which clusters leave with {arg('preset', 'paper')}, or with "
        f"{arg('release_share', 1)} and {arg('neighbors', None)}."
        if "similarity_threshold" in idle
        else "",
    )
