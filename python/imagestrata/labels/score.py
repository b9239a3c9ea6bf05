"""Scores of predicted labels against labels by people, by subgroup."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..ratings.estimates import ADJUSTMENTS, adjusted
from ..shown import Part, Shown
from ..tables import check_table
from ..validate import check_choice, check_conf_level, check_float, check_int
from ..verbs import public
from ..wording import arg, quote
from .estimate import Plan, plan_of
from .measures import Measure, design_of, f1, mean, nothing, ratio, variance, wilson
from .observed import Array, Observed, Target, observe_sampled

#: Measures that are means of numbers, not shares.
_MEANS = ("bias", "brier")

_COLUMNS = (
    "code", "label", "measure", "estimate", "std_error", "df", "statistic", "p_value",
    "p_adjusted", "conf_low", "conf_high", "n", "contrast", "bin_low", "bin_high",
    "mean_probability", "truth", "decision", "share",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class LabelScores(Shown):
    """Scores of predicted labels, from :func:`score_labels`.

    Attributes
    ----------
    scores : DataFrame
        One row per code, label, subgroup and measure: ``code``, ``label`` (the answer; "(all)" for
        the accuracy of all answers of a code with several), the columns of ``by``, ``measure``,
        ``estimate``, ``std_error``, ``conf_low``, ``conf_high``, and ``n``, the labelled images
        that the measure is based on.
    differences : DataFrame
        Between subgroups: ``code``, ``label``, the further columns of ``by``, ``measure``,
        ``contrast`` ("A - B"), ``estimate``, ``std_error`` (with the added half images), ``df``,
        ``statistic``, ``p_value``, ``p_adjusted``, ``conf_low``, ``conf_high``.
    calibration : DataFrame
        For each bin of probabilities ``bin_low``, ``bin_high``, ``mean_probability``, ``estimate``
        (the share of images that have the label), ``std_error``, ``conf_low``, ``conf_high``,
        ``n``.
    confusion : DataFrame
        ``truth``, ``decision``, the number ``n`` of labelled images, and their ``share`` of the
        corpus.
    summary : DataFrame
        One row: n_labelled, n_codes, weighted, adjust, conf_level.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame
    calibration: pd.DataFrame
    confusion: pd.DataFrame
    summary: pd.DataFrame

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        weighted = "weighted to the corpus" if line["weighted"] else "not weighted"
        return [
            f"Scores of predictions for {plural(int(line['n_labelled']), 'labelled image')}, "
            f"{weighted}; {100 * line['conf_level']:g}% intervals",
            (self.scores, "score"),
        ]


