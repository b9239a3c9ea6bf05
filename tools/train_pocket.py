"""Train the encoder `pocket`: a small network learns to see as a large one does.

    python tools/train_pocket.py --images ../shared/data/pocket-train.tar \
        --teacher ../shared/data/mobilenet_v2_imagenet.pth --out pocket-run --seed 0

Teacher and student look at the same view: a random window of a picture, flipped and recoloured at
random and, half of the time, mixed with another one. Every view is drawn anew; what the teacher
said of a view is kept, and old views come back among the new ones. See docs/pocket.md.

The run stops and goes on: call the same command again.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import multiprocessing
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import safetensors.torch
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imagestrata.encoders.inference import optimise
from imagestrata.encoders.pocket import MEAN, SD, WIDTH, PocketNetwork, pack
from imagestrata.files import file_hash, write_bytes

SHORT, LONG = 168, 240
TEACHER_SIDE = 160
STUDENT_SIDE = 128

#: Smaller pictures first, for speed: up to which share of the course, and their side.
SIDES = ((0.45, 96), (0.8, 112), (math.inf, STUDENT_SIDE))

CHUNK = 64
FIRST_CHUNKS = 80
HELD_OUT = 15
LEAD = 60

#: Main directions of the teacher's vectors that the student learns.
DIRECTIONS = 512

#: How often a picture of each source is drawn; portraits are much alike, ImageNet is varied.
SHARES = {"imagenet-samples": 3.0, "caltech101-rest": 1.5, "pacs": 1.0, "congress": 0.5}


class Pictures:
    """All training pictures, decoded once: short side 168 pixels, the middle 240 of the long."""

    def __init__(self, archive: Path, folder: Path) -> None:
        index = folder / "pictures.npz"
        if not index.exists():
            self._decode(archive, folder)
        stored = np.load(index)
        self.names, self.sources = stored["names"], stored["sources"]
        self._shapes, self._starts = stored["shapes"], stored["starts"]
        self._bytes = np.memmap(folder / "pictures.u8", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        start, stop = self._starts[row : row + 2]
        return self._bytes[start:stop].reshape(*self._shapes[row], 3)

    @staticmethod
    def _decode(archive: Path, folder: Path) -> None:
        pictures, sources = {}, {}
        with tarfile.open(archive) as tar:
            for member in tar:
                data = tar.extractfile(member)
                if data is None:
                    continue
                if member.name.endswith(".csv"):
                    rows = csv.DictReader(data.read().decode().splitlines())
                    sources = {row["image"]: row["source"] for row in rows}
                else:
                    coded = np.frombuffer(data.read(), np.uint8)
                    pictures[Path(member.name).stem] = _shrink(cv2.imdecode(coded, 1)[:, :, ::-1])
        names = sorted(pictures)
        sizes = [pictures[name].size for name in names]
        with (folder / "pictures.u8").open("wb") as file:
            for name in names:
                file.write(pictures[name].tobytes())
        np.savez(
            folder / "pictures.npz",
            names=names,
            sources=[sources[name] for name in names],
            shapes=[pictures[name].shape[:2] for name in names],
            starts=np.r_[0, np.cumsum(sizes)],
        )


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = SHORT / min(height, width)
    size = max(SHORT, round(width * scale)), max(SHORT, round(height * scale))
    if size != (width, height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (max(0, (side - LONG) // 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + LONG, left : left + LONG])


class Views:
    """Random views by number: the same number gives the same views, pixel for pixel."""

    def __init__(self, pictures: Pictures, rows: NDArray[Any], seed: int, plain: bool) -> None:
        self._pictures, self._rows, self._seed, self._plain = pictures, rows, seed, plain
        shares = np.array([SHARES.get(source, 1.0) for source in pictures.sources[rows]])
        self._shares = shares / shares.sum()

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Chunk ``number``: pixels of shape (64, 160, 160, 3), and which views are not mixed."""
        rng = np.random.default_rng((self._seed, number))
        rows = rng.choice(self._rows, CHUNK, p=self._shares)
        pixels = torch.from_numpy(np.stack([_view(self._pictures[row], rng) for row in rows]))
        pure = torch.ones(CHUNK, dtype=torch.bool)
        if self._plain:
            return pixels, pure
        # Half of the views take in some of their neighbour: all over, or within a rectangle.
        other = pixels.roll(1, 0)
        for row in range(0, CHUNK, 2):
            share = rng.uniform(0.15, 0.85)
            pure[row] = False
            if row % 3:
                pixels[row] = torch.lerp(pixels[row].float(), other[row].float(), share).byte()
            else:
                height, width = (int(TEACHER_SIDE * math.sqrt(share)) for _ in range(2))
                top, left = (int(rng.integers(0, TEACHER_SIDE - s + 1)) for s in (height, width))
                window = (row, slice(top, top + height), slice(left, left + width))
                pixels[window] = other[window]
        return pixels, pure


