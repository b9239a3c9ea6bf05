"""`run`: every step from the images to the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagestrata

from .clustering import cluster_line, clustering_summary
from .corpus import scan_lines
from .explore import make_gallery
from .options import Folder, Map, Name, Out, Pictures, Settings
from .output import Said
from .run_folder import pictures, placed
from .sampling import sampled_line

if TYPE_CHECKING:
    from ..clustering.base import ClusterEstimator


def run(
    images: Pictures,
    out: Out,
    settings: Settings,
    folder: Folder = None,
    name: Name = None,
    map: Map = None,
) -> Said:
    """Scan, embed, cluster and sample images, and write the gallery.

    After an interruption, the same command continues where it stopped. With preset "paper", the
    encoder is resnet18, the network of the paper, unless you name another.
    """
    from ..corpus.scan import scan_along
    from ..corpus.thumbnails import thumbnails_along
    from ..embeddings.embed import embed_for, vectors_along
    from ..encoders.registry import PAPER_ENCODER

    out = placed(out, name)
    given = pictures(images, folder)
    named = {"encoder", "model"} & settings("embed_images").keys()
    if settings("cluster_images").get("preset") == "paper" and not named:
        settings.defaults["embed_images"] = {"encoder": PAPER_ENCODER}
    estimator = check_all(given, settings, out)
    thumbnails = thumbnails_along(out, settings.whole("image_gallery")["thumbnail"])
    along = vectors_along(
        estimator.check_arguments, thumbnails, **settings("embed_images", out=out)
    )
    scanned = scan_along(given, along, **settings("scan_images", out=out))
    embeddings = embed_for(estimator.check_arguments, scanned, **settings("embed_images", out=out))
    clustering = imagestrata.cluster_images(embeddings, **settings("cluster_images", out=out))
    drawn = imagestrata.sample_images(clustering, **settings("sample_images", out=out))
    page = make_gallery(clustering, out, drawn, settings, map)
    summary = clustering_summary(clustering)
    return (
        summary | {"n_sampled": len(drawn), "gallery": str(page)},
        *scan_lines(scanned),
        cluster_line(clustering),
        f"{sampled_line(drawn)}: {out / 'sample.csv'}",
        f"Open the gallery in a browser: {page.resolve().as_uri()}",
    )


#: Verbs whose settings a run folder records.
_RECORDED = ("scan_images", "embed_images", "cluster_images", "sample_images")


def check_all(images: Any, settings: Settings, out: Path) -> ClusterEstimator:
    """Check the arguments of every step before the first image is read.

    The checks of each step are called without the results of the step before, which do not exist.
    """
    from ..clustering.cluster import check_clustering_settings, given_settings
    from ..corpus.scan import check_images, scan_settings
    from ..embeddings.embed import check_embedding, embed_settings
    from ..files import make_folder
    from ..provenance import check_settings
    from ..sampling.sample import sample_settings

    overwrite = {one: settings.whole(one)["overwrite"] for one in _RECORDED}
    at_work = ("overwrite", "progress", "engine")

    def deciding(verb: str) -> dict[str, Any]:
        return {name: v for name, v in settings.whole(verb).items() if name not in at_work}

    scanned = scan_settings(**deciding("scan_images"))
    embedded, load_encoder = embed_settings(**deciding("embed_images"))
    clustering = deciding("cluster_images")
    method, preset, seed = (clustering.pop(name) for name in ("method", "preset", "seed"))
    estimator = check_clustering_settings(
        method, preset, given_settings(clustering), seed, out, overwrite["cluster_images"]
    )
    sampled = sample_settings(**deciding("sample_images"))
    check_images(images, out)
    make_folder(out)
    for step, verb, decided in (
        ("scan", "scan_images", scanned),
        ("embed", "embed_images", embedded),
        ("sample", "sample_images", sampled),
    ):
        check_settings(out, step, decided, overwrite[verb])
    check_embedding(images, embedded, load_encoder, out, overwrite["embed_images"])
    return estimator
