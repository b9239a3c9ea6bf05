"""`sample`, `assign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ImagestrataError, plural
from .options import (
    Allocation,
    Budget,
    Json,
    Name,
    Overwrite,
    PerCluster,
    Quiet,
    Residual,
    RunFolder,
    Seed,
    Singles,
)
from .output import records, show
from .run_folder import excluded_ids, load_clustering, placed

if TYPE_CHECKING:
    import pandas as pd

    from ..clustering.clustering import Clustering


def sample(
    run_folder: RunFolder,
    name: Name = None,
    n_per_cluster: PerCluster = None,
    budget: Budget = None,
    allocation: Allocation = None,
    residual: Residual = "together",
    singles: Singles = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Draw images from every cluster of a run folder, with weights."""
    run_folder = placed(run_folder, name)
    common = {"out": run_folder, "overwrite": overwrite}
    drawn = draw_sample(
        load_clustering(run_folder),
        common,
        n_per_cluster=n_per_cluster,
        budget=budget,
        allocation=allocation,
        residual=residual,
        singles=singles,
        seed=seed,
    )
    summary = {"n_sampled": len(drawn), "n_strata": int(drawn["cluster"].nunique())}
    show(summary, as_json, f"{plural(len(drawn), 'image')} sampled: {run_folder / 'sample.csv'}")


def assign(
    run_folder: RunFolder,
    name: Name = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A group of respondents; Democrat and Republican.")
    ] = None,
    n_images: Annotated[int, typer.Option(help="Images in a packet.")] = 8,
    raters_per_group: Annotated[int, typer.Option(help="Respondents per image and group.")] = 1,
    residual: Annotated[
        str, typer.Option(help="Residual images: together (one cluster) or alone.")
    ] = "together",
    format: Annotated[str, typer.Option(help="html, qualtrics or labelstudio.")] = "html",
    base_url: Annotated[
        str | None, typer.Option(help="Where images will lie on a server (qualtrics).")
    ] = None,
    low: Annotated[int, typer.Option(help="Lowest rating.")] = 0,
    high: Annotated[int, typer.Option(help="Highest rating.")] = 10,
    warning: Annotated[str | None, typer.Option(help="Read before the first image.")] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(help="Images to leave out: ids or paths, one a line, or a CSV table."),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Deal the sample of a run folder to annotators, and write what they rate it with."""
    from ..annotation.labelstudio import export_labelstudio
    from ..annotation.qualtrics import export_qualtrics
    from ..annotation.ratings_page import export_ratings_page
    from ..provenance import require_step
    from ..sampling.assign import assign_annotators
    from ..sampling.costs import costs
    from ..sampling.sample import read_sample
    from ..validate import check_choice

    run_folder = placed(run_folder, name)
    require_step(run_folder, "sample")
    exports: dict[str, Any] = {
        "html": export_ratings_page,
        "qualtrics": export_qualtrics,
        "labelstudio": export_labelstudio,
    }
    export = exports[check_choice("format", format, exports)]
    if format == "qualtrics" and base_url is None:
        raise ImagestrataError(
            "Qualtrics shows images from a server: --base-url says from where.",
            "For example --base-url https://www.example.org/study/images.",
        )
    if format == "html" and base_url is not None:
        raise ImagestrataError("A page holds its images: --base-url is for the other formats.")
    # A line that is no image of the run stops here, before packets are written.
    hidden = excluded_ids(run_folder, exclude)
    sample = read_sample(run_folder)
    packets = assign_annotators(
        sample,
        group or ("Democrat", "Republican"),
        n_images,
        raters_per_group,
        residual=residual,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
    )
    hosted = {} if base_url is None else {"base_url": base_url}
    folder = export(
        packets,
        run_folder / f"rate-{format}",
        scale=(low, high),
        warning=warning,
        exclude=sorted(hidden & {*sample["image_id"]}),
        overwrite=overwrite,
        progress=not quiet,
        **hosted,
    )
    asked = costs(packets)
    summary = {"packets": str(run_folder / "packets.csv"), "folder": str(folder)}
    show(
        summary | {"costs": records(asked)},
        as_json,
        asked.to_string(index=False),
        f"Packets: {summary['packets']}",
        f"For annotators: {folder}",
    )


def draw_sample(clustering: Clustering, common: dict[str, Any], **arguments: Any) -> pd.DataFrame:
    from ..sampling.sample import sample_images

    return sample_images(clustering, **arguments, **common)
