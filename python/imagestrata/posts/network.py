"""Networks of topics, images, authors and hashtags, for Gephi and other programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.linked import check_linked
from ..clustering.named import names_of
from ..errors import ImagestrataError, plural, warn
from ..files import atomic, ensure_folder
from ..tables import id_texts
from ..validate import check_bool, check_choice, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from .graph_files import clean, gexf, graphml

#: What nodes can be, besides the columns of the posts.
KINDS = ("topic", "image", "author", "hashtag")

_LEVELS = ("cluster", "theme")
#: What stands between hashtags in a text.
_BETWEEN = r"[\s,;|]+"


@public
def export_network(
    linked: pd.DataFrame,
    out: str | os.PathLike[str],
    nodes: Sequence[str] = ("topic", "hashtag"),
    *,
    min_weight: int = 1,
    columns: Sequence[str] | None = None,
    residual: str = "drop",
    level: str = "cluster",
    author: str = "author",
    hashtags: str = "hashtags",
    separator: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network of what posts have in common, as GraphML or GEXF.

    Gephi, Cytoscape, igraph and networkx read these files.

    Parameters
    ----------
    linked : DataFrame
        The result of :func:`link_posts`, or a table with the same columns: one row per post and
        image.
    out : path
        The file; its ending, ``.graphml`` or ``.gexf``, decides the format.
    nodes : sequence of two str, default ("topic", "hashtag")
        The two kinds of nodes: ``"topic"``, ``"image"``, ``"author"``, ``"hashtag"``, or a column
        of ``linked``. An edge joins two nodes that occur in the same post (an image and a topic: if
        the image belongs to the topic). The same kind twice, ``("hashtag", "hashtag")``, joins
        those that occur together.
    min_weight : int, default 1
        The smallest number of posts of an edge. Nodes without an edge are left out.
    columns : sequence of str, optional
        Columns of ``linked`` that nodes get as attributes, such as the party of authors. A node
        whose posts differ has no value.
    residual : {"drop", "together"}, default "drop"
        Images in no cluster are no topic; ``"together"`` makes the residual a node.
    level : {"cluster", "theme"}, default "cluster"
        Topics are clusters or themes.
    author, hashtags : str
        The columns of authors and hashtags. Hashtags are lists, or texts.
    separator : str, optional
        Separator of the entries of a text that is a list. By default hashtags are divided at
        spaces, commas, semicolons and ``|``, and texts of other columns are one value.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The file. Its edges have a ``weight``, the number of posts, and ``n_authors``, if authors
        are known. Its nodes have ``kind``, ``label``, ``n_posts`` (the posts in which they occur)
        and ``columns``; topics and images also ``cluster`` and ``cluster_name`` (or ``theme`` and
        ``theme_name``).

    Raises
    ------
    ImagestrataError
        If the ending is another one, a column is missing, no edge is left, or the file exists.

    Warns
    -----
    UserWarning
        If posts show no image of the clustering: they are left out, with their number.

    Notes
    -----
    A post counts once for an edge, whatever its number of images. Hashtags that differ in upper
    and lower case are different. Characters that XML forbids become U+FFFD.

    A hashtag that one author uses in every post has a large weight; ``n_authors`` shows it.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import export_network
    >>> posts = pd.DataFrame({
    ...     "post_id": [1, 2, 2], "image_id": ["a", "b", "c"], "cluster": [1, 1, 2],
    ...     "hashtags": ["#vote #now", "#vote", "#vote"],
    ... })
    >>> export_network(posts, "network.graphml").name  # doctest: +SKIP
    'network.graphml'
    """
    path, write = _check_out(out, overwrite)
    min_weight = check_int("min_weight", min_weight, minimum=1)
    residual = check_choice("residual", residual, ("drop", "together"))
    level = check_choice("level", level, _LEVELS)
    table = check_linked("linked", linked).reset_index(drop=True)
    kinds = _check_nodes(nodes)
    named = {"topic": level, "image": "image_id", "author": author, "hashtag": hashtags}
    attributes = [] if columns is None else [columns] if isinstance(columns, str) else [*columns]
    for name in [*(named.get(kind, kind) for kind in kinds), *attributes]:
        if name not in table:
            raise ImagestrataError(
                f"{arg('linked')} has no column {quote(name)}; it has "
                f"{', '.join(map(quote, map(str, table)))}.",
                f"Nodes are {', '.join(map(quote, KINDS))} or columns of the posts; name the "
                f"columns in {arg('author')} and {arg('hashtags')}.",
            )
    table = _known(table, level)
    sides = [
        _occurrences(table, kind, named.get(kind, kind), residual, level, separator)
        for kind in kinds
    ]
    edges = _edges(sides, kinds, table, author if author in table else None)
    edges = edges[edges["weight"] >= min_weight].reset_index(drop=True)
    if edges.empty:
        raise ImagestrataError(
            f"No {kinds[0]} and {kinds[1]} occur together in {plural(min_weight, 'post')} or more.",
            f"Lower {arg('min_weight')}, or choose other {arg('nodes')}.",
        )
    points = _nodes(sides, kinds, table, attributes, level)
    used = np.unique(edges[["source", "target"]])
    points = points[points["node"].isin(used)]
    ensure_folder(path.parent)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(write(points, edges))
    return path


