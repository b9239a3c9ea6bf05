"""Landscapes and buildings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from ..drawing import WHITE, Canvas, Points, darker, faint, lighter, mix, palette
from .kit import CLOTHES, clouds, day_sky, houses, leaves, scene


@scene()
def city_night(c: Canvas) -> None:
    """A skyline in the dark, sometimes over water."""
    glow = c.pick(palette("78466e 284678 965a50 3c3264"))
    c.gradient((8, 12, 30), glow, 0, 78)
    for _ in range(c.whole(15, 60)):
        c.circle(c.between(0, c.w), c.between(0, 45), c.between(0.12, 0.35), (220, 224, 240))
    if c.chance(0.5):
        x, y = c.between(0.1, 0.9) * c.w, c.between(9, 24)
        c.glow(x, y, 18, (200, 200, 220), 0.5)
        c.circle(x, y, c.between(3, 5), (244, 238, 214))
    water = c.chance(0.5)
    shore = c.between(70, 78) if water else 100
    houses(c, shore, c.between(45, 60), mix(glow, (30, 32, 52), 0.6), 0.3)
    houses(c, shore, c.between(30, 45), (28, 30, 50), 0.5)
    houses(c, shore, c.between(12, 24), (14, 15, 28), 0.6)
    if not water:
        return
    unit = c.image.height / 100
    top = round(shore * unit)
    depth = c.image.height - top
    above = ImageOps.flip(c.image.crop((0, top - depth, c.image.width, top)))
    c.image.paste(above.point([round(v * 0.6) for v in range(256)] * 3), (0, top))

    def ripple(values: NDArray[np.float32]) -> NDArray[np.float32]:
        for row in range(top, len(values)):
            shift = (row - top + 8) * 0.12 * math.sin(row * 0.55)
            values[row] = np.roll(values[row], round(shift), axis=0)
        return values

    c.pixels(ripple)
    c.rect(0, shore - 0.4, c.w, shore + 0.5, (10, 12, 20))


@scene()
def sunset(c: Canvas) -> None:
    """The sun low over hills or water."""
    top = c.pick(palette("3c4682 6e4678 285a96 964650"))
    low = c.pick(palette("fcaa5a ffbe6e ffd696"))
    horizon = c.between(56, 72)
    c.gradient(c.near(top), low, 0, horizon)
    x, y, r = c.between(0.2, 0.8) * c.w, horizon - c.between(1, 16), c.between(5, 9)
    c.glow(x, y, r * 6, (255, 236, 170), 0.8)
    clouds(c, c.whole(1, 5), mix(top, low, 0.7), 40)
    c.circle(x, y, r, (255, 246, 206))
    if c.chance(0.5):
        c.gradient(mix(low, top, 0.35), darker(top, 0.4), horizon, 100)
        glint = faint((255, 240, 190), 0.65)
        for row in np.arange(horizon + 1, 100, 1.7):
            spread = r * (0.5 + (row - horizon) / 30)
            for _ in range(4):
                left = x + c.rng.normal(0, spread * 0.6)
                c.rect(left - spread * 0.3, row, left + spread * 0.3, row + 0.7, glint)
    else:
        c.gradient(low, low, horizon, 100)
        for level in range(3):
            tone = mix(darker(top, 0.65), low, (1 - level / 3) * 0.45)
            c.ridge(horizon + 3 + 12 * level, 15 - 3 * level, tone)


@scene()
def ship(c: Canvas) -> None:
    """A ship at sea."""
    horizon = c.between(48, 58)
    day_sky(c, horizon)
    sea = c.pick(palette("28648c 3c788c 325a78 4682a0"))
    c.gradient(lighter(sea, 0.3), darker(sea, 0.35), horizon, 100)
    hull = c.pick(palette("96322c 283250 3c4246 24605a"))
    x, y = c.w * c.between(0.4, 0.6), horizon + c.between(8, 13)
    with c.at(x, y, c.between(0.9, 1.25), c.between(-3, 3), c.chance(0.5)):
        if c.chance(0.6):  # a freighter
            for x in np.arange(-26, 20, 7.4):
                for level in range(c.whole(1, 3)):
                    c.rect(x, -8 - 5 * level, x + 7, -3.4 - 5 * level, c.near(c.pick(CLOTHES)))
            c.rect(22, -22, 33, -3, (236, 236, 232))
            c.rect(23, -20, 32, -18, (70, 90, 110))
            c.rect(25, -28, 29, -22, hull)
        else:  # a sailing boat
            c.rect(-0.6, -44, 0.6, -3, (120, 90, 64))
            c.polygon("1.6,-43 1.6,-6 24,-6", (248, 246, 238))
            c.polygon("-1.6,-38 -1.6,-6 -18,-6", c.pick([(236, 232, 222), *CLOTHES]))
        c.polygon("-38,-4 40,-4 34,8 -32,8", hull)
        c.polygon("-36,2 37,2 34,8 -32,8", darker(hull, 0.3))
    for _ in range(130):
        y = c.between(horizon + 2, 100)
        size = (y - horizon) / 14 + 0.6
        x = c.between(0, c.w)
        c.rect(x, y, x + size * 2.4, y + size * 0.16, faint(WHITE, 0.28))


@scene()
def courthouse(c: Canvas) -> None:
    """Columns and a pediment."""
    day_sky(c)
    stone = c.pick(palette("e2dac8 d2d0cc e8e0d6 c8b8a0"))
    shade = darker(stone, 0.25)
    c.gradient((150, 170, 120), (110, 130, 90), 84, 100)
    with c.at(c.w / 2 + c.between(-4, 4), 90, c.between(0.92, 1.1)):
        wide = c.w * c.between(0.34, 0.42)
        c.rect(-wide, -54, wide, -6, shade)
        n = 2 * c.whole(2, 4)
        step = 2 * wide / (n - 0.35)
        c.rect(-3.5, -32, 3.5, -6, darker(shade, 0.5))
        for column in range(n):
            x = -wide + column * step
            width = step * 0.6
            c.rect(x, -50, x + width, -8, stone)
            for groove in (0.25, 0.5, 0.75):
                left = x + width * groove
                c.rect(left, -50, left + 0.5, -8, mix(stone, shade, 0.5))
            c.rect(x + width * 0.8, -50, x + width, -8, mix(stone, shade, 0.6))
            for y in (-52, -9):
                c.rect(x - 0.9, y, x + width + 0.9, y + 2.4, lighter(stone, 0.3))
        c.rect(-wide - 2, -59, wide + 2, -52, stone)
        words = c.pick(["EQUAL JUSTICE", "COURT OF LAW", "LEX ET PAX", "CITY HALL"])
        c.label(0, -55.5, words, wide, 3.4, darker(shade, 0.35), "serif")
        c.polygon([(-wide - 4, -59), (wide + 4, -59), (0, -80)], lighter(stone, 0.15))
        c.polygon([(-wide + 4, -61), (wide - 4, -61), (0, -76)], shade)
        for stair in range(4):
            half, drop = wide + 3 + 3 * stair, 2.6 * stair
            c.rect(-half, -8 + drop, half, -5.4 + drop, mix(stone, shade, stair / 5))


@scene()
def house(c: Canvas) -> None:
    """A house in a garden."""
    day_sky(c)
    c.gradient((130, 170, 90), (100, 140, 74), 74, 100)
    wall = c.pick(palette("ece0c8 d6a082 e6e6e2 b4c8d2 ecce82 be604c"))
    roof = c.pick(palette("964234 5a5456 78503c 465a64"))
    glass = (130, 160, 180)
    with c.at(c.w / 2 + c.between(-12, 12), 82, c.between(0.85, 1.1), 0, c.chance(0.5)):
        c.rect(14, -56, 20, -38, darker(wall, 0.3))
        c.rect(-30, -34, 30, 0, wall)
        c.rect(12, -34, 30, 0, darker(wall, 0.08))
        outline: Points = "-36,-33 36,-33 0,-62"
        if c.chance(0.4):
            outline = [(-35, -33), (35, -33), (c.between(14, 26), -58), (-c.between(14, 26), -58)]
        c.polygon(outline, roof)
        c.rect(-5, -19, 5, 0, c.pick(CLOTHES))
        c.circle(3, -9, 0.9, (230, 200, 120))
        for x in (-23.0, 12.0):
            c.rect(x - 1, -27, x + 12, -12, WHITE)
            c.rect(x, -26, x + 11, -13, glass)
            c.rect(x + 5, -26, x + 6, -13, WHITE)
            c.rect(x, -20, x + 11, -19, WHITE)
        c.polygon("-4,0 4,0 9,18 -9,18", (200, 190, 170))
    for side in (0.08, 0.92):
        if c.chance(0.7):
            x, r = side * c.w + c.between(-4, 4), c.between(9, 15)
            c.rect(x - 1.4, 60, x + 1.4, 86, (100, 74, 52))
            leaves(c, x, 58, r, c.pick(palette("5a8c46 6e963c 467850")))


@scene()
def mountains(c: Canvas) -> None:
    """Ranges behind each other, with snow."""
    day_sky(c)
    tone = c.pick(palette("6e82a0 78788c 64828c"))
    for level in range(3):
        far = 1 - level / 3
        base = 74 + 8 * level
        colour = mix(darker(tone, 0.45), (206, 218, 232), far * 0.75)
        peak = c.between(0.15, 0.85) * c.w
        for x in (peak, peak + c.between(25, 55), peak - c.between(25, 55)):
            height = c.between(34, 58) * (0.6 + 0.4 * far)
            left, right = c.between(0.7, 1.1) * height, c.between(0.7, 1.1) * height
            top, edge = base - height, (x + 3, base - height * 0.55)
            c.polygon([(x - left, base), (x, top), (x + right, base)], colour)
            side = [(x, top), (x + right, base), (x + right * 0.1, base), edge]
            c.polygon(side, darker(colour, 0.15))
            if level < 2:
                snow = [(x, top)]
                for step, share in enumerate((0.3, 0.12, -0.06, -0.24)):
                    drop = height * (0.32 if step % 2 == 0 else 0.2) * c.between(0.8, 1.1)
                    snow.append((x + right * share * 0.9, top + drop))
                c.polygon(snow, (244, 248, 252))
    c.ridge(90, 8, c.near((70, 104, 70)))
    for _ in range(c.whole(15, 40)):
        x, y, size = c.between(0, c.w), c.between(88, 100), c.between(3, 6)
        fir = [(x - size * 0.4, y), (x, y - size * 1.6), (x + size * 0.4, y)]
        c.polygon(fir, c.near((44, 78, 56), 10))


@scene()
def tree(c: Canvas) -> None:
    """A single tree in a meadow."""
    day_sky(c, 76)
    c.ridge(76, c.between(3, 9), c.near((150, 176, 140)))
    c.gradient(c.near((140, 178, 90)), (96, 136, 66), 74, 100)
    crown = c.pick(palette("5a8c3c 78963c ce8232 be5032 e6a0b4"))
    x, base = c.w * c.between(0.35, 0.65), c.between(82, 90)
    c.shadow(x, base, c.between(24, 34), 4, 0.45)
    bark = (96, 70, 52)
    trunk = ((-4.5, 0), (-2, -26), (-2, -40), (2, -40), (2, -26), (5, 0))
    c.polygon([(x + dx, base + dy) for dx, dy in trunk], bark)
    c.line([(x, base - 28), (x - 13, base - 44)], bark, 2)
    c.line([(x, base - 30), (x + 13, base - 46)], bark, 2)
    for dx, dy, r in ((-14, -46, 14), (14, -48, 14), (0, -60, 17), (-6, -40, 11), (8, -40, 11)):
        place = (x + dx + c.between(-3, 3), base + dy + c.between(-3, 3))
        leaves(c, *place, r * c.between(0.9, 1.2), crown)
