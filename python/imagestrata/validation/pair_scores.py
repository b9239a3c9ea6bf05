"""Agreement of a clustering with human judgements of image pairs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..annotation.agreement import percentile_interval
from ..annotation.questions import check_one_question
from ..errors import ImagestrataError, plural, warn
from ..sampling.pairs import check_pairs, clusters_by_image
from ..text.machines import refuse_machines
from ..validate import check_bool, check_choice
from ..wording import arg, quote, verb
from .second_looks import ESTIMATE, Looks, Truth, draw_truth, one_row_each, refuse_single

Array: TypeAlias = np.ndarray[Any, Any]

RATIOS = ("precision", "recall", "f1", "mean_pr")
MEASURES = (*RATIOS, "quality")
#: Rates of errors of judgement, where they are estimated.
WRONG = ("wrong_together", "wrong_apart")
#: Smallest numbers of pairs in one cluster and in two for which quality is reported.
QUALITY_PAIRS = 50
_APART, _TOGETHER = 0, 1
#: Number of draws of which the one nearest to a known number is kept.
DRAWN_FOR_ONE = 20
#: Number of pairs of the kinds of all clusters that is added to those of each.
_SHRINKAGE = 0.5
#: Strata of a name such as "within 3" or "within 12-15": clusters, or several of them.
_OF_CLUSTERS = r"within \d+(-\d+)?"


def score_by_pairs(
    clustering: Any,
    pairs: pd.DataFrame,
    *,
    measures: str | Sequence[str] | None,
    weighted: bool | None,
    residual: str,
    same_from: float,
    error_rate: float | str,
    missing: str,
    n_boot: int,
    conf_level: float,
    seed: int,
) -> pd.DataFrame:
    """The table of :func:`score_clustering`, from checked arguments."""
    asked = _check_measures(measures)
    estimated = error_rate == ESTIMATE
    pairs = check_judged(pairs, "truth", repeated=estimated)
    graded = bool(pairs["judgement"].max() > 1)
    looks = None
    if estimated:
        pairs, *looks = one_row_each(pairs, same_from)
        refuse_single(looks[0])
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
        asked = MEASURES if graded else RATIOS

    n_together = None
    if "design" in weightings and residual == "alone" and not n_missing:
        labels = clusters_by_image(clustering).to_numpy()
        n_together = number_together(labels, population_of(pairs))
    rows: list[tuple[Any, ...]] = []
    for weighting in weightings:
        sample = Sample.of(
            together[counts],
            judgements[counts],
            weights[counts] if weighting == "design" else np.ones(int(counts.sum())),
            strata_of(pairs)[counts],
            groups_of(pairs)[counts],
            n_together if weighting == "design" else None,
            None if looks is None else (looks[0][counts], looks[1][counts]),
        )
        rng = np.random.default_rng([seed, len(rows)])
        if "quality" in asked:
            _check_quality(sample, refuse=len(asked) == 1)
        rate = 0.0 if isinstance(error_rate, str) else error_rate
        found = score_sample(sample, asked, same_from, n_boot, rng, rate)
        for measure in [*asked, *(WRONG if estimated and weighting == weightings[0] else ())]:
            estimate, draws = found[measure]
            low, high = percentile_interval(estimate, draws, conf_level)
            number = (int(counts.sum()), n_residual, n_missing)
            shown = "none" if measure in WRONG else weighting
            rows.append((measure, shown, estimate, low, high, *number))
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
    groups : ndarray of shape (n_strata,)
        Number of the group of each stratum. Strata of a group have one share in common.
    n_together : int, optional
        Number of the pairs of all strata that are together, if it is known.
    looks : Looks, optional
        Numbers of judgements, if pairs have several and errors are to be estimated.
    """

    levels: Array
    cells: Array
    sizes: Array
    groups: Array
    n_together: int | None = None
    looks: Looks | None = None

    @classmethod
    def of(
        cls,
        together: Array,
        judgements: Array,
        weights: Array,
        strata: Array,
        groups: Array,
        n_together: int | None = None,
        looks: tuple[Array, Array] | None = None,
    ) -> Sample:
        """Count pairs, given as five columns.

        ``looks`` are two more: numbers of judgements, and of those that put the pair together.
        """
        levels, level = np.unique(judgements, return_inverse=True)
        names, first, stratum = np.unique(strata, return_index=True, return_inverse=True)
        cells = np.zeros((len(names), 2, len(levels)))
        np.add.at(cells, (stratum, together.astype(int), level), 1)
        sizes = np.bincount(stratum, weights, len(names))
        group = np.unique(groups[first], return_inverse=True)[1]
        # Without a pair that is together, their number says nothing about precision.
        known = n_together if together.any() else None
        counted = None if looks is None else Looks.of(stratum, together, *looks)[0]
        return cls(levels, cells, sizes, group, known, counted)

    @property
    def numbers(self) -> Array:
        """Number of pairs of each stratum."""
        numbers: Array = self.cells.sum(axis=(1, 2))
        return numbers

    @property
    def group_sizes(self) -> Array:
        """Number of pairs that each group represents."""
        return np.bincount(self.groups, self.sizes)

    @property
    def group_weights(self) -> Array:
        """Number of pairs that a pair of each group represents on average."""
        return self.group_sizes / np.bincount(self.groups, self.numbers)

    def shares(self, yes: Array, of: Array) -> tuple[Array, Array]:
        """Share of ``yes`` among ``of`` in each group, and the effective number of pairs.

        Parameters
        ----------
        yes : ndarray of shape (..., n_strata)
            Numbers of pairs, which are all also in ``of``.
        of : ndarray of shape (n_strata,)
            Numbers of pairs.
        """
        to_group = np.eye(len(self.group_sizes))[self.groups]
        weight = self.sizes / self.numbers
        total, counts = (weight * of) @ to_group, of @ to_group
        number = self.numbers + _SHRINKAGE
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.nan_to_num((weight * yes) @ to_group / total)
            kish = np.nan_to_num(total**2 / ((weight**2 * of) @ to_group))
            # Variance of a ratio in a stratified sample, by linearisation. A few pairs of one
            # kind in a stratum do not mean that all others are of this kind: part of a pair of
            # the kinds of the whole group is added to each stratum.
            mean = share[..., self.groups]
            among = (total / self.group_sizes)[self.groups]
            squares = yes * (1 - mean) ** 2 + (of - yes) * mean**2
            squares = squares + _SHRINKAGE * among * mean * (1 - mean)
            spread = (squares - (yes - of * mean) ** 2 / number) / number
            variance = (weight**2 * self.numbers * spread) @ to_group / total**2
            effective = share * (1 - share) / variance
        effective = np.where(variance > 0, effective, kish)
        return share, np.where(np.bincount(self.groups) > 1, effective, counts)

    def pooled(self) -> Array:
        """Effective numbers of pairs of groups, shape (n_groups, 2, n_levels) (Kish 1965)."""
        weight = (self.sizes / self.numbers)[:, np.newaxis, np.newaxis]
        n_groups = int(self.groups.max(initial=-1)) + 1
        weighted, squared = np.zeros((2, n_groups, *self.cells.shape[1:]))
        np.add.at(weighted, self.groups, weight * self.cells)
        np.add.at(squared, self.groups, weight**2 * self.cells)
        total, squares = (sums.sum(axis=-1, keepdims=True) for sums in (weighted, squared))
        pooled: Array = weighted * np.divide(
            total, squares, out=np.zeros_like(total), where=squares > 0
        )
        return pooled


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


