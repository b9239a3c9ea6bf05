"""`run`: every step from a folder of images to the gallery."""

from __future__ import annotations

from ..errors import plural
from .clustering import cluster_arguments, cluster_embeddings, cluster_lines, clustering_summary
from .corpus import scan_folder, scan_lines
from .embeddings import embed_table
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
from .sampling import draw_sample


def run(
    folder: Folder,
    out: Out,
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
    common = {"out": out, "overwrite": overwrite}
    at_work = {**common, "engine": engine}
    images = scan_folder(folder, min_bytes, min_side, near_duplicates, exclude, not quiet, at_work)
    embeddings = embed_table(
        images, encoder, model, weights, resize, precision, batch_size, seed, not quiet, at_work
    )
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
    clustering = cluster_embeddings(embeddings, arguments, seed, not quiet, common)
    drawn = draw_sample(clustering, common, n_per_cluster=n_per_cluster, seed=seed)
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