@public
def score_labels(
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    sample: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    *,
    images: pd.DataFrame | None = None,
    threshold: float | None = None,
    bins: int = 10,
    adjust: str = "holm",
    conf_level: float = 0.95,
) -> LabelScores:
    """Score predicted labels against labels by people, by subgroup.

    The predictions may come from a fine-tuned network, a tagger or a language model.

    Parameters
    ----------
    labels : DataFrame
        Labels by people: the result of :func:`consensus`, or a table with ``image_id``, ``code``
        and ``label`` ("1" and "0" for yes and no), one row per image and code.
    predictions : DataFrame
        The result of :func:`predict_labels` for all images; or a table like ``labels``, with
        ``probability`` if known, such as the answers of a language model.
    sample : DataFrame, optional
        The result of :func:`sample_images`, if the labelled images were drawn that way: an image
        stands for those of its cluster, so that scores describe the corpus. Without it, all
        labelled images count the same.
    by : str or sequence of str, optional
        Columns of ``images`` with subgroups. The groups of the first column are compared with each
        other, within each combination of the others.
    images : DataFrame, optional
        ``image_id`` and the columns of ``by``; by default ``sample``. With the result of
        :func:`link_posts`, an image belongs to all groups of posts that show it.
    threshold : float, optional
        Smallest probability at which an image gets an answer. By default the decisions in
        ``predictions`` are scored, and 0.5 is used if it has only probabilities.
    bins : int, default 10
        Number of bins of equal width in the calibration table.
    adjust : {"holm", "BH", "none"}, default "holm"
        Adjustment of the p values of differences. The differences of one code and measure are a
        family.
    conf_level : float, default 0.95
        Confidence level of intervals.

    Returns
    -------
    LabelScores
        With the tables ``scores``, ``differences``, ``calibration``, ``confusion``, ``summary``.

    Raises
    ------
    ImagestrataError
        If the tables do not fit together, images have several labels of a code, a model has learnt
        from the labels, or no code is binary or a choice.

    Warns
    -----
    UserWarning
        If precision or recall rest on fewer than 10 images, or images are left out.

    Notes
    -----
    *Measures.* Precision is the share of right answers among the images that the predictions give
    an answer, recall the share that they find of the images that have it, specificity the share
    that they leave out of those that lack it, and F1 is the harmonic mean of precision and recall.
    "brier" is the mean squared difference of probability and label. "bias" is the mean probability
    minus the share of images that people give the answer: above 0, the predictions overstate it;
    without probabilities, it compares the decisions. "calibration_error" is the mean distance
    between the points of the calibration table and the diagonal, weighted by images. Chance alone
    makes it larger than 0, the more so the fewer images are labelled; it has no interval.

    *Intervals.* Variances are linearised, stratified by cluster, with finite-population
    correction; those of ratios equal R's ``survey::svyratio()``. Strata with one labelled image are
    put together. Intervals are Wilson's for as many images as would be as uncertain, after two half
    images, one right and one wrong, are added: a precision of 1 from 12 images has a lower bound
    below 1. If all images are labelled, nothing is uncertain, and intervals have no width.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import score_labels
    >>> ids = [str(i) for i in range(40)]
    >>> labels = pd.DataFrame({"image_id": ids, "code": "flag", "label": [1, 0, 0, 1] * 10})
    >>> machine = labels.assign(label=[1, 0, 0, 0] * 10, annotator="model")
    >>> scores = score_labels(labels, machine).scores.set_index("measure")
    >>> scores.loc[["precision", "recall"], ["estimate", "conf_low"]].round(2).values.tolist()
    [[1.0, 0.68], [0.5, 0.29]]
    """
    if threshold is not None:
        threshold = check_float("threshold", threshold, minimum=0, maximum=1)
    bins = check_int("bins", bins, minimum=1)
    check_choice("adjust", adjust, ADJUSTMENTS)
    conf_level = check_conf_level(conf_level)
    codes = _scored(observe_sampled(labels, predictions, sample), sample is not None, threshold)
    groups = _subgroups(by, images, sample, codes)
    parts = [_of_code(code, groups, bins, conf_level) for code in codes]
    tables = {
        name: _together([part[name] for part in parts])
        for name in ("scores", "differences", "calibration", "confusion")
    }
    differences = tables["differences"]
    if len(differences):
        family = differences.groupby(["code", "measure"], sort=False)["p_value"]
        place = differences.columns.tolist().index("p_value") + 1
        values = family.transform(lambda p: adjusted(p, adjust))
        differences.insert(place, "p_adjusted", values)
    _tell_few(tables["scores"])
    n = len({image for code in codes for image in code.image_id})
    summary = pd.DataFrame(
        {
            "n_labelled": [n], "n_codes": [len(codes)], "weighted": [sample is not None],
            "adjust": [adjust], "conf_level": [conf_level],
        }
    )  # fmt: skip
    return LabelScores(**tables, summary=summary)


# ---- What is scored ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Code:
    """The images of a code that have a label and a prediction; a column per answer."""

    name: str
    answers: list[str]
    image_id: Array
    truth: Array
    probability: Array | None
    decision: Array
    plan: Plan


def _scored(observed: Observed, weighted: bool, threshold: float | None) -> list[_Code]:
    found, scales = [], []
    for name in observed.codes:
        targets = observed.targets_of(name)
        if targets[0].kind == "scale":
            scales.append(name)
            continue
        if not targets[0].predicted:
            continue
        known = np.isfinite(np.stack([t.y for t in targets] + [t.f for t in targets])).all(axis=0)
        if not known.any():
            continue
        seen = [_only(target, known) for target in targets]
        plan = plan_of(observed, seen) if weighted else design_of(int(known.sum()))
        at = np.flatnonzero(known)
        truth = np.stack([target.y[at] == 1 for target in targets], axis=1)
        f = np.stack([target.f[at] for target in targets], axis=1)
        decided = np.stack([target.decided[at] for target in targets], axis=1)
        certain = bool(np.isin(f, (0, 1)).all() and (f == decided).all())
        if threshold is not None and certain:
            raise ImagestrataError(
                f"{arg('threshold')} needs probabilities, but {arg('predictions')} of "
                f"{quote(name)} has decisions only.",
                f"Leave {arg('threshold')} out.",
            )
        if threshold is not None:
            decision = f >= threshold
        elif np.isin(decided, (0, 1)).all():
            decision = decided == 1
        else:
            decision = np.arange(len(targets)) == f.argmax(axis=1)[:, None]
        answers = [str(target.label) for target in targets]
        ids = observed.images["image_id"].to_numpy()[at]
        found.append(_Code(name, answers, ids, truth, None if certain else f, decision, plan))
    listed = ", ".join(map(quote, scales))
    message = f"Ratings have no precision or recall; left out: {listed}."
    if scales:
        if not found:
            raise ImagestrataError(message, "Score codes with the answers yes and no, or choices.")
        warn(message)
    if not found:
        raise ImagestrataError(
            "No image with a label has a prediction.",
            f"Their image_id must be the same in {arg('labels')} and {arg('predictions')}.",
        )
    return found


