"""The shares of posts that show each topic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..verbs import public
from .design import Array, design_posts, warn_few
from .shares import limits_of, shares_of


@public
def topic_prevalence(
    linked: pd.DataFrame,
    by: str | Sequence[str] | None = None,
    *,
    unit: str = "post",
    level: str = "cluster",
    denominator: str = "known",
    author: str = "author",
    time: str = "time",
    time_zone: str = "UTC",
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Estimate how often posts show each topic, by groups and over time.

    R's ``topic_prevalence()`` gives the same estimates. Both are tested against the same reference
    tables.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`link_posts`, to which columns may have been added, or a table with the
        same columns: one row per post and image.
    by : str, sequence of str or None
        Columns that define groups; None for all posts together. ``"day"``, ``"week"``,
        ``"month"`` and ``"year"`` are made from the times of posts if ``linked`` has no column of
        that name. They are the first day of the period; weeks begin on Monday.
    unit : {"post", "image", "author"}, default "post"
        "post": the share of posts with the topic in at least one of their images. "image": the
        share of all images posted; an image of a post counts once, and again in every other post.
        "author": the share of the authors in the group who showed the topic at least once.
    level : {"cluster", "theme"}, default "cluster"
        Clusters, or the themes of :func:`group_clusters`.
    denominator : {"known", "all"}, default "known"
        "known": shares among posts that show at least one image of the clustering (or among these
        images, or authors of such posts). "all": also posts without images and with images that
        are not in the clustering, which then show no topic.
    author : str, default "author"
        The column of those who post.
    time : str, default "time"
        The column of times from which periods are made. Times without a zone are local.
    time_zone : str, default "UTC"
        The time zone in which days begin.
    conf_level : float, default 0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per topic and group, those of the residual (-1) last: ``cluster`` and
        ``cluster_name`` (or ``theme`` and ``theme_name``), the columns of ``by``, ``estimate``,
        ``std_error``, ``std_error_adjusted``, ``df``, ``conf_low``, ``conf_high``, ``n_shown``
        (the posts, images or authors that show the topic), ``n_posts``, ``n_images`` and
        ``n_authors`` of the group (those that are counted), ``unit``. ``attrs["summary"]`` has the
        numbers of posts that count and that do not, and the settings.

    Raises
    ------
    ImagestrataError
        If columns are missing, or a post has several authors or groups.

    Warns
    -----
    UserWarning
        If posts show no known image or have missing values, or groups have few authors, with
        numbers.

    Notes
    -----
    Topics that a group did not show have a row with ``estimate`` 0. So do topics of the clustering
    that no post showed when :func:`link_posts` linked them.

    *Time.* From the first to the last period of all posts, every period has a row for every
    combination of the other columns that occurs. A share is 0 if there are posts of which none
    shows the topic. If there are no posts, ``n_posts`` is 0 and the estimate is missing.

    *Missing values.* Posts without an author, a time or a value of ``by`` are left out, with a
    warning that counts them.

    *Standard errors.* Posts of one author are not independent, so authors are the units that were
    drawn. ``std_error`` is that of R's ``svydesign(ids = ~author)`` and ``svyby(..., svymean)``, in
    which authors outside of a group count as zero. If few authors write many of the posts, it is
    too small. ``std_error_adjusted`` is that of the jackknife, which leaves out one author at a
    time, and at least that of independent posts. It makes the intervals. A group of one author has
    no standard error, where survey's is 0.

    *Intervals* are those of the t distribution on the logit scale. ``df`` is the number of authors
    minus one, or 2 m - 1 if that is smaller. Here m is the effective number of authors who show the
    topic (or, if smaller, of those who do not): so many authors with equal numbers of such posts
    would be as uneven. No interval reaches beyond the exact binomial interval for as many posts as
    there are effective authors in the group: it holds even if every author shows either nothing but
    the topic or nothing of it. It is the bound of shares of 0 and 1, and of topics that a single
    author shows. With one author only shares of 0 and 1 have an interval.

    In simulated corpora with 10 to 40 authors of very different activity, who favour few topics
    and post in bursts, intervals held the truth about as often as they claim. Those of rare topics
    hold it more often, since many corpora do not show these topics at all. See ``docs/posts.md``.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import topic_prevalence
    >>> posts = pd.DataFrame({
    ...     "post_id": range(60), "image_id": range(60), "cluster": [1, 1, 2, 1, 2, -1] * 10,
    ...     "author": [name for name in "abcdefghijkl" for _ in range(5)],
    ...     "party": ["A"] * 30 + ["B"] * 30,
    ... })
    >>> shares = topic_prevalence(posts, by="party")
    >>> shares[["cluster", "party", "estimate"]].round(3).values.tolist()[:2]
    [[1, 'A', 0.5], [1, 'B', 0.5]]
    """
    from scipy import stats

    design = design_posts(linked, by, unit, level, denominator, author, time, time_zone, conf_level)
    warn_few(design)
    shares = shares_of(design)
    conf_level = design.summary["conf_level"]
    low, high = limits_of(shares, stats.t.ppf((1 + conf_level) / 2, shares.df), shares.df)
    n_cells, n_topics = len(design.cells), len(design.topics)
    topic, cell = np.repeat(np.arange(n_topics), n_cells), np.tile(np.arange(n_cells), n_topics)

    def column(values: Array) -> Array:
        return values[cell, topic]

    table = pd.concat(
        [
            design.topics.iloc[topic].reset_index(drop=True),
            design.cells.iloc[cell].reset_index(drop=True),
            pd.DataFrame(
                {
                    "estimate": column(shares.estimate),
                    "std_error": column(shares.std_error),
                    "std_error_adjusted": column(shares.std_error_adjusted),
                    "df": column(shares.df),
                    "conf_low": column(low),
                    "conf_high": column(high),
                    "n_shown": column(shares.n_shown).astype("int64"),
                }
            ),
            design.counts.iloc[cell].reset_index(drop=True),
        ],
        axis=1,
    ).assign(unit=design.summary["unit"])
    table.attrs = {"summary": design.summary}
    return table
