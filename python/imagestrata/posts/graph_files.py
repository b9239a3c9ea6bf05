"""Write networks as GraphML and GEXF, line by line, since networks of posts can be large."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

#: Characters that XML forbids, even as references.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Texts by row, None for missing ones.
Texts: TypeAlias = list[str | None]


def graphml(points: pd.DataFrame, edges: pd.DataFrame) -> Iterator[str]:
    """The lines of a GraphML file."""
    of_nodes, of_edges = _fields(points, ("node", "id")), _fields(edges, ("source", "target"))
    ids = _ids(points)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    )
    for what, fields in (("node", of_nodes), ("edge", of_edges)):
        for i, (name, kind, _) in enumerate(fields):
            yield (
                f'<key id="{what[0]}{i}" for="{what}" attr.name={quoteattr(name)} '
                f'attr.type="{kind}"/>\n'
            )
    yield '<graph edgedefault="undirected">\n'

    def data(what: str) -> Callable[[int, str], str]:
        return lambda i, text: f'<data key="{what}{i}">{escape(text, {chr(13): "&#13;"})}</data>'

    for node, values in zip(points["node"], _values(of_nodes, len(points), data("n")), strict=True):
        yield f"<node id={ids[node]}>{values}</node>\n"
    ends = zip(edges["source"], edges["target"], strict=True)
    for (source, target), values in zip(
        ends, _values(of_edges, len(edges), data("e")), strict=True
    ):
        yield f"<edge source={ids[source]} target={ids[target]}>{values}</edge>\n"
    yield "</graph>\n</graphml>\n"


def gexf(points: pd.DataFrame, edges: pd.DataFrame) -> Iterator[str]:
    """The lines of a GEXF file."""
    of_nodes = _fields(points, ("node", "id", "label"))
    of_edges = _fields(edges, ("source", "target", "weight"))
    ids = _ids(points)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">\n'
        '<graph defaultedgetype="undirected" mode="static">\n'
    )
    for what, fields in (("node", of_nodes), ("edge", of_edges)):
        yield f'<attributes class="{what}">\n'
        for i, (name, kind, _) in enumerate(fields):
            yield f'<attribute id="{i}" title={quoteattr(name)} type="{kind}"/>\n'
        yield "</attributes>\n"

    def value(i: int, text: str) -> str:
        return f'<attvalue for="{i}" value={quoteattr(text)}/>'

    yield "<nodes>\n"
    labels = [quoteattr(clean(label)) for label in points["label"]]
    for node, label, values in zip(
        points["node"], labels, _values(of_nodes, len(points), value), strict=True
    ):
        yield f"<node id={ids[node]} label={label}><attvalues>{values}</attvalues></node>\n"
    yield "</nodes>\n<edges>\n"
    columns = (edges[name] for name in ("source", "target", "weight"))
    lines = zip(*columns, _values(of_edges, len(edges), value), strict=True)
    for number, (source, target, weight, values) in enumerate(lines):
        yield (
            f'<edge id="{number}" source={ids[source]} target={ids[target]} weight="{weight}">'
            f"<attvalues>{values}</attvalues></edge>\n"
        )
    yield "</edges>\n</graph>\n</gexf>\n"


def _ids(points: pd.DataFrame) -> dict[int, str]:
    """The id of each node, quoted."""
    return dict(zip(points["node"], map(quoteattr, points["id"]), strict=True))


def _fields(table: pd.DataFrame, without: Sequence[str]) -> list[tuple[str, str, Texts]]:
    """Name, type and texts of each attribute."""
    return [
        (clean(name), *_typed(column)) for name, column in table.drop(columns=[*without]).items()
    ]


def _typed(column: pd.Series[Any]) -> tuple[str, Texts]:
    known = column.dropna().infer_objects()
    if pd.api.types.is_bool_dtype(known):
        kind, texts = "boolean", known.map(lambda one: str(bool(one)).lower())
    elif pd.api.types.is_numeric_dtype(known) and (known % 1 == 0).all():
        kind, texts = "long", known.map(lambda one: str(int(one)))
    elif pd.api.types.is_numeric_dtype(known):
        kind, texts = "double", known.map(lambda one: repr(float(one)))
    else:
        kind, texts = "string", known.map(clean)
    found = texts.astype(object).reindex(column.index)
    return kind, [None if one != one else one for one in found]


def _values(
    fields: list[tuple[str, str, Texts]], n_rows: int, form: Callable[[int, str], str]
) -> Iterator[str]:
    """The attributes of each row, in XML."""
    columns = [texts for _, _, texts in fields]
    for row in range(n_rows):
        found = ((i, column[row]) for i, column in enumerate(columns))
        yield "".join(form(i, text) for i, text in found if text is not None)


def clean(value: Any) -> str:
    """The text without characters that XML forbids."""
    return _FORBIDDEN.sub("\ufffd", str(value))
