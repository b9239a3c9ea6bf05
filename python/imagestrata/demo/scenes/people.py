"""People, alone and in crowds."""

from __future__ import annotations

import math

import numpy as np

from ..drawing import BLACK, WHITE, Canvas, darker, faint, lighter, mix, palette
from .kit import CLOTHES, HAIRS, PORTRAIT, SKINS, bust, day_sky, houses, placard, scene, someone

SLOGANS = [
    "VOTE", "PEACE", "NOW", "JUSTICE", "HOPE", "ENOUGH", "LISTEN", "RIGHTS", "TOGETHER", "UNITE",
    "FAIR\nPAY", "WE ARE\nHERE", "NO\nMORE", "CLEAN\nAIR", "SAVE OUR\nSCHOOLS", "HOMES\nFOR ALL",
    "TRUTH", "EQUAL", "KEEP US\nSAFE", "CLIMATE", "WATER\nIS LIFE", "DIGNITY",
]  # fmt: skip


@scene()
def protest(c: Canvas) -> None:
    """A crowd with placards in a street."""
    evening = c.chance(0.2)
    c.gradient((96, 96, 132), (230, 170, 130)) if evening else day_sky(c)
    houses(c, 70, c.between(35, 62), c.pick(palette("b2a496 968c8c c4b096")), 0.1)
    c.blur(0.5)
    board = c.pick([None, None, WHITE, (250, 222, 90), (236, 236, 226)])
    size = c.between(0.85, 1.35)
    for row in range(3):
        share = (row + 1) / 3
        scale = size * (0.4 + 0.6 * share**1.4)
        ground = 60 + 28 * share**1.2
        gap = 18 * scale
        for x in np.arange(c.between(-gap, 0), c.w + gap, gap):
            place = (x + c.between(-0.2, 0.2) * gap, ground + c.between(-1, 2))
            skin, hair, shirt = someone(c)
            haze = 0.3 * (1 - share)
            if c.chance(0.32):
                colour = board or c.pick([WHITE, (250, 222, 90), (240, 240, 232), c.pick(CLOTHES)])
                ink = c.pick([BLACK, (180, 30, 34), (24, 60, 130)])
                ink = ink if sum(colour) > 420 else WHITE
                with c.at(place[0] + 8 * scale, place[1], scale, c.between(-9, 9)):
                    placard(c, c.pick(SLOGANS), colour, ink)
                    c.line("-4,10 0,-4", shirt, 3.4)
                    c.circle(0, -5, 2.2, skin)
            with c.at(*place, scale, c.between(-4, 4)):
                bust(c, mix(skin, WHITE, haze / 2), hair, mix(shirt, (170, 170, 180), haze))


@scene(shapes=PORTRAIT)
def portrait(c: Canvas) -> None:
    """A face on plain ground."""
    ground = c.pick(palette("b0bec8 cec4b4 788696 96aa96 c4a096 5a6068"))
    c.gradient(lighter(ground, 0.2), darker(ground, 0.15))
    c.glow(c.between(0.2, 0.8) * c.w, 35, 70, lighter(ground, 0.5), 0.7)
    skin, hair, shirt = someone(c)
    shade = darker(skin, 0.14)
    with c.at(c.w / 2 + c.between(-4, 4), c.between(58, 64), c.between(3.0, 3.6), c.between(-4, 4)):
        long = c.chance(0.45)
        if long:
            c.rounded(-7.2, -15, 7.2, c.between(2, 9), 7, darker(hair, 0.12))
        c.polygon("-14,40 -14,9 -11,5.5 -4,3 4,3 11,5.5 14,9 14,40", shirt)
        suit = c.chance(0.5)
        if suit:
            c.polygon("-4,3 4,3 0,14", WHITE)
            c.polygon("-1,5 1,5 1.4,12 0,14 -1.4,12", c.pick(CLOTHES))
            c.polygon("-4,3 -6.5,8 -1,18 0,14", darker(shirt, 0.25))
            c.polygon("4,3 6.5,8 1,18 0,14", darker(shirt, 0.25))
        c.polygon("-2.6,-3 2.6,-3 3,3.4 0,5.6 -3,3.4", shade)
        c.ellipse(-5.5, -6.6, 1.0, 1.6, shade)
        c.ellipse(5.5, -6.6, 1.0, 1.6, shade)
        c.ellipse(0, -7, 5.5, 7.2, skin)
        c.polygon("0.4,-13.8 5.3,-9 5.4,-5 3.6,-1.4 0.4,0.1", faint(shade, 0.35))
        if not long and c.chance(0.4):  # a beard
            c.polygon("-5.4,-6 -4.6,-2.4 -2,0.8 2,0.8 4.6,-2.4 5.4,-6 3.4,-4 0,-4.6 -3.4,-4", hair)
        for side in (-1, 1):
            c.ellipse(2.3 * side, -7.6, 1.15, 0.68, WHITE)
            c.circle(2.3 * side, -7.6, 0.62, c.pick(palette("463224 466478 3c5032")))
            c.circle(2.3 * side, -7.6, 0.3, BLACK)
            c.line([(1.1 * side, -9.4), (3.5 * side, -9.3)], darker(hair, 0.2), 0.5)
        c.line("0.1,-7.4 0.7,-5.1 -0.4,-4.9", darker(skin, 0.25), 0.32)
        smile = c.between(-0.2, 0.8)
        lip = -2.9 + smile * 0.6
        c.line([(-1.9, -2.9), (-0.8, lip), (0.8, lip), (1.9, -2.9)], (160, 76, 72), 0.55)
        if c.chance(0.85):
            c.polygon(
                "-5.9,-6.6 -6,-11 -3.6,-14.8 2.8,-15 5.8,-11.6 5.9,-6.6 4.8,-9.6 2.4,-11.8 "
                "-2.6,-11.2 -4.8,-9.6",
                hair,
            )
        if c.chance(0.3):  # glasses
            rim = [(1.6 * math.cos(a), 1.3 * math.sin(a)) for a in np.linspace(0, 6.3, 20)]
            for side in (-1, 1):
                c.line([(2.3 * side + x, -7.6 + y) for x, y in rim], BLACK, 0.3)
            c.line("-0.7,-7.8 0.7,-7.8", BLACK, 0.3)


