"""The class that keeps vectors and images together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from imagestrata import Embeddings, ImagestrataError
from imagestrata.embeddings import parts


class TestFromArrays:
    def test_ids_are_row_numbers_unless_given(self) -> None:
        made = Embeddings.from_arrays(np.eye(10))
        assert made.images["image_id"].tolist()[::9] == ["01", "10"]
        assert made.images["path"].isna().all() and made.images["n_copies"].tolist() == [1] * 10
        assert made.matrix.dtype == np.float32 and made.encoder == {"width": 10}

    def test_ids_and_paths(self) -> None:
        made = Embeddings.from_arrays([[1, 2], [3, 4]], ["a", "b"], [Path("x.jpg"), "y.jpg"])
        assert made.images["image_id"].tolist() == ["a", "b"]
        assert made.images["path"].tolist() == ["x.jpg", "y.jpg"]
        assert made.matrix.tolist() == [[1, 2], [3, 4]]

    def test_an_array_that_is_right_already_is_not_copied(self, tmp_path: Path) -> None:
        array = np.ones((2, 2), dtype=np.float32)
        assert Embeddings.from_arrays(array).matrix is array
        np.save(tmp_path / "vectors.npy", array)
        mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
        assert Embeddings.from_arrays(mapped).matrix is mapped

    @pytest.mark.parametrize(
        "array", [np.ones((2, 3)), np.asfortranarray(np.ones((2, 3), np.float32)), np.eye(3) > 0]
    )
    def test_another_is_brought_into_form(self, array: Any) -> None:
        made = Embeddings.from_arrays(array).matrix
        assert made.dtype == np.float32 and made.flags.c_contiguous
        assert np.array_equal(made, array)
        assert not np.may_share_memory(made, array)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([[1, np.nan], [0, 0], [np.inf, 0]],), r"2 of 3 rows have NaN .*the first is row 1"),
            (([1, 2, 3],), r"its shape is \(3,\)"),
            ((np.zeros((0, 5)),), r"its shape is \(0, 5\)"),
            ((np.zeros((5, 0)),), r"its shape is \(5, 0\)"),
            (([["a", "b"]],), "must be a table of real numbers"),
            (([["1", "2"]],), "must be a table of real numbers"),
            ((np.array([["1", 2.0]], dtype=object),), "must be a table of real numbers"),
            ((np.eye(2) * 1j,), "must be a table of real numbers.* of complex128"),
            ((np.zeros(2, dtype=[("a", "f4"), ("b", "f4")]),), "must be a table of real numbers"),
            ((np.array([["2020-01-01"]], dtype="M8[D]"),), "must be a table of real numbers"),
            ((sparse.eye_array(3, format="csr"),), "must be a table of real numbers"),
            ((np.ma.masked_array(np.eye(2), [[1, 0], [0, 0]]),), "1 masked value"),
            ((pd.DataFrame({"a": [1.0, None]}),), "1 of 2 rows have NaN"),
            ((pd.DataFrame({"a": pd.array([1, pd.NA], dtype="Int64")}),), "1 of 2 rows have NaN"),
            ((pd.DataFrame({"a": [1, 2**24 + 1]}),), "integers up to 16,777,217"),
            ((np.array([[-(2**63)]]),), "integers up to 9,223,372,036,854,775,808"),
            ((None,), "its shape is"),
            ((np.eye(2), ["a"]), "`image_ids` must have one value for each of 2 rows, not 1 of"),
            ((np.eye(2), "ab"), "`image_ids` must have one value for each of 2 rows, not 'ab'"),
            ((np.eye(2), ["a", "a"]), "'a' occurs 2 times"),
            ((np.eye(2), None, ["x.jpg"]), "`paths` must have one value"),
        ],
    )
    def test_what_does_not_fit(self, arguments: Any, message: str) -> None:
        with pytest.raises(ImagestrataError, match=message):
            Embeddings.from_arrays(*arguments)


class TestForPeople:
    def test_repr(self) -> None:
        images = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "n_copies": [1]})
        failures = images.assign(reason="file not found")
        vectors = np.ones((1, 1280), dtype=np.float32)
        made = Embeddings(images, vectors, {"name": "mobilenet_v2"}, failures=failures)
        assert repr(made) == "Embeddings of 1 image, 1,280 numbers each, by mobilenet_v2; 1 failed"
        assert repr(Embeddings.from_arrays(np.eye(2))) == "Embeddings of 2 images, 2 numbers each"
        assert len(made) == 1

    def test_nothing_failed_unless_said(self) -> None:
        failures = Embeddings.from_arrays(np.eye(2)).failures
        assert list(failures.columns) == ["image_id", "path", "file", "n_copies", "reason"]
        assert failures.empty


class TestFiles:
    @given(
        matrix=arrays.arrays(
            np.float32,
            st.tuples(st.integers(1, 9), st.integers(1, 4)),
            elements=st.floats(-(2.0**99), 2.0**99, width=32),
        ),
        part_size=st.integers(1, 5),
        failed=st.integers(0, 3),
    )
    def test_what_is_saved_is_loaded(
        self,
        matrix: Any,
        part_size: int,
        failed: int,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        folder = tmp_path_factory.mktemp("run")
        made = Embeddings.from_arrays(matrix)
        made.images["note"] = [f"note {row}" for row in range(len(matrix))]
        made.failures = pd.DataFrame(
            {
                "image_id": [f"failed {row}" for row in range(failed)],
                "path": ["x"] * failed,
                "file": ["x"] * failed,
                "n_copies": [1] * failed,
                "note": ["n"] * failed,
                "reason": ["empty file"] * failed,
            }
        ).astype(made.images.dtypes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts, "PART_SIZE", part_size)
            made.save(folder)
            loaded = Embeddings.load(folder)
        assert loaded.matrix.tobytes() == made.matrix.tobytes()
        pd.testing.assert_frame_equal(loaded.images, made.images)
        assert loaded.failures["image_id"].tolist() == made.failures["image_id"].tolist()
        assert loaded.failures["reason"].tolist() == made.failures["reason"].tolist()
        assert loaded.encoder == made.encoder

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        Embeddings.from_arrays(np.eye(2)).save(tmp_path)
        with pytest.raises(ImagestrataError, match="already holds embeddings"):
            Embeddings.from_arrays(np.eye(3)).save(tmp_path)
        assert len(Embeddings.load(tmp_path)) == 2

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(ImagestrataError, match="There are no embeddings in"):
            Embeddings.load(tmp_path)

    def test_vectors_are_plain_parquet_with_ids(self, tmp_path: Path) -> None:
        import pyarrow.parquet as pq

        Embeddings.from_arrays([[1, 2], [3, 4]], ["a", "b"]).save(tmp_path)
        (path,) = (tmp_path / "embeddings").glob("part-00000.*.parquet")
        table = pq.read_table(path)
        assert table.column_names == ["image_id", "vector", "reason"]
        assert table["vector"].to_pylist() == [[1, 2], [3, 4]]
        assert str(table.schema.field("vector").type).startswith("fixed_size_list")

    def test_parts_are_small_enough_to_lose_one(self) -> None:
        assert parts.PART_SIZE <= 512
