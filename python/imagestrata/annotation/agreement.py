"""Agreement of annotators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table
from ..text.machines import by_machine
from ..validate import check_choice, check_conf_level, check_int, check_seed
from ..verbs import public
from ..wording import arg, quote, verb
from .label_table import check_labels, check_once, is_labels
from .questions import QUESTION, named_questions

Array: TypeAlias = np.ndarray[Any, Any]
#: Function from weights of the pairs, shape (n_draws, n_pairs), to one number per draw.
Statistic: TypeAlias = Callable[[Array], Array]

#: Name of all annotators together.
_ALL = "all"
LEVELS = ("nominal", "ordinal", "interval")
#: If there are more ways than this in which annotators can judge a pair, they are sampled.
_MOST_WAYS = 256


@public
def agreement(
    answers: pd.DataFrame,
    *,
    level: str | None = None,
    n_boot: int = 1000,
    conf_level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the agreement of annotators.

    Parameters
    ----------
    answers : DataFrame
        Judged pairs: columns ``pair_id``, ``annotator`` and ``judgement`` (a number), one row
        per judgement, as in the result of :func:`read_pairs`, and with several questions the
        column ``question``. Or labels: columns ``image_id``, ``code``, ``label`` and
        ``annotator``, as in the result of :func:`read_labels`.
        Annotators need not judge every pair or label every image.
    level : {"nominal", "ordinal", "interval"}, optional
        Level of measurement for Krippendorff's alpha. By default all three for judgements; with
        only two different ones, where all three are equal, "nominal". For labels "nominal" for
        yes or no and for choices, "ordinal" and "interval" for scales. With "nominal" weighted
        kappas are left out.
    n_boot : int, default 1000
        Number of draws from which intervals are computed.
    conf_level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        Seed of the draws.

    Returns
    -------
    DataFrame
        One row per measure: ``measure``, ``annotators`` (the two, or "all"; with a model among
        them "people", and "people and models" for the mean over pairs of a person and a model),
        ``estimate``, ``conf_low``, ``conf_high``, ``n_pairs`` (with at
        least two judgements that count). With several questions, these rows for each
        ``question``. For labels, these rows for each ``code``, and ``n_images`` instead of
        ``n_pairs``. The measures are

        - ``percent_agreement``, as a share, and ``cohen_kappa``: for every two
          annotators over the pairs that both judged, and the mean over these
          ("all"), for kappa over the values that are defined.
        - ``cohen_kappa_linear``, ``cohen_kappa_quadratic``: Cohen's weighted
          kappa of graded judgements, with the distance of the two judgements, or
          its square, as the weight of a disagreement. Only if there are more than
          two different judgements.
        - ``fleiss_kappa``: over the pairs with the most frequent number of
          judgements, since all pairs must have the same number.
        - ``krippendorff_alpha_nominal``, ``..._ordinal``, ``..._interval``:
          over all pairs with two or more judgements.

        An undefined measure, such as kappa if all judgements are the same, is NaN.

    Raises
    ------
    ImagestrataError
        If there is only one annotator, no pair or image has two answers, or an annotator
        answered twice.

    Warns
    -----
    UserWarning
        If a kappa is undefined for some pairs of annotators: "all" is then the
        mean over the others. If codes are left out: those of free text, and those that no image
        has from two annotators. If questions are left out, to which no pair has two answers.

    Notes
    -----
    Labels of images are compared in the same way as judgements of pairs. A skipped image has no
    label. Choices are compared as equal or different.

    Weighted kappas are those of scikit-learn's ``cohen_kappa_score(weights=)``
    if judgements differ by whole numbers and every grade occurs; otherwise the distances
    of the numbers count, not their ranks.

    Intervals are computed by a Bayesian bootstrap (Rubin 1981): each pair of images, with
    all its judgements, has a random weight. The prior has the weight of one pair whose
    judgements are random and equally likely. Intervals therefore have a positive width if
    all annotators agree; for two annotators and two different judgements, the interval
    of ``percent_agreement`` is Jeffreys'. Intervals lie between percentiles and describe
    the variation over pairs with the same annotators.
    ``benchmarks/score_coverage.py`` measures how often they cover.
    """
    if level is not None:
        level = check_choice("level", level, LEVELS)
    n_boot = check_int("n_boot", n_boot, minimum=1)
    conf_level = check_conf_level(conf_level)
    seed = check_seed(seed)

    def measures(table: pd.DataFrame, levels: list[str] | None, unit: str) -> pd.DataFrame:
        return _by_kind(table, levels, unit, n_boot, conf_level, seed)

    if is_labels(answers):
        return _of_codes(check_labels(answers, "answers"), level, measures)
    table = check_judgements(answers, "answers")
    _refuse_one_annotator(table, "judgements", "pairs", "read_pairs")
    levels = [level] if level else None
    if QUESTION in table:
        return _of_questions(table, levels, measures)
    return measures(table, levels, "pair")


