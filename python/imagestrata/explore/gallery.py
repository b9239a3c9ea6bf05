"""A page that shows a clustering."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as as_url

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, check_clustering, clusters_fingerprint, rank_images
from ..clustering.edit import highest_number
from ..clustering.themes import COLUMNS as THEMES
from ..clustering.themes import has_themes, names_of, pairs_of
from ..corpus.small import longer_side, n_small, side_of_copy, small_folder
from ..corpus.thumbnails import HEIGHT, MOST_SHOWN, Thumbnail, make_thumbnails
from ..errors import ImagestrataError
from ..files import ensure_folder
from ..page import write_page
from ..progress import Progress
from ..provenance import (
    Step,
    bases_have_grown,
    edited_since,
    fingerprint,
    made_since,
    read_run,
    version,
)
from ..sampling.sample import from_sample
from ..shown import Page
from ..tables import check_table
from ..validate import check_bool, check_idle, check_int, check_text
from ..verbs import public
from ..wording import arg, quote
from .keywords import check_keywords
from .points import check_points, map_content, map_method
from .similar import near_clusters, neighbors_content, vectors_of
from .thinning import thin_out
from .timeline import posts_content

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGE_COLUMNS = (
    "image_id", "path", "file", "cluster", "cluster_name", "iteration", "silhouette", "distance",
    "second_cluster", "margin", "n_copies", "added", "wave",
)  # fmt: skip
_TRACE_COLUMNS = ("iteration", "n_remaining", "k", "n_cohesive", "mean_size")
#: Ratios of width to height beyond which images are cropped (not in the large view).
_RATIOS = (0.5, 2.5)
_WORDS_OF_EDITS = ("name", "note", "editor")
#: Number of terms beside a cluster.
N_KEYWORDS = 8


@public
def image_gallery(
    clustering: Clustering,
    out: str | os.PathLike[str],
    *,
    sample: pd.DataFrame | None = None,
    keywords: pd.DataFrame | None = None,
    points: pd.DataFrame | None = None,
    posts: pd.DataFrame | None = None,
    time: str | None = "time",
    by: str | None = None,
    author: str | None = None,
    n_typical: int = 12,
    thumbnail: int = HEIGHT,
    warning: str | None = None,
    view: bool | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Page:
    """Make a page that shows the clusters with their images.

    The page opens from disk in any browser, without a network. It shows clusters in order
    of size with their typical images, all images of a cluster, the residual, the sample,
    and the iterations. You can select images, and copy their ids or save them as CSV (in
    which a path that a spreadsheet program would read as a formula has a quote before it).

    You can also edit the clusters there: name them, merge them, move images, and drop
    clusters and images. See Notes.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    out : path
        Run folder. The page is written to ``gallery/index.html`` in it, with small copies of
        the images beside it. The page opens the originals where they are.
    sample : DataFrame, optional
        The result of :func:`sample_images`: these images are marked.
    keywords : DataFrame, optional
        The result of :func:`cluster_keywords`: its first terms are shown beside each
        cluster.
    points : DataFrame, optional
        The result of :func:`map_images`: the page has a map in which you can zoom and
        select images with a lasso.
    posts : DataFrame, optional
        The result of :func:`link_posts`: the page counts posts, and has a timeline of them that
        filters clusters and images.
    time : str, default "time"
        The column of ``posts`` with times, which are compared by their day in UTC. None: posts are
        counted, without a timeline.
    by : str, optional
        A column of ``posts`` with at most 50 groups, such as parties, to which the page can be
        limited.
    author : str, optional
        The column of ``posts`` with accounts that the page shows beside the images that they
        posted. By default the page takes no account from ``posts``.
    n_typical : int, default 12
        Number of images shown for each cluster at first, those with the highest
        silhouettes.
    thumbnail : int, default 160
        Height of the images on the page, in CSS pixels. The small copies are
        JPEG files, their longer side twice that.
    warning : str, optional
        A text that is shown before the first image.
    view : bool, optional
        Whether to open the page in a browser. By default only in an interactive session
        with a display; notebooks show a link, and scripts do not open the page.
    overwrite : bool, default False
        Replace a gallery of another clustering, sample or settings in the folder.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Page
        The path of the page, a ``pathlib.Path`` that a notebook shows as a link. An image
        whose file is missing, unreadable or has changed since clustering is shown as a grey
        field with the reason.

    Raises
    ------
    ImagestrataError
        If the folder cannot be written or contains another gallery, the sample has images
        that are not in the clustering, or an image has no place on the map.

    Notes
    -----
    With more than 100,000 images the page shows 100,000 of them and reports this: the most
    typical ones of each cluster, the whole sample, and others drawn at random with a fixed
    seed. Sizes, shares and the numbers on the map describe all images.

    *Edits.* The page shows the clusters after your edits and lists these; each can have a
    note, and be undone. They stay in the browser until you download them as ``edits.csv``,
    which ``edit_clusters(clustering, edits="edits.csv")`` or ``imagestrata edit`` applies. Then
    write the page again: it goes on from the edited clusters. Edits that the browser has
    stored for other clusters are not applied; the page offers them. The most similar
    clusters beside each cluster are those with the nearest centroids. The key ``?`` lists all
    keys.

    *Themes.* If the clusters were grouped (:func:`group_clusters`), clusters are in sections by
    theme, and the map can show one theme.

    *Posts.* A post shows a cluster if it shows any of its images, and is counted once. Shares are
    of all posts with an image of the clustering, in the same days, weeks (from Monday), months or
    years, and of the same group. The page says how many posts have no such image, or no time. Edits
    on the page change the counts. The page contains the days of posts, their images and groups,
    but no texts or ids of posts; accounts only with ``author``.

    *More like this* shows the 12 most similar images of any cluster, by the cosine of their
    vectors. It needs the vectors: those that the clustering knows, or those of the run folder.
    With more than 128 dimensions, the 12 are the best of 48 candidates, which are found in 64
    principal components.

    *Order.* The page can show the most doubtful images of each cluster first: those with the
    smallest ``margin`` to another cluster, otherwise those with the lowest silhouettes.

    An interrupted call continues when you repeat it: existing small copies are used again.
    """
    check_clustering(clustering)
    n_typical = check_int("n_typical", n_typical, minimum=1)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=640)
    if view is not None:
        view = check_bool("view", view)
    overwrite = check_bool("overwrite", overwrite)
    warning = check_text("warning", warning)
    images = rank_images(clustering.images, [*clustering.clusters["cluster"], -1])
    sampled = _sampled(sample, images, clustering.edits)
    rows, n_shown_typical = thin_out(images["cluster"], sampled, MOST_SHOWN)
    shown = images.iloc[rows].reset_index(drop=True)
    content = _content(clustering, images, shown, np.searchsorted(rows, sampled).tolist())
    content["thinned"] = n_shown_typical
    if warning is not None:
        content["warning"] = warning
    words = check_keywords(keywords, N_KEYWORDS)
    for group in content["clusters"]:
        group["keywords"] = words.get(group["cluster"], [])
    if has_themes(clustering):
        content["themes"] = _themes(clustering, content["clusters"])
    if points is not None:
        content["map"] = _map(clustering, points, images, rows)
    if posts is not None:
        numbers = [group["cluster"] for group in content["clusters"]]
        content["posts"] = posts_content(
            posts, images, rows, numbers, time=time, by=by, author=author
        )
    else:
        check_idle(f"without {arg('posts')}", by=(by, None), author=(author, None))

    root, files = _originals(shown)
    settings = {"n_typical": n_typical, "thumbnail": thumbnail}
    made_from = {"cluster": clusters_fingerprint(clustering.images)}
    if sample is not None:
        made_from["sample"] = from_sample(
            out, _with_clusters(sample, clustering.images, clustering.edits)
        )
    inputs = fingerprint([content, version()])
    step = Step(
        out,
        "gallery",
        settings,
        inputs=inputs,
        made_from=made_from,
        overwrite=overwrite,
        # The page of a grown clustering replaces the earlier one.
        grows=lambda run: (
            bases_have_grown(run, "gallery")
            or edited_since(run, "gallery")
            or made_since(run, "gallery", "group")
        ),
    )
    assert step.folder is not None
    run_name = step.folder.resolve().name
    page = Page(step.folder / "gallery" / "index.html")
    thumbnails = small_folder(step.folder, thumbnail)
    bases = _bases(root, files, page.parent) if any(files) else []
    originals = fingerprint([bases[:1], files])

    vectors = vectors_of(clustering, shown, step.folder)

    def read(run: Path) -> Page | None:
        """The page, unless the originals are at another place now, or there are vectors now."""
        page.stat()
        held = read_run(run)["steps"]["gallery"]
        as_then = held.get("originals") in (None, originals)
        return page if as_then and held.get("vectors", False) >= (vectors is not None) else None

    def make() -> Page:
        made = make_thumbnails(shown, thumbnails, longer_side(thumbnail), progress)
        content["images"] |= {"file": files, **_pictures(content["images"]["id"], made)}
        names = [group["name"] for group in content["clusters"]]
        ledger = clustering.edits.astype(str).to_numpy().tolist()
        content["editing"]["key"] = fingerprint([run_name, made_from["cluster"], names, ledger])
        content.update(
            neighbours=None if vectors is None else neighbors_content(vectors),
            root=root,
            separator=os.sep,
            small=n_small(shown),
            key=fingerprint([content["images"]["id"], content["images"]["cluster"]]),
            bases=bases,
            thumbnails=thumbnails.name,
            height=thumbnail,
            typical=n_typical,
        )
        return page

    def write(page: Page, run: Path) -> dict[str, int]:
        ensure_folder(page.parent)
        title = f"{run_name}: visual topics"
        write_page(page, "gallery", content, title=title, summary=_summary(clustering))
        not_shown = len(images) - len(shown) + len(content["images"]["missing"])
        return {"images": len(images), "not_shown": not_shown}

    step.result(
        read, make, write, note={"originals": originals, "vectors": vectors is not None}
    ).view(view)
    return page


def _sampled(
    sample: pd.DataFrame | None, images: pd.DataFrame, edits: pd.DataFrame
) -> NDArray[np.int64]:
    """Rows of the sampled images."""
    if sample is None:
        return np.array([], dtype=np.int64)
    sample = check_table("sample", sample, ("image_id",), "sample_images")
    known = sample["image_id"].isin(images["image_id"])
    unknown = sorted(set(sample["image_id"][~known]))
    if unknown:
        raise ImagestrataError(
            f"{len(unknown)} of {len(sample)} sampled images are not in the clustering, "
            f"{quote(unknown[0])} for one.",
            "Draw the sample from this clustering.",
        )
    _with_clusters(sample, images, edits)
    return np.flatnonzero(images["image_id"].isin(sample["image_id"]))


def _with_clusters(sample: pd.DataFrame, images: pd.DataFrame, edits: pd.DataFrame) -> pd.DataFrame:
    """The sample with the clusters of its images; an error if its own clusters differ.

    Those of a sample from before edits may differ: they are the clusters that were found, or that
    some of the edits made.
    """
    table = images.set_index("image_id")
    cluster = sample["image_id"].map(table["cluster"])
    if "cluster" not in sample:
        return sample.assign(cluster=cluster)
    own = sample["cluster"].astype(str)
    other = own != cluster.astype(str)
    if "cluster_found" in table:
        other &= own != sample["image_id"].map(table["cluster_found"]).astype(str)
        other &= ~own.isin(edits["into"].dropna().astype(str))
    if other.any():
        raise ImagestrataError(
            f"{other.sum()} of {len(sample)} sampled images are in another cluster of this "
            f"clustering than the sample says, {quote(sample['image_id'][other].iloc[0])} for one.",
            "Draw the sample from this clustering.",
        )
    return sample


def _content(
    clustering: Clustering, images: pd.DataFrame, shown: pd.DataFrame, sampled: list[int]
) -> dict[str, Any]:
    """The data of the page without pictures: plain values, a list per column.

    ``images`` are counted and ``shown`` are on the page, in the same order.
    """
    ours = [*_IMAGE_COLUMNS, *(THEMES if has_themes(clustering) else ())]
    extra = [name for name in shown if name not in ours]
    doubt = {"second": "second_cluster", "margin": "margin"}
    return {
        "images": {
            "id": [str(image_id) for image_id in shown["image_id"]],
            "cluster": shown["cluster"].tolist(),
            "silhouette": _numbers(shown["silhouette"], 4),
            "distance": _numbers(shown["distance"], 4),
            "copies": _numbers(shown["n_copies"]),
            **{key: _numbers(shown[name], 4) for key, name in doubt.items() if name in shown},
        },
        "extra": {str(name): _texts(shown[name]) for name in extra},
        "sampled": sampled,
        "clusters": _groups(clustering, images, shown),
        "editing": {
            "highest": highest_number(clustering),
            "first": int(clustering.edits["edit"].max()) + 1 if len(clustering.edits) else 1,
            "ledger": _ledger(clustering.edits, shown),
        },
        "trace": {name: _numbers(clustering.trace[name], 1) for name in _TRACE_COLUMNS},
    }


def _ledger(edits: pd.DataFrame, shown: pd.DataFrame) -> list[list[Any]]:
    """The edits that the clustering has: for each its number, action, clusters, number of images,
    places of those that are on the page, name, note, editor, and whether it applied."""
    place = {str(image_id): i for i, image_id in enumerate(shown["image_id"])}
    found: list[list[Any]] = []
    for number, lines in edits.groupby("edit"):
        first = lines.iloc[0]
        texts = [None if pd.isna(first[name]) else first[name] for name in _WORDS_OF_EDITS]
        numbers = " ".join(dict.fromkeys(lines["clusters"].dropna())).split()
        ids = lines["image_id"].dropna()
        # Splits may have very many images, and are not made on pages.
        here = [] if first["action"] == "split" else [place[one] for one in ids if one in place]
        found.append(
            [number, first["action"], [*map(int, numbers)], len(ids), here, *texts,
             bool(first["applied"])]
        )  # fmt: skip
    return found


def _map(
    clustering: Clustering, points: pd.DataFrame, images: pd.DataFrame, rows: NDArray[np.int64]
) -> dict[str, Any]:
    numbers: list[int] = clustering.clusters["cluster"].tolist()
    places = check_points(points, images)
    return map_content(places, images["cluster"], numbers, map_method(points), rows)


def _groups(
    clustering: Clustering, images: pd.DataFrame, shown: pd.DataFrame
) -> list[dict[str, Any]]:
    """The clusters and finally the residual, each with the place of its first image."""
    table = clustering.clusters
    residual = images.loc[images["cluster"] == -1, "silhouette"]
    numbers = [*table["cluster"].tolist(), *([-1] if len(residual) else [])]
    silhouettes = [*table["silhouette"], *([residual.mean()] if len(residual) else [])]
    iterations = [*table["iteration"], *([None] if len(residual) else [])]
    names = _texts(table["cluster_name"]) if "cluster_name" in table else [None] * len(table)
    names += [None] if len(residual) else []
    near = [*near_clusters(clustering.centroids), *([[]] if len(residual) else [])]
    sizes, n_shown = images["cluster"].value_counts(), shown["cluster"].value_counts()
    groups: list[dict[str, Any]] = []
    proposed = clustering.proposals.set_index("cluster")["proposal"].to_dict()
    first = 0
    for number, name, silhouette, iteration, others in zip(
        numbers, names, silhouettes, iterations, near, strict=True
    ):
        size, here = int(sizes[number]), int(n_shown[number])
        groups.append(
            {
                "cluster": number,
                "name": name,
                "proposal": proposed.get(number),
                "first": first,
                "shown": here,
                "size": size,
                "share": size / len(images),
                "silhouette": None if pd.isna(silhouette) else round(float(silhouette), 4),
                "iteration": None if pd.isna(iteration) else int(iteration),
                "near": others,
            }
        )
        first += here
    return groups


def _themes(clustering: Clustering, groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Names of themes by number, and the theme of each cluster."""
    theme_of = pairs_of(clustering.clusters)
    return {
        "names": names_of(clustering),
        "of": [theme_of.get(group["cluster"]) for group in groups],
    }