def _view(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    area = height * width * rng.uniform(0.2, 1)
    ratio = math.exp(rng.uniform(-0.29, 0.29))
    across = min(width, round(math.sqrt(area * ratio)))
    down = min(height, round(math.sqrt(area / ratio)))
    top, left = int(rng.integers(0, height - down + 1)), int(rng.integers(0, width - across + 1))
    window = picture[top : top + down, left : left + across]
    larger = min(across, down) > TEACHER_SIDE
    how = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
    view = cv2.resize(window, (TEACHER_SIDE, TEACHER_SIDE), interpolation=how)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < 0.08:
        view = np.repeat(
            cv2.cvtColor(np.ascontiguousarray(view), cv2.COLOR_RGB2GRAY)[..., None], 3, 2
        )
    if rng.random() < 0.6:
        level = np.linspace(0, 1, 256)[:, None] ** math.exp(rng.uniform(-0.4, 0.4))
        gain = rng.uniform(0.7, 1.2) * rng.uniform(0.9, 1.1, 3)
        table = 255 * (gain * (level - 0.5) + 0.5 + rng.uniform(-0.1, 0.1))
        table = table.clip(0, 255).astype(np.uint8)[:, None]
        view = cv2.LUT(np.ascontiguousarray(view), table)
    return np.ascontiguousarray(view)


def as_input(pixels: Tensor, side: int) -> Tensor:
    """Normalised pixels of shape (n, 3, side, side), channels last."""
    mean, sd = (255 * torch.tensor(value).view(3, 1, 1) for value in (MEAN, SD))
    if side != pixels.shape[1]:
        small = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pixels.numpy()]
        pixels = torch.from_numpy(np.stack(small))
    return ((pixels.permute(0, 3, 1, 2) - mean) / sd).bfloat16()


class Teacher:
    """MobileNetV2, cut before its last layer, which is kept beside it."""

    def __init__(self, weights: Path) -> None:
        model = torchvision.models.mobilenet_v2(weights=None)
        model.load_state_dict(torch.load(weights, weights_only=True))
        self.weight, self.bias = (p.detach().float() for p in model.classifier[1].parameters())
        model.classifier = nn.Identity()
        self._model = optimise(model, torch.device("cpu"), torch.bfloat16)

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, side: int = TEACHER_SIDE) -> Tensor:
        return self._model(as_input(pixels, side)).half()

    def logits(self, features: Tensor) -> Tensor:
        return features @ self.weight.T + self.bias


class Said:
    """What the teacher said of each chunk, in a file, told by a process of its own."""

    def __init__(self, folder: Path, n_chunks: int) -> None:
        self._features = _mapped(folder / "features.f16", np.float16, (n_chunks, CHUNK, 1280))
        self._told = _mapped(folder / "told.u1", np.uint8, (n_chunks,))

    def knows(self, number: int) -> bool:
        return bool(self._told[number])

    def keep(self, number: int, features: Tensor) -> None:
        self._features[number] = features.numpy()
        self._told[number] = 1

    def __getitem__(self, number: int) -> Tensor:
        while not self.knows(number):
            time.sleep(0.02)
        return torch.from_numpy(self._features[number].astype(np.float32))