@scene()
def podium(c: Canvas) -> None:
    """Somebody speaking at a lectern, with microphones."""
    wall = c.pick(palette("283e6e 6e2830 464a54 2e5650"))
    c.gradient(wall, darker(wall, 0.35))
    for x in np.arange(c.between(-8, 0), c.w, c.between(9, 14)):
        c.polygon([(x, 0), (x + 4, 0), (x + 4, 100), (x, 100)], faint(lighter(wall, 0.25), 0.25))
    if c.chance(0.6):
        for side in c.pick_some([0.12, 0.88], c.whole(1, 2)):
            colour = c.pick(CLOTHES)
            with c.at(side * c.w, 14):
                c.rect(-0.7, -6, 0.7, 90, (196, 168, 96))
                c.polygon("0,-3 9,2 8,44 2,56 -6,50 -4,10", colour)
                c.polygon("0,-3 4,0 3,50 -3,53 -2,8", lighter(colour, 0.35))
    c.glow(c.w / 2, 30, 50, lighter(wall, 0.6), 0.5)
    middle = c.w / 2 + c.between(-8, 8)
    with c.at(middle, c.between(36, 42), c.between(1.5, 1.75), c.between(-4, 4)):
        bust(c, c.pick(SKINS), c.pick(HAIRS), c.pick(palette("2c303c 3c425a 782832 28505a")))
        c.polygon("-2.6,3 2.6,3 0,12", WHITE)
        c.polygon("-0.8,4 0.8,4 0,12", c.pick(CLOTHES))
    wood = c.pick(palette("7a5234 603e2a 464a54 966e46"))
    with c.at(middle, 62):
        c.polygon("-25,0 25,0 21,40 -21,40", wood)
        c.polygon("-28,-4 28,-4 25,1 -25,1", lighter(wood, 0.25))
        c.circle(0, 18, 8, lighter(wood, 0.45))
        c.circle(0, 18, 6.4, c.pick(CLOTHES))
        for x in np.linspace(-9, 9, c.whole(1, 4)) if c.chance(0.8) else [0.0]:
            c.line([(x, -3), (x * 0.5, -14)], (30, 30, 34), 0.9)
            c.ellipse(x * 0.5, -15.5, 1.5, 2.4, (46, 46, 52))


@scene()
def vigil(c: Canvas) -> None:
    """Candles in the dark."""
    c.gradient((14, 12, 26), (46, 26, 26))
    for _ in range(c.whole(8, 18)):
        x, y, r = c.between(0, c.w), c.between(5, 50), c.between(3, 8)
        c.glow(x, y, r, c.near((230, 150, 70), 25), 0.5)
    c.blur(1.2)
    for row in range(3):
        scale = 0.55 + 0.4 * row
        gap = 15 * scale
        for x in np.arange(c.between(-gap, 0), c.w + gap, gap):
            y = 56 + 19 * row + c.between(-3, 3)
            height, wax = c.between(7, 15), c.pick(palette("f0e2c8 faf0e2 e29678"))
            with c.at(x + c.between(-3, 3), y, scale):
                c.glow(0, -3, 22, (255, 170, 70), 0.6)
                c.rounded(-2.4, 0, 2.4, height, 1, wax)
                c.rect(0.6, 0.6, 2.4, height, faint((120, 60, 30), 0.3))
                c.line("0,0 0,-1.6", BLACK, 0.4)
                c.polygon("0,-8.5 1.5,-4 1.3,-2 0,-1 -1.3,-2 -1.5,-4", (255, 206, 96))
                c.polygon("0,-6 0.8,-3.4 0,-1.6 -0.8,-3.4", (255, 248, 214))


