"""Which batch norm and which longest gradient are the best defaults of fine_tune().

All weights of EfficientNet-Lite0, with its own batch norms and their running statistics, are
trained for 10 epochs on photographs of ``../shared/data``: six classes (16 images each to
train on, 8 for validation, 30 for the test) and 12 labels (10, 5 and 20 of each, and four
times as many of other classes). Pictures are 160 pixels wide and float32 is used, so that all
runs take hours rather than a day. Finished runs are kept in a CSV file, and are not repeated.

    python benchmarks/fine_tuning_defaults.py [--runs RUNS.csv] [--seeds 5]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fine_tuning_quality import SIX, TWELVE
from machine import SIZE, commit, photographs, sized, write_result
from PIL import Image
from torch import nn

from imagestrata.encoders.registry import load_network
from imagestrata.finetune.job import _cut
from imagestrata.finetune.network import Network
from imagestrata.finetune.pictures import training_picture
from imagestrata.finetune.task import first_bias
from imagestrata.finetune.training import Recipe, _Passes, train

SIDE, SHORT_SIDE = 160, 182
EPOCHS = sized(1, 10)
#: Classes, and images per class for training, validation and test.
TASKS = {"six classes": (SIX, 16, 8, 30), "12 labels": (TWELVE, 10, 5, 20)}
#: Batch sizes and learning rates.
STEPS = [(4, 0.001), (32, 0.001), (4, 0.005), (32, 0.01)][: sized(1, 4)]
#: The third updates its running statistics ten times as fast as the network's own batch norms.
NORMS = ("fixed", "batch", "batch, momentum .1")
LIMITS = (None, 5.0, 1.0)
KEY = ("task", "batch", "rate", "norm", "limit", "seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(tempfile.gettempdir()) / f"fine_tuning_defaults-{SIZE}-{commit()}.csv"
    parser.add_argument("--runs", type=Path, default=runs)
    parser.add_argument("--seeds", type=int, default=sized(1, 5))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        photographs(place, few=60)
        for task in TASKS:
            run_all(task, Path(place), arguments.runs, arguments.seeds)
    runs = pd.read_csv(arguments.runs, dtype={"limit": str})
    write_result(
        "fine_tuning_defaults",
        list(summaries(runs)),
        title="Batch norm and the longest gradient",
        notes=[
            f"EfficientNet-Lite0, all weights, {EPOCHS} epochs, {SIDE} pixels, float32, momentum "
            ".9, a tenth of the learning rate after 7 epochs; the epoch with the lowest "
            "validation loss.",
            "Means over seeds (lowest to highest), test images. Each seed has another split.",
        ],
    )


def settings(task: str) -> Iterator[tuple[Any, ...]]:
    for (batch, rate), norm, limit in product(STEPS, NORMS, LIMITS):
        usual = rate == STEPS[0][1]
        # Side questions, each asked where its answer could matter.
        if norm == NORMS[2] and (limit is not None or task != "six classes"):
            continue
        if limit == 1.0 and (norm == NORMS[2] or not usual):
            continue
        yield batch, rate, norm, limit


def run_all(task: str, folder: Path, runs: Path, seeds: int) -> None:
    """Run what is missing in the file."""
    if not runs.exists():
        runs.write_text(",".join([*KEY, "loss", "accuracy", "f1", "above_5", "seconds"]) + "\n")
    done = {tuple(line) for line in pd.read_csv(runs, dtype=str)[[*KEY]].fillna("none").to_numpy()}
    wanted = [
        (task, *each, seed)
        for each, seed in product(settings(task), range(seeds))
        if (task, *(shown(x) for x in each), str(seed)) not in done
    ]
    if not wanted:
        return
    examples = Examples(task, folder)
    for _, batch, rate, norm, limit, seed in wanted:
        start = time.process_time()
        found = examples.train(batch, rate, norm, limit, seed)
        taken = f"{time.process_time() - start:.0f}"
        with runs.open("a", newline="") as file:
            csv.writer(file).writerow(
                [task, batch, rate, norm, shown(limit), seed, *(f"{x:.5g}" for x in found), taken]
            )


def shown(value: Any) -> str:
    return "none" if value is None else str(value)


class Examples:
    """Pictures in memory, and their labels."""

    def __init__(self, task: str, folder: Path) -> None:
        names, *sizes = TASKS[task]
        self.task = "multiclass" if task == "six classes" else "multilabel"
        self.sizes = sizes
        table = pd.read_csv(folder / "labels.csv")
        parts = [table[table["class"] == name].sample(sum(sizes), random_state=0) for name in names]
        if self.task == "multilabel":
            others = table[~table["class"].isin(names)]
            parts.append(others.sample(4 * sum(sizes), random_state=0).assign(**{"class": "other"}))
        used = pd.concat(parts)
        self.classes = used["class"].to_numpy(dtype=str)
        self.truth = np.stack([self.classes == name for name in names], axis=1).astype(np.float32)
        _, look = load_network("efficientnet_lite0", weights=None, resize="rescale_crop")
        look |= {"input_size": SIDE, "short_side": SHORT_SIDE}
        pictures = [
            training_picture(Image.open(folder / path).convert("RGB"), look)
            for path in used["path"]
        ]
        self.load = partial(_cut, pictures, SIDE, "crop_flip", 0.0)

    def split(self, seed: int) -> list[Any]:
        """Rows for training, validation and test."""
        rng = np.random.default_rng(seed)
        found: list[list[Any]] = [[], [], []]
        for name in np.unique(self.classes):
            rows = rng.permutation(np.flatnonzero(self.classes == name))
            ends = np.cumsum(self.sizes) * (4 if name == "other" else 1)
            for part, cut in zip(found, np.split(rows, ends[:-1]), strict=True):
                part.append(cut)
        return [np.sort(np.concatenate(part)) for part in found]

    def train(
        self, batch: int, rate: float, norm: str, limit: float | None, seed: int
    ) -> list[float]:
        """Test loss, accuracy and F1, and the share of gradients longer than 5."""
        training, validation, test = self.split(seed)
        backbone, look = load_network("efficientnet_lite0", weights=None, resize="rescale_crop")
        bias = first_bias(self.task, self.truth[training])
        network = Network(
            backbone, look, bias, n_frozen=0, batch_norm=norm.split(",")[0], dropout=0, seed=seed
        )
        if norm == NORMS[2]:
            for layer in network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.momentum = 0.1
        recipe = Recipe(
            optimizer="sgd", learning_rate=rate, momentum=0.9, batch_size=batch, epochs=EPOCHS,
            step_size=7, gamma=0.1, max_gradient_norm=np.inf if limit is None else limit,
            class_weights=False, patience=None, seed=seed,
        )  # fmt: skip
        place, dtype = torch.device("cpu"), torch.float32
        with watched_norms() as lengths:
            train(
                network, self.load, self.task, self.truth, training, validation, recipe,
                device=place, dtype=dtype, folder=None, progress=False,
            )  # fmt: skip
        compute = _Passes(network, self.load, self.task, self.truth, None, None, place, dtype)
        found = compute.judge(test)
        above = float((np.array(lengths) > 5).mean())
        return [found["loss"], found["accuracy"], found["f1"], above]


@contextmanager
def watched_norms() -> Iterator[list[float]]:
    """Yield a list that receives the lengths of all gradients, before they are shortened."""
    true, lengths = nn.utils.clip_grad_norm_, []

    def watching(weights: Any, longest: float) -> Any:
        length = true(weights, longest)
        lengths.append(float(length))
        return length

    nn.utils.clip_grad_norm_ = watching
    try:
        yield lengths
    finally:
        nn.utils.clip_grad_norm_ = true


def summaries(runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for task in TASKS:
        measure = "accuracy" if task == "six classes" else "f1"
        for batch, rate, norm, limit in settings(task):
            same = runs[
                (runs["task"] == task) & (runs["batch"] == batch) & (runs["rate"] == rate)
                & (runs["norm"] == norm) & (runs["limit"].fillna("none") == shown(limit))
            ]  # fmt: skip
            if len(same):
                yield {
                    "task": task,
                    "batch": batch,
                    "learning rate": f"{rate:g}",
                    "batch norm": norm,
                    "longest gradient": "any" if limit is None else f"{limit:g}",
                    "seeds": len(same),
                    "test loss": spread(same["loss"]),
                    "accuracy (six) or F1 (12)": spread(same[measure]),
                    "gradients above 5": f"{same['above_5'].mean():.0%}",
                }


def spread(values: pd.Series[float]) -> str:
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


if __name__ == "__main__":
    main()
