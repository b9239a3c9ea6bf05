"""`cluster`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import plural
from .options import (
    Clusters,
    Components,
    Engine,
    Json,
    K,
    KMax,
    Method,
    MinClusterSize,
    MinSamples,
    Name,
    Noise,
    Normalize,
    Overwrite,
    Preset,
    Quiet,
    RunFolder,
    SampleSize,
    Seed,
    Threshold,
)
from .output import show
from .run_folder import placed

if TYPE_CHECKING:
    from ..clustering.clustering import Clustering


def cluster(
    run_folder: RunFolder,
    name: Name = None,
    method: Method = "iterative",
    preset: Preset = None,
    k: K = None,
    k_max: KMax = None,
    sample_size: SampleSize = None,
    n_clusters: Clusters = None,
    similarity_threshold: Threshold = None,
    min_cluster_size: MinClusterSize = None,
    min_samples: MinSamples = None,
    noise: Noise = None,
    normalize: Normalize = None,
    n_components: Components = None,
    seed: Seed = 0,
    engine: Engine = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the images of a run folder into visual topics.

    With a name, these clusters lie beside those of the run, and so does all that is made from
    them: `imagestrata sample RUN --name NAME`, or any command on the folder RUN/variants/NAME.
    """
    from ..embeddings.embeddings import Embeddings
    from ..provenance import require_step

    run_folder = placed(run_folder, name)
    require_step(run_folder, "embed")
    arguments = cluster_arguments(
        method=method,
        preset=preset,
        k=k,
        k_max=k_max,
        sample_size=sample_size,
        n_clusters=n_clusters,
        similarity_threshold=similarity_threshold,
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        noise=noise,
        normalize=normalize,
        n_components=n_components,
        engine=engine,
    )
    common = {"out": run_folder, "overwrite": overwrite}
    embeddings = Embeddings.load(run_folder)
    clustering = cluster_embeddings(embeddings, arguments, seed, not quiet, common)
    show(clustering_summary(clustering), as_json, *cluster_lines(clustering))


def cluster_arguments(*, k_max: str | None, **arguments: Any) -> dict[str, Any]:
    """Only what was given: the defaults live with cluster_images."""
    arguments["k_max"] = int(k_max) if k_max and k_max.isdecimal() else k_max
    return {name: value for name, value in arguments.items() if value is not None}


def cluster_embeddings(
    embeddings: Any, arguments: dict[str, Any], seed: int, progress: bool, common: dict[str, Any]
) -> Clustering:
    from ..clustering.cluster import cluster_images

    return cluster_images(embeddings, seed=seed, progress=progress, **arguments, **common)


def clustering_summary(clustering: Clustering) -> dict[str, Any]:
    summary = clustering.summary.to_dict("records")[0]
    return {str(name): value for name, value in summary.items()}


def cluster_lines(clustering: Clustering) -> list[str]:
    found = clustering_summary(clustering)
    share = found["n_residual"] / found["n_images"]
    return [
        f"{plural(found['n_clusters'], 'cluster')} in "
        f"{plural(found['n_iterations'], 'iteration')}; "
        f"{plural(found['n_residual'], 'image')} ({share:.1%}) in none"
    ]