@scene()
def fence(c: Canvas) -> None:
    """People behind wire or bars."""
    sky = c.pick(palette("bec4ca d6c8b4 a0b0be"))
    c.gradient(sky, lighter(sky, 0.3), 0, 62)
    c.gradient((170, 150, 120), (130, 112, 90), 62, 100)
    for _ in range(c.whole(2, 5)):
        with c.at(c.between(0.15, 0.85) * c.w, c.between(52, 62), c.between(0.9, 1.4)):
            bust(c, *someone(c))
    c.blur(0.7)
    wire = c.pick(palette("464a50 6e7074 322e2c"))
    if c.chance(0.6):
        step = c.between(8, 12)
        for start in np.arange(-100, c.w + 100, step):
            c.line([(start, 4), (start + 96, 100)], wire, 0.8)
            c.line([(start + 96, 4), (start, 100)], wire, 0.8)
        c.rect(0, 2.5, c.w, 5.5, darker(wire, 0.1))
        for x in np.arange(c.between(0, 20), c.w, 44):
            c.rect(x, 0, x + 2.6, 100, darker(wire, 0.2))
    else:
        step = c.between(9, 14)
        for x in np.arange(c.between(0, step), c.w, step):
            c.rect(x, 0, x + 2.8, 100, wire)
            c.rect(x, 0, x + 0.8, 100, lighter(wire, 0.35))
        for y in (10, 84):
            c.rect(0, y, c.w, y + 3, darker(wire, 0.2))
    if c.chance(0.5):
        skin, x = c.pick(SKINS), c.between(0.3, 0.7) * c.w
        for finger in range(4):
            c.rounded(x - 4, 56 + finger * 3.3, x + 4, 58.9 + finger * 3.3, 1.4, c.near(skin, 5))


@scene()
def megaphone(c: Canvas) -> None:
    """Somebody shouting through a megaphone."""
    sky = c.pick(palette("d2785a 5a8cb4 ecbe5a 966ea0 78aa96"))
    c.gradient(lighter(sky, 0.3), sky)
    for angle in np.arange(c.between(-60, -50), 60, 14):
        with c.at(c.w * 0.5, 52, 1, angle):
            c.polygon("0,0 160,-9 160,9", faint(WHITE, 0.18))
    skin, hair, shirt = someone(c)
    with c.at(c.w * c.between(0.2, 0.28), c.between(64, 70), c.between(1.9, 2.3), c.between(-6, 4)):
        bust(c, skin, hair, shirt)
        c.ellipse(3.6, -4, 1.5, 1.4, (120, 40, 40))
        tone = c.pick(palette("f0f0ec dc322e fac83c"))
        with c.at(6, -4.5, 1, c.between(-14, 0)):
            c.polygon("0,-1.6 17,-7.5 17,7.5 0,1.6", tone)
            c.polygon("0,0 17,0 17,7.5 0,1.6", darker(tone, 0.15))
            c.ellipse(17, 0, 2, 7.5, darker(tone, 0.35))
            c.rounded(-2, -1.8, 2, 1.8, 0.8, (60, 62, 70))
            c.rect(5, 2, 6.6, 8, (60, 62, 70))
        c.line("10,12 14,6 11.4,1.4", shirt, 4)
        c.circle(11.6, 1.6, 2.2, skin)