def _mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.memmap(path, dtype, "r+" if path.exists() else "w+", shape=shape)


def teach(options: argparse.Namespace, step: Any) -> None:
    """Tell of all chunks in turn, some way ahead of the student, whose ``step`` is shared."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    course = Course(options)
    teacher = Teacher(options.teacher)
    parent = multiprocessing.parent_process()
    assert parent is not None
    for number in range(course.n_chunks):
        while number > FIRST_CHUNKS + 2 * options.fresh * step.value + LEAD and parent.is_alive():
            time.sleep(0.2)
        if not parent.is_alive():
            return
        if not course.said.knows(number):
            course.said.keep(number, teacher(course.views(number)[0]))


class Course:
    """What both processes look at."""

    def __init__(self, options: argparse.Namespace) -> None:
        cache = options.cache or options.out
        self.pictures = Pictures(options.images, cache)
        held = np.arange(len(self.pictures)) % HELD_OUT == 0
        self.held, rows = np.flatnonzero(held), np.flatnonzero(~held)
        self.views = Views(self.pictures, rows, options.seed, options.no_mix)
        self.n_chunks = options.room // CHUNK
        self.said = Said(options.out if options.no_mix else cache, self.n_chunks)


class Losses(NamedTuple):
    vector: Tensor
    relation: Tensor
    classes: Tensor


class Student(nn.Module):
    """The network, and two heads that are thrown away: the teacher's vector, and its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = PocketNetwork()
        self.project = nn.Linear(WIDTH, DIRECTIONS)
        self.classes = nn.Linear(WIDTH, 1000)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.network(pixels)
        return self.project(vectors), self.classes(vectors)


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are as long in every direction (Jordan 2024).

    For filters, each taken as a row. The step is scaled to the size that AdamW's has (Liu and
    others 2025), so that both may share a learning rate.
    """

    def __init__(self, parameters: list[Tensor], weight_decay: float, momentum: float = 0.95):
        super().__init__(
            parameters, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(state["mean"], group["momentum"])
                rows = straight(ahead.flatten(1)).view_as(weight)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(rows, alpha=-0.2 * max(ahead.flatten(1).shape) ** 0.5 * group["lr"])


def straight(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal matrix next to a given one, by five steps of Newton and Schulz."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return (x if wide else x.T).float()


class Run:
    """Everything that a checkpoint holds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.out = options, options.out
        self.course = Course(options)
        self.pictures, self.views, self.said = (
            self.course.pictures,
            self.course.views,
            self.course.said,
        )
        self.held = self.course.held
        self.teacher = Teacher(options.teacher)
        torch.manual_seed(options.seed)
        self.student = Student().to(memory_format=torch.channels_last)
        self.average = Student().to(memory_format=torch.channels_last).requires_grad_(False)
        self.average.load_state_dict(self.student.state_dict())
        filters = [p for p in self.student.network.features[1:].parameters() if p.ndim == 4]
        if options.optimizer == "adamw":
            filters = []
        others = [p for p in self.student.parameters() if not any(p is f for f in filters)]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [
                    {"params": [p for p in others if p.ndim > 1], "weight_decay": 0.05},
                    {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0},
                ]
            )
        ]
        if filters:
            self.optimizers.append(Muon(filters, weight_decay=0.05))
        self.step = 0
        self.seconds = 0.0
        self.log = (self.out / "log.jsonl").open("a")
        if (self.out / "checkpoint.pt").exists():
            self._resume()
        else:
            self._begin()

    def _begin(self) -> None:
        """The teacher's mean and main directions, from the first views that are not mixed."""
        pure = [self.said[n][self.views(n)[1]] for n in range(FIRST_CHUNKS)]
        features = torch.cat(pure)
        self.centre = features.mean(0)
        _, spread, directions = torch.linalg.svd(features - self.centre, full_matrices=False)
        self.directions = directions[:DIRECTIONS].T.contiguous()
        kept = float((spread[:DIRECTIONS] ** 2).sum() / (spread**2).sum())
        self.write(kept=round(kept, 4), first_views=len(features))

    def write(self, **entry: Any) -> None:
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "centre": self.centre,
            "directions": self.directions,
            "counts": (self.step, self.seconds),
        }
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint.pt")

    def export(self) -> Path:
        """Write the weights as the package holds them, and say their hash."""
        kept = self.average.network.state_dict()
        weights = {k: v.contiguous() for k, v in kept.items() if "num_batches" not in k}
        path = self.out / "pocket.safetensors"
        write_bytes(path, safetensors.torch.save(pack(weights)))
        self.write(exported=path.name, step=self.step, sha256=file_hash(path))
        return path

    def _resume(self) -> None:
        state = torch.load(self.out / "checkpoint.pt", weights_only=True)
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        self.centre, self.directions = state["centre"], state["directions"]
        self.step, self.seconds = state["counts"]

    def rate(self) -> float:
        """Learning rate: rises over 200 steps, stays, and falls to zero over the last part."""
        done = self.step * 2 * CHUNK / self.options.views
        falling = (1 - done) / self.options.fall
        return self.options.rate * max(0.0, min(1.0, (self.step + 1) / 200, falling))

    def plan(self, step: int) -> list[tuple[int, bool]]:
        """Which two chunks a step takes, new ones or old, and whether the student sees a mirror."""
        rng = np.random.default_rng((self.options.seed, 1, step))
        before, after = (
            FIRST_CHUNKS + int(2 * self.options.fresh * count) for count in (step, step + 1)
        )
        new = [(number, False) for number in range(before, after)]
        old = [(int(rng.integers(0, before)), bool(rng.random() < 0.5)) for _ in range(2)]
        return [*new, *old][:2]

    def losses(self, vectors: Tensor, classes: Tensor, features: Tensor) -> Losses:
        target = (features - self.centre) @ self.directions
        ours, theirs = functional.normalize(vectors), functional.normalize(target)
        cosine = (ours * theirs).sum(1)
        # Which other views of the batch are near: the student's answer against the teacher's.
        others = ~torch.eye(len(ours), dtype=torch.bool)
        near, wanted = (
            (side @ side.T)[others].view(len(ours), -1) / 0.1 for side in (ours, theirs)
        )
        relation = functional.kl_div(near.log_softmax(1), wanted.softmax(1), reduction="batchmean")
        heat = 2.0
        believed = (self.teacher.logits(features) / heat).softmax(1)
        said = (classes / heat).log_softmax(1)
        kl = functional.kl_div(said, believed, reduction="batchmean")
        return Losses((1 - cosine).mean(), relation, kl)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels for the student and what the teacher said of them, prepared ahead."""

        def prepare(step: int) -> tuple[Tensor, Tensor]:
            plan, side = self.plan(step), self.side(step)
            seen = [as_input(self.views(number)[0], side) for number, _ in plan]
            both = torch.cat([s.flip(3) if m else s for s, (_, m) in zip(seen, plan, strict=True)])
            features = torch.cat([self.said[number] for number, _ in plan])
            return both.contiguous(memory_format=torch.channels_last), features

        with ThreadPoolExecutor(1) as pool:
            n_steps = self.options.views // (2 * CHUNK)
            ahead: list[Future[tuple[Tensor, Tensor]]] = []
            following = self.step
            while following < n_steps or ahead:
                while len(ahead) < 3 and following < n_steps:
                    ahead.append(pool.submit(prepare, following))
                    following += 1
                yield ahead.pop(0).result()

    def side(self, step: int) -> int:
        """Smaller pictures until the last part, for speed."""
        done = step * 2 * CHUNK / self.options.views
        return next(side for share, side in SIDES if done < share)

    def train(self, shared_step: Any) -> None:
        weights = torch.tensor(self.options.weigh)
        began = time.perf_counter()
        saved = reported = time.perf_counter()
        sums = torch.zeros(3)
        n = 0
        self.student.train()
        for pixels, features in self.batches():
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = self.rate()
            with torch.autocast("cpu", torch.bfloat16):
                vectors, classes = self.student(pixels)
            losses = torch.stack(self.losses(vectors.float(), classes.float(), features))
            (weights @ losses).backward()
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self.step += 1
            shared_step.value = self.step
            self._follow()
            sums += losses.detach()
            n += 1
            if self.step % 200 == 0:
                self.write(views=self.step * 2 * CHUNK, **self.check())
            now = time.perf_counter()
            if now - reported > 60:
                self.write(
                    views=self.step * 2 * CHUNK,
                    seconds=round(self.seconds + now - began),
                    rate=self.rate(),
                    losses=(sums / n).tolist(),
                    ms=1000 * (now - reported) / n / 2 / CHUNK,
                )
                reported, sums, n = now, torch.zeros(3), 0
            if now - saved > self.options.every:
                self.seconds += now - began
                began = now
                self.save()
                saved = time.perf_counter()
        self.seconds += time.perf_counter() - began
        self.save()
        self.write(views=self.step * 2 * CHUNK, **self.check(), done=True)

    @torch.no_grad()
    def _follow(self) -> None:
        """The average of the weights, which is what is kept in the end."""
        keep = min(self.options.average, (1 + self.step) / (10 + self.step))
        pairs = zip(
            self.average.state_dict().values(), self.student.state_dict().values(), strict=True
        )
        for mean, current in pairs:
            if mean.is_floating_point():
                mean.lerp_(current, 1 - keep)
            else:
                mean.copy_(current)

    @torch.inference_mode()
    def check(self) -> dict[str, Any]:
        """Likeness of student and teacher on pictures held out, on the whole and by source."""
        cache = self.options.cache or self.out
        path = cache / "held_out.npy"
        squares = torch.from_numpy(np.stack([_middle(self.pictures[row]) for row in self.held]))
        if not path.exists():
            np.save(path, torch.cat([self.teacher(s, 224) for s in squares.split(64)]).numpy())
        target = (torch.from_numpy(np.load(path)).float() - self.centre) @ self.directions
        self.average.eval()
        with torch.autocast("cpu", torch.bfloat16):
            parts = [self.average(as_input(s, STUDENT_SIDE))[0] for s in squares.split(64)]
        ours, theirs = functional.normalize(torch.cat(parts).float()), functional.normalize(target)
        cosine = (ours * theirs).sum(1)
        near = [(side @ side.T).fill_diagonal_(-1).topk(10).indices for side in (ours, theirs)]
        shared = (near[0][:, :, None] == near[1][:, None]).any(2).float().mean(1)
        sources = self.pictures.sources[self.held]
        table = {
            source: [round(float(v[sources == source].mean()), 3) for v in (cosine, shared)]
            for source in np.unique(sources)
        }
        return {
            "cosine": round(float(cosine.mean()), 4),
            "neighbours": round(float(shared.mean()), 4),
            "sources": table,
        }


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = ((side - SHORT) // 2 for side in picture.shape[:2])
    return picture[top : top + SHORT, left : left + SHORT]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="a folder for what runs may share")
    parser.add_argument("--room", type=int, default=2_000_000)
    parser.add_argument("--views", type=int, default=420_000)
    parser.add_argument("--fall", type=float, default=0.35)
    parser.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--average", type=float, default=0.99)
    parser.add_argument("--weigh", type=float, nargs=3, default=(1.0, 0.03, 0.1))
    parser.add_argument("--every", type=float, default=300)
    parser.add_argument("--no-mix", action="store_true")
    parser.add_argument("--fresh", type=float, default=1 / 3)
    parser.add_argument("--export", action="store_true", help="only write the weights")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    Pictures(options.images, options.cache or options.out)
    torch.set_num_threads(1)  # a process a core: waiting for each other costs more than it brings
    context = multiprocessing.get_context("spawn")
    step = context.Value("i", 0, lock=False)
    teacher = context.Process(target=teach, args=(options, step), daemon=True)
    teacher.start()
    run = Run(options)
    step.value = run.step
    if not options.export:
        run.train(step)
    teacher.terminate()
    print(f"{run.export()}: set PUBLISHED_SHA256 in encoders/pocket.py to the hash in log.jsonl")


if __name__ == "__main__":
    main()
