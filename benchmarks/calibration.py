"""What calibration by ``tag_images(calibrate=)`` does to confidences, with simulated scores.

A simulated network is overconfident (its scores are five times too large) and prefers some labels,
whose captions fit any image better. The true probabilities are known.

    python benchmarks/calibration.py [--samples 200]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from machine import sized, write_result
from scipy.optimize import minimize_scalar

from imagestrata.text.calibration import Truth, calibrate_choice, fit
from imagestrata.text.tag_table import softmax

Array = np.ndarray[Any, Any]

#: Numbers of labels and of labelled images; images in the corpus.
LABELS, LABELLED, IMAGES = (2, 5), (10, 30, 100, 300), 4000
#: How much larger the scores are than those of the true probabilities, and the preference for
#: labels: standard deviation on the scale of the true scores.
FACTOR, PREFERENCE = 5.0, 1.5
BINS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=sized(3, 100))
    n = parser.parse_args().samples
    warnings.simplefilter("ignore")
    write_result(
        "calibration",
        [*measured(n)],
        title="Are calibrated confidences probabilities?",
        notes=[
            f"{n} simulated corpora of {IMAGES:,} images each; means over corpora. The network is "
            f"overconfident by a factor of {FACTOR:g} and prefers some labels.",
            "log loss: mean of -log p of the true label over images without a label by hand; "
            "possible: with the true probabilities; temperature: one slope, no constants.",
            f"error: expected calibration error of the first label, {BINS} bins of equal size.",
            "share: mean absolute difference of the mean probability of a label and its share.",
            "labelled: log loss of images with a label by hand, in the fit to all of them or out "
            "of fold, as it is in the table.",
        ],
    )


def measured(n_samples: int) -> Iterator[dict[str, Any]]:
    for k, n_labelled in product(LABELS, LABELLED):
        rng = np.random.default_rng([k, n_labelled])
        found = [one_corpus(rng, k, n_labelled) for _ in range(n_samples)]
        means = {name: np.nanmean([one[name] for one in found]) for name in found[0]}
        yield {"labels": k, "labelled": n_labelled} | {
            name: f"{value:.3f}" for name, value in means.items()
        }


def one_corpus(rng: np.random.Generator, k: int, n_labelled: int) -> dict[str, float]:
    true_scores = rng.normal(size=(IMAGES, k)) * 2 + np.linspace(1, -1, k)
    chances = softmax(true_scores)
    drawn = (rng.random(IMAGES)[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    truth = np.eye(k)[drawn]
    scores = FACTOR * (true_scores + rng.normal(size=k) * PREFERENCE)
    answers = np.full(truth.shape, np.nan)
    answers[:n_labelled] = truth[:n_labelled]
    if (truth[:n_labelled].sum(axis=0) > 0).sum() < 2:  # refused
        return one_corpus(rng, k, n_labelled)
    known, rest = slice(n_labelled), slice(n_labelled, None)
    found = calibrate_choice(scores, Truth(answers, np.ones(IMAGES)), [*map(str, range(k))])
    inside = fit(scores[known], truth[known], np.ones(n_labelled))(scores[known])
    alone = minimize_scalar(
        lambda slope: log_loss(softmax(slope * scores[known]), truth[known]), bounds=(1e-3, 2),
        method="bounded",
    )  # fmt: skip
    raw, made = softmax(scores[rest]), found.probabilities[rest]
    return {
        "log loss, possible": log_loss(chances[rest], truth[rest]),
        "raw": log_loss(raw, truth[rest]),
        "temperature": log_loss(softmax(alone.x * scores[rest]), truth[rest]),
        "calibrated": log_loss(made, truth[rest]),
        "error, raw": calibration_error(raw[:, 0], truth[rest, 0]),
        "error, calibrated": calibration_error(made[:, 0], truth[rest, 0]),
        "share, raw": float(np.abs((raw - truth[rest]).mean(axis=0)).mean()),
        "share, calibrated": float(np.abs((made - truth[rest]).mean(axis=0)).mean()),
        "labelled, in the fit": log_loss(inside, truth[known]),
        "labelled, out of fold": log_loss(found.probabilities[known], truth[known]),
    }


def log_loss(probabilities: Array, truth: Array) -> float:
    return float(-np.log(np.maximum((probabilities * truth).sum(axis=1), 1e-15)).mean())


def calibration_error(probabilities: Array, truth: Array) -> float:
    bins = np.array_split(np.argsort(probabilities), BINS)
    gaps = [abs(probabilities[one].mean() - truth[one].mean()) * len(one) for one in bins]
    return float(sum(gaps) / len(truth))


if __name__ == "__main__":
    main()
