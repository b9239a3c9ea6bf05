"""Sentences on analyses of posts, for the methods paragraph.

R writes the same sentences without Python: ``R/methods-paragraph.R``. The expected text in
``tests/fixtures/methods-posts.txt`` holds both together.
"""

from __future__ import annotations

import platform
import re
from typing import Any

import pandas as pd

from ..clustering.ledger import RESIDUAL
from ..clustering.linked import is_linked
from ..errors import ImagestrataError, plural
from ..posts.engagement import ShareModel
from ..posts.model import TopicModel
from ..wording import arg, kind_of, verb
from .labelled import describe_labelled
from .rated import describe_rated

_UNITS = {
    "post": "of posts that show it in at least one image",
    "image": "of the images posted that belong to it",
    "author": "of authors who showed it at least once",
}
_TOPICS = ("cluster", "cluster_name", "theme", "theme_name", "contrast")
_LEVELS = {"cluster": "topic", "theme": "theme"}
_ADJUSTED = {
    "holm": "are adjusted by Holm's method",
    "BH": "are adjusted by the method of Benjamini and Hochberg (1995)",
    "none": "are not adjusted",
}
_ERRORS = {
    "CR2": (
        "with the correction CR2 for few and uneven groups and Satterthwaite's degrees of freedom "
        "(Bell and McCaffrey 2002; Pustejovsky and Tipton 2018)"
    ),
    "sandwich": "with G - 1 degrees of freedom for G groups",
}
_DEPENDENT = {
    "author": "posts of the same author",
    "image": "posts with the same image",
    "both": (
        "posts of the same author and of posts with the same image "
        "(Cameron, Gelbach and Miller 2011)"
    ),
    "topic": "images of the same topic",
}


def describe_results(results: Any) -> str:
    """Sentences on each result, in their order, and on the software.

    Parameters
    ----------
    results : result or list of results
        Of :func:`link_posts`, :func:`topic_prevalence`, :func:`topic_gaps`, :func:`topic_odds`,
        :func:`topic_model` or :func:`share_model`; labels, agreement and predictions; or means,
        gaps and models of ratings.
    """
    given = results if isinstance(results, list | tuple) else [results]
    said: list[str] = []
    what = set()
    for one in given:
        if texts := describe_labelled(one):
            kind = "labels"
        elif texts := describe_rated(one):
            kind = "ratings"
        else:
            kind, texts = "posts", [_describe(one)]
        said += texts
        what.add(kind)
    *others, last = [kind for kind in ("posts", "labels", "ratings") if kind in what]
    named = " and ".join([*([", ".join(others)] if others else []), last]).capitalize()
    software = f"were analysed with Python {platform.python_version()}."
    return " ".join([*dict.fromkeys(said), f"{named} {software}"])


def _describe(result: Any) -> str:
    if isinstance(result, TopicModel):
        return _model(result)
    if isinstance(result, ShareModel):
        return _shares(result)
    if isinstance(result, pd.DataFrame):
        if is_linked(result):
            return _linked(result)
        if {"denominator", "n_unknown"} <= {*result.attrs.get("summary", ())}:
            if "compare" in result.attrs["summary"]:
                return _odds(result)
            return _gaps(result) if "contrast" in result else _prevalence(result)
    raise ImagestrataError(
        f"{arg('results')} must be labels or predictions, or results of {verb('label_shares')}, "
        f"{verb('rating_means')}, {verb('rating_gaps')}, {verb('rating_model')}, "
        f"{verb('link_posts')}, {verb('topic_prevalence')}, {verb('topic_gaps')}, "
        f"{verb('topic_odds')}, {verb('topic_model')} or {verb('share_model')}, not "
        f"{kind_of(result)}."
    )


