"""Clicks, seconds and wrong labels if whole clusters are labelled, and not single images.

Simulated coders label samples of ``sample_images()`` in three ways: the images of a cluster
together, with one answer for all of them and answers of their own for exceptions; one image after
the other, in the order of the clusters; and in random order. Corpora: the drawn demo corpus, and
``caltech101-unbalanced.tar`` in ``../shared/data``, which is no part of the project. Both have
known classes, and are clustered with default settings.

    python benchmarks/labelling.py [--seeds 6] [--coders 50]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from machine import sized, write_result
from quality import load

from imagestrata import Embeddings, cluster_images, draw_demo_corpus, embed_images, sample_images

#: Images of each cluster in the sample.
NUMBERS = (5, 20, 50)
#: Binary codes ask for one class; classes with fewer of the images are not asked for.
ASKED_FROM = 0.02

#: Seconds of the keystroke-level model (Card, Moran and Newell 1980): to decide, to press a key,
#: to point at an image and click it.
DECIDE, KEY, POINT = 1.35, 0.28, 1.1 + 0.1
#: Assumptions: seconds for each image at which one glances among others; seconds more if an image
#: is unlike the one before; shares of answers that slip and of exceptions that are overlooked.
GLANCE, SWITCH = 0.3, 0.3
SLIP, OVERLOOK = 0.02, (0.1, 0.3)


class Work(NamedTuple):
    """What labelling a sample takes, and the labels that come out."""

    clicks: int
    seconds: float
    labels: np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=sized(1, 3, 6))
    parser.add_argument("--coders", type=int, default=sized(2, 50))
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for corpus, (truth, embeddings) in corpora(Path(folder)).items():
            found = [
                measured
                for seed in range(arguments.seeds)
                for measured in measure(truth, embeddings, seed, arguments.coders)
            ]
            rows += summed(corpus, pd.DataFrame(found))
    write_result(
        "labelling",
        rows,
        coders=arguments.coders,
        seeds=arguments.seeds,
        title="Labelling clusters, and not single images",
        notes=[
            f"Means over {arguments.seeds} clusterings and samples and {arguments.coders} coders "
            "of each. Choice: one code with all classes as answers. Binary: whether an image shows "
            f"one class, the mean over classes with {ASKED_FROM:.0%} of the images or more.",
            "Clicks are keys or clicks per image. For single images 1, which answers and goes on "
            "to the next image. For clusters, as on the page of export_labels(): 1 to answer for "
            "all images, 1 to select each exception, 1 for each answer that exceptions get, and 1 "
            "to go on to the next cluster.",
            f"Seconds per image by the keystroke-level model: {DECIDE} to decide, {KEY} for a key, "
            f"{POINT:.1f} to point and click. Assumed: {GLANCE} to glance at an image among "
            f"others, {SWITCH} more if an image is unlike the one before. Looking for one of many "
            "answers takes no time here, which favours single images.",
            f"Wrong: labels that are not the class. Assumed: {SLIP:.0%} of answers slip, those for "
            f"whole clusters as often as others, and coders overlook {OVERLOOK[0]:.0%} of the "
            "exceptions, or as many as the last column says. Exceptions: images unlike most of "
            "their cluster in the sample.",
        ],
    )


def corpora(folder: Path) -> dict[str, tuple[pd.Series, Embeddings]]:
    """True classes by image id, and embeddings."""
    drawn = draw_demo_corpus(folder / "demo", n_images=sized(300, 2000), progress=False)
    kinds = pd.read_csv(drawn / "labels.csv").set_index("file")["kind"]
    embeddings = embed_images(drawn, progress=False)
    names = [Path(path).relative_to(drawn).as_posix() for path in embeddings.images["path"]]
    demo = pd.Series(kinds.loc[names].to_numpy(), embeddings.images["image_id"])
    return {
        "drawn": (demo, embeddings),
        "photographs": load(folder / "photographs", "efficientnet_lite0"),
    }


def measure(
    truth: pd.Series, embeddings: Embeddings, seed: int, coders: int
) -> list[dict[str, Any]]:
    """What coders need for samples of one clustering."""
    topics = cluster_images(embeddings, seed=seed, progress=False)
    shares = truth.value_counts(normalize=True)
    rows = []
    for n in NUMBERS:
        sample = sample_images(topics, n, seed=seed)
        shown = truth.loc[sample["image_id"]]
        cluster = sample["cluster"].to_numpy()
        for code, classes in {
            "choice": [shown.to_numpy(dtype=str)],
            "binary": [
                np.where(shown == name, "1", "0") for name in shares.index[shares >= ASKED_FROM]
            ],
        }.items():
            for of_code in classes:
                given = {"n per cluster": n, "code": code, "images": len(sample)}
                rng = np.random.default_rng(seed)
                rows += [given | one for one in worked(of_code, cluster, coders, rng)]
    return rows


def worked(
    truth: np.ndarray[Any, Any],
    cluster: np.ndarray[Any, Any],
    coders: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Means over coders, for each way of labelling."""
    order = np.argsort(cluster, kind="stable")
    most = frequent(truth, cluster)
    rows = []
    for way in ("whole clusters", "images by cluster", "images in random order"):
        done = []
        for _ in range(coders):
            if way == "whole clusters":
                work, careless = (
                    by_cluster(truth, cluster, most, overlook, rng) for overlook in OVERLOOK
                )
            else:
                place = order if way == "images by cluster" else rng.permutation(len(truth))
                work = careless = by_image(truth, place, rng)
            wrong = [int((one.labels != truth).sum()) for one in (work, careless)]
            done.append((work.clicks, work.seconds, *wrong))
        names = ("clicks", "seconds", "wrong", "careless")
        means = dict(zip(names, np.mean(done, axis=0) / len(truth), strict=True))
        rows.append({"way": way, "exceptions": float((truth != most).mean()), **means})
    return rows


