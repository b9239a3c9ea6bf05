"""Link posts to the clusters of their images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.copies import all_files, scan_of
from ..clustering.linked import is_linked
from ..clustering.named import NAMES, with_names
from ..clustering.themes import COLUMNS as THEMES
from ..errors import ImagestrataError, plural, warn
from ..tables import id_texts, keep_given, with_text_ids
from ..verbs import check_product, public
from ..wording import arg, kind_of, quote, verb
from .match import AMBIGUOUS, NOT_FOUND, Files, is_name, pieces_of, split

#: Columns of posts that hold images, in the order in which they are looked up.
IMAGE_COLUMNS = ("media", "image_id", "path", "file")

#: Why a row has no image, by outcome; files have further reasons.
_WHYS = {NOT_FOUND: "not in the scan", AMBIGUOUS: "ambiguous"}
_EMPTY = "no image"

#: Columns that linking adds.
_ADDED = ("cluster", "cluster_name", *THEMES, "n_posts", "unmatched")

#: The number of examples of a reason.
_SHOWN = 5

Rows = NDArray[np.int64]


@public
def link_posts(
    topics: Clustering,
    posts: pd.DataFrame,
    *,
    by: str | None = None,
    images: Any = None,
    separator: str | None = None,
) -> pd.DataFrame:
    """Link posts to the clusters of the images that they show.

    Copies count: a post that shows a copy of an image has the cluster of the image that was kept.

    Parameters
    ----------
    topics : Clustering
        The result of :func:`cluster_images` or :func:`edit_clusters`.
    posts : DataFrame
        Posts with the column ``post_id``, such as :func:`read_posts` returns: one row per post and
        image, or one row per post with several images in a cell (a list, or names in one text).
        Or linked posts, which get the clusters of ``topics``; see Notes.
    by : str, optional
        The column of ``posts`` with the images: ids, paths, ends of paths, names of files or
        addresses on the web, also mixed. By default the first of ``media``, ``image_id``,
        ``path`` and ``file`` that exists.
    images : DataFrame or path, optional
        The table of :func:`scan_images`, or a run folder with it, in which copies and rejected
        files are looked up. By default the run folder of the clustering.
    separator : str, optional
        What separates names in a text. By default a text that is not the name of a file is divided
        at commas, semicolons, ``|`` and line breaks if it holds names of images.

    Returns
    -------
    DataFrame
        One row per post and image, in the order of ``posts``:

        - ``post_id``;
        - ``image_id`` of the kept image, missing if there is none;
        - ``cluster`` (-1 is the residual) and ``cluster_name``, then ``theme`` and ``theme_name``
          if clusters are grouped;
        - ``n_posts``: the number of these posts that show the image;
        - ``unmatched``: why a row has no image, missing if it has one: "no image" (the cell is
          empty), "not in the scan", "ambiguous" (the name fits several images), "rejected: ..."
          with the reason of the scan, or "not in the clustering" (the image has no vector, or its
          cluster was dropped);
        - then the columns of ``posts``; the one named in ``by`` has one name per row.

        No post is left out. ``attrs["unmatched"]`` has one entry per reason: ``reason``, ``n``
        (rows), ``n_posts``, ``examples``. ``attrs["topics"]`` has the topics of the clustering
        with their ``n_rows`` here.

    Raises
    ------
    ImagestrataError
        If a column is missing, a post has no id, an id was read as a number and lost digits, or no
        row has an image of the clustering.

    Warns
    -----
    UserWarning
        If some rows have no image, with numbers, reasons and examples (only new ones, if linked
        posts are linked again); or if copies cannot be looked up, because there is no scan.

    Notes
    -----
    *Names.* A name is compared as an id; as the end of a path, where ``\\`` and ``/`` are equal,
    and the encodings of letters with accents; without what follows ``?`` or ``#``; then without
    regard to case; and at last without the extension of an image, since downloads change it
    (unless posts name it with several extensions). The first comparison in which it fits decides.
    It must then fit files of one image (copies are one image), otherwise the row is ambiguous:
    nothing is guessed. Folders in a name must agree with those of the file. An address on the web
    is compared by its last part; if different addresses end in the same name, they are ambiguous.

    *Repeated images.* A post that shows an image twice, or two copies of it, has two rows.

    *After edits.* Linked posts keep the clusters from before :func:`edit_clusters` or
    :func:`group_clusters`. ``link_posts(topics, linked)`` finds the clusters anew by
    ``image_id``, with their names and themes, and counts ``n_posts`` anew. Rows without an image
    keep their reason: link the posts themselves again after images have joined the clusters.

    *Weights.* ``sample_images(topics, shares=linked)`` draws images with the weight of the posts
    that show them.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import Embeddings, cluster_images, link_posts
    >>> points = Embeddings.from_arrays([[0.0], [0.1], [9.0], [9.1]], ["a", "b", "c", "d"])
    >>> topics = cluster_images(points, method="kmeans", n_clusters=2, progress=False)
    >>> posts = pd.DataFrame({"post_id": ["1", "2"], "image_id": ["a", "b,c"]})
    >>> link_posts(topics, posts)[["post_id", "image_id", "n_posts"]].values.tolist()
    [['1', 'a', 1], ['2', 'b', 1], ['2', 'c', 1]]
    """
    check_clustering(topics, "topics")
    whys = None
    if isinstance(posts, pd.DataFrame) and is_linked(posts):
        if by in (None, "image_id"):
            by, whys = "image_id", posts["unmatched"].where(posts["image_id"].isna())
        else:
            posts = posts.drop(columns="image_id")
        posts = posts.drop(columns=[name for name in _ADDED if name in posts])
    by = _check_posts(posts, by)
    ids = id_texts(posts["post_id"], "post_id")
    rows, names = _names_of(posts[by], by)
    found = linked_rows(topics, ids, rows, names, by, images=images, separator=separator, whys=whys)
    given = with_text_ids(posts).iloc[found["row"].to_numpy()].reset_index(drop=True)
    given = given.drop(columns="post_id")
    if by == "image_id":
        same = found["name"].equals(found["image_id"])
        same = same or "image_id_given" in given  # linked posts that are linked again
        given = given.drop(columns=by) if same else given.rename(columns={by: f"{by}_given"})
        by = None if same else f"{by}_given"
    if by is not None:
        given[by] = found["name"]
    ours = found.drop(columns=["row", "name"])
    given = keep_given(given, [*ours], verb("link_posts"))
    linked = pd.concat([ours, given], axis=1)
    linked.attrs = {
        "unmatched": unmatched_of(found).to_dict("records"),
        "topics": _seen(topics, linked).to_dict("records"),
    }
    return linked


def _seen(topics: Clustering, linked: pd.DataFrame) -> pd.DataFrame:
    """The topics of the clustering with their ``n_rows``: some may be in no post."""
    clusters = topics.clusters
    columns = [name for name in ("cluster", *NAMES) if name in clusters]
    n_rows = linked["cluster"].value_counts()
    return clusters[columns].assign(
        n_rows=clusters["cluster"].map(n_rows).fillna(0).astype("int64")
    )


def linked_rows(
    topics: Clustering,
    post_ids: pd.Series[Any],
    rows: Rows,
    names: pd.Series[Any],
    by: str,
    *,
    images: Any = None,
    separator: Any = None,
    whys: pd.Series[Any] | None = None,
) -> pd.DataFrame:
    """The rows of :func:`link_posts` without the columns of the posts.

    Parameters
    ----------
    topics, images, separator : see :func:`link_posts`
    post_ids : Series of str
        One per post.
    rows, names : array and Series of equal length
        The position of a post, and the text that names one or several of its images.
    by : str
        The column of the texts, for messages.
    whys : Series of str, optional
        Why posts have no image, if that is known; one per post.

    Returns
    -------
    DataFrame
        ``post_id``, ``image_id``, ``cluster``, names, ``n_posts``, ``unmatched``; and ``row``, the
        position of the post, and ``name``, a single name.
    """
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise ImagestrataError(
            f"{arg('separator')} must be the text between names, such as a comma, not "
            f"{quote(separator)}."
        )
    missing = post_ids.isna() | (post_ids.str.strip() == "")
    if missing.any():
        raise ImagestrataError(
            f"{missing.sum()} of {plural(len(post_ids), 'row')} of {arg('posts')} have no "
            f"'post_id' (the first is row {int(missing.to_numpy().argmax()) + 1}).",
            "Give each post an id.",
        )
    scan = scan_of(topics, images)
    files = Files(all_files(topics, scan), topics.images["image_id"].tolist())
    found = _matched(files, rows, names, separator)
    is_told = pd.Series(False, found.index)
    if whys is not None:
        known = id_texts(whys).iloc[found["row"]].reset_index(drop=True)
        is_told = found["name"].isna() & known.notna()
        found["unmatched"] = found["unmatched"].mask(is_told, known)
    found.insert(0, "post_id", post_ids.to_numpy()[found["row"].to_numpy()])
    shown = found.dropna(subset="image_id").groupby("image_id")["post_id"].nunique()
    found["n_posts"] = _mapped(found["image_id"], shown)
    number = topics.images.set_index("image_id")["cluster"]
    found.insert(2, "cluster", _mapped(found["image_id"], number))
    source = topics.clusters
    if "cluster_name" not in source:
        source = source.assign(cluster_name=pd.Series(None, source.index, dtype="str"))
    found = with_names(found, source)
    _report(found if is_told.all() else found[~is_told], topics, by, scan is not None)
    order = ["unmatched", "row", "name"]
    return found[[*found.columns.drop(order), *order]]


def unmatched_of(found: pd.DataFrame) -> pd.DataFrame:
    """Why rows have no image: ``reason``, ``n`` rows, ``n_posts``, ``examples``."""
    lost = found.dropna(subset="unmatched")
    groups = lost.groupby("unmatched", sort=False)
    table = pd.DataFrame(
        [
            {
                "reason": str(reason),
                "n": len(group),
                "n_posts": int(group["post_id"].nunique()),
                "examples": ", ".join(group["name"].dropna().drop_duplicates()[:_SHOWN]),
            }
            for reason, group in groups
        ],
        columns=["reason", "n", "n_posts", "examples"],
    )
    return table.sort_values(["n", "reason"], ascending=[False, True], ignore_index=True)


def _check_posts(posts: Any, by: Any) -> str:
    """Check the posts, and return the column with their images."""
    if "post_id" not in getattr(posts, "columns", ()):
        check_product("posts", posts, ("posts",))
    if not isinstance(posts, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('posts')} must be a table with the column 'post_id', not {kind_of(posts)}.",
            f"{verb('read_posts')} reads files of posts.",
        )
    listed = ", ".join(map(quote, map(str, posts))) or "(none)"
    twice = posts.columns[posts.columns.duplicated()]
    if len(twice):
        raise ImagestrataError(f"{arg('posts')} has more than one column {quote(str(twice[0]))}.")
    if "post_id" not in posts:
        raise ImagestrataError(
            f"{arg('posts')} lacks the column 'post_id'; it has {listed}.",
            "Rename the column that identifies posts.",
        )
    if posts.empty:
        raise ImagestrataError(f"{arg('posts')} has no rows.")
    if by is None:
        by = next((name for name in IMAGE_COLUMNS if name in posts), None)
        if by is None:
            raise ImagestrataError(
                f"{arg('posts')} has none of the columns {', '.join(map(quote, IMAGE_COLUMNS))}; "
                f"it has {listed}.",
                f"Name the column with the images in {arg('by')}.",
            )
    if not isinstance(by, str) or by not in posts or by == "post_id":
        raise ImagestrataError(
            f"{arg('by')} must be the column of {arg('posts')} with the images, not {quote(by)}; "
            f"the columns are {listed}."
        )
    return by


def _names_of(column: pd.Series[Any], name: str) -> tuple[Rows, pd.Series[Any]]:
    """The texts of a column, those in lists one by one, and the positions of their rows."""
    column = column.reset_index(drop=True)
    is_text = isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
    if column.dtype == object and not is_text:
        lists = column.map(lambda cell: pd.api.types.is_list_like(cell) and not _is_dict(cell))
        if lists.any():
            column = column.explode()
    texts = id_texts(column, name)
    return column.index.to_numpy(dtype=np.int64), texts.reset_index(drop=True)


def _is_dict(cell: Any) -> bool:
    return isinstance(cell, dict)


def _matched(
    files: Files, rows: Rows, names: pd.Series[Any], separator: str | None
) -> pd.DataFrame:
    """``image_id``, ``unmatched``, ``row``, ``name``: texts are divided into names."""
    texts = names.str.strip().replace("", None)
    codes, cells = pd.factorize(texts)
    if separator is None:
        # Several addresses are not one with a long path.
        several = np.array([cell.count("://") > 1 for cell in cells], dtype=bool)
        unknown = (files.match([*cells]) == NOT_FOUND) | several
        divided = [
            pieces_of(cell) if lost else [cell] for cell, lost in zip(cells, unknown, strict=True)
        ]
        divided = _worth_dividing(files, [*cells], divided)
    else:
        divided = [split(cell, separator) for cell in cells]
    divided.append([None])  # the code of missing texts is -1
    counts = np.array([len(pieces) for pieces in divided])
    row = np.repeat(rows, counts[codes])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    within = np.arange(len(row)) - np.repeat(
        np.cumsum(counts[codes]) - counts[codes], counts[codes]
    )
    flat = pd.Series([piece for pieces in divided for piece in pieces], dtype="str")
    name = flat.iloc[np.repeat(starts[codes], counts[codes]) + within].reset_index(drop=True)
    name_codes, distinct = pd.factorize(name)
    outcomes = files.match([*distinct])
    ids = [files.kept[one] or None if one >= 0 else None for one in outcomes]
    whys = [_WHYS[one] if one < 0 else files.whys[one] or None for one in outcomes]
    return pd.DataFrame(
        {
            "image_id": pd.Series([*ids, None], dtype="str").array[name_codes],
            "unmatched": pd.Series([*whys, _EMPTY], dtype="str").array[name_codes],
            "row": row,
            "name": name,
        }
    )


def _worth_dividing(
    files: Files, cells: list[str], divided: list[list[str | None]]
) -> list[list[str | None]]:
    """Divide texts only if a piece is known, or all look like names of images."""
    tried = {
        piece
        for cell, pieces in zip(cells, divided, strict=True)
        if pieces != [cell]
        for piece in pieces
        if piece is not None
    }
    names = [*tried]
    known = {name for name, one in zip(names, files.match(names), strict=True) if one != NOT_FOUND}
    return [
        pieces
        if pieces == [None]
        or any(piece in known for piece in pieces)
        or all(piece is not None and is_name(piece) for piece in pieces)
        else [cell]
        for cell, pieces in zip(cells, divided, strict=True)
    ]


def _mapped(ids: pd.Series[Any], numbers: pd.Series[Any]) -> pd.Series[Any]:
    """The number of each id; missing for missing ids."""
    rows = pd.Index(numbers.index, dtype=object).get_indexer(ids.astype(object))
    return pd.Series([*numbers, pd.NA], dtype="Int64").take(rows).set_axis(ids.index)


def _report(found: pd.DataFrame, topics: Clustering, by: str, is_whole: bool) -> None:
    """Warn about rows without an image; raise an error if no row has one."""
    lost = unmatched_of(found)
    n_lost = int(lost["n"].sum())
    reasons = "; ".join(
        f"{line['reason']}, {plural(line['n'], 'row')} of {plural(line['n_posts'], 'post')}"
        + (f" ({line['examples']})" if line["examples"] else "")
        for line in lost.to_dict("records")
    )
    hint = ""
    if not is_whole:
        hint = (
            "The clustering has no run folder with a scan, in which copies and rejected files are "
            f"looked up: give the result of {verb('scan_images')} as {arg('images')}."
        )
    if n_lost == len(found):
        known = _known(topics.images)
        raise ImagestrataError(
            f"No row of {arg('posts')} has an image of the clustering. The column {quote(by)}: "
            f"{reasons}. The images are {known}.",
            hint or f"Name the column with the images in {arg('by')}.",
        )
    if n_lost:
        n_posts = found.loc[found["unmatched"].notna(), "post_id"].nunique()
        warn(
            f"{n_lost:,} of {plural(len(found), 'row')} ({plural(n_posts, 'post')}) have no image "
            f"of the clustering: {reasons}.",
            hint,
        )


def _known(images: pd.DataFrame) -> str:
    column = "file" if "file" in images and images["file"].notna().any() else "image_id"
    shown: Iterable[Any] = images[column].dropna()[:3]
    return f"{', '.join(map(str, shown))}, ..."