def check_judged(pairs: Any, name: str = "pairs", *, repeated: bool = False) -> pd.DataFrame:
    """Pairs with one judgement by people, or several if ``repeated``, from 0 to 2 or missing."""
    check_one_question(pairs, name)
    pairs = check_pairs(pairs, "judgement", repeated=repeated, name=name)
    refuse_machines(pairs, name)
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
    """A number for each stratum: pairs of one name and one size, or else one probability.

    Pairs that were drawn in several rounds have one size, but probabilities of their rounds.
    """
    strata = np.zeros(len(pairs), dtype=np.int64)
    for name in ("stratum", "N_h" if {"stratum", "N_h"} <= {*pairs} else "probability"):
        if name in pairs:
            codes, values = pd.factorize(pairs[name], sort=True, use_na_sentinel=False)
            strata = strata * len(values) + codes
    # Numbered in the order of their names, independent of the order of the pairs.
    return pd.factorize(strata, sort=True)[0]


def groups_of(pairs: pd.DataFrame) -> Array:
    """A number for each group of strata: that of all clusters, or a stratum of its own.

    Strata of one cluster have few pairs each, which can give a share of all of them but not one
    of each.
    """
    if "stratum" not in pairs:
        return strata_of(pairs)
    of_clusters = pairs["stratum"].astype("string").str.fullmatch(_OF_CLUSTERS).fillna(False)
    groups: Array = np.where(of_clusters.to_numpy(dtype=bool), -1, strata_of(pairs))
    return groups


def population_of(pairs: pd.DataFrame) -> float | None:
    """Number of all pairs of the strata, if it is known."""
    if "N_h" not in pairs:
        return None
    sizes = pd.Series(pairs["N_h"].to_numpy(dtype=float)).groupby(strata_of(pairs)).first()
    return float(sizes.sum())


