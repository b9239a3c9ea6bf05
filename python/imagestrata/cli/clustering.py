"""`cluster`, `sweep`, `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .options import Name, RunFolder, Settings
from .output import Said, records
from .run_folder import embedded, load_clustering, placed

if TYPE_CHECKING:
    from ..clustering.clustering import Clustering


def cluster(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Group the images of a run folder into visual topics.

    With --name, the clusters are stored as a variant of the run. Later steps use the variant if
    you name it (`imagestrata sample RUN --name NAME`) or give its folder, RUN/variants/NAME.
    """
    run_folder = placed(run_folder, name)
    embeddings = embedded(run_folder)
    clustering = imagestrata.cluster_images(
        embeddings, **settings("cluster_images", out=run_folder)
    )
    return clustering_summary(clustering), cluster_line(clustering)


def edit(
    run_folder: RunFolder,
    settings: Settings,
    edits: Annotated[
        Path | None, typer.Argument(help="A CSV file with edits, such as the gallery writes.")
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A cluster whose proposed name is accepted; all for every cluster."),
    ] = None,
    name: Name = None,
) -> Said:
    """Name, merge, split, move and drop clusters of a run folder, as a CSV file says.

    Edits that the run already has are not applied again. With
    --overwrite, the edits in the file replace all others: leave out lines to undo them. If they
    are numbered from a later number than 1, they replace those from this number on.

    With --accept, names of `imagestrata propose` are accepted.
    """
    from ..clustering.curated import to_edit

    run_folder = placed(run_folder, name)
    given = settings("edit_clusters", out=run_folder)
    anew = edits is not None and given.get("overwrite", False)
    clustering = to_edit(run_folder, edits, anew=anew)
    given["accept"] = _to_accept(accept or [])
    edited = imagestrata.edit_clusters(clustering, edits=edits, **given)
    ledger = edited.edits.drop_duplicates("edit")
    summary = clustering_summary(edited) | {
        "n_edits": len(ledger),
        "n_not_applied": int((~ledger["applied"]).sum()),
    }
    line, lost = plural(len(ledger), "edit"), summary["n_not_applied"]
    if lost:
        line += f", of which {lost} {'does' if lost == 1 else 'do'} not apply"
    return summary, f"{line}: {run_folder / 'edits.csv'}", cluster_line(edited)


def _to_accept(typed: list[str]) -> bool | list[int]:
    """The clusters whose proposed names are accepted; True for all."""
    if "all" in typed:
        return True
    odd = [one for one in typed if not one.isdecimal()]
    if odd:
        raise ImagestrataError(
            f"{arg('accept')} must be the number of a cluster or 'all', not {quote(odd[0])}."
        )
    return [int(one) for one in typed]


def sweep(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Compare numbers of clusters (kmeans), or minimum sizes of a cluster (hdbscan).

    A run holds one sweep: give another --name, or use --overwrite.
    """
    from ..files import write_table

    run_folder = placed(run_folder, name)
    embeddings = embedded(run_folder)
    swept = imagestrata.sweep_clusters(embeddings, **settings("sweep_clusters", out=run_folder))
    write_table(run_folder / "sweep.csv", swept)
    picture = run_folder / "sweep.png"
    imagestrata.plot_tuning(swept, picture)
    lines = swept.round(3).to_string(index=False), f"Table: {run_folder / 'sweep.csv'}, {picture}"
    return {"sweep": records(swept)}, *lines


def compare(
    run_folders: Annotated[
        list[Path], typer.Argument(help="Run folders with different clusters of the same images.")
    ],
    out: Annotated[Path, typer.Option(help="A folder for the tables.")],
    settings: Settings,
    truth: Annotated[
        Path | None, typer.Option(help="A CSV file with the true classes: image_id and label.")
    ] = None,
    images: Annotated[
        str,
        typer.Option(help="same (the images must be equal), or common (those in all folders)."),
    ] = "same",
) -> Said:
    """Compare the clusters of several run folders."""
    from ..files import make_folder, write_table
    from ..finetune.labels import read_labels

    clusterings: dict[str, Any] = {str(folder): load_clustering(folder) for folder in run_folders}
    found = imagestrata.compare_clusterings(
        truth=None if truth is None else read_labels(truth),
        images=images,
        **settings("compare_clusterings"),
        **clusterings,
    )
    folder = make_folder(out)
    for name in ("summary", "pairs", "flows"):
        write_table(folder / f"{name}.csv", getattr(found, name))
    summary = {"clusterings": records(found.summary), "pairs": records(found.pairs)}
    return summary, str(found), f"Tables: {folder}"


def clustering_summary(clustering: Clustering) -> dict[str, Any]:
    summary = clustering.summary.to_dict("records")[0]
    return {str(name): value for name, value in summary.items()}


def cluster_line(clustering: Clustering) -> str:
    from ..clustering.clustering import joined_later

    found = clustering_summary(clustering)
    share = found["n_residual"] / found["n_images"]
    return (
        f"{plural(found['n_clusters'], 'cluster')} in "
        f"{plural(found['n_iterations'], 'iteration')}; "
        f"{plural(found['n_residual'], 'image')} ({share:.1%}) in none"
        f"{joined_later(clustering.images)}"
    )
