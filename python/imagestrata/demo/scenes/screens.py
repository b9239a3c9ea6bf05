"""Graphics: memes, charts, maps, screenshots and print."""

from __future__ import annotations

import numpy as np

from ..drawing import BLACK, WHITE, Canvas, Colour, darker, faint, lighter, mix, palette
from .kit import BRIGHT, CLOTHES, PORTRAIT, SKINS, scene

TITLES = [
    "THE DAILY COURIER", "MORNING POST", "THE HERALD", "CITY GAZETTE", "EVENING STAR",
    "THE TIMES OF TOWN",
]  # fmt: skip
MEASURES = [
    "Turnout by region", "Votes, in percent", "Trust in media", "Rent, 2010 to 2020",
    "Share of respondents", "Posts per day", "Approval", "New members",
]  # fmt: skip
JOKES = [
    "WHEN THE DATA / FINALLY LOADS", "ONE MORE / ROBUSTNESS CHECK", "MONDAY / AGAIN",
    "I WAS TOLD / THERE WOULD BE LUNCH", "REVIEWER TWO / HAS QUESTIONS",
    "NOBODY: / MY CODE AT 3 AM", "SMALL SAMPLE / BIG CLAIMS", "THE SURVEY SAID / 10 MINUTES",
    "N = 1 / STILL SIGNIFICANT",
]  # fmt: skip
WORDS = [
    "council", "votes", "new", "budget", "after", "long", "night", "talks", "river", "town",
    "opens", "bridge", "market", "prices", "rise", "school", "wins", "prize", "rain", "returns",
    "north", "farmers", "meet", "minister", "visit", "harbour", "strike", "ends", "museum",
    "finds", "lost", "letters", "early", "spring", "trains", "run", "late", "study", "shows",
    "more", "people", "walk", "to", "work",
]  # fmt: skip


@scene(photo=False, shapes=(1.0, 4 / 3, 6 / 5))
def meme(c: Canvas) -> None:
    """An animal, a line above and a line below."""
    ground = c.pick(palette("78a0be be9678 8caa82 c8aabe a0a0aa"))
    c.gradient(c.near(ground), darker(ground, 0.35))
    for _ in range(5):
        x, y, r = c.between(0, c.w), c.between(0, 100), c.between(15, 40)
        c.glow(x, y, r, c.near(lighter(ground, 0.3), 30), 0.6)
    fur = c.pick(palette("d69654 78706c ece0ce 423c3e a88060"))
    x, y = c.w / 2 + c.between(-6, 6), c.between(54, 60)
    with c.at(x, y, c.between(0.9, 1.15), c.between(-8, 8)):
        c.ellipse(0, 42, 30, 32, darker(fur, 0.12))
        for side in (-1, 1):
            c.polygon([(8 * side, -20), (24 * side, -36), (27 * side, -6)], fur)
            c.polygon([(13 * side, -20), (22 * side, -30), (24 * side, -11)], (222, 150, 150))
        c.ellipse(0, 0, 30, 26, fur)
        for x in (-7, 0, 7):
            c.line([(x, -25), (x * 0.8, -15)], darker(fur, 0.3), 2.4)
        c.ellipse(0, 11, 14, 10, lighter(fur, 0.5))
        eyes = c.pick(palette("b4c846 6eb4c8 e2b43c"))
        tired = c.chance(0.4)
        for side in (-1, 1):
            c.ellipse(11 * side, -3, 6.2, 6.2, eyes)
            c.ellipse(11 * side, -3, 2.2 if not tired else 3.6, 5.4, BLACK)
            c.circle(11 * side + 1.6, -5, 1.3, WHITE)
            if tired:
                c.rect(4 * side, -10.5, 18 * side, -3, fur)
            for y in (8, 11, 14):
                c.line([(9 * side, y), (34 * side, y * 1.6 - 9)], lighter(fur, 0.75), 0.5)
        c.polygon("-3.4,5 3.4,5 0,9", (206, 110, 116))
        mood = c.pick([-3.5, 3, 4])
        c.line("0,9 0,13", darker(fur, 0.6), 0.9)
        for side in (-1, 1):
            mouth = [(0, 13), (3 * side, 13 + mood * 0.8), (7 * side, 13 + mood * 0.4)]
            c.line(mouth, darker(fur, 0.6), 0.9)
    upper, lower = c.pick(JOKES).split(" / ")
    for y, words in ((10, upper), (90, lower)):
        c.text(c.w / 2, y, words, min(12, c.w * 1.3 / len(words)), WHITE, "bold", edge=BLACK)


