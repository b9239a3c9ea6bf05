"""Objects, vehicles and signs."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from ..drawing import BLACK, WHITE, Canvas, Colour, darker, faint, lighter, palette
from .kit import CLOTHES, day_sky, houses, leaves, road, scene


@scene()
def flag(c: Canvas) -> None:
    """A flag of no country, waving on its pole."""
    day_sky(c)
    colours = c.pick_some(palette("c42830 fafaf6 1e4696 248250 f6c83c 222228 e67828 6eb4dc"), 4)
    n, kind = c.whole(2, 5), c.whole(0, 3)
    x0, width, height = c.w * c.between(0.1, 0.2), c.w * c.between(0.6, 0.72), c.between(44, 58)
    y0, waves, phase = c.between(12, 24), c.between(1.1, 2), c.between(0, 6)
    c.rect(x0 - 2.4, 5, x0, 100, (150, 150, 156))
    c.rect(x0 - 2.4, 5, x0 - 1.6, 100, (200, 200, 206))
    c.circle(x0 - 1.2, 5, 2.2, (222, 184, 80))

    def at(u: float, v: float) -> tuple[float, float]:
        sway = math.sin(u * waves * 2 * math.pi + phase) * 4.5 * u**0.6
        return x0 + u * width * 0.98, y0 + v * height + sway + u * 4

    def patch(u0: float, v0: float, u1: float, v1: float, colour: Colour) -> None:
        light = math.cos((u0 + u1) / 2 * waves * 2 * math.pi + phase) * 0.17
        tone = lighter(colour, light) if light > 0 else darker(colour, -light * 1.6)
        c.polygon([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], tone)

    steps = np.linspace(0, 1, 61)
    for u0, u1 in pairwise(steps.tolist()):
        after = u1 + 0.004
        if kind == 0:  # bands
            for band in range(n):
                patch(u0, band / n, after, (band + 1) / n, colours[band % len(colours)])
        elif kind == 1:  # upright bands
            patch(u0, 0, after, 1, colours[int(u0 * 3)])
        else:  # a cross, or bands with a wedge
            patch(u0, 0, after, 0.5, colours[0])
            patch(u0, 0.5, after, 1, colours[0] if kind == 2 else colours[1])
            if kind == 2:
                patch(u0, 0.4, after, 0.6, colours[1])
                if 0.3 < u0 < 0.43:
                    patch(u0, 0, after, 1, colours[1])
            elif u0 < 0.4:
                patch(u0, u0 * 1.25, after, 1 - u0 * 1.25, colours[2])
    if kind == 0 and c.chance(0.4):
        c.circle(*at(0.5, 0.5), height * 0.16, colours[n % len(colours)])


def wheel(c: Canvas, x: float, y: float, r: float) -> None:
    """Draw a wheel around (x, y)."""
    c.circle(x, y, r, (34, 34, 38))
    c.circle(x, y, r * 0.55, (176, 178, 184))
    c.circle(x, y, r * 0.2, (70, 72, 78))


@scene()
def bus(c: Canvas) -> None:
    """A bus in a street."""
    day_sky(c, 70)
    houses(c, 72, c.between(35, 55), c.pick(palette("baaa96 a09696 b0826e")), 0.05)
    c.blur(0.6)
    road(c, 72)
    paint = c.pick(palette("c42828 f0be28 286eaa 328c5a e6e6e2"))
    glass = (70, 92, 110)
    with c.at(c.w / 2 + c.between(-6, 6), 84, c.between(0.95, 1.15), 0, c.chance(0.5)):
        decks = c.whole(1, 2) if sum(paint) < 330 else 1
        top = -34 - 18 * (decks - 1)
        c.shadow(0, 1, 48, 5)
        c.rounded(-44, top, 44, -2, 4, paint)
        c.rect(-44, -12, 44, -9.6, lighter(paint, 0.5))
        for deck in range(decks):
            y = top + 5 + 18 * deck
            for x in np.arange(-41, 28, 11.4):
                c.rounded(x, y, x + 10, y + 12, 1, glass)
                shine = [(x + 2, y + 12), (x + 6, y), (x + 8, y), (x + 4, y + 12)]
                c.polygon(shine, faint(WHITE, 0.2))
            c.rounded(29, y, 42, y + 13, 1.4, lighter(glass, 0.2))
        c.rect(-8, -21 if decks == 1 else -20, 0, -3, darker(paint, 0.3))
        c.circle(42, -7, 1.6, (255, 244, 200))
        wheel(c, -27, -2, 6.4)
        wheel(c, 25, -2, 6.4)


@scene()
def car(c: Canvas) -> None:
    """A car on a road in the country."""
    day_sky(c, 66)
    c.ridge(66, c.between(6, 16), c.near((130, 160, 130)))
    c.gradient((140, 170, 96), (120, 150, 84), 64, 72)
    road(c, 72)
    paint = c.near(c.pick(CLOTHES))
    with c.at(c.w / 2 + c.between(-10, 10), 86, c.between(0.85, 1.2), 0, c.chance(0.5)):
        c.shadow(0, 1, 40, 5)
        roof = c.between(-27, -23)
        c.polygon([(-24, -14), (-16, roof), (10, roof), (23, -14)], darker(paint, 0.1))
        c.polygon([(-20, -14.5), (-14, roof + 2), (-3.5, roof + 2), (-3.5, -14.5)], (90, 114, 132))
        c.polygon([(-1.5, -14.5), (-1.5, roof + 2), (9, roof + 2), (18.5, -14.5)], (104, 130, 148))
        c.polygon("-36,-13 -33,-15.5 24,-15.5 36,-12 37,-4 34,-2 -35,-2 -37,-5", paint)
        c.polygon("-37,-6 37,-6 34,-2 -35,-2", darker(paint, 0.25))
        c.rect(-2.6, -15, -2.2, -4, darker(paint, 0.3))
        c.ellipse(34.5, -10, 2, 1.6, (255, 246, 206))
        c.rect(-37, -12, -34.6, -8.6, (196, 50, 44))
        wheel(c, -21, -3, 6.8)
        wheel(c, 22, -3, 6.8)


@scene()
def road_sign(c: Canvas) -> None:
    """A traffic sign before blurred green."""
    day_sky(c)
    for _ in range(14):
        x, y, r = c.between(0, c.w), c.between(55, 95), c.between(10, 18)
        leaves(c, x, y, r, c.near((100, 140, 80), 14))
    c.blur(1.6)
    x = c.w / 2 + c.between(-14, 14)
    c.rect(x - 1.5, 40, x + 1.5, 100, (150, 152, 156))
    with c.at(x, 40, c.between(0.9, 1.2), c.between(-5, 5)):
        kind = c.whole(0, 3)
        if kind == 0:  # speed
            c.circle(0, 0, 27, WHITE)
            c.circle(0, 0, 26, (200, 30, 36))
            c.circle(0, 0, 20, WHITE)
            c.text(0, 0, str(10 * c.whole(2, 12)), 22, BLACK, "bold")
        elif kind == 1:  # stop
            corners = [(math.cos(a), math.sin(a)) for a in np.arange(8) * math.pi / 4 + math.pi / 8]
            c.polygon([(28 * px, 28 * py) for px, py in corners], WHITE)
            c.polygon([(26 * px, 26 * py) for px, py in corners], (194, 30, 36))
            c.text(0, 0, "STOP", 16, WHITE, "bold")
        elif kind == 2:  # caution
            c.polygon("0,-28 30,22 -30,22", (200, 30, 36))
            c.polygon("0,-18 21.5,17 -21.5,17", WHITE)
            c.text(0, 6, "!", 26, BLACK, "bold")
        else:  # ways
            for y, words in ((-14, "CENTRE"), (6, "STATION")):
                arrow = [(-30, y - 8), (22, y - 8), (32, y), (22, y + 8), (-30, y + 8)]
                c.polygon(arrow, c.pick(palette("285aa0 287846")))
                c.text(-2, y, words, 9, WHITE, "bold")


@scene(shapes=(1.0, 4 / 3))
def plate(c: Canvas) -> None:
    """Food on a plate, from above."""
    table = c.pick(palette("966846 be966e 5a6064 e2ded6 784636"))
    c.gradient(table, darker(table, 0.15))
    for _ in range(12):
        y = c.between(0, 100)
        c.rect(0, y, c.w, y + c.between(0.2, 0.7), faint(darker(table, 0.3), 0.35))
    x, y = c.w / 2 + c.between(-5, 5), 50 + c.between(-3, 3)
    c.shadow(x + 2, y + 4, 48, 48, 0.6)
    c.circle(x, y, 38, (246, 244, 240))
    c.circle(x, y, 37, (232, 230, 226))
    c.circle(x, y, 28, (246, 245, 242))
    for px, rounds in ((x - 47, True), (x + 47, False)):
        c.rounded(px - 1, 30, px + 1, 82, 1, (196, 198, 204))
        c.ellipse(px, 27, 3.4 if rounds else 1.8, 9, (206, 208, 214))
    n = c.whole(3, 5)
    for dish in range(n):
        a, d = 6.28 * (dish + c.between(-0.2, 0.2)) / n, c.between(11, 15)
        px, py, r = x + d * math.cos(a), y + d * math.sin(a), c.between(8, 12)
        kind = c.whole(0, 3)
        if kind == 0:  # greens
            leaves(c, px, py, r, c.near((90, 160, 60)))
        elif kind == 1:  # an egg
            c.blob(px, py, r * 1.1, (252, 250, 244), 0.1)
            c.circle(px, py, r * 0.42, (246, 180, 50))
        elif kind == 2:  # tomatoes
            for _ in range(4):
                tx, ty = px + c.between(-5, 5), py + c.between(-5, 5)
                c.circle(tx, ty, r * 0.42, (200, 46, 38))
                c.circle(tx - 0.8, ty - 0.8, r * 0.1, (255, 190, 170))
        else:  # meat, or bread
            brown = c.near(c.pick(palette("8c5032 cea060")))
            c.blob(px, py, r, darker(brown, 0.2), 0.14)
            c.blob(px - 0.5, py - 0.8, r * 0.86, brown, 0.14)


@scene(shapes=(1.0, 4 / 3))
def hat(c: Canvas) -> None:
    """A hat on a table."""
    ground = c.pick(palette("e2dcd2 beccd4 d4c4b4"))
    c.gradient(ground, lighter(ground, 0.3), 0, 68)
    c.gradient(darker(ground, 0.25), darker(ground, 0.1), 68, 100)
    felt, band = c.near(c.pick(CLOTHES)), c.pick([BLACK, (230, 226, 214), (120, 40, 40)])
    with c.at(c.w / 2 + c.between(-6, 6), 74, c.between(0.9, 1.2), c.between(-8, 8)):
        c.shadow(0, 6, 48, 8, 0.5)
        c.ellipse(0, 0, 46, 9, darker(felt, 0.2))
        c.ellipse(0, -1.6, 44, 7.4, felt)
        c.polygon("-25,-3 -22,-34 -12,-42 0,-37 12,-42 22,-34 25,-3 0,2", felt)
        c.polygon("6,-40 12,-42 22,-34 25,-3 10,1", faint(BLACK, 0.14))
        c.polygon("-25,-3 -24,-13 0,-9 24,-13 25,-3 0,2", band)


@scene(shapes=(1.0, 4 / 3))
def clock(c: Canvas) -> None:
    """A clock on a wall."""
    wall = c.pick(palette("d6cebe 96aab4 be826e 788c78 e6e6e2"))
    c.gradient(wall, darker(wall, 0.12))
    case, face = c.pick(palette("323238 825a3c bea05a aa2828")), (250, 248, 240)
    with c.at(c.w / 2 + c.between(-6, 6), 50 + c.between(-4, 4), c.between(0.8, 1)):
        c.shadow(3, 6, 50, 50, 0.6)
        c.circle(0, 0, 43, case)
        c.circle(0, 0, 38, face)
        for hour in range(1, 13):
            a = math.radians(30 * hour - 90)
            c.text(30 * math.cos(a), 30 * math.sin(a), str(hour), 8, BLACK, "heavy")
        for length, width, angle in ((19, 2.6, c.between(0, 360)), (29, 1.7, c.between(0, 360))):
            with c.at(0, 0, 1, angle):
                tip = width * 0.4
                c.polygon([(-width, 4), (width, 4), (tip, -length), (-tip, -length)], BLACK)
        c.circle(0, 0, 2.4, case)
