"""Arguments that would have no effect beside others are refused, not ignored."""

from __future__ import annotations

import numpy as np
import pytest

import imagestrata as ims
from images import write_pictures
from imagestrata.validate import check_idle

VECTORS = np.repeat(np.eye(4, dtype=np.float32) * 9, 10, axis=0)
VECTORS += np.random.default_rng(0).normal(0, 0.1, VECTORS.shape).astype(np.float32)


@pytest.fixture(scope="module")
def topics():
    return ims.cluster_images(VECTORS, "kmeans", n_clusters=4, progress=False)


def test_a_default_is_no_choice():
    check_idle("here", n=(20, 20), encoder=("hog", "hog"), out=(None, None))
    with pytest.raises(ims.ImagestrataError) as error:
        check_idle("here", n=(3, 20), m=(1, 1), k=("a", None))
    assert str(error.value) == 'n=3 and k="a" have no effect here.\nLeave them out.'


def quiet(verb, *args, **arguments):
    return verb(*args, **arguments, progress=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"encoder": "hog"}, "encoder=.hog. has no effect on vectors"),
        ({"weights": "x.pth"}, "weights=.x.pth. has no effect on vectors"),
        ({"k": 3, "k_criterion": "silhouette"}, "k_criterion=.silhouette. has no effect with k=3"),
        ({"k": 3, "step_size": 3, "k_max": 9}, "k_max=9 and step_size=3 have no effect with k=3"),
    ],
)
def test_clustering(arguments, named):
    with pytest.raises(ims.ImagestrataError, match=named):
        quiet(ims.cluster_images, VECTORS, **arguments)
    # A preset's own settings are nobody's choice.
    quiet(ims.cluster_images, VECTORS, preset="paper", k=3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n_per_cluster": 2, "budget": 8}, "n_per_cluster=2 has no effect with budget=8"),
        ({"allocation": "sqrt"}, "allocation=.sqrt. has no effect without `budget`"),
        ({"allocation": "equal"}, "allocation=.equal. has no effect without `budget`"),
    ],
)
def test_sampling(topics, arguments, named):
    with pytest.raises(ims.ImagestrataError, match=named):
        ims.sample_images(topics, **arguments)
    assert len(ims.sample_images(topics, 2)) == len(ims.sample_images(topics, budget=8)) == 8


def test_principal_components_have_no_neighbours():
    for verb, arguments in [
        (ims.reduce_embeddings, {"n_neighbors": 5}),
        (ims.reduce_embeddings, {"min_dist": 0.1, "metric": "cosine"}),
        (ims.map_images, {"n_neighbors": 5}),
        (ims.map_images, {"min_dist": 0.1}),
    ]:
        with pytest.raises(ims.ImagestrataError, match=r"no effect with method=.pca."):
            quiet(verb, VECTORS, "pca", **arguments)
        quiet(verb, VECTORS, "pca")


def test_embedding(tmp_path):
    folder = write_pictures(tmp_path / "images", 4)
    for arguments in ({"precision": "float32"}, {"device": "cuda"}):
        with pytest.raises(ims.ImagestrataError, match="no effect with the encoder 'hog'"):
            quiet(ims.embed_images, folder, "hog", **arguments)
    again = quiet(ims.embed_images, folder, "hog", device="cpu")
    with pytest.raises(ims.ImagestrataError, match=r"resize=.squish. has no effect"):
        quiet(ims.embed_images, folder, again, resize="squish")
    with pytest.raises(ims.ImagestrataError, match=r"encoder=.hog. has no effect with `model`"):
        quiet(ims.embed_images, folder, "hog", model=tmp_path)


def test_figures_and_exports(topics, tmp_path):
    with pytest.raises(ims.ImagestrataError, match="n_clusters=2 has no effect with `clusters`"):
        ims.plot_montage(topics, n_clusters=2, clusters=[1])
    pairs = ims.sample_pairs(VECTORS, 10, 4).assign(path_a="a.png", path_b="b.png")
    with pytest.raises(ims.ImagestrataError, match="thumbnail=99 has no effect"):
        ims.export_pairs(pairs, tmp_path / "pairs.csv", to="csv", thumbnail=99)