@scene(photo=False, shapes=(3 / 4, 4 / 5, 1.0, 4 / 3))
def newspaper(c: Canvas) -> None:
    """A front page: title, headline, columns and a picture."""
    paper = c.pick(palette("f4f0e4 ece8de f8f6f0 e8e0cc"))
    c.gradient(paper, darker(paper, 0.06))
    edge, ink = c.w * 0.06, (34, 32, 32)
    c.label(c.w / 2, 8, c.pick(TITLES), c.w * 0.86, 8, ink, c.pick(["heavy", "serif"]))
    c.rect(edge, 14, c.w - edge, 14.5, ink)
    c.rect(edge, 15.2, c.w - edge, 15.5, ink)
    words = " ".join(c.pick_some(WORDS, c.whole(3, 4))).upper()
    c.label(c.w / 2, 22, words, c.w * 0.88, 9, ink, "heavy")
    n = 3 if c.w < 95 else 4
    gap = 2.2
    width = (c.w - 2 * edge - gap * (n - 1)) / n
    start, span = c.whole(0, n - 2), 2
    for column in range(n):
        x = edge + column * (width + gap)
        top = 62 if start <= column < start + span else 30
        small_print(c, x, top, width, int((97 - top) / 2.1), 2.1)
    x = edge + start * (width + gap)
    wide = span * width + (span - 1) * gap
    c.rect(x, 30, x + wide, 58, (188, 186, 182))
    c.rect(x, 46, x + wide, 58, (120, 118, 116))
    for _ in range(c.whole(1, 4)):
        grey = c.whole(40, 110)
        with c.at(x + c.between(0.25, 0.75) * wide, 50, c.between(0.6, 0.8)):
            bust_top = (grey, grey, grey)
            c.polygon("-9,10 -9,5 -5,2.5 5,2.5 9,5 9,10", bust_top)
            c.ellipse(0, -5, 4.6, 6, lighter(bust_top, 0.4))
    small_print(c, x, 59, wide, 1, 2)


def small_print(c: Canvas, x: float, y: float, width: float, rows: int, step: float) -> None:
    """Draw a column of text that is too small to read."""
    ink = (96, 94, 92)
    for row in range(rows):
        end = x
        last = x + width * (c.between(0.3, 0.8) if row == rows - 1 or c.chance(0.12) else 1)
        while end < last:
            word = min(c.between(0.8, 3.2), last - end)
            c.rect(end, y + row * step, end + word, y + row * step + step * 0.45, ink)
            end += word + 0.6


def axes(c: Canvas, ink: Colour, title: str) -> tuple[float, float, float, float]:
    """Draw the title and grid of a chart; return its left, top, right and bottom edges."""
    left, top, right, bottom = c.w * 0.13, 18.0, c.w * 0.95, 86.0
    c.text(left, 9, title, 6, ink, "bold", "lm")
    unit = c.pick([5, 10, 20, 50])
    for step, y in enumerate(np.linspace(bottom, top, 6)):
        c.rect(left, y, right, y + 0.3, faint(ink, 0.18))
        c.text(left - 1.5, y, str(step * unit), 3.6, ink, anchor="rm")
    c.rect(left, bottom, right, bottom + 0.6, ink)
    return left, top, right, bottom


def chart_ground(c: Canvas) -> Colour:
    """Fill the ground of a chart and return the colour to write in."""
    ground = c.pick([WHITE, WHITE, (246, 244, 238), (236, 240, 246), (32, 36, 46)])
    c.gradient(ground, ground)
    return (60, 62, 70) if sum(ground) > 380 else (214, 216, 224)


@scene(photo=False)
def bar_chart(c: Canvas) -> None:
    """Bars, single or in pairs."""
    left, top, right, bottom = axes(c, chart_ground(c), c.pick(MEASURES))
    n, pairs = c.whole(4, 9), c.chance(0.35)
    first, second = c.pick_some(BRIGHT, 2)
    step = (right - left) / n
    heights = c.rng.uniform(0.12, 0.97, n)
    heights = np.sort(heights) if c.chance(0.35) else heights
    for bar, height in enumerate(heights.tolist()):
        x, y = left + step * (bar + 0.16), bottom - height * (bottom - top)
        width = step * (0.34 if pairs else 0.68)
        c.rect(x, y, x + width, bottom, first)
        if pairs:
            height = float(np.clip(height + c.rng.normal(0, 0.18), 0.05, 1))
            other = bottom - height * (bottom - top)
            c.rect(x + width, other, x + 2 * width, bottom, second)
        c.text(x + step * 0.34, bottom + 4, "ABCDEFGHI"[bar], 4, (128, 130, 138))


