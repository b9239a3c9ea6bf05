"""Where the time of `imagestrata run` goes, and how far each step is from its limit.

JPEGs of mixed sizes are drawn once into ``--folder`` (20,000 of them take 8 GB). The
command then runs in this process, its functions being clocked from outside: what the
calling thread does by the clock on the wall, what threads beside it do by their processor
time, divided by the number of cores. What the parts of a step do not add up to is shown
as its rest: waiting, and what we do not clock. The limits are measured right after, in
the same way, on a sample of the same files.

    python benchmarks/road.py [--images 20000] [--folder FOLDER] [--encoder NAME] [--weights FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
from machine import sized, write_result
from numpy.typing import NDArray
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from imagestrata import draw_demo_corpus, scan_images
from imagestrata.corpus.decode import open_image
from imagestrata.encoders.registry import DEFAULT_ENCODER, make_encoder

#: Width, height and share of the photographs; a third of them stand upright. As they come
#: from the web and from telephones: the median is 1200 x 800.
SIZES = {
    (480, 360): 0.10,
    (640, 480): 0.12,
    (800, 600): 0.13,
    (1024, 683): 0.12,
    (1200, 800): 0.18,
    (1600, 1067): 0.13,
    (2048, 1365): 0.12,
    (3000, 2000): 0.07,
    (4000, 3000): 0.03,
}
#: Quality of JPEG and the grain, in grey levels, with which a pixel takes about as many bytes
#: as in photographs.
QUALITIES = {75: 18, 85: 12, 90: 8, 95: 4.5}

#: Where photographs are kept for the next time, unless told otherwise.
FOLDER = Path(gettempdir()) / "imagestrata-photographs"

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

#: Files that limits are measured on.
SAMPLE = 1000

#: Step -> the function that `imagestrata run` calls for it, and where it looks for it.
STEPS = {
    "scan": "imagestrata.corpus.scan:scan_along",
    "embed": "imagestrata.embeddings.embed:embed_for",
    "cluster": "imagestrata:cluster_images",
    "sample": "imagestrata:sample_images",
    "gallery": "imagestrata.cli.run:make_gallery",
}

#: Part -> functions of the package that do it, wherever they are called from.
PARTS = {
    "list files": ["corpus.listing:list_files", "corpus.known:Files.fingerprint"],
    "read": ["corpus.decode:read_file"],
    "decode": ["corpus.decode:decode"],
    "hash pixels": ["corpus.duplicates:pixel_hash"],
    "hash looks": ["corpus.duplicates:eye_hash"],
    "mean colours": ["corpus.look:tints"],
    "find duplicates": ["corpus.duplicates:find_duplicates"],
    "load the network": ["encoders.registry:make_encoder"],
    "resize": ["encoders.network:NetworkEncoder.frame", "encoders.network:NetworkEncoder.prepare"],
    "network": ["encoders.network:NetworkEncoder.encode"],
    "put together": ["embeddings.embeddings:assemble"],
    "search k": ["clustering.choose_k:search_k"],
    "k-means": ["clustering.kmeans:kmeans"],
    "silhouettes": ["clustering.silhouette:silhouettes"],
    "shrink and encode": ["corpus.pictures:as_jpeg"],
    "write": ["files:write_bytes"],
    "draw the montage": ["explore.montage:plot_montage"],
    "write the page": ["page:write_page"],
}

#: Parts that wait for a disk.
WAITING = ("read", "write")

#: Photographs with which one run takes minutes.
_MANY = 10_000

#: Least longer side of pictures that thumbnails are made of, in pixels.
THUMBNAIL = 320


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(80, 3_000, 20_000))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--encoder", default=DEFAULT_ENCODER, help="a network")
    parser.add_argument("--weights")
    parser.add_argument("--against", type=Path, help="a checkout of another commit")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    images = draw_photographs(arguments.folder, arguments.images)
    files = sorted(images.rglob("*.jpg"))
    told = []
    if arguments.against is not None:
        told = [against(arguments.against, images, arguments.encoder, arguments.weights)]
    with TemporaryDirectory() as out:
        clock = Clock()
        run_road(clock, images, Path(out), arguments.encoder, arguments.weights)
        again, with_new, more = grown(arguments, images, Path(out))
        limits = measure_limits(clock, files, arguments.encoder, arguments.weights)
    name = "road" if arguments.encoder == DEFAULT_ENCODER else f"road_{arguments.encoder}"
    name = name.replace(":", "_").replace("/", "_")
    total = sum(clock.steps.values())
    sizes = sum(file.stat().st_size for file in files)
    write_result(
        name,
        table(clock, limits),
        title=f"`imagestrata run` on {len(files):,} JPEGs, by {arguments.encoder}",
        notes=[
            f"{total / 60:.1f} minutes, {1000 * total / len(files):.1f} ms an image; "
            f"{sizes / 1e9:.1f} GB, {limits.bytes_per_pixel:.2f} bytes a pixel, "
            f"{limits.megapixels:.2f} megapixels on average.",
            f"Decoding every file once takes {limits.floor[0]:.0f} s and the network "
            f"{limits.floor[1]:.0f} s: the whole road takes "
            f"{total / sum(limits.floor):.2f} times as long.",
            *told,
            f"The same command again takes {again:.1f} s, and {with_new:.1f} s with {more} new "
            f"photographs among {len(files):,}, start-up included.",
            f"Load of the machine before (0: nothing else runs): {load:.1f}.",
            f"seconds: of the wall; of what runs in threads, processor time by {CORES} cores. "
            "rest: what the parts do not account for. cores: that worked for us, on average.",
            f"Waiting for the disk included, one call takes: {waits(clock)}.",
            "limit: what the same takes where nothing else is done, measured in this run on "
            f"{min(SAMPLE, len(files))} of the files by all cores, or from the number of "
            "multiplications and additions.",
            *limits.notes,
        ],
    )
    whole = {
        "images": len(files),
        "seconds": round(total, 1),
        "ms an image": round(1000 * total / len(files), 1),
        "GB of files": round(sizes / 1e9, 1),
        "megapixels, mean": round(limits.megapixels, 2),
        "decoding alone, s": round(limits.floor[0]),
        "network alone, s": round(limits.floor[1]),
        "times both": round(total / sum(limits.floor), 2),
        "again, s": round(again, 1),
        "new images": more,
        "with new images, s": round(with_new, 1),
    }
    write_result(name.replace("road", "road_whole"), [whole], title="The road as a whole")


# The photographs


def draw_photographs(folder: Path, n: int) -> Path:
    """A folder with n JPEGs, drawn where they are not there yet; each is a picture of its own."""
    target = folder / f"jpegs-{n}"
    done = target.with_suffix(".done")
    if done.exists():
        return target
    scenes = _scenes(folder / "scenes")
    grains = _grains()
    for start in range(0, n, 1000):
        (target / f"{start // 1000:03d}").mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(CORES) as pool:
        for _ in pool.map(partial(_draw, target, scenes, grains), range(n)):
            pass
    done.write_text("drawn by benchmarks/road.py\n")
    return target


def draw_more(folder: Path, n: int, more: int) -> Path:
    """A subfolder with further photographs, which the caller removes."""
    scenes, grains = _scenes(folder / "scenes"), _grains()
    place = folder / f"jpegs-{n}" / "added"
    for number in range(n, n + more):
        (place / f"{number // 1000:03d}").mkdir(parents=True, exist_ok=True)
        _draw(place, scenes, grains, number)
    return place


def _grains() -> dict[int, list[NDArray[np.uint8]]]:
    grain = np.random.default_rng(0).normal(size=(2, 2048, 2048, 3))
    return {
        quality: [np.clip(sd * half, 0, 255).astype(np.uint8) for half in grain]
        for quality, sd in QUALITIES.items()
    }


def _scenes(folder: Path) -> list[NDArray[np.uint8]]:
    table = scan_images(draw_demo_corpus(folder, progress=False), progress=False)
    paths = table.loc[table["status"] == "ok", "path"]
    return [np.asarray(open_image(path)) for path in paths]


def _draw(
    folder: Path,
    scenes: Sequence[NDArray[np.uint8]],
    grains: dict[int, list[NDArray[np.uint8]]],
    number: int,
) -> None:
    """One photograph: a cut-out of a scene, enlarged, with grain."""
    path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
    if path.exists():
        return
    rng = np.random.default_rng([1, number])
    width, height = list(SIZES)[rng.choice(len(SIZES), p=list(SIZES.values()))]
    if rng.random() < 1 / 3:
        width, height = height, width
    scene = scenes[rng.integers(len(scenes))]
    rows, columns = (int(side * rng.uniform(0.6, 1)) for side in scene.shape[:2])
    top = rng.integers(scene.shape[0] - rows + 1)
    left = rng.integers(scene.shape[1] - columns + 1)
    cut = scene[top : top + rows, left : left + columns]
    picture = cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC)
    quality = list(grains)[rng.integers(len(grains))]
    for add, half in zip((cv2.add, cv2.subtract), grains[quality], strict=True):
        # As many pixels from anywhere in the grain, row after row.
        start = rng.integers(half.size - min(half.size, picture.size) + 1)
        flat = half.reshape(-1)[start : start + picture.size]
        flat = np.resize(flat, picture.size) if flat.size < picture.size else flat
        picture = add(picture, flat.reshape(picture.shape))
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    begun = path.with_suffix(".part")
    begun.write_bytes(data.tobytes())
    begun.replace(path)


# The clocks


@dataclass
class Clock:
    """Seconds by step and part.

    Attributes
    ----------
    steps : dict
        Of the wall.
    parts : dict
        Step and part -> seconds without those of the parts that it calls.
    distances : float
        How many numbers went into distances between all images; NaN where another kind of
        silhouettes is computed.
    busy : dict
        Step -> cores that worked for us, on average.
    waits : dict
        Step and part -> seconds of the wall of each call, of those in :data:`WAITING`.
    """

    steps: dict[str, float] = field(default_factory=dict)
    parts: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    distances: float = 0.0
    busy: dict[str, float] = field(default_factory=dict)
    waits: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    _step: str = ""
    _own: threading.local = field(default_factory=threading.local)

    def step(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def clocked(*arguments: Any, **named: Any) -> Any:
            self._step = name
            start, start_busy = time.perf_counter(), time.process_time()
            value = work(*arguments, **named)
            self.steps[name] = time.perf_counter() - start
            self.busy[name] = (time.process_time() - start_busy) / self.steps[name]
            return value

        return clocked

    def part(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def clocked(*arguments: Any, **named: Any) -> Any:
            within = getattr(self._own, "within", 0.0)
            self._own.within = 0.0
            now = _clock()
            start, start_waiting = now(), time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                seconds = now() - start
                self.parts[self._step, name] += seconds - self._own.within
                self._own.within = within + seconds
                if name in WAITING:
                    self.waits[self._step, name].append(time.perf_counter() - start_waiting)
                if name == "silhouettes":
                    self.distances += _numbers_in_distances(*arguments, **named)

        return clocked


def _numbers_in_distances(
    vectors: Any, labels: Any, measure: str = "exact", *_: Any, **__: Any
) -> float:
    """Of silhouettes: n * n / 2 distances of vectors of some width."""
    matrix = getattr(vectors, "matrix", None)
    if measure != "exact" or matrix is None:
        return np.nan
    return len(matrix) ** 2 / 2 * matrix.shape[1]


def _clock() -> Callable[[], float]:
    """What counts in the thread that asks."""
    if threading.current_thread() is threading.main_thread():
        return time.perf_counter
    return lambda: time.thread_time() / CORES


def run_road(clock: Clock, images: Path, out: Path, encoder: str, weights: str | None) -> None:
    """`imagestrata run`, clocked."""
    command = importlib.import_module("imagestrata.cli").COMMANDS["run"].click
    for module in (
        "explore.gallery",
        "explore.montage",
        "clustering.cluster",
        "embeddings.embed",
        "sampling.sample",
    ):
        importlib.import_module(f"imagestrata.{module}")
    with contextlib.ExitStack() as stack:
        for name, targets in PARTS.items():
            for target in targets:
                stack.enter_context(clocked_part(clock, name, target))
        stack.enter_context(_replaced(hashlib, "sha256", clock.part("hash bytes", hashlib.sha256)))
        for step, target in STEPS.items():
            module, _, function = target.partition(":")
            owner = importlib.import_module(module)
            work = clock.step(step, getattr(owner, function))
            stack.enter_context(_replaced(owner, function, work))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        typed = [str(images), "--out", str(out), "--encoder", encoder, "--quiet"]
        typed += [] if weights is None else ["--weights", weights]
        command.main(typed, standalone_mode=False)


@contextlib.contextmanager
def clocked_part(clock: Clock, name: str, target: str) -> Iterator[None]:
    """Clock a function in every module of the package that has it."""
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(f"imagestrata.{module_name}")
    *within, last = path.split(".")
    for part in within:
        owner = getattr(owner, part)
    if not hasattr(owner, last):
        sys.stderr.write(f"There is no {target} any more: its time is in the rest.\n")
        yield
        return
    work = getattr(owner, last)
    clocked = clock.part(name, work)
    holders = [owner] if within else [
        module
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("imagestrata") and vars(module).get(last) is work
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        for holder in holders:
            stack.enter_context(_replaced(holder, last, clocked))
        yield


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


# The limits


@dataclass
class Limits:
    """Step and part -> seconds at least, and of what."""

    seconds: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Decoding every file once, and the network, by all cores.
    floor: tuple[float, float] = (0.0, 0.0)
    bytes_per_pixel: float = 0.0
    megapixels: float = 0.0


def measure_limits(
    clock: Clock, files: Sequence[Path], encoder_name: str, weights: str | None
) -> Limits:
    limits = Limits()
    start_up(clock, limits)
    rows = np.random.default_rng(0).permutation(len(files))[:SAMPLE]
    some = [files[row] for row in rows]
    scale = len(files) / len(some)
    data = [path.read_bytes() for path in some]
    buffers = [np.frombuffer(one, np.uint8) for one in data]
    tensors = [torch.frombuffer(bytearray(one), dtype=torch.uint8) for one in data]
    pictures = [Image.open(io.BytesIO(one)).size for one in data]
    pixels = sum(width * height for width, height in pictures)
    limits.bytes_per_pixel = sum(map(len, data)) / pixels
    limits.megapixels = pixels / len(some) / 1e6
    reading = scale * both_cores(Path.read_bytes, some)
    hashing = scale * both_cores(lambda one: hashlib.sha256(one).digest(), data)
    decoding = {
        "OpenCV": both_cores(lambda one: cv2.imdecode(one, cv2.IMREAD_COLOR), buffers),
        "torchvision": both_cores(torchvision.io.decode_jpeg, tensors),
        "Pillow": both_cores(lambda one: Image.open(io.BytesIO(one)).load(), data),
    }
    full = _fastest(limits, "at full size", decoding, scale)
    encoder = make_encoder(encoder_name, weights=weights, device="cpu")
    side = encoder.decode_side
    limits.seconds["scan", "decode"] = _fastest(
        limits, "for the network", reduced(data, side, side), scale
    )
    limits.floor = full[0], scale * network_alone(encoder, data)
    limits.seconds["scan", "network"] = limits.floor[1], "the network alone"
    for step in ("scan", "embed", "gallery"):
        limits.seconds[step, "read"] = reading, "reading alone"
        limits.seconds[step, "hash bytes"] = hashing, "SHA-256 alone"
    network(limits, encoder, some, len(files))
    clustering(clock, limits)
    return limits


def network_alone(encoder: Any, data: Sequence[bytes]) -> float:
    """Seconds of the network on the pictures of some files, by all cores."""
    squares = [
        encoder.prepare(open_image(one, min_pixels_side=encoder.decode_side)) for one in data
    ]
    batches = [squares[n : n + encoder.batch_size] for n in range(0, len(data), encoder.batch_size)]
    return both_cores(encoder.encode, batches)


def grown(arguments: argparse.Namespace, images: Path, out: Path) -> tuple[float, float, int]:
    """Seconds of the same command, and of it when a hundredth of new photographs has come."""
    n, more = arguments.images, max(1, arguments.images // 100)
    again = _command(Path(__file__).parents[1], images, out, arguments.encoder, arguments.weights)
    nothing_new = _seconds(again)
    place = draw_more(arguments.folder, n, more)
    try:
        taken = _seconds(again)
    finally:
        shutil.rmtree(place)
    return nothing_new, taken, more


def _command(
    checkout: Path, images: Path, out: Path, encoder: str, weights: str | None
) -> Callable[[], Any]:
    """The command of a checkout, in a process of its own."""
    typed = ["-m", "imagestrata", "run", str(images), "--out", str(out), "--quiet"]
    typed += ["--encoder", encoder]
    typed += [] if weights is None else ["--weights", weights]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve() / "python")}
    return partial(
        subprocess.run, [sys.executable, *typed], check=True, env=environment,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def against(checkout: Path, images: Path, encoder: str, weights: str | None) -> str:
    """How many times as long the command of another checkout takes, run in turn with this one."""
    here = Path(__file__).resolve().parents[1]
    seconds: dict[Path, list[float]] = {here: [], checkout.resolve(): []}
    times = 1 if len(list(images.rglob("*.jpg"))) > _MANY else 2
    for _ in range(times):
        for folder, taken in seconds.items():
            with TemporaryDirectory() as out:
                taken.append(_seconds(_command(folder, images, Path(out), encoder, weights)))
    now, before = (min(taken) for taken in seconds.values())
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return (
        f"The whole command takes {now:.0f} s, that of commit {commit} {before:.0f} s: "
        f"{before / now:.2f} times as long (each {times} times in turn; the shorter time counts)."
    )


def start_up(clock: Clock, limits: Limits) -> None:
    """Seconds until the first file could be looked at, and those of torch alone."""
    modules = ["torch", *(f"imagestrata.{module}" for module in (
        "cli", "corpus.scan", "embeddings.embed", "encoders.efficientnet_lite",
        "clustering.cluster", "sampling.sample", "explore.gallery",
    ))]  # fmt: skip
    times = {
        name: min(
            _seconds(partial(subprocess.run, [sys.executable, "-c", code], check=True))
            for _ in range(3)
        )
        for name, code in {"all": f"import {', '.join(modules)}", "torch": "import torch"}.items()
    }
    clock.steps = {"start-up": times["all"], **clock.steps}
    limits.seconds["start-up", ""] = times["torch"], "importing torch"


def both_cores(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Seconds of some work on all items in a thread per core, by processor time."""
    cv2.setNumThreads(1)

    def clocked(item: Any) -> float:
        start = time.thread_time()
        work(item)
        return time.thread_time() - start

    with ThreadPoolExecutor(CORES, initializer=lambda: torch.set_num_threads(1)) as pool:
        return sum(pool.map(clocked, items)) / CORES


