"""`run`: every step from a folder of images to the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import plural
from .clustering import cluster_arguments, cluster_embeddings, cluster_lines, clustering_summary
from .corpus import scan_folder, scan_lines
from .explore import make_gallery
from .options import (
    BatchSize,
    Clusters,
    Components,
    Encoder,
    Engine,
    Exclude,
    Folder,
    Json,
    K,
    KMax,
    Method,
    MinBytes,
    MinClusterSize,
    MinSamples,
    MinSide,
    Model,
    Name,
    NearDuplicates,
    Noise,
    Normalize,
    Out,
    Overwrite,
    PerCluster,
    Precision,
    Preset,
    Quiet,
    Resize,
    SampleSize,
    Seed,
    Threshold,
    Weights,
)
from .output import show
from .run_folder import placed
from .sampling import draw_sample

if TYPE_CHECKING:
    from ..clustering.base import ClusterEstimator


def run(
    folder: Folder,
    out: Out,
    name: Name = None,
    encoder: Encoder = "resnet18",
    model: Model = None,
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    min_bytes: MinBytes = 0,
    min_side: MinSide = 16,
    near_duplicates: NearDuplicates = None,
    exclude: Exclude = None,
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
    n_per_cluster: PerCluster = 5,
    seed: Seed = 0,
    engine: Engine = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Scan, embed, cluster and sample a folder, and make the gallery.

    Interrupted, it goes on where it stopped when the same command is run again.
    """
    from ..embeddings.embed import embed_for

    out = placed(out, name)
    common: dict[str, Any] = {"out": out, "overwrite": overwrite}
    at_work = {**common, "engine": engine}
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
    )
    scanning: dict[str, Any] = {
        "min_bytes": min_bytes, "min_side": min_side, "near_duplicates": near_duplicates,
        "exclude": exclude,
    }  # fmt: skip
    embedding: dict[str, Any] = {
        "model": model, "weights": weights, "resize": resize, "precision": precision,
        "batch_size": batch_size, "seed": seed,
    }  # fmt: skip
    sampling: dict[str, Any] = {"n_per_cluster": n_per_cluster, "seed": seed}
    estimator = check_all(folder, scanning, encoder, embedding, arguments, sampling, common)
    images = scan_folder(folder, **scanning, progress=not quiet, common=at_work)
    embeddings = embed_for(
        estimator.check_arguments, images, encoder, **embedding, progress=not quiet, **at_work
    )
    clustering = cluster_embeddings(embeddings, arguments, seed, not quiet, at_work)
    drawn = draw_sample(clustering, common, **sampling)
    page = make_gallery(clustering, drawn, not quiet, common)
    summary = clustering_summary(clustering) | {"n_sampled": len(drawn), "gallery": str(page)}
    show(
        summary,
        as_json,
        *scan_lines(images),
        *cluster_lines(clustering),
        f"{plural(len(drawn), 'image')} sampled: {out / 'sample.csv'}",
        f"Open the gallery in a browser: {page.resolve().as_uri()}",
    )


def check_all(
    folder: Path,
    scanning: dict[str, Any],
    encoder: str,
    embedding: dict[str, Any],
    clustering: dict[str, Any],
    sampling: dict[str, Any],
    common: dict[str, Any],
) -> ClusterEstimator:
    """Check the arguments of every step before the first image is read.

    Each step's own checks are asked; what it would take from the step before is not there yet.
    """
    from ..clustering.cluster import check_clustering_settings
    from ..corpus.scan import check_images, scan_settings
    from ..embeddings.embed import check_embedding, embed_settings
    from ..files import make_folder
    from ..provenance import check_settings
    from ..sampling.sample import sample_settings

    out, overwrite = common["out"], common["overwrite"]
    scanned = scan_settings(**scanning)
    given = {name: value for name, value in clustering.items() if name not in ("method", "preset")}
    embedded, load_encoder = embed_settings(encoder, device="auto", **embedding)
    estimator = check_clustering_settings(
        clustering["method"], clustering.get("preset"), given, embedding["seed"], out, overwrite
    )
    sampled = sample_settings(**sampling)
    check_images(folder, out)
    make_folder(out)
    for step, settings in {"scan": scanned, "embed": embedded, "sample": sampled}.items():
        check_settings(out, step, settings, overwrite)
    check_embedding(folder, embedded, load_encoder, out, overwrite)
    return estimator
