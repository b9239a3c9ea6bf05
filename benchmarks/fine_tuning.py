"""How fast a network is fine-tuned, and whether speed costs quality.

Compared with the loop that the Element's companion code has in essence: Pillow,
torchvision's transforms, float32, every picture decoded again in every epoch, and no
work ahead of time. Both train all of resnet18 with 12 labels on the same 609 photographs
of ``../shared/data``, blown up to 1,000 x 750 pixels, from the same random weights, with
batches of 4 and batch norm by batch, in one process. The frozen backbone has 50 epochs,
decoding and vectors included; the loop's 50 epochs are told from those that were timed.

    python benchmarks/fine_tuning.py [--epochs 4] [--seeds 5]
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from fine_tuning_quality import DATA, TWELVE, tasks
from machine import write_result
from PIL import Image
from torch import nn
from torchvision import transforms

from imagestrata import FineTunedModel, fine_tune, scan_images

MEAN, SD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4, help="timed epochs of all weights")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--loss-images", type=int, default=160)
    parser.add_argument("--loss-epochs", type=int, default=4)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*have no label.*|.*lacks images.*")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        labels = enlarge(folder)
        weights = folder / "resnet18.pth"
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet18().state_dict(), weights)
        images = scan_images(folder / "large", progress=False)
        n = len(labels)
        whole = {"encoder": "resnet18", "weights": weights, "batch_norm": "batch"}
        whole |= {"max_gradient_norm": None, "progress": False, "split": (0.8, 0.2, 0)}
        start = time.perf_counter()
        fine_tune(
            images, labels, encoder="resnet18", weights=weights, freeze="backbone",
            split=(0.8, 0.2, 0), progress=False,
        )  # fmt: skip
        frozen_seconds = time.perf_counter() - start
        once, model = timed(lambda: fine_tune(images, labels, epochs=1, **whole))
        more, model = timed(lambda: fine_tune(images, labels, epochs=1 + arguments.epochs, **whole))
        ours = (more - once) / arguments.epochs
        begun = time.perf_counter()
        plain_loop(model, labels, weights, arguments.epochs, 0)
        theirs = (time.perf_counter() - begun) / arguments.epochs
        print(f"{theirs:.1f}, {ours:.1f} s an epoch; {once:.1f} one; {frozen_seconds:.1f} frozen")
        some = labels.sample(arguments.loss_images, random_state=0)
        losses: dict[str, list[float]] = {"ours": [], "theirs": []}
        for seed in range(arguments.seeds):
            given = whole | {"epochs": arguments.loss_epochs, "learning_rate": 0.01}
            short = fine_tune(images, some, seed=seed, **given)
            val = short.history[short.history["split"] == "val"]["loss"]
            losses["ours"].append(float(val.iloc[-1]))
            losses["theirs"].append(
                plain_loop(short, some, weights, arguments.loss_epochs, seed, rate=0.01)
            )
    rows = [
        {
            "training": "plain loop, float32",
            "seconds per epoch": f"{theirs:.1f}",
            "50 epochs": f"{50 * theirs:.0f} s",
            "times as fast": "1",
            "final validation loss": summary(losses["theirs"]),
        },
        {
            "training": "fine_tune(), all weights",
            "seconds per epoch": f"{ours:.1f}",
            "50 epochs": f"{once + 49 * ours:.0f} s",
            "times as fast": f"{50 * theirs / (once + 49 * ours):.2f}",
            "final validation loss": summary(losses["ours"]),
        },
        {
            "training": 'fine_tune(freeze="backbone")',
            "seconds per epoch": f"{frozen_seconds / 50:.2f}",
            "50 epochs": f"{frozen_seconds:.0f} s",
            "times as fast": f"{50 * theirs / frozen_seconds:.0f}",
            "final validation loss": None,
        },
    ]
    difference = np.array(losses["ours"]) - np.array(losses["theirs"])
    write_result(
        "fine_tuning",
        rows,
        title="Fine-tuning resnet18 on 12 labels",
        notes=[
            f"{n} images, 80% to train on; {arguments.epochs} epochs timed, 50 extrapolated; "
            "reading the pictures and judging them at the end, once, is in our 50 epochs.",
            f"Losses: {arguments.loss_images} images, {arguments.loss_epochs} epochs at a rate of "
            f".01, {arguments.seeds} seeds, mean (lowest to highest); mean difference, ours minus "
            f"theirs: {difference.mean():+.3f} (standard error "
            f"{difference.std(ddof=1) / np.sqrt(len(difference)):.3f}).",
        ],
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def enlarge(folder: Path) -> pd.DataFrame:
    """609 photographs with 12 labels, as large as pictures of social media are."""
    with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
        archive.extractall(folder, filter="data")
    labels = tasks(pd.read_csv(folder / "labels.csv"))["twelve labels"]
    (folder / "large").mkdir()
    for path in labels["path"]:
        with Image.open(folder / path) as image:
            large = image.convert("RGB").resize((1000, 750), Image.Resampling.BICUBIC)
        large.save(folder / "large" / Path(path).name, quality=85)
    return labels.assign(path=[Path(path).name for path in labels["path"]])


class Photographs(torch.utils.data.Dataset[Any]):
    """Pictures decoded anew each time they are asked for."""

    def __init__(self, table: pd.DataFrame, transform: Any) -> None:
        self.table, self.transform = table, transform

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        with Image.open(self.table["path"].iloc[row]) as image:
            pixels = self.transform(image.convert("RGB"))
        truth = self.table[[*TWELVE]].iloc[row].to_numpy(dtype=np.float32)
        return pixels, torch.from_numpy(truth)


def plain_loop(
    model: FineTunedModel,
    labels: pd.DataFrame,
    weights: Path,
    epochs: int,
    seed: int,
    *,
    rate: float = 0.001,
) -> float:
    """Train on the same split in the plainest way; the last validation loss."""
    splits = model.predictions.drop_duplicates("image_id")[["path", "split"]]
    table = splits.assign(name=[Path(path).name for path in splits["path"]]).merge(
        labels.rename(columns={"path": "name"}), on="name"
    )
    normal = [transforms.ToTensor(), transforms.Normalize(MEAN, SD)]
    looks = {
        "train": [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *normal],
        "val": [transforms.Resize(256), transforms.CenterCrop(224), *normal],
    }
    loaders = {
        name: torch.utils.data.DataLoader(
            Photographs(table[table["split"] == name], transforms.Compose(look)),
            batch_size=4,
            shuffle=name == "train",
        )
        for name, look in looks.items()
    }
    torch.manual_seed(seed)
    network = torchvision.models.resnet18()
    network.load_state_dict(torch.load(weights))
    network.fc = nn.Linear(512, len(TWELVE))
    nn.init.normal_(network.fc.weight, std=0.01)
    nn.init.zeros_(network.fc.bias)
    optimizer = torch.optim.SGD(network.parameters(), rate, 0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 7, 0.1)
    criterion = nn.BCEWithLogitsLoss()
    total = 0.0
    for _ in range(epochs):
        network.train()
        for pixels, truth in loaders["train"]:
            optimizer.zero_grad()
            criterion(network(pixels), truth).backward()
            optimizer.step()
        schedule.step()
        network.eval()
        total = 0.0
        with torch.no_grad():
            for pixels, truth in loaders["val"]:
                total += float(criterion(network(pixels), truth)) * len(truth)
    return total / len(loaders["val"].dataset)  # type: ignore[arg-type]


def summary(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