def _pictures(ids: list[str], made: list[Any]) -> dict[str, Any]:
    """Small copies: their names, None for those named by the id; shapes; and what is missing."""
    low, high = _RATIOS
    return {
        "thumbnail": [
            one.name if isinstance(one, Thumbnail) and one.name != image_id else None
            for image_id, one in zip(ids, made, strict=True)
        ],
        "ratio": [
            round(min(max(one.ratio, low), high), 3) if isinstance(one, Thumbnail) else 1
            for one in made
        ],
        "missing": {
            row: one.reason for row, one in enumerate(made) if not isinstance(one, Thumbnail)
        },
    }


def _numbers(column: pd.Series[Any], digits: int | None = None) -> list[float | int | None]:
    """Numbers for JSON, None for missing ones; whole numbers without decimals."""
    values = [None if pd.isna(value) else value for value in column]
    return [
        None if value is None
        else int(value) if float(value).is_integer()
        else round(float(value), digits)
        for value in values
    ]  # fmt: skip


def _texts(column: pd.Series[Any]) -> list[str | None]:
    return [
        None if missing else str(round(value, 3) if isinstance(value, float) else value)
        for value, missing in zip(column, column.isna(), strict=True)
    ]


def _originals(images: pd.DataFrame) -> tuple[str, list[str | None]]:
    """The folder of the originals, and their paths in it; None for missing originals."""
    paths = [
        path if isinstance(path, str) and side_of_copy(str(image_id), path) is None else None
        for image_id, path in zip(images["image_id"], images["path"], strict=True)
    ]
    root = _root([path for path in paths if path is not None])
    return root, [None if path is None else path[len(root) :] for path in paths]


