"""Model which posts show a topic, on covariates of posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..regression.formula import split_formula
from ..regression.matrix import add_tests
from ..regression.scenarios import few_values, given_values, is_continuous, values_as_text
from ..shown import Part, Shown
from ..validate import check_choice, check_conf_level
from ..verbs import check_product, public
from ..wording import arg, kind_of, quote, verb
from .covariates import pick_topics, read_covariates
from .design import LEVELS
from .effects import (
    Averages,
    differences,
    marginal_effects,
    predicted_prevalence,
    scenario_averages,
)
from .logit import Logit
from .regression import Regressions


@dataclass(eq=False, repr=False)
class TopicModel(Shown):
    """Logistic regressions of topics on covariates of posts, from :func:`topic_model`.

    Tables have one row per topic and term: ``cluster`` and ``cluster_name`` (or ``theme`` and
    ``theme_name``), ``estimate``, ``std_error``, ``statistic``, ``df``, ``p_value``, ``conf_low``,
    ``conf_high``, and ``reason``, why a value is missing.

    Attributes
    ----------
    coefficients : DataFrame
        ``term`` and the estimates, in log odds.
    effects : DataFrame
        Average marginal effects on the probability that a post shows the topic, by ``term`` (the
        variable) and ``contrast``: for categories the mean difference between a level and the
        reference ("B - A"), for numbers the mean slope per unit, for dates per 30 days, over all
        posts with their other covariates as they are.
    predictions : DataFrame
        For each variable (``term``) and ``value`` the prevalence if all posts had this value, and
        their other covariates as they are; intervals are on the logit scale. Numbers and dates have
        20 values.
    topics : DataFrame
        ``n_posts`` and ``n_authors`` that show each topic, their ``share`` of all (weighted) posts,
        and ``reason``.
    summary : DataFrame
        One row: n_topics, n_modelled, n_posts, n_authors, n_coefficients, n_left_out (posts),
        variance, conf_level.
    formula, level, variance, conf_level
        As given to :func:`topic_model`.
    """

    formula: str
    level: str
    variance: str
    conf_level: float
    topics: pd.DataFrame
    coefficients: pd.DataFrame
    _design: Regressions = field(repr=False)
    _fits: list[Logit | None] = field(repr=False)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    @property
    def effects(self) -> pd.DataFrame:
        if "effects" not in self._tables:
            found = marginal_effects(self._design, self._fits)
            self._tables["effects"] = self._finish(*found, "linear")
        return self._tables["effects"]

    @property
    def predictions(self) -> pd.DataFrame:
        if "predictions" not in self._tables:
            found = predicted_prevalence(self._design, self._fits)
            self._tables["predictions"] = self._finish(*found, "logit")
        return self._tables["predictions"]

    @property
    def summary(self) -> pd.DataFrame:
        design = self._design
        return pd.DataFrame(
            {
                "n_topics": [len(self.topics)],
                "n_modelled": [sum(fit is not None for fit in self._fits)],
                "n_posts": [len(design.cell)],
                "n_authors": [len(np.unique(design.author))],
                "n_coefficients": [design.z.shape[1]],
                "n_left_out": [design.n_left_out],
                "variance": [self.variance],
                "conf_level": [self.conf_level],
            }
        )

    def augment(self, topics: Any = None) -> pd.DataFrame:
        """Fitted values, one row per post and topic.

        The columns are ``post_id``, the topic, ``shown``, ``fitted`` and ``residual``.
        """
        design = self._design
        places = pick_topics(self.topics, topics)
        n = len(design.cell)
        if n * len(places) > 50_000_000:
            raise ImagestrataError(
                f"The table would have {n * len(places):,} rows: {plural(n, 'post')} times "
                f"{plural(len(places), 'topic')}.",
                f"Name some of the {arg('topics')}.",
            )
        parts = []
        for place in places:
            fit = self._fits[place]
            shown = np.zeros(n, dtype=bool)
            shown[design.shown[place]] = True
            fitted = np.full(n, np.nan) if fit is None else fit.at(design.z)[0][design.cell]
            about = self._repeat(place, n)
            about.insert(0, "post_id", design.post_id)
            parts.append(about.assign(shown=shown, fitted=fitted, residual=shown - fitted))
        return pd.concat(parts, ignore_index=True)

    def predict(
        self,
        data: pd.DataFrame,
        topics: Any = None,
        type: str = "response",
        conf_level: float = 0.95,
    ) -> pd.DataFrame:
        """One row per row of ``data`` and topic: ``row`` (from 1), the topic, and the prediction.

        With ``type="link"`` in log odds, else a probability.
        """
        check_choice("type", type, ["response", "link"])
        design = self._design
        z = design.rows(design.like(data))
        parts = []
        for place in pick_topics(self.topics, topics):
            table = self._repeat(place, len(z))
            table.insert(0, "row", np.arange(1, len(z) + 1))
            fit = self._fits[place]
            if fit is None:
                table = table.assign(estimate=np.nan, std_error=np.nan, df=np.nan)
                parts.append(table.assign(reason=self.topics["reason"].iloc[place]))
                continue
            p, infinite = fit.at(z)
            error, df, reason = design.contrast_errors(fit, place, z, infinite)
            with np.errstate(divide="ignore"):
                estimate = p if type == "response" else np.log(p) - np.log1p(-p)
            error = error * (p * (1 - p) if type == "response" else 1)
            parts.append(table.assign(estimate=estimate, std_error=error, df=df, reason=reason))
        found = add_tests(
            pd.concat(parts, ignore_index=True),
            check_conf_level(conf_level),
            "logit" if type == "response" else "linear",
        )
        return found.drop(columns=["statistic", "p_value"], errors="ignore")

    def _repeat(self, place: int, n: int) -> pd.DataFrame:
        """The number and name of a topic in ``n`` rows."""
        return self.topics.iloc[np.full(n, place), :2].reset_index(drop=True)

    def _finish(
        self,
        averages: Averages,
        labels: pd.DataFrame,
        scale: str,
        places: list[int] | None = None,
        conf_level: float | None = None,
    ) -> pd.DataFrame:
        """A table with one row per topic and average."""
        parts = []
        for row, place in enumerate(range(len(self._fits)) if places is None else places):
            table = pd.concat([self._repeat(place, len(labels)), labels], axis=1)
            table["estimate"] = averages.estimate[row]
            fit = self._fits[place]
            if fit is None:
                reason: Any = self.topics["reason"].iloc[place]
                parts.append(table.assign(std_error=np.nan, df=np.nan, reason=reason))
                continue
            error, df, reason = self._design.contrast_errors(
                fit, place, averages.gradient[row], averages.infinite[row]
            )
            parts.append(table.assign(std_error=error, df=df, reason=reason))
        level = self.conf_level if conf_level is None else conf_level
        return add_tests(pd.concat(parts, ignore_index=True), level, scale)

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        errors = {
            "CR2": "corrected for few and uneven authors (CR2)",
            "sandwich": "not corrected for few authors",
        }
        topics = plural(len(self.topics), "topic" if self.level == "cluster" else "theme")
        posts, authors = (
            plural(int(line["n_posts"]), "post"),
            plural(int(line["n_authors"]), "author"),
        )
        return [
            f"Logistic model of {topics} in {posts} by {authors}: {self.formula}",
            f"Standard errors clustered on authors, {errors[self.variance]}; "
            f"{100 * self.conf_level:g}% intervals",
            (self.coefficients, "coefficient"),
        ]


@public
def topic_model(
    linked: pd.DataFrame,
    formula: str,
    *,
    level: str = "cluster",
    author: str = "author",
    time: str = "time",
    time_zone: str = "UTC",
    weights: str | None = None,
    variance: str = "CR2",
    conf_level: float = 0.95,
) -> TopicModel:
    """Model which posts show a topic.

    For each topic a logistic regression of "the post shows the topic" on covariates of the posts,
    with standard errors clustered on authors.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`link_posts`. A post shows a topic if one of its images belongs to it.
        Posts without a known image, an author or a covariate are left out; a warning counts them.
    formula : str
        Topics and covariates, as in ``"c(1, 4) ~ party * s(month) + followers"``; without a left
        side all topics, including the residual (cluster -1). See Notes.
    level : {"cluster", "theme"}
        What a topic is.
    author, time : str
        The columns with authors and times.
    time_zone : str
        The time zone in which days begin. Times without a zone are taken as
        they are.
    weights : str, optional
        The column with weights of posts. By default all posts count the same.
    variance : {"CR2", "sandwich"}
        ``"CR2"`` (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018) corrects the clustered
        variance for the number of authors and their unequal numbers of posts, with Satterthwaite's
        degrees of freedom for the t distribution. ``"sandwich"`` has the factor G / (G - 1) for G
        authors, and G - 1 degrees of freedom; its intervals are too narrow if authors are few or
        uneven.
    conf_level : float
        Confidence level of intervals.

    Returns
    -------
    TopicModel
        With the tables ``coefficients``, ``effects``, ``predictions``, ``topics`` and ``summary``.

    Raises
    ------
    ImagestrataError
        If a covariate is unknown or differs between rows of a post, if all posts are by one author,
        or if no topic can be modelled.

    Warns
    -----
    UserWarning
        If posts are left out, topics cannot be modelled, or some estimates are missing.

    Notes
    -----
    *Formula.* Covariates are columns, which must be the same in all rows of a post; ``day``,
    ``week``, ``month`` and ``year``, the first days of these periods, are made from the times if
    there are no such columns. Text is a category, with its values in the order of the alphabet; the
    first is the reference. ``s(x)`` is a natural spline, R's ``splines::ns()``, with ten degrees of
    freedom, or one less than the number of distinct values if that is less; ``s(x, df=4)`` sets
    them. ``ns()``, ``bs()``, ``poly()``, ``factor()``, ``log()``, ``log1p()`` and ``sqrt()`` are
    R's. Dates are numbers of days. Terms have the names that R gives them.

    *One author.* If a coefficient cannot be estimated without one author (the only one of a party),
    its standard error is missing.

    *Rare topics.* A topic that fewer posts show (or do not show) than there are coefficients is not
    modelled. If no post of a party shows the topic, the coefficients that compare the party are
    infinite. They are missing; the others are estimated without the posts of that party, which is
    the limit of the likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from imagestrata import topic_model
    >>> linked = pd.DataFrame(
    ...     {
    ...         "post_id": [str(i) for i in range(40)],
    ...         "image_id": [str(i) for i in range(40)],
    ...         "cluster": [1, 2, 2, 1, 1, 2, 1, 2] * 5,
    ...         "author": [f"a{i % 10}" for i in range(40)],
    ...         "party": ["A", "B"] * 20,
    ...     }
    ... )
    >>> model = topic_model(linked, "1 ~ party")
    >>> model.coefficients[["term", "estimate"]].round(3).values.tolist()
    [['(Intercept)', 1.099], ['partyB', -2.197]]
    """
    check_choice("level", level, LEVELS)
    check_choice("variance", variance, ["CR2", "sandwich"])
    conf_level = check_conf_level(conf_level)
    if not isinstance(formula, str) or not formula.strip():
        raise ImagestrataError(
            f"{arg('formula')} must be a text such as {quote('party * s(month)')}, not "
            f"{quote(formula)}."
        )
    wanted, right = split_formula(formula)
    env = patsy.EvalEnvironment.capture(2)
    posts = read_covariates(linked, right, wanted, env, level, author, time, time_zone, weights)
    design = Regressions(posts, right, env, variance)
    fits, tables, reasons = [], [], []
    for place in range(len(posts.topics)):
        fit, table, reason = design.fit(place)
        fits.append(fit)
        tables.append(table)
        reasons.append(reason)
    topics = posts.topics.assign(reason=pd.Series(reasons, dtype="str"))
    model = TopicModel(
        formula, level, variance, conf_level, topics,
        add_tests(pd.concat(tables, ignore_index=True), conf_level, "linear"), design, fits,
    )  # fmt: skip
    _tell(model)
    return model


@public
def topic_effects(
    model: TopicModel,
    variable: str,
    *,
    method: str | None = None,
    by: str | None = None,
    values: Any = None,
    n_points: int = 50,
    topics: Any = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Predict the prevalence of topics at values of a covariate, or its differences.

    A predicted prevalence is the mean, over all posts of the model, of the probability that the
    post shows the topic if the covariate had the given value and its other covariates were as they
    are. Standard errors follow by the delta method from those of the coefficients.

    Parameters
    ----------
    model : TopicModel
        The result of :func:`topic_model`.
    variable : str
        A covariate of the model.
    method : {"pointestimate", "difference", "continuous"}, optional
        The prevalence at each of the values; the differences between the first and each further
        value; or the prevalence over the range of a number or date. By default "continuous" for
        numbers and dates, else "pointestimate".
    by : str, optional
        Another covariate, at each of whose values prevalences are predicted.
    values : list, optional
        Values of ``variable``; by default all of a category, or for "continuous" ``n_points`` from
        the lowest to the highest, or those that occur if they are fewer.
    n_points : int
        The largest number of values.
    topics : list, optional
        Numbers or names of topics; by default all.
    conf_level : float
        Confidence level of intervals.

    Returns
    -------
    DataFrame
        One row per topic and value: ``cluster``, ``cluster_name`` (or ``theme``, ``theme_name``);
        the values in a column with the name of ``variable``, or ``contrast`` ("B - A" is the
        prevalence at B minus that at A); the column of ``by``; ``estimate``, ``std_error``, ``df``,
        ``conf_low``, ``conf_high`` (of prevalences on the logit scale) and ``reason``. Differences
        also have ``statistic`` and ``p_value``. If no post with a value shows the topic, its
        estimate is 0 without an interval; neither has an average in which more than 5% of the posts
        have a probability of 0 or 1 for such reasons.

    Raises
    ------
    ImagestrataError
        If a covariate, a value or a topic is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import topic_effects, topic_model
    >>> linked = pd.DataFrame(
    ...     {
    ...         "post_id": [str(i) for i in range(40)],
    ...         "image_id": [str(i) for i in range(40)],
    ...         "cluster": [1, 2, 2, 1, 1, 2, 1, 2] * 5,
    ...         "author": [f"a{i % 10}" for i in range(40)],
    ...         "party": ["A", "B"] * 20,
    ...     }
    ... )
    >>> effects = topic_effects(topic_model(linked, "1 ~ party"), "party")
    >>> effects[["party", "estimate"]].round(3).values.tolist()
    [['A', 0.75], ['B', 0.25]]
    """
    check_product("model", model, ("topic model",))
    if not isinstance(model, TopicModel):
        raise ImagestrataError(
            f"{arg('model')} must be the result of {verb('topic_model')}, not {kind_of(model)}."
        )
    design = model._design
    for name, given in (("variable", variable), ("by", by)):
        if (given is not None or name == "variable") and given not in design.variables:
            raise ImagestrataError(
                f"{arg(name)} must be a covariate of the model, not {quote(given)}.",
                f"Its covariates are {', '.join(map(quote, design.variables))}.",
            )
    if by == variable:
        raise ImagestrataError(f"{arg('by')} must be another covariate than {arg('variable')}.")
    if method is None:
        method = "continuous" if is_continuous(design, variable) else "pointestimate"
    check_choice("method", method, ["pointestimate", "difference", "continuous"])
    if method == "continuous" and not is_continuous(design, variable):
        raise ImagestrataError(
            f"{arg('method', 'continuous')} takes numbers and dates, but {quote(variable)} is used "
            "as a category.",
            f"Use {arg('method', 'pointestimate')}.",
        )
    conf_level = check_conf_level(conf_level)
    places = pick_topics(model.topics, topics)
    at = given_values(design, variable, method, values, n_points)
    moderators = None if by is None else few_values(design, by)
    scenarios, labels = [], []
    for moderator in [None] if moderators is None else moderators:
        for value in at:
            extra = {} if by is None else {by: moderator}
            scenarios.append({variable: value, **extra})
            labels.append({variable: value, **extra})
    averages = scenario_averages(design, [model._fits[place] for place in places], scenarios)
    if method == "difference":
        further = [i for i in range(len(scenarios)) if i % len(at)]
        averages = differences(averages, further, [i - i % len(at) for i in further])
        text = values_as_text(at)
        gaps = [{"contrast": f"{text[i % len(at)]} - {text[0]}"} for i in further]
        labels = [
            gap if by is None else gap | {by: labels[i][by]}
            for gap, i in zip(gaps, further, strict=True)
        ]
    scale = "linear" if method == "difference" else "logit"
    return model._finish(averages, pd.DataFrame(labels), scale, places, conf_level)