def _check_out(
    out: Any, overwrite: Any
) -> tuple[Path, Callable[[pd.DataFrame, pd.DataFrame], Iterator[str]]]:
    path = check_path("out", out)
    write = {".graphml": graphml, ".gexf": gexf}.get(path.suffix.lower())
    if write is None:
        raise ImagestrataError(
            f"{arg('out')} must end in .graphml or .gexf, not {quote(path.name)}."
        )
    if path.is_dir() or (path.exists() and not check_bool("overwrite", overwrite)):
        raise ImagestrataError(
            f"{quote(path)} exists.",
            f"Choose another {arg('out')}, or replace it with {arg('overwrite', True)}.",
        )
    return path, write


def _check_nodes(nodes: Any) -> tuple[str, str]:
    kinds = [nodes] if isinstance(nodes, str) else list(nodes)
    if len(kinds) != 2 or not all(isinstance(kind, str) for kind in kinds):
        raise ImagestrataError(
            f"{arg('nodes')} must be two kinds of nodes, not {quote(nodes)}.",
            f"For example {arg('nodes', ['author', 'topic'])}.",
        )
    return kinds[0], kinds[1]


def _known(table: pd.DataFrame, level: str) -> pd.DataFrame:
    """The rows of posts that show an image of the clustering."""
    shown = table["image_id"].notna()
    if level in table:
        shown &= table["cluster" if "cluster" in table else level].notna()
    post = pd.Series(pd.factorize(table["post_id"])[0], table.index)
    known = post.isin(post[shown])
    n_lost = post[~known].nunique()
    if not known.any():
        raise ImagestrataError(
            f"None of {plural(post.nunique(), 'post')} shows an image of the clustering.",
            f"{verb('link_posts')} links posts to the clusters of their images.",
        )
    if n_lost:
        warn(
            f"{n_lost:,} of {plural(post.nunique(), 'post')} show no image of the clustering and "
            "are left out."
        )
    return table[known].assign(_post=post[known]).reset_index(drop=True)


def _occurrences(
    table: pd.DataFrame, kind: str, column: str, residual: str, level: str, separator: str | None
) -> pd.DataFrame:
    """``post``, ``row`` and ``value`` of each node in each row of the table."""
    values = table[column]
    if kind == "topic":
        values = pd.to_numeric(values).astype("Int64")
        if level == "theme":  # images of the residual have no theme
            values = values.mask(values.isna() & table["cluster"].notna(), -1)
        if residual == "drop":
            values = values.mask(values == -1)
    lists = values.map(pd.api.types.is_list_like).to_numpy(dtype=bool)
    values = (values.explode() if lists.any() else values).dropna()
    texts = id_texts(values, column)
    if kind == "hashtag" or (separator is not None and kind not in KINDS):
        between = _BETWEEN if separator is None else re.escape(separator)
        whole = lists[texts.index]  # elements of lists are not divided
        parts = texts[~whole].str.split(between, regex=True).explode().str.strip()
        texts = pd.concat([texts[whole], parts])
    texts = texts[texts.notna() & (texts.str.strip() != "")]
    found = pd.DataFrame({"row": texts.index, "value": texts.to_numpy()})
    return found.assign(post=table["_post"].to_numpy()[found["row"]]).drop_duplicates()


