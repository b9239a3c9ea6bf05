"""How much of the text in images read_text() finds, and how much it makes up.

Posters, memes and screenshots are drawn from known words; the memes stand on photographs, and
photographs alone show what is made up. These are from ``caltech101-unbalanced.tar`` in
``../shared/data``, which is no part of the project.

    python benchmarks/reading.py [--images 16] [--photographs 300]
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from machine import write_result
from PIL import Image, ImageDraw, ImageFont

from imagestrata import read_text, scan_images
from imagestrata.finetune.scores import wilson
from imagestrata.text.read import NO_TEXT

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FACES = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "DejaVuSerif", "DejaVuSansMono")
WORDS = """
    action again against alive all border bread bring bus change children city climate council
    eight equal families flag food free freedom friends future green hall hate health here history
    home hope house human jobs justice land law lives love march matters meeting music neighbours
    never night open parents peace people planet power press public rent rights roses school
    silent square stop street strike system today tonight transport truth union united vote war
    water welcome women work world
""".split()  # noqa: SIM905 - a list of eighty strings is no better to read
KINDS = ("poster", "meme", "screenshot")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "min_confidence=0": {"min_confidence": 0},
    "not enlarged": {"side": 100},
    "side=1500": {"side": 1500},
    "side=1500, white_text=False": {"side": 1500, "white_text": False},
    "side=1500, psm=6": {"side": 1500, "psm": 6},
    "side=1500, psm=11": {"side": 1500, "psm": 11},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--photographs", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = unpack(Path(folder), 2 * arguments.images + arguments.photographs)
        grounds, rest = photographs[: arguments.images], photographs[arguments.images :]
        few = rest[: arguments.images]
        drawn = draw(Path(folder) / "drawn", grounds)
        rows = [measure(name, given, drawn, few) for name, given in SETTINGS.items()]
        made_up = look_at_photographs(rest[arguments.images :])
    write_result(
        "reading",
        rows,
        notes=[
            f"{arguments.images} drawn images of each kind, and as many photographs: shares of the "
            "words that are found (recall) and of the found ones that are right (precision).",
            "seconds: of one core, for one image.",
            made_up,
        ],
        title="Reading text in images",
    )


def measure(
    name: str, given: dict[str, Any], drawn: pd.DataFrame, photographs: list[str]
) -> dict[str, Any]:
    """A row of the table."""
    row: dict[str, Any] = {"setting": name}
    for kind in KINDS:
        ones = drawn[drawn["kind"] == kind]
        texts, seconds = read(ones["path"].tolist(), given)
        right = found = 0
        for true, text in zip(ones["words"], texts["text"].fillna(""), strict=True):
            words = Counter(re.findall(r"[a-z0-9]+", text.lower()))
            right += (Counter(true) & words).total()
            found += words.total()
        row[f"{kind} recall"] = f"{right / ones['words'].map(len).sum():.2f}"
        row[f"{kind} precision"] = f"{right / max(found, 1):.2f}"
        row[f"{kind} seconds"] = f"{seconds:.1f}"
    texts, seconds = read(photographs, given)
    row["photographs with text"] = f"{texts['text'].notna().mean():.2f}"
    row["photograph seconds"] = f"{seconds:.1f}"
    print(row, file=sys.stderr)
    return row


def look_at_photographs(paths: list[str]) -> str:
    """What is "read" in photographs with the default settings."""
    texts, seconds = read(paths, {})
    some = int(texts["text"].notna().sum())
    low, high = wilson(some, len(texts))
    assert (texts["reason"].dropna() == NO_TEXT).all()
    return (
        f"{len(texts)} further photographs, default settings: text in {some} (share "
        f"{some / len(texts):.3f}, 95% interval {low:.3f} to {high:.3f}), on "
        f"{texts['share_text'].mean():.4f} of the area; {seconds:.2f} seconds each."
    )


def read(paths: list[str], given: dict[str, Any]) -> tuple[pd.DataFrame, float]:
    """Texts in the order of the paths, and seconds of one core per image."""
    images = scan_images(paths, progress=False)
    started = processor_seconds()
    texts = read_text(images, progress=False, **given)
    seconds = (processor_seconds() - started) / len(texts)
    return texts.set_index("path").loc[[p for p in paths if p in {*texts["path"]}]], seconds


def processor_seconds() -> float:
    """What this process and Tesseract have used, whatever else the machine is doing."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def unpack(folder: Path, n: int) -> list[str]:
    """Photographs, in an order that has nothing to do with their classes."""
    with tarfile.open(DATA / "caltech101-unbalanced.tar") as archive:
        archive.extractall(folder, filter="data")
    # One of each content: scan_images() drops copies.
    images = scan_images(folder / "images", progress=False)
    paths = sorted(images.loc[images["status"] == "ok", "path"])
    random.Random(3).shuffle(paths)
    return paths[:n]


