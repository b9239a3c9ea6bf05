"""`posts`, `prevalence`, `network`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote, verb
from .options import Name, RunFolder, Settings
from .output import Said, records
from .run_folder import load_clustering, placed

if TYPE_CHECKING:
    import pandas as pd

    from ..clustering.clustering import Clustering

_INTERVAL = ("conf_low", "conf_high")
#: The number of rows of a table that a command prints.
_MOST_LINES = 40

#: The table of linked posts in a run folder.
TABLE = "posts.csv"


def posts(
    run_folder: RunFolder,
    settings: Settings,
    files: Annotated[
        list[Path] | None, typer.Argument(help="The files of posts; by default RUN/posts.csv.")
    ] = None,
    name: Name = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="The name of a column in the files, such as text=body; repeat for more."),
    ] = None,
    downloads: Annotated[
        Path | None,
        typer.Option(help="The folder of images that 4CAT downloaded, with its .metadata.json."),
    ] = None,
) -> Said:
    """Link posts to the clusters of a run folder: RUN/posts.csv, one row per post and image.

    Without files, the table in the run folder gets the clusters after edits.
    """
    run_folder = placed(run_folder, name)
    clustering = load_clustering(run_folder)
    if files:
        found = imagestrata.read_posts(
            files,
            **settings("read_posts", columns=read_columns(column), images=downloads),
        )
        linked = imagestrata.link_posts(clustering, found, **settings("link_posts"))
    else:
        linked = required_posts(run_folder, clustering)
    write_linked(run_folder, linked)
    known = linked["image_id"].notna()
    summary = {
        "n_posts": int(linked["post_id"].nunique()),
        "n_linked": int(linked.loc[known, "post_id"].nunique()),
        "n_rows": len(linked),
        "unmatched": linked.attrs["unmatched"],
        "posts": str(run_folder / TABLE),
    }
    lines = [
        f"{plural(summary['n_linked'], 'post')} of {summary['n_posts']:,} show images of the "
        f"clusters: {run_folder / TABLE}"
    ]
    return summary, *lines


def prevalence(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of groups, or day, week, month or year; several with commas between."
        ),
    ] = None,
) -> Said:
    """Estimate how often posts show each topic: RUN/prevalence.csv.

    The posts are those of `imagestrata posts`, with the clusters after edits.
    """
    from ..files import write_table

    run_folder = placed(run_folder, name)
    linked = required_posts(run_folder, load_clustering(run_folder))
    # A name of a column may contain a comma.
    groups = [
        part for one in by or [] for part in ([one] if one in linked else one.split(","))
    ]  # fmt: skip
    table = imagestrata.topic_prevalence(linked, groups or None, **settings("topic_prevalence"))
    write_table(run_folder / "prevalence.csv", table)
    names = [*table]
    shown = [*names[: names.index("estimate") + 1], *_INTERVAL, "n_posts"]
    lines = [
        table[shown].head(_MOST_LINES).to_string(index=False, float_format="{:.3f}".format),
        f"{plural(len(table), 'row')}: {run_folder / 'prevalence.csv'}",
    ]
    return {"prevalence": records(table)}, *lines


def network(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Argument(help="The file: network.graphml or network.gexf.")],
    settings: Settings,
    name: Name = None,
) -> Said:
    """Write a network of the posts of a run folder, such as topics and hashtags, for Gephi."""
    run_folder = placed(run_folder, name)
    linked = required_posts(run_folder, load_clustering(run_folder))
    path = imagestrata.export_network(linked, out, **settings("export_network"))
    return {"network": str(path)}, f"Network: {path}"


def read_columns(given: list[str] | None) -> dict[str, Any] | None:
    """Names of columns in files: several for one of ours if it is repeated."""
    found: dict[str, list[str]] = {}
    for one in given or []:
        ours, equals, theirs = one.partition("=")
        if not (ours and equals and theirs):
            raise ImagestrataError(
                f"{quote(one)} does not name a column.",
                f"Give {arg('columns')} our name and that in the files, with = between them.",
            )
        found.setdefault(ours, []).append(theirs)
    return {ours: many[0] if len(many) == 1 else many for ours, many in found.items()} or None


def write_linked(run_folder: Path, linked: pd.DataFrame) -> None:
    from ..files import write_table

    lists = [
        name for name, column in linked.items()
        if column.dtype == object and column.map(lambda one: isinstance(one, list)).any()
    ]  # fmt: skip
    texts = {
        str(name): [json.dumps(one, ensure_ascii=False) for one in linked[name]] for name in lists
    }
    write_table(run_folder / TABLE, linked.assign(**texts))


def required_posts(run_folder: Path, clustering: Clustering) -> pd.DataFrame:
    linked = linked_posts(run_folder, clustering)
    if linked is None:
        raise ImagestrataError(
            f"{quote(run_folder)} contains no {TABLE}.",
            f"Link the files of posts with {verb('link_posts')}.",
        )
    return linked


def linked_posts(run_folder: Path, clustering: Clustering) -> pd.DataFrame | None:
    """The linked posts of a run folder with the clusters of today; None if there are none."""
    from ..posts.times import read_times
    from ..tables import read_typed

    path = run_folder / TABLE
    if not path.exists():
        return None
    stored = read_typed(path, ("post_id", "image_id"), texts=("author", "time", "text"), ours=True)
    if "time" in stored:
        stored["time"] = read_times(stored["time"], "UTC")
    for column in stored.select_dtypes(["str", "object"]):
        lists = stored[column].astype(object).map(_list_of, na_action="ignore")
        if lists.notna().any() and lists.dropna().map(lambda one: isinstance(one, list)).all():
            stored[column] = lists
    return imagestrata.link_posts(clustering, stored)


def _list_of(text: Any) -> Any:
    """The list that a cell of the stored table holds as JSON; any other cell as it is."""
    if isinstance(text, str) and text.startswith("[") and text.endswith("]"):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text