def _by_kind(
    table: pd.DataFrame, levels: list[str] | None, unit: str, *settings: Any
) -> pd.DataFrame:
    """The measures of annotators, or of people and of people with models.

    A model is never an annotator among others: its agreement with people says how good it is, and
    theirs with each other how well anyone could agree with them.
    """
    machine = by_machine(table)
    if not machine.any() or machine.all():
        return _measures(table, levels, unit, *settings)
    people, made = table[~machine], []
    if people["pair_id"].duplicated().any():
        found = _measures(people, levels, unit, *settings)
        made.append(found.replace({"annotators": {_ALL: "people"}}))
    found = _measures(table, levels, unit, *settings, with_models=True)
    made.append(found.replace({"annotators": {_ALL: "people and models"}}))
    return pd.concat(made, ignore_index=True)


def _measures(
    table: pd.DataFrame,
    levels: list[str] | None,
    unit: str,
    n_boot: int,
    conf_level: float,
    seed: int,
    *,
    with_models: bool = False,
) -> pd.DataFrame:
    """All measures of a table with pair_id, annotator and judgement (a number).

    ``with_models``: only those of a person and a model.
    """
    rng = np.random.default_rng(seed)
    wide = _one_column_each(table, unit)
    values, codes = _codes(wide)
    if levels is None:
        levels = list(LEVELS)
    if len(values) <= 2 and len(levels) > 1:
        levels = list(LEVELS[:1])

    by_chance = _judged_by_chance(len(values), codes.shape[1], rng)
    n, n_more = len(codes), len(by_chance)
    ones = np.repeat([[1.0, 0.0]], [n, n_more], axis=1)
    draws = rng.gamma(np.repeat([1, 1 / n_more], [n, n_more]), size=(n_boot, n + n_more))
    draws *= n / draws.sum(axis=1, keepdims=True)
    rows = []
    for measure, names, n_units, statistic in _statistics(
        wide, codes, by_chance, values, levels, with_models=with_models
    ):
        with np.errstate(invalid="ignore", divide="ignore"):
            estimate = float(statistic(ones)[0])
            low, high = percentile_interval(estimate, statistic(draws), conf_level)
        rows.append((measure, names, estimate, low, high, n_units))
    columns = ["measure", "annotators", "estimate", "conf_low", "conf_high", f"n_{unit}s"]
    return pd.DataFrame(rows, columns=columns)


def _of_questions(
    judged: pd.DataFrame, levels: list[str] | None, measures: Callable[..., pd.DataFrame]
) -> pd.DataFrame:
    """The measures of each question."""
    made, left_out = [], []
    for question in named_questions(judged):
        rows = judged[judged[QUESTION] == question]
        if rows["pair_id"].duplicated().any():
            found = measures(rows, levels, "pair")
            found.insert(0, QUESTION, question)
            made.append(found)
        else:
            left_out.append(question)
    hint = "Have some pairs judged by two annotators."
    return _joined(made, left_out, QUESTION, "judgements of a pair", hint)


def _joined(
    made: list[pd.DataFrame], left_out: list[str], one: str, answers: str, hint: str
) -> pd.DataFrame:
    """The measures of all codes or questions in one table; those left out are reported."""
    if not made:
        raise ImagestrataError(
            f"No {one} has {answers} by two annotators: {', '.join(left_out)}.", hint
        )
    if left_out:
        are = plural(len(left_out), f"{one} is", f"{one}s are")
        warn(f"{are} left out: {', '.join(left_out)}.")
    return pd.concat(made, ignore_index=True)


