"""The result of tuning, and the best clustering."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.cluster import cluster_images
from ..clustering.clustering import Clustering
from ..clustering.grid import named_embeddings, split_reduction
from ..embeddings.inputs import embeddings_fingerprint
from ..embeddings.reduce import reduce_embeddings
from ..errors import ImagestrataError, plural, warn
from ..files import make_folder, read_json, write_json, write_table
from ..progress import Progress
from ..provenance import read_table
from ..shown import Part, Shown
from ..validate import check_bool, check_path
from ..verbs import public
from ..wording import Name, arg, kind_of, quote, verb

#: A choice on fewer pairs causes a warning. A clustering puts about 100 of 200 pairs
#: together, so that a precision of .8 has a standard error of .04: as large as usual
#: differences between neighbours in a grid.
FEW_PAIRS = 200

_TABLES = ("results", "selection", "heldout", "differences")
_WEIGHTED = {"design": "weighted", "none": "unweighted"}


@dataclass(frozen=True, eq=False, repr=False)
class Tuning(Shown):
    """A grid of clusterings and their agreement with judged pairs.

    Attributes
    ----------
    results : DataFrame
        One row per candidate and measure: candidate (from 1), same_as (the first
        candidate with identical clusters, often itself), encoder, method,
        baseline (whether it is only for comparison), the settings that vary,
        n_clusters, share_residual, measure, weighting ("design": all pairs
        of images; "none": the drawn pairs), estimate, std_error, conf_low and
        conf_high (95%), n_pairs (that count), may_be_best (whether the candidate is in the
        set that contains the best one with 95% confidence, see :func:`tune_clusters`; False for
        baselines), settings (all of them, as JSON).
        Estimates and intervals are computed from all pairs, see :func:`score_clustering`.
    selection : DataFrame
        The choice on each fold: fold, candidate (best on the other folds,
        without baselines), training (its estimate there) and heldout (its estimate on
        the pairs of this fold).
    heldout : DataFrame
        Scores of the choice on held-out pairs, all folds together: measure, weighting,
        estimate, std_error, conf_low, conf_high, n_pairs. Expect these scores of the
        chosen clustering; its own estimate in ``results`` is optimistic.
    differences : DataFrame
        One row per pair of different clusterings, baselines included, and measure: candidate_a,
        candidate_b, measure, estimate (that of a minus that of b), std_error, conf_low, conf_high
        (95%, for this comparison alone), n_differ (judged pairs that only one of the two
        puts together, or counts). Of candidates with the same clusters only the first has rows.
    settings : dict
        The arguments grid, measure, baselines, folds, weighted, residual,
        same_from, missing and seed; n_pairs (judged, with vectors), n_missing
        (judged, left out); and the fingerprints of the embeddings.
    """

    results: pd.DataFrame
    selection: pd.DataFrame
    heldout: pd.DataFrame
    differences: pd.DataFrame
    settings: dict[str, Any]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables to a folder as Parquet files, and the settings as JSON."""
        folder = make_folder(folder, "folder")
        for name in _TABLES:
            write_table(folder / f"{name}.parquet", getattr(self, name))
        write_json(folder / "tuning.json", self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Tuning:
        """Read a tuning that :meth:`save` wrote, or ``tune_clusters(out=...)`` in ``tuning``.

        Raises
        ------
        ImagestrataError
            If a file is missing or damaged.
        """
        folder = check_path("folder", folder)
        try:
            tables = {name: read_table(folder / f"{name}.parquet") for name in _TABLES}
            return cls(**tables, settings=read_json(folder / "tuning.json"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ImagestrataError(
                f"{quote(folder)} contains no tuning: {quote(error.filename)} is missing.",
                f"Make one with {verb('tune_clusters', ..., out=Name('folder'))}; it is "
                "stored in folder/tuning.",
            ) from None

    @property
    def summary(self) -> pd.DataFrame:
        """The tuning in one row.

        The columns are n_candidates, n_different (with different clusters) and
        n_baselines; n_pairs, n_missing, folds, measure, weighting; candidate (number of the
        best one), its encoder, n_clusters, estimate and std_error; n_may_be_best, how many
        candidates may be the best; heldout, the score of the choice on held-out pairs; and
        best_baseline, the highest estimate of the baselines (NaN without baselines).
        """
        rows = self.results[self.results["measure"] == self.settings["measure"]]
        own = rows[~rows["baseline"]]
        held = self.heldout[self.heldout["measure"] == self.settings["measure"]]
        best = own.sort_values("estimate", ascending=False, kind="stable").iloc[0]
        row = {
            "n_candidates": len(own),
            "n_different": own["same_as"].nunique(),
            "n_baselines": int(rows["baseline"].sum()),
            **{name: self.settings[name] for name in ("n_pairs", "n_missing", "folds", "measure")},
            "weighting": best["weighting"],
            **{name: best[name] for name in ("candidate", "encoder", "n_clusters")},
            **{name: best[name] for name in ("estimate", "std_error")},
            "n_may_be_best": int(own["may_be_best"].sum()),
            "heldout": float(held["estimate"].iloc[0]),
            "best_baseline": float(rows.loc[rows["baseline"], "estimate"].max()),
        }
        return pd.DataFrame([row])

    def _parts(self) -> list[Part]:
        measure = self.settings["measure"]
        rows = self.results[self.results["measure"] == measure]
        shown = rows.drop(columns=["settings", "measure"]).sort_values("estimate", ascending=False)
        line = self.summary.iloc[0]
        return [
            f"Tuning: {plural(line['n_candidates'], 'clustering')} and {line['n_baselines']} for "
            "comparison, "
            f"{plural(line['n_pairs'], 'pair')}, {_WEIGHTED[line['weighting']]}"
            f"{_left_out(line['n_missing'])}; best {measure} first "
            f"(on held-out pairs: {line['heldout']:.3f}); "
            f"{plural(line['n_may_be_best'], 'clustering')} may be the best",
            (shown, "clustering"),
        ]


def _left_out(n: int) -> str:
    return f" ({n} with missing images left out)" if n else ""


@public
def best_clustering(
    tuned: Tuning,
    embeddings: Any,
    *,
    one_standard_error: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Clustering:
    """Fit the clustering that agrees best with the pairs.

    Parameters
    ----------
    tuned : Tuning
        The result of :func:`tune_clusters`.
    embeddings : Embeddings, a list or a dict of them
        The embeddings that were tuned.
    one_standard_error : bool, default False
        Choose the candidate with the fewest clusters among those whose difference from the best
        is at most one standard error of this difference, instead of the best itself. (Breiman
        et al. 1984 on trees, with the standard error of the best.)
    out, overwrite, progress : optional
        See :func:`cluster_images`. Reduced vectors need a run folder of their own, in which they
        are stored, too.

    Returns
    -------
    Clustering
        The clustering that was scored, fitted again. Baselines are never chosen.

    Raises
    ------
    ImagestrataError
        If the embeddings are not those that were tuned.

    Warns
    -----
    UserWarning
        If there are fewer than 200 pairs (a precision of .8 then has a standard error of
        .04 or more, as large as differences between neighbours in a grid), or if a baseline
        has a higher score.
    """
    if not isinstance(tuned, Tuning):
        raise ImagestrataError(
            f"{arg('tuned')} must be the result of {verb('tune_clusters')}, not {kind_of(tuned)}."
        )
    encoders = named_embeddings(embeddings, tuned.settings["missing"])
    best = _choose(tuned, check_bool("one_standard_error", one_standard_error))
    name = best["encoder"]
    if name not in encoders or (
        embeddings_fingerprint(encoders[name]) != tuned.settings["embeddings"][name]
    ):
        raise ImagestrataError(
            f"The best clustering has the encoder {quote(name)}, and the embeddings given now "
            f"({', '.join(encoders)}) are not those that were tuned.",
            f"Give the embeddings that you gave {verb('tune_clusters')}, with the same names.",
        )
    settings, seed = json.loads(best["settings"]), tuned.settings["seed"]
    reduction = split_reduction(settings)
    stored: dict[str, Any] = {"out": out, "overwrite": overwrite, "progress": progress}
    vectors = encoders[name]
    if reduction:
        vectors = reduce_embeddings(vectors, **reduction, seed=seed, **stored)
    return cluster_images(vectors, best["method"], **settings, seed=seed, **stored)


def _choose(tuned: Tuning, one_standard_error: bool) -> dict[str, Any]:
    """The row of the chosen candidate."""
    measure, n_pairs = tuned.settings["measure"], tuned.settings["n_pairs"]
    if n_pairs < FEW_PAIRS:
        warn(
            f"Only {plural(n_pairs, 'pair decides', 'pairs decide')} between the clusterings; "
            f"with fewer than {FEW_PAIRS} the choice depends much on chance. Look at the standard "
            "errors, or have more pairs judged."
        )
    rows = tuned.results[tuned.results["measure"] == measure]
    own = rows[~rows["baseline"]].dropna(subset="estimate")
    if own.empty:
        raise ImagestrataError(
            f"{quote(measure)} is undefined for all clusterings: none puts judged pairs together."
        )
    best = own.loc[own["estimate"].idxmax()]
    higher = rows[rows["baseline"] & (rows["estimate"] > best["estimate"])]
    if len(higher):
        first = higher.loc[higher["estimate"].idxmax()]
        warn(
            f"A baseline is better than all {plural(len(own), 'candidate')}: {first['method']} of "
            f"{first['encoder']} with {plural(first['n_clusters'], 'cluster')} has {measure} "
            f"{first['estimate']:.3f}, the best candidate {best['estimate']:.3f}."
        )
    if one_standard_error:
        near = own[best["estimate"] - own["estimate"] <= _errors(tuned, own, best["same_as"])]
        best = near.sort_values(["n_clusters", "estimate"], ascending=[True, False]).iloc[0]
    return {str(name): value for name, value in best.items()}


def _errors(tuned: Tuning, rows: pd.DataFrame, best: int) -> NDArray[np.float64]:
    """Standard error of the difference between the best candidate and each row."""
    table = tuned.differences[tuned.differences["measure"] == tuned.settings["measure"]]
    one, other = (table[f"candidate_{side}"].to_numpy() for side in "ab")
    against = pd.Series(table["std_error"].to_numpy(), index=np.where(one == best, other, one))
    errors = against[(one == best) | (other == best)].reindex(rows["same_as"]).fillna(0)
    found: NDArray[np.float64] = errors.to_numpy(dtype=np.float64)
    return found
