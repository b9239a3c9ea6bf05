"""The registry of scenes, and drawing functions that several scenes share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..drawing import WHITE, Canvas, Colour, darker, faint, lighter, mix, palette


@dataclass(frozen=True)
class Scene:
    """A kind of picture."""

    draw: Callable[[Canvas], None]
    #: True: finished as a photograph, with blur and grain. Graphics stay clean.
    photo: bool
    #: Ratios of width to height. One of them is drawn at random.
    shapes: tuple[float, ...]


#: Name -> scene.
SCENES: dict[str, Scene] = {}

LANDSCAPE = (4 / 3, 4 / 3, 3 / 2, 16 / 9)
PORTRAIT = (3 / 4, 4 / 5, 1.0)


def scene(
    *, photo: bool = True, shapes: tuple[float, ...] = LANDSCAPE
) -> Callable[[Callable[[Canvas], None]], Callable[[Canvas], None]]:
    """Decorate a drawing function: it enters :data:`SCENES` under its own name."""

    def enter(draw: Callable[[Canvas], None]) -> Callable[[Canvas], None]:
        SCENES[draw.__name__] = Scene(draw, photo, shapes)
        return draw

    return enter


SKINS = palette("f6d4b9 e8bc98 d2a078 ac7854 80543a 5c3c2c")
HAIRS = palette("261c18 3e2a1e 68462a a87c48 969698 78341e")
CLOTHES = palette("ba403c 365c96 468060 deb04a 78548c 3c424c d6d6d0 ce7846 5896aa c47892")
BRIGHT = [colour for colour in CLOTHES if max(colour) - min(colour) > 40]


def bust(c: Canvas, skin: Colour, hair: Colour, shirt: Colour) -> None:
    """Draw head and shoulders. The chin is near (0, 0), the head 12 wide, the shoulders 26."""
    style = c.whole(0, 4)
    if style == 1:  # long
        c.rounded(-7, -13, 7, 4, 6, hair)
    c.polygon("-13,40 -13,8 -10,4.5 -4,2.5 4,2.5 10,4.5 13,8 13,40", shirt)
    c.rect(-2.4, -3, 2.4, 4, darker(skin, 0.15))
    c.ellipse(0, -7, 5.3, 6.6, skin)
    if style == 4:  # a cap
        c.ellipse(0, -11, 5.8, 3.6, darker(shirt, 0.2))
        c.ellipse(2, -9.6, 6, 1.2, darker(shirt, 0.35))
    elif style:
        fringe = "-5.6,-6 -5.6,-11 -3,-14.2 3,-14.2 5.6,-11 5.6,-6 4.4,-9.6 0,-10.6 -4.4,-9.6"
        c.polygon(fringe, hair)
    if style == 2:  # a bun
        c.circle(0, -15, 2.4, hair)


def someone(c: Canvas) -> tuple[Colour, Colour, Colour]:
    """Draw colours of skin, hair and clothes at random."""
    return c.pick(SKINS), c.pick(HAIRS), c.near(c.pick(CLOTHES))


def placard(c: Canvas, words: str, colour: Colour, ink: Colour) -> None:
    """Draw a sign on a stick. The lower end of the stick is at (0, 0)."""
    width, height = c.between(20, 27), c.between(13, 18)
    c.rect(-0.6, -26, 0.6, 0, (150, 116, 80))
    c.rect(-width / 2, -26 - height, width / 2, -26, colour)
    c.label(0, -26 - height / 2, words, width * 0.84, height * 0.72, ink, "bold")


def houses(c: Canvas, horizon: float, tallest: float, colour: Colour, lit: float) -> None:
    """Draw a row of buildings with windows. ``lit`` is the share of windows with light."""
    x = -c.between(0, 6)
    while x < c.w:
        width = c.between(7, 17)
        top = horizon - c.between(0.35, 1) * tallest
        wall = c.near(colour, 8)
        c.rect(x, top, x + width, horizon, wall)
        if c.chance(0.2):
            c.rect(x + width / 2 - 0.3, top - c.between(3, 8), x + width / 2 + 0.3, top, wall)
        glass, light = darker(wall, 0.3), c.pick(palette("ffde8c fff0c8 fac86e"))
        step = c.between(2.1, 2.9)
        for row in np.arange(top + 1.5, horizon - 2, step):
            for column in np.arange(x + 1.2, x + width - 1.6, step):
                pane = c.near(light, 14) if c.chance(lit) else glass
                c.rect(column, row, column + step * 0.5, row + step * 0.55, pane)
        x += width + c.between(-1, 0.6)


def clouds(c: Canvas, n: int, colour: Colour = WHITE, low: float = 35) -> None:
    """Draw n clouds above the height ``low``."""
    for _ in range(n):
        x, y, size = c.between(0, c.w), c.between(4, low), c.between(3, 7)
        for _ in range(7):
            dx, dy = c.between(-2.2, 2.2) * size, c.between(-0.35, 0.2) * size
            c.ellipse(x + dx, y + dy, size * c.between(0.8, 1.5), size * 0.5, faint(colour, 0.4))


def day_sky(c: Canvas, horizon: float = 100) -> None:
    """Draw a blue sky with up to four clouds."""
    top = c.pick(palette("5c96d6 78aadc 96b4ce 4682c8"))
    c.gradient(c.near(top), lighter(top, 0.65), 0, horizon)
    clouds(c, c.whole(0, 4))


def road(c: Canvas, y: float) -> None:
    """Draw a road with a dashed line, from height y down to the lower edge."""
    c.gradient((104, 104, 108), (72, 72, 78), y, 100)
    start = c.between(-12, 0)
    for x in np.arange(start, c.w, 18):
        c.rect(x, y + (100 - y) * 0.55, x + 9, y + (100 - y) * 0.6, (226, 220, 196))


def leaves(c: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    """Draw a crown of leaves that is darker below."""
    c.blob(x, y, r, darker(colour, 0.3), 0.12)
    for _ in range(26):
        a, d = c.between(0, 2 * math.pi), r * math.sqrt(c.between(0, 0.9))
        px, py = x + d * math.cos(a), y + d * math.sin(a) * 0.95
        tone = mix(lighter(colour, 0.25), darker(colour, 0.25), (py - y + r) / (2 * r))
        c.circle(px, py, r * c.between(0.12, 0.3), c.near(tone, 8))