def _of_codes(
    labels: pd.DataFrame, level: str | None, measures: Callable[..., pd.DataFrame]
) -> pd.DataFrame:
    """The measures of each code."""
    if labels["annotator"].isna().any():
        raise ImagestrataError("The table lacks the column 'annotator'.")
    check_once(labels)
    _refuse_one_annotator(labels, "labels", "images", "read_labels")
    made, left_out = [], []
    for code, rows in labels.groupby("code", sort=False):
        kind = rows["kind"].iloc[0]
        given = rows.dropna(subset="label")
        two = given.groupby("image_id")["annotator"].nunique().max() >= 2 if len(given) else False
        if kind == "text" or not two:
            left_out.append(f"{code} ({'free text' if kind == 'text' else 'one annotator'})")
            continue
        table = given.rename(columns={"image_id": "pair_id"})
        numbers, levels = _as_judgements(table["label"], str(code), kind, level)
        found = measures(table.assign(judgement=numbers), levels, "image")
        found.insert(0, "code", str(code))
        made.append(found)
    hint = (
        f"Have some images labelled twice, such as with {arg('double', 0.1)} of "
        f"{verb('export_labels')}."
    )
    return _joined(made, left_out, "code", "labels of an image", hint)


def _as_judgements(
    labels: pd.Series[Any], code: str, kind: str, level: str | None
) -> tuple[Array, list[str]]:
    """Labels as numbers, and the levels of measurement of their code."""
    levels = [level] if level else ["ordinal", "interval"] if kind == "scale" else ["nominal"]
    numbers = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=float)
    if not np.isnan(numbers).any():
        return numbers, levels
    if levels != ["nominal"]:
        first = labels[np.isnan(numbers)].iloc[0]
        raise ImagestrataError(
            f"Labels of the code {quote(code)} are not numbers ({quote(first)} for one), so that "
            f"they have no {levels[0]} level.",
            f"Leave out {arg('level')}, or give the other codes alone.",
        )
    return pd.factorize(labels, sort=True)[0].astype(float), levels


def _refuse_one_annotator(table: pd.DataFrame, answers: str, units: str, reader: str) -> None:
    if table["annotator"].nunique() < 2:
        did = "judge" if units == "pairs" else "label"
        raise ImagestrataError(
            f"All {answers} ({len(table):,}) are by one annotator, "
            f"{quote(table['annotator'].iloc[0])}; agreement needs two or more.",
            f"Have a second annotator {did} some of the {units}, and read all files together with "
            f"{verb(reader)}.",
        )


def check_judgements(judgements: Any, name: str = "judgements") -> pd.DataFrame:
    """The columns pair_id, annotator and judgement (a number), one row per judgement.

    With several questions, also their names in the column question.
    """
    columns = ["pair_id", "annotator", "judgement"]
    table = check_table(name, judgements, columns, "read_pairs")
    one = ["pair_id", "annotator"]
    if named_questions(table):
        columns, one = [*columns, QUESTION], [*one, QUESTION]
    table = table[columns]
    table = table[table["judgement"].notna()]
    if not len(table):
        raise ImagestrataError("The table contains no judgements.")
    unnamed = int(table[["pair_id", "annotator"]].isna().any(axis=1).sum())
    if unnamed:
        raise ImagestrataError(
            f"{unnamed} of {plural(len(table), 'judgement')} lack a pair or an annotator."
        )
    numbers = pd.to_numeric(table["judgement"], errors="coerce").astype(float)
    if numbers.isna().any():
        first = table.loc[numbers.isna(), "judgement"].iloc[0]
        raise ImagestrataError(
            f"Judgements must be numbers; {int(numbers.isna().sum())} of {len(table)} are not, "
            f"{quote(first)} for one."
        )
    twice = table.duplicated(one)
    if twice.any():
        first = table[twice].iloc[0]
        each = "annotator, pair and question" if QUESTION in one else "annotator and pair"
        raise ImagestrataError(
            f"{plural(int(twice.sum()), 'judgement is', 'judgements are')} repeated: "
            f"{quote(first['annotator'])} judged the pair {quote(first['pair_id'])} more than "
            "once.",
            f"Keep one judgement per {each}.",
        )
    return table.assign(judgement=numbers)


