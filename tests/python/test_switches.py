"""Switches of other libraries that a session sets decide nothing."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import sklearn
import torch

from images import write_pictures
from imagestrata import cluster_images, embed_images, reduce_embeddings, scan_images
from imagestrata.switches import as_shipped


@contextmanager
def tables():
    with sklearn.config_context(transform_output="pandas"):
        yield


@contextmanager
def double():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def strict_numbers():
    with np.errstate(all="raise"):
        yield


SWITCHES = {
    "tables": tables,
    "float64": double,
    "nowhere": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "strict": strict_numbers,
}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = write_pictures(tmp_path_factory.mktemp("images"), 12)
    return scan_images(folder, min_bytes=0, progress=False)


@pytest.fixture(scope="module")
def results(scanned):
    return computed(scanned)


def computed(images):
    embeddings = embed_images(images, "efficientnet_lite0", progress=False)
    reduced = reduce_embeddings(embeddings, "pca", n_components=3, progress=False)
    clusters = cluster_images(reduced, "kmeans", n_clusters=3, seed=1, progress=False)
    return embeddings.matrix, reduced.matrix, clusters.images["silhouette"].to_numpy()


@pytest.mark.parametrize("switch", SWITCHES)
def test_switches_of_a_session_decide_nothing(switch, scanned, results):
    with SWITCHES[switch]():
        found = computed(scanned)
    for one, expected in zip(found, results, strict=True):
        np.testing.assert_array_equal(one, expected)


def test_the_switch_of_all_threads_is_set_back_by_the_last():
    with double():
        first, second = as_shipped(), as_shipped()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
