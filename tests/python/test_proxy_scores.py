"""Scores by a machine's judgements of pairs, corrected by those of people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    Embeddings,
    ImagestrataError,
    next_pairs,
    sample_pairs,
    score_clustering,
    tune_clusters,
)
from imagestrata.validation import proxy_scores

#: A clustering of nine images in three clusters.
TINY = pd.DataFrame({"image_id": [*"abcdefghi"], "cluster": np.repeat([1, 2, 3], 3)})
#: Pairs of one cluster, of which a cluster has three, and of two.
WITHIN = [("a", "b"), ("a", "c"), ("b", "c"), ("d", "e"), ("d", "f"), ("e", "f"), ("g", "h"),
          ("g", "i")]  # fmt: skip
BETWEEN = [("a", "d"), ("a", "e"), ("b", "f"), ("c", "g"), ("d", "g"), ("e", "h"), ("f", "i"),
           ("b", "g"), ("c", "h"), ("a", "i")]  # fmt: skip


def rows(images: list[tuple[str, str]], stratum: str, size: int, start: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair_id": [f"p{start + i}" for i in range(len(images))],
            "image_a": [a for a, _ in images],
            "image_b": [b for _, b in images],
            "stratum": stratum,
            "N_h": size,
            "probability": len(images) / size,
        }
    )


def by_hand() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs that a machine judged, and those of people, who judged some."""
    pairs = pd.concat(
        [rows(WITHIN, "within", 20, 0), rows(BETWEEN, "between", 100, 20)], ignore_index=True
    )
    said = [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    machine = pairs.assign(annotator="model:m", judgement=said)
    # Within: 3 of the machine's 6, of which 2 belong together, and both others, which do not.
    # Between: 2 of the machine's 4, of which one does, and 4 others, which do not.
    judged = {0: 1, 1: 1, 2: 0, 6: 0, 7: 0, 8: 1, 9: 0, 12: 0, 13: 0, 14: 0, 15: 0}
    people = pairs.iloc[[*judged]].assign(annotator="anna", judgement=[*judged.values()])
    return machine, people


def table_of(found: pd.DataFrame) -> pd.DataFrame:
    return found.pivot(index="measure", columns="method", values="estimate")


def test_by_hand() -> None:
    machine, people = by_hand()
    found = score_clustering(TINY, people, machine=machine)
    assert found["measure"].unique().tolist() == ["precision", "recall", "f1", "mean_pr"]
    assert found["method"].tolist() == ["machine", "people", "corrected"] * 4
    assert {*found["weighting"]} == {"design"}
    assert (found["n_pairs"] == 11).all() and (found["n_predicted"] == 18).all()
    by = table_of(found)
    # Of 20 pairs within, the machine says yes to 6 of 8, and people to 2 of 3 of those.
    assert by.loc["precision"].to_dict() == pytest.approx(
        {"machine": 6 / 8, "people": 2 / 5, "corrected": 6 / 8 * 2 / 3}
    )
    hits, missed = 20 * 6 / 8 * 2 / 3, 100 * 4 / 10 * 1 / 2
    assert by.loc["recall", "corrected"] == pytest.approx(hits / (hits + missed))
    assert by.loc["recall", "people"] == pytest.approx(8 / (8 + 100 / 6))
    assert by.loc["recall", "machine"] == pytest.approx(15 / (15 + 40))
    assert (found["conf_low"] <= found["estimate"]).all()
    assert (found["estimate"] <= found["conf_high"]).all()


def test_the_estimate_is_the_difference_estimator_with_one_lambda_per_stratum() -> None:
    """Prediction-powered inference with the slope of each stratum as its lambda."""
    world = World(3)
    machine, people = world.judged(0.2, 300)
    by = table_of(score_clustering(world.clustering, people, machine=machine))
    joined = machine.merge(people[["pair_id", "judgement"]], on="pair_id", how="left")
    totals = {"within": 0.0, "between": 0.0}
    for (stratum, size), part in joined.groupby(["stratum", "N_h"]):
        f, y = part["judgement_x"].to_numpy(), part["judgement_y"].to_numpy()
        seen = np.isfinite(y)
        slope = np.polyfit(f[seen], y[seen], 1)[0]
        share = y[seen].mean() + slope * (f.mean() - f[seen].mean())
        totals[stratum.split()[0]] += size * share
    size = joined[joined["stratum"] == "within"]["N_h"].iloc[0]
    assert by.loc["precision", "corrected"] == pytest.approx(totals["within"] / size)
    assert by.loc["recall", "corrected"] == pytest.approx(
        totals["within"] / (totals["within"] + totals["between"])
    )


class World:
    """Images of known classes, a clustering of them, and pairs drawn from it."""

    def __init__(self, seed: int, n: int = 240, n_pairs: int = 1200) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = self.rng.integers(0, 8, n)
        own = np.where(self.rng.random(n) < 0.85, self.truth, self.rng.integers(0, 8, n)) + 1
        ids = [f"i{i:03d}" for i in range(n)]
        self.clustering = pd.DataFrame({"image_id": ids, "cluster": own})
        points = np.eye(8)[self.truth] + self.rng.normal(size=(n, 8)) * 0.3
        self.embeddings = Embeddings.from_arrays(points, ids)
        self.pairs = sample_pairs(
            self.embeddings, n_pairs, clusterings=self.clustering, k=20, seed=seed
        )
        place = {image: i for i, image in enumerate(ids)}
        a, b = (self.truth[self.pairs[x].map(place)] for x in ("image_a", "image_b"))
        self.same = a == b

    def judged(self, error: float, n_people: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The judgements of a machine that errs, and those of people about the first pairs."""
        said = self.same ^ (self.rng.random(len(self.same)) < error)
        machine = self.pairs.assign(annotator="model:m", judgement=said.astype(float))
        people = self.pairs.assign(judgement=self.same.astype(float)).head(n_people)
        return machine, people

    def exact(self) -> dict[str, float]:
        scores = score_clustering(self.clustering["cluster"].to_numpy(), self.truth)
        return scores.set_index("measure")["estimate"].to_dict()


def widths(found: pd.DataFrame) -> pd.DataFrame:
    found = found.assign(width=found["conf_high"] - found["conf_low"])
    return found.pivot(index="measure", columns="method", values="width")


def test_a_machine_that_errs_is_corrected_and_saves_pairs() -> None:
    world = World(0)
    machine, people = world.judged(0.05, 150)
    found = score_clustering(world.clustering, people, machine=machine)
    exact, by, wide = world.exact(), table_of(found), widths(found)
    limits = found[found["method"] == "corrected"].set_index("measure")
    for measure in ("precision", "recall", "f1"):
        assert limits.loc[measure, "conf_low"] <= exact[measure] <= limits.loc[measure, "conf_high"]
    assert abs(by.loc["recall", "machine"] - exact["recall"]) > 0.1
    assert wide.loc["precision", "corrected"] < 0.75 * wide.loc["precision", "people"]


def test_a_machine_that_guesses_does_no_harm() -> None:
    world = World(1)
    machine, people = world.judged(0.5, 150)
    found = score_clustering(world.clustering, people, machine=machine)
    by, wide = table_of(found), widths(found)
    assert by.loc["precision", "corrected"] == pytest.approx(
        by.loc["precision", "people"], abs=0.05
    )
    assert wide.loc["precision", "corrected"] < 1.15 * wide.loc["precision", "people"]


def test_a_machine_that_is_always_right_counts_as_many_pairs() -> None:
    """Its intervals are between those of people's pairs alone and those of as many people's."""
    world = World(2)
    machine, people = world.judged(0.0, 700)
    found = score_clustering(world.clustering, people, machine=machine)
    by, wide = table_of(found), widths(found)
    assert by["corrected"].to_dict() == pytest.approx(by["machine"].to_dict())
    # The machine's own intervals do not count that a part of a finite number of pairs was drawn.
    assert (0.9 * wide["machine"] <= wide["corrected"]).all()
    assert (wide["corrected"] < wide["people"]).all()


def test_pairs_of_another_clustering() -> None:
    """The pairs of a stratum are together or apart; how many are together is known."""
    world = World(4)
    other = world.clustering.assign(cluster=world.truth + 1)
    machine, people = world.judged(0.1, 400)
    found = score_clustering(other, people, machine=machine)
    limits = found[found["method"] == "corrected"].set_index("measure")
    assert limits.loc["precision", "conf_high"] == pytest.approx(1)
    assert limits.loc["recall", "conf_high"] == pytest.approx(1)
    assert limits.loc["precision", "estimate"] > 0.9


def test_missing_answers_of_the_machine_are_a_kind_of_their_own() -> None:
    world = World(5)
    machine, people = world.judged(0.1, 300)
    # It refuses pairs that belong together.
    silent = world.same & (world.rng.random(len(world.same)) < 0.5)
    machine["judgement"] = machine["judgement"].mask(silent)
    found = score_clustering(world.clustering, people, machine=machine)
    limits, exact = found[found["method"] == "corrected"].set_index("measure"), world.exact()
    for measure in ("precision", "recall"):
        assert limits.loc[measure, "conf_low"] <= exact[measure] <= limits.loc[measure, "conf_high"]
    assert (found["n_predicted"] == (~silent).sum()).all()


def test_strata_of_clusters() -> None:
    world = World(6)
    world.pairs = sample_pairs(
        world.embeddings, 1200, clusterings=world.clustering, k=20, within="per_cluster"
    )
    place = world.clustering["image_id"].reset_index().set_index("image_id")["index"]
    a, b = (world.truth[world.pairs[x].map(place)] for x in ("image_a", "image_b"))
    world.same = a == b
    machine, people = world.judged(0.1, 300)
    found = score_clustering(world.clustering, people, machine=machine)
    limits, exact = found[found["method"] == "corrected"].set_index("measure"), world.exact()
    assert limits.loc["precision", "conf_low"] <= exact["precision"]
    assert exact["precision"] <= limits.loc["precision", "conf_high"]


def test_a_kind_that_people_hardly_saw_is_joined_with_the_others_of_its_stratum() -> None:
    machine, people = by_hand()
    # Of the machine's pairs between, people see one: nobody knows how often it is wrong there.
    people = people[people["pair_id"] != "p21"]
    by = table_of(score_clustering(TINY, people, machine=machine))
    hits, missed = 20 * 6 / 8 * 2 / 3, 100 * 1 / 5
    assert by.loc["recall", "corrected"] == pytest.approx(hits / (hits + missed))


def test_several_questions() -> None:
    machine, people = by_hand()
    asked = ("things", "ideas")
    both = [
        pd.concat([pairs.assign(question=name) for name in asked], ignore_index=True)
        for pairs in (machine, people)
    ]
    found = score_clustering(TINY, both[1], machine=both[0])
    plain = score_clustering(TINY, people, machine=machine)
    for name in asked:
        one = found[found["question"] == name].drop(columns="question").reset_index(drop=True)
        pd.testing.assert_frame_equal(one, plain)
    with pytest.raises(ImagestrataError, match="`machine` has judgements of 2 questions"):
        score_clustering(TINY, people, machine=both[0])


def test_graded_judgements_and_errors_of_people() -> None:
    machine, people = by_hand()
    twice = [pairs.assign(judgement=2 * pairs["judgement"]) for pairs in (machine, people)]
    strict = score_clustering(TINY, twice[1], machine=twice[0], same_from=2)
    plain = score_clustering(TINY, people, machine=machine)
    pd.testing.assert_frame_equal(strict, plain)
    e = 0.1
    wrong = table_of(score_clustering(TINY, people, machine=machine, error_rate=e))
    share = (6 / 8 * 2 / 3 - e) / (1 - 2 * e)
    assert wrong.loc["precision", "corrected"] == pytest.approx(share)
    assert wrong.loc["precision", "machine"] == pytest.approx(6 / 8)


@pytest.mark.parametrize("name", ["score", "tune", "next"])
def test_a_machine_alone_is_refused(name: str) -> None:
    world = World(7, n=60, n_pairs=200)
    machine, people = world.judged(0.1, 100)
    mixed = pd.concat([people.assign(annotator="anna"), machine.iloc[100:]])
    calls: dict[str, Any] = {
        "score": lambda pairs: score_clustering(world.clustering, pairs),
        "tune": lambda pairs: tune_clusters(world.embeddings, pairs, progress=False),
        "next": lambda pairs: next_pairs(pairs, world.clustering, world.embeddings, k=20),
    }
    with pytest.raises(ImagestrataError, match=r"All 200 judgements .* 'model:m', a model"):
        calls[name](machine)
    with pytest.raises(ImagestrataError, match=r"100 of 200 judgements .* 'model:m', a model"):
        calls[name](mixed)


def test_a_table_from_a_file_is_refused_as_well(tmp_path: Any) -> None:
    machine, _ = by_hand()
    machine.to_csv(tmp_path / "machine.csv", index=False)
    with pytest.raises(ImagestrataError, match="a model"):
        score_clustering(TINY, pd.read_csv(tmp_path / "machine.csv"))


def test_what_cannot_be_corrected() -> None:
    machine, people = by_hand()

    def refused(match: str, people: Any = people, machine: Any = machine, **options: Any) -> None:
        with pytest.raises(ImagestrataError, match=match):
            score_clustering(TINY, people, machine=machine, **options)

    refused("describes the drawn pairs only", weighted=False)
    refused("cannot be corrected", measures="quality")
    refused("needs all judgements of people", error_rate="estimate")
    refused("begins with 'model:'", machine=machine.assign(annotator="anna"))
    refused("begins with 'model:'", machine=machine.drop(columns="annotator"))
    refused("no column 'probability'", machine=machine.drop(columns="probability"))
    refused("not among those", machine=machine.iloc[2:])
    refused("contains no judgements", people=people.assign(judgement=np.nan))
    refused("People judged no pair of 1 of 2 strata, 'between'", people=people.iloc[:5])
    refused("a model", people=machine)
    with pytest.raises(ImagestrataError, match="machine"):
        score_clustering([1, 1, 2], ["x", "x", "y"], machine=machine)


def test_sizes_are_drawn_around_their_estimates() -> None:
    """Dirichlet, with the finite population: as a multinomial sample without replacement."""
    n, size = 200, 400
    kind = np.repeat([0, 1], [50, 150])
    drawn = proxy_scores.Drawn(
        together=np.ones(n, dtype=bool), machine=kind, people=np.ones(n),
        stratum=np.zeros(n, dtype=int), group=np.zeros(n, dtype=int),
        weight=np.full(n, size / n), n_together=None,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    draws = proxy_scores._draw_sizes(drawn, kind, np.array([True, True]), 20_000, rng)
    assert draws.sum(axis=1) == pytest.approx(np.full(20_000, size))
    assert draws[:, 0].mean() == pytest.approx(100, rel=0.01)
    variance = size**2 * 0.25 * 0.75 / (n + 1) * (1 - n / size)
    assert draws[:, 0].var() == pytest.approx(variance, rel=0.05)