@scene(photo=False)
def line_chart(c: Canvas) -> None:
    """One to four lines over time."""
    ink = chart_ground(c)
    left, top, right, bottom = axes(c, ink, c.pick(MEASURES))
    n = c.whole(16, 40)
    xs = np.linspace(left, right - 2, n)
    for colour in c.pick_some(BRIGHT, c.whole(1, 4)):
        walk = np.cumsum(c.rng.normal(c.between(-0.3, 0.3), 1, n))
        walk = (walk - walk.min()) / max(float(np.ptp(walk)), 1e-9)
        low, high = c.between(0.05, 0.4), c.between(0.5, 0.95)
        ys = bottom - (low + (high - low) * walk) * (bottom - top)
        points = list(zip(xs.tolist(), ys.tolist(), strict=True))
        c.line(points, colour, 1.1)
        c.circle(*points[-1], 1.4, colour)
    for tick, x in enumerate(np.linspace(left, right - 2, 5)):
        c.text(x, bottom + 4, str(2000 + 5 * tick), 3.6, ink)


@scene(photo=False)
def district_map(c: Canvas) -> None:
    """Districts shaded by some figure, with the sea around."""
    sea = c.pick(palette("bcd6e6 d2e2ea e2e8ec"))
    c.gradient(sea, sea)
    pale, deep = (240, 236, 220), c.pick(palette("96283c 146060 542878 be6014"))
    width, height = c.image.size
    y, x = np.mgrid[0:height:2, 0:width:2].astype(np.float32)
    n = c.whole(16, 34)
    seeds = c.rng.uniform(0, 1, (n, 2)).astype(np.float32) * (width, height)
    wobble = 9 * np.sin(y / 31 + x / 47) + 6 * np.sin(x / 23 - y / 53)
    distance = np.stack([(x + wobble - sx) ** 2 + (y + wobble - sy) ** 2 for sx, sy in seeds])
    nearest = distance.argmin(axis=0)
    border = np.zeros(nearest.shape, dtype=bool)
    border[1:] |= nearest[1:] != nearest[:-1]
    border[:, 1:] |= nearest[:, 1:] != nearest[:, :-1]
    shares = np.linspace(0.05, 0.95, 6)
    levels = np.array([mix(pale, deep, share) for share in shares], dtype=np.float32)
    land = levels[c.rng.integers(0, 6, n)][nearest]
    land[border] = 250
    angle = np.arctan2((y - height / 2) / height, (x - width / 2) / width)
    waves = (c.rng.normal(0, 0.045) * np.cos(k * angle + c.between(0, 7)) for k in range(2, 9))
    shore = 0.4 + sum(waves)
    inside = np.hypot((y - height / 2) / height, (x - width / 2) / width) - shore
    land = np.where(inside[..., None] < 0, land, np.array(sea, dtype=np.float32))
    land[(inside > 0) & (inside < 0.012)] = darker(sea, 0.25)
    c.pixels(lambda values: land.repeat(2, axis=0).repeat(2, axis=1)[:height, :width])
    for step, level in enumerate(levels):
        c.rect(3, 94 - step * 4.4, 8, 98 - step * 4.4, tuple(int(v) for v in level))
        c.text(10, 96 - step * 4.4, str(step * 20), 3.4, (80, 84, 90), anchor="lm")


@scene(photo=False, shapes=(9 / 16, 3 / 5, 3 / 4))
def chat(c: Canvas) -> None:
    """A screenshot of messages."""
    dark = c.chance(0.35)
    ground = (24, 28, 34) if dark else c.pick(palette("ece5dd f6f7fa e2ecf2"))
    mine = c.pick(palette("dcf8c6 2882f0 785adc 3caa82"))
    theirs = (54, 60, 70) if dark else WHITE
    c.gradient(ground, ground)
    y = 14.0
    while y < 88:
        own, words = c.chance(0.5), c.whole(2, 11)
        said = [c.pick(WORDS) for _ in range(words)]
        lines = [" ".join(said[i : i + 4]) for i in range(0, words, 4)]
        width = 4 + max(c.text_width(line, 2.9) for line in lines)
        height = 3.4 + 3.9 * len(lines)
        left = c.w - 2.5 - width if own else 2.5
        fill = mine if own else theirs
        c.rounded(left, y, left + width, y + height, 2.4, fill)
        tone = BLACK if sum(fill) > 560 else WHITE
        for row, line in enumerate(lines):
            c.text(left + 2, y + 3.6 + 3.9 * row, line, 2.9, tone, anchor="lm")
        y += height + c.between(1.4, 3)
    bar = darker(mine, 0.35)
    c.rect(0, 0, c.w, 10, bar)
    c.circle(7, 5, 3.2, c.pick(SKINS))
    name = c.pick(["Neighbours", "Family", "Work group", "Class of 09", "Book club"])
    c.text(12, 5, name, 4, WHITE, "bold", "lm")
    c.rect(0, 91, c.w, 100, lighter(ground, 0.1) if dark else WHITE)
    c.rounded(3, 93, c.w - 11, 98, 2.5, mix(ground, (128, 128, 128), 0.2))
    c.circle(c.w - 5.5, 95.5, 3, mine)