def _root(paths: list[str]) -> str:
    """The common folder of all paths, in their spelling, with a separator at the end."""
    shared = os.path.commonprefix(paths)  # noqa: RUF071 - cut at a separator below
    return shared[: shared.rfind(os.sep) + 1]


def _bases(root: str, files: list[str | None], page_folder: Path) -> list[str]:
    """Addresses of the folder of originals: relative to the page, so that both can be moved
    together, and absolute, so that the run folder can be moved alone."""
    if not root and any(map(os.path.isabs, filter(None, files))):  # on several drives of Windows
        return ["file:///"]
    folder = os.path.abspath(root)  # noqa: PTH100 - resolve() would follow links that may change
    bases = [Path(folder).as_uri().rstrip("/") + "/"]
    try:
        relative = os.path.relpath(folder, os.path.abspath(page_folder))  # noqa: PTH100
    except ValueError:  # another drive
        return bases
    return [as_url(relative.replace(os.sep, "/")) + "/", *bases]


def _summary(clustering: Clustering) -> str:
    """The clustering in one line."""
    line = clustering.summary.iloc[0]
    parts = {
        "n_images": "{:,} images",
        "n_clusters": "{:,} clusters",
        "n_residual": "{:,} in the residual",
        "n_added": "{:,} joined later",
        "n_iterations": "{:,} iterations",
        "mean_silhouette": "mean silhouette {:.2f}",
        "method": "method {}",
        "encoder": "encoder {}",
        "seed": "seed {}",
    }
    texts = [
        text.removesuffix("s" if line[name] == 1 else "").format(line[name])
        for name, text in parts.items()
        if not pd.isna(line[name]) and (name, line[name]) != ("n_added", 0)
    ]
    return "\u00a0· ".join(texts)  # lines break after the dots