def _one_column_each(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Pairs or images with two answers or more as rows, annotators as columns."""
    wide = table.pivot(index="pair_id", columns="annotator", values="judgement")
    wide = wide[wide.notna().sum(axis=1) > 1]
    if wide.empty:
        did = "judged" if unit == "pair" else "labelled"
        raise ImagestrataError(
            f"No {unit} was {did} by two of the "
            f"{plural(table['annotator'].nunique(), 'annotator')}.",
            f"Have some {unit}s {did} by several annotators.",
        )
    return wide


def _codes(wide: pd.DataFrame) -> tuple[Array, Array]:
    """The judgements that occur, and their places for each pair and annotator (-1 for none)."""
    matrix = wide.to_numpy()
    there = ~np.isnan(matrix)
    values = np.unique(matrix[there])
    codes = np.full(matrix.shape, -1)
    codes[there] = np.searchsorted(values, matrix[there])
    return values, codes


def _judged_by_chance(n_values: int, n_annotators: int, rng: np.random.Generator) -> Array:
    """All ways in which annotators can judge a pair, or a sample of them if there are too many.

    If all judgements are the same, a second, unobserved judgement is added.
    """
    n_values = max(n_values, 2)
    if n_annotators * np.log(n_values) > np.log(_MOST_WAYS):
        return rng.integers(n_values, size=(_MOST_WAYS, n_annotators))
    return np.indices((n_values,) * n_annotators).reshape(n_annotators, -1).T


def _statistics(
    wide: pd.DataFrame,
    judged: Array,
    by_chance: Array,
    values: Array,
    levels: list[str],
    *,
    with_models: bool = False,
) -> Iterator[tuple[str, str, int, Statistic]]:
    """Each measure with its annotators, its number of pairs, and its statistic.

    Statistics take weights of the judged pairs followed by those of ``by_chance``.
    """
    k = max(len(values), 2)
    codes = np.vstack([judged, by_chance])
    names = [str(name) for name in wide.columns]
    models = by_machine(pd.DataFrame({"annotator": names})).tolist()
    tables = {
        (i, j): _joint(codes[:, i], codes[:, j], k)
        for i, j in combinations(range(len(names)), 2)
        if (not with_models or models[i] != models[j])
        and ((judged[:, i] >= 0) & (judged[:, j] >= 0)).any()
    }
    kinds: list[tuple[str, Callable[[Array], Array]]] = [
        ("percent_agreement", _percent),
        ("cohen_kappa", partial(_cohen, distances=1 - np.eye(k))),
    ]
    if len(values) > 2 and levels != ["nominal"]:
        steps = np.abs(values[:, None] - values)
        kinds += [
            ("cohen_kappa_linear", partial(_cohen, distances=steps)),
            ("cohen_kappa_quadratic", partial(_cohen, distances=steps**2)),
        ]
    n = len(judged)
    for measure, of in kinds:
        each = {pair: _of_table(of, joint) for pair, joint in tables.items()}
        for (i, j), statistic in each.items():
            both = int(tables[i, j][:n].sum())
            yield measure, f"{names[i]}, {names[j]}", both, statistic
        defined = [each[pair] for pair, joint in tables.items() if _is_defined(of, joint[:n])]
        if measure == "cohen_kappa" and 0 < len(defined) < len(each):
            warn(
                f"Cohen's kappa is undefined for {len(each) - len(defined)} of "
                f"{plural(len(each), 'pair')} of annotators, whose judgements are all the same: "
                f"for all annotators it is the mean over the other {len(defined)}.",
            )
        some = np.any([joint[:n].any(axis=(1, 2)) for joint in tables.values()], axis=0)
        yield measure, _ALL, int(some.sum()), _mean_of(defined or list(each.values()))

    if with_models:
        return
    counts = (codes[:, :, None] == np.arange(k)).sum(axis=1)
    made = counts[:n].sum(axis=1)
    sizes, frequency = np.unique(made, return_counts=True)
    size = int(sizes[len(sizes) - 1 - frequency[::-1].argmax()])
    complete = np.append(made == size, np.ones(len(by_chance), dtype=bool))
    shown = counts.copy()
    shown[n:] = (by_chance[:, :size, None] == np.arange(k)).sum(axis=1)
    fleiss = partial(_fleiss, counts=shown, complete=complete, size=size)
    yield "fleiss_kappa", _ALL, int(complete[:n].sum()), fleiss
    for level in levels:
        alpha = partial(_alpha, counts=counts, values=values, level=level)
        yield f"krippendorff_alpha_{level}", _ALL, n, alpha


def _of_table(of: Callable[[Array], Array], joint: Array) -> Statistic:
    n, k, _ = joint.shape
    flat = joint.reshape(n, k * k)
    return lambda weights: of((weights @ flat).reshape(-1, k, k))


def _mean_of(statistics: list[Statistic]) -> Statistic:
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def _joint(one: Array, other: Array, k: int) -> Array:
    """For each pair, a cross table of the two annotators' judgements."""
    joint = np.zeros((len(one), k, k))
    rows = np.flatnonzero((one >= 0) & (other >= 0))
    joint[rows, one[rows], other[rows]] = 1
    return joint


def _percent(tables: Array) -> Array:
    """Share on the diagonal of each table, shape (n_draws, k, k)."""
    share: Array = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    return share


def _cohen(tables: Array, distances: Array) -> Array:
    """Cohen's kappa of each table, weighted by the distances of judgements, shape (k, k)."""
    total = tables.sum(axis=(1, 2))
    margins = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    expected = (margins * distances).sum(axis=(1, 2)) / total
    kappa: Array = 1 - (tables * distances).sum(axis=(1, 2)) / expected
    return kappa


def _is_defined(of: Callable[[Array], Array], joint: Array) -> bool:
    with np.errstate(invalid="ignore", divide="ignore"):
        return bool(np.isfinite(of(joint.sum(axis=0)[None])[0]))


def _fleiss(weights: Array, counts: Array, complete: Array, size: int) -> Array:
    """Fleiss' kappa of the ``complete`` pairs, those with ``size`` judgements; ``counts`` says
    how often each pair (row) got each judgement (column)."""
    weights, counts = weights[:, complete], counts[complete]
    agreeing = (counts * (counts - 1)).sum(axis=1) / (size * (size - 1))
    total = weights.sum(axis=1)
    shares = weights @ counts / (size * total[:, None])
    expected = (shares**2).sum(axis=1)
    kappa: Array = (weights @ agreeing / total - expected) / (1 - expected)
    return kappa


def _alpha(weights: Array, counts: Array, values: Array, level: str) -> Array:
    """Krippendorff's alpha from the coincidences of judgements within pairs."""
    n, k = counts.shape
    products = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(k)
    products = products / (counts.sum(axis=1) - 1)[:, None, None]
    coincidences = (weights @ products.reshape(n, k * k)).reshape(-1, k, k)
    margins = coincidences.sum(axis=2)
    distances = _square_distances(margins, values, level)
    observed = (coincidences * distances).sum(axis=(1, 2))
    expected = (margins[:, :, None] * margins[:, None, :] * distances).sum(axis=(1, 2))
    alpha: Array = 1 - (margins.sum(axis=1) - 1) * observed / expected
    return alpha


def _square_distances(margins: Array, values: Array, level: str) -> Array:
    """Squared distances between judgements, shape (n_draws or 1, k, k)."""
    if level == "nominal":
        return 1 - np.eye(len(values))[None]
    if level == "interval":
        return (values[:, None] - values[None, :])[None] ** 2
    # Ordinal: number of judgements in between, with half of the two values themselves.
    middles = np.cumsum(margins, axis=1) - margins / 2
    squares: Array = (middles[:, :, None] - middles[:, None, :]) ** 2
    return squares


def percentile_interval(estimate: float, draws: Array, conf_level: float) -> tuple[float, float]:
    """Interval between percentiles of the draws; NaN if there is no estimate."""
    if np.isnan(estimate):
        return float("nan"), float("nan")
    tail = (1 - conf_level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    # An estimate at its bound (no error in a few pairs) can be outside the percentiles.
    return min(float(low), estimate), max(float(high), estimate)
