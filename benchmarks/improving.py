"""How much judged pairs improve clusterings, with and without errors of judges.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in ``../shared/data``,
which are no part of the project. The classes of the photographs say which pairs belong together.

    python benchmarks/improving.py [--seeds 3] [--encoders efficientnet_lite0 mobilenet_v2]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load

from imagestrata import (
    Clustering,
    Embeddings,
    cluster_images,
    improve_clusters,
    propose_pairs,
    sample_pairs,
)
from imagestrata.validation.labels import measure_groups

#: How 300 pairs are drawn: by sample_pairs(), and by propose_pairs() in rounds.
PLANS = {
    "100 sampled, 2 rounds of 100": (100, (100, 100)),
    "300 sampled": (300, ()),
}
PROPOSED, SAMPLED = PLANS
ERRORS = (0.0, 0.05)
CLUSTERINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "kmeans": {"method": "kmeans", "n_clusters": 80},
}
#: Clusterings and plans that are measured for each corpus, and others for the first only.
CASES = (("default", PROPOSED),)
MORE = (("default", SAMPLED), ("kmeans", PROPOSED))


def corpora(encoder: str, folder: Path) -> Iterator[tuple[str, pd.Series, Embeddings]]:
    """Name, classes by image id, and embeddings of each corpus."""
    classes, embeddings = load(folder / encoder, encoder)
    yield encoder, classes, embeddings
    for draw in range(2):
        yield f"{encoder}, half of the classes {draw + 1}", *half(classes, embeddings, draw)


def half(classes: pd.Series, embeddings: Embeddings, draw: int) -> tuple[pd.Series, Embeddings]:
    """The images of half of the classes, and of each a random share between a half and all."""
    rng = np.random.default_rng([draw, 12])
    names = np.sort(classes.unique())
    chosen = rng.choice(names, len(names) // 2, replace=False)
    keep = np.zeros(len(classes), dtype=bool)
    for name in chosen:
        rows = np.flatnonzero(classes.to_numpy() == name)
        n = max(5, round(len(rows) * rng.uniform(0.5, 1)))
        keep[rng.permutation(rows)[:n]] = True
    images = embeddings.images
    mine = images["image_id"].isin(classes.index[keep]).to_numpy()
    ids = images.loc[mine, "image_id"].tolist()
    return classes, Embeddings.from_arrays(np.asarray(embeddings.matrix)[mine], ids)


def judged(pairs: pd.DataFrame, classes: pd.Series, errors: float, seed: int) -> pd.DataFrame:
    """Pairs with the judgements that classes imply; some are wrong."""
    same = classes.loc[pairs["image_a"]].to_numpy() == classes.loc[pairs["image_b"]].to_numpy()
    wrong = np.random.default_rng([seed, 13, len(pairs)]).random(len(pairs)) < errors
    return pairs.assign(judgement=(same ^ wrong).astype(int))


def teaching_pairs(
    plan: tuple[int, tuple[int, ...]],
    clustering: Clustering,
    classes: pd.Series,
    embeddings: Embeddings,
    errors: float,
    seed: int,
) -> pd.DataFrame:
    n_sampled, rounds = plan
    drawn = sample_pairs(embeddings, n_sampled, clusterings=clustering, seed=seed)
    pairs = judged(drawn, classes, errors, seed)
    for place, n in enumerate(rounds, 1):
        drawn = propose_pairs(clustering, pairs, embeddings, n, seed=seed)
        new = judged(drawn, classes, errors, seed * 10 + place)
        pairs = pd.concat([pairs, new], ignore_index=True)
    return pairs


def measures(clustering: Clustering, classes: pd.Series) -> pd.Series:
    found = clustering.images["cluster"].to_numpy().copy()
    alone = found < 0
    found[alone] = found.max() + 1 + np.arange(alone.sum())
    truth = pd.factorize(classes.loc[clustering.images["image_id"]])[0]
    codes = pd.factorize(found)[0]
    return pd.Series(measure_groups(codes, truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=sized(1, 3, 6))
    parser.add_argument(
        "--encoders",
        nargs="+",
        default=["efficientnet_lite0", *sized([], ["mobilenet_v2"], ["mobilenet_v2", "hog"])],
    )
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name, classes, embeddings in chain.from_iterable(
            corpora(encoder, Path(folder)) for encoder in options.encoders
        ):
            for how, plan in CASES + (MORE if name == options.encoders[0] else ()):
                made = [
                    cluster_images(embeddings, seed=seed, progress=False, **CLUSTERINGS[how])
                    for seed in range(options.seeds)
                ]
                for errors in ERRORS:
                    found = [
                        gains(one, classes, embeddings, PLANS[plan], errors, seed)
                        for seed, one in enumerate(made)
                    ]
                    rows.append(
                        {"corpus": name, "clustering": how, "pairs": plan,
                         "errors": f"{errors:.0%}", **summary(pd.DataFrame(found))}
                    )  # fmt: skip
                    print(rows[-1], flush=True)
    write_result(
        "improving",
        rows,
        title="How much do 300 judged pairs improve a clustering?",
        notes=[
            (f"Means over {options.seeds} seeds" if options.seeds > 1 else "One seed")
            + " of the clustering, the pairs and the judges.",
            "before, after: B-cubed F with the classes of all images; each image of the residual "
            "is alone. gain: of the F. worst: smallest gain of a seed.",
            "edits: mean number. f1, estimated: mean difference of weighted pair F1 on held-out "
            "pairs as improve_clusters() reports it; f1, true: of all pairs of images, from edits "
            "by all judged pairs.",
            "Errors: share of wrong judgements.",
        ],
        seeds=options.seeds,
    )


def gains(
    clustering: Clustering,
    classes: pd.Series,
    embeddings: Embeddings,
    plan: tuple[int, tuple[int, ...]],
    errors: float,
    seed: int,
) -> dict[str, float]:
    pairs = teaching_pairs(plan, clustering, classes, embeddings, errors, seed)
    improved = improve_clusters(clustering, pairs, embeddings, seed=seed)
    before, after = measures(clustering, classes), measures(improved.clustering, classes)
    scores = improved.scores.set_index(["clustering", "measure"])["estimate"]
    return {
        "before": before["bcubed_f1"],
        "after": after["bcubed_f1"],
        "gain": after["bcubed_f1"] - before["bcubed_f1"],
        "edits": float(improved.summary[["n_merges", "n_splits"]].sum(axis=1).iloc[0]),
        "estimated": scores["difference", "f1"],
        "true": after["f1"] - before["f1"],
    }


def summary(found: pd.DataFrame) -> dict[str, str]:
    mean = found.mean()
    return {
        "before": f"{mean['before']:.3f}",
        "after": f"{mean['after']:.3f}",
        "gain": f"{mean['gain']:+.3f}",
        "worst": f"{found['gain'].min():+.3f}",
        "edits": f"{mean['edits']:.0f}",
        "f1, estimated": f"{mean['estimated']:+.3f}",
        "f1, true": f"{mean['true']:+.3f}",
    }


if __name__ == "__main__":
    main()