def reduced(data: Sequence[bytes], longer: int | None, shorter: int | None) -> dict[str, float]:
    """Seconds of decoding to the scale that the package would choose."""

    def drafted(one: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(one))
        if longer is not None and shorter is not None:
            wide = image.width >= image.height
            image.draft(None, (longer, shorter) if wide else (shorter, longer))
        return image

    scales = [round(Image.open(io.BytesIO(one)).width / drafted(one).width) for one in data]
    flags = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    tasks = [(np.frombuffer(one, np.uint8), flags[n]) for one, n in zip(data, scales, strict=True)]

    return {
        "OpenCV": both_cores(lambda task: cv2.imdecode(*task), tasks),
        "Pillow": both_cores(lambda one: drafted(one).load(), data),
    }


def _fastest(limits: Limits, what: str, times: dict[str, float], scale: float) -> tuple[float, str]:
    told = ", ".join(f"{name} {scale * seconds:.1f} s" for name, seconds in times.items())
    limits.notes.append(f"libjpeg-turbo alone, {what}: {told}.")
    best = min(times, key=lambda name: times[name])
    return scale * times[best], f"libjpeg-turbo by {best}"


def network(limits: Limits, encoder: Any, files: Sequence[Path], n: int) -> None:
    """Seconds at the rate at which large matrices are multiplied in the same precision."""
    image = open_image(files[0], min_pixels_side=encoder.decode_side)
    precision = encoder.settings["precision"]
    rate = product_rate(getattr(torch, precision))
    with FlopCounterMode(display=False) as counter:
        encoder.encode([encoder.prepare(image)])
    flops = counter.get_total_flops() * n
    limits.notes.append(
        f"The arithmetic of the network alone, at the rate of products of large matrices in "
        f"{precision} ({rate / 1e9:.0f} Gflop/s): {flops / rate:.1f} s."
    )


