"""Model how often posts or images are shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..regression.formula import names_in
from ..shown import Part, Shown
from ..tables import check_table
from ..validate import check_choice, check_conf_level, check_idle
from ..verbs import public
from ..wording import arg, quote
from .counts import (
    Fit,
    coefficients_of,
    effects_of,
    fit_counts,
    offset_of,
    summary_of,
    warn_inestimable,
    with_interval,
)
from .observations import WEIGHT, Observations, check_reliability, observe, wide_ratings
from .outcomes import matrix_of, sides_of

Array = NDArray[Any]


class _Options(NamedTuple):
    unit: str
    family: str
    cluster: str
    variance: str
    author: str
    exposure: str | None
    weight: str
    conf_level: float
    env: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class ShareModel(Shown):
    """A model of counts of engagement.

    Attributes
    ----------
    coefficients : DataFrame
        One row per outcome and term: outcome, term, estimate (of the logarithm of the expected
        count), std_error, statistic, df, p_value, conf_low, conf_high.
    effects : DataFrame
        Average marginal effects in counts: of one point more (the derivative) or, for categories
        and 1 or 0, of the difference between two values (contrast). Categories of more than 50
        levels have none.
    corrected : DataFrame or None
        Estimates corrected for measurement error, by reliability: "none", "low", "estimate",
        "high".
    left_out : DataFrame
        reason, n_posts and n_images of what is not in the model.
    summary : DataFrame
        One row per outcome: outcome, unit, family, nobs, n_posts, n_authors, n_images, mean (of
        the counts), theta, log_lik, aic and bic (missing with weights), deviance, df_residual,
        cluster, variance, n_groups, weight, conf_level.
    data : DataFrame
        One row per outcome and observation: its id, columns of the model, observed, fitted.
    """

    coefficients: pd.DataFrame
    effects: pd.DataFrame
    corrected: pd.DataFrame | None
    left_out: pd.DataFrame
    summary: pd.DataFrame
    data: pd.DataFrame
    _fits: list[Fit] = field(repr=False)
    _options: Any = field(repr=False)

    @property
    def rate_ratios(self) -> pd.DataFrame:
        """The coefficients as rate ratios, whose std_error remains that of the logarithm."""
        table = self.coefficients.copy()
        for name in ("estimate", "conf_low", "conf_high"):
            table[name] = np.exp(table[name])
        return table

    def predict(self, newdata: pd.DataFrame, type: str = "response") -> pd.DataFrame:
        """Expected counts of new observations, with intervals.

        Parameters
        ----------
        newdata : DataFrame
            Has the predictors of the formula.
        type : {"response", "link"}, default "response"
            Expected counts, or their logarithms.

        Returns
        -------
        DataFrame
            The new data, once per outcome, with outcome, estimate, std_error, conf_low, conf_high.
        """
        check_choice("type", type, ("response", "link"))
        tables = []
        for fit in self._fits:
            needed = [*fit.side.names]
            if self._options.exposure is not None:
                needed.append(self._options.exposure)
            new = check_table("newdata", newdata, needed, "share_model")
            try:
                x = np.asarray(matrix_of(fit.design, new))
            except Exception as error:
                raise ImagestrataError(
                    f"{arg('newdata')} does not fit the model: {error}."
                ) from None
            own = self.coefficients[self.coefficients["outcome"] == fit.side.outcome]
            table = pd.DataFrame(
                {
                    "estimate": x @ fit.coef + offset_of(new, self._options),
                    "std_error": np.sqrt(((x @ fit.vcov) * x).sum(axis=1)),
                    "df": own["df"].min(),
                }
            )
            table = with_interval(table, self._options.conf_level).drop(columns="df")
            if type == "response":
                table["std_error"] *= np.exp(table["estimate"])
                bounds = ["estimate", "conf_low", "conf_high"]
                table[bounds] = np.exp(table[bounds])
            given = new.reset_index(drop=True)
            given = given.drop(columns=[name for name in table if name in given])
            tables.append(pd.concat([given, table], axis=1).assign(outcome=fit.side.outcome))
        found = pd.concat(tables, ignore_index=True)
        found.insert(0, "outcome", found.pop("outcome"))
        return found

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        return [
            f"Model of counts: {line['family']}; {plural(int(line['nobs']), line['unit'])}; errors "
            f"by {line['cluster']} ({line['n_groups']} groups)",
            (self.coefficients, "row"),
        ]


@public
def share_model(
    linked: pd.DataFrame,
    formula: str | Sequence[str],
    ratings: pd.DataFrame | None = None,
    *,
    unit: str = "post",
    family: str = "negative binomial",
    cluster: str | None = None,
    variance: str = "CR2",
    author: str = "author",
    exposure: str | None = None,
    sample: pd.DataFrame | None = None,
    weight: str = "none",
    reliability: pd.DataFrame | Mapping[str, float] | None = None,
    conf_level: float = 0.95,
) -> ShareModel:
    """Model how often posts or images are shared.

    Counts of engagement (retweets, likes, replies) are regressed on ratings or labels of images
    and on controls, with standard errors that account for authors and images that occur
    repeatedly. This is the analysis of Figure 5.1 of *Images as Data*. R's ``share_model()`` gives
    the same estimates, and draws the figure; both are tested against the same reference table.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`link_posts`, or a table with ``post_id``, ``image_id`` and one row per
        post and image.
    formula : str or sequence of str
        Outcomes and predictors: ``"retweets ~ hopeful + angry + log1p(followers)"``.
        ``"cbind(retweets, likes) ~ ..."`` has several outcomes, and so has a list of formulas.
        Names are columns of ``linked`` or of ``ratings``; functions are those of
        :func:`topic_model`.
    ratings : DataFrame, optional
        Ratings or labels of images: the result of :func:`rating_means` with ``by="image_id"``,
        whose items and dimensions become predictors; or a table with one row per image,
        ``image_id`` and one column per predictor, such as :func:`label_ratings` and
        :func:`consensus` return. By default all predictors are columns of ``linked``.
    unit : {"post", "image"}, default "post"
        One observation per post, or per image.
    family : {"negative binomial", "poisson"}, default "negative binomial"
    cluster : {"author", "image", "both", "topic"}, optional
        Observations that may depend on each other: those of an author, of an image, or of both,
        the default for posts. Images are independent by default; with "topic" images (or posts) of
        one cluster are not.
    variance : {"CR2", "sandwich"}, default "CR2"
        Corrected for small numbers of authors and images, or the usual robust errors.
    author : str, default "author"
        The column with the authors of posts.
    exposure : str, optional
        The column with the number of opportunities (followers, views, ``n_posts`` of an image),
        whose logarithm has the coefficient 1.
    sample : DataFrame, optional
        The result of :func:`sample_images`, if images were sampled.
    weight : {"none", "corpus", "cluster", "share"}, default "none"
        With ``sample``, the unit with equal weight, as in :func:`rating_means`.
    reliability : DataFrame or mapping, optional
        The reliability of an image's mean rating by predictor: ``{"hopeful": 0.6}``, or the table
        of R's ``rating_reliability()``.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    ShareModel
        Its ``coefficients``, ``rate_ratios``, ``effects``, ``corrected``, ``left_out``,
        ``summary`` and ``data``.

    Raises
    ------
    ImagestrataError
        If a column is missing, an outcome does not hold counts, predictors are constant,
        collinear or separate counts of zero from others, or no post is left.

    Warns
    -----
    UserWarning
        If posts are left out, with numbers and reasons; if counts vary no more than in a Poisson
        model; or if a term rests on one author or image.

    Notes
    -----
    *Observations.* A post has the mean rating of its rated images; labels with 1 and 0 become
    shares of its images. With ``unit="image"`` the count of an image is the sum over the posts
    that show it, as in *Images as Data*, and numeric controls are means over these posts. Posts
    without a rated or known image, or with a missing outcome or control, are left out of all
    models.

    *Models.* The negative binomial model (NB2) has a variance of mu + mu^2 / theta, where theta is
    1 / alpha of statsmodels. ``"poisson"`` estimates the same rate ratios by quasi-likelihood.

    *Standard errors* use the expected information, as R's package sandwich does (statsmodels'
    ``NegativeBinomial`` uses the observed one). With ``cluster="both"`` the variance is the sum of
    those by author and by image less that by their combinations (Cameron, Gelbach and Miller
    2011). Posts with several images depend on all posts that show one of them: the variance by
    image sums over the pairs of such posts. (Posts with different images that have two or more in
    common are counted as often as that, which makes errors a little too large.) "CR2" corrects for
    small numbers of groups (Bell and McCaffrey 2002), with Satterthwaite's degrees of freedom, the
    smaller of the two; "sandwich" has G - 1 degrees of freedom for the smaller number G of groups.
    More than 20,000 groups have the second kind; "CR2" is refused for more than 100 coefficients.

    If a few authors write most posts and effects differ between authors, intervals are too narrow
    even with "CR2", as in simulations with 12 very unequal authors
    (``benchmarks/results/engagement.md``).

    *Samples.* The weight of a post is the sum of the weights of its rated, sampled images, divided
    by the number of all its images (Lavallee 2007).

    *Measurement error.* Means of few ratings are noisy, which biases their effects, usually
    towards zero. ``corrected`` has estimates by regression calibration (Carroll and others 2006):
    every rated predictor is replaced by its expected true value, given all rated predictors and
    controls. Errors have the variance (1 - reliability) times the variance between images, divided
    by the number of rated images of a post. ``reliability.attrs["error_correlation"]``, a table by
    items, has the correlations of errors, which are considerable if the same people answer several
    items; otherwise errors are taken as uncorrelated. Read the table as a sensitivity analysis: it
    assumes classical error (independent of the true rating, the outcome and the controls, and of
    equal size for all images), and standard errors treat the reliability as known. "low" and
    "high" are the ends of the confidence interval of the reliability.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import share_model
    >>> posts = pd.DataFrame(
    ...     {
    ...         "post_id": range(60), "image_id": [f"i{i % 12}" for i in range(60)],
    ...         "author": [f"a{i // 6}" for i in range(60)],
    ...         "retweets": [(i * 7) % 11 * (i % 3) for i in range(60)],
    ...     }
    ... )
    >>> ratings = pd.DataFrame({"image_id": [f"i{i}" for i in range(12)], "hopeful": range(12)})
    >>> model = share_model(posts, "retweets ~ hopeful", ratings)
    >>> model.rate_ratios["term"].tolist()
    ['(Intercept)', 'hopeful']
    """
    sides = sides_of(formula)
    options = _check_options(
        unit, family, cluster, variance, author, exposure, sample, weight, conf_level
    )
    options = options._replace(env=patsy.EvalEnvironment.capture(2))
    data = observe(linked, sides, wide_ratings(ratings), sample, options)
    reliable = check_reliability(reliability, sides, data)
    fits = [fit_counts(side, data.frame, data, options) for side in sides]
    for fit in fits:
        warn_inestimable(fit, data)

    def stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
        named = zip(sides, tables, strict=True)
        for side, table in named:
            table.insert(0, "outcome", side.outcome)
        return pd.concat(tables, ignore_index=True)

    plain = data.frame.drop(columns=[WEIGHT])
    return ShareModel(
        coefficients=stacked([coefficients_of(fit, options.conf_level) for fit in fits]),
        effects=stacked([effects_of(fit, data.frame, options) for fit in fits]),
        corrected=None if reliable is None else _corrected(fits, data, options, *reliable),
        left_out=data.left_out,
        summary=pd.DataFrame([summary_of(fit, data.frame, data, options) for fit in fits]),
        data=stacked(
            [plain.assign(observed=plain[fit.side.outcome], fitted=fit.fitted) for fit in fits]
        ),
        _fits=fits,
        _options=options,
    )


def _check_options(
    unit: Any,
    family: Any,
    cluster: Any,
    variance: Any,
    author: Any,
    exposure: Any,
    sample: Any,
    weight: Any,
    conf_level: Any,
) -> _Options:
    check_choice("unit", unit, ("post", "image"))
    check_choice("family", family, ("negative binomial", "poisson"))
    if cluster is None:
        cluster = "both" if unit == "post" else "image"
    check_choice("cluster", cluster, ("author", "image", "both", "topic"))
    if unit == "image" and cluster in ("author", "both"):
        raise ImagestrataError(
            f"With {arg('unit', 'image')}, {arg('cluster')} must be {quote('image')} or "
            f"{quote('topic')}, not {quote(cluster)}: an image may have several authors.",
            f"Use {arg('unit', 'post')} for errors by author.",
        )
    check_choice("variance", variance, ("CR2", "sandwich"))
    check_choice("weight", weight, ("none", "corpus", "cluster", "share"))
    if weight == "none" and sample is not None:
        check_idle(f"with {arg('weight', 'none')}", sample=(True, None))
    for name, value in (("author", author), ("exposure", exposure)):
        if not isinstance(value, str) and not (name == "exposure" and value is None):
            raise ImagestrataError(f"{arg(name)} must name a column, not {quote(value)}.")
    level = check_conf_level(conf_level)
    return _Options(unit, family, cluster, variance, author, exposure, weight, level)


def _corrected(
    fits: list[Fit],
    data: Observations,
    options: _Options,
    reliability: pd.DataFrame,
    correlation: pd.DataFrame,
) -> pd.DataFrame:
    """Coefficients at each reliability, and without correction."""
    tables, failed = [], {}
    for fit in fits:
        plain = coefficients_of(fit, options.conf_level)
        blocks = [plain.assign(reliability="none")]
        for level in map(str, reliability):
            frame = _calibrated(fit, data, options, reliability[level], correlation)
            if frame is None:
                failed[level] = True
                found = plain.assign(**dict.fromkeys(plain.columns.drop("term"), np.nan))
            else:
                again = fit_counts(fit.side, frame, data, options)
                found = coefficients_of(again, options.conf_level)
            blocks.append(found.assign(reliability=level))
        tables.append(pd.concat(blocks).assign(outcome=fit.side.outcome))
    if failed:
        warn(
            f"The ratings are too unreliable to correct estimates at the reliability "
            f"{', '.join(map(quote, failed))}: the errors would explain all differences between "
            "images. These rows are missing."
        )
    table = pd.concat(tables, ignore_index=True)
    first = ["outcome", "reliability"]
    return table[[*first, *table.columns.drop(first)]]


def _calibrated(
    fit: Fit, data: Observations, options: _Options, rho: pd.Series[Any], correlation: pd.DataFrame
) -> pd.DataFrame | None:
    """Expected true values in place of ratings: the best linear prediction.

    None if the errors are larger than the differences that are left.
    """
    names = [name for name in rho.index if name in fit.side.names]
    if not names:
        return data.frame
    rho = rho[names]
    if not (rho > 0).all():
        return None
    spread = np.array([data.images[name].astype(float).var() for name in names])
    error = np.sqrt((1 - rho.to_numpy()) * spread)
    weight = data.frame[WEIGHT].to_numpy(dtype=float)
    weight = weight / weight.sum()
    covariance = np.outer(error, error) * correlation.loc[names, names].to_numpy()
    covariance = covariance * float((weight / data.n_rated).sum())
    known = np.column_stack(
        [data.frame[names].to_numpy(dtype=float), _controls(fit, data.frame, names, options)]
    )
    centre = weight @ known
    away = known - centre
    total = (away * weight[:, None]).T @ away
    n = len(names)
    true = total[:, :n].copy()
    true[:n] -= covariance
    rest = true[:n]
    if len(total) > n:
        rest = rest - true[n:].T @ _solve(total[n:, n:], true[n:])
    size = np.sqrt(np.diag(total)[:n])
    if np.linalg.eigvalsh(rest / np.outer(size, size)).min() < 1e-6:
        return None
    expected = away @ _solve(total, true) + centre[:n]
    return data.frame.assign(**{name: expected[:, i] for i, name in enumerate(names)})


def _solve(a: Array, b: Array) -> Array:
    scale = np.sqrt(np.diag(a))
    found: Array = np.linalg.solve(a / np.outer(scale, scale), b / scale[:, None])
    solved: Array = found / scale[:, None]
    return solved


def _controls(fit: Fit, frame: pd.DataFrame, names: list[str], options: _Options) -> Array:
    """The terms without ratings, and the logarithm of the exposure."""
    x = np.asarray(matrix_of(fit.design, frame))
    parts = [np.empty((len(frame), 0))]
    for term, columns in fit.design.term_slices.items():
        used = {name for factor in term.factors for name in names_in(factor.code)}
        if term.factors and not used & set(names):
            parts.append(x[:, columns])
    if options.exposure is not None:
        parts.append(offset_of(frame, options)[:, None])
    return np.column_stack(parts)
