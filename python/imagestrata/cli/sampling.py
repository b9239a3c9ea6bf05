"""`sample`, `assign`."""

from __future__ import annotations

from typing import Any

import imagestrata

from ..errors import plural
from .options import Keep, Name, RunFolder, Settings
from .output import Said, records
from .posts import required_posts
from .run_folder import excluded_images, load_clustering, placed, required_sample


def sample(
    run_folder: RunFolder, settings: Settings, name: Name = None, keep: Keep = False
) -> Said:
    """Draw images from every cluster of a run folder, with sampling weights."""
    run_folder = placed(run_folder, name)
    clustering = load_clustering(run_folder)
    before = required_sample(run_folder) if keep else None
    asked = settings("sample_images", out=run_folder)
    if asked.get("shares") == "n_posts" and "n_posts" not in clustering.images:
        asked["shares"] = required_posts(run_folder, clustering)
    drawn = imagestrata.sample_images(clustering, keep=before, **asked)
    summary = {"n_sampled": len(drawn), "n_strata": int(drawn["cluster"].nunique())}
    return summary, f"{sampled_line(drawn)}: {run_folder / 'sample.csv'}"


def sampled_line(drawn: Any) -> str:
    """Words on the size of a sample, and on its images that were drawn before."""
    before = int((drawn["draw"] < drawn["draw"].max()).sum())
    kept = f", of which {before:,} were drawn before" if before else ""
    return f"{plural(len(drawn), 'image')} sampled{kept}"


def assign(run_folder: RunFolder, settings: Settings, name: Name = None) -> Said:
    """Assign the sample of a run folder to annotators, and write their rating forms."""
    from ..annotation.export import check_base_url, is_interrupted
    from ..annotation.exporters import check_tool
    from ..annotation.key import read_key
    from ..annotation.packets import check_items
    from ..clustering.named import with_names

    run_folder = placed(run_folder, name)
    # Clusters may have got names since.
    drawn = with_names(required_sample(run_folder), load_clustering(run_folder).clusters)
    export = settings("export_packets")
    # Check the export before packets are written.
    to = export.get("to", "page")
    check_tool(to, "ratings")
    check_base_url(export.get("base_url"), to)
    items = check_items(export.get("items"))
    export["exclude"] = excluded_images(run_folder, export.get("exclude"), drawn)
    packets = imagestrata.assign_annotators(drawn, **settings("assign_annotators", out=run_folder))
    # Packets that were exported before are with their annotators.
    files = [
        file
        for file in sorted(run_folder.glob(f"rate-{to}*-key.csv"))
        if not is_interrupted(file.with_name(file.name.removesuffix("-key.csv")))
    ]
    needed = ("packet_id",)
    keys = [read_key(one, needed, "packets", "assign_annotators", texts=needed) for one in files]
    exported = {packet for key in keys for packet in key["packet_id"]}
    further = packets[~packets["packet_id"].isin(exported)]
    place = run_folder / f"rate-{to}"
    if keys and len(further):
        packets, place = further, run_folder / f"rate-{to}-{len(keys) + 1}"
    folder = imagestrata.export_packets(packets, place, **export)
    asked = imagestrata.costs(packets, n_items=len(items))
    summary = {"packets": str(run_folder / "packets.csv"), "folder": str(folder)}
    return (
        summary | {"costs": records(asked)},
        asked.to_string(index=False),
        f"Packets: {summary['packets']}",
        f"For annotators: {folder}",
    )
