"""How often the intervals of topic_odds() cover the truth, with few, uneven and bursty authors.

Corpora are simulated: two parties, each of whose authors posts a number of times from a lognormal
distribution and has a taste of its own for each topic. Three topics in ten are partisan. The
estimates are compared with those of independent posts (as in "Fightin' Words" with a prior of 1,000
posts) and with normal empirical-Bayes shrinkage of the same estimates towards 0.

    python benchmarks/topic_odds.py [--corpora 300]
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import topic_odds

N_TOPICS = 60
#: Authors a party, posts an author, spread of tastes, spread of activity, spread of partisanship.
SETTINGS = [
    (8, 40, 0.8, 1.0, 1.2),
    (15, 40, 0.8, 1.0, 1.2),
    (40, 60, 0.8, 1.0, 1.2),
    (40, 60, 1.5, 1.2, 1.2),
    (100, 100, 1.0, 1.0, 1.2),
    (40, 60, 0.8, 1.0, 0.0),
]


def corpus(rng, n_authors, n_posts, taste, activity, partisan):
    """Linked posts, and the true log odds ratio of each topic."""
    base = rng.uniform(np.log(0.002), np.log(0.15), N_TOPICS)
    effect = rng.normal(0, np.where(rng.random(N_TOPICS) < 0.3, partisan, 0.1))
    rate = n_posts * rng.lognormal(-(activity**2) / 2, activity, 2 * n_authors)
    posts = np.maximum(1, rng.poisson(rate))
    party = np.repeat([0.5, -0.5], n_authors)
    odds = base + np.outer(party, effect) + rng.normal(0, taste, (2 * n_authors, N_TOPICS))
    author = np.repeat(np.arange(2 * n_authors), posts)
    shows = rng.random((len(author), N_TOPICS)) < (1 / (1 + np.exp(-odds)))[author]
    row, topic = np.nonzero(shows)
    none = np.flatnonzero(~shows.any(axis=1))  # posts with an image of the residual
    row, topic = np.concatenate([row, none]), np.concatenate([topic + 1, np.full(len(none), -1)])
    linked = pd.DataFrame({"post_id": row, "image_id": np.arange(len(row)), "cluster": topic})
    linked["author"] = author[row]
    linked["party"] = np.where(party[linked["author"]] > 0, "A", "B")
    tastes = rng.normal(0, taste, 20_000)[:, None]
    p, q = (
        (1 / (1 + np.exp(-(base + side * effect + tastes)))).mean(axis=0) for side in (0.5, -0.5)
    )
    return linked, np.log(p / (1 - p)) - np.log(q / (1 - q))


def independent(y, n):
    """Estimates and limits as if all posts were independent, with a prior of 1,000 posts."""
    common = y.sum(axis=1, keepdims=True) / n.sum()
    shown, other = y + 1000 * common, n - y + 1000 * (1 - common)
    log_odds = np.log(shown / other)
    error = np.sqrt((1 / shown + 1 / other).sum(axis=1))
    estimate = log_odds[:, 0] - log_odds[:, 1]
    return estimate, estimate - 1.96 * error, estimate + 1.96 * error


def shrunk(estimate, error):
    """Normal empirical Bayes: the variance of the prior solves the equation of its moments."""
    low, high = 0.0, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        more = (estimate**2 / (error**2 + middle)).sum() > len(estimate)
        low, high = (middle, high) if more else (low, middle)
    weight = low / (low + error**2)
    return weight * estimate, *(
        weight * estimate + z * np.sqrt(weight) * error for z in (-1.96, 1.96)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=sized(2, 100, 300))
    n_corpora = parser.parse_args().corpora
    rng = np.random.default_rng(4)
    names = ["all", "rare", "common", "partisan topics", "top 8", "error", "half width"]
    table_rows = []
    for setting in SETTINGS:
        rows: dict[str, list[list[float]]] = {}
        for _ in range(n_corpora):
            linked, truth = corpus(rng, *setting)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = topic_odds(linked, "party")
            table = table[table["estimate"].notna() & (table["cluster"] > 0)]
            true = truth[table["cluster"] - 1]
            n = linked.groupby("party")["post_id"].nunique().to_numpy()
            y = table[["share", "share_other"]].to_numpy() * n
            rare = y.sum(axis=1) / n.sum() < 0.01
            estimates = {
                "topic_odds()": [table[name].to_numpy() for name in
                                 ("estimate", "conf_low", "conf_high")],
                "independent posts": independent(y, n),
                "normal shrinkage": shrunk(*(
                    table[name].to_numpy() for name in ("estimate", "std_error")
                )),
            }  # fmt: skip
            for name, (estimate, low, high) in estimates.items():
                covers = (low <= true) & (true <= high)
                top = np.argsort(-np.abs(estimate))[:8]
                big = np.abs(true) > 1
                rows.setdefault(name, []).append([
                    covers.mean(), covers[rare].mean(), covers[~rare].mean(),
                    covers[big].mean() if big.any() else np.nan, covers[top].mean(),
                    np.sqrt(np.mean((estimate - true) ** 2)), np.median(high - low) / 2,
                ])  # fmt: skip
        for name, found in rows.items():
            means = [None if np.isnan(one) else round(one, 3) for one in np.nanmean(found, axis=0)]
            key = {"authors a party": setting[0], "tastes": setting[2], "partisan": setting[4]}
            table_rows.append(key | {"method": name} | dict(zip(names, means, strict=True)))
    write_result(
        "topic_odds",
        table_rows,
        title="How often the intervals of topic_odds() cover the truth",
        simulations=n_corpora,
        notes=[
            f"{n_corpora} simulated corpora a setting, of {N_TOPICS} topics each, from 0.2% to 15% "
            "of posts: two parties, whose authors differ in activity (lognormal) and in their "
            'taste for each topic (standard deviation on the logit scale, "tastes"). Three topics '
            "in ten are partisan, with log odds ratios of the standard deviation "
            '"partisan".',
            "Share of 95% intervals that cover the true log odds ratio of all topics, of topics in "
            "less than 1% of posts, of the others, of topics with a true log odds ratio beyond 1, "
            "and of the eight topics with the largest estimates; root mean squared error; median "
            "half width of intervals. Topics of a corpus are not independent simulations.",
        ],
    )


if __name__ == "__main__":
    main()
