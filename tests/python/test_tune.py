"""tune_clusters: a choice worked by hand, shared work, folds, resuming, bad input."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from pandas.testing import assert_frame_equal
from sklearn.datasets import make_blobs
from typer.testing import CliRunner

from clusterings import notes_of
from imagestrata import (
    Embeddings,
    ImagestrataError,
    Tuning,
    best_clustering,
    cluster_images,
    draw_demo_corpus,
    embed_images,
    plot_tuning,
    reduce_embeddings,
    sample_pairs,
    score_clustering,
    tune_clusters,
)
from imagestrata.cli import app
from imagestrata.clustering import grid as grid_module
from imagestrata.clustering.grid import _thinned
from imagestrata.clustering.iterative import IterativeKMeans
from imagestrata.validation.folds import JudgedPairs, choose_on_folds, deal_folds

SCORING = {"folds": 5, "seed": 0, "weighted": False, "same_from": 1, "residual": "alone"}
GRID = {"step_size": [3, 5], "similarity_threshold": [0.0, 0.2, 0.4, 0.6]}


@pytest.fixture(scope="module")
def corpus():
    """Vectors of six groups, good ones and bad ones, and pairs judged by group."""
    X, truth = make_blobs([90, 60, 50, 40, 30, 30], 8, center_box=(-6, 6), random_state=2)
    ids = [f"image {i:03d}" for i in range(len(X))]
    noise = np.random.default_rng(0).normal(size=X.shape)
    good = Embeddings.from_arrays(X, ids)
    bad = Embeddings.from_arrays(noise + 0.2 * X, ids)
    return good, bad, judged(ids, truth, 300)


def judged(ids, truth, n, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(len(ids), size=(2, 4 * n))
    keep = a != b
    a, b = a[keep][:n], b[keep][:n]
    return pd.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(n)],
            "image_a": np.array(ids)[a],
            "image_b": np.array(ids)[b],
            "stratum": (stratum := np.where(rng.random(n) < 0.5, "within", "between")),
            "probability": np.where(stratum == "within", 0.05, 0.01),
            "judgement": (truth[a] == truth[b]).astype(int),
        }
    )


@pytest.fixture(scope="module")
def tuned(corpus):
    good, bad, pairs = corpus
    return tune_clusters({"good": good, "bad": bad}, pairs, GRID, progress=False)


def measure(table, candidate, name):
    row = table[(table["candidate"] == candidate) & (table["measure"] == name)]
    return row["estimate"].item()


def scored(pairs, labels, first=None):
    """The estimates of all pairs, or of the first few."""
    together, counts = pairs.sides(np.asarray(labels))
    counts = counts & (np.arange(len(counts)) < (first or len(counts)))
    return {name: estimate for name, (estimate, _) in pairs.score(together, counts).items()}


def test_scores_by_hand():
    pairs = JudgedPairs(
        a=np.array([0, 0, 2, 4, 4]),
        b=np.array([1, 2, 3, 5, 0]),
        judgement=np.array([1.0, 0, 0, 1, 1]),
        weight=np.array([1.0, 1, 3, 1, 1]),
        stratum=np.array([0, 0, 1, 0, 0]),
        group=np.array([0, 0, 1, 0, 0]),
        fold=np.zeros(5, dtype=int),
    )
    # Together: pair 0 (rightly) and pair 2 (wrongly, weight 3); images 4 and 5 are residual.
    labels = np.array([0, 0, 1, 1, -1, -1])
    expected = {"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7, "mean_pr": 7 / 24}
    assert scored(pairs, labels) == pytest.approx(expected)
    # Of the first two pairs alone, all is right.
    assert scored(pairs, labels, first=2)["f1"] == 1
    # Without the pairs of the residual, recall is full.
    assert scored(replace(pairs, drop_residual=True), labels)["recall"] == 1
    # Nothing together: no precision, and nothing recalled.
    nothing = scored(pairs, np.arange(6))
    assert np.isnan(nothing.pop("precision"))
    assert nothing == {"recall": 0, "f1": 0, "mean_pr": 0}


def test_graded_scores_by_hand():
    pairs = JudgedPairs(
        a=np.array([0, 0, 2, 4, 4]),
        b=np.array([1, 2, 3, 0, 1]),
        judgement=np.array([2.0, 1, 1, 2, 0]),
        weight=np.ones(5),
        stratum=np.zeros(5, dtype=int),
        group=np.zeros(5, dtype=int),
        fold=np.zeros(5, dtype=int),
        drop_residual=True,
        graded=True,
    )
    labels = np.array([0, 0, 1, 1, -1])
    assert scored(pairs, labels)["precision"] == 1
    assert scored(replace(pairs, same_from=2), labels)["precision"] == 0.5
    # Judged 2 and 1 together, 1 apart; not 50 on each side.
    assert np.isnan(scored(pairs, labels)["quality"])
    many = {
        name: np.repeat(getattr(pairs, name), 50)
        for name in ("a", "b", "judgement", "weight", "stratum", "group", "fold")
    }
    assert scored(replace(pairs, **many), labels)["quality"] == 1.5 - 1
    assert np.isnan(scored(replace(pairs, **many), np.zeros(5, dtype=int))["quality"])


def test_the_table_is_tidy(tuned):
    results = tuned.results
    own = results[~results["baseline"]]
    assert len(own) == 2 * 8 * 4
    assert list(results) == [
        *("candidate", "same_as", "encoder", "method", "baseline", "step_size"),
        *("similarity_threshold", "n_clusters", "share_residual", "measure", "weighting"),
        *("estimate", "std_error", "conf_low", "conf_high", "n_pairs"),
        *("may_be_best", "settings"),
    ]
    assert not results.duplicated(["candidate", "measure"]).any()
    assert own["candidate"].max() == 16
    assert own.groupby("encoder")["candidate"].nunique().to_dict() == {"good": 8, "bad": 8}
    assert set(results["weighting"]) == {"design"}
    assert set(results["n_pairs"]) == {300}
    f1 = own[own["measure"] == "f1"].set_index("candidate")
    assert f1["estimate"].idxmax() in f1.index[f1["encoder"] == "good"]
    assert set(tuned.selection["candidate"]) <= set(f1.index[f1["encoder"] == "good"])
    assert len(tuned.selection) == 5


def test_what_is_saved_comes_back(tuned, tmp_path):
    tuned.save(tmp_path / "a" / "new folder")
    back = Tuning.load(tmp_path / "a" / "new folder")
    pd.testing.assert_frame_equal(back.results, tuned.results)
    assert back.settings == tuned.settings


@pytest.mark.parametrize("weighted", [None, True, False])
@pytest.mark.parametrize("residual", ["alone", "drop"])
def test_estimates_and_intervals_are_those_of_score_clustering(corpus, weighted, residual):
    good, _, pairs = corpus
    pairs = pairs.assign(judgement=pairs["judgement"].where(pairs.index % 7 > 0))
    grid = {"k": [3, 8], "similarity_threshold": [0.4], "release_share": [1]}
    given = {"weighted": weighted, "residual": residual, "baselines": False, "progress": False}
    results = tune_clusters(good, pairs, grid, **given).results
    for k in (3, 8):
        found = cluster_images(good, k=k, similarity_threshold=0.4, release_share=1, progress=False)
        theirs = score_clustering(
            found, pairs, weighted=weighted is not False, residual=residual, n_boot=4000
        )
        ours = results[results["k"] == k].reset_index(drop=True)
        assert ours["estimate"].tolist() == pytest.approx(theirs["estimate"].tolist())
        assert (ours["weighting"] == theirs["weighting"]).all()
        assert (ours["n_pairs"] == theirs["n_pairs"]).all()
        for end in ("conf_low", "conf_high"):
            np.testing.assert_allclose(ours[end], theirs[end], atol=0.03)
        # The standard error is that of the same posterior.
        width = theirs["conf_high"] - theirs["conf_low"]
        np.testing.assert_allclose(ours["std_error"], width / 3.92, atol=0.02)


def test_what_the_choice_holds_is_scored_on_all_held_out_pairs(corpus):
    good, _, pairs = corpus
    dealt = JudgedPairs.of(pairs, good.images, **SCORING)
    rng = np.random.default_rng(3)
    found = [rng.integers(0, k, len(good.images)) for k in (2, 3, 4)]
    selection, heldout = choose_on_folds(found, [0, 1, 2], dealt, "f1", 0)
    # By hand: of every pair, what the clustering chosen without it says.
    chosen = selection.set_index("fold")["candidate"].loc[dealt.fold + 1].to_numpy() - 1
    labels = np.stack(found)
    together = labels[chosen, dealt.a] == labels[chosen, dealt.b]
    same = dealt.judgement == 1
    precision, recall = same[together].mean(), together[same].mean()
    f1 = heldout.set_index("measure").loc["f1"]
    assert f1["estimate"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert f1["conf_low"] < f1["estimate"] < f1["conf_high"]


def nested_groups():
    """Sixty narrow groups in twelve wide ones: only images of a narrow one belong together."""
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(12, 10)) * 40
    narrow = wide[np.arange(60) % 12] + rng.normal(size=(60, 10)) * 2.5
    truth = np.repeat(np.arange(60), 12)
    X = narrow[truth] + rng.normal(size=(len(truth), 10))
    return Embeddings.from_arrays(X, [f"i{i}" for i in range(len(truth))]), truth


def judge(pairs, truth):
    a, b = (pairs[name].str[1:].astype(int) for name in ("image_a", "image_b"))
    return pairs.assign(judgement=(truth[a] == truth[b]).astype(int))


COARSE_OR_FINE = {"method": ["kmeans"], "n_clusters": [12, 100]}


def test_drawn_pairs_reverse_the_ranking_and_weights_put_it_right():
    """Without weights, twelve clusters beat a hundred in every draw, although they are worse."""
    embeddings, truth = nested_groups()
    exact = {}
    for k in (12, 100):
        found = cluster_images(embeddings, "kmeans", n_clusters=k, progress=False)
        exact[k] = score_clustering(found.images["cluster"], truth).set_index("measure")["estimate"]
    assert exact[12]["f1"] < 0.4 < 0.8 < exact[100]["f1"]
    wins = {"unweighted": 0, "weighted": 0, "from the candidates": 0}
    for seed in range(6):
        pairs = judge(sample_pairs(embeddings, k=80, between="random", seed=seed), truth)
        better = judge(
            sample_pairs(
                embeddings, grid=COARSE_OR_FINE, between="random", seed=seed, progress=False
            ),
            truth,
        )
        for how, given, weighted in (
            ("unweighted", pairs, False),
            ("weighted", pairs, None),
            ("from the candidates", better, None),
        ):
            tuned = tune_clusters(
                embeddings,
                given,
                COARSE_OR_FINE,
                weighted=weighted,
                baselines=False,
                progress=False,
            )
            wins[how] += tuned.summary["n_clusters"].item() == 12
    assert wins == {"unweighted": 6, "weighted": 0, "from the candidates": 0}


def test_without_probabilities_it_says_what_is_estimated(corpus):
    good, _, pairs = corpus
    plain = pairs.drop(columns="probability")
    with pytest.warns(UserWarning, match="the estimates describe the drawn pairs, not all pairs"):
        tuned = tune_clusters(good, plain, {"k": [4]}, progress=False)
    assert set(tuned.results["weighting"]) == {"none"}
    assert "300 pairs, unweighted" in repr(tuned)
    with pytest.raises(ImagestrataError, match="no column 'probability'"):
        tune_clusters(good, plain, {"k": [4]}, weighted=True, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tune_clusters(good, plain, {"k": [4]}, weighted=False, progress=False)


def test_the_papers_grid_varies(corpus):
    bad, pairs = corpus[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = tune_clusters(bad, pairs, baselines=False, progress=False)
    one = tuned.results[tuned.results["measure"] == "f1"]
    assert len(one) == 12
    assert set(one["preset"]) == {"paper"}
    for _, of_step in one.groupby("step_size"):
        assert of_step["same_as"].nunique() > 3
    assert tuned.summary["n_different"].item() == one["same_as"].nunique()


def test_points_of_the_grid_with_the_same_clusters_are_told(corpus):
    good, _, pairs = corpus
    grid = {"step_size": [3, 5], "similarity_threshold": [0.0, 0.01, 0.02]}
    with pytest.warns(UserWarning, match="No value of `similarity_threshold` makes a diff") as told:
        tuned = tune_clusters(good, pairs, grid, baselines=False, progress=False)
    assert "The 6 points of the grid give only 2 different clusterings" in str(told[0].message)
    one = tuned.results[tuned.results["measure"] == "f1"]
    assert one["same_as"].tolist() == [1, 1, 1, 4, 4, 4]
    assert one["estimate"].nunique() == 2
    assert tuned.summary["n_different"].item() == 2


def test_images_that_an_encoder_lacks(corpus):
    good, bad, pairs = corpus
    fewer = Embeddings.from_arrays(bad.matrix[9:], bad.images["image_id"].tolist()[9:])
    encoders = {"good": good, "fewer": fewer}
    lacking = pairs[["image_a", "image_b"]].isin([f"image {i:03d}" for i in range(9)]).any(axis=1)
    given = {"grid": {"k": [4]}, "baselines": False, "progress": False}
    with pytest.raises(
        ImagestrataError, match=r"'good' has 300, 'fewer' 291(.|\n)*missing=\"drop\""
    ):
        tune_clusters(encoders, pairs, **given)
    with pytest.raises(ImagestrataError, match="judged pairs have an image without a vector"):
        tune_clusters(fewer, pairs, **given)
    tuned = tune_clusters(encoders, pairs, missing="drop", **given)
    assert tuned.summary[["n_pairs", "n_missing"]].iloc[0].tolist() == [
        300 - lacking.sum(),
        lacking.sum(),
    ]
    # Each is fitted to all images of its encoder, and scored on the same pairs.
    found = cluster_images(good, k=4, progress=False)
    images = found.images[found.images["image_id"].isin(fewer.images["image_id"])]
    theirs = score_clustering(images, pairs, missing="drop", weighted=True)
    ours = tuned.results[tuned.results["encoder"] == "good"]
    assert ours["estimate"].tolist() == pytest.approx(theirs["estimate"].tolist())
    assert (theirs["n_missing"] == lacking.sum()).all()
    best = best_clustering(tuned, encoders, progress=False)
    assert len(best.images) in (300, 291)


def test_baselines_match_the_numbers_of_clusters(tuned):
    rows = tuned.results[tuned.results["measure"] == "f1"]
    for encoder in ("good", "bad"):
        of_one = rows[rows["encoder"] == encoder]
        single = of_one.loc[of_one["method"] == "kmeans", "n_clusters"].to_numpy()
        for number in of_one.loc[of_one["method"] == "iterative", "n_clusters"]:
            assert number < 2 or ((single <= number) & (number <= 1.1 * single)).sum() == 1
    assert rows["baseline"].equals(rows["method"] == "kmeans")
    assert _thinned({100, 1, 20, 22, 21, 110, 111}) == [20, 100, 111]


def test_shared_fits_change_nothing_and_save_work(corpus, tuned, monkeypatch):
    good, _, pairs = corpus
    fits = []
    plain = IterativeKMeans._fit_remaining
    monkeypatch.setattr(
        IterativeKMeans,
        "_fit_remaining",
        lambda self, *given: fits.append(given) or plain(self, *given),
    )
    tune_clusters(good, pairs, GRID, baselines=False, progress=False)
    shared, fits[:] = len(fits), []
    for row in tuned.results.query("encoder == 'good' and measure == 'f1' and not baseline").iloc:
        alone = cluster_images(good, **json.loads(row["settings"]), progress=False)
        assert len(alone.clusters) == row["n_clusters"]
        f1 = score_clustering(alone, pairs, measures="f1", weighted=True)["estimate"].item()
        assert f1 == pytest.approx(row["estimate"])
    assert shared < 0.7 * len(fits)


def test_folds_hold_their_share_of_everything(corpus):
    pairs = corpus[2]
    fold = deal_folds(pairs, 5, 1, 0)
    for column in ("stratum", "judgement"):
        counts = pd.crosstab(fold, pairs[column])
        assert (counts.max() - counts.min() <= 2).all()
    assert (np.bincount(fold) == 60).all()
    assert (deal_folds(pairs, 5, 1, 0) == fold).all()
    assert (deal_folds(pairs, 5, 1, 1) != fold).any()


def test_the_best_is_fitted_again(corpus, tuned):
    good, bad, _ = corpus
    rows = tuned.results[(tuned.results["measure"] == "f1") & ~tuned.results["baseline"]]
    best = rows.loc[rows["estimate"].idxmax()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = best_clustering(tuned, {"good": good, "bad": bad}, progress=False)
        simple = best_clustering(
            tuned, {"good": good, "bad": bad}, one_standard_error=True, progress=False
        )
    assert len(found.clusters) == best["n_clusters"]
    assert found.settings["step_size"] == best["step_size"]
    table = tuned.differences[tuned.differences["measure"] == "f1"]
    errors = {row.same_as: 0.0 for row in rows.itertuples() if row.same_as == best["same_as"]}
    for row in table.itertuples():
        if best["same_as"] in (row.candidate_a, row.candidate_b):
            errors[row.candidate_a + row.candidate_b - best["same_as"]] = row.std_error
    near = rows[best["estimate"] - rows["estimate"] <= rows["same_as"].map(errors)]
    assert len(simple.clusters) == near["n_clusters"].min()


def test_few_pairs_and_better_baselines_warn(corpus):
    good, bad, pairs = corpus
    few = tune_clusters(good, pairs.head(60), {"k": [3]}, progress=False)
    with pytest.warns(UserWarning, match="Only 60 pairs decide"):
        best_clustering(few, good, progress=False)
    cut = few.results.assign(estimate=np.where(few.results["baseline"], 0.999, 0.5))
    beaten = replace(few, results=cut, settings={**few.settings, "n_pairs": 300})
    with pytest.warns(UserWarning, match=r"A baseline is better than all 1 candidate: kmeans"):
        best_clustering(beaten, good, progress=False)
    with (
        pytest.raises(ImagestrataError, match="not those that were tuned"),
        pytest.warns(UserWarning, match="A baseline"),
    ):
        best_clustering(beaten, bad, progress=False)


def test_stored_interrupted_and_taken_up_again(corpus, tmp_path, monkeypatch):
    good, _, pairs = corpus
    grid = {"k": [4, 6], "similarity_threshold": [0.0, 0.3]}
    whole = tune_clusters(good, pairs, grid, progress=False)

    def stop(doing, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_clusters(good, pairs, grid, out=tmp_path, progress=stop)
    fitted = []
    plain = grid_module._fit
    monkeypatch.setattr(
        grid_module,
        "_fit",
        lambda candidate, *rest: fitted.append(candidate) or plain(candidate, *rest),
    )
    resumed = tune_clusters(good, pairs, grid, out=tmp_path, progress=False)
    assert sum(not candidate.baseline for candidate in fitted) == 2
    assert_frame_equal(resumed.results, whole.results)

    fitted.clear()
    again = tune_clusters(good, pairs, grid, out=tmp_path, progress=False)
    assert not fitted
    for name in ("results", "selection", "heldout", "differences"):
        assert_frame_equal(getattr(again, name), getattr(whole, name))
    assert again.settings == json.loads(json.dumps(whole.settings))
    with pytest.raises(ImagestrataError, match="already holds the step 'tune'"):
        tune_clusters(good, pairs, grid, seed=1, out=tmp_path, progress=False)
    assert not (tmp_path / "run.json").exists()  # other steps are not touched


def test_methods_and_presets_in_the_grid(corpus):
    good, _, pairs = corpus
    grid = {"method": ["kmeans"], "n_clusters": [4, 6], "normalize": [None, "l2"]}
    rows = tune_clusters(good, pairs, grid, baselines=False, progress=False).results
    assert rows["candidate"].nunique() == 4
    assert set(rows["method"]) == {"kmeans"}
    paper = tune_clusters(good, pairs, {"preset": ["paper"]}, weighted=True, progress=False)
    assert paper.results["preset"].iloc[0] == "paper"


@pytest.fixture(scope="module")
def reductions(corpus):
    """Two reductions with two methods, and the vectors as they are."""
    good, _, pairs = corpus
    grids = [
        {"method": ["kmeans"], "n_clusters": [4, 6], "reduction": ["pca"], "n_components": [2, 3]},
        {"k": [4], "release_share": [1], "neighbors": [None], "reduction": [None, "pca"]},
    ]
    return grids, tune_clusters(good, pairs, grids, progress=False)


def test_reductions_in_the_grid(corpus, reductions):
    good, _, pairs = corpus
    rows = reductions[1].results.query("measure == 'f1'")
    own = rows[~rows["baseline"]].reset_index(drop=True)
    assert own["n_components"].tolist()[:4] == [2, 3, 2, 3]
    assert own["n_components"].isna().tolist()[4:] == [True, True]
    assert own["reduction"].isna().tolist() == [False] * 4 + [True, False]
    assert json.loads(own["settings"][1]) == {
        "reduction": "pca", "n_components": 3, "n_clusters": 4
    }  # fmt: skip
    for row in own.itertuples():
        vectors = good
        settings = json.loads(row.settings)
        if settings.pop("reduction", None):
            number = settings.pop("n_components", None)
            vectors = reduce_embeddings(good, n_components=number, progress=False)
        found = cluster_images(vectors, row.method, **settings, progress=False)
        score = score_clustering(found, pairs, measures="f1", weighted=True)
        assert score["estimate"].item() == pytest.approx(row.estimate)
    # A baseline for each kind of vectors.
    baselines = rows[rows["baseline"]]
    assert baselines["reduction"].isna().any() and (baselines["n_components"] == 2).any()


def test_the_best_clustering_of_reduced_vectors(corpus, reductions, tmp_path):
    good, _, pairs = corpus
    grid = {"method": ["kmeans"], "n_clusters": [6], "reduction": ["pca"], "n_components": [3]}
    tuned = tune_clusters(good, pairs, grid, baselines=False, progress=False)
    best = best_clustering(tuned, good, out=tmp_path / "run", progress=False)
    reduced = reduce_embeddings(good, n_components=3, progress=False)
    alone = cluster_images(reduced, "kmeans", n_clusters=6, progress=False)
    assert_frame_equal(best.images, alone.images)
    assert Embeddings.load(tmp_path / "run").matrix.shape == (300, 3)
    with pytest.raises(ImagestrataError, match="already holds the step 'embed'"):
        other = reduce_embeddings(good, n_components=2, out=tmp_path / "other", progress=False)
        assert len(other) == 300
        best_clustering(tuned, good, out=tmp_path / "other", progress=False)


def test_a_reduction_is_computed_once_and_kept(corpus, reductions, tmp_path, monkeypatch):
    good, _, pairs = corpus
    grids, whole = reductions
    reduced = []
    monkeypatch.setattr(
        grid_module,
        "reduce_embeddings",
        lambda *given, **settings: (
            reduced.append(settings) or reduce_embeddings(*given, **settings)
        ),
    )

    def stop(doing, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_clusters(good, pairs, grids, out=tmp_path, progress=stop)
    assert [one["n_components"] for one in reduced] == [2, 3]
    resumed = tune_clusters(good, pairs, grids, out=tmp_path, progress=False)
    assert [one.get("n_components") for one in reduced] == [2, 3, None]
    assert_frame_equal(resumed.results, whole.results)
    assert_frame_equal(resumed.differences, whole.differences)


def test_pairs_of_a_grid_with_reductions(corpus, reductions):
    drawn = sample_pairs(corpus[0], n=60, k=8, grid=reductions[0], progress=False)
    n_different = reductions[1].summary["n_different"].item()
    assert {f"of {n_different}"} == set(drawn["stratum"].str.extract(r"(of \d+)")[0])


def test_umap_in_the_grid_has_its_defaults(corpus):
    grid = {"method": ["hdbscan"], "reduction": ["umap", "pca"], "min_cluster_size": [5]}
    found = grid_module.candidates_of({"good": corpus[0]}, grid_module.checked_grid(grid), 0)
    assert [one.settings.get("neighbors", "auto") for one in found] == [None, "auto"]
    assert [one.reduction for one in found] == [{"method": "umap"}, {"method": "pca"}]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"reduction": ["tsne"]}, "`reduction` must be one of 'pca', 'umap'"),
        ({"reduction": ["pca"], "n_neighbors": [5]}, 'no effect with reduction="pca"'),
        ({"reduction": ["pca"], "n_components": [9]}, "`n_components` must be between 1 and 8"),
        (
            {"reduction": [None, "pca"], "n_components": [3]},
            "`n_components` is a setting of the reduction(.|\n)*list of two grids",
        ),
        ({"n_neighbors": [5]}, "has no setting 'n_neighbors'"),
    ],
)
def test_bad_reductions(corpus, grid, message):
    with pytest.raises(ImagestrataError, match=message):
        tune_clusters(corpus[0], corpus[2], grid, progress=False)


def test_the_best_of_the_grid_and_its_differences(tuned):
    rows = tuned.results[tuned.results["measure"] == "f1"]
    line = tuned.summary.iloc[0]
    may = set(rows.loc[rows["may_be_best"], "candidate"])
    assert line["candidate"] in may and len(may) == line["n_may_be_best"] < 16
    assert not rows.loc[rows["baseline"], "may_be_best"].any()
    assert f"{len(may)} clusterings may be the best" in repr(tuned)
    table = tuned.differences[tuned.differences["measure"] == "f1"]
    different = rows["same_as"].nunique()
    assert len(table) == different * (different - 1) / 2
    estimate = rows.set_index("candidate")["estimate"]
    both = estimate[table["candidate_a"]].to_numpy() - estimate[table["candidate_b"]].to_numpy()
    np.testing.assert_allclose(table["estimate"], both)


def test_several_grids(corpus):
    good, _, pairs = corpus
    grids = [{"k": [4, 6]}, {"method": ["kmeans"], "n_clusters": [5]}]
    rows = tune_clusters(good, pairs, grids, baselines=False, progress=False).results
    rows = rows[rows["measure"] == "f1"]
    assert rows["method"].tolist() == ["iterative", "iterative", "kmeans"]
    assert rows["k"].tolist()[:2] == [4, 6]
    assert rows["k"].isna().tolist() == [False, False, True]
    # The setting n_clusters is what was found: it has one column.
    assert rows["n_clusters"].iloc[2] == 5


def test_graded_pairs(corpus):
    good, _, pairs = corpus
    graded = pairs.assign(judgement=pairs["judgement"] * 2)
    rows = tune_clusters(
        good, graded, {"k": [2]}, measure="quality", baselines=False, progress=False
    ).results
    assert rows["measure"].tolist() == ["precision", "recall", "f1", "mean_pr", "quality"]
    assert 0 < rows["estimate"].iloc[-1] <= 2
    with pytest.raises(ImagestrataError, match="Quality needs graded judgements"):
        tune_clusters(good, pairs, {"k": [2]}, measure="quality")


def test_embeddings_of_one_kind_need_names(corpus):
    good, bad, pairs = corpus
    rows = tune_clusters([good, bad], pairs, {"k": [3]}, baselines=False, progress=False).results
    assert rows["encoder"].unique().tolist() == ["embeddings 1", "embeddings 2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judgement": 0}, "0 of 300 pairs were judged together: too few for 5 folds"),
        ({"judgement": 3}, "300 of 300 are not"),
        (
            {"image_a": [f"no {i}" for i in range(300)]},
            "300 of 300 judged pairs have an image without a vector",
        ),
        ({"pair_id": "same"}, "299 pair ids occur more than once"),
    ],
)
def test_bad_pairs(corpus, change, message):
    good, _, pairs = corpus
    with pytest.raises(ImagestrataError, match=message):
        tune_clusters(good, pairs.assign(**change), {"k": [3]})


def test_bad_input(corpus):
    good, _, pairs = corpus
    with pytest.raises(ImagestrataError, match="lacks the column 'judgement'"):
        tune_clusters(good, pairs.drop(columns="judgement"))
    with pytest.raises(ImagestrataError, match="has no setting 'thresh'"):
        tune_clusters(good, pairs, {"thresh": [1]})
    with pytest.raises(ImagestrataError, match="`k` must be at least 2"):
        tune_clusters(good, pairs, {"k": [1]})
    with pytest.raises(ImagestrataError, match="no value for 'k'"):
        tune_clusters(good, pairs, {"k": []})
    with pytest.raises(ImagestrataError, match="mapping of settings"):
        tune_clusters(good, pairs, [1])
    with pytest.raises(ImagestrataError, match="different images"):
        few = Embeddings.from_arrays(np.eye(8))
        tune_clusters({"a": good, "b": few}, pairs)
    with pytest.raises(ImagestrataError, match="contains no tuning"):
        Tuning.load("nowhere")


def test_the_summary_and_the_picture(tuned, tmp_path):
    line = tuned.summary.iloc[0]
    rows = tuned.results[tuned.results["measure"] == "f1"]
    assert line["estimate"] == rows.loc[~rows["baseline"], "estimate"].max()
    assert (line["n_candidates"], line["n_pairs"], line["encoder"]) == (16, 300, "good")
    assert line["best_baseline"] == rows.loc[rows["baseline"], "estimate"].max()
    assert "16 clusterings" in repr(tuned)
    drawn = plot_tuning(tuned, tmp_path / "tuning.png")
    left, right = drawn.axes
    assert left.get_legend_handles_labels()[1] == ["good", "bad"]
    assert right.get_ylabel() == "F1"
    assert notes_of(drawn) == [
        "Points: the candidates. Lines: 95% intervals. Circle: the best candidate. Hollow points: "
        "baselines."
    ]
    assert (tmp_path / "tuning.png").stat().st_size > 10_000
    with pytest.raises(ImagestrataError, match="result of tune_clusters"):
        plot_tuning(tuned.results)
    with pytest.raises(ImagestrataError, match=r"`mark` is only for .* sweep_clusters"):
        plot_tuning(tuned, mark=80)


def points_of(axes):
    points = [one for one in axes.collections if isinstance(one, PathCollection)]
    return np.sort(np.concatenate([one.get_offsets()[:, 0] for one in points]))


def test_settings_and_differences_are_drawn(corpus):
    good, bad, pairs = corpus
    with pytest.warns(UserWarning, match="different clusterings"):
        tuned = tune_clusters({"good": good, "bad": bad}, pairs, GRID, progress=False)
    own = tuned.results.query("measure == 'f1' and not baseline").set_index("candidate")
    drawn = plot_tuning(tuned, type="settings")
    encoder, _, threshold = drawn.axes
    assert [axes.get_title(loc="left") for axes in drawn.axes] == [
        "encoder", "step_size", "similarity_threshold",
    ]  # fmt: skip
    assert [tick.get_text() for tick in threshold.get_yticklabels()] == ["0", "0.2", "0.4", "0.6"]
    # A point for each candidate; medians and quartiles are those of all candidates of an encoder.
    np.testing.assert_allclose(points_of(encoder), np.sort(own["estimate"]))
    of_good = own.loc[own["encoder"] == "good", "estimate"]
    (box, _) = encoder.patches
    assert box.get_x() == pytest.approx(of_good.quantile(0.25))
    assert box.get_x() + box.get_width() == pytest.approx(of_good.quantile(0.75))
    (note,) = notes_of(drawn)
    assert "filled if they may be the best" in note and "of at least 4 candidates" in note
    (one,) = plot_tuning(tuned, type="settings", by="step_size").axes
    assert one.get_title(loc="left") == "step_size"
    with pytest.raises(ImagestrataError, match="'k' does not vary among"):
        plot_tuning(tuned, type="settings", by="k")
    with pytest.raises(ImagestrataError, match=r"`by` is only for type=.settings"):
        plot_tuning(tuned, by="k")

    (axes,) = plot_tuning(tuned, type="differences").axes
    best = tuned.summary["candidate"].item()
    first = own.loc[best, "same_as"]
    rows = tuned.differences.query("measure == 'f1'").dropna(subset="estimate")
    expected = pd.concat([
        rows.loc[rows["candidate_b"] == first, "estimate"],
        -rows.loc[rows["candidate_a"] == first, "estimate"],
    ]).sort_values()  # fmt: skip
    np.testing.assert_allclose(points_of(axes), expected.tail(25), atol=1e-12)


def test_the_command(tmp_path):
    run = tmp_path / "run"
    folder = draw_demo_corpus(tmp_path / "images", n_images=80, progress=False)
    found = embed_images(folder, "hog", out=run, progress=False)
    drawn = sample_pairs(found, n=60, k=8, out=run)
    same = drawn["path_a"].map(topic_of(folder)) == drawn["path_b"].map(topic_of(folder))
    answers = tmp_path / "anna.csv"
    drawn[["pair_id"]].assign(judgement=same.astype(int)).to_csv(answers, index=False)
    (tmp_path / "grid.json").write_text('{"k": [4, 8], "release_share": [1]}')
    command = ["tune", str(run), str(answers), "--grid", str(tmp_path / "grid.json")]
    told = CliRunner().invoke(app, [*command, "--json", "-q"], catch_exceptions=False)
    summary = json.loads(told.stdout)
    assert (summary["n_candidates"], summary["n_pairs"], summary["encoder"]) == (2, 60, "hog")
    assert summary["settings"]["k"] in (4, 8)
    assert (run / "tuning" / "tuning.png").exists()
    assert Tuning.load(run / "tuning").summary["estimate"].item() == summary["estimate"]
    told = CliRunner().invoke(app, [*command, "-q"], catch_exceptions=False)
    assert "2 clusterings, 60 pairs. Best: " in told.stdout
    assert summary["weighting"] == "design"
    again = [*command, "--no-weighted", "--missing", "drop", "--overwrite", "-q"]
    told = CliRunner().invoke(app, again, catch_exceptions=False)
    assert "2 clusterings, 60 pairs, unweighted. Best: " in told.stdout
    command = ["pairs", str(run), "--n", "40", "--grid", str(tmp_path / "grid.json")]
    told = CliRunner().invoke(app, [*command, "--overwrite", "-q"], catch_exceptions=False)
    strata = set(pd.read_csv(run / "pairs.csv")["stratum"])
    assert {one.partition(",")[0] for one in strata} == {"0 of 2", "1 of 2", "2 of 2"}


def topic_of(folder):
    labels = pd.read_csv(folder / "labels.csv")
    return {
        str(folder / file): topic
        for file, topic in zip(labels["file"], labels["kind"], strict=True)
    }
