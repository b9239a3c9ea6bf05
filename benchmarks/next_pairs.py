"""How many judged pairs next_pairs() needs, and whether intervals of all rounds hold the truth.

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the
project. The classes of the photographs say which pairs belong together; judges do not
err. Pairs are drawn from the clustering that is scored.

    python benchmarks/next_pairs.py [--sets 200]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from pairs import CLUSTERINGS, SHOWN, exact_values, of_intervals
from quality import load

from imagestrata import cluster_images
from imagestrata.annotation.agreement import percentile_interval
from imagestrata.sampling.pair_strata import Cells, pair_strata
from imagestrata.sampling.pairs import _allocate, cluster_for_pairs
from imagestrata.validation.next_pairs import allocate_next
from imagestrata.validation.pair_scores import Sample, number_together, score_sample

FIRST, NEXT, MOST, WIDTH = 154, 100, 554, 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=sized(3, 200))
    n_sets = parser.parse_args().sets
    with tempfile.TemporaryDirectory() as folder:
        classes, embeddings = load(Path(folder), "efficientnet_lite0")
    images = embeddings.images
    truth = pd.factorize(classes.loc[images["image_id"]])[0]
    fit = cluster_for_pairs(embeddings.matrix, 80, 0)
    rows = []
    for name, given in CLUSTERINGS.items():
        clustering = cluster_images(embeddings, seed=100, progress=False, **given)
        own = clustering.images.set_index("image_id")["cluster"].loc[images["image_id"]].to_numpy()
        strata = pair_strata(own, round(0.3 * FIRST), "per_pair", Cells(fit.labels, fit.centers))
        exact = exact_values(clustering, truth)
        known = number_together(own, len(own) * (len(own) - 1) / 2)
        found = [
            row
            for seed in range(n_sets)
            for row in rounds(strata, truth, known, np.random.default_rng([seed, 3]))
        ]
        rows += list(summary(name, pd.DataFrame(found), exact))
    write_result(
        "next_pairs",
        rows,
        simulations=n_sets,
        title="How many judged pairs do rounds need?",
        notes=[
            f"{n_sets} simulated validations of each clustering of {len(images)} photographs of "
            f"{classes.nunique()} classes; nominal coverage 95%.",
            f"rounds: {FIRST} pairs of sample_pairs(), then {NEXT} of next_pairs() in each round; "
            f"one draw: {MOST} pairs of sample_pairs().",
            f"until: {MOST} pairs, or both intervals at most {WIDTH} wide (at most {MOST} pairs). "
            "pairs: their mean number.",
            "mean: of the estimates; cover: share of the intervals that hold the exact value; "
            "width: their median width.",
        ],
    )


def rounds(
    strata: dict[str, Any], truth: np.ndarray, known: int | None, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Estimates and intervals after all rounds, at the stop, and from one draw."""
    sizes = {name: stratum.size for name, stratum in strata.items()}
    due = {name: stratum.due for name, stratum in strata.items()}

    def judge(pairs: pd.DataFrame) -> np.ndarray:
        return (truth[pairs["a"].to_numpy()] == truth[pairs["b"].to_numpy()]).astype(float)

    def score(drawn: dict[str, pd.DataFrame]) -> dict[str, tuple[float, float, float]]:
        codes = np.repeat(np.arange(len(drawn)), [len(pairs) for pairs in drawn.values()])
        judged = np.concatenate([judge(pairs) for pairs in drawn.values()])
        inside = np.array([name.startswith("within") for name in drawn])[codes]
        each = np.array([sizes[name] / len(pairs) for name, pairs in drawn.items()])
        sample = Sample.of(inside, judged, each[codes], codes, codes, known)
        scored = score_sample(sample, SHOWN, 1, 1000, rng)
        return {m: (e, *percentile_interval(e, draws, 0.95)) for m, (e, draws) in scored.items()}

    def rows(how: str, until: str, drawn: dict[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
        n = sum(map(len, drawn.values()))
        for measure, (estimate, low, high) in score(drawn).items():
            yield {"pairs drawn": how, "until": until, "n": n, "measure": measure,
                   "estimate": estimate, "low": low, "high": high}  # fmt: skip

    wanted = _allocate(sizes, MOST, round(0.3 * MOST), due)
    one = {name: strata[name].draw(number, rng) for name, number in wanted.items()}
    yield from rows("one draw", f"{MOST} pairs", one)
    wanted = _allocate(sizes, FIRST, round(0.3 * FIRST), due)
    drawn = {name: strata[name].draw(number, rng) for name, number in wanted.items()}
    stopped = False
    while True:
        n = sum(map(len, drawn.values()))
        wide = max(high - low for _, low, high in score(drawn).values())
        if not stopped and (wide <= WIDTH or n >= MOST):
            yield from rows("rounds", f"width {WIDTH}", drawn)
            stopped = True
        if n >= MOST:
            break
        counts = {k: np.array([judge(pairs).sum(), len(pairs)]) for k, pairs in drawn.items()}
        left = {name: sizes[name] - len(pairs) for name, pairs in drawn.items()}
        further = allocate_next(counts, sizes, left, due, NEXT)
        for name, number in further.items():
            more = strata[name].draw(number, rng, drawn[name].to_numpy())
            drawn[name] = pd.concat([drawn[name], more], ignore_index=True)
    yield from rows("rounds", f"{MOST} pairs", drawn)


def summary(name: str, found: pd.DataFrame, exact: pd.Series) -> Iterator[dict[str, Any]]:
    for (how, until), rows in found.groupby(["pairs drawn", "until"], sort=False):
        line = {"clustering": name, "pairs drawn": how, "until": until}
        line["pairs"] = f"{rows['n'].mean():.0f}"
        for measure in SHOWN:
            part = rows[rows["measure"] == measure]
            line |= of_intervals(part, measure, exact[measure])
        yield line


if __name__ == "__main__":
    main()
