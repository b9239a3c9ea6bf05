"""Clusters that were made elsewhere are taken by every verb."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import silhouette_samples

import imagestrata
from clusterings import draw_images
from imagestrata import Clustering, Embeddings, ImagestrataError, embed_images, sample_images

NAMES = ["cat"] * 3 + ["dog"] * 6 + [None] * 2 + ["owl"] * 5


@pytest.fixture(scope="module")
def vectors():
    centres = {"cat": 0, "dog": 5, "owl": 9, None: 20}
    rng = np.random.default_rng(0)
    return np.array([rng.normal(centres[name], 1, 4) for name in NAMES], dtype="float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with embedded images, clustered by hand."""
    place = tmp_path_factory.mktemp("own")
    draw_images(place / "images", [1] * 8 + [2] * 6 + [3] * 5 + [-1] * 3)
    embeddings = embed_images(place / "images", "hog", out=place / "run", progress=False)
    files = embeddings.images["file"]
    number = files.str[:4].astype(int)
    names = np.select([number < 8, number < 14, number < 19], ["red", "blue", "green"], "")
    labels = pd.DataFrame({"file": files, "label": names}).sample(frac=1, random_state=0)
    clustering = Clustering.from_labels(embeddings, labels, out=place / "run")
    return place / "run", embeddings, clustering


def test_by_hand(vectors):
    found = Clustering.from_labels(vectors, NAMES)
    assert found.clusters["cluster_name"].tolist() == ["dog", "owl", "cat"]
    assert found.clusters["size"].tolist() == [6, 5, 3]
    assert found.clusters["share"].tolist() == [6 / 16, 5 / 16, 3 / 16]
    assert found.images["cluster"].tolist() == [3] * 3 + [1] * 6 + [-1] * 2 + [2] * 5
    assert found.images["cluster_name"].isna().tolist() == [name is None for name in NAMES]
    inside = np.array([name is not None for name in NAMES])
    labels = [name for name in NAMES if name]
    np.testing.assert_allclose(
        found.images["silhouette"][inside], silhouette_samples(vectors[inside], labels), atol=1e-5
    )
    assert found.images["silhouette"][~inside].isna().all()
    np.testing.assert_allclose(found.centroids[2], vectors[:3].mean(axis=0), rtol=1e-6)
    distances = np.linalg.norm(vectors[:3] - vectors[:3].mean(axis=0), axis=1)
    np.testing.assert_allclose(found.images["distance"][:3], distances, rtol=1e-5)
    line = found.summary.iloc[0]
    assert (line["n_images"], line["n_clusters"], line["n_residual"]) == (16, 3, 2)
    assert line["method"] == "labels" and np.isnan(line["seed"])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0] * 3 + [1] * 6 + [-1] * 2 + [2] * 5),  # as HDBSCAN has them
        [0.0] * 3 + [1.0] * 6 + [np.nan] * 2 + [2.0] * 5,
        pd.Series([0] * 3 + [1] * 6 + [pd.NA] * 2 + [2] * 5, dtype="Int64"),
        pd.Categorical(NAMES, categories=["owl", "never", "dog", "cat"]),
        pl.Series(NAMES),
        ["cat "] * 3 + ["dog"] * 6 + ["", "-1"] + ["owl"] * 5,
        tuple(NAMES),
    ],
)
def test_labels_in_the_order_of_the_images(labels, vectors):
    found = Clustering.from_labels(vectors, labels)
    assert found.images["cluster"].tolist() == [3] * 3 + [1] * 6 + [-1] * 2 + [2] * 5


def test_labels_by_image(vectors):
    ids = [f"i{row}" for row in range(16)]
    embeddings = Embeddings.from_arrays(vectors, ids)
    wanted = Clustering.from_labels(embeddings, NAMES).images["cluster"].tolist()
    table = pd.DataFrame({"image_id": ids, "label": NAMES})[::-1]
    by_number = pd.DataFrame({"image_id": ids, "cluster": wanted})[::-1]
    for labels in (table, pl.from_pandas(table), by_number, table.set_index("image_id")["label"],
                   dict(zip(table["image_id"], table["label"], strict=True))):  # fmt: skip
        assert Clustering.from_labels(embeddings, labels).images["cluster"].tolist() == wanted
    # The index of a data frame names its rows: a Series that was sorted goes along.
    frame = pd.DataFrame(vectors)
    series = pd.Series(NAMES)[::-1]
    assert Clustering.from_labels(frame, series).images["cluster"].tolist() == wanted
    again = Clustering.from_labels(embeddings, pd.concat([table, table.head(2)]))
    assert again.images["cluster"].tolist() == wanted