def _edges(
    sides: list[pd.DataFrame], kinds: tuple[str, str], table: pd.DataFrame, author: str | None
) -> pd.DataFrame:
    """``source`` and ``target``, numbers of nodes, ``weight`` and ``n_authors``."""
    same = kinds[0] == kinds[1]
    codes = _codes(sides, same)
    # An image has one topic; everything else is joined by posts.
    key = "row" if {*kinds} == {"image", "topic"} else "post"
    parts = [
        side.assign(node=code)[[*dict.fromkeys([key, "post"]), "node"]].drop_duplicates()
        for side, code in zip(sides, codes, strict=True)
    ]
    first, second = parts
    if key == "row":
        second = second.drop(columns="post")
    pairs = first.merge(second, on=key, suffixes=("_a", "_b"))
    pairs = pairs[["post", "node_a", "node_b"]].drop_duplicates()
    if same:
        pairs = pairs[pairs["node_a"] < pairs["node_b"]]
    pairs = pairs.rename(columns={"node_a": "source", "node_b": "target"})
    ends = ["source", "target"]
    weights = pairs.groupby(ends).size().rename("weight")
    found = weights.reset_index()
    if author is not None:
        who = table.drop_duplicates("_post").set_index("_post")[author]
        people = pairs.assign(who=pd.factorize(pairs["post"].map(who))[0])
        people = people[people["who"] >= 0].drop_duplicates([*ends, "who"])
        n_authors = people.groupby(ends).size()
        found["n_authors"] = n_authors.reindex(weights.index, fill_value=0).to_numpy()
    return found


def _codes(sides: list[pd.DataFrame], same: bool) -> list[Any]:
    """The number of each node: those of the second kind follow the first, unless they are one."""
    first, values = pd.factorize(sides[0]["value"], sort=True)
    if same:
        return [first, first]
    return [first, pd.factorize(sides[1]["value"], sort=True)[0] + len(values)]


def _nodes(
    sides: list[pd.DataFrame],
    kinds: tuple[str, str],
    table: pd.DataFrame,
    attributes: list[str],
    level: str,
) -> pd.DataFrame:
    """Number, id, label and attributes of each node."""
    same = kinds[0] == kinds[1]
    parts = []
    for side, kind, code in list(zip(sides, kinds, _codes(sides, same), strict=True))[: 2 - same]:
        rows = side.assign(node=code)
        group = rows.groupby("node")
        part = group["value"].first().to_frame("label").assign(kind=kind)
        part["n_posts"] = group["post"].nunique()
        ours = [level, f"{level}_name"] if kind in ("topic", "image") else []
        for name in dict.fromkeys([*ours, *attributes]):
            if name in table and kind != name:
                part[name] = _agreed(rows, table[name])
        if kind == "topic":
            numbers = part["label"].astype(int)
            names = _names(table, level)
            part["label"] = [names.get(one, f"{level.capitalize()} {one}") for one in numbers]
            part[level] = numbers
        part["id"] = _unique([f"{kind}:{clean(value)}" for value in group["value"].first()])
        parts.append(part.reset_index())
    return pd.concat(parts, ignore_index=True)


def _names(table: pd.DataFrame, level: str) -> dict[Any, str]:
    own = table.get([level, f"{level}_name"], pd.DataFrame())
    named = own.rename(columns={level: "cluster", f"{level}_name": "cluster_name"})
    return {-1: "Residual", **names_of(named)}


def _agreed(rows: pd.DataFrame, column: pd.Series[Any]) -> pd.Series[Any]:
    """The value of a column for each node, missing if its rows differ."""
    values = rows.assign(value=column.to_numpy()[rows["row"]])[["node", "value"]]
    if values["value"].dtype == object:
        values["value"] = values["value"].map(
            lambda cell: cell if pd.api.types.is_scalar(cell) else str(cell)
        )
    values = values.dropna().drop_duplicates()
    return values[~values["node"].duplicated(keep=False)].set_index("node")["value"]


def _unique(names: list[str]) -> list[str]:
    """The names, of which those that occur again have a number."""
    seen: set[str] = set()
    for i, name in enumerate(names):
        number = 2
        while names[i] in seen:
            names[i] = f"{name} ({number})"
            number += 1
        seen.add(names[i])
    return names