def _only(target: Target, known: Array) -> Target:
    y = np.where(known, target.y, np.nan)
    return Target(target.code, target.label, target.kind, y, target.f, target.decided)


@dataclass(frozen=True, eq=False)
class _Groups:
    """Subgroups: a row each in ``table``, and pairs of an image and a subgroup."""

    by: list[str]
    table: pd.DataFrame
    member: pd.DataFrame

    def within(self, ids: Array) -> Array:
        """Whether each image (row) belongs to each subgroup (column)."""
        place = pd.Index(ids).get_indexer(pd.Index(self.member["image_id"]))
        found = np.zeros((len(ids), len(self.table)), dtype=bool)
        found[place[place >= 0], self.member["group"].to_numpy()[place >= 0]] = True
        return found


def _subgroups(by: Any, images: Any, sample: Any, codes: list[_Code]) -> _Groups:
    ids = list(dict.fromkeys(image for code in codes for image in code.image_id))
    if by is None:
        if images is not None:
            raise ImagestrataError(
                f"{arg('images')} has an effect only with {arg('by')}.",
                f"Name the columns of subgroups, as in {arg('by', 'gender')}.",
            )
        member = pd.DataFrame({"image_id": ids, "group": 0})
        return _Groups([], pd.DataFrame(index=[0]), member)
    names = [by] if isinstance(by, str) else list(by)
    where, given = ("sample", sample) if images is None else ("images", images)
    if given is None:
        raise ImagestrataError(
            f"{arg('by')} names columns of {arg('images')}, which is missing.",
            f"Give a table with 'image_id' and the columns of {arg('by')}.",
        )
    table = check_table(where, given, ("image_id", *names), "link_posts")
    taken = [name for name in names if name in ("image_id", *_COLUMNS)]
    if taken:
        raise ImagestrataError(
            f"{arg('by')} has {quote(taken[0])}, which is a column of the results.",
            f"Give the column of {arg(where)} another name.",
        )
    rows = table.loc[table["image_id"].isin(ids), ["image_id", *names]].dropna().drop_duplicates()
    lost = len({*ids} - {*rows["image_id"]})
    if lost == len(ids):
        raise ImagestrataError(
            f"None of {plural(len(ids), 'labelled image')} has a subgroup in {arg(where)}.",
            f"Its 'image_id' must be those of {arg('labels')}.",
        )
    if lost:
        said = plural(lost, "labelled image is", "labelled images are")
        warn(f"{said} left out, without a subgroup in {arg(where)}.")
    grouped = rows.groupby(names, sort=True, observed=True)
    group = grouped.ngroup().to_numpy()
    first = rows[names].iloc[np.unique(group, return_index=True)[1]].reset_index(drop=True)
    member = pd.DataFrame({"image_id": rows["image_id"].to_numpy(), "group": group})
    return _Groups(names, first, member)


# ---- One code ------------------------------------------------------------------------------


def _of_code(code: _Code, groups: _Groups, bins: int, conf_level: float) -> dict[str, Any]:
    within = groups.within(code.image_id)
    found: dict[str, Any] = {"scores": [], "differences": [], "calibration": []}
    if len(code.answers) > 1:
        right = (code.truth & code.decision).any(axis=1)
        accuracy = [{"accuracy": ratio(code.plan, right & inside, inside)} for inside in within.T]
        _add(found, code, "(all)", accuracy, groups, conf_level)
    for k, answer in enumerate(code.answers):
        p = None if code.probability is None else code.probability[:, k]
        truth = code.truth[:, k]
        measured = [
            _measures(code.plan, truth, code.decision[:, k], p, inside, bins) for inside in within.T
        ]
        _add(found, code, answer, measured, groups, conf_level)
        if p is not None:
            about = {"code": code.name, "label": answer}
            found["calibration"].append(
                _calibration(about, code.plan, truth, p, within, groups, bins, conf_level)
            )
    found = {name: _together(tables) for name, tables in found.items()}
    found["confusion"] = _confusion(code, within, groups)
    return found


