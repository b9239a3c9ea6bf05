"""Linear models of ratings: groups, their interactions, moderators and controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..regression.scenarios import (
    few_values,
    given_values,
    is_continuous,
    repeated,
    slope_of,
    typed_like,
    unit_of_slope,
    values_as_text,
)
from ..shown import Part, Shown
from ..validate import check_choice, check_conf_level
from ..verbs import check_product, public
from ..wording import arg, kind_of, quote, verb
from .covariates import Pairs, pick_measures, read_pairs, split_measures
from .design import Design, design_ratings, warn_unrated
from .estimates import VARIANCES, counts_of, warn_no_spread, warn_single_images
from .linear import Answers, LinearFit

Floats = NDArray[np.float64]

_MEASURE = ["level", "item", "dimension"]
#: With fewer degrees of freedom, intervals of the t distribution are doubtful.
_FEW = 4
#: The most values of a moderator.
_MOST_VALUES = 10


class _Measure(NamedTuple):
    """A measure, its answers, the places of these among the pairs, and its fit."""

    about: pd.Series[Any]
    answers: pd.DataFrame
    place: NDArray[np.int64]
    rank: int
    fit: LinearFit | None
    reason: str | None


@dataclass(frozen=True, eq=False, repr=False)
class RatingModel(Shown):
    """Linear models of items and dimensions, from :func:`rating_model`.

    Attributes
    ----------
    coefficients : DataFrame
        One row per measure and coefficient: ``level`` ("item" or "dimension"), ``item``,
        ``dimension``, ``term``, ``estimate``, ``std_error``, ``df``, ``statistic``, ``p_value``,
        ``conf_low``, ``conf_high``, and ``reason``, why a value is missing.
    terms : DataFrame
        Joint tests of the terms of the formula, one row per measure and term: ``level``, ``item``,
        ``dimension``, ``term``, ``statistic`` (F), ``df`` (the number of coefficients),
        ``df_residual``, ``p_value``.
    summary : DataFrame
        One row per measure: ``n_ratings``, ``n_respondents``, ``n_images``, ``n_clusters``,
        ``n_coefficients``, ``r_squared``, ``sigma``, ``n_left_out`` (answers of a respondent to an
        image), ``weight``, ``variance``, ``method``, ``conf_level``, ``nobs``.
    formula, weight, respondent_weight, variance, conf_level
        As given to :func:`rating_model`.
    """

    formula: str
    weight: str
    respondent_weight: str | None
    variance: str
    conf_level: float
    coefficients: pd.DataFrame
    _pairs: Pairs = field(repr=False)
    _design: Design = field(repr=False)
    _measures: list[_Measure] = field(repr=False)

    @property
    def terms(self) -> pd.DataFrame:
        labels = self._pairs.matrix.terms
        rows = [
            {**each.about, "term": term, **_joint_test(each.fit, labels, term)}
            for each in self._measures
            for term in dict.fromkeys(filter(None, labels))
        ]
        return pd.DataFrame(rows, columns=[*_MEASURE, "term", *_TESTED])

    @property
    def summary(self) -> pd.DataFrame:
        rows = []
        for each in self._measures:
            counts = counts_of(each.answers)
            rows.append(
                {
                    **each.about,
                    **counts,
                    "n_coefficients": each.rank,
                    **_fit_of(each),
                    "n_left_out": self._pairs.n_left_out,
                    "weight": self.weight,
                    "variance": self.variance,
                    "method": "design",
                    "conf_level": self.conf_level,
                    "nobs": counts["n_ratings"],
                }
            )
        return pd.DataFrame(rows)

    def coef(self) -> pd.DataFrame:
        """Coefficients as a table with a row per measure, by its item, and a column per term."""
        items = [each.about["item"] for each in self._measures]
        none = np.full(len(self._pairs.matrix.names), np.nan)
        rows = [none if each.fit is None else _estimates(each.fit) for each in self._measures]
        return pd.DataFrame(rows, pd.Index(items, name="item"), self._pairs.matrix.names)

    def vcov(self, item: str) -> pd.DataFrame:
        """The covariances of the coefficients of an item or dimension."""
        each = self._picked(item)[0]
        names = self._pairs.matrix.names
        covariance = np.full((len(names), len(names)), np.nan)
        if each.fit is not None:
            known = np.ix_(each.fit.known, each.fit.known)
            covariance[known] = (each.fit.turn @ each.fit.covariance @ each.fit.turn.T)[known]
        return pd.DataFrame(covariance, names, names)

    def augment(self) -> pd.DataFrame:
        """Answers with fitted values, one row per measure, respondent and image.

        The columns are ``level``, ``item``, ``dimension``, ``respondent_id``, ``image_id``,
        ``cluster``, the covariates, ``rating``, ``weight`` (with a mean of 1 in each measure),
        ``fitted`` and ``residual``.
        """
        covariates = self._pairs.data
        covariates = covariates[[n for n in covariates if n not in ("cluster", *_PAIR)]]
        parts = []
        for each in self._measures:
            answers, fit = each.answers, each.fit
            found = answers[[*_MEASURE, *_PAIR, "cluster"]].reset_index(drop=True)
            found = pd.concat([found, covariates.iloc[each.place].reset_index(drop=True)], axis=1)
            weight = answers["weight"].to_numpy(float)
            rating = answers["rating"].to_numpy(float)
            fitted = np.full(len(found), np.nan) if fit is None else fit.fitted
            parts.append(
                found.assign(
                    rating=rating, weight=weight / weight.mean(), fitted=fitted,
                    residual=rating - fitted,
                )
            )  # fmt: skip
        return pd.concat(parts, ignore_index=True)

    def predict(
        self, data: pd.DataFrame, items: Any = None, conf_level: float = 0.95
    ) -> pd.DataFrame:
        """Expected ratings for new data, one row per row of ``data`` and measure.

        The columns are ``row`` (from 1), ``level``, ``item``, ``dimension``, ``estimate``,
        ``std_error``, ``df``, ``conf_low``, ``conf_high`` and ``reason``; intervals are those of
        the mean.
        """
        conf_level = check_conf_level(conf_level)
        covariates = self._pairs.data
        if not isinstance(data, pd.DataFrame):
            raise ImagestrataError(
                f"{arg('data')} must be a table with the columns "
                f"{', '.join(map(str, covariates))}, not {kind_of(data)}."
            )
        rows = self._pairs.matrix.rows(typed_like(data, covariates, "answer"))
        about = pd.DataFrame({"row": np.arange(1, len(rows) + 1)})
        measures = self._picked(items)
        table = _contrasts(measures, about, [rows] * len(measures))
        table = _with_tests(table, conf_level, False)
        order = ["row", *_MEASURE]
        return table[[*order, *table.columns.drop(order)]]

    def _picked(self, items: Any) -> list[_Measure]:
        about = pd.DataFrame([each.about for each in self._measures])
        return [self._measures[place] for place in pick_measures(about, items, "items")]

    def _parts(self) -> list[Part]:
        levels = pd.Series([each.about["level"] for each in self._measures])
        counts = {one: int((levels == one).sum()) for one in ("item", "dimension")}
        said = " and ".join(plural(n, one) for one, n in counts.items() if n)
        design = self._design
        n_ratings = int((design.answers["level"] == "item").sum())
        units = {
            "cluster": "every cluster has equal weight",
            "corpus": "every image of the corpus has equal weight",
            "share": "every share of an image has equal weight",
            "none": "every rated image has equal weight",
        }
        clustered = {
            "two-way": "respondents and images", "respondent": "respondents", "image": "images"
        }[self.variance]  # fmt: skip
        return [
            f"Linear {'model' if len(levels) == 1 else 'models'} of {said}: {self.formula}",
            f"{plural(n_ratings, 'rating')} by {plural(design.n_respondents, 'respondent')}; "
            f"{units[self.weight]}; {100 * self.conf_level:g}% intervals, clustered on "
            f"{clustered}",
            (self.coefficients, "coefficient"),
        ]


_PAIR = ["respondent_id", "image_id"]
_TESTED = ["statistic", "df", "df_residual", "p_value"]


@public
def rating_model(
    ratings: pd.DataFrame,
    formula: str,
    *,
    weight: str = "cluster",
    respondent_weight: str | None = None,
    variance: str = "two-way",
    weight_by: str | Sequence[str] | None = None,
    conf_level: float = 0.95,
) -> RatingModel:
    """Model ratings of every item and dimension by groups, moderators and controls.

    For each item and each dimension a weighted linear regression, whose standard errors account
    for respondents and images as those of :func:`rating_means` do. ``"~ group"`` has the means of
    groups as :func:`rating_means`, ``"~ group * ideology + age"`` asks whether the gap between
    groups depends on ideology, ``"~ group * cluster"`` whether it differs between clusters. R's
    ``rating_model()`` gives the same estimates; both are tested against the same reference tables.
    Only R has ``method = "mixed"``, a mixed model of respondents, images and clusters (lme4).
    A model of 5,000 answers with 600 coefficients (``"~ group * cluster"`` with 300 clusters) takes
    seconds and 0.3 GB for each item; name the items on the left side.

    Parameters
    ----------
    ratings : DataFrame
        The result of :func:`read_ratings`, with covariates as columns.
    formula : str
        Covariates, as in ``"~ group * ideology + age"``. The left side may name some items or
        dimensions, as in ``"c(proud, anxiety) ~ group"``; without it all are modelled. See Notes.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        The unit with equal weight, as in :func:`rating_means`.
    respondent_weight : str or None, default None
        The column with survey weights of respondents, as in :func:`rating_means`.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        The units that count as drawn at random, as in :func:`rating_means`.
    weight_by : str, sequence of str or None, default None
        The groups in each of which every cluster (or image, or share) has the same weight, like
        ``by`` of :func:`rating_means`. By default ``group`` if the formula has it, otherwise all
        respondents together. Other covariates do not change the weights.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    RatingModel
        With the tables ``coefficients``, ``terms`` and ``summary``, and the methods ``augment()``,
        ``predict()``, ``coef()`` and ``vcov()``; :func:`rating_effects` predicts means, differences
        and slopes.

    Raises
    ------
    ImagestrataError
        As in :func:`rating_means`; if a covariate is no column, is constant, or has several values
        for a respondent and for an image; if a name on the left side is unknown; or if no measure
        has more ratings than the model has coefficients.

    Warns
    -----
    UserWarning
        If answers are left out because a covariate is missing, with numbers and reasons; if
        coefficients are collinear or rest on one respondent; or if few respondents or images are
        behind a coefficient.

    Notes
    -----
    *Formula.* Covariates are columns of ``ratings`` that describe respondents, images, or single
    answers, such as the position in a packet. Text is a category with its values in the order of
    the alphabet; the numbers ``cluster`` and ``theme`` are categories, too. The first value is the
    reference; give a pandas category another order for another reference. Ordered categories have
    polynomial contrasts: the term ``x.L`` is the linear trend. ``s()``, ``ns()``, ``poly()``,
    ``factor()`` and ``log()`` are those of :func:`topic_model`. Terms have the names that R gives
    them. Answers without one of the covariates are left out of all measures before weights are
    computed.

    *Weights* are those of :func:`rating_weights` with ``by=weight_by``. A control therefore changes
    neither the weights nor the population that the model describes.

    *Standard errors.* Let b be the weighted least squares estimate, and u = w e z the score of an
    answer, with its residual e and its row z of the model matrix, in coordinates in which the sum
    of w z z' is the identity. "respondent" is n / (n - 1) times the sum over the n respondents of
    the squares of their total scores: R's ``survey::svyglm()``. "image" is the sum, over clusters
    with m rated images, of m / (m - 1) times the squared distances of images' total scores from
    the mean of their cluster; images that are alone in their cluster have the average variance of
    the others, in proportion to squared weights. If these are too few, single images are compared
    across clusters, as in :func:`rating_means`: their residuals are multiplied by the inverse root
    of what the model leaves of their variance (CR2 by image). Coefficients that single images
    determine, such as that of a cluster with one image, account for respondents only. "two-way"
    adds the covariance of a respondent's answers to different images, which is set to zero where it
    is negative although it cannot be. Its scores are corrected for the leverage of covariates
    (CR2), beyond that of groups. With ``"~ group"`` the standard errors are those of
    :func:`rating_means`.

    *Degrees of freedom* of respondents are Satterthwaite's (Bell and McCaffrey 2002): a covariate
    that few respondents share has few. Those of images are the numbers of images minus one, put
    together over clusters in the same way. "two-way" has the smaller of both.

    *Joint tests* of terms are F tests (Hotelling's T squared). Their degrees of freedom are those
    of the covariance matrix of the coefficients, taken as a Wishart matrix (Pustejovsky and Tipton
    2018). With "two-way" the chance variations of both parts add up. With few images per cluster
    the test of ``group:cluster`` rejects too rarely, and with many a little too often; take themes.

    References
    ----------
    Bell and McCaffrey (2002). Bias reduction in standard errors for linear regression with
    multi-stage samples. Survey Methodology 28.

    Pustejovsky and Tipton (2018). Small-sample methods for cluster-robust variance estimation and
    hypothesis testing in fixed effects models. Journal of Business & Economic Statistics 36.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import rating_model
    >>> ratings = pd.DataFrame(
    ...     {
    ...         "respondent_id": [f"r{i // 4}" for i in range(48)],
    ...         "group": [["D", "R"][i // 4 % 2] for i in range(48)],
    ...         "age": [20 + i // 4 * 7 % 40 for i in range(48)],
    ...         "image_id": [f"i{i % 4}" for i in range(48)],
    ...         "cluster": [i % 4 // 2 for i in range(48)],
    ...         "item": "angry",
    ...         "rating": [i * 5 % 11 for i in range(48)],
    ...         "weight_cluster": 0.5,
    ...     }
    ... )
    >>> model = rating_model(ratings, "~ group + age")
    >>> model.coefficients["term"].tolist()
    ['(Intercept)', 'groupR', 'age']
    """
    variance = check_choice("variance", variance, VARIANCES)
    conf_level = check_conf_level(conf_level)
    wanted, right = split_measures(formula)
    env = patsy.EvalEnvironment.capture(2)
    pairs = read_pairs(ratings, right, env)
    if weight_by is None:
        weight_by = ["group"] if "group" in pairs.data else []
    design = design_ratings(pairs.ratings, weight_by, weight, respondent_weight)
    if design.n_respondents < 2:
        raise ImagestrataError(
            "A model needs two or more respondents: one does not tell how respondents differ."
        )
    warn_unrated(design)
    warn_single_images(design, variance)
    measures = [
        _measure(design, pairs, place, variance)
        for place in pick_measures(design.measures, wanted, "formula")
    ]
    table = _with_tests(_coefficients(measures, pairs.matrix.names), conf_level)
    _tell(measures, table)
    return RatingModel(
        formula, weight, respondent_weight, variance, conf_level, table, pairs, design, measures
    )


@public
def rating_effects(
    model: RatingModel,
    variable: str,
    *,
    method: str | None = None,
    by: str | Mapping[str, Any] | None = None,
    values: Any = None,
    n_points: int = 50,
    items: Any = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Predict mean ratings at values of a covariate, their differences, or its slope.

    A predicted mean is the weighted mean, over all answers of the model, of the expected rating if
    the covariate had the given value and the other covariates were as they are.

    Parameters
    ----------
    model : RatingModel
        The result of :func:`rating_model`.
    variable : str
        A covariate of the model.
    method : {"mean", "difference", "continuous", "slope"}, optional
        The mean at each of the values; the differences between each further value and the first;
        the mean over the range of a number or date; or its mean slope, per unit (of dates per 30
        days). By default "continuous" for numbers and dates, else "mean".
    by : str or mapping, optional
        Another covariate, at each of whose values the averages are computed; ``{"ideology": [2,
        6]}`` gives its values, of which there may be ten.
    values : list, optional
        Values of ``variable``; by default all of a category, or for "continuous" ``n_points`` from
        the lowest to the highest, or those that occur if they are fewer.
    n_points : int, default 50
        The largest number of values.
    items : str or list of str, optional
        Items or dimensions; by default all.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per measure and value: ``level``, ``item``, ``dimension``; the values in a column
        with the name of ``variable``, or ``contrast`` ("B - A", "per unit"); the column of ``by``;
        ``estimate``, ``std_error``, ``df``, for differences and slopes ``statistic`` and
        ``p_value``, ``conf_low``, ``conf_high``, and ``reason``, why a value is missing.

    Raises
    ------
    ImagestrataError
        If a covariate, a value or an item is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import rating_effects, rating_model
    >>> ratings = pd.DataFrame(
    ...     {
    ...         "respondent_id": [f"r{i // 4}" for i in range(48)],
    ...         "group": [["D", "R"][i // 4 % 2] for i in range(48)],
    ...         "image_id": [f"i{i % 4}" for i in range(48)],
    ...         "cluster": [i % 4 // 2 for i in range(48)],
    ...         "item": "angry",
    ...         "rating": [i * 5 % 11 for i in range(48)],
    ...         "weight_cluster": 0.5,
    ...     }
    ... )
    >>> effects = rating_effects(rating_model(ratings, "~ group"), "group")
    >>> effects[["group", "estimate"]].round(3).values.tolist()
    [['D', 5.0], ['R', 5.0]]
    """
    check_product("model", model, ("rating model",))
    if not isinstance(model, RatingModel):
        raise ImagestrataError(
            f"{arg('model')} must be the result of {verb('rating_model')}, not {kind_of(model)}."
        )
    pairs, conf_level = model._pairs, check_conf_level(conf_level)
    _check_covariate("variable", variable, pairs)
    continuous = is_continuous(pairs, variable)
    if method is None:
        method = "continuous" if continuous else "mean"
    check_choice("method", method, ["mean", "difference", "continuous", "slope"])
    if method in ("continuous", "slope") and not continuous:
        raise ImagestrataError(
            f"{arg('method', method)} takes numbers and dates, but {quote(variable)} is used as a "
            "category.",
            f"Use {arg('method', 'difference' if method == 'slope' else 'mean')}.",
        )
    name, moderators = _moderators(by, variable, pairs)
    measures = model._picked(items)
    at = [] if method == "slope" else given_values(pairs, variable, method, values, n_points)
    scenarios = [({} if name is None else {name: one}) for one in moderators]
    abouts, contrasts = [], []
    for fixed in scenarios:
        if method == "slope":
            rows = [_mean_slope(pairs, variable, fixed, measures)]
            labels: list[dict[str, Any]] = [{"contrast": unit_of_slope(pairs.data[variable])}]
        else:
            rows = [_mean_rows(pairs, {variable: value, **fixed}, measures) for value in at]
            labels = [{variable: value} for value in at]
        if method == "difference":
            text = values_as_text(at)
            labels = [{"contrast": f"{one} - {text[0]}"} for one in text[1:]]
            rows = [row - rows[0] for row in rows[1:]]
        abouts += [label | fixed for label in labels]
        contrasts += rows
    stacked = [np.stack([row[i] for row in contrasts]) for i in range(len(measures))]
    table = _contrasts(measures, pd.DataFrame(abouts), stacked)
    return _with_tests(table, conf_level, method in ("difference", "slope"))


# ---- Estimates -----------------------------------------------------------------------------


def _measure(design: Design, pairs: Pairs, place: int, variance: str) -> _Measure:
    about = design.measures.iloc[place]
    answers = design.answers
    of_measure = (answers["level"] == about["level"]) & (answers["item"] == about["item"])
    answers = answers[of_measure & (answers["weight"] > 0)]
    found = pairs.ids.get_indexer(pd.MultiIndex.from_frame(answers[_PAIR]))
    x = pairs.matrix.x[found]
    cells = np.zeros(len(answers), dtype=np.int64)
    if design.by:
        cells = answers.groupby(design.by, observed=True).ngroup().to_numpy(np.int64)
    given = Answers(
        answers["rating"].to_numpy(float),
        answers["weight"].to_numpy(float),
        answers["respondent"].to_numpy(np.int64),
        answers["image"].to_numpy(np.int64),
        pd.factorize(answers["stratum"], use_na_sentinel=False)[0],
        cells,
    )
    fit = LinearFit(x, given, variance, design.n_respondents)
    if len(answers) <= fit.rank:
        ratings = plural(len(answers), "rating")
        reason = f"{ratings}, no more than the {plural(fit.rank, 'coefficient')}"
        return _Measure(about, answers, found, fit.rank, None, reason)
    return _Measure(about, answers, found, fit.rank, fit, None)


def _estimates(fit: LinearFit) -> Floats:
    return np.where(fit.known, fit.estimate, np.nan)


def _contrasts(
    measures: Sequence[_Measure], about: pd.DataFrame, contrasts: Sequence[Floats]
) -> pd.DataFrame:
    """Estimates of contrasts of coefficients by measure; ``about`` describes the rows."""
    parts = []
    for each, rows in zip(measures, contrasts, strict=True):
        found = _estimated(each, about, rows)
        if each.fit is not None:
            lost = ~each.fit.estimable(rows)
            found.loc[lost, ["estimate", "std_error", "df"]] = np.nan
            found.loc[lost, "reason"] = "not estimable"
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def _coefficients(measures: list[_Measure], names: list[str]) -> pd.DataFrame:
    """Coefficients, as if the columns without one were not there."""
    parts = []
    for each in measures:
        found = _estimated(each, pd.DataFrame({"term": names}), np.eye(len(names)))
        if each.fit is not None:
            found.loc[~each.fit.known, "estimate"] = np.nan
            found.loc[~each.fit.known, "reason"] = "collinear"
            found.loc[each.fit.empty, "reason"] = "no rating"
        parts.append(found)
    return pd.concat(parts, ignore_index=True)


def _estimated(each: _Measure, about: pd.DataFrame, rows: Floats) -> pd.DataFrame:
    found = about.copy()
    for name in _MEASURE[::-1]:
        found.insert(0, name, each.about[name])
    if each.fit is None:
        return found.assign(estimate=np.nan, std_error=np.nan, df=np.nan, reason=each.reason)
    error = each.fit.errors(rows)
    people = each.answers.drop_duplicates("respondent").set_index("respondent")["respondent_id"]
    reason = [f"rests on respondent {people[one]}" if one >= 0 else None for one in error.alone]
    return found.assign(
        estimate=rows @ each.fit.estimate, std_error=error.std_error, df=error.df,
        reason=pd.Series(reason, dtype=object),
    )  # fmt: skip


def _with_tests(table: pd.DataFrame, conf_level: float, tested: bool = True) -> pd.DataFrame:
    """Add tests and intervals; ``reason`` comes last."""
    from scipy import stats

    reason = table.pop("reason").astype("str")
    error, df = table["std_error"], table["df"]
    if tested:
        table["statistic"] = table["estimate"] / error.where(error > 0)
        table["p_value"] = 2 * stats.t.sf(table["statistic"].abs(), df)
    half = stats.t.ppf((1 + conf_level) / 2, df) * error
    table["conf_low"], table["conf_high"] = table["estimate"] - half, table["estimate"] + half
    return table.assign(reason=reason.where(reason.notna(), None))


def _joint_test(fit: LinearFit | None, labels: list[str], term: str) -> dict[str, Any]:
    """The F test that all coefficients of a term are zero."""
    from scipy import stats

    of_term = np.array([label == term for label in labels])
    of_term &= fit is not None and fit.known
    q = int(of_term.sum())
    found = {"statistic": np.nan, "df": q, "df_residual": np.nan, "p_value": np.nan}
    if fit is None or q == 0:
        return found
    turn, b = fit.turn[of_term], fit.estimate[of_term]
    error = fit.errors(np.eye(len(labels))[of_term])
    if not (error.std_error > 0).all():
        return found
    covariance = turn @ fit.covariance @ turn.T
    scale = np.sqrt(np.diag(covariance))
    if np.linalg.cond(covariance / np.outer(scale, scale), 1) > 1e12:
        return found
    every = fit.joint_degrees(np.eye(len(labels))[of_term]) if q > 1 else error.df[0]
    rest = every - q + 1
    if rest >= 1 - 1e-9:
        wald = b @ np.linalg.solve(covariance, b)
        found["df_residual"] = rest
        found["statistic"] = wald * rest / (every * q)
        found["p_value"] = stats.f.sf(found["statistic"], q, rest)
    return found


def _fit_of(each: _Measure) -> dict[str, float]:
    """The share of the variance that is explained, and the residual standard deviation."""
    if each.fit is None:
        return {"r_squared": np.nan, "sigma": np.nan}
    w, e = each.fit.weight, each.fit.residual
    rating = each.answers["rating"].to_numpy(float)
    total, rest = w @ (rating - w @ rating) ** 2, w @ e**2
    n = len(e)
    return {
        "r_squared": 1 - rest / total if total > 0 else np.nan,
        "sigma": float(np.sqrt(rest * n / (n - each.fit.rank))),
    }


def _tell(measures: list[_Measure], table: pd.DataFrame) -> None:
    """Warn of missing and doubtful estimates; raise an error if there are none."""
    lost = [each for each in measures if each.fit is None]
    if lost:
        first = f"{lost[0].about['item']}: {lost[0].reason}"
        if len(lost) == len(measures):
            raise ImagestrataError(
                f"No item can be modelled ({first}).", "Use fewer covariates or larger groups."
            )
        warn(f"{len(lost)} of {plural(len(measures), 'measure')} cannot be modelled ({first}).")
    for reason, why, hint in (
        ("collinear", "other terms determine them", "Leave such terms out."),
        ("no rating", "no rating has these values", "Did a group not see these images?"),
    ):
        terms = table["term"][table["reason"] == reason].unique()
        if len(terms):
            warn(f"Coefficients are missing because {why}: {', '.join(map(str, terms))}.", hint)
    _tell_alone(table)
    warn_no_spread(table)
    few = table["df"] < _FEW
    if few.any():
        row = table[few].iloc[0]
        warn(
            f"{int(few.sum())} of {plural(len(table), 'coefficient')} have fewer than {_FEW} "
            f"degrees of freedom, {row['term']} of {row['item']} for one. Few respondents or "
            "images are behind them, and their intervals are only approximate."
        )


def _tell_alone(table: pd.DataFrame) -> None:
    alone = table["reason"].astype("str").str.startswith("rests on", na=False)
    if alone.any():
        row = table[alone].iloc[0]
        where = f"{row['term']} of {row['item']}" if "term" in table else str(row["item"])
        warn(
            f"{int(alone.sum())} of {plural(len(table), 'estimate')} have no standard error: "
            f"{where} {row['reason']}, without whom it cannot be estimated.",
            "Put small groups together.",
        )


# ---- Averages ------------------------------------------------------------------------------


def _check_covariate(argument: str, name: Any, pairs: Pairs) -> None:
    if name not in pairs.data:
        raise ImagestrataError(
            f"{arg(argument)} must be a covariate of the model, not {quote(name)}.",
            f"Its covariates are {', '.join(map(quote, pairs.data))}."
            if len(pairs.data.columns)
            else "The model has no covariates.",
        )


def _moderators(by: Any, variable: str, pairs: Pairs) -> tuple[str | None, list[Any]]:
    """The name of the moderator, and its values; one value if there is none."""
    if by is None:
        return None, [None]
    if isinstance(by, Mapping) and len(by) != 1:
        raise ImagestrataError(f"{arg('by')} must name one covariate, not {quote(dict(by))}.")
    name = next(iter(by)) if isinstance(by, Mapping) else by
    _check_covariate("by", name, pairs)
    if name == variable:
        raise ImagestrataError(f"{arg('by')} must be another covariate than {arg('variable')}.")
    if not isinstance(by, Mapping):
        return name, few_values(pairs, name)
    values = given_values(pairs, name, "mean", by[name], _MOST_VALUES)
    if len(values) > _MOST_VALUES:
        raise ImagestrataError(
            f"{arg('by')} must give at most {_MOST_VALUES} values of {quote(name)}, not "
            f"{len(values)}."
        )
    return name, values


def _distinct(pairs: Pairs, fixed: Sequence[str]) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The combinations of the other covariates, and the combination of each pair."""
    data = pairs.data
    others = data[[name for name in data if name not in fixed]]
    if others.columns.empty:
        return pd.DataFrame(index=range(1)), np.zeros(len(data), dtype=np.int64)
    group = others.groupby([*others], sort=False, observed=True).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    return others.iloc[first].reset_index(drop=True), np.asarray(group, dtype=np.int64)


def _averaged(rows: Floats, group: NDArray[np.int64], measures: list[_Measure]) -> Floats:
    """The weighted mean of rows over the answers of each measure, one row per measure."""
    means = []
    for each in measures:
        weight = each.answers["weight"].to_numpy(float)
        weight = weight / weight.sum()
        means.append(np.bincount(group[each.place], weight, len(rows)) @ rows)
    return np.stack(means)


def _mean_rows(pairs: Pairs, fixed: dict[str, Any], measures: list[_Measure]) -> Floats:
    """For each measure the mean row of the model matrix, if some covariates had given values."""
    data, group = _distinct(pairs, [*fixed])
    return _averaged(pairs.matrix.rows(_set(pairs, data, fixed)), group, measures)


def _mean_slope(
    pairs: Pairs, variable: str, fixed: dict[str, Any], measures: list[_Measure]
) -> Floats:
    data, group = _distinct(pairs, [*fixed])
    data = _set(pairs, data, fixed)
    return _averaged(slope_of(pairs.matrix.rows, data, variable), group, measures)


def _set(pairs: Pairs, data: pd.DataFrame, fixed: dict[str, Any]) -> pd.DataFrame:
    typed = {name: repeated(pairs, name, one, len(data)) for name, one in fixed.items()}
    return data.assign(**typed)
