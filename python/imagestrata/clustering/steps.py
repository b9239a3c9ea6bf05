"""The step of clustering in a run folder."""

from __future__ import annotations

from ..steps import StepKind

STEPS = (
    StepKind(
        "cluster",
        "cluster_images",
        "clustering.parquet",
        after=("embed",),
        tables=(
            "clustering.parquet",
            "clusters.parquet",
            "trace.parquet",
            "searches.parquet",
            "centroids.parquet",
            "renumbered.parquet",
            "clustering.json",
        ),
        work=("coding-sheet*", "scores.csv"),
        drawn=(
            "keywords.csv",
            "metadata.csv",
            "prevalence.csv",
            "montage.png",
            "map.png",
            "trace.png",
            "searches.png",
        ),
    ),
    StepKind(
        "edit",
        "edit_clusters",
        "edited.parquet",
        after=("cluster",),
        tables=("edited.parquet", "edited-clusters.parquet", "edited-centroids.parquet"),
        work=("edits.csv",),
        drawn=(
            "keywords.csv",
            "metadata.csv",
            "prevalence.csv",
            "montage.png",
            "map.png",
            "themes.png",
        ),
        edits="cluster",
    ),
    StepKind(
        "group",
        "group_clusters",
        "themes.parquet",
        after=("cluster",),
        tables=("themes.parquet", "tree.parquet"),
        drawn=("prevalence.csv", "montage.png", "map.png", "themes.png"),
    ),
)
