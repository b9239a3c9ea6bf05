"""From a folder to clusters by density on the command line."""

from __future__ import annotations

import json

import pandas as pd

from imagestrata import Clustering, draw_demo_corpus


def test_reduce_sweep_and_cluster(invoke, tmp_path):
    images = draw_demo_corpus(tmp_path / "images", n_images=120, seed=1)
    run, reduced = tmp_path / "run", tmp_path / "reduced"
    for command in (
        ["scan", images, "--out", run, "--quiet"],
        ["embed", run, "--encoder", "hog", "--quiet"],
    ):
        assert invoke(*command)[0] == 0
    reduce = ["reduce", run, "--out", reduced, "--n-components", 6, "--quiet", "--json"]
    code, out, err = invoke(*reduce)
    assert code == 0, err
    found = json.loads(out)
    assert (found["width"], found["encoder"]) == (6, "pca of hog")
    assert "pca or umap" in invoke("reduce", "--help")[1]

    code, out, err = invoke(
        *("sweep", reduced, "--method", "hdbscan", "--value", 5, "--value", 8),
        *("--quiet", "--json"),
    )
    assert code == 0, err
    swept = json.loads(out)["sweep"]
    assert [row["min_cluster_size"] for row in swept] == [5, 8]
    assert (reduced / "sweep.png").exists()
    stored = pd.read_csv(reduced / "sweep.csv")
    assert stored["n_clusters"].tolist() == [row["n_clusters"] for row in swept]

    cluster = ["cluster", reduced, "--method", "hdbscan", "--min-cluster-size", 5, "--quiet"]
    cluster += ["--neighbors", "none"]
    code, out, err = invoke(*cluster, "--json")
    assert code == 0, err
    assert json.loads(out)["n_clusters"] == swept[0]["n_clusters"]
    code, _, err = invoke(*cluster, "--noise", "nearest", "--min-samples", 2)
    assert code == 2
    assert "--noise keep" in err
    assert invoke(*cluster, "--noise", "nearest", "--overwrite")[0] == 0
    clustering = Clustering.load(reduced)
    assert clustering.images["assigned"].sum() == swept[0]["n_noise"]
    assert (clustering.images["cluster"] > 0).all()

    # What follows takes it as any other clustering.
    assert invoke("sample", reduced)[0] == 0
    assert invoke("gallery", reduced, "--quiet")[0] == 0
    code, _, err = invoke("cluster", reduced, "--method", "kmeans", "--noise", "keep")
    assert code == 2
    assert "no setting 'noise'" in err


def test_reduce_needs_embeddings(invoke, tmp_path):
    code, _, err = invoke("reduce", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "'embed' has not been run" in err
