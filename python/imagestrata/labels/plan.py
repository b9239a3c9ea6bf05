"""How many images to label, and from which clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.named import names_in
from ..errors import ImagestrataError, plural, warn
from ..validate import check_conf_level, check_float
from ..verbs import public
from ..wording import arg, quote
from .estimate import Plan, limits_of_mean, mean_of, plan_of, tune
from .observed import Array, Observed, Target, observe, predictions_filled
from .shares import tell_merged

#: The number of images that all clusters together count as, in the standard deviation of a cluster.
PRIOR = 4


@public
def plan_labels(
    labels: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    *,
    width: float,
    code: str | None = None,
    by: str | None = None,
    clustering: Any = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Plan how many images to label for an interval of a given width, and from which clusters.

    The first labels (a pilot) say how much images of a cluster differ, and how well a machine
    predicts them. R's ``plan_labels()`` gives the same numbers.

    Parameters
    ----------
    labels, predictions, sample, clustering
        As in :func:`label_shares`. Without predictions, the plan is for labels alone.
    width : float
        The width of the interval that you want, from its lower to its upper limit: 0.1 for a share
        of .30 with limits of about .25 and .35. For a scale, in its points.
    code : str, optional
        The code to plan for, if the labels have several.
    by : str, optional
        A column of the clustering, such as "theme" or "cluster", of which each group shall have an
        interval of this width. By default, the whole corpus shall.
    conf_level : float, default 0.95
        Confidence level of the interval.

    Returns
    -------
    DataFrame
        One row per stratum, which :func:`sample_images` takes as ``n_per_cluster``, with the sample
        as ``keep``: ``cluster`` (and its name; ``wave`` if images were added in waves), ``N_h``,
        ``n_h`` (drawn so far), ``n_labelled``, ``sd`` (the standard deviation of what the machine
        leaves unexplained), ``n_next`` (images to draw and label next). ``attrs["needed"]`` has a
        row per group and method ("sample", "corrected"): ``n_labelled``, the ``width`` of the
        interval now, the number of labels ``n_needed`` for the width that you want, the width
        ``width_planned`` that they should give.

    Raises
    ------
    ImagestrataError
        If the tables do not fit together, the labels have several codes and none is named, or
        groups of ``by`` divide clusters.

    Notes
    -----
    *Allocation* is Neyman's: from each cluster as many images as are proportional to its size times
    the standard deviation of labels, or of labels minus lambda times predictions. Images that are
    labelled already stay, and no cluster gives more images than it has.

    *Standard deviations* of few images are not reliable: five images without the label do not show
    that a cluster has none. The variance of a cluster is a mean of its own, which counts n - 1, and
    that of all clusters, which counts 4.

    *The width* that is planned uses the t distribution with the degrees of freedom of the plan. It
    is never less than that of the exact interval without any error. The interval that you will get
    differs, since the pilot is a sample: plan again with the new labels. A choice is planned for
    the answer with the widest interval.
    """
    width = check_float("width", width)
    if width <= 0:
        raise ImagestrataError(f"{arg('width')} must be above 0, not {width:g}.")
    conf_level = check_conf_level(conf_level)
    observed = observe(labels, predictions, sample, clustering)
    targets = observed.targets_of(_code(observed, code))
    plan = plan_of(observed, targets)
    tell_merged(plan, observed, targets[0].code)
    w = np.ones(len(observed.images))
    tuned = tune(plan, targets, w)
    now = [mean_of(plan, target, w) for target in targets]
    pick = int(np.argmax([0 if np.isnan(one.variance) else one.variance for one in now]))
    target, leverage = targets[pick], tuned.leverage[pick]
    group, groups = _groups(observed, by)
    size = observed.strata["N_h"].to_numpy(float)
    labelled = np.bincount(plan.stratum, minlength=len(size))
    scale = target.kind == "scale"
    needed: list[dict[str, Any]] = []
    chosen, sd = labelled, np.zeros(len(size))
    for method in ("sample", "corrected") if target.predicted else ("sample",):
        value = tuned.value if method == "corrected" else 0.0
        sd = _deviations(plan, target, value, leverage, labelled, size)
        chosen = labelled.copy()
        for number in range(len(groups)):
            inside = group == number
            n = _numbers(size[inside], sd[inside], labelled[inside], width, conf_level, scale)
            chosen[inside] = n
            cell = inside[observed.images["stratum"].to_numpy()] if by is not None else w > 0
            mean = mean_of(plan, target, cell.astype(float), tuned if value > 0 else None, leverage
                           if value > 0 else None, observed.whole)  # fmt: skip
            low, high = limits_of_mean(mean, target.kind, conf_level)
            needed.append(
                {
                    **{str(k): v for k, v in groups.iloc[number].to_dict().items()},
                    "method": method,
                    "n_labelled": int(labelled[inside].sum()),
                    "width": high - low,
                    "n_needed": int(n.sum()),
                    "width_planned": _width(size[inside], sd[inside], n, conf_level, scale),
                }
            )
    _tell_short(needed, width)
    table = _table(observed, labelled, sd, chosen)
    table.attrs = {
        "needed": needed,
        "summary": {
            "code": target.code,
            "label": target.label,
            "width": width,
            "conf_level": conf_level,
            "lambda": tuned.value if target.predicted else None,
            "n_labelled": int(labelled.sum()),
            "n_next": int(table["n_next"].sum()),
        },
    }
    return table