def _add(
    found: dict[str, Any],
    code: _Code,
    answer: str,
    measured: list[dict[str, Measure]],
    groups: _Groups,
    conf_level: float,
) -> None:
    about = {"code": code.name, "label": answer}
    found["scores"].append(_scores(about, measured, groups, conf_level))
    found["differences"].append(_differences(about, measured, groups, code.plan, conf_level))


def _measures(
    plan: Plan, truth: Array, decision: Array, probability: Array | None, within: Array, bins: int
) -> dict[str, Measure]:
    """The measures of one answer in one subgroup."""

    def share(a: Array, b: Array) -> Measure:
        return ratio(plan, a & b & within, b & within)

    found = {
        "accuracy": share(truth == decision, within),
        "precision": share(truth, decision),
        "recall": share(decision, truth),
        "specificity": share(~decision, ~truth),
        "f1": f1(share(truth & decision, truth | decision)),
        "bias": mean(plan, (decision if probability is None else probability) - truth.astype(float),
                     within),
    }  # fmt: skip
    if probability is not None:
        found["brier"] = mean(plan, (probability - truth) ** 2, within)
        found["calibration_error"] = _calibration_error(plan, truth, probability, within, bins)
    return found


def _bin_of(probability: Array, bins: int) -> Array:
    """Bins include their upper end, the first one 0, as in scikit-learn's calibration_curve()."""
    return np.searchsorted(np.arange(1, bins) / bins, probability)


def _calibration_error(
    plan: Plan, truth: Array, probability: Array, within: Array, bins: int
) -> Measure:
    w = plan.a * within
    if not within.any():
        return nothing(len(w))
    far = np.abs(np.bincount(_bin_of(probability, bins), w * (probability - truth), bins))
    none = nothing(len(w))
    estimate = float(far.sum() / w.sum())
    return Measure(estimate, np.nan, np.nan, int(within.sum()), np.nan, none.smooth, 0.0, np.nan)


def _scores(
    about: dict[str, str],
    measured: list[dict[str, Measure]],
    groups: _Groups,
    conf_level: float,
) -> pd.DataFrame:
    tables = []
    for place, measures in enumerate(measured):
        rows = [*measures.values()]
        low, high = _limits([*measures], rows, conf_level)
        values = {
            "measure": [*measures], "estimate": [row.estimate for row in rows],
            "std_error": [row.std_error for row in rows], "conf_low": low, "conf_high": high,
            "n": [row.n for row in rows],
        }  # fmt: skip
        tables.append(_with_group(about, groups.table.iloc[[place]], pd.DataFrame(values)))
    return _together(tables)


def _with_group(about: dict[str, str], group: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    repeated = group.iloc[np.zeros(len(values), dtype=int)].reset_index(drop=True)
    labels = pd.DataFrame(about, index=range(len(values)))
    return pd.concat([labels, repeated, values.reset_index(drop=True)], axis=1)


def _limits(names: list[str], rows: list[Measure], conf_level: float) -> tuple[Array, Array]:
    """Wilson's of shares; t of differences, and of squares on the logit scale: they end at 0."""
    from scipy import special, stats

    measure = np.array(names)
    df, error = np.array([row.df for row in rows]), np.array([row.std_error for row in rows])
    estimate = np.array([row.estimate for row in rows])
    t = stats.t.ppf((1 + conf_level) / 2, df)
    low, high = wilson(
        np.array([row.share for row in rows]), np.array([row.effective for row in rows]), t
    )
    harmonic = measure == "f1"
    low, high = (np.where(harmonic, 2 * end / (1 + end), end) for end in (low, high))
    half = t * error
    with np.errstate(divide="ignore", invalid="ignore"):
        width = half / (estimate * (1 - estimate))
        squares = [special.expit(special.logit(estimate) + sign * width) for sign in (-1, 1)]
    ends = []
    for sign, end, square in ((-1, low, squares[0]), (1, high, squares[1])):
        end = np.where(measure == "bias", estimate + sign * half, end)
        ends.append(np.where(measure == "brier", square, end))
    return ends[0], ends[1]


def _differences(
    about: dict[str, str],
    measured: list[dict[str, Measure]],
    groups: _Groups,
    plan: Plan,
    conf_level: float,
) -> pd.DataFrame:
    """Every pair of groups of the first column of ``by`` within the others."""
    from scipy import stats

    if not groups.by:
        return pd.DataFrame()
    first, rest = groups.by[0], groups.by[1:]
    others = groups.table.groupby(rest, sort=True, observed=True).ngroup() if rest else None
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(groups.table)), 2)
        if others is None or others[i] == others[j]
    ]
    if others is not None:
        pairs.sort(key=lambda pair: others[pair[0]])
    measures = [name for name in measured[0] if name != "calibration_error"]
    tables = []
    for name in measures:
        for i, j in pairs:
            estimate, error, df = _difference(plan, measured[i][name], measured[j][name])
            contrast = " - ".join(str(groups.table[first].iloc[place]) for place in (i, j))
            values = {
                "measure": [name], "contrast": [contrast], "estimate": [estimate],
                "std_error": [error], "df": [df],
            }  # fmt: skip
            tables.append(_with_group(about, groups.table[rest].iloc[[i]], pd.DataFrame(values)))
    table = _together(tables)
    if not len(table):
        return table
    errors, dfs = table["std_error"], table["df"]
    half = stats.t.ppf((1 + conf_level) / 2, dfs) * errors
    most = np.where(table["measure"] == "bias", 2.0, 1.0)
    table["statistic"] = table["estimate"] / errors.where(errors > 0)
    table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), dfs)
    table["conf_low"] = (table["estimate"] - half).clip(lower=-most)
    table["conf_high"] = (table["estimate"] + half).clip(upper=most)
    return table


