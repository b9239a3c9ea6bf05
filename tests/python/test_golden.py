"""The golden tables, which the tests of the R package read as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from imagestrata import cluster_images, sample_images

FIXTURES = Path(__file__).parents[1] / "fixtures"


def golden(name: str) -> pd.DataFrame:
    """A golden table, whose columns are named as R names them, with the names that Python has."""
    table = pd.read_csv(FIXTURES / f"golden-{name}.csv", dtype={"image_id": "str"})
    return table.rename(columns=lambda column: column.replace(".", "_"))


@pytest.mark.parametrize("in_file", [False, True])
def test_clusters_and_sample_are_the_golden_ones(in_file: bool, tmp_path: Path) -> None:
    vectors = golden("vectors").to_numpy(np.float32)
    if in_file:
        np.save(tmp_path / "vectors.npy", vectors)
        vectors = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    clustering = cluster_images(vectors, k=6, seed=3, exact=True, progress=False)
    clusters = golden("clusters")
    assert_frame_equal(clustering.images[clusters.columns], clusters, check_dtype=False)
    sample = golden("sample")
    drawn = sample_images(clustering, seed=3)
    assert_frame_equal(drawn[sample.columns], sample, check_dtype=False)