def by_image(
    truth: np.ndarray[Any, Any], place: np.ndarray[Any, Any], rng: np.random.Generator
) -> Work:
    """One answer for each image, after which the next one is shown."""
    unlike = int((truth[place][1:] != truth[place][:-1]).sum())
    seconds = len(truth) * (DECIDE + KEY) + unlike * SWITCH
    return Work(len(truth), seconds, slipped(truth, np.unique(truth), rng))


def by_cluster(
    truth: np.ndarray[Any, Any],
    cluster: np.ndarray[Any, Any],
    most: np.ndarray[Any, Any],
    overlook: float,
    rng: np.random.Generator,
) -> Work:
    """One answer for each cluster, and one for each exception that is seen."""
    answers = np.unique(truth)
    first = np.unique(cluster, return_index=True)[1]
    # An answer for a whole cluster that slips is wrong for all of its images.
    whole = dict(zip(cluster[first], slipped(most[first], answers, rng), strict=True))
    seen = (truth != most) & (rng.random(len(truth)) >= overlook)
    labels = np.array([whole[number] for number in cluster], dtype=truth.dtype)
    labels[seen] = slipped(truth[seen], answers, rng)
    n_clusters, n_seen = len(first), int(seen.sum())
    # Exceptions of a cluster with the same answer are selected one by one, and get it together.
    n_answers = len({*zip(cluster[seen], labels[seen], strict=True)})
    seconds = (
        n_clusters * (DECIDE + 2 * KEY)
        + len(truth) * GLANCE
        + n_seen * (POINT + DECIDE)
        + n_answers * KEY
        + int((most[first][1:] != most[first][:-1]).sum()) * SWITCH
    )
    return Work(2 * n_clusters + n_seen + n_answers, seconds, labels)


def frequent(truth: np.ndarray[Any, Any], cluster: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """For each image, the most frequent class of its cluster in the sample."""
    groups = pd.Series(truth).groupby(cluster)
    return groups.transform(lambda values: values.mode()[0]).to_numpy()


def slipped(
    labels: np.ndarray[Any, Any], answers: np.ndarray[Any, Any], rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Labels, a few of which are another answer."""
    codes = np.searchsorted(answers, labels)
    wrong = rng.random(len(labels)) < SLIP
    if len(answers) > 1:
        codes[wrong] += rng.integers(1, len(answers), wrong.sum())
    return answers[codes % len(answers)]


def summed(corpus: str, table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each sample, code and way."""
    rows = []
    keys = ["n per cluster", "code", "way"]
    for (n, code, way), group in table.groupby(keys, sort=False):
        mean = group.mean(numeric_only=True)
        rows.append(
            {
                "corpus": corpus,
                "images per cluster": n,
                "images": round(mean["images"]),
                "code": code,
                "labelled": way,
                "exceptions": f"{mean['exceptions']:.1%}",
                "clicks": f"{mean['clicks']:.2f}",
                "seconds": f"{mean['seconds']:.2f}",
                "wrong": f"{mean['wrong']:.1%}",
                f"wrong, {OVERLOOK[1]:.0%} overlooked": f"{mean['careless']:.1%}",
            }
        )
    return rows


if __name__ == "__main__":
    main()