def _difference(plan: Plan, a: Measure, b: Measure) -> tuple[float, float, float]:
    if not (a.n and b.n):
        return np.nan, np.nan, np.nan
    own = [variance(plan, one.smooth) + one.added for one in (a, b)]
    both = variance(plan, a.smooth - b.smooth) + a.added + b.added
    with np.errstate(divide="ignore", invalid="ignore"):
        welch = np.float64(sum(own)) ** 2 / (own[0] ** 2 / a.df + own[1] ** 2 / b.df)
    df = a.df + b.df if np.isnan(welch) else welch
    return a.estimate - b.estimate, float(np.sqrt(both)), max(min(df, a.n + b.n - 2), 1.0)


def _calibration(
    about: dict[str, str],
    plan: Plan,
    truth: Array,
    probability: Array,
    within: Array,
    groups: _Groups,
    bins: int,
    conf_level: float,
) -> pd.DataFrame:
    from scipy import stats

    place = _bin_of(probability, bins)
    tables = []
    for g, inside in enumerate(within.T):
        some = np.unique(place[inside])
        rows = [ratio(plan, truth & inside & (place == i), inside & (place == i)) for i in some]
        t = stats.t.ppf((1 + conf_level) / 2, [row.df for row in rows])
        low, high = wilson(
            np.array([row.share for row in rows]), np.array([row.effective for row in rows]), t
        )
        w = [plan.a * (inside & (place == i)) for i in some]
        values = {
            "bin_low": some / bins, "bin_high": (some + 1) / bins,
            "mean_probability": [(one * probability).sum() / one.sum() for one in w],
            "estimate": [row.estimate for row in rows],
            "std_error": [row.std_error for row in rows],
            "conf_low": low, "conf_high": high, "n": [row.n for row in rows],
        }  # fmt: skip
        tables.append(_with_group(about, groups.table.iloc[[g]], pd.DataFrame(values)))
    return _together(tables)


def _confusion(code: _Code, within: Array, groups: _Groups) -> pd.DataFrame:
    answers = code.answers if len(code.answers) > 1 else ["1", "0"]
    truth, decision = (_place(yes) for yes in (code.truth, code.decision))
    truths, decisions = (np.ravel(x) for x in np.meshgrid(
        range(len(answers)), range(len(answers)), indexing="ij"))  # fmt: skip
    tables = []
    for g, inside in enumerate(within.T):
        known = inside & (truth >= 0) & (decision >= 0)
        at = truth[known] * len(answers) + decision[known]
        weight = np.bincount(at, code.plan.a[known], len(answers) ** 2)
        values = {
            "truth": [answers[i] for i in truths], "decision": [answers[i] for i in decisions],
            "n": np.bincount(at, minlength=len(answers) ** 2),
            "share": weight / code.plan.a[inside].sum(),
        }  # fmt: skip
        tables.append(
            _with_group({"code": code.name}, groups.table.iloc[[g]], pd.DataFrame(values))
        )
    return _together(tables)


def _place(yes: Array) -> Array:
    """The place of the answer of each image; -1 if it has none."""
    if yes.shape[1] == 1:
        return np.where(yes[:, 0], 0, 1)
    return np.where(yes.any(axis=1), yes.argmax(axis=1), -1)


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame()


def _tell_few(scores: pd.DataFrame) -> None:
    rates = scores[scores["measure"].isin(["precision", "recall"])]
    few = int((rates["n"] < 10).sum())
    if few:
        warn(
            f"{few} of {len(rates)} scores of precision and recall rest on fewer than 10 labelled "
            "images.",
            "Look at their intervals and 'n'. Label more images of these groups, or put groups "
            "together.",
        )