def product_rate(precision: torch.dtype) -> float:
    """Multiplications and additions per second of a product of large matrices, of all cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    matrix = torch.rand(2048, 2048).to(precision)
    times = []
    for _ in range(8):
        start = time.thread_time()
        torch.mm(matrix, matrix)
        times.append(time.thread_time() - start)
    torch.set_num_threads(threads)
    return CORES * 2 * 2048**3 / min(times)


def clustering(clock: Clock, limits: Limits) -> None:
    """Seconds of the distances between all images, at the rate of float32."""
    rate = product_rate(torch.float32)
    if clock.distances > 0:  # not so where it is NaN
        seconds = 2 * clock.distances / rate
        limits.seconds["cluster", "silhouettes"] = (
            seconds,
            f"distances at {rate / 1e9:.0f} Gflop/s",
        )


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# The table


def table(clock: Clock, limits: Limits) -> list[dict[str, Any]]:
    total = sum(clock.steps.values())
    rows = []

    def add(step: str, part: str, seconds: float) -> None:
        limit, what = limits.seconds.get((step, part), (None, None))
        rows.append(
            {
                "step": step,
                "part": part,
                "seconds": round(seconds, 2),
                "share": f"{seconds / total:.1%}",
                "cores": None if part else _rounded(clock.busy.get(step)),
                "limit, s": _rounded(limit),
                "times the limit": _rounded(None if limit is None else seconds / limit),
                "which is": what,
            }
        )

    for step, seconds in clock.steps.items():
        add(step, "", seconds)
        parts = {part: spent for (of, part), spent in clock.parts.items() if of == step}
        for part, spent in parts.items():
            if spent > 0.001 * total:
                add(step, part, spent)
        if parts:
            add(step, "rest", seconds - sum(parts.values()))
    return rows


def waits(clock: Clock) -> str:
    """Milliseconds of a call of parts that wait for a disk."""
    return ", ".join(
        f"{step}, {part} {1000 * median(taken):.1f} ms"
        for (step, part), taken in clock.waits.items()
        if len(taken) > SAMPLE
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


if __name__ == "__main__":
    main()
