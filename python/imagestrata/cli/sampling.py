"""`sample`, `assign`."""

from __future__ import annotations

import imagestrata

from ..errors import plural
from .options import Name, RunFolder, Settings
from .output import Said, records
from .run_folder import excluded_images, load_clustering, placed, required_sample


def sample(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Draw images from every cluster of a run folder, with sampling weights."""
    run_folder = placed(run_folder, name)
    clustering = load_clustering(run_folder)
    drawn = imagestrata.sample_images(clustering, **settings("sample_images", out=run_folder))
    summary = {"n_sampled": len(drawn), "n_strata": int(drawn["cluster"].nunique())}
    return summary, f"{plural(len(drawn), 'image')} sampled: {run_folder / 'sample.csv'}"


def assign(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Assign the sample of a run folder to annotators, and write their rating forms."""
    from ..annotation.export import check_base_url
    from ..annotation.exporters import EXPORTERS
    from ..annotation.packets import check_items
    from ..validate import check_choice

    run_folder = placed(run_folder, name)
    drawn = required_sample(run_folder)
    export = settings("export_packets")
    # Check the export before packets are written.
    to = check_choice("to", export.get("to", "page"), EXPORTERS)
    check_base_url(export.get("base_url"), to)
    items = check_items(export.get("items"))
    export["exclude"] = excluded_images(run_folder, export.get("exclude"), drawn)
    packets = imagestrata.assign_annotators(drawn, **settings("assign_annotators", out=run_folder))
    folder = imagestrata.export_packets(packets, run_folder / f"rate-{to}", **export)
    asked = imagestrata.costs(packets, n_items=len(items))
    summary = {"packets": str(run_folder / "packets.csv"), "folder": str(folder)}
    return (
        summary | {"costs": records(asked)},
        asked.to_string(index=False),
        f"Packets: {summary['packets']}",
        f"For annotators: {folder}",
    )