def test_what_labels_cannot_be(vectors, tmp_path):
    embeddings = Embeddings.from_arrays(vectors, [f"i{row}" for row in range(16)])
    table = pd.DataFrame({"image_id": embeddings.images["image_id"], "label": NAMES})

    def refused(labels, message):
        with pytest.raises(ImagestrataError, match=message):
            Clustering.from_labels(embeddings, labels, out=tmp_path / "run")

    refused(NAMES[:5], "has 5 labels for 16 images")
    refused([0.5] * 16, r"holds 0\.5")
    refused([-2] * 16, "holds -2")
    refused("cat", "one label per image")
    refused(np.ones((16, 2)), "one label per image")
    refused(table.rename(columns={"label": "code"}), "column 'label' or 'cluster'")
    refused(table.assign(image_id="x"), "No row of `labels`")
    twice = pd.concat([table, table.head(1).assign(label="dog")])
    refused(twice, "1 image more than one label: 'i0' has 'cat' and 'dog'")
    refused(pd.concat([table, table.head(1).assign(label=None)]), "more than one label")
    with pytest.raises(ImagestrataError, match="finite"):
        Clustering.from_labels(vectors * np.nan, NAMES)
    assert not (tmp_path / "run").exists()
    with pytest.warns(UserWarning, match="no label for 13 of 16 images: they are in the residual"):
        few = Clustering.from_labels(embeddings, table.head(3))
    assert few.summary["n_residual"].tolist() == [13]
    with pytest.warns(UserWarning, match="identify no image"):
        Clustering.from_labels(embeddings, pd.concat([table, table.head(1).assign(image_id="x")]))
    with pytest.warns(UserWarning, match="no image has a label"):
        nothing = Clustering.from_labels(embeddings, [-1] * 16)
    assert nothing.clusters.empty


def test_it_is_stored_like_any_other(run, tmp_path):
    folder, embeddings, clustering = run
    stored = Clustering.load(folder)
    pd.testing.assert_frame_equal(stored.clusters, clustering.clusters)
    pd.testing.assert_frame_equal(stored.images, clustering.images)
    labels = clustering.images[["image_id", "cluster"]]
    with pytest.raises(ImagestrataError, match="already holds"):
        Clustering.from_labels(embeddings, labels, normalize="l2", out=folder)
    with pytest.raises(ImagestrataError, match="already holds"):
        Clustering.from_labels(embeddings, labels.assign(cluster=1), out=folder)
    clustering.save(tmp_path)
    assert repr(Clustering.load(tmp_path)) == repr(clustering)


