"""Agreement of a clustering with human judgements of image pairs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..annotation.agreement import percentile_interval
from ..errors import ImagestrataError, plural, warn
from ..sampling.pairs import check_pairs, clusters_by_image
from ..validate import check_bool, check_choice
from ..wording import arg, quote, verb

Array: TypeAlias = np.ndarray[Any, Any]

RATIOS = ("precision", "recall", "f1", "mean_pr")
MEASURES = (*RATIOS, "quality")
#: Smallest numbers of pairs in one cluster and in two for which quality is reported.
QUALITY_PAIRS = 50
_APART, _TOGETHER = 0, 1


def score_by_pairs(
    clustering: Any,
    pairs: pd.DataFrame,
    *,
    measures: str | Sequence[str] | None,
    weighted: bool | None,
    residual: str,
    same_from: float,
    error_rate: float,
    missing: str,
    n_boot: int,
    conf_level: float,
    seed: int,
) -> pd.DataFrame:
    """The table of :func:`score_clustering`, from checked arguments."""
    asked = _check_measures(measures)
    pairs = check_judged(pairs, "truth")
    weightings = _weightings(weighted, pairs)
    together, with_residual, known = pairs_together(clustering, pairs, missing)
    weights = design_weights(pairs) if "design" in weightings else np.ones(len(pairs))
    judgements = pairs["judgement"].to_numpy(dtype=float)
    counts = known & ~np.isnan(judgements)
    n_residual, n_missing = int(with_residual.sum()), int((~known).sum())
    if residual == "drop":
        counts &= ~with_residual
    if not counts.any():
        raise ImagestrataError(
            f"None of the {plural(len(pairs), 'pair')} counts: all lack a judgement"
            + (", have an image of the residual" if residual == "drop" else "")
            + (
                f", or have an image that is not in the clustering ({n_missing})."
                if n_missing
                else "."
            )
        )
    if weighted is None and "probability" not in pairs:
        tell_not_weighted()
    if asked is None:
        graded = bool(np.nanmax(judgements) > 1)
        asked = MEASURES if graded else RATIOS

    rows: list[tuple[Any, ...]] = []
    for weighting in weightings:
        sample = Sample.of(
            together[counts],
            judgements[counts],
            weights[counts] if weighting == "design" else np.ones(int(counts.sum())),
            strata_of(pairs)[counts],
        )
        rng = np.random.default_rng([seed, len(rows)])
        if "quality" in asked:
            _check_quality(sample, refuse=len(asked) == 1)
        found = score_sample(sample, asked, same_from, n_boot, rng, error_rate)
        for measure in asked:
            estimate, draws = found[measure]
            low, high = percentile_interval(estimate, draws, conf_level)
            number = (int(counts.sum()), n_residual, n_missing)
            rows.append((measure, weighting, estimate, low, high, *number))
    _tell_unknown(rows)
    names = ["measure", "weighting", "estimate", "conf_low", "conf_high"]
    return pd.DataFrame(rows, columns=[*names, "n_pairs", "n_residual", "n_missing"])


@dataclass(frozen=True, eq=False)
class Sample:
    """Numbers of pairs by stratum, by whether they are together or apart, and by judgement.

    Attributes
    ----------
    levels : ndarray of shape (n_levels,)
        The judgements that occur, ascending.
    cells : ndarray of shape (n_strata, 2, n_levels)
        Numbers of pairs: stratum; apart or together; judgement.
    sizes : ndarray of shape (n_strata,)
        Number of pairs that each stratum represents.
    """

    levels: Array
    cells: Array
    sizes: Array

    @classmethod
    def of(cls, together: Array, judgements: Array, weights: Array, strata: Array) -> Sample:
        """Count pairs, given as four columns."""
        levels, level = np.unique(judgements, return_inverse=True)
        names, stratum = np.unique(strata, return_inverse=True)
        cells = np.zeros((len(names), 2, len(levels)))
        np.add.at(cells, (stratum, together.astype(int), level), 1)
        return cls(levels, cells, np.bincount(stratum, weights, len(names)))


def score_sample(
    sample: Sample,
    measures: Sequence[str],
    same_from: float,
    n_boot: int,
    rng: np.random.Generator,
    error_rate: float = 0.0,
) -> dict[str, tuple[float, Array]]:
    """Estimate and draws of each measure, NaN if it is undefined."""
    found: dict[str, tuple[float, Array]] = {}
    if {*measures} & {*RATIOS}:
        found |= _score_ratios(sample, same_from, error_rate, n_boot, rng)
    if "quality" in measures:
        found["quality"] = _score_quality(sample, n_boot, rng)
    return found


def pair_ratios(
    true_positives: Array | float, false_positives: Array | float, false_negatives: Array | float
) -> dict[str, Array]:
    """Precision, recall, f1 and mean_pr from (weighted) numbers of pairs; NaN for 0 / 0.

    Positive pairs are those that the clustering puts together; true ones are those on
    which annotators agree with it.
    """
    hits = np.asarray(true_positives, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = hits / (hits + false_positives)
        recall = hits / (hits + false_negatives)
        f1 = 2 * precision * recall / (precision + recall)
    f1 = np.where((precision == 0) & (recall == 0), 0.0, f1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mean_pr": (precision + recall) / 2,
    }


def check_judged(pairs: Any, name: str = "pairs") -> pd.DataFrame:
    """Pairs with one judgement each, from 0 to 2 or missing."""
    pairs = check_pairs(pairs, "judgement", name=name)
    numbers = pd.to_numeric(pairs["judgement"], errors="coerce").astype(float)
    off = ~(numbers.between(0, 2) | pairs["judgement"].isna())
    if off.any():
        raise ImagestrataError(
            f"Judgements must be numbers from 0 to 2; {int(off.sum())} of {len(pairs)} are not, "
            f"{quote(pairs.loc[off, 'judgement'].tolist()[0])} for one."
        )
    checked: pd.DataFrame = pairs.assign(judgement=numbers)
    return checked


def tell_not_weighted() -> None:
    """Warn that the number of pairs that each judged pair represents is unknown."""
    warn(
        "The pairs have no column 'probability': the estimates describe the drawn pairs, not all "
        "pairs of images. Among all pairs, those of one cluster are far less frequent: levels "
        "can be much too high, and the better of two clusterings can score lower.",
        f"Join 'probability' and 'N_h' from the result of {verb('sample_pairs')}, or use "
        f"{arg('weighted', False)} to describe the drawn pairs only.",
    )


def pairs_together(
    clustering: Any, pairs: pd.DataFrame, missing: str = "error"
) -> tuple[Array, Array, Array]:
    """For each pair, whether its images share a cluster, one is residual, and both are known."""
    clusters = clusters_by_image(clustering)
    rows = [clusters.index.get_indexer(pd.Index(pairs[name])) for name in ("image_a", "image_b")]
    known = (rows[0] >= 0) & (rows[1] >= 0)
    if missing == "error" and not known.all():
        pair = pairs[~known].iloc[0]
        image = pair["image_a"] if rows[0][~known][0] < 0 else pair["image_b"]
        raise ImagestrataError(
            f"{int((~known).sum())} of {plural(len(pairs), 'pair')} have an image that is not in "
            f"the clustering, {quote(image)} for one.",
            "Cluster the images from which the pairs were drawn, or leave such pairs out with "
            f"{arg('missing', 'drop')}.",
        )
    a, b = (clusters.to_numpy()[one] for one in rows)
    return known & (a == b) & (a != -1), known & ((a == -1) | (b == -1)), known


def design_weights(pairs: pd.DataFrame) -> Array:
    """Number of pairs of images that each judged pair represents; 0 without a judgement.

    The judged pairs of a stratum also represent its other pairs: all ``N_h`` of them
    if that is known, else the rows in the table.
    """
    if "probability" not in pairs:
        raise ImagestrataError(
            "The pairs have no column 'probability', which weighted measures need.",
            f"Join it from the result of {verb('sample_pairs')}, or use {arg('weighted', False)}.",
        )
    probability = pd.to_numeric(pairs["probability"], errors="coerce").to_numpy(dtype=float)
    bad = ~((probability > 0) & (probability <= 1))
    if bad.any():
        raise ImagestrataError(
            f"The column 'probability' must hold numbers above 0 and up to 1; {int(bad.sum())} of "
            f"{len(pairs)} are not."
        )
    judged = pairs["judgement"].notna().to_numpy()
    strata = strata_of(pairs)
    if "N_h" in pairs:
        sizes = pairs["N_h"].to_numpy(dtype=float)
    else:
        sizes = np.bincount(strata)[strata] / probability
    return np.where(judged, sizes / np.maximum(np.bincount(strata, judged)[strata], 1), 0)


def strata_of(pairs: pd.DataFrame) -> Array:
    """A number for each stratum: pairs of one name and one probability."""
    strata = np.zeros(len(pairs), dtype=np.int64)
    for name in ("stratum", "probability"):
        if name in pairs:
            codes, values = pd.factorize(pairs[name], sort=True, use_na_sentinel=False)
            strata = strata * len(values) + codes
    # Numbered in the order of their names, independent of the order of the pairs.
    return pd.factorize(strata, sort=True)[0]


def _check_measures(measures: str | Sequence[str] | None) -> Sequence[str] | None:
    if measures is None:
        return None
    given = [measures] if isinstance(measures, str) else list(measures)
    if not given:
        raise ImagestrataError(
            f"{arg('measures')} is empty.", f"Choose from {', '.join(MEASURES)}."
        )
    return [check_choice("measures", measure, MEASURES) for measure in dict.fromkeys(given)]


def _weightings(weighted: bool | None, pairs: pd.DataFrame) -> list[str]:
    if weighted is None:
        return ["none", "design"] if "probability" in pairs else ["none"]
    return ["design" if check_bool("weighted", weighted) else "none"]


def _score_ratios(
    sample: Sample, same_from: float, error_rate: float, n_boot: int, rng: np.random.Generator
) -> dict[str, tuple[float, Array]]:
    """Estimate and draws of precision, recall, f1 and mean_pr."""
    same = sample.cells[:, :, sample.levels >= same_from].sum(axis=2)
    pairs = sample.cells.sum(axis=2)
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num(same / pairs)
    correct = np.clip((shares - error_rate) / (1 - 2 * error_rate), 0, 1)
    estimates = _ratios_of_shares(sample.sizes, pairs[:, _TOGETHER] / pairs.sum(axis=1), correct)

    put_together = _draw_put_together(pairs, n_boot, rng)
    judged_same = _truncated_beta(same + 0.5, pairs - same + 0.5, error_rate, n_boot, rng)
    correct = (judged_same - error_rate) / (1 - 2 * error_rate)
    draws = _ratios_of_shares(sample.sizes, put_together, correct)
    return {measure: (float(estimates[measure]), draws[measure]) for measure in RATIOS}


def _ratios_of_shares(sizes: Array, put_together: Array, same: Array) -> dict[str, Array]:
    """The measures, from shares per stratum (last axis; last but one in ``same``)."""
    together, apart = sizes * put_together, sizes * (1 - put_together)
    return pair_ratios(
        (together * same[..., _TOGETHER]).sum(axis=-1),
        (together * (1 - same[..., _TOGETHER])).sum(axis=-1),
        (apart * same[..., _APART]).sum(axis=-1),
    )


def _draw_put_together(pairs: Array, n_boot: int, rng: np.random.Generator) -> Array:
    """Draws of the share of each stratum in one cluster, shape (n_boot, n_strata)."""
    together, apart = pairs[:, _TOGETHER], pairs[:, _APART]
    shares: Array = rng.beta(together + 0.5, apart + 0.5, size=(n_boot, len(pairs)))
    return shares


def _truncated_beta(
    a: Array, b: Array, edge: float, n_boot: int, rng: np.random.Generator
) -> Array:
    """Draws from beta distributions between ``edge`` and 1 - ``edge``, shape (n_boot, *a.shape).

    If a share of judgements is wrong, the expected share of pairs judged as belonging
    together cannot be outside these bounds.
    """
    from scipy.special import betaincc, betainccinv

    # Upper tails of the mirrored distribution are precise even if little of it is inside.
    left, right = np.minimum(a, b), np.maximum(a, b)
    most, least = betaincc(left, right, edge), betaincc(left, right, 1 - edge)
    tail = least + (most - least) * rng.random((n_boot, *a.shape))
    # If almost nothing of it is inside, the draws are at the edge.
    drawn: Array = np.where(most > 0, np.clip(betainccinv(left, right, tail), edge, 1 - edge), edge)
    return np.where(a > b, 1 - drawn, drawn)


def _check_quality(sample: Sample, *, refuse: bool) -> None:
    apart, together = _sides(sample)
    if min(apart, together) < QUALITY_PAIRS:
        message = (
            f"Quality needs {QUALITY_PAIRS} judged pairs in one cluster and {QUALITY_PAIRS} in "
            f"two; there are {together} and {apart}."
        )
        if refuse:
            raise ImagestrataError(
                message,
                f"Have more pairs judged: draw them with {verb('sample_pairs')} and a larger "
                f"{arg('n')}.",
            )
        warn(message)


def _sides(sample: Sample) -> tuple[int, int]:
    """Number of pairs in two clusters, and in one."""
    apart, together = (int(number) for number in sample.cells.sum(axis=(0, 2)))
    return apart, together


def _score_quality(sample: Sample, n_boot: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Estimate and draws of the difference of mean judgements."""
    if min(_sides(sample)) < QUALITY_PAIRS:
        return float("nan"), np.full(n_boot, np.nan)
    pairs = sample.cells.sum(axis=2)
    with np.errstate(invalid="ignore"):
        means = np.nan_to_num(sample.cells @ sample.levels / pairs)
    estimate = _difference(sample.sizes, pairs[:, _TOGETHER] / pairs.sum(axis=1), means)
    # One pair in total is added to each kind, spread over the judgements that occur.
    shares = rng.gamma(sample.cells + 1 / len(sample.levels), size=(n_boot, *sample.cells.shape))
    means = shares @ sample.levels / shares.sum(axis=-1)
    return float(estimate), _difference(sample.sizes, _draw_put_together(pairs, n_boot, rng), means)


def _difference(sizes: Array, put_together: Array, means: Array) -> Array:
    """Mean judgement of pairs in one cluster minus that of the others."""
    together, apart = sizes * put_together, sizes * (1 - put_together)
    inside = (together * means[..., _TOGETHER]).sum(axis=-1) / together.sum(axis=-1)
    outside = (apart * means[..., _APART]).sum(axis=-1) / apart.sum(axis=-1)
    difference: Array = inside - outside
    return difference


def _tell_unknown(rows: list[tuple[Any, ...]]) -> None:
    unknown = {row[0] for row in rows if np.isnan(row[2])}
    if "precision" in unknown:
        warn("No judged pair is in one cluster: precision is undefined.")
    if "recall" in unknown:
        warn("Annotators put no pair together: recall is undefined.")
