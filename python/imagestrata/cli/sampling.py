"""`sample`, `assign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import plural
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
    to: Annotated[str, typer.Option(help="page, qualtrics, labelstudio or csv.")] = "page",
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
    from ..annotation.export import check_base_url
    from ..annotation.exporters import EXPORTERS
    from ..annotation.packets import export_packets
    from ..provenance import require_step
    from ..sampling.assign import assign_annotators
    from ..sampling.costs import costs
    from ..sampling.sample import read_sample
    from ..validate import check_choice

    run_folder = placed(run_folder, name)
    require_step(run_folder, "sample")
    check_base_url(base_url, check_choice("to", to, EXPORTERS))
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
    folder = export_packets(
        packets,
        run_folder / f"rate-{to}",
        to=to,
        scale=(low, high),
        warning=warning,
        exclude=sorted(hidden & {*sample["image_id"]}),
        overwrite=overwrite,
        base_url=base_url,
        progress=not quiet,
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
