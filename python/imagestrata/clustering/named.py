"""Names of clusters: in tables beside their numbers, and as texts in figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import ImagestrataError, plural
from ..wording import arg, kind_of, quote
from .ledger import RESIDUAL

if TYPE_CHECKING:
    from .clustering import Clustering

#: Columns of clusters that follow their number in every table, where the clustering has them.
NAMES = ("cluster_name", "theme", "theme_name")


def names_in(columns: Iterable[Any]) -> list[str]:
    """The columns of a table of ours that are names of clusters, not a user's ``theme``."""
    known = {*columns}
    themes = NAMES[1:] if known.issuperset(NAMES[1:]) else ()
    return [name for name in (NAMES[0], *themes) if name in known]


def with_names(table: pd.DataFrame, source: pd.DataFrame, number: str = "cluster") -> pd.DataFrame:
    """The table with the names of its clusters, if ``source`` has names.

    Parameters
    ----------
    table : DataFrame
        Has the column ``number``.
    source : DataFrame
        The clusters of a clustering; a table of images may have columns of other meaning.
    number : str, default "cluster"
        Further columns have its ending: ``cluster_name_a`` for ``cluster_a``.
    """
    ending = number.removeprefix("cluster")
    known = source.drop_duplicates("cluster").set_index("cluster")
    for name in reversed([name for name in NAMES if name in known]):
        values = known[name].reindex(table[number].astype(object)).to_numpy()  # may be missing
        column = pd.Series(values, table.index, dtype=known[name].dtype)
        table = table.drop(columns=f"{name}{ending}", errors="ignore")
        table.insert([*table].index(number) + 1, f"{name}{ending}", column)
    return table


def names_of(table: pd.DataFrame) -> dict[Any, str]:
    """The names that clusters have, by number."""
    if not {"cluster", "cluster_name"} <= {*table}:
        return {}
    known = table.dropna(subset="cluster_name").drop_duplicates("cluster")
    names = known["cluster_name"].astype(str)
    return dict(zip(known["cluster"].tolist(), names, strict=True))


def cluster_labels(clustering: Clustering, labels: Any = None) -> dict[int, str]:
    """The given texts and names by the number of the cluster; others have none.

    Parameters
    ----------
    clustering : Clustering
    labels : mapping, Series, DataFrame or None
        Texts that replace names: by number, or in a table with ``cluster`` and ``cluster_name``.
    """
    return names_of(clustering.clusters) | _given(labels, clustering)


def label_of(number: int, labels: Mapping[int, str]) -> str:
    """The text of a cluster in a figure: its label, "Cluster 7" beside labels, else its number."""
    usual = f"Cluster {number}" if labels else str(number)
    return labels.get(number, "Residual" if number == RESIDUAL else usual)


def _given(labels: Any, clustering: Clustering) -> dict[int, str]:
    """The checked ``labels`` of a figure."""
    if labels is None:
        return {}
    if isinstance(labels, pd.DataFrame):
        if not {"cluster", "cluster_name"} <= {*labels}:
            raise ImagestrataError(
                f"The table given as {arg('labels')} needs the columns 'cluster' and "
                f"'cluster_name'; it has {', '.join(map(str, labels))}."
            )
        return names_of(labels)
    if isinstance(labels, pd.Series):
        labels = labels.to_dict()
    if not isinstance(labels, Mapping):
        raise ImagestrataError(
            f"{arg('labels')} must give texts by the numbers of clusters, not {kind_of(labels)}.",
            f"For example {arg('labels', {7: 'Protest'})}.",
        )
    existing = {*clustering.clusters["cluster"].tolist(), RESIDUAL}
    texts = {_number(key): text for key, text in labels.items()}
    wrong = [text for text in texts.values() if not isinstance(text, str)]
    if wrong:
        raise ImagestrataError(
            f"{arg('labels')} must give each cluster a text, not {quote(wrong[0])} "
            f"({kind_of(wrong[0])})."
        )
    unknown = sorted(texts.keys() - existing)
    if unknown:
        from .clustering import numbered

        raise ImagestrataError(
            f"{arg('labels')} names {plural(len(unknown), 'cluster')} that the clustering does not "
            f"have, {unknown[0]} for one: the clusters are "
            f"{numbered(clustering.clusters['cluster'].tolist())}."
        )
    return {number: " ".join(text.split()) for number, text in texts.items() if text.strip()}


def _number(key: Any) -> int:
    """The number of a cluster, which is text as a key of another language."""
    whole = str(key).strip().removesuffix(".0")
    if isinstance(key, bool) or not whole.removeprefix("-").isdigit():
        raise ImagestrataError(
            f"{arg('labels')} must be by the numbers of clusters, not {quote(key)}."
        )
    return int(whole)