@scene(photo=False, shapes=PORTRAIT)
def poster(c: Canvas) -> None:
    """Large words on bold colours."""
    ground, accent = c.pick_some(palette("c82c2c 1e3c6e f6ce46 f0ece0 1e2228 288278"), 2)
    c.gradient(ground, ground)
    kind = c.whole(0, 2)
    if kind == 0:
        c.polygon([(0, 58), (c.w, 36), (c.w, 64), (0, 86)], accent)
    elif kind == 1:
        c.circle(c.w / 2, 44, c.w * 0.34, accent)
    else:
        for a in range(0, 360, 24):
            with c.at(c.w / 2, 50, 1, a):
                c.polygon("0,0 120,-12 120,12", accent)
    ink = WHITE if sum(ground) < 420 else BLACK
    edge = BLACK if ink is WHITE else WHITE
    words = c.pick(
        ["VOTE\nSUNDAY", "JOIN\nUS", "OPEN\nDEBATE", "MAY\nDAY", "CITY\nFORUM", "READ\nMORE"]
    )
    for row, word in enumerate(words.split("\n")):
        size = min(26, c.w * 1.25 / len(word))
        c.text(c.w / 2, 36 + 26 * row, word, size, ink, "bold", edge=edge)
    c.rect(0, 82, c.w, 100, ground)
    c.rect(c.w * 0.1, 86, c.w * 0.9, 87, ink)
    c.text(c.w / 2, 92, c.pick(["7 PM, TOWN HALL", "FREE ENTRY", "ALL WELCOME"]), 5, ink, "bold")


@scene(photo=False, shapes=(1.0, 4 / 3))
def calendar(c: Canvas) -> None:
    """A page of a calendar."""
    ground = c.pick(palette("e2e8ee f0e8de dce8e0"))
    c.gradient(ground, ground)
    head, left, right = c.pick(CLOTHES), c.w * 0.12, c.w * 0.88
    c.shadow(c.w / 2, 92, c.w * 0.42, 5, 0.4)
    c.rounded(left, 8, right, 92, 3, WHITE)
    c.rounded(left, 8, right, 28, 3, head)
    c.rect(left, 24, right, 28, head)
    for x in np.linspace(left + 8, right - 8, 6):
        c.rounded(x - 1, 4, x + 1, 12, 1, (90, 94, 100))
    month = c.pick(["JANUARY", "MARCH", "MAY", "JUNE", "SEPTEMBER", "NOVEMBER"])
    c.text(c.w / 2, 18, month, 8, WHITE, "bold")
    start, marked = c.whole(0, 6), c.whole(1, 28)
    step_x, step_y = (right - left) / 7, 10.0
    for column, letter in enumerate("MTWTFSS"):
        c.text(left + step_x * (column + 0.5), 33.5, letter, 4, head, "bold")
    for day in range(1, 31):
        row, column = divmod(day + start - 1, 7)
        x, y = left + step_x * (column + 0.5), 41 + step_y * row * 0.92
        if day == marked:
            c.circle(x, y, 4.2, head)
        c.text(x, y, str(day), 4.4, WHITE if day == marked else (70, 72, 80))


@scene()
def test_card(c: Canvas) -> None:
    """A television test card."""
    bars = palette("c0c0c0 c0c000 00c0c0 00c000 c000c0 c00000 0000c0")
    step = c.w / 7
    for bar, colour in enumerate(bars):
        c.rect(bar * step, 0, (bar + 1) * step + 1, 68, colour)
        below = bars[6 - bar] if bar % 2 == 0 else (19, 19, 19)
        c.rect(bar * step, 68, (bar + 1) * step + 1, 76, below)
    for block, colour in enumerate(palette("00214c ffffff 32006a 131313 090909 1d1d1d")):
        c.rect(block * c.w / 6, 76, (block + 1) * c.w / 6 + 1, 100, colour)
    if c.chance(0.6):
        c.circle(c.w / 2, 46, 26, (230, 230, 230))
        c.circle(c.w / 2, 46, 24.6, (40, 40, 46))
        c.text(c.w / 2, 46, c.pick(["NO SIGNAL", "CHANNEL 5", "PLEASE WAIT"]), 6, WHITE, "bold")
    for y in np.arange(0, 100, 1.7):
        c.rect(0, y, c.w, y + 0.6, faint(BLACK, 0.22))