def verbs(run, tmp_path):
    folder, embeddings, topics = run
    ids = topics.images["image_id"]
    points = imagestrata.map_images(embeddings, "pca", progress=False)
    pairs = imagestrata.sample_pairs(embeddings, n=10, k=3, clusterings=[topics], progress=False)
    texts = pd.DataFrame({"image_id": ids, "description": topics.images["cluster_name"]})
    judged = pairs.assign(judgement=1, annotator="a")
    names = topics.clusters.set_index("cluster")["cluster_name"].to_dict()
    sample = sample_images(topics, 2, out=folder)
    quiet = {"progress": False}
    rated = pd.DataFrame({"image_id": sample["image_id"], "respondent_id": "a", "group": "D"})
    rated = rated.assign(item="angry", rating=3)
    people = pd.DataFrame({"respondent_id": ["a", "b", "c", "d"], "group": ["D", "D", "R", "R"]})
    answers = sample.merge(people, how="cross").assign(item="angry")
    answers["rating"] = np.arange(len(answers)) % 5
    guesses = pd.DataFrame(
        {"image_id": ids, "item": "angry", "prediction": np.arange(len(ids)) % 3}
    )
    guesses = guesses.merge(pd.DataFrame({"group": ["D", "R"]}), how="cross")
    words = imagestrata.cluster_keywords(topics, texts)
    return {
        "rating_means": lambda: imagestrata.rating_means(
            answers, predictions=guesses, clustering=topics
        ),
        "rating_gaps": lambda: imagestrata.rating_gaps(
            answers, predictions=guesses, clustering=topics
        ),
        "next_pairs": lambda: imagestrata.next_pairs(judged, topics, embeddings, 5, width=0, k=3),
        "propose_pairs": lambda: imagestrata.propose_pairs(topics, n=5, smallest=1),
        "improve_clusters": lambda: imagestrata.improve_clusters(
            topics, judged.assign(judgement=[0, 1] * 5), smallest=1, folds=2
        ),
        "sample_images": lambda: sample,
        "find_images": lambda: imagestrata.find_images(topics, 1, n=2),
        "cluster_keywords": lambda: imagestrata.cluster_keywords(topics, texts),
        "cluster_metadata": lambda: imagestrata.cluster_metadata(
            topics, texts, column="description"
        ),
        "coding_sheet": lambda: imagestrata.coding_sheet(
            topics, tmp_path / "c.html", ["x"], **quiet
        ),
        "propose_exclusions": lambda: imagestrata.propose_exclusions(
            texts, words="red", clustering=topics, **quiet
        ),
        "image_gallery": lambda: imagestrata.image_gallery(topics, folder, sample=sample, **quiet),
        "plot_map": lambda: imagestrata.plot_map(topics, points),
        "plot_montage": lambda: imagestrata.plot_montage(topics),
        "plot_themes": lambda: imagestrata.plot_themes(imagestrata.group_clusters(topics, 2)),
        "plot_trace": lambda: imagestrata.plot_trace(topics),
        "compare_clusterings": lambda: imagestrata.compare_clusterings(a=topics, b=topics),
        "score_clustering": lambda: [
            imagestrata.score_clustering(topics, judged, n_boot=10),
            imagestrata.score_clustering(topics, embeddings=embeddings),
        ],
        "export_test": lambda: imagestrata.export_test(
            topics, tmp_path / "m.html", descriptions=names, n_sets=1, **quiet
        ),
        "intruders": lambda: imagestrata.export_test(
            topics, tmp_path / "i.html", kind="intruders", n_sets=1, n_images=4, **quiet
        ),
        "edit_clusters": lambda: imagestrata.edit_clusters(topics, merge=[1, 2]).images,
        "propose_names": lambda: (
            imagestrata.propose_names(topics, keywords=words, clusters=[1]).edits
        ),
        "read_ratings": lambda: imagestrata.read_ratings(
            rated, sample, items=["angry"], clustering=topics
        ),
        "group_clusters": lambda: imagestrata.group_clusters(topics, 2).images,
        "label_shares": lambda: imagestrata.label_shares(
            pd.DataFrame({"image_id": sample["image_id"], "code": "x", "label": 1}),
            sample=sample,
            by="cluster",
            clustering=topics,
        ),
        "plan_labels": lambda: imagestrata.plan_labels(
            pd.DataFrame({"image_id": sample["image_id"], "code": "x", "label": 1}),
            sample=sample,
            width=0.5,
            clustering=topics,
        ),
        "label_model": lambda: (
            imagestrata.label_model(
                "x ~ 1",
                pd.DataFrame(
                    {
                        "image_id": sample["image_id"],
                        "code": "x",
                        "label": np.arange(len(sample)) % 2,
                    }
                ),
                topics.images[["image_id"]].assign(
                    label="x", probability=np.arange(len(topics.images)) % 3 / 3, split="fold"
                ),
                sample=sample,
                clustering=topics,
            ).coefficients
        ),
        "predict": lambda: topics.predict(embeddings),
        "augment": lambda: topics.augment(texts),
        "share_bundle": lambda: imagestrata.share_bundle(folder, tmp_path / "bundle"),
    }


def test_every_verb_takes_it(run, tmp_path):
    _, embeddings, topics = run
    done = verbs(run, tmp_path)
    for name, verb in done.items():
        made = verb()
        assert made is not None and not (isinstance(made, pd.DataFrame) and made.empty), name
    assert done["sample_images"]()["cluster_name"].isin(["red", "blue", "green"]).any()
    assert done["predict"]()["cluster"][topics.images["cluster"] > 0].gt(0).all()
    taking = {
        name
        for name in imagestrata.__all__
        if inspect.isfunction(one := getattr(imagestrata, name))
        and {"clustering", "clusterings"} & set(inspect.signature(one).parameters)
        and "comparison" not in inspect.signature(one).parameters
    }
    # Only what needs the method itself refuses, in words. (Pictures of one colour are near-copies:
    # test_sample_training.py takes other clusters by hand.)
    assert taking - set(done) - {"sample_pairs", "sample_training"} == {
        "cluster_stability",
        "cluster_confidence",
    }
    with pytest.raises(ImagestrataError, match="no method to fit them again"):
        imagestrata.cluster_stability(topics, embeddings)
    with pytest.raises(ImagestrataError, match='Only the method "hdbscan"'):
        imagestrata.cluster_confidence(topics)
