"""A small drawing kit for the demo corpus: a canvas with its own random numbers and units.

Every canvas is 100 units high and ``w`` units wide. Pictures are drawn at twice their size
and then reduced, which smooths all edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour: TypeAlias = tuple[int, ...]
Point: TypeAlias = tuple[float, float]
#: A line of points, also as written in SVG: "0,0 10,0 10,5".
Points: TypeAlias = str | Sequence[Point]
T = TypeVar("T")

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (20, 20, 24)

_OVERSAMPLING = 2
_CIRCLE = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 33)[:-1]]
_FONTS = {
    "sans": "DejaVuSans.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "heavy": "DejaVuSerif-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
}


@cache
def palette(codes: str) -> tuple[Colour, ...]:
    """Return colours from their hexadecimal codes: "ff0000 00ff00"."""
    return tuple(tuple(bytes.fromhex(code)) for code in codes.split())


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that is ``share`` of the way from ``a`` to ``b``."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    """Mix the colour with white."""
    return mix(colour, WHITE, share)


def darker(colour: Colour, share: float = 0.25) -> Colour:
    """Mix the colour with black."""
    return mix(colour, (0, 0, 0), share)


def faint(colour: Colour, opacity: float) -> Colour:
    """Return the colour with an opacity below 1."""
    return (*colour[:3], round(255 * opacity))


class Canvas:
    """The surface that scenes draw on.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all random choices.
    size : (int, int)
        Width and height of the finished picture, in pixels.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng = rng
        self.size = size
        self.w = 100 * size[0] / size[1]
        self.image = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
        self._pen = ImageDraw.Draw(self.image, "RGBA")
        unit = self.image.height / 100
        self._frame = (unit, 0.0, 0.0, 0.0, unit, 0.0)

    # Random choices

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """Draw an integer from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def pick_some(self, choices: Sequence[T], n: int) -> list[T]:
        return [choices[i] for i in self.rng.permutation(len(choices))[:n]]

    def near(self, colour: Colour, spread: float = 18) -> Colour:
        """Draw a colour similar to the given one."""
        shift = self.rng.normal(0, spread, 3) * 0.5 + self.rng.normal(0, spread) * 0.5
        return tuple(int(v) for v in np.clip(np.array(colour[:3]) + shift, 0, 255))

    # Places

    @contextmanager
    def at(
        self, x: float, y: float, scale: float = 1, angle: float = 0, flip: bool = False
    ) -> Iterator[None]:
        """Use local coordinates: (0, 0) is at (x, y), turned by ``angle`` degrees."""
        before = self._frame
        a, b, c, d, e, f = before
        cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
        way = -1 if flip else 1
        self._frame = (
            (a * cos + b * sin) * way,
            b * cos - a * sin,
            a * x + b * y + c,
            (d * cos + e * sin) * way,
            e * cos - d * sin,
            d * x + e * y + f,
        )
        yield
        self._frame = before

    def _place(self, points: Points) -> list[Point]:
        a, b, c, d, e, f = self._frame
        points = _parsed(points) if isinstance(points, str) else points
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def _scale(self) -> float:
        a, _, _, d, _, _ = self._frame
        return math.hypot(a, d)

    # Shapes

    def polygon(self, points: Points, fill: Colour) -> None:
        self._pen.polygon(self._place(points), fill)

    def rect(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)

    def rounded(
        self, x0: float, y0: float, x1: float, y1: float, radius: float, fill: Colour
    ) -> None:
        """Draw a rectangle with round corners."""
        radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
        centres = [(x1 - radius, y1 - radius), (x0 + radius, y1 - radius)]
        centres += [(x0 + radius, y0 + radius), (x1 - radius, y0 + radius)]
        points = [
            (cx + radius * cos, cy + radius * sin)
            for quarter, (cx, cy) in enumerate(centres)
            for cos, sin in (_CIRCLE + _CIRCLE[:1])[quarter * 8 : quarter * 8 + 9]
        ]
        self.polygon(points, fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        self.polygon([(x + rx * cos, y + ry * sin) for cos, sin in _CIRCLE], fill)

    def circle(self, x: float, y: float, r: float, fill: Colour) -> None:
        self.ellipse(x, y, r, r, fill)

    def line(self, points: Points, fill: Colour, width: float) -> None:
        pixels = max(1, round(width * self._scale()))
        self._pen.line(self._place(points), fill, pixels, joint="curve")

    def blob(self, x: float, y: float, r: float, fill: Colour, rough: float = 0.15) -> None:
        """Draw a round shape with an uneven edge, such as leaves or food."""
        self.polygon([(x + px * r, y + py * r) for px, py in self.outline(rough)], fill)

    def outline(self, rough: float, n: int = 48) -> list[Point]:
        """Return a closed uneven line around (0, 0), at a distance of about 1."""
        angles = np.linspace(0, 2 * math.pi, n, endpoint=False)
        radius = np.ones(n)
        for wave in range(2, 9):
            size, phase = self.rng.normal(0, rough / wave**0.7), self.between(0, 7)
            radius += size * np.sin(wave * angles + phase)
        return list(zip(radius * np.cos(angles), radius * np.sin(angles), strict=True))

    def ridge(self, y: float, height: float, fill: Colour, rough: float = 0.6) -> None:
        """Draw hills or mountains from side to side, down to the lower edge."""
        line = np.zeros(2)
        for level in range(6):
            middle = (line[1:] + line[:-1]) / 2 + self.rng.normal(0, rough**level, len(line) - 1)
            line = np.insert(line, np.arange(1, len(line)), middle)
        line = (line - line.min()) / max(float(np.ptp(line)), 1e-9)
        xs = np.linspace(0, self.w, len(line))
        crest = [(float(x), y - height * float(h)) for x, h in zip(xs, line, strict=True)]
        self.polygon([*crest, (self.w, 100), (0, 100)], fill)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        fill: Colour,
        font: str = "sans",
        anchor: str = "mm",
        edge: Colour | None = None,
    ) -> None:
        """Write words ``size`` units high. They stay upright (see :meth:`label`)."""
        pixels = max(4, round(size * self._scale()))
        place, face = self._place([(x, y)])[0], load_font(font, pixels)
        stroke = pixels // 14 + 1 if edge else 0
        self._pen.text(
            place, words, fill, face, anchor, align="center", stroke_width=stroke, stroke_fill=edge
        )

    def text_width(self, words: str, size: float, font: str = "sans") -> float:
        """Return the width of :meth:`text`, in units."""
        unit = self._scale()
        return load_font(font, max(4, round(size * unit))).getlength(words) / unit

    def label(
        self, x: float, y: float, words: str, width: float, height: float, fill: Colour, font: str
    ) -> None:
        """Write words as large as a box around (x, y) allows, turned with the canvas."""
        unit = self._scale()
        face = load_font(font, 40)
        left, top, right, bottom = ImageDraw.Draw(self.image).multiline_textbbox(
            (0, 0), words, face, align="center"
        )
        mask = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
        ImageDraw.Draw(mask).multiline_text((-left, -top), words, 255, face, align="center")
        grow = min(width * unit / mask.width, height * unit / mask.height)
        mask = mask.resize((max(1, int(mask.width * grow)), max(1, int(mask.height * grow))))
        a, _, _, d, _, _ = self._frame
        mask = mask.rotate(-math.degrees(math.atan2(d, a)), Image.Resampling.BILINEAR, expand=True)
        px, py = self._place([(x, y)])[0]
        self.image.paste(fill, (int(px - mask.width / 2), int(py - mask.height / 2)), mask)

    # Light

    def gradient(self, top: Colour, bottom: Colour, y0: float = 0, y1: float = 100) -> None:
        """Fill from y0 to y1 with a gradient between two colours."""
        unit = self.image.height / 100
        first, last = round(y0 * unit), round(y1 * unit)
        share = np.linspace(0, 1, max(last - first, 1))[:, None]
        column = np.array(top[:3]) + (np.array(bottom[:3]) - np.array(top[:3])) * share
        strip = Image.fromarray(column.round().astype(np.uint8)[:, None, :])
        self.image.paste(strip.resize((self.image.width, strip.height)), (0, first))

    def glow(self, x: float, y: float, r: float, colour: Colour, strength: float = 0.8) -> None:
        """Draw soft light around a point, or shadow if the colour is dark."""
        (px, py), pr = self._place([(x, y)])[0], r * self._scale()
        mask = _soft_disc().resize((max(2, int(2 * pr)),) * 2)
        mask = mask.point([round(v * strength) for v in range(256)])
        self.image.paste(colour[:3], (int(px - pr), int(py - pr)), mask)

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float = 0.35) -> None:
        """Draw a soft shadow on the ground."""
        (px, py), unit = self._place([(x, y)])[0], self._scale()
        size = (max(2, int(2 * rx * unit)), max(2, int(2 * ry * unit)))
        mask = _soft_disc().resize(size).point([round(v * strength) for v in range(256)])
        self.image.paste((0, 0, 0), (int(px - size[0] / 2), int(py - size[1] / 2)), mask)

    def blur(self, radius: float) -> None:
        """Blur everything drawn so far."""
        soft = self.image.filter(ImageFilter.GaussianBlur(radius * self.image.height / 100))
        self.image.paste(soft)

    def pixels(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        """Change the picture as an array of shape (height, width, 3)."""
        values = change(np.asarray(self.image, dtype=np.float32))
        self.image.paste(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))

    # The finished picture

    def finish(self, *, photo: bool) -> Image.Image:
        """Return the picture in its final size; ``photo`` adds blur, a colour cast and grain."""
        small = self.image.reduce(_OVERSAMPLING)
        if not photo:
            return small
        if self.chance(0.25):
            small = small.filter(ImageFilter.GaussianBlur(self.between(0.4, 0.9)))
        values = np.asarray(small, dtype=np.float32)
        balance = self.between(0.88, 1.12) * self.rng.normal(1, 0.025, 3)
        height, width = values.shape[:2]
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        vignette = 1 - self.between(0, 0.22) * (x**2 + y**2) / 2
        left, top = self.whole(0, _GRAIN - width), self.whole(0, _GRAIN - height)
        grain = _grain()[top : top + height, left : left + width] * self.between(2, 6)
        values = values * balance.astype(np.float32) * vignette[..., None].astype(np.float32)
        return Image.fromarray(np.clip(values + grain[..., None], 0, 255).astype(np.uint8))


@cache
def load_font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Load one of the fonts that come with matplotlib, which are the same on every machine."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None, "matplotlib is a requirement"
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(folder / _FONTS[name], pixels, layout_engine=ImageFont.Layout.BASIC)


@cache
def _parsed(points: str) -> list[Point]:
    pairs = (point.split(",") for point in points.split())
    return [(float(x), float(y)) for x, y in pairs]


@cache
def _soft_disc() -> Image.Image:
    y, x = np.ogrid[-1:1:128j, -1:1:128j]
    fall = np.clip(1 - np.hypot(x, y), 0, 1) ** 1.6
    return Image.fromarray((255 * fall).astype(np.uint8))


_GRAIN = 1024


@cache
def _grain() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((_GRAIN, _GRAIN)).astype(np.float32)
