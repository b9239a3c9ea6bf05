"""How much faster a network is fine-tuned than by a plain loop, over 50 epochs.

The plain loop is that of the Element's companion code in essence: Pillow, torchvision's
transforms, float32, every picture opened and decoded again in every epoch. Both train all
weights of the same network from the same weights, on the same photographs of
``../shared/data``, enlarged to 1,000 x 750 pixels, with the same split and batches of 4. The
first half of the loop's epochs runs before ours, the second half after it. Times are
processor times in one thread, which other programs on the machine hardly change.

    python benchmarks/fine_tuning.py [--epochs 50] [--images 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torchvision
from fine_tuning_quality import SIX, tasks
from machine import photographs, sized, write_result
from PIL import Image
from torch import nn
from torchvision import transforms

from imagestrata import FineTunedModel, fine_tune, scan_images
from imagestrata.encoders.registry import load_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=sized(1, 50))
    parser.add_argument("--images", type=int, default=5, help="photographs per class")
    arguments = parser.parse_args()
    epochs = arguments.epochs
    warnings.filterwarnings("ignore", message=".*have no label.*|.*lacks images.*|.*undefined.*")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        labels = enlarge(folder, arguments.images)
        images = scan_images(folder / "large", progress=False)
        resnet = folder / "resnet18.pth"
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet18().state_dict(), resnet)
        shared = {"epochs": epochs, "split": (0.8, 0.2, 0), "progress": False}
        element = shared | {"preset": "element", "encoder": "resnet18", "weights": resnet}
        rows = []
        for name, given, weights in (
            ("efficientnet_lite0", shared, None),
            ("resnet18", element, resnet),
        ):
            model = fine_tune(images, labels, **given | {"epochs": 1})
            loop = PlainLoop(model, labels, name, weights)
            half = epochs // 2
            theirs, _ = timed(lambda loop=loop, half=half: loop.train(half))
            ours, model = timed(lambda given=given: fine_tune(images, labels, **given))
            rest, _ = timed(lambda loop=loop, half=epochs - half: loop.train(half))
            theirs += rest
            how = "defaults" if weights is None else 'preset="element"'
            found = [
                ("plain loop, float32", theirs, min(loop.losses)),
                (f"fine_tune(), {how}", ours, lowest(model)),
            ]
            if weights is None:
                frozen = shared | {"freeze": "backbone"}
                quick, model = timed(lambda given=frozen: fine_tune(images, labels, **given))
                found.append(('fine_tune(freeze="backbone")', quick, lowest(model)))
            for training, taken, loss in found:
                rows.append(row(name, training, taken, theirs, epochs, loss))
                print(rows[-1], flush=True)
    write_result(
        "fine_tuning",
        rows,
        title="Fine-tuning on six classes",
        notes=[
            f"{len(labels)} photographs of 1,000 x 750 pixels, 80% to train on. All {epochs} "
            "epochs were run; ours contain the reading of the pictures and the final evaluation.",
            "Processor time of one thread; the loop ran half before and half after ours.",
            "resnet18 begins with random weights. Losses are those of a fifth of the photographs "
            "and one seed; the loop normalises by batch.",
            f'fine_tune() computed in {model.encoder["precision"]}, which precision="auto" chose '
            "on this processor because it is faster here.",
        ],
    )


def row(
    name: str, training: str, taken: float, theirs: float, epochs: int, loss: float
) -> dict[str, Any]:
    return {
        "network": name,
        "training": training,
        "seconds per epoch": f"{taken / epochs:.2f}",
        f"{epochs} epochs": f"{taken:.0f} s",
        "times as fast": f"{theirs / taken:.{2 if theirs < 10 * taken else 0}f}",
        "lowest validation loss": f"{loss:.3f}",
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of all threads, and the result."""
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def lowest(model: FineTunedModel) -> float:
    """The lowest validation loss."""
    history = model.history
    return float(history.loc[history["split"] == "val", "loss"].min())


def enlarge(folder: Path, n: int) -> pd.DataFrame:
    """Some photographs of six classes, as large as pictures of social media are."""
    six = tasks(photographs(folder, few=20))["six classes"]
    labels = six.groupby("class").sample(n, random_state=0)
    (folder / "large").mkdir()
    names = [f"{i:03d}.jpg" for i in range(len(labels))]
    for path, name in zip(labels["path"], names, strict=True):
        with Image.open(folder / path) as image:
            large = image.convert("RGB").resize((1000, 750), Image.Resampling.BICUBIC)
        large.save(folder / "large" / name, quality=85)
    return labels.assign(path=names)


class Photographs(torch.utils.data.Dataset[Any]):
    """Pictures decoded anew each time they are asked for."""

    def __init__(self, table: pd.DataFrame, transform: Any) -> None:
        self.table, self.transform = table, transform

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        with Image.open(self.table["path"].iloc[row]) as image:
            pixels = self.transform(image.convert("RGB"))
        return pixels, SIX.index(self.table["class"].iloc[row])


class PlainLoop:
    """Training in the plainest way, on a model's split."""

    def __init__(
        self, model: FineTunedModel, labels: pd.DataFrame, name: str, weights: Path | None
    ) -> None:
        splits = model.predictions.drop_duplicates("image_id")[["path", "split"]]
        table = splits.assign(name=[Path(path).name for path in splits["path"]]).merge(
            labels.rename(columns={"path": "name"}), on="name"
        )
        self.network, look = load_network(name, weights=weights, resize="rescale_crop")
        normal = [transforms.ToTensor(), transforms.Normalize(look["mean"], look["sd"])]
        looks = {
            "train": [
                transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *normal,
            ],
            "val": [transforms.Resize(256), transforms.CenterCrop(224), *normal],
        }  # fmt: skip
        self.loaders = {
            split: torch.utils.data.DataLoader(
                Photographs(table[table["split"] == split], transforms.Compose(steps)),
                batch_size=4,
                shuffle=split == "train",
            )
            for split, steps in looks.items()
        }
        self.network = nn.Sequential(self.network, nn.Linear(look["width"], len(SIX)))
        self.optimizer = torch.optim.SGD(self.network.parameters(), 0.001, 0.9)
        self.losses: list[float] = []
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 7, 0.1)

    def train(self, epochs: int) -> None:
        criterion = nn.CrossEntropyLoss()
        for _ in range(epochs):
            self.network.train()
            for pixels, truth in self.loaders["train"]:
                self.optimizer.zero_grad()
                criterion(self.network(pixels), truth).backward()
                self.optimizer.step()
            self.schedule.step()
            self.network.eval()
            total = 0.0
            with torch.no_grad():
                for pixels, truth in self.loaders["val"]:
                    total += float(criterion(self.network(pixels), truth)) * len(truth)
            self.losses.append(total / len(self.loaders["val"].dataset))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