def _linked(linked: pd.DataFrame) -> str:
    shown = linked[linked["image_id"].notna()]
    n_posts, n_shown = linked["post_id"].nunique(), shown["post_id"].nunique()
    clusters = {*shown["cluster"]}
    by = f" by {plural(linked['author'].nunique(), 'author')}" if "author" in linked else ""
    time = linked.get("time", pd.Series(dtype="str")).dropna()
    timed = len(time) > 0 and pd.api.types.is_datetime64_any_dtype(time)
    when = f" ({time.min():%Y-%m-%d} to {time.max():%Y-%m-%d})" if timed else ""
    text = (
        "We linked posts to the clusters of the images that they show, counting a copy as the "
        f"image that was kept. Of {plural(n_posts, 'post')}{by}{when}, {n_shown:,} "
        f"({n_shown / n_posts:.1%}) show {plural(shown['image_id'].nunique(), 'distinct image')} "
        f"of {plural(len(clusters - {RESIDUAL}), 'cluster')}"
        f"{' and the residual' if RESIDUAL in clusters else ''}."
    )
    lost = (
        linked["unmatched"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    )
    if len(lost):
        reasons = "; ".join(f"{reason}: {n:,}" for reason, n in lost.items())
        text += f" Nothing was linked in {plural(int(lost.sum()), 'row')} of posts ({reasons})."
    return text


def _prevalence(table: pd.DataFrame) -> str:
    line = table.attrs["summary"]
    return (
        f"For each {_LEVELS[line['level']]}{_by(table)}, we estimated the share "
        f"{_UNITS[line['unit']]}, from {plural(line['n_posts'], 'post')} by "
        f"{plural(line['n_authors'], 'author')}.{_left_out(line)} Standard errors account for the "
        f"dependence of posts of the same author. The {100 * line['conf_level']:g}% intervals use "
        "the jackknife over authors and the t distribution on the logit scale, limited by exact "
        "binomial intervals for the effective number of authors."
    )


def _gaps(table: pd.DataFrame) -> str:
    line = table.attrs["summary"]
    return (
        f"We compared shares of {line['unit']}s between groups{_contrasts(table)}, with posts "
        "clustered by author. Intervals of differences combine those of the two shares (Zou and "
        f"Donner 2008). The p values of the {plural(int(table['p_value'].count()), 'comparison')} "
        f"{_ADJUSTED[line['adjust']]}."
    )


def _odds(table: pd.DataFrame) -> str:
    line = table.attrs["summary"]
    return (
        f"We compared the odds that {line['unit']}s show each {_LEVELS[line['level']]} between "
        f"groups{_contrasts(table)} by log odds ratios with shrinkage (after Monroe, Colaresi and "
        f"Quinn 2008). Numbers of {line['unit']}s are divided by the design effect of posts of the "
        "same author, and the prior holds one effective post with the topic."
    )


def _contrasts(table: pd.DataFrame) -> str:
    found = [*dict.fromkeys(table["contrast"])]
    return f" ({'; '.join(found) if len(found) <= 3 else f'{len(found)} contrasts'}){_by(table)}"


def _model(model: TopicModel) -> str:
    line = model.summary.iloc[0]
    level, right = _LEVELS[model.level], model.formula.partition("~")[2].strip()
    spline = ", where s() is a natural cubic spline" if re.search(r"\bs\(", right) else ""
    each = "each of " if line["n_topics"] > 1 else ""
    text = (
        f"For {each}{plural(line['n_topics'], level)}, we fitted a logistic regression of whether "
        f"a post shows it on {right}{spline}, to {plural(line['n_posts'], 'post')} by "
        f"{plural(line['n_authors'], 'author')}."
    )
    if n := line["n_left_out"]:
        left = f"{plural(n, 'post')} without a known image or with missing values {_is(n)}"
        text += f" {left} left out."
    text += f" Standard errors are clustered on authors, {_ERRORS[model.variance]}."
    if n := line["n_topics"] - line["n_modelled"]:
        text += (
            f" {plural(n, level)} that too few posts show (or do not show) {_is(n)} not modelled."
        )
    return text


def _shares(model: ShareModel) -> str:
    said = []
    for (_, line), fit in zip(model.summary.iterrows(), model._fits, strict=True):
        family = line["family"].replace("poisson", "Poisson")
        exposure = model._options.exposure
        offset = f" (offset log({exposure}))" if exposure else ""
        text = (
            f"We fitted a {family} model of {line['outcome']} on {fit.side.rhs}{offset} to "
            f"{plural(line['nobs'], line['unit'])}"
        )
        if line["unit"] == "post":
            text += (
                f" by {plural(line['n_authors'], 'author')} with "
                f"{plural(line['n_images'], 'rated image')}"
            )
        if line["weight"] != "none":
            text += f", weighted to represent the {line['weight']}"
        said.append(f"{text}.")
    unit, cluster, variance = model.summary[["unit", "cluster", "variance"]].iloc[0]
    alone = unit == cluster == "image"
    errors = "are robust" if alone else f"account for the dependence of {_DEPENDENT[cluster]}"
    said.append(f"Standard errors {errors}, {_ERRORS[variance]}.")
    if model.corrected is not None:
        said.append(
            "Estimates corrected for the measurement error of ratings come from regression "
            "calibration."
        )
    return " ".join(said)


def _by(table: pd.DataFrame) -> str:
    """The columns of ``by``, which stand between the topics and the estimates."""
    names = [*table.columns[: table.columns.get_loc("estimate")]]
    named = " and ".join(name for name in names if name not in _TOPICS)
    return f" by {named}" if named else ""


def _left_out(line: Any) -> str:
    text, n = "", line["n_unknown"]
    if n and line["denominator"] == "known":
        text = f" {plural(n, 'post')} without a known image {_is(n)} left out."
    elif n:
        kind = "a post" if n == 1 else "posts"
        text = (
            f" This includes {plural(n, 'post')} without a known image, as {kind} without topics."
        )
    if n := line["n_left_out"]:
        text += f" {plural(n, 'post')} with missing values {_is(n)} left out."
    return text


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