def _tell(model: TopicModel) -> None:
    """Warn of missing estimates; raise an error if no topic could be modelled."""
    reason, level = model.topics["reason"], model.level
    none = np.array([fit is None for fit in model._fits])
    some = ~none & reason.notna().to_numpy()

    def example(which: NDArray[np.bool_]) -> str:
        place = int(which.argmax())
        return f"{level} {model.topics[level].iloc[place]}: {reason.iloc[place]!s}"

    if none.all():
        raise ImagestrataError(
            f"No {level} can be modelled ({example(none)}).",
            "Use fewer covariates, fewer degrees of freedom in s(), or themes.",
        )
    if none.any():
        warn(
            f"{none.sum()} of {plural(len(none), level)} cannot be modelled ({example(none)}).",
            f"Use fewer covariates, or put small topics together with {verb('group_clusters')}.",
        )
    if some.any():
        warn(
            f"Some estimates of {some.sum()} of {plural(len(some), level)} are missing "
            f"({example(some)}).",
            "The column 'reason' of the tables says why. Put small groups together, or report "
            f"{verb('topic_prevalence')}, which has an upper bound for groups without any post of "
            "a topic.",
        )
    collinear = model.coefficients["term"][model.coefficients["reason"] == "collinear"].unique()
    if len(collinear):
        warn(
            "Coefficients are missing because other terms determine them: "
            f"{', '.join(map(str, collinear))}."
        )
