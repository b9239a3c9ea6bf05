"""Which encoder and which settings: a grid of clusterings, scored by people's pairs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.inputs import embeddings_fingerprint
from ..errors import ImagestrataError
from ..progress import Progress
from ..provenance import Step, fingerprint
from ..validate import check_bool, check_choice, check_float, check_int, check_path, check_seed
from ..verbs import public
from .folds import JudgedPairs, choose_on_folds, score_folds, summarise
from .grid import (
    Candidate,
    baselines_of,
    candidates_of,
    checked_grid,
    fit_all,
    named_embeddings,
    varied_settings,
)
from .pair_scores import MEASURES
from .tuning import Tuning

#: The paper's grid (its section 2.4), for each encoder.
PAPER_GRID: dict[str, list[Any]] = {
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
    weighted: bool = False,
    residual: str = "apart",
    same_from: float = 1,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Tuning:
    """Let judged pairs say which encoder and which settings cluster best.

    Every combination of the grid is fitted to every encoder's vectors and scored
    on the pairs, with cross-validation over pairs. What combinations have in
    common is computed once: those that differ only in what leaves an iteration
    (``similarity_threshold``, ``release_share``, ``stop_size``, ``patience``)
    share their fits until other images remain.

    Parameters
    ----------
    embeddings : Embeddings, a list or a dict of them
        The encoders to choose from, of the same images; the keys of a dict name
        them, otherwise they go by the names of their encoders.
    pairs : DataFrame
        Judged pairs, one row each: pair_id, image_a, image_b, stratum, judgement and,
        with ``weighted``, probability. See :func:`sample_pairs` and :func:`consensus`.
    grid : mapping of lists, or list of such, optional
        Settings of :func:`cluster_images`, ``method`` and ``preset`` among them:
        every combination is tried, of one grid or of each of several. By default
        the paper's: step_size 3 and 5, similarity_threshold 0 to .05 in steps of
        .01.
    measure : str, default "f1"
        What decides: "precision", "recall", "f1", "mean_pr" (the paper's F) or,
        with graded judgements, "quality", which is missing for clusterings with
        too few pairs on either side. See :func:`score_pairs`.
    folds : int, default 5
        Folds of the cross-validation (the paper), each with its share of every
        stratum and judgement.
    baselines : bool, default True
        Compare with every method that takes a number of clusters, single
        k-means above all, at the numbers that the candidates found (those within
        a tenth of each other share one).
    weighted : bool, default False
        Weight pairs by the inverse of their sampling probability. Without, the
        levels are those of the drawn pairs, not of all pairs (as in the paper),
        but comparisons are less noisy.
    residual : {"apart", "leave_out"}, default "apart"
        Images of the residual count as apart from all others, or their pairs
        are left out.
    same_from : float, default 1
        The least judgement that says "these belong together".
    seed : int, default 0
        For the clusterings and for the folds.
    out : path, optional
        Run folder. The result is stored in ``tuning`` in it, a folder with a
        ``run.json`` of its own, since tuning neither builds on a stored
        clustering nor makes one obsolete. Interrupted, it goes on with the
        first candidate that is not finished.
    overwrite : bool, default False
        Replace a tuning of other settings, pairs or embeddings stored there.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`; counts candidates.

    Returns
    -------
    Tuning
        Tables of results, folds, and of what the choice holds on held-out pairs.

    Raises
    ------
    ImagestrataError
        If a setting is unknown, the embeddings are of different images, a pair
        names an unknown image, or a fold would have no pair judged together.

    Notes
    -----
    Nothing is fitted to the pairs, so a candidate's estimate is unbiased; the
    estimate of the *best of many* is not, and ``selection`` says by how much.
    Pairs that share an image are not independent: intervals are somewhat too
    narrow. Standard errors over five folds are rough.

    With the default rule for what leaves, rank decides and the threshold is only
    a floor, so that the paper's thresholds hardly differ. They do with
    ``preset="paper"``, but then they share next to no work.
    """
    encoders = named_embeddings(embeddings)
    images = next(iter(encoders.values())).images
    seed = check_seed(seed)
    measure = check_choice("measure", measure, MEASURES)
    baselines = check_bool("baselines", baselines)
    grids = checked_grid(PAPER_GRID if grid is None else grid)
    candidates = candidates_of(encoders, grids, seed)
    scoring: dict[str, Any] = {
        "folds": check_int("folds", folds, minimum=2),
        "weighted": check_bool("weighted", weighted),
        "residual": check_choice("residual", residual, ("apart", "leave_out")),
        "same_from": check_float("same_from", same_from, minimum=0, maximum=2),
        "seed": seed,
    }
    judged = JudgedPairs.of(pairs, images, **scoring)
    if measure not in judged.measures:
        raise ImagestrataError(
            "Quality needs graded judgements (0, 1, 2); none of these is above 1.",
            f"Choose one of {', '.join(judged.measures)}.",
        )

    settings = {"grid": grids, "measure": measure, "baselines": baselines, **scoring}
    prints = {name: embeddings_fingerprint(given) for name, given in encoders.items()}
    inputs = fingerprint([prints, pairs.astype(str).to_dict("list")])
    folder = None if out is None else check_path("out", out) / "tuning"
    step = Step(
        folder, "tune", settings, inputs=inputs, overwrite=overwrite, results=["tuning.json"]
    )
    if step.folder is not None and step.finished:
        return Tuning.load(step.folder)

    found = fit_all(candidates, encoders, seed, step.parts, progress, "Tuning")
    own = list(range(len(candidates)))
    if baselines:
        compared = baselines_of(candidates, found)
        candidates = [*candidates, *compared]
        found += fit_all(compared, encoders, seed, step.parts, progress, "Comparing")
    by_fold = score_folds(found, judged)
    tuned = Tuning(
        results=_results(candidates, found, by_fold, varied_settings(grids), judged.measures),
        folds=by_fold,
        selection=choose_on_folds(found, own, judged, measure),
        settings={**settings, "n_pairs": len(judged.a), "embeddings": prints},
    )
    if step.folder is not None:
        tuned.save(step.folder)
        step.finish(n_candidates=len(candidates), n_pairs=len(judged.a))
    return tuned


def _results(
    candidates: Sequence[Candidate],
    found: Sequence[NDArray[np.intp]],
    by_fold: pd.DataFrame,
    varied: Sequence[str],
    measures: Sequence[str],
) -> pd.DataFrame:
    """What the candidates are, what they found, and how they score."""
    about = pd.DataFrame(
        {
            "candidate": np.arange(1, len(candidates) + 1),
            "encoder": [candidate.encoder for candidate in candidates],
            "method": [candidate.method for candidate in candidates],
            "baseline": [candidate.baseline for candidate in candidates],
            **{name: [one.settings.get(name) for one in candidates] for name in varied},
            "n_clusters": [int(labels.max(initial=-1)) + 1 for labels in found],
            "share_residual": [float((labels < 0).mean()) for labels in found],
            "settings": [json.dumps(candidate.settings) for candidate in candidates],
        }
    )
    scores = summarise(by_fold)
    order = scores["measure"].map({measure: i for i, measure in enumerate(measures)})
    scores = scores.assign(order=order).sort_values(["candidate", "order"]).drop(columns="order")
    table = about.merge(scores, on="candidate")
    return table[[*(name for name in table if name != "settings"), "settings"]]