@scene()
def football(c: Canvas) -> None:
    """Players and a ball on a pitch."""
    c.gradient((70, 80, 100), (110, 120, 130), 0, 34)
    for _ in range(260):
        x, y, r = c.between(0, c.w), c.between(2, 31), c.between(0.8, 1.4)
        c.circle(x, y, r, c.near(c.pick(CLOTHES), 30))
    c.blur(0.7)
    c.rect(0, 30, c.w, 37, c.pick(palette("1e3c78 b42828 ecece8")))
    for stripe, x in enumerate(np.arange(-30, c.w + 30, 16)):
        green = (84, 150, 62) if stripe % 2 else (96, 164, 70)
        c.polygon([(x, 37), (x + 16, 37), (x * 1.3 + 16, 100), (x * 1.3 - 5, 100)], green)
    c.line([(0, 60), (c.w, 56)], faint(WHITE, 0.85), 0.8)
    home, away = c.pick_some(CLOTHES, 2)
    for _ in range(c.whole(3, 5)):
        shirt, skin = c.pick([home, away]), c.pick(SKINS)
        x, y = c.between(0.1, 0.9) * c.w, c.between(66, 92)
        with c.at(x, y, c.between(0.85, 1.2), c.between(-8, 8), c.chance(0.5)):
            c.shadow(0, 0, 9, 2)
            for knee, foot in (((4, -9), (1, -1)), ((-3, -9), (-9, -3))):
                c.line([(0, -16), knee, foot], skin, 2.4)
                shin = (knee[0] * 0.6 + foot[0] * 0.4, knee[1] * 0.5 + foot[1] * 0.5)
                c.line([shin, foot], WHITE, 2.4)
            c.polygon("-4,-17 4,-17 5,-11 0,-12 -5,-11", darker(shirt, 0.45))
            c.polygon("-4.4,-29 4.4,-29 4,-16 -4,-16", shirt)
            c.line("-4,-27 -9,-22 -7,-17", shirt, 2.2)
            c.line("4,-27 9,-23 12,-26", skin, 2)
            c.circle(0, -33, 3.2, skin)
            c.polygon("-3.3,-33 -2.6,-36 2.6,-36 3.3,-33 0,-34.6", c.pick(HAIRS))
    x, y = c.between(0.3, 0.7) * c.w, c.between(84, 95)
    c.shadow(x, y + 3, 6, 1.8)
    c.circle(x, y, 3.6, WHITE)
    for a in range(5):
        c.circle(x + 2.4 * math.cos(a * 1.26), y + 2.4 * math.sin(a * 1.26), 0.9, BLACK)
    c.circle(x, y, 1, BLACK)


@scene()
def hands(c: Canvas) -> None:
    """Many raised hands."""
    ground = c.pick(palette("f0c850 5a96be e2e2dc d26e5a 78aa8c"))
    c.gradient(lighter(ground, 0.25), ground)
    n = c.whole(4, 8)
    for place in c.rng.permutation(n):
        skin, sleeve = c.pick(SKINS), c.near(c.pick(CLOTHES))
        x = (place + 0.5 + c.between(-0.2, 0.2)) * c.w / n
        with c.at(x, c.between(48, 66), c.between(0.85, 1.25), c.between(-14, 14), c.chance(0.5)):
            c.rect(-5, 10, 5, 40, skin)
            c.polygon("-8,26 8,26 10,90 -10,90", sleeve)
            c.rounded(-8, -8, 8, 13, 5, skin)
            for finger, (px, length) in enumerate(((-6.2, 15), (-2.1, 19), (2.1, 18), (6.2, 13))):
                with c.at(px, -4, 1, (finger - 1.5) * 6):
                    c.rounded(-1.9, -length, 1.9, 3, 1.9, skin)
            with c.at(7, 4, 1, 46):
                c.rounded(-2.1, -13, 2.1, 3, 2.1, skin)
            c.line("-4,3 0,6 5,4", darker(skin, 0.18), 0.6)


@scene()
def ballot(c: Canvas) -> None:
    """A paper going into a ballot box."""
    ground = c.pick(palette("7896b4 beb4a0 967878 6e8c82"))
    c.gradient(lighter(ground, 0.35), ground, 0, 80)
    c.gradient(darker(ground, 0.4), darker(ground, 0.25), 80, 100)
    box = c.pick(palette("3c5a96 e6e8ec 5a5e64 aa784c"))
    skin, sleeve = c.pick(SKINS), c.pick(CLOTHES)
    with c.at(c.w / 2 + c.between(-8, 8), 90, c.between(0.95, 1.1)):
        c.shadow(0, 1, 40, 6, 0.6)
        with c.at(0, -44, 1, c.between(-8, 8)):
            c.rect(-12, -24, 12, 6, (252, 252, 248))
            for y in (-18, -12, -6):
                c.rect(-8.6, y, -5.6, y + 3, (110, 112, 118))
                c.rect(-3, y + 0.8, 8, y + 2, (160, 162, 168))
            c.line("-9,-16.6 -7.6,-15 -4.4,-20", (190, 40, 40), 1)
            c.line("76,-118 22,-26", sleeve, 11)
            c.line("25,-31 14,-21", skin, 7)
            c.line("15,-22 4,-20", skin, 3.4)
            c.line("15,-19 5,-15", skin, 3.4)
        c.polygon("-34,-42 34,-42 30,-48 -30,-48", lighter(box, 0.3))
        c.rect(-15, -46.4, 15, -43.8, darker(box, 0.6))
        c.rect(-34, -42, 34, 0, box)
        c.rect(18, -42, 34, 0, darker(box, 0.12))
        c.label(0, -21, "VOTE", 36, 14, WHITE if sum(box) < 520 else (50, 70, 120), "bold")
