"""Writes the figures of the docs, from ``benchmarks/results``.

A figure stands behind a mark, which readers of the page do not see and which says where it is from:

    It is <!--= clustering("times as fast", "imagestrata") -->11.5 times as fast.

``clustering(column, *values, **columns)`` is the cell of ``results/clustering.json`` in the one
row that has each of the values in some column, and those of ``columns`` in theirs:
``per_cluster=1`` is 1 in "per cluster", ``per_cluster=(1, 2)`` is 1 or 2. If several rows match, or
``column`` is a tuple of columns, it is the array of their cells, of which ``max()``, ``min()``,
``mean()``, ``median()`` or ``span()`` (lowest and highest, for "94 to 96%") make figures.
``tuple()`` gives several numbers at once. A mark may calculate: ``/ 1000``.
``clustering.simulations`` is their number (so for all that the file has besides rows), and
``chance()`` of it where a true coverage of 95% is found in so many. The results decide the figure;
the page decides how it is written: its decimals, its zero before the point, its sign.

In a table, a mark in the head of a column holds for all numbers below, and knows ``row``: what the
mark in the first cell of the row says, or else the text of this cell; and ``cells``, the texts of
all cells of the row. ``<!-- not measured -->`` stands before a number that no benchmark measures,
such as a setting, among figures.

    python tools/measured.py            renews the figures of all pages
    python tools/measured.py --check    names figures that differ, and those without a mark
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[+-](?=[\d.]))?(?P<digits>\d[\d,]*\d|\d?)(?P<rest>\.\d+)?(?<=\d)"
)
MARK = re.compile(r"<!--=(.*?)-->", re.DOTALL)
#: What must have a mark, where figures are: 0.5, 5%, 5 times, 5 s.
FIGURE = re.compile(r"(?<![\w.,-])(\d*\.\d+\b(?!\.)|\d+(?=( ?%| times as| m?s\b| [MG]B\b)))")
#: What looks like a figure and is none: marked so, code, addresses, the level of an interval.
NO_FIGURE = re.compile(
    r"<!--\s*not\s+measured\s*-->\D*[\d.,]+|<!--.*?-->|`[^`]*`|\]\([^)]*\)|95%\s+(?=(\w+\s)?interval)",
    re.DOTALL,
)


def numbers(cell: Any) -> Any:
    """The number of a cell, or all of them if its text has several."""
    if not isinstance(cell, str):
        return cell
    found = [float(one.group().replace(",", "")) for one in NUMBER.finditer(cell)]
    return found[0] if len(found) == 1 else tuple(found)


def same(cell: Any, value: Any) -> bool:
    """Whether a cell is the value, or one of the values."""
    if isinstance(value, tuple):
        return any(same(cell, one) for one in value)
    return str(cell) == str(value) or (isinstance(value, int | float) and numbers(cell) == value)


class Result:
    """The rows of a file of results, called for cells."""

    def __init__(self, file: Path) -> None:
        self.name = file.stem
        self.facts = json.loads(file.read_text(encoding="utf-8"))
        self.rows = self.facts["rows"]

    def __getattr__(self, name: str) -> Any:
        return self.facts[name]

    def __call__(self, column: str | tuple[str, ...], *values: Any, **columns: Any) -> Any:
        names = {re.sub(r"\W+", "_", name).strip("_"): name for name in self.rows[0]}
        rows = [
            row
            for row in self.rows
            if all(any(same(cell, value) for cell in row.values()) for value in values)
            and all(same(row[names[name]], value) for name, value in columns.items())
        ]
        cells = [
            row[one] for one in ([column] if isinstance(column, str) else column) for row in rows
        ]
        found = [numbers(cell) for cell in cells if cell not in (None, "")]
        if not found:
            raise ValueError(f"{self.name} has no {column!r} for {values} {columns}")
        return found[0] if len(found) == 1 else np.array(found)


def span(cells: Iterable[float]) -> tuple[float, float]:
    """The lowest and the highest of cells."""
    lowest, *_, highest = sorted(cells)
    return lowest, highest


def chance(simulations: int) -> tuple[float, float]:
    """Within which percentages a true coverage of 95% is found in so many simulations."""
    error = 196 * (0.95 * 0.05 / simulations) ** 0.5
    return 95 - error, min(100, 95 + error)


def names() -> dict[str, Any]:
    """What marks can call."""
    results = {file.stem: Result(file) for file in RESULTS.glob("*.json")}
    return {**results, "mean": np.mean, "median": np.median, "span": span, "chance": chance}


def write(number: re.Match[str], value: float) -> str:
    """The value, with the decimals, the sign and the zero before the point of the old number."""
    decimals = len(number["rest"] or ".") - 1
    exact = Decimal(str(round(float(value), 9)))
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    rounded = abs(rounded) if rounded.is_zero() else rounded  # no -.00
    text = f"{rounded:+,}" if number["sign"] == "+" else f"{rounded:,}"
    return text if number["digits"] else re.sub(r"^([+-]?)0\.", r"\1.", text)


class Renewal:
    """Writes the numbers behind marks, by a function of the old number and the value."""

    def __init__(
        self, known: dict[str, Any], writer: Callable[[re.Match[str], float], str] = write
    ):
        self.known = known
        self.writer = writer

    def text(self, text: str) -> str:
        """A page."""
        return "".join(map(self.block, self.blocks(text)))

    @staticmethod
    def blocks(text: str) -> list[str]:
        """The paragraphs and tables of a page."""
        return re.split(r"(?<=\n\n)(?=\S)", text)

    def block(self, block: str) -> str:
        """A paragraph, or a table."""
        head, *rest = block.split("\n")
        if not (block.startswith("|") and MARK.search(head)):
            return self.marked(block)
        columns = [MARK.search(cell) for cell in head.split("|")]
        return "\n".join([head, *(self.row(line, columns) for line in rest)])

    def row(self, line: str, columns: list[re.Match[str] | None]) -> str:
        """A row of a table whose head has marks."""
        cells = line.split("|")
        mark = len(cells) > 1 and MARK.search(cells[1])
        texts = [re.sub("<!--.*?-->", "", cell).strip().strip("`") for cell in cells[1:-1]]
        row = self.value(mark[1]) if mark else "".join(texts[:1])
        for at in range(2, len(cells)):
            column = columns[at] if at < len(columns) else None
            if MARK.search(cells[at]):
                cells[at] = self.marked(cells[at])
            elif column and NUMBER.search(cells[at]):
                cells[at] = self.fill(cells[at], column[1], every=True, row=row, cells=texts)
        return "|".join(cells)

    def marked(self, text: str) -> str:
        """Text with marks, each before its numbers."""
        first, *parts = MARK.split(text)
        marks = zip(parts[::2], parts[1::2], strict=True)
        return first + "".join(f"<!--={mark}-->{self.fill(rest, mark)}" for mark, rest in marks)

    def value(self, expression: str, **names: Any) -> Any:
        """What an expression says, which may be in several lines."""
        return eval(" ".join(expression.split()), {**self.known, **names})

    def fill(self, text: str, expression: str, *, every: bool = False, **names: Any) -> str:
        """The text, whose first numbers (``every``: all) are those of the expression."""
        value = self.value(expression, **names)
        if isinstance(value, np.ndarray):
            raise ValueError(f"{len(value)} rows match: {expression}")
        values = value if isinstance(value, tuple) else (value,)
        found = [*NUMBER.finditer(text)]
        if len(found) < len(values) or (every and len(found) > len(values)):
            raise ValueError(f"{len(values)} values for {len(found)} numbers: {expression}")
        for number, one in reversed([*zip(found, values, strict=False)]):
            text = text[: number.start()] + self.writer(number, one) + text[number.end() :]
        return text


def unmarked(text: str, known: dict[str, Any]) -> list[str]:
    """Figures without a mark, in paragraphs and tables that have marks or lead to results.

    A table belongs to the paragraph before it.
    """
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blank = Renewal(known, lambda number, value: "")
    found, before = [], False
    for block in re.split(r"\n\n+", text):
        about = bool(MARK.search(block)) or "benchmarks/" in block
        about = about or (before and block.startswith("|"))
        left = NO_FIGURE.sub("", blank.block(block)) if about else ""
        if block.startswith("|"):  # what a table is about is in its head, and in its first cells
            left = left.partition("\n")[2]
            if MARK.search(block.partition("\n")[0]):
                left = re.sub(r"^\|[^|]*", "", left, flags=re.MULTILINE)
        for one in FIGURE.finditer(left):
            found.append(f"{one.group()} in {left[max(0, one.start() - 30) : one.end() + 9]!r}")
        before = about
    return found


def main(*, check: bool) -> int:
    """Renew all pages, or compare them; say what differs, what fails and what has no mark."""
    known, said = names(), []
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new, sound = "", ""
        for block in Renewal.blocks(old):
            try:
                renewed = Renewal(known).block(block)
                sound += renewed
            except Exception as error:  # of any expression of a page: the others are renewed
                said.append(f"{page.name}: stays as it is: {block[:70]!r}: {error}")
                renewed = block
            new += renewed
        if not check and new != old:
            page.write_text(new, encoding="utf-8")
        lines = zip(old.split("\n"), new.split("\n"), strict=True)
        said += [f"{page.name}: {a}\n  measured: {b}" for a, b in lines if check and a != b]
        said += [f"{page.name}: without a mark: {one}" for one in unmarked(sound, known)]
    sys.stdout.write("".join(f"{one}\n" for one in said))
    return min(len(said), 1)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