def draw(folder: Path, grounds: list[str]) -> pd.DataFrame:
    """Posters, memes and screenshots with their words."""
    folder.mkdir()
    rows = []
    for kind in KINDS:
        for number, ground in enumerate(grounds):
            rng = random.Random(f"{kind} {number}")
            picture, words = globals()[f"draw_{kind}"](rng, ground)
            path = folder / f"{kind}-{number}.png"
            picture.save(path)
            rows.append({"kind": kind, "path": str(path), "words": words})
    return pd.DataFrame(rows)


def draw_poster(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """Capitals of one typeface in the middle of a ground of one colour."""
    width, height = rng.choice([(600, 800), (400, 560), (300, 420)])
    colour, ink = rng.choice(
        [("white", "black"), ("#141e50", "white"), ("#c81e1e", "white"), ("#fadc3c", "black")]
    )
    picture = Image.new("RGB", (width, height), colour)
    lines = [rng.sample(WORDS, rng.randint(1, 3)) for _ in range(rng.randint(3, 7))]
    size = int(rng.uniform(0.05, 0.1) * height)
    return picture, write(picture, lines, typeface(rng.choice(FACES), size), ink, upper=True)


def draw_meme(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """White capitals with a black rim, above and below on a photograph."""
    width, height = rng.choice([(500, 400), (320, 240), (640, 480)])
    picture = Image.open(ground).convert("RGB").resize((width, height))
    font = typeface(FACES[0], int(0.085 * height))
    said = []
    for y in (0.04 * height, 0.84 * height):
        said += write(picture, [rng.sample(WORDS, 3)], font, "white", upper=True, top=y, rim=True)
    return picture, said


def draw_screenshot(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """Lines of small letters."""
    width, height = rng.choice([(360, 640), (480, 320), (720, 540)])
    colour, ink = rng.choice([("white", "black"), ("#191919", "white")])
    picture = Image.new("RGB", (width, height), colour)
    lines = [rng.sample(WORDS, 6) for _ in range(rng.randint(6, 12))]
    font = typeface(rng.choice(FACES), max(9, int(rng.choice([0.022, 0.03]) * height)))
    return picture, write(picture, lines, font, ink)


def write(
    picture: Image.Image,
    lines: list[list[str]],
    font: ImageFont.FreeTypeFont,
    ink: str,
    *,
    upper: bool = False,
    top: float = 10,
    rim: bool = False,
) -> list[str]:
    """Write as many words of each line, and lines, as there is room for; these words."""
    pen = ImageDraw.Draw(picture)
    said = []
    for line in lines:
        words = list(line)
        while font.getlength(" ".join(words).upper()) > 0.94 * picture.width:
            words.pop()
        text = " ".join(words)
        text = text.upper() if upper else text
        x = (picture.width - font.getlength(text)) / 2
        if words and top + 1.2 * font.size <= picture.height:
            stroke = max(1, int(font.size / 14)) if rim else 0
            pen.text((x, top), text, font=font, fill=ink, stroke_width=stroke, stroke_fill="black")
            said += words
        top += 1.45 * font.size
    return said


def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{name}.ttf"), size)


if __name__ == "__main__":
    main()
