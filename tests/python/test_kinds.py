"""Vectors and tables of other libraries are taken wherever those of NumPy and pandas are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from pandas.testing import assert_frame_equal

import imagestrata
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    compare_clusterings,
    map_images,
    rating_means,
    reduce_embeddings,
    sample_images,
    sample_pairs,
    tune_clusters,
)
from imagestrata.tables import from_elsewhere
from imagestrata.verbs import public

TABLE = pd.DataFrame(
    {
        "image_id": ["a", None, "c"],
        "post_id": pd.array([2**60 + 1, None, 3], dtype="Int64"),
        "n": [1, 2, 3],
        "rating": [0.5, None, 1.0],
        "yes": [True, False, True],
        "on": pd.to_datetime(["2024-01-01", "2024-02-01", None]),
        "group": pd.Categorical(["x", "y", "x"], categories=["y", "x"]),
    }
)
KINDS = {
    "arrow": pa.Table.from_pandas,
    "batch": pa.RecordBatch.from_pandas,
    "reader": lambda table: pa.Table.from_pandas(table).to_reader(),
    "polars": pl.from_pandas,
    "lazy": lambda table: pl.from_pandas(table).lazy(),
}


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(4) * 9, 30, axis=0)
    return (centres + rng.normal(size=centres.shape)).astype("float32")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tables(kind):
    @public
    def verb(table, tables=(), *, named=None):
        return table, tables, named

    for found in (
        verb(kind(TABLE))[0],
        verb(None, [TABLE, kind(TABLE)])[1][1],
        verb(None, named={"a": kind(TABLE)})[2]["a"],
    ):
        assert isinstance(found, pd.DataFrame)
        assert found["image_id"].tolist()[::2] == ["a", "c"]
        assert found["image_id"].isna().tolist() == [False, True, False]
        # As numbers with a missing one, they would be rounded.
        assert found["post_id"].dropna().astype(str).tolist() == [str(2**60 + 1), "3"]
        assert found["n"].dtype == "int64"
        assert found["rating"].dtype == "float64"
        assert found["yes"].dtype == bool
        assert found["on"].dtype.kind == "M"
        assert [*found["group"]] == ["x", "y", "x"]


def test_what_is_known_is_left_alone():
    given = [TABLE, [1, 2], {"a": 1}, "text", np.ones(2), np.float32(1), None, TABLE["n"]]
    assert all(from_elsewhere(one) is one for one in given)
    assert from_elsewhere(given) is given
    assert from_elsewhere(pl.Series([1, 2])).tolist() == [1, 2]
    assert from_elsewhere(pa.array(["a", "b"])).tolist() == ["a", "b"]
    assert from_elsewhere(pa.chunked_array([[1], [2]])).tolist() == [1, 2]
    decimals = pa.table({"x": pa.array([1.5]).cast(pa.decimal128(5, 2))})
    assert from_elsewhere(decimals)["x"].dtype == "float64"


@pytest.mark.parametrize(
    "kind",
    [
        torch.tensor,
        lambda x: torch.tensor(x, requires_grad=True),
        lambda x: torch.tensor(x).double(),
        lambda x: x.tolist(),
        lambda x: [*x],
        lambda x: tuple(torch.tensor(x)),
        lambda x: pd.DataFrame(x),
        lambda x: pd.DataFrame(x).astype("Float64"),
        lambda x: pl.DataFrame(x),
        lambda x: pa.Table.from_pandas(pd.DataFrame(x).rename(columns=str)),
        lambda x: pd.DataFrame({"vector": x.tolist()}),
        lambda x: pl.DataFrame({"vector": x}),
    ],
)
def test_vectors(kind, vectors):
    found = cluster_images(kind(vectors), "kmeans", n_clusters=4, progress=False)
    wanted = cluster_images(vectors, "kmeans", n_clusters=4, progress=False)
    assert found.images["cluster"].tolist() == wanted.images["cluster"].tolist()
    np.testing.assert_array_equal(found.centroids, wanted.centroids)
    reduced = reduce_embeddings(kind(vectors), "pca", n_components=2)
    assert reduced.matrix.shape == (120, 2)
    assert len(wanted.predict(kind(vectors))) == 120
    assert len(map_images(kind(vectors), method="pca", progress=False)) == 120
    assert len(sample_pairs(kind(vectors), n=20, k=4)) == 20
    two = [kind(vectors), kind(vectors)]
    with pytest.raises(ImagestrataError, match="pairs"):
        tune_clusters(dict(zip("ab", two, strict=True)), TABLE)


def test_half_precision_is_taken(vectors):
    given = torch.tensor(vectors).to(torch.bfloat16)
    np.testing.assert_array_equal(Embeddings.from_arrays(given).matrix, given.float().numpy())


def test_a_data_frame_names_its_rows():
    numbers = {"x": [1.0, 2.0, 3.0], "y": [0.0, 1.0, 2.0]}
    by_index = pd.DataFrame(numbers, index=["c", "a", "b"])
    by_column = by_index.reset_index(names="image_id")
    for table in (by_index, by_column, pl.from_pandas(by_column), pa.Table.from_pandas(by_column)):
        found = Embeddings.from_arrays(table)
        assert found.images["image_id"].tolist() == ["c", "a", "b"]
        assert found.matrix[1].tolist() == [2, 1]
    # Rows that were left out or sorted keep their names, not their places.
    assert Embeddings.from_arrays(pd.DataFrame(numbers).iloc[[2, 0]]).images[
        "image_id"
    ].tolist() == ["2", "0"]
    paths = Embeddings.from_arrays(by_column.assign(path=["1.png", "2.png", "3.png"]))
    assert paths.images["path"].tolist() == ["1.png", "2.png", "3.png"]
    named = Embeddings.from_arrays(by_index, ["u", "v", "w"])
    assert named.images["image_id"].tolist() == ["u", "v", "w"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"x": [1.0], "label": ["cat"]}), "no numbers; the first is 'label'"),
        (pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "a"]), "'a'"),
        (pd.DataFrame({"v": [[1.0, 2.0], [1.0]]}), "have different lengths"),
        (pd.DataFrame({"x": [1.0, None]}), "finite"),
        (pd.DataFrame({"x": [1.0]}, index=[("a", 1)]).pipe(
            lambda t: t.set_index(pd.MultiIndex.from_tuples([("a", 1)]))), "index of 2 levels"),
        (pd.DataFrame({"image_id": ["a"]}), "column per number"),
        (torch.ones(3), "one row per image"),
        (torch.ones(2, 2, dtype=torch.complex64), "real numbers"),
    ],
)  # fmt: skip
def test_tables_that_hold_no_vectors(table, message):
    with pytest.raises(ImagestrataError, match=message):
        Embeddings.from_arrays(table)


@pytest.mark.parametrize("kind", [pa.Table.from_pandas, pl.from_pandas], ids=["arrow", "polars"])
def test_the_road_on_tables_from_elsewhere(kind, vectors):
    clustering = cluster_images(vectors, "kmeans", n_clusters=4, progress=False)
    drawn = sample_images(clustering, 2)
    same = sample_images(kind(clustering.images), 2)
    assert_frame_equal(same[drawn.columns], drawn, check_dtype=False)
    packets = assign_annotators(kind(drawn), ["a", "b"], n_images=4)
    assert_frame_equal(packets, assign_annotators(drawn, ["a", "b"], n_images=4))
    both = compare_clusterings(a=clustering, b=kind(clustering.images))
    assert both.pairs["adjusted_rand"].tolist() == [1]
    table = drawn[["image_id"]].assign(post=1)
    assert_frame_equal(clustering.augment(kind(table)), clustering.augment(table))
    with pytest.raises(ImagestrataError, match="respondent_id"):
        rating_means(kind(drawn[["image_id", "file"]]))


def test_every_public_name_that_takes_a_table_takes_all_kinds():
    """Verbs by their decorator; methods of objects one by one."""
    for name in imagestrata.__all__:
        one = getattr(imagestrata, name)
        assert isinstance(one, type) or hasattr(one, "__wrapped__"), name
    assert Clustering.augment and Clustering.predict and Embeddings.from_arrays


def test_a_table_of_files_is_never_taken_for_vectors(tmp_path):
    files = pd.DataFrame({"filename": ["a.jpg", "b.jpg"], "likes": [1, 2]})
    with pytest.raises(ImagestrataError, match="must have a column 'path'"):
        cluster_images(files, progress=False)
    with pytest.raises(ImagestrataError, match="no numbers; the first is 'filename'"):
        reduce_embeddings(files)


def test_coordinates_from_elsewhere_are_vectors_and_no_map(vectors):
    table = pd.DataFrame(vectors[:, :2], columns=["x", "y"]).assign(
        image_id=[f"i{row}" for row in range(120)]
    )
    reduced = reduce_embeddings(table, "pca", n_components=2)
    assert reduced.images["image_id"].tolist() == table["image_id"].tolist()
    with pytest.raises(ImagestrataError, match="not a map, which map_images"):
        reduce_embeddings(map_images(vectors, method="pca", progress=False))
