"""Check that each verb receives the results of the right earlier verb.

:data:`PRODUCTS` lists the results of all verbs, and :func:`public` checks every call against it. If
a verb receives the result of too early a step, its error names the steps between.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from .errors import ImagestrataError
from .switches import as_shipped
from .tables import from_elsewhere
from .wording import arg, quote, read_sheet, verb

P = ParamSpec("P")
T = TypeVar("T")


class Product(NamedTuple):
    """The result of a verb: a table with certain columns, or an object of a class."""

    called: str
    maker: str
    #: The product that the maker takes; None for files and folders.
    of: str | None
    columns: frozenset[str] = frozenset()
    type_name: str = ""


def _table(called: str, maker: str, of: str | None, *columns: str) -> Product:
    return Product(called, maker, of, frozenset(columns))


def _object(called: str, maker: str, of: str | None, type_name: str) -> Product:
    return Product(called, maker, of, type_name=type_name)


#: Results by name. Tables are recognised in this order, since some have the columns of others.
PRODUCTS = {
    "embeddings": _object("embeddings", "embed_images", None, "Embeddings"),
    "clustering": _object("a clustering", "cluster_images", "embeddings", "Clustering"),
    "model": _object("a fine-tuned model", "fine_tune", None, "FineTunedModel"),
    "tuning": _object("a tuning", "tune_clusters", "judgements", "Tuning"),
    "stability": _object("a test of stability", "cluster_stability", "clustering", "Stability"),
    "comparison": _object("a comparison", "compare_clusterings", "clustering", "Comparison"),
    "test": _object("results of a test of clusters", "read_test", None, "ClusterTest"),
    "tag comparison": _object("a comparison of tags", "compare_tags", "tags", "TagComparison"),
    "topic model": _object("a model of topics", "topic_model", "linked posts", "TopicModel"),
    "rating model": _object("a model of ratings", "rating_model", "ratings", "RatingModel"),
    "linked posts": _table(
        "linked posts", "link_posts", "posts", "post_id", "image_id", "cluster", "unmatched"
    ),
    "posts": _table("posts", "read_posts", None, "post_id", "author", "time", "text", "media"),
    "ratings": _table("ratings", "read_ratings", None, "respondent_id", "item", "rating"),
    "judgements": _table(
        "judged pairs", "read_pairs", "pairs", "pair_id", "image_a", "image_b", "judgement"
    ),
    "pairs": _table("pairs", "sample_pairs", "embeddings", "pair_id", "image_a", "image_b"),
    "packets": _table("packets", "assign_annotators", "sample", "packet_id", "position"),
    "sample": _table("a sample", "sample_images", "clustering", "image_id", "N_h", "n_h"),
    "clusters of images": _table(
        "the images of a clustering",
        "cluster_images",
        "embeddings",
        *("image_id", "cluster", "silhouette", "distance"),
    ),
    "keywords": _table("keywords", "cluster_keywords", "clustering", "cluster", "rank", "term"),
    "points": _table("a map", "map_images", "embeddings", "image_id", "x", "y", "method"),
    "labels": _table("labels", "read_labels", None, "image_id", "code", "label"),
    "frames": _table(
        "frames of videos", "extract_frames", None, "path", "video_id", "video", "time", "scene"
    ),
    "tags": _table("tags", "tag_images", None, "image_id", "rank", "label", "confidence"),
    "exclusions": _table(
        "proposed exclusions",
        "propose_exclusions",
        "tags",
        *("image_id", "path", "label", "confidence", "reason"),
    ),
}

#: The products that an argument of a name takes, in every verb.
TAKES = {
    "answers": ("judgements", "labels"),
    "clustering": ("clustering", "clusters of images"),
    "embeddings": ("embeddings",),
    "judged": ("judgements", "pairs"),
    "keywords": ("keywords",),
    "linked": ("linked posts",),
    "meeting": ("judgements", "labels"),
    "packets": ("packets",),
    "pairs": ("pairs", "judgements"),
    "points": ("points",),
    "ratings": ("ratings", "packets"),  # packets with a column of answers
    "sample": ("sample", "clusters of images"),  # a gallery marks any images
    "tuned": ("tuning",),
}

#: Names of arguments in other packages, and our names for them.
_ELSEWHERE = {
    "random_state": "seed",
    "random_seed": "seed",
    "verbose": "progress",
    "quiet": "progress",
    "n_jobs": "engine",
    "force": "overwrite",
    "output": "out",
    "outdir": "out",
    "out_dir": "out",
    "path": "out",
    "folder": "out",
    "confidence_level": "conf_level",
    "alpha": "conf_level",
}
#: Arguments for the file or folder to write.
_WRITTEN = ("out", "path", "folder")
_SHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
#: Arguments that nearly every verb takes.
COMMON = ("seed", "progress", "out", "overwrite", "engine")


def public(function: Callable[P, T]) -> Callable[P, T]:
    """Check the arguments of a verb before it runs.

    Tables and arrays of other libraries are converted to those of pandas and NumPy.

    Raises
    ------
    ImagestrataError
        If an argument is unknown, or is the result of another step.
    """
    parameters = inspect.signature(function).parameters
    known = [name for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD]
    open_to_more = len(known) < len(parameters)
    order, own_name = list(parameters), function.__name__

    @functools.wraps(function)
    def call(*args: P.args, **arguments: P.kwargs) -> T:
        if not open_to_more:
            for name in arguments:
                if name not in parameters:
                    raise ImagestrataError(
                        f"{verb(own_name)} has no argument {quote(name)}.",
                        suggest(name, known) or f"Its arguments are {', '.join(known)}.",
                        code="unknown_argument",
                    )
        args, arguments = from_elsewhere(args), from_elsewhere(arguments)
        for name, given in (*zip(order, args, strict=False), *arguments.items()):
            check_product(name, given)
            if name not in _WRITTEN:
                for one in given if isinstance(given, list | tuple) else [given]:
                    refuse_sheet(one)
        with as_shipped():
            return function(*args, **arguments)

    return call


def check_product(name: str, given: Any, wanted: Sequence[str] | None = None) -> None:
    """Refuse the result of a step other than the one that this argument takes."""
    wanted = wanted or TAKES.get(name)
    found = None if wanted is None or given is None else recognise(given)
    if wanted is None or found is None or found in wanted:
        return
    columns = {*getattr(given, "columns", ())}
    if "linked posts" in wanted and "post_id" in columns and {"image_id", "cluster"} & columns:
        return  # linked posts, to which other columns were joined
    product, seen = PRODUCTS[wanted[0]], PRODUCTS[found]
    missing = makers_between(found, wanted[0])
    if missing:
        then = ", then ".join(verb(maker) for maker in missing)
        hint = f"Call {then}, and give what {'it' if len(missing) == 1 else 'the last'} returns."
    else:
        hint = f"Give what {verb(product.maker)} returned."
    raise ImagestrataError(
        f"{arg(name)} must be what {verb(product.maker)} returns, not {seen.called}, which "
        f"{verb(seen.maker)} returns.",
        hint,
        code="wrong_step",
    )


def refuse_sheet(path: Any) -> None:
    """Refuse the file of a spreadsheet program, since tables are read from CSV."""
    if isinstance(path, str | os.PathLike) and Path(path).suffix.lower() in _SHEETS:
        raise ImagestrataError(
            f"{quote(path)} is a file of a spreadsheet program; tables are read from CSV.",
            f"Save it as CSV with the encoding UTF-8{read_sheet(path)}.",
            code="spreadsheet",
        )


def recognise(given: Any) -> str | None:
    """Name of the product that a value is; None if no verb returns such a value."""
    of_class = {one.type_name: name for name, one in PRODUCTS.items() if one.type_name}
    if type(given).__name__ in of_class and type(given).__module__.startswith("imagestrata"):
        return of_class[type(given).__name__]
    columns = {str(name) for name in getattr(given, "columns", ())}
    for name, product in PRODUCTS.items():
        if product.columns and product.columns <= columns:
            return name
    return None


def makers_between(given: str, wanted: str) -> list[str]:
    """The verbs that lead from one product to another; empty if there are none."""
    same = {"clusters of images": "clustering"}
    makers: list[str] = []
    step: str | None = wanted
    while step is not None and step != same.get(given, given):
        makers.insert(0, PRODUCTS[step].maker)
        step = PRODUCTS[step].of
    return makers if step is not None else []


def suggest(name: str, known: Sequence[str]) -> str:
    """Suggest the most similar argument, as a question; empty if no name is similar."""
    meant = _ELSEWHERE.get(name)
    near = [meant] if meant in known else get_close_matches(name, known, 1)
    return f"Did you mean {arg(str(near[0]))}?" if near else ""
