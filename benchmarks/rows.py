"""Many rows through every step that only handles rows: seconds, memory, and growth.

Each step runs in a process of its own, at a tenth of the rows and at all of them, so that
its peak memory is its own. Images, hashes and vectors are drawn at random; pictures are
real files only where files are scanned, of which there are fewer.

    python benchmarks/rows.py [--rows 1000000] [--steps near_4 gallery]
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from machine import sized, write_result
from PIL import Image

from imagestrata import (
    Clustering,
    Embeddings,
    image_gallery,
    map_images,
    plot_map,
    plot_montage,
    sample_images,
    scan_images,
    share_bundle,
)
from imagestrata.corpus.known import Files, _fresh_rows
from imagestrata.corpus.listing import list_files
from imagestrata.corpus.look import LOOKS
from imagestrata.corpus.near import find_leaders
from imagestrata.corpus.scan import _images_table, _with_extras
from imagestrata.files import write_table
from imagestrata.provenance import Step, read_table, version
from imagestrata.tables import to_frame

N_CLUSTERS = 300
#: Of so many rows one is a picture, where pictures are scanned.
ROWS_PER_PICTURE = 50

#: Seconds of the wall and of the processor.
_spent = [0.0, 0.0]


@contextmanager
def timed() -> Iterator[None]:
    """What belongs to the step, and not to making its input."""
    begun = time.perf_counter(), time.process_time()
    yield
    _spent[0] += time.perf_counter() - begun[0]
    _spent[1] += time.process_time() - begun[1]


# ---- what is worked on ----


def ids(n: int) -> pd.Series[str]:
    """Random ids of 20 hexadecimal digits."""
    drawn = np.random.default_rng(1).integers(256, size=(n, 10), dtype=np.uint8)
    return pd.Series([row.tobytes().hex() for row in drawn], dtype="str")


def paths(n: int) -> pd.Series[str]:
    names = [f"/pile/{i // 1000:05d}/picture-{i:08d}.jpg" for i in range(n)]
    return pd.Series(names, dtype="str")


def cluster_numbers(n: int) -> np.ndarray[Any, Any]:
    """Unbalanced: the size of a cluster goes with one over its number; a tenth is residual."""
    rng = np.random.default_rng(2)
    shares = 1 / np.arange(1, N_CLUSTERS + 1)
    drawn = rng.choice(N_CLUSTERS, size=n, p=shares / shares.sum()) + 1
    drawn[rng.random(n) < 0.1] = -1
    return drawn


def made_clustering(n: int) -> Clustering:
    rng = np.random.default_rng(3)
    clusters = cluster_numbers(n)
    images = pd.DataFrame(
        {
            "image_id": ids(n),
            "path": paths(n),
            "cluster": clusters,
            "iteration": np.where(clusters > 0, 1, 0),
            "silhouette": rng.normal(0.1, 0.1, n),
            "distance": np.where(clusters > 0, rng.gamma(9, 1, n), np.nan),
            "n_copies": rng.geometric(0.9, n),
        }
    )
    inside = images[images["cluster"] > 0].groupby("cluster")
    table = inside.agg(size=("image_id", "size"), silhouette=("silhouette", "mean")).reset_index()
    table.insert(2, "share", table["size"] / n)
    table["iteration"] = 1
    trace = pd.DataFrame(
        {
            "iteration": [1],
            "n_remaining": [n],
            "k": [N_CLUSTERS],
            "n_cohesive": [N_CLUSTERS],
            "mean_size": [n / N_CLUSTERS],
            "seconds": [1.0],
        }
    )
    centroids = np.zeros((len(table), 2), dtype=np.float32)
    settings = {"method": "iterative", "seed": 0, "encoder": {"name": "hog"}, "width": 2}
    return Clustering(images, table, trace, centroids, settings)


def made_points(clustering: Clustering) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(N_CLUSTERS + 1, 2)) * 10
    clusters = clustering.images["cluster"].to_numpy()
    spread = np.where(clusters > 0, 0.5, 10.0)[:, None]
    places = centres[np.maximum(clusters, 0)] + spread * rng.normal(size=(len(clusters), 2))
    x, y = places.T
    return pd.DataFrame(
        {"image_id": clustering.images["image_id"], "x": x, "y": y, "method": "umap"}
    )


def hashes(n: int, alike: int = 0) -> np.ndarray[Any, Any]:
    """Random; or, a tenth, near copies of others, with so many bits changed."""
    rng = np.random.default_rng(5)
    drawn = rng.integers(2**64, size=n, dtype=np.uint64)
    copies = rng.choice(n, size=n // 10 if alike else 0, replace=False)
    drawn[copies] = drawn[rng.integers(n, size=len(copies))]
    for _ in range(alike):
        drawn[copies] ^= np.uint64(1) << rng.integers(64, size=len(copies), dtype=np.uint64)
    return drawn


def blank_pages(n: int, changed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(6)
    drawn = np.full(n, 0x0123_4567_89AB_CDEF, dtype=np.uint64)
    for _ in range(changed):
        drawn ^= np.uint64(1) << rng.integers(64, size=n, dtype=np.uint64)
    return drawn


def looked_at(n: int) -> pd.DataFrame:
    """What looks at files found; one in ten is a copy of another, one in a hundred is broken."""
    rng = np.random.default_rng(7)
    original = np.arange(n)
    copies = rng.choice(n, size=n // 10, replace=False)
    original[copies] = rng.integers(n, size=len(copies))
    content = ids(n).to_numpy()[original]
    broken = rng.random(n) < 0.01
    sides = pa.array(rng.integers(100, 4000, n)[original], mask=broken)
    columns = {
        "path": pa.array(paths(n), pa.string()),
        "bytes": pa.array(rng.integers(10_000, 10**7, n)[original]),
        "modified": pa.array(np.full(n, 10**18)),
        "image_id": pa.array(content, pa.string()),
        "format": pa.array(np.where(broken, None, "JPEG"), pa.string()),
        "reason": pa.array(np.where(broken, "truncated or damaged", None), pa.string()),
        "width": sides,
        "height": sides,
        "n_pages": pa.array(np.ones(n, dtype=np.int64), mask=broken),
        "truncated": pa.array(np.zeros(n, dtype=bool)),
        "lenient": pa.array(np.zeros(n, dtype=bool)),
        "scale": pa.array(np.full(n, 2), mask=broken),
        "part": pa.array(np.where(broken, None, content), pa.string()),
        "tints": pa.array([bytes(12)] * n, LOOKS.field("tints").type),
        "eye": pa.array(hashes(n)[original], pa.uint64(), mask=broken),
        "pixels": pa.array([None] * n, pa.string()),
        "version": pa.array([version()] * n),
    }
    return to_frame(pa.table(columns, LOOKS)).astype({"eye": "UInt64"})


def images_of(looks: pd.DataFrame, near_duplicates: int | None) -> pd.DataFrame:
    members = looks[["path", "image_id", "bytes", "reason"]].assign(gone=False)
    settings = {"min_bytes": 0, "min_side": 16, "near_duplicates": near_duplicates}
    return _images_table(members, looks, settings, None, lambda files: [None] * len(files))


# ---- the steps: each returns what is worth knowing besides ----


def listing(n: int, folder: Path) -> str:
    """List a folder of empty files with the names of images, and note sizes and times"""
    for start in range(0, n, 10_000):
        place = folder / "pile" / f"{start // 10_000:04d}"
        place.mkdir(parents=True)
        for i in range(start, min(n, start + 10_000)):
            (place / f"{i:08d}.jpg").touch()
    with timed():
        found = Files.of(list_files(folder / "pile").paths)
        found.fingerprint()
    return f"{len(found.paths):,} files"


def scan(n: int, folder: Path) -> str:
    """Scan small PNG files"""
    rng = np.random.default_rng(8)
    n_pictures = n // ROWS_PER_PICTURE
    (folder / "pile").mkdir()
    for i in range(n_pictures):
        picture = Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8))
        picture.save(folder / "pile" / f"{i:06d}.png", compress_level=1)
    with timed():
        scan_images(folder / "pile", out=folder / "run", progress=False)
    return f"{n_pictures:,} files"


def images_table(n: int, folder: Path) -> str:
    """Table of images, exact copies marked; write and read it"""
    looked = looked_at(n)
    with timed():
        table = _with_extras(images_of(looked, None), pd.DataFrame(), None)
        write_table(folder / "images.parquet", table)
        read_table(folder / "images.parquet")
    return ""


def near_table(n: int, folder: Path) -> str:
    """The same with near-duplicates, distance 4"""
    looked = looked_at(n)
    with timed():
        frame = images_of(looked, 4)
    return f"{(frame['status'] == 'duplicate').sum():,} duplicates"


def grown(n: int, folder: Path) -> str:
    """Find the new files of a folder that grew by a thousandth, of looks at the others"""
    looked = looked_at(n)
    old = looked["path"].tolist()
    new = [f"{path}.new" for path in old[:: max(1, n // 1000)]]
    sizes = np.concatenate([looked["bytes"].to_numpy(dtype=np.int64), np.ones(len(new), int)])
    files = Files(old + new, sizes, np.full(len(sizes), 10**18))
    with timed():
        rows = _fresh_rows(files, looked)
    return f"{(rows < 0).sum():,} files to open"


def near_4(n: int, folder: Path) -> str:
    """Near-duplicates at distance 4, spread out, a tenth near copies"""
    return _leaders(hashes(n, alike=3), 4)


def near_10(n: int, folder: Path) -> str:
    """Near-duplicates at distance 10, spread out, a tenth near copies"""
    return _leaders(hashes(n, alike=8), 10)


def near_blank(n: int, folder: Path) -> str:
    """Near-duplicates at distance 4, all nearly alike (3 bits changed)"""
    return _leaders(blank_pages(n, 3), 4)


def near_blurred(n: int, folder: Path) -> str:
    """Near-duplicates at distance 10, all rather alike (8 bits changed)"""
    return _leaders(blank_pages(n, 8), 10)


def _leaders(drawn: np.ndarray[Any, Any], distance: int) -> str:
    with timed():
        found = find_leaders(drawn, distance)
    return f"{(found == np.arange(len(found))).sum():,} kept"


def sampling(n: int, folder: Path) -> str:
    """Sample 5 images per cluster, with a run folder"""
    clustering = made_clustering(n)
    with timed():
        sample = sample_images(clustering, out=folder)
    return f"{len(sample):,} drawn"


def storing(n: int, folder: Path) -> str:
    """Save and load a clustering, summary, print"""
    clustering = made_clustering(n)
    with timed():
        clustering.save(folder)
        loaded = Clustering.load(folder)
        _ = loaded.summary, str(loaded)
    return _size(folder / "clustering.parquet")


def montage(n: int, folder: Path) -> str:
    """Montage of 20 clusters"""
    clustering = made_clustering(n)
    with timed():
        plot_montage(clustering, folder / "montage.png")
    return ""


def map_table(n: int, folder: Path) -> str:
    """Map by two principal components of 16 numbers"""
    vectors = np.random.default_rng(9).normal(size=(n, 16)).astype(np.float32)
    embeddings = Embeddings.from_arrays(vectors, ids(n))
    with timed():
        map_images(embeddings, "pca", progress=False)
    return ""


def map_figure(n: int, folder: Path) -> str:
    """Figure of the map"""
    clustering = made_clustering(n)
    points = made_points(clustering)
    with timed():
        plot_map(clustering, points, folder / "map.png")
    return ""


def gallery(n: int, folder: Path) -> str:
    """Gallery"""
    clustering = made_clustering(n)
    with timed():
        page = image_gallery(clustering, folder, progress=False)
    return _size(page)


def gallery_map(n: int, folder: Path) -> str:
    """Gallery with a map"""
    clustering = made_clustering(n)
    points = made_points(clustering)
    with timed():
        page = image_gallery(clustering, folder, points=points, progress=False)
    return _size(page)


def bundle(n: int, folder: Path) -> str:
    """Share bundle, vectors of 16 numbers"""
    clustering = made_clustering(n)
    images = clustering.images[["image_id", "path", "n_copies"]]
    vectors = np.random.default_rng(10).normal(size=(n, 16)).astype(np.float32)
    Embeddings(images, vectors, {"name": "hog", "width": 16}).save(folder / "run")
    clustering.save(folder / "run")
    for name in ("embed", "cluster"):
        step = Step(folder / "run", name, {}, inputs="")
        step.result(lambda run: None, lambda: 0, lambda made, run: {})
    del images, vectors, clustering
    with timed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        share_bundle(folder / "run", folder / "bundle")
    return ""


STEPS: dict[str, Callable[[int, Path], str]] = {
    step.__name__: step
    for step in (
        listing,
        scan,
        images_table,
        near_table,
        grown,
        near_4,
        near_10,
        near_blank,
        near_blurred,
        sampling,
        storing,
        montage,
        map_table,
        map_figure,
        gallery,
        gallery_map,
        bundle,
    )
}


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB in {path.name}"


# ---- measuring ----


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=sized(2_000, 100_000, 1_000_000))
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=[*STEPS])
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        measure(given.steps[0], given.rows)
        return
    rows = []
    for name in given.steps:
        small, large = (in_a_process(name, n) for n in (given.rows // 10, given.rows))
        rows.append(
            {
                "step": STEPS[name].__doc__,
                "rows": given.rows,
                "seconds": round(large["seconds"], 1),
                "MB, peak": round(large["mb"]),
                "MB, peak, a tenth of the rows": round(small["mb"]),
                "exponent": round(math.log10(large["cpu"] / small["cpu"]), 2),
                "made": large["note"],
            }
        )
        sys.stderr.write(f"{rows[-1]}\n")
    notes = [
        "Seconds are those of the step, without making its input; megabytes are those of the "
        "whole process, its libraries (about 250) and input among them.",
        "The exponent is that of the processor's time, between a tenth of the rows and all.",
        f"Pictures are scanned for one row in {ROWS_PER_PICTURE}; there are "
        f"{N_CLUSTERS} clusters, whose sizes go with one over their number.",
    ]
    write_result(
        "rows", rows, notes=notes, title=f"Steps that only handle rows, {given.rows:,} rows"
    )


def in_a_process(name: str, n: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--alone", "--rows", str(n), "--steps", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        note = STEPS[name](n, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": _spent[0], "cpu": _spent[1], "mb": peak, "note": note}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
