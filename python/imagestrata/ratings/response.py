"""Who answered, and what to do about those who did not."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table, id_texts
from ..validate import check_choice, check_conf_level, check_scale
from ..verbs import public
from ..wording import arg, quote, verb
from .design import WEIGHTS
from .estimates import VARIANCES, rating_gaps, rating_means
from .totals import Array

#: Columns of ratings that are about answers.
_OF_ANSWERS = (
    "respondent_id", "group", "image_id", "item", "dimension", "rating", "packet_id",
)  # fmt: skip
#: Columns of ratings that are about the sampling of images.
_OF_SAMPLE = (
    "cluster", "stratum", "N_h", "n_h", "weight_corpus", "weight_cluster", "weight_share",
)  # fmt: skip


@public
def response_rates(
    ratings: pd.DataFrame,
    packets: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Count who was asked to rate images, and who did.

    Parameters
    ----------
    ratings : DataFrame
        The result of :func:`read_ratings`.
    packets : DataFrame
        Who was asked to rate what: the packets of :func:`assign_annotators` with one row per
        packet and image, and the column ``respondent_id``. Without it, both tables need the column
        ``packet_id``. Packets that nobody took up count as asked.
    by : str, sequence of str or None, default "group"
        Columns of the packets, or columns of ratings about images, that define groups.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per group: the columns of ``by``, ``n_respondents`` (who were asked), ``n_silent``
        (who rated nothing), ``n_asked`` and ``n_rated`` (images, once for each respondent),
        ``estimate`` (the share that was rated), ``std_error``, ``conf_low``, ``conf_high``,
        ``n_items`` (answers asked for in the rated images) and ``skipped`` (the share of them that
        is missing).

    Raises
    ------
    ImagestrataError
        If the tables do not say who was asked, or have no respondent and image in common.

    Notes
    -----
    An image counts as rated if the respondent rated at least one item of it. Standard errors are
    clustered on respondents; intervals are on the logit scale. If everybody, or nobody, answered,
    the interval is the exact one of as many respondents.
    """
    conf_level = check_conf_level(conf_level)
    asked = _asked(ratings, packets)
    names = _by(by, asked.asks)
    rows = []
    for group, part in _grouped(asked.asks, names):
        people = part.groupby("unit")["rated"].agg(["size", "sum"])
        n_people, n_asked, n_rated = len(people), len(part), int(part["rated"].sum())
        p = n_rated / n_asked
        scores = (people["sum"] - p * people["size"]) / n_asked
        factor = n_people / (n_people - 1) if n_people > 1 else np.nan
        error = float(np.sqrt((scores**2).sum() * factor))
        low, high = _limits(p, error, n_people, conf_level)
        n_items = n_rated * len(asked.items)
        skipped = 1 - part["n_answers"].sum() / n_items if n_items else np.nan
        rows.append(
            {
                **group, "n_respondents": n_people, "n_silent": int((people["sum"] == 0).sum()),
                "n_asked": n_asked, "n_rated": n_rated, "estimate": p, "std_error": error,
                "conf_low": low, "conf_high": high, "n_items": n_items, "skipped": skipped,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _limits(p: float, error: float, n: int, conf_level: float) -> tuple[float, float]:
    from scipy import special, stats

    least = 1 - ((1 - conf_level) / 2) ** (1 / n)
    if p in (0.0, 1.0):
        return (0.0, least) if p == 0 else (1 - least, 1.0)
    if n < 2:
        return np.nan, np.nan
    width = stats.t.ppf((1 + conf_level) / 2, n - 1) * error / (p * (1 - p))
    middle = special.logit(p)
    return float(special.expit(middle - width)), float(special.expit(middle + width))


@public
def response_weights(
    ratings: pd.DataFrame,
    packets: pd.DataFrame,
    formula: str,
    respondents: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = "group",
    *,
    respondent_weight: str | None = None,
) -> pd.DataFrame:
    """Weight answers by the inverse of the probability that they were given.

    Parameters
    ----------
    ratings, packets : DataFrame
        As in :func:`response_rates`.
    formula : str
        What the chance of an answer depends on, as ``"~ age + ideology"``: columns of the packets,
        of ``respondents``, or of ratings about images.
    respondents : DataFrame, optional
        ``respondent_id``, and what is known of everybody who was asked, also of those who rated
        nothing.
    by : str, sequence of str or None, default "group"
        Groups of respondents whose means will be estimated.
    respondent_weight : str, optional
        Survey weights that the result is multiplied by: a column of ``respondents``, of the
        packets or of the ratings.

    Returns
    -------
    DataFrame
        The ratings of what was asked, with ``response_probability`` and ``response_weight``.

    Raises
    ------
    ImagestrataError
        If covariates are not known of everybody who was asked.

    Notes
    -----
    A logistic regression estimates the probability p that a respondent rates an image, from all
    that were asked for. The weight is meant for ``respondent_weight`` of :func:`rating_means`,
    which already lets the rated images of a cluster represent the others, and divides the weight
    of an image among those who rated it. So that this is not done twice, the weight is
    (m / M) (r / R) (E - p + 1) / (O p): of M images of the cluster that the group was asked to
    rate, m were rated, the image by r of R; O is the number of these ratings, and E the sum of p
    over everything that the group was asked in the cluster. The response rate of a cluster thus
    need not be in the formula: probabilities are multiplied by (1 + the other answers in the
    cluster) / (1 + the sum of p of the other requests).

    The weights are right if, given the covariates, answers are missing at random. Standard errors
    of means treat them as known.

    References
    ----------
    Seaman and White (2013), "Review of inverse probability weighting for dealing with missing
    data", Statistical Methods in Medical Research 22.
    """
    asked = _asked(ratings, packets)
    asks = _with_respondents(asked.asks, respondents)
    asks["response_probability"] = _probability(asks, formula)
    asks["response_weight"] = _scaled(asks, _by(by, asks))
    kept = asked.place >= 0
    at = asked.place[kept]
    found = asked.ratings[kept].reset_index(drop=True)
    for name in ("response_probability", "response_weight"):
        found[name] = asks[name].to_numpy()[at]
    if respondent_weight is not None:
        source = None
        if respondent_weight in asks:
            source = asks[respondent_weight].to_numpy()[at]
        elif respondent_weight in found:
            source = found[respondent_weight].to_numpy()
        numbers = pd.to_numeric(pd.Series(source), errors="coerce")
        if source is None or numbers.isna().any():
            raise ImagestrataError(
                f"{arg('respondent_weight')} must name a column of {arg('respondents')} or the "
                f"ratings with a number for everybody, unlike {quote(respondent_weight)}."
            )
        found["response_weight"] *= numbers.to_numpy()
    return found


def _probability(asks: pd.DataFrame, formula: Any) -> Array:
    import patsy

    from ..regression.formula import names_in
    from ..regression.glm import Binary, fit_glm
    from ..regression.matrix import ModelMatrix, prepare_covariates

    if not isinstance(formula, str) or not formula.strip().startswith("~"):
        raise ImagestrataError(
            f"{arg('formula')} must be a formula without a left side, such as "
            f"{quote('~ age + ideology')}, not {quote(formula)}."
        )
    right = formula.strip().removeprefix("~").strip()
    terms = patsy.ModelDesc.from_formula(right).rhs_termlist
    codes = [factor.code for term in terms for factor in term.factors]
    needed = sorted({name for code in codes for name in names_in(code)})
    lacks = [name for name in needed if name not in asks]
    if lacks:
        raise ImagestrataError(
            f"{arg('formula')} names {', '.join(map(quote, lacks))}, which neither "
            f"{arg('packets')} nor {arg('respondents')} have.",
            "It must be known of everybody who was asked, also of those who did not answer: give a "
            f"table of all respondents as {arg('respondents')}.",
        )
    for name in needed:
        n = int(asks[name].isna().sum())
        if n:
            raise ImagestrataError(
                f"{quote(name)} is missing for {n:,} of {plural(len(asks), 'image')} that "
                "respondents were asked to rate: their chance of an answer cannot be estimated.",
                "Complete it, or make the missing values a group of their own.",
            )
    data = prepare_covariates({name: asks[name] for name in needed}, len(asks), "respondent")
    x = ModelMatrix(data, right, patsy.EvalEnvironment([{}]), "respondent").x
    fit = fit_glm(asks["rated"].to_numpy(float), np.asarray(x), Binary())
    if not fit.converged:
        warn("The model of answers did not converge: use fewer covariates.")
    return fit.fitted


def _scaled(asks: pd.DataFrame, by: list[str]) -> Array:
    """Weights without what means do themselves, see the notes of response_weights()."""
    cluster = asks["cluster"] if "cluster" in asks else pd.Series(0, asks.index)
    table = asks[["image_id", "rated", "response_probability"]].assign(_cluster=cluster.to_numpy())
    parts = ["_cluster"]
    for i, name in enumerate(by):
        table[f"_by{i}"] = asks[name].to_numpy()
        parts.append(f"_by{i}")
    of_part = table.groupby(parts, observed=True, dropna=False)
    of_image = table.groupby([*parts, "image_id"], observed=True, dropna=False)["rated"]
    answers, requests = of_image.transform("sum"), of_image.transform("size")
    table["first"] = ~table.duplicated([*parts, "image_id"])
    table["first_rated"] = table["first"] & (answers > 0)
    images, rated = of_part["first"].transform("sum"), of_part["first_rated"].transform("sum")
    expected = of_part["response_probability"].transform("sum")
    given = of_part["rated"].transform("sum")
    p = table["response_probability"]
    weight = (rated / images) * (answers / requests) * (expected - p + 1) / (given * p)
    return weight.where(table["rated"] == 1).to_numpy()


@public
def response_bounds(
    ratings: pd.DataFrame,
    packets: pd.DataFrame,
    by: str | Sequence[str] | None = "group",
    *,
    of: str = "gaps",
    scale: Sequence[float] = (0, 10),
    weight: str = "cluster",
    respondent_weight: str | None = None,
    variance: str = "two-way",
    respondents: pd.DataFrame | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Bound means and gaps by the worst that missing answers could be.

    Parameters
    ----------
    ratings, packets : DataFrame
        As in :func:`response_rates`.
    by : str, sequence of str or None, default "group"
        As in :func:`rating_gaps`; the first column is about respondents.
    of : {"gaps", "means"}, default "gaps"
    scale : pair of float, default (0, 10)
        Lowest and highest possible rating.
    weight : {"cluster", "corpus", "share", "none"}, default "cluster"
        As in :func:`rating_means`.
    respondent_weight : str or None, default None
        Survey weights of everybody who was asked, also of those who rated nothing: a column of
        ``respondents``, of the packets or of the ratings, as in :func:`rating_means`. Missing
        answers have the weights of the people who were asked for them.
    variance : {"two-way", "respondent", "image"}, default "two-way"
        As in :func:`rating_means`.
    respondents : DataFrame, optional
        ``respondent_id``, and what is known of everybody who was asked.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per measure and group or contrast: ``level``, ``item``, ``dimension``, the columns
        of ``by`` or ``contrast``, ``estimate`` (of the given answers), ``low``, ``high``,
        ``conf_low``, ``conf_high``, ``missing`` (the share of answers that is missing) and, for
        gaps, ``tipping_point``.

    Raises
    ------
    ImagestrataError
        As in :func:`response_rates` and :func:`rating_gaps`.

    Notes
    -----
    A mean is lowest if all missing answers are the lowest rating, and highest if all are the
    highest; a gap is lowest if the first group's missing answers are the lowest and the second
    group's the highest. The interval holds the true value, wherever between the bounds it is
    (Imbens and Manski 2004). The tipping point is the number of points by which the missing answers
    of the group with the higher mean would have to be lower than the given ones of the same group
    and cluster, and those of the other group higher, for the gap to vanish.

    References
    ----------
    Manski (2003), "Partial identification of probability distributions". Imbens and Manski (2004),
    "Confidence intervals for partially identified parameters", Econometrica 72.
    """
    check_choice("of", of, ("gaps", "means"))
    weight = check_choice("weight", weight, WEIGHTS)
    variance = check_choice("variance", variance, VARIANCES)
    low, high = check_scale(scale)
    conf_level = check_conf_level(conf_level)
    asked = _asked(ratings, packets)
    asks = _with_respondents(asked.asks, respondents)
    table = asked.ratings[asked.place >= 0].reset_index(drop=True)
    place = asked.place[asked.place >= 0]
    if respondent_weight is not None:
        asks[respondent_weight] = _survey_weights(asks, table, place, respondent_weight)
        table[respondent_weight] = asks[respondent_weight].to_numpy()[place]
    asked = _Asked(asks, asked.items, table, place)
    given = table["rating"].dropna()
    if given.min() < low or given.max() > high:
        raise ImagestrataError(
            f"The ratings go from {given.min():g} to {given.max():g}, beyond {arg('scale')}, which "
            f"is {low:g} to {high:g}."
        )
    names = [by] if isinstance(by, str) else list(by or [])
    missing = _missing(asked, names, weight)
    options: dict[str, Any] = {
        "weight": weight, "respondent_weight": respondent_weight, "variance": variance,
        "conf_level": conf_level,
    }  # fmt: skip
    kept = table[table["rating"].notna()]

    def complete(kept: pd.DataFrame, missing: pd.DataFrame, rating: Array | float) -> pd.DataFrame:
        added = missing[[name for name in kept if name in missing]].assign(rating=rating)
        for name in ("item", "dimension"):
            if name in kept and isinstance(kept[name].dtype, pd.CategoricalDtype):
                added[name] = added[name].astype(kept[name].dtype)
        return pd.concat([kept, added], ignore_index=True)

    if of == "means":

        def means(ratings: pd.DataFrame) -> pd.DataFrame:
            return rating_means(ratings, by, **options)

        keys = ["level", "item", *names]
        sides = [complete(kept, missing, value) for value in (low, high)]
        found = _bounds(table, means, sides, keys, conf_level)
        return found[["level", "item", "dimension", *names, *_BOUNDS]]

    def gaps(ratings: pd.DataFrame) -> pd.DataFrame:
        return rating_gaps(ratings, names, **options)

    if not names:
        raise ImagestrataError(f"{arg('by')} must name the groups to compare.")
    group, keys = names[0], ["level", "item", *names[1:], "contrast"]
    values = _values(table[group])
    if len(values) < 2:
        raise ImagestrataError(f"{quote(group)} must have two or more values to compare.")
    parts = []
    for pair in itertools.combinations(values, 2):
        mine, lost = (one[one[group].isin(pair)] for one in (kept, missing))
        first = (lost[group] == pair[0]).to_numpy()
        sides = [
            complete(mine, lost, np.where(first, *ends)) for ends in ((low, high), (high, low))
        ]
        part = _bounds(table[table[group].isin(pair)], gaps, sides, keys, conf_level)
        typical = _typical(mine, lost, group, respondent_weight)
        start, step = (
            _quietly(gaps, complete(mine, lost, typical + np.where(first, -by_, by_)))
            .set_index(keys)["estimate"]
            .reindex(pd.MultiIndex.from_frame(part[keys]))
            .to_numpy()
            for by_ in (0.0, 1.0)
        )
        move = start - step
        part["tipping_point"] = np.where(
            move > 1e-9, np.abs(start) / np.where(move, move, 1), np.nan
        )
        parts.append(part)
    columns = ["level", "item", "dimension", *names[1:], "contrast", *_BOUNDS, "tipping_point"]
    return pd.concat(parts, ignore_index=True)[columns]


_BOUNDS = ["estimate", "low", "high", "conf_low", "conf_high", "missing"]


def _values(column: pd.Series[Any]) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = {*column}
        return [value for value in column.cat.categories if value in present]
    return sorted(column.unique())


def _quietly(estimate: Callable[[pd.DataFrame], pd.DataFrame], ratings: pd.DataFrame) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimate(ratings)


def _bounds(
    ratings: pd.DataFrame,
    estimate: Callable[[pd.DataFrame], pd.DataFrame],
    sides: list[pd.DataFrame],
    keys: list[str],
    conf_level: float,
) -> pd.DataFrame:
    """The table of an estimate with the bounds that two completed tables of ratings give it."""
    given = estimate(ratings)
    index = pd.MultiIndex.from_frame(given[keys])
    low, high = (_quietly(estimate, side).set_index(keys).reindex(index) for side in sides)
    width = np.maximum(high["estimate"] - low["estimate"], 0)
    width = width / np.maximum(low["std_error"], high["std_error"])
    df = np.minimum(low["df"], high["df"])
    c = np.array([_critical(w, d, conf_level) for w, d in zip(width, df, strict=True)])
    return given.assign(
        low=low["estimate"].to_numpy(),
        high=high["estimate"].to_numpy(),
        conf_low=low["estimate"].to_numpy() - c * low["std_error"].to_numpy(),
        conf_high=high["estimate"].to_numpy() + c * high["std_error"].to_numpy(),
        missing=1 - given["n_ratings"].to_numpy() / low["n_ratings"].to_numpy(),
    )


def _critical(width: float, df: float, conf_level: float) -> float:
    """The quantile of Imbens and Manski (2004), of the t distribution."""
    from scipy import optimize, stats

    if np.isnan(width) or np.isnan(df):
        return np.nan
    most = stats.t.ppf((1 + conf_level) / 2, df) + 1
    return float(
        optimize.brentq(
            lambda c: stats.t.cdf(c + width, df) - stats.t.cdf(-c, df) - conf_level,
            0, most, xtol=1e-12,
        )
    )  # fmt: skip


def _typical(ratings: pd.DataFrame, missing: pd.DataFrame, group: str, column: str | None) -> Array:
    """The mean of the given answers of the same group and cluster to the item, or else overall."""
    found = np.full(len(missing), np.nan)
    near = [["item", group, "cluster"]] if "cluster" in ratings else []
    for names in (*near, ["item", group], ["item"]):
        weight = 1.0 if column is None else ratings[column]
        keyed = ratings.assign(
            item=ratings["item"].astype(str), _weight=weight, _sum=weight * ratings["rating"]
        )
        sums = keyed.groupby(names, observed=True)[["_sum", "_weight"]].sum()
        means = sums["_sum"] / sums["_weight"]
        index = pd.MultiIndex.from_frame(missing[names]) if len(names) > 1 else missing["item"]
        values = means.reindex(index).to_numpy()
        found = np.where(np.isnan(found), values, found)
    return found


def _survey_weights(asks: pd.DataFrame, ratings: pd.DataFrame, place: Array, name: str) -> Array:
    """The weight of each request: known of everybody, or that of the respondent's own ratings."""
    if name not in asks and name not in ratings:
        raise ImagestrataError(
            f"{arg('respondent_weight')} names {quote(name)}, which is not a column of "
            f"{arg('respondents')}, {arg('packets')} or the ratings."
        )
    given = None
    if name in ratings:
        given = pd.to_numeric(ratings[name], errors="coerce").to_numpy(float, na_value=np.nan)
    if name in asks:
        weights = pd.to_numeric(asks[name], errors="coerce").to_numpy(float, na_value=np.nan)
    else:
        of_person = pd.Series(given).groupby(ratings["respondent_id"].astype(object))
        differs = of_person.nunique()
        if (differs > 1).any():
            raise ImagestrataError(
                f"{quote(name)} must be the same in all ratings by a respondent, but differs for "
                f"{quote(differs.index[differs > 1][0])}.",
                f"Weights for non-response, see {verb('response_weights')}, are not meant for "
                "bounds, which assume nothing about missing answers.",
            )
        weights = asks["respondent_id"].map(of_person.first()).to_numpy(float, na_value=np.nan)
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        people = asks["unit"][wrong].unique()
        raise ImagestrataError(
            f"{quote(name)} must be a positive number for everybody who was asked, but is "
            f"{weights[wrong][0]:g} for {len(people)} of {asks['unit'].nunique()} of them, "
            f"{quote(people[0])} for one.",
            "Give the weights of all, also of those who rated nothing, as a column of "
            f"{arg('respondents')}.",
        )
    if given is not None:
        own = weights[place]
        apart = np.abs(own - given) > 1e-6 * own
        if apart.any():
            row = int(np.nonzero(apart)[0][0])
            raise ImagestrataError(
                f"{quote(name)} of {quote(ratings['respondent_id'].iloc[row])} is {given[row]:g} "
                f"in the ratings, but {own[row]:g} in {arg('respondents')} or {arg('packets')}.",
                "Use one set of weights.",
            )
    return weights


# ---- Who was asked -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was asked.

    Attributes
    ----------
    asks : DataFrame
        A row per respondent (or packet that nobody took up) and image: ``unit``,
        ``respondent_id``, ``n_answers``, ``rated`` (1 or 0) and the columns of the packets.
    items : list of str
    ratings : DataFrame
    place : array
        The row of each rating in ``asks``; -1 for images that were not asked for.
    """

    asks: pd.DataFrame
    items: list[str]
    ratings: pd.DataFrame
    place: Array


def _asked(given: Any, packets: Any) -> _Asked:
    needed = ("respondent_id", "image_id", "item", "rating")
    ratings = check_table("ratings", given, needed, "read_ratings", whole=needed[:3])
    ratings = ratings.reset_index(drop=True)
    table = check_table("packets", packets, ("image_id",), "assign_annotators", whole=("image_id",))
    table = _named(table.reset_index(drop=True), ratings)
    table = table.drop_duplicates(["unit", "image_id"]).reset_index(drop=True)
    keys = pd.MultiIndex.from_frame(table[["unit", "image_id"]].astype(object))
    pairs = ratings[["respondent_id", "image_id"]].astype(object)
    place = keys.get_indexer(pd.MultiIndex.from_frame(pairs))
    lost = place < 0
    if lost.all():
        raise ImagestrataError(
            f"No rating is of an image that {arg('packets')} assigns to its respondent.",
            "Check whether both tables have the same respondent_id and image_id.",
        )
    if lost.any():
        warn(
            f"{int(lost.sum()):,} of {plural(len(lost), 'rating')} are of images that "
            f"{arg('packets')} does not assign to the respondent, the first by "
            f"{quote(ratings['respondent_id'][lost].iloc[0])}: they are left out."
        )
    counted = place[~lost & ratings["rating"].notna().to_numpy()]
    table["n_answers"] = np.bincount(counted, minlength=len(table))
    table["rated"] = (table["n_answers"] > 0).astype(int)
    first = ratings.drop_duplicates("image_id").set_index("image_id")
    for name in ratings:
        if name not in _OF_ANSWERS and name not in table and _is_of_images(name, ratings):
            table[name] = first[name].reindex(table["image_id"]).to_numpy()
    column = ratings["item"]
    items = _values(column) if isinstance(column.dtype, pd.CategoricalDtype) else column.unique()
    return _Asked(table, [*map(str, items)], ratings, place)


def _is_of_images(name: Any, ratings: pd.DataFrame) -> bool:
    """Whether a column describes images: their cluster, their weights, their month.

    If every image has one rating, columns about respondents are the same in all ratings of an
    image too.
    """

    def constant(unit: str) -> bool:
        kinds = ratings.groupby(unit, observed=True)[name].nunique(dropna=False)
        return bool((kinds == 1).all())

    if not constant("image_id"):
        return False
    if name in _OF_SAMPLE or not constant("respondent_id"):
        return True
    return "cluster" in ratings and constant("cluster")


def _named(packets: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The packets with the respondent of each row; ``unit`` is the packet if nobody is known."""
    if "respondent_id" in packets:
        known = id_texts(packets["respondent_id"], "respondent_id").astype(object)
    else:
        known = pd.Series(None, packets.index, dtype=object)
    known = known.where(known.notna(), None)
    if known.isna().any():
        both = "packet_id" in packets and "packet_id" in ratings
        if known.isna().all() and not both:
            raise ImagestrataError(
                f"{arg('packets')} does not say who was asked: it has no column 'respondent_id'.",
                "Add it; or give the ratings the column 'packet_id', as "
                f"{verb('read_ratings', columns={'packet_id': 'packet_id'})} keeps it.",
            )
        if both:
            taken = ratings.drop_duplicates("packet_id").set_index("packet_id")["respondent_id"]
            known = known.where(known.notna(), packets["packet_id"].map(taken).astype(object))
    nobody = known.isna()
    if nobody.any() and "packet_id" not in packets:
        raise ImagestrataError(
            f"{plural(int(nobody.sum()), 'row')} of {arg('packets')} have neither a "
            "'respondent_id' nor a 'packet_id'."
        )
    unit = known.copy()
    if nobody.any():
        unit[nobody] = "packet " + packets["packet_id"][nobody].astype(str)
    return packets.assign(respondent_id=known, unit=unit)


def _by(by: Any, asks: pd.DataFrame) -> list[str]:
    names = [] if by is None else [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in asks:
            known = [one for one in asks if one not in ("unit", "n_answers", "rated")]
            raise ImagestrataError(
                f"{arg('by')} names {quote(name)}, which is not known of what was asked.",
                f"Columns of {arg('packets')}, and those of ratings about images, can be used: "
                f"{', '.join(map(str, known))}.",
            )
        gaps = int(asks[name].isna().sum())
        if gaps:
            raise ImagestrataError(
                f"{quote(name)} is missing in {plural(gaps, 'row')} of what was asked."
            )
    return names


def _grouped(asks: pd.DataFrame, by: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    if not by:
        return [({}, asks)]
    groups = asks.groupby(by, observed=True, sort=True)
    return [(dict(zip(by, values, strict=True)), part) for values, part in groups]


def _with_respondents(asks: pd.DataFrame, respondents: Any) -> pd.DataFrame:
    if respondents is None:
        return asks.copy()
    people = check_table(
        "respondents", respondents, ("respondent_id",), "read_ratings", whole=("respondent_id",)
    )
    twice = people["respondent_id"].duplicated()
    if twice.any():
        raise ImagestrataError(
            f"{arg('respondents')} has {quote(people['respondent_id'][twice].iloc[0])} twice.",
            "Keep one row for each respondent.",
        )
    lost = ~asks["respondent_id"].isin(people["respondent_id"])
    if lost.any():
        units = asks["unit"][lost].unique()
        raise ImagestrataError(
            f"{len(units):,} of {asks['unit'].nunique():,} who were asked are not in "
            f"{arg('respondents')}, {quote(units[0])} for one.",
            "Give everybody who was asked, also those who rated nothing; or leave out the packets "
            "that nobody took up.",
        )
    known = people.set_index("respondent_id")
    known.index = known.index.astype(object)
    new = [name for name in known if name not in asks]
    added = known[new].reindex(pd.Index(asks["respondent_id"], dtype=object))
    return pd.concat([asks, added.set_axis(asks.index)], axis=1)


def _missing(asked: _Asked, names: list[str], weight: str) -> pd.DataFrame:
    """A row per missing answer to an item, with what ratings say about its image."""
    asks, ratings = asked.asks, asked.ratings
    known = (asked.place >= 0) & ratings["rating"].notna().to_numpy()
    item = pd.Index(asked.items).get_indexer(pd.Index(ratings["item"].astype(str)))
    given = np.zeros((len(asked.items), len(asks)), dtype=bool)
    given[item[known], asked.place[known]] = True
    of, row = np.nonzero(~given)
    missing = asks.drop(columns=["n_answers", "rated"]).iloc[row].reset_index(drop=True)
    missing["respondent_id"] = missing["unit"]
    missing["item"] = np.array(asked.items, dtype=object)[of]
    if "dimension" in ratings:
        dimension = ratings.drop_duplicates("item")
        known_as = dict(zip(dimension["item"].astype(str), dimension["dimension"], strict=True))
        missing["dimension"] = missing["item"].map(known_as)
    needed = [*names, *([] if weight == "none" else [f"weight_{weight}"])]
    lacks = [name for name in needed if name not in missing]
    if lacks:
        raise ImagestrataError(
            f"{', '.join(map(quote, lacks))} is not known of the missing answers.",
            f"{arg('by')} must name columns of {arg('packets')}, or columns of ratings about "
            "images.",
        )
    unknown = missing[needed].isna().any(axis=1)
    if unknown.any():
        n = missing["image_id"][unknown].nunique()
        warn(
            f"{plural(n, 'image')} that nobody rated are not in the bounds, because "
            f"{', '.join(map(quote, needed))} are not known of them.",
            f"Add these columns to {arg('packets')}.",
        )
    return missing[~unknown]
