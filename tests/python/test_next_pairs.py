"""next_pairs: rounds of judged pairs, which are one stratified sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    Embeddings,
    ImagestrataError,
    cluster_images,
    export_pairs,
    next_pairs,
    sample_pairs,
    score_clustering,
)
from imagestrata.validation.next_pairs import allocate_next

N_IMAGES = 150


@pytest.fixture(scope="module")
def corpus():
    """Vectors of three unequal classes, a clustering that cuts the largest in two, the classes."""
    rng = np.random.default_rng(3)
    classes = np.repeat([0, 1, 2], [80, 45, 25])
    matrix = rng.normal(size=(N_IMAGES, 5)) + 2.2 * np.eye(3, 5)[classes]
    images = pd.DataFrame(
        {
            "image_id": [f"i{i}" for i in range(N_IMAGES)],
            "path": [f"/p/{i}.jpg" for i in range(N_IMAGES)],
            "n_copies": 1,
        }
    )
    embeddings = Embeddings(images, matrix.astype(np.float32), {"name": "hog"})
    clustering = cluster_images(embeddings, "kmeans", n_clusters=6, progress=False)
    return embeddings, clustering, dict(zip(images["image_id"], classes.tolist(), strict=True))


def judge(pairs, classes):
    same = pairs["image_a"].map(classes) == pairs["image_b"].map(classes)
    return pairs.assign(judgement=same.astype(int))


def exact(clustering, classes):
    truth = clustering.images["image_id"].map(classes)
    scores = score_clustering(clustering.images["cluster"], truth.to_numpy())
    return scores.set_index("measure")["estimate"]


@pytest.mark.parametrize("within", ["per_pair", "per_cluster"])
@pytest.mark.parametrize("between", ["near", "random"])
def test_rounds_add_up_to_one_sample(corpus, within, between):
    embeddings, clustering, classes = corpus
    given = {"clusterings": clustering, "within": within, "between": between, "k": 12}
    judged = judge(sample_pairs(embeddings, 60, seed=4, **given), classes)
    for number in (2, 3):
        further = next_pairs(judged, clustering, embeddings, 30, width=0, k=12, seed=4)
        assert len(further) == 30
        assert (further["round"] == number).all()
        assert not further["pair_id"].isin(judged["pair_id"]).any()
        assert set(further) == {*judged} - {"judgement"} | {"round"}
        sizes = judged.groupby("stratum")["N_h"].first()
        assert (further["N_h"] == further["stratum"].map(sizes)).all()
        judged = pd.concat([judged, judge(further, classes)], ignore_index=True)
        drawn = judged["stratum"].value_counts()
        assert (further["probability"] == further["stratum"].map(drawn) / further["N_h"]).all()
    same_again = next_pairs(judged, clustering, embeddings, 30, width=0, k=12, seed=4)
    again = next_pairs(judged, clustering, embeddings, 30, width=0, k=12, seed=4)
    pd.testing.assert_frame_equal(again, same_again)
    # Every pair stands for as many as the pairs of its stratum, of whichever round.
    scores = score_clustering(clustering, judged, weighted=True).set_index("measure")
    assert (scores["n_pairs"] == 120).all()
    numbers = judged.groupby("stratum").agg(N=("N_h", "first"), p=("judgement", "mean"))
    inside = numbers[numbers.index.str.startswith("within")]
    right = (inside["N"] * inside["p"]).sum()
    assert scores.loc["precision", "estimate"] == pytest.approx(right / inside["N"].sum())
    missed = (numbers["N"] * numbers["p"]).sum() - right
    assert scores.loc["recall", "estimate"] == pytest.approx(right / (right + missed))


def test_nothing_is_drawn_once_the_intervals_are_narrow(corpus):
    embeddings, clustering, classes = corpus
    pairs = sample_pairs(embeddings, 400, clusterings=clustering)
    judged = judge(pairs, classes)
    assert len(next_pairs(judged, clustering, embeddings, width=0.01)) == 100
    none = next_pairs(judged, clustering, embeddings, width=0.5)
    assert len(none) == 0
    assert set(none) == {*pairs, "round"}


def test_pairs_are_shown_and_read_by_round(corpus, tmp_path):
    embeddings, clustering, classes = corpus
    first = judge(sample_pairs(embeddings, 60, clusterings=clustering), classes)
    further = next_pairs(first, clustering, embeddings, 20, width=0)
    file = export_pairs(further, tmp_path / "second.csv", to="csv", progress=False)
    assert len(pd.read_csv(file)) == 20
    assert "round" in pd.read_csv(tmp_path / "second-key.csv")


def test_estimates_of_all_rounds_are_consistent(corpus):
    """With more rounds, estimates come nearer to the exact values, and are right on average."""
    embeddings, clustering, classes = corpus
    truth = exact(clustering, classes)
    errors = {60: [], 300: []}
    for seed in range(40):
        pairs = sample_pairs(embeddings, 60, clusterings=clustering, between="random", seed=seed)
        judged = judge(pairs, classes)
        while True:
            if len(judged) in errors:
                found = score_clustering(clustering, judged, weighted=True, n_boot=10)
                found = found.set_index("measure")["estimate"]
                errors[len(judged)].append(found[["precision", "recall"]] - truth)
            if len(judged) == 300:
                break
            further = next_pairs(judged, clustering, n=60, width=0, seed=seed)
            judged = pd.concat([judged, judge(further, classes)], ignore_index=True)
    few, many = (pd.DataFrame(one)[["precision", "recall"]] for one in errors.values())
    assert (many.mean().abs() < 4 * many.std() / 40**0.5).all()
    assert (many.std() < few.std()).all()


def test_numbers_of_pairs_by_hand():
    counts = {
        "within": np.array([40, 50]),
        "between 1": np.array([10, 20]),
        "between 2": np.array([0, 20]),
    }
    sizes = {"within": 1000, "between 1": 2000, "between 2": 20_000}
    left = {name: size - 50 for name, size in sizes.items()}
    due = dict.fromkeys(sizes, 1.0)
    found = allocate_next(counts, sizes, left, due, 1000)
    share = np.array([40.5 / 51, 10.5 / 21, 0.5 / 21])
    size = np.array([1000.0, 2000, 20_000])
    belong = size @ share
    recall = size[0] * share[0] / belong
    cost = [(1 - recall) ** 2 / belong**2 + 1e-6, recall**2 / belong**2, recall**2 / belong**2]
    tells = size * np.sqrt(cost * share * (1 - share))
    # The tenth for all strata, and then all rounds in proportion to what a stratum tells.
    wanted = tells / tells.sum() * 1090
    assert list(found.values()) == pytest.approx(wanted - [50, 20, 20], abs=2)
    assert sum(found.values()) == 1000
    # Strata that are used up leave their pairs to others.
    few = allocate_next(counts, sizes, left | {"between 2": 7}, due, 1000)
    assert few["between 2"] == 7
    assert sum(few.values()) == 1000
    # Every kind of stratum receives some of the pairs that all share.
    sure = {name: np.array([count[1], count[1]]) for name, count in counts.items()}
    assert min(allocate_next(sure, sizes, left, due, 200).values()) > 0


def test_what_does_not_fit_is_refused(corpus):
    embeddings, clustering, classes = corpus
    pairs = sample_pairs(embeddings, 60, clusterings=clustering)
    judged = judge(pairs, classes)
    with pytest.raises(ImagestrataError, match="nearness, for which vectors are needed"):
        next_pairs(judged, clustering)
    other = cluster_images(embeddings, "kmeans", n_clusters=3, progress=False)
    with pytest.raises(ImagestrataError, match="not drawn from this clustering: their stratum"):
        next_pairs(judged, other, embeddings)
    with pytest.raises(ImagestrataError, match="not drawn from this clustering"):
        next_pairs(judged, clustering, embeddings, k=5)
    with pytest.raises(ImagestrataError, match="has no column 'N_h'"):
        next_pairs(judged.drop(columns="N_h"), clustering, embeddings)
    with pytest.raises(ImagestrataError, match="20,000 pairs were asked for, but only 11,115"):
        next_pairs(judged, clustering, embeddings, 20_000, width=0)
    part = judged[judged["stratum"] != "within"]
    with pytest.raises(ImagestrataError, match="not drawn from this clustering"):
        next_pairs(part.assign(stratum="within 2"), clustering, embeddings)
    fewer = Embeddings(embeddings.images.iloc[:100], embeddings.matrix[:100], {"name": "hog"})
    with pytest.raises(ImagestrataError, match="has 150 images, and the vectors are of 100"):
        next_pairs(judged, clustering, fewer)