def number_together(labels: Array, population: float | None) -> int | None:
    """Number of pairs that a clustering puts together; None if its pairs are not the population."""
    if population != len(labels) * (len(labels) - 1) / 2:
        return None
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


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
    put_together = _draw_put_together(sample, n_boot, rng)
    truth = _draw_truth(sample, n_boot, rng)
    shares, drawn = [], []
    for side in (_APART, _TOGETHER):
        given = same if truth is None else truth.same
        share, effective = sample.shares(given[..., side], pairs[:, side])
        drawn.append(_draw_shares(share, effective, sample.group_weights, n_boot, rng))
        if truth is not None:
            share = sample.shares(truth.same.mean(axis=0)[:, side], pairs[:, side])[0]
        shares.append(share)
    estimates = _ratios_of_shares(sample, _put_together(sample)[0], shares, error_rate)
    draws = _ratios_of_shares(sample, put_together, drawn, error_rate)
    found = {measure: (float(estimates[measure]), draws[measure]) for measure in RATIOS}
    if truth is not None:
        rates = {name: getattr(truth, name) for name in WRONG}
        found |= {name: (float(draws.mean()), draws) for name, draws in rates.items()}
    return found


def _draw_truth(sample: Sample, n_draws: int, rng: np.random.Generator) -> Truth | None:
    """Draws of which pairs belong together, if they have several judgements."""
    if sample.looks is None:
        return None
    return draw_truth(sample.looks, sample.groups, sample.group_weights, n_draws, rng)


def _ratios_of_shares(
    sample: Sample, put_together: Array, same: Sequence[Array], error_rate: float
) -> dict[str, Array]:
    """The measures, from shares of each group (last axis); ``same`` of pairs apart and together."""
    sizes = sample.group_sizes
    together, apart = sizes * put_together, sizes * (1 - put_together)
    n_together, n_apart = together.sum(axis=-1), apart.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = (together * same[_TOGETHER]).sum(axis=-1) / n_together
        missed = (apart * same[_APART]).sum(axis=-1) / n_apart
    if sample.n_together is not None:
        n_together, n_apart = sample.n_together, sizes.sum() - sample.n_together
    precision, missed = (
        np.clip((share - error_rate) / (1 - 2 * error_rate), 0, 1) for share in (precision, missed)
    )
    # Where no pair is on one side, its share does not matter.
    precision = np.where(n_together > 0, precision, 0)
    missed = np.where(n_apart > 0, missed, 0)
    return pair_ratios(n_together * precision, n_together * (1 - precision), n_apart * missed)


def _put_together(sample: Sample) -> tuple[Array, Array]:
    """Share of each group that is together, and the effective number of pairs."""
    return sample.shares(sample.cells[:, _TOGETHER].sum(axis=1), sample.numbers)


def _draw_put_together(sample: Sample, n_boot: int, rng: np.random.Generator) -> Array:
    """Draws of the share of each group that is together, shape (n_boot, n_groups).

    If the number of pairs that are together is known, the draws are conditioned on it. If it
    is the size of the groups in which all pairs are together, the pairs were drawn from this
    clustering, and shares are known.
    """
    share, effective = _put_together(sample)
    sizes, weights = sample.group_sizes, sample.group_weights
    if sample.n_together is None:
        return _draw_shares(share, effective, weights, n_boot, rng)
    if np.isin(share, (0, 1)).all() and round(float(sizes @ share)) == sample.n_together:
        return np.broadcast_to(share, (n_boot, len(share)))
    draws = _draw_shares(share, effective, weights, n_boot * DRAWN_FOR_ONE, rng)
    distance = np.abs(draws @ sizes - sample.n_together)
    nearest: Array = draws[np.argsort(distance, kind="stable")[:n_boot]]
    return nearest


def _draw_shares(
    share: Array, number: Array, weights: Array, n_boot: int, rng: np.random.Generator
) -> Array:
    """Draws of shares from their posteriors, shape (n_boot, n_groups).

    ``share`` and ``number`` have the shape (n_groups,), or (n_boot, n_groups) for one draw each.

    The prior is that of Jeffreys, half a pair of each kind, in the group with the largest weight
    among those with pairs, and in groups without any. In each of the other groups it would add
    to the same sum: with few pairs of a kind, sums of many small shares would be too large.
    """
    prior = np.where(number > 0, 0.0, 0.5)
    heaviest = np.argmax(np.where(number > 0, weights, -1.0), axis=-1, keepdims=True)
    np.put_along_axis(prior, heaviest, 0.5, axis=-1)
    yes, no = share * number + prior, (1 - share) * number + prior
    size = (n_boot, share.shape[-1])
    draws = rng.beta(np.where(yes > 0, yes, 1), np.where(no > 0, no, 1), size)
    drawn: Array = np.where(yes > 0, np.where(no > 0, draws, 1.0), 0.0)
    return drawn


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
    cells = sample.pooled()
    pairs = cells.sum(axis=2)
    with np.errstate(invalid="ignore"):
        means = np.nan_to_num(cells @ sample.levels / pairs)
    sizes = sample.group_sizes
    estimate = _difference(sizes, _put_together(sample)[0], means)
    # One pair in total is added to each kind, spread over the judgements that occur.
    shares = rng.gamma(cells + 1 / len(sample.levels), size=(n_boot, *cells.shape))
    means = shares @ sample.levels / shares.sum(axis=-1)
    put_together = _draw_put_together(sample, n_boot, rng)
    return float(estimate), _difference(sizes, put_together, means)


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