def _code(observed: Observed, code: Any) -> str:
    known = observed.codes
    if code is None and len(known) == 1:
        return known[0]
    if code not in known:
        raise ImagestrataError(
            f"{arg('code')} must be one of the codes {', '.join(map(quote, known))}, not "
            f"{quote(code)}."
        )
    return str(code)


def _groups(observed: Observed, by: Any) -> tuple[Array, pd.DataFrame]:
    """The group of each stratum, and the groups."""
    if by is None:
        return np.zeros(len(observed.strata), int), pd.DataFrame(index=[0])
    images = observed.images
    if by not in images or by == "image_id" or not observed.placed:
        raise ImagestrataError(
            f"{arg('by')} must be a column of the clusters of all images, not {quote(by)}.",
            f"Give the clustering as {arg('clustering')}.",
        )
    of = images[["stratum", by]].drop_duplicates().sort_values("stratum")
    if of["stratum"].duplicated().any() or of[by].isna().any():
        raise ImagestrataError(
            f"{arg('by')} must be the same for all images of a cluster, unlike {quote(by)}.",
            "Plan for the whole corpus, or for groups of clusters.",
        )
    values = pd.DataFrame({by: np.sort(of[by].unique())})
    return np.searchsorted(values[by], of[by]), values


def _deviations(
    plan: Plan, target: Target, value: float, leverage: Array, labelled: Array, size: Array
) -> Array:
    """The standard deviation in each stratum of what is to be estimated."""
    z = target.y[plan.at]
    if value > 0:
        z = z - value * predictions_filled(target.f)[plan.at]
    difference = plan.centre(z) / plan.a
    if value > 0:
        difference = difference / (1 - np.minimum(leverage, 0.9))
    factor = np.nan_to_num(plan.k) / np.where(plan.fraction < 1, 1 - plan.fraction, 1)
    # The factors n / (n - 1), also of strata that are compared with others.
    squares = factor * difference**2
    own = np.bincount(plan.stratum, squares, len(size)) / np.maximum(labelled, 1)
    weight = size * (labelled > 0) * (size > 1)
    pooled = (weight * own).sum() / weight.sum() if weight.sum() > 0 else 0.0
    freedom = np.maximum(labelled - 1, 0)
    return np.asarray(np.sqrt((freedom * own + PRIOR * pooled) / (freedom + PRIOR)))


def _numbers(
    size: Array, sd: Array, labelled: Array, width: float, conf_level: float, scale: bool
) -> Array:
    """The smallest Neyman allocation, beyond the labels that exist, of which intervals are short.

    All images if no allocation is enough.
    """
    least = np.maximum(labelled, 1)

    def at(factor: float) -> Array:
        asked = np.ceil(factor * size * sd - 1e-9)
        return np.minimum(np.maximum(asked, least), size).astype("int64")

    if _width(size, sd, least, conf_level, scale) <= width:
        return least.astype("int64")
    low, high = 0.0, 1.0
    while _width(size, sd, at(high), conf_level, scale) > width and (at(high) < size).any():
        low, high = high, 2 * high
        if high > 1e12:
            return size.astype("int64")
    for _ in range(100):
        middle = (low + high) / 2
        if _width(size, sd, at(middle), conf_level, scale) <= width:
            high = middle
        else:
            low = middle
    return at(high)


def _width(size: Array, sd: Array, n: Array, conf_level: float, scale: bool) -> float:
    """The expected width of the interval."""
    from scipy import stats

    share = size / size.sum()
    parts = share**2 * sd**2 * (1 / n - 1 / size)
    variance = parts.sum()
    if variance <= 0:
        return 0.0
    df = max(variance**2 / (parts**2 / np.maximum(n - 1, 1)).sum(), 1.0)
    tail = (1 - conf_level) / 2
    width = 2 * stats.t.ppf(1 - tail, df) * np.sqrt(variance)
    if scale:
        return float(width)
    effective = 1 / (share**2 / n * (1 - n / size)).sum()
    return float(min(max(width, 1 - tail ** (1 / effective)), 1.0))


def _table(observed: Observed, labelled: Array, sd: Array, chosen: Array) -> pd.DataFrame:
    strata = observed.strata
    table = pd.DataFrame({"cluster": strata["cluster"]})
    images = observed.images.drop_duplicates("cluster") if "cluster" in observed.images else None
    if images is not None:
        for name in names_in(images):
            table[name] = images.set_index("cluster")[name].reindex(table["cluster"]).to_numpy()
    if strata["wave"].nunique() > 1:
        table["wave"] = strata["wave"]
    drawn = strata["n_h"].to_numpy()
    more = np.minimum(np.maximum(chosen - labelled, 0), strata["N_h"].to_numpy() - drawn)
    return table.assign(
        N_h=strata["N_h"].astype("int64"),
        n_h=drawn.astype("int64"),
        n_labelled=labelled.astype("int64"),
        sd=sd,
        n_next=more.astype("int64"),
    )


def _tell_short(needed: Sequence[dict[str, Any]], width: float) -> None:
    last = [row for row in needed if row["method"] == needed[-1]["method"]]
    short = [row for row in last if row["width_planned"] > width]
    if short:
        warn(
            f"{len(short)} of {plural(len(last), 'group')} cannot have an interval of width "
            f"{width:g}: there are too few images."
        )
