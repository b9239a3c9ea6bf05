"""Model which posts show a topic, on covariates of posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import patsy
import scipy.stats
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..shown import Part, Shown
from ..validate import check_choice, check_conf_level, columns_of
from ..verbs import public
from ..wording import arg, foreign, quote, verb
from .effects import (
    Averages,
    differences,
    given_values,
    is_continuous,
    joined,
    marginal_effects,
    predicted_prevalence,
    scenario_averages,
    values_as_text,
)
from .formula import FUNCTIONS, in_days, names_in, split_formula, term_names
from .logit import Logit, fit_logit
from .sandwich import Sandwich

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Periods that are made from times, by the code of pandas.
_PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "year": "Y"}


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
    _design: Design = field(repr=False)
    _fits: list[Logit | None] = field(repr=False)

    @cached_property
    def effects(self) -> pd.DataFrame:
        return self._finish(*marginal_effects(self._design, self._fits), "linear")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        return self._finish(*predicted_prevalence(self._design, self._fits), "logit")

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
        """One row per post and topic: ``post_id``, the topic, ``shown``, ``fitted``, ``residual``."""
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
        type: str = "response",  # noqa: A002
        conf_level: float | None = None,
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
            self.conf_level if conf_level is None else check_conf_level(conf_level),
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
        return [
            f"Logistic model of {plural(len(self.topics), 'topic' if self.level == 'cluster' else 'theme')} "  # noqa: E501
            f"in {plural(int(line['n_posts']), 'post')} by {plural(int(line['n_authors']), 'author')}"
            f": {self.formula}",
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
        The time zone in which days begin. Times without a zone are in UTC.
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
    ...         "cluster": [1, 2, 2, 2, 1, 2, 1, 2] * 5,
    ...         "author": [f"a{i % 10}" for i in range(40)],
    ...         "party": ["A", "B"] * 20,
    ...     }
    ... )
    >>> model = topic_model(linked, "1 ~ party")
    >>> model.coefficients[["term", "estimate"]].round(3).values.tolist()
    [['(Intercept)', 0.405], ['partyB', -1.792]]
    """
    check_choice("level", level, ["cluster", "theme"])
    check_choice("variance", variance, ["CR2", "sandwich"])
    conf_level = check_conf_level(conf_level)
    if not isinstance(formula, str) or not formula.strip():
        raise ImagestrataError(
            f"{arg('formula')} must be a text such as {quote('party * s(month)')}, not "
            f"{quote(formula)}."
        )
    wanted, right = split_formula(formula)
    env = patsy.EvalEnvironment.capture(2)
    posts = _posts(linked, right, wanted, env, level, author, time, time_zone, weights)
    design = Design(posts, right, env, variance)
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
    conf_level: float | None = None,
) -> pd.DataFrame:
    """Predict the prevalence of topics at values of a covariate, or its differences.

    A predicted prevalence is the mean, over all posts of the model, of the probability that the post
    shows the topic if the covariate had the given value and its other covariates were as they are.
    Standard errors follow by the delta method from those of the coefficients.

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
    conf_level : float, optional
        By default that of the model.

    Returns
    -------
    DataFrame
        One row per topic and value: ``cluster``, ``cluster_name`` (or ``theme``, ``theme_name``);
        the values in a column with the name of ``variable``, or ``contrast`` ("B - A" is the
        prevalence at B minus that at A); the column of ``by``; ``estimate``, ``std_error``, ``df``,
        ``conf_low``, ``conf_high`` (of prevalences on the logit scale) and ``reason``. Differences
        also have ``statistic`` and ``p_value``.

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
    ...         "cluster": [1, 2, 2, 2, 1, 2, 1, 2] * 5,
    ...         "author": [f"a{i % 10}" for i in range(40)],
    ...         "party": ["A", "B"] * 20,
    ...     }
    ... )
    >>> effects = topic_effects(topic_model(linked, "1 ~ party"), "party")
    >>> effects[["party", "estimate"]].round(3).values.tolist()
    [['A', 0.6], ['B', 0.2]]
    """
    if not isinstance(model, TopicModel):
        raise ImagestrataError(
            f"{arg('model')} must be the result of {verb('topic_model')}, not {quote(model)}."
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
    level = model.conf_level if conf_level is None else check_conf_level(conf_level)
    places = pick_topics(model.topics, topics)
    at = given_values(design, variable, method, values, n_points)
    moderators = None if by is None else given_values(design, by, "pointestimate", None, n_points)
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
        labels = [
            {"contrast": f"{text[i % len(at)]} - {text[0]}"} | ({} if by is None else {by: labels[i][by]})
            for i in further
        ]
    scale = "linear" if method == "difference" else "logit"
    return model._finish(averages, pd.DataFrame(labels), scale, places, level)


# ---- Posts ---------------------------------------------------------------------------------------


@dataclass(eq=False)
class Posts:
    """Covariates, authors and topics of posts; ``shown`` has the posts that show each topic."""

    data: pd.DataFrame
    post_id: pd.Series[Any]
    author: pd.Series[Any]
    weight: Floats
    topics: pd.DataFrame
    shown: list[Ints]
    n_left_out: int


def _posts(
    linked: pd.DataFrame,
    right: str,
    wanted: list[Any] | None,
    env: Any,
    level: str,
    author: str,
    time: str,
    time_zone: str,
    weights: str | None,
) -> Posts:
    if not isinstance(linked, pd.DataFrame) or not {"post_id", level} <= {*linked}:
        raise ImagestrataError(
            f"{arg('linked')} must be a table with the columns 'post_id' and {quote(level)}; "
            f"{columns_of(linked)}.",
            f"{verb('link_posts')} links posts to the clusters of their images.",
        )
    if author not in linked:
        raise ImagestrataError(
            f"{arg('linked')} has no column {quote(author)}; {columns_of(linked)}.",
            f"Name the column of those who post in {arg('author')}.",
        )
    linked = linked.reset_index(drop=True)
    post = pd.Series(pd.factorize(linked["post_id"])[0])
    if (post < 0).any():
        raise ImagestrataError(f"{plural(int((post < 0).sum()), 'row')} of posts have no 'post_id'.")
    topic = linked[level].astype("Int64")
    if level == "theme" and "cluster" in linked:
        # Images of the residual have no theme.
        topic = topic.mask(topic.isna() & linked["cluster"].notna(), -1)
    topics = _topics(linked, topic, level, wanted)
    data = _variables(linked, right, env, time, time_zone)
    constant = {author: linked[author], **data}
    if weights is not None:
        constant[weights] = _weights(linked, weights)
    for name, column in constant.items():
        _check_in_post(column, name, linked["post_id"], post)
    known = topic.notna()
    first = np.flatnonzero(known & ~post.where(known).duplicated())
    lacks = {name: column.isna() for name, column in constant.items()}
    complete = ~np.logical_or.reduce([lack.to_numpy()[first] for lack in lacks.values()])
    n_left_out = _tell_left_out(lacks, first, int(post.nunique()))
    rows = first[complete]
    place = pd.Series(np.arange(len(rows)), index=post.iloc[rows].to_numpy())
    pairs = pd.DataFrame(
        {
            "post": post.map(place),
            "topic": pd.Index(topics[level]).get_indexer(topic.fillna(-(2**40)).astype("int64")),
        }
    )
    pairs = pairs[(pairs["topic"] >= 0) & pairs["post"].notna()].drop_duplicates().astype("int64")
    groups = {int(key): part.to_numpy() for key, part in pairs.groupby("topic")["post"]}
    shown = [groups.get(place, np.zeros(0, dtype=np.int64)) for place in range(len(topics))]
    weight = np.ones(len(rows))
    if weights is not None:
        weight = constant[weights].to_numpy(dtype=float)[rows]
    by = linked[author].iloc[rows].astype(str).reset_index(drop=True)
    weight = weight / weight.mean()
    topics["n_posts"] = [len(posts) for posts in shown]
    topics["n_authors"] = [by.iloc[posts].nunique() for posts in shown]
    topics["share"] = [weight[posts].sum() / weight.sum() for posts in shown]
    return Posts(
        _prepare({name: column.iloc[rows] for name, column in data.items()}, len(rows)),
        linked["post_id"].iloc[rows].reset_index(drop=True), by, weight, topics, shown, n_left_out,
    )  # fmt: skip


def _topics(
    linked: pd.DataFrame, topic: pd.Series[Any], level: str, wanted: list[Any] | None
) -> pd.DataFrame:
    """The number and name of each topic that is modelled; the residual is the last."""
    name = f"{level}_name"
    names = linked[name] if name in linked else pd.Series(None, linked.index, dtype="str")
    table = pd.DataFrame({level: topic, name: names.astype("str")})
    table = table.dropna(subset=level).drop_duplicates(level).astype({level: "int64"})
    if table.empty:
        raise ImagestrataError(f"No row of {arg('linked')} has a {level}.")
    table = table.sort_values(level, key=lambda number: number.where(number != -1, np.inf))
    table = table.reset_index(drop=True)
    if wanted is None:
        return table
    return table.iloc[pick_topics(table, wanted)].reset_index(drop=True)


def pick_topics(topics: pd.DataFrame, wanted: Any) -> list[int]:
    """The rows of topics that are given by their numbers or names; all of them if None."""
    if wanted is None:
        return list(range(len(topics)))
    listed = [wanted] if isinstance(wanted, str | int | np.integer) else list(wanted)
    numbers, names = topics.iloc[:, 0].tolist(), topics.iloc[:, 1].tolist()
    places = []
    for one in dict.fromkeys(listed):
        known = names if isinstance(one, str) else numbers
        if one not in known:
            shown = ", ".join(quote(k) for k in known if not pd.isna(k))
            raise ImagestrataError(f"There is no {topics.columns[0]} {quote(one)}.", f"There are {shown}.")
        places.append(known.index(one))
    return places


def _variables(
    linked: pd.DataFrame, right: str, env: Any, time: str, time_zone: str
) -> dict[str, pd.Series[Any]]:
    """The columns that the formula names, and periods made from times."""
    try:
        desc = patsy.ModelDesc.from_formula(right)
    except (patsy.PatsyError, SyntaxError) as error:
        raise ImagestrataError(f"{arg('formula')} cannot be read: {error}") from None
    names: list[str] = []
    for term in desc.rhs_termlist:
        for factor in term.factors:
            names += [name for name in sorted(names_in(factor.code), key=factor.code.index)]
    data = {}
    for name in dict.fromkeys(names):
        if name in linked:
            data[name] = linked[name]
        elif name in _PERIODS and time in linked:
            data[name] = _period(linked[time], name, time, time_zone)
        elif name in FUNCTIONS or name in env.namespace:
            continue
        else:
            hint = f"Its columns are {', '.join(map(str, linked))}."
            if name in _PERIODS:
                hint = (
                    f"It would be made from times, but there is no column {quote(time)}: name it in "
                    f"{arg('time')}."
                )
            raise ImagestrataError(
                f"{arg('formula')} has {quote(name)}, which is not a column of {arg('linked')}.",
                hint,
            )
    return data


def _period(column: pd.Series[Any], name: str, time: str, time_zone: str) -> pd.Series[Any]:
    """The first day of the period of each time."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise ImagestrataError(
            f"{quote(time)} must be times, not {column.dtype}.",
            f"{verb('read_posts')} and {foreign('pandas.to_datetime(..., utc=True)')} make times "
            "from text.",
        )
    zoned = column.dt.tz_localize("UTC") if column.dt.tz is None else column
    try:
        local = zoned.dt.tz_convert(time_zone).dt.tz_localize(None)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ImagestrataError(
            f"{arg('time_zone')} must be the name of a time zone, not {quote(time_zone)}.",
            "For example UTC, Europe/Berlin or America/New_York.",
        ) from None
    return local.dt.to_period(_PERIODS[name]).dt.start_time


def _weights(linked: pd.DataFrame, weights: str) -> pd.Series[Any]:
    if weights not in linked or not pd.api.types.is_numeric_dtype(linked[weights].dtype):
        raise ImagestrataError(
            f"{arg('weights')} must be a column of positive numbers of {arg('linked')}, not "
            f"{quote(weights)}."
        )
    wrong = linked[weights][(linked[weights] <= 0) | np.isinf(linked[weights].astype(float))]
    if len(wrong):
        raise ImagestrataError(
            f"{arg('weights')} must be a column of positive numbers, but {quote(weights)} has "
            f"{quote(wrong.iloc[0])}."
        )
    return linked[weights]


def _check_in_post(
    column: pd.Series[Any], name: str, post_id: pd.Series[Any], post: pd.Series[Any]
) -> None:
    """A covariate of a post has one value."""
    try:
        value = pd.Series(pd.factorize(column)[0])
    except TypeError:
        raise ImagestrataError(f"{quote(name)} must be one value per post, not a list.") from None
    differs = value != value.groupby(post).transform("first")
    if differs.any():
        one = post_id[differs].iloc[0]
        seen = ", ".join(map(str, column[post_id == one].drop_duplicates()))
        raise ImagestrataError(
            f"{quote(name)} must be the same in all rows of a post, but post {quote(one)} has "
            f"{seen}.",
            "Covariates describe posts, not images. Summarise columns of images first, for instance "
            "by their mean.",
        )


def _tell_left_out(lacks: dict[str, pd.Series[Any]], first: Ints, n_posts: int) -> int:
    """Report posts that are left out, and return their number."""
    missing = {name: int(lack.to_numpy()[first].sum()) for name, lack in lacks.items()}
    n_out = int(np.logical_or.reduce([lack.to_numpy()[first] for lack in lacks.values()]).sum())
    n_unknown = n_posts - len(first)
    parts = [f"{n_unknown:,} without a known image"] if n_unknown else []
    parts += [f"{n:,} without {quote(name)}" for name, n in missing.items() if n]
    if n_unknown + n_out == n_posts:
        raise ImagestrataError(f"None of {n_posts:,} posts is complete: {', '.join(parts)}.")
    if parts:
        warn(
            f"{n_unknown + n_out:,} of {plural(n_posts, 'post')} are left out: {', '.join(parts)}."
        )
    return n_unknown + n_out


def _prepare(data: dict[str, pd.Series[Any]], n: int) -> pd.DataFrame:
    """Text becomes a category, in the order of the alphabet."""
    prepared = {}
    for name, column in data.items():
        column = column.reset_index(drop=True)
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.remove_unused_categories().cat.as_unordered()
        elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            if column.map(lambda value: isinstance(value, bool | np.bool_)).all():
                column = column.astype(bool)
            else:
                column = column.astype(str)
                column = pd.Series(pd.Categorical(column, sorted(column.unique())))
        elif pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(bool)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            column = column.astype(float)
        if column.nunique() < 2:
            raise ImagestrataError(
                f"{quote(name)} is {quote(column.iloc[0])} in all posts of the model.",
                f"Leave it out of {arg('formula')}.",
            )
        prepared[name] = column
    return pd.DataFrame(prepared, index=range(n))


# ---- Design --------------------------------------------------------------------------------------


class Design:
    """The model matrix. A cell is the posts of an author that have the same covariates.

    Attributes
    ----------
    z : array of shape (cells, rank)
        The model matrix of cells times ``turn``; its columns are orthogonal.
    data : DataFrame
        The covariates of cells.
    """

    def __init__(self, posts: Posts, right: str, env: Any, variance: str) -> None:
        self.variance = variance
        self.variables = [*posts.data]
        self.post_id, self.shown, self.weight = posts.post_id, posts.shown, posts.weight
        self.topics, self.n_left_out = posts.topics, posts.n_left_out
        x = self._matrix(posts.data, right, env)
        keys = pd.concat([posts.author.rename(".author"), posts.data], axis=1)
        self.cell = keys.groupby([*keys], sort=False, observed=True).ngroup().to_numpy()
        first = np.unique(self.cell, return_index=True)[1]
        if (np.abs(x - x[first[self.cell]]) > 1e-9 * np.abs(x).max()).any():
            raise ImagestrataError(
                f"Posts with the same covariates have different values in {arg('formula')}.",
                f"It must use columns of {arg('linked')}, not other arrays or random numbers.",
            )
        self.data = posts.data.iloc[first].reset_index(drop=True)
        self.author, names = pd.factorize(posts.author.iloc[first])
        self.author_names = names
        if len(names) < 2:
            raise ImagestrataError(
                f"All posts are by {quote(names[0])}, and nothing is known of differences between "
                "authors."
            )
        self.n = np.bincount(self.cell, posts.weight)
        self.turn = _turn(x[first] * np.sqrt(self.n)[:, None]) * np.sqrt(self.n.sum())
        self.z = x[first] @ self.turn

    def _matrix(self, data: pd.DataFrame, right: str, env: Any) -> Floats:
        desc = patsy.ModelDesc.from_formula(right)
        if not desc.rhs_termlist:
            raise ImagestrataError(f"{arg('formula')} has neither an intercept nor covariates.")
        factors = [factor for term in desc.rhs_termlist for factor in term.factors]
        self._bare = {factor.code for factor in factors} & {*data}
        env = patsy.EvalEnvironment([dict(FUNCTIONS), env.namespace])
        try:
            matrix = patsy.dmatrix(
                desc, self._plain(data), env, patsy.NAAction(NA_types=[]), "matrix"
            )
        except ImagestrataError:
            raise
        except Exception as error:
            raise ImagestrataError(f"{arg('formula')} cannot be evaluated: {error}") from None
        self.info = matrix.design_info
        infos = self.info.factor_infos
        self.categorical = {
            name
            for factor, about in infos.items()
            if about.type == "categorical"
            for name in names_in(factor.code) & {*data}
        }
        terms = sorted(desc.rhs_termlist, key=lambda term: len(term.factors))
        slices = [self.info.term_slices[term] for term in terms]
        self._order = np.concatenate([np.arange(part.start, part.stop) for part in slices])
        self.names = [name for part in slices for name in term_names(self.info, part)]
        x = np.broadcast_to(np.asarray(matrix, dtype=float), (len(data), len(self._order)))
        x = x[:, self._order]
        bad = ~np.isfinite(x).all(axis=0)
        if bad.any():
            count = int((~np.isfinite(x).all(axis=1)).sum())
            name = self.names[int(bad.argmax())]
            raise ImagestrataError(
                f"{quote(name)} is infinite or missing for {count} of {plural(len(x), 'post')}.",
                "The logarithm of 0 is infinite: use log1p()." if "log" in name else "",
            )
        return x

    def _plain(self, data: pd.DataFrame) -> pd.DataFrame:
        """Dates that are terms of their own as numbers of days."""
        return data.assign(**{name: in_days(data[name]) for name in self._bare})

    def rows(self, data: pd.DataFrame) -> Floats:
        """Rows of the model matrix for new data, in the coordinates of ``z``."""
        return self.matrix_rows(data) @ self.turn

    def matrix_rows(self, data: pd.DataFrame) -> Floats:
        (matrix,) = patsy.build_design_matrices(
            [self.info], self._plain(data), patsy.NAAction(NA_types=[])
        )
        x = np.broadcast_to(np.asarray(matrix, dtype=float), (len(data), len(self._order)))
        return np.asarray(x[:, self._order])

    def like(self, data: pd.DataFrame) -> pd.DataFrame:
        """New data with the types of the covariates of the model."""
        lacking = [name for name in self.variables if name not in data]
        if lacking:
            raise ImagestrataError(
                f"{arg('data')} has no column {quote(lacking[0])}; {columns_of(data)}."
            )
        typed = {}
        for name in self.variables:
            column, model = data[name].reset_index(drop=True), self.data[name]
            if isinstance(model.dtype, pd.CategoricalDtype):
                unknown = set(column.dropna().astype(str)) - set(model.cat.categories.astype(str))
                if unknown:
                    raise ImagestrataError(
                        f"{quote(name)} has {quote(min(unknown))}, which no post of the model has."
                    )
                column = column.astype(model.dtype)
            else:
                try:
                    column = column.astype(model.dtype)
                except (TypeError, ValueError):
                    raise ImagestrataError(
                        f"{quote(name)} must be {model.dtype} as in the model, not {column.dtype}."
                    ) from None
            if column.isna().any():
                raise ImagestrataError(f"{quote(name)} has missing values.")
            typed[name] = column
        return pd.DataFrame(typed, index=range(len(data)))

    def y(self, place: int) -> Floats:
        """For each cell the weight of the posts that show a topic."""
        posts = self.shown[place]
        return np.bincount(self.cell[posts], self.weight[posts], len(self.n)).astype(float)

    def fit(self, place: int) -> tuple[Logit | None, pd.DataFrame, str | None]:
        """The regression of a topic, its coefficients, and why estimates are missing."""
        rank = self.z.shape[1]
        collinear = ~(self.turn != 0).any(axis=1)
        reason = np.where(collinear, "collinear", None).astype(object)
        shown = len(self.shown[place])
        rarer = min(shown, len(self.cell) - shown)
        refused = None
        if rarer < rank:
            refused = (
                f"{plural(rarer, 'post')} {'without' if rarer < shown else 'with'} it, fewer than "
                f"the {plural(rank, 'coefficient')}"
            )
        fit = None if refused else fit_logit(self.z, self.n, self.y(place))
        empty = np.full(len(self.names), np.nan)
        about = self.topics.iloc[np.full(len(self.names), place), :2].reset_index(drop=True)
        about["term"] = self.names
        if fit is None:
            why = refused or "the estimates did not converge"
            return None, about.assign(estimate=empty, std_error=empty, df=empty, reason=why), why
        infinite = _outside(self.turn, fit)
        error, df, why_missing = self.contrast_errors(fit, place, self.turn, infinite)
        estimate = self.turn @ (fit.basis @ fit.gamma)
        lost = collinear | infinite
        estimate[lost], error[lost], df[lost] = np.nan, np.nan, np.nan
        reason[~collinear] = why_missing[~collinear]
        table = about.assign(estimate=estimate, std_error=error, df=df, reason=reason)
        return fit, table, self._reason(fit, place, reason)

    def contrast_errors(
        self, fit: Logit, place: int, contrasts: Floats, infinite: Any
    ) -> tuple[Floats, Floats, NDArray[np.object_]]:
        """Standard errors, degrees of freedom and reasons why they are missing."""
        n, kept = len(contrasts), fit.kept
        infinite = np.asarray(infinite, dtype=bool)
        error, df = np.full(n, np.nan), np.full(n, np.nan)
        alone = np.full(n, self.author[kept[0]] if len(kept) else 0)
        if fit.basis.shape[1] and len(np.unique(self.author[kept])) > 1:
            z = self.z[kept]
            p = 1 / (1 + np.exp(-(z @ (fit.basis @ fit.gamma))))
            sandwich = Sandwich(
                z @ fit.basis, self.y(place)[kept] - self.n[kept] * p,
                self.n[kept] * p * (1 - p), self.author[kept], self.variance,
            )  # fmt: skip
            error, df, alone = sandwich.errors(contrasts @ fit.basis)
        error, df = np.where(infinite, np.nan, error), np.where(infinite, np.nan, df)
        reason = np.full(n, None, dtype=object)
        for i in np.flatnonzero(alone >= 0):
            reason[i] = f"rests on the author {self.author_names[alone[i]]}"
        reason[infinite] = "infinite"
        return error, df, reason

    def _reason(self, fit: Logit, place: int, reasons: NDArray[np.object_]) -> str | None:
        """Why estimates of a topic are missing; None if none is."""
        if not fit.directions:
            rests = [one for one in reasons if one is not None and one.startswith("rests")]
            return f"an estimate {rests[0]}" if rests else None
        y = self.y(place)
        for name in self.variables:
            column = self.data[name]
            if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
                continue
            if pd.api.types.is_datetime64_any_dtype(column.dtype):
                continue
            sums = pd.DataFrame({"y": y, "n": self.n}).groupby(column.astype(str)).sum()
            none = sums.index[sums["y"] == 0]
            every = sums.index[sums["n"] - sums["y"] < 1e-9 * sums["n"]]
            if len(none):
                return f"infinite: no post with {name} {', '.join(none)} shows it"
            if len(every):
                return f"infinite: all posts with {name} {', '.join(every)} show it"
        return "infinite: combinations of covariates separate the posts that show it"


def _turn(x: Floats) -> Floats:
    """Columns that orthogonalise a matrix; a row of zeros for a column that others determine."""
    kept = np.arange(x.shape[1])
    while True:
        root = np.linalg.qr(x[:, kept], mode="r")
        lost = np.abs(np.diag(root)) < 1e-7 * np.linalg.norm(x[:, kept], axis=0)
        if not lost.any():
            break
        kept = np.delete(kept, int(lost.argmax()))
    turn = np.zeros((x.shape[1], len(kept)))
    turn[kept] = np.linalg.inv(root)
    return turn


def _outside(contrasts: Floats, fit: Logit) -> NDArray[np.bool_]:
    """Contrasts that the finite part of the likelihood does not determine."""
    rest = contrasts - contrasts @ fit.basis @ fit.basis.T
    far = np.linalg.norm(rest, axis=1) > 1e-6 * np.linalg.norm(contrasts, axis=1)
    return np.asarray(far)


def add_tests(table: pd.DataFrame, conf_level: float, scale: str) -> pd.DataFrame:
    """Add tests and intervals to ``estimate``, ``std_error`` and ``df``."""
    reason = table.pop("reason").astype("str").reset_index(drop=True)
    error, df = table["std_error"], table.pop("df")
    half = scipy.stats.t.ppf((1 + conf_level) / 2, df)
    if scale == "logit":
        p = table["estimate"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = np.log(p) - np.log1p(-p)
            half = half * error / (p * (1 - p))
            low, high = (1 / (1 + np.exp(-(middle + sign * half))) for sign in (-1, 1))
        table["df"] = df
    else:
        table["statistic"] = table["estimate"] / error.where(error > 0)
        table["df"] = df
        table["p_value"] = 2 * scipy.stats.t.sf(table["statistic"].abs(), df)
        low, high = table["estimate"] - half * error, table["estimate"] + half * error
    return table.assign(conf_low=low, conf_high=high, reason=reason)


def _tell(model: TopicModel) -> None:
    """Warn of missing estimates; raise an error if no topic could be modelled."""
    reason, level = model.topics["reason"], model.level
    none = np.array([fit is None for fit in model._fits])
    some = ~none & reason.notna().to_numpy()

    def example(which: NDArray[np.bool_]) -> str:
        place = int(which.argmax())
        return f"{level} {model.topics.iloc[place, 0]}: {reason.iloc[place]}"

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
            "The column 'reason' of the tables says why. Put small groups together, or report their "
            "shares, whose intervals have an upper bound for groups without any post of a topic.",
        )
    collinear = model.coefficients["term"][model.coefficients["reason"] == "collinear"].unique()
    if len(collinear):
        warn(
            f"{plural(len(collinear), 'coefficient')} missing because other terms determine them: "
            f"{', '.join(collinear)}."
        )


__all__ = ["TopicModel", "joined", "topic_effects", "topic_model"]
