"""Propose images that people should not see."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ..clustering.clustering import Clustering, check_clustering
from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural, warn
from ..names import NOT_SCREENED, counted_labels
from ..page import write_page
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import check_table
from ..text.tag_table import BELOW, NOTHING
from ..text.words import NO_TEXT
from ..validate import check_bool, check_float, check_idle, check_int, did_you_mean
from ..verbs import public
from ..wording import arg, quote, verb
from .export import check_file

COLUMNS = ("image_id", "path", "label", "confidence", "reason")

#: Reasons of images that were looked at.
_SEEN = (BELOW, NOTHING, NO_TEXT)

#: Labels that say that a code applies.
_YES = ("1", "1.0", "true", "yes")

#: The most clusters that a message names.
_MOST_NAMED = 4


@public
def propose_exclusions(
    tags: pd.DataFrame,
    labels: Sequence[str] | Mapping[str, float] | str | None = None,
    *,
    words: Sequence[str] | str | None = None,
    at_least: float = 0.5,
    clustering: Clustering | None = None,
    out: str | os.PathLike[str] | None = None,
    thumbnail: int = 240,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Propose images that people should not see, from labels of a machine or text in images.

    Nothing is excluded by this call. Look at the proposals, and give the table, or the list that
    the page downloads, as ``exclude`` to verbs such as :func:`export_packets`.

    Parameters
    ----------
    tags : DataFrame
        Labels of images: the result of :func:`tag_images` (a classifier, CLIP, moderation labels of
        Rekognition, or answers of a vision language model) or :func:`predict_labels`; or, with
        ``words``, texts: the result of :func:`read_text` or :func:`describe_images`. Also your own
        table with ``image_id`` and ``label`` or ``text``.
    labels : str, sequence of str, or mapping of str to float, optional
        The labels of images that should not be shown; upper and lower case do not differ. For
        answers with a ``code``, the name of a code that was answered by yes, or an answer. A
        mapping has the lowest confidence of each label.
    words : str or sequence of str, optional
        Words or phrases instead of labels: images whose text contains one are proposed. Whole words
        are compared, and upper and lower case do not differ.
    at_least : float, default 0.5
        The lowest confidence or probability of a label. With a lower value fewer harmful images are
        missed and more harmless ones proposed. Labels without a confidence always count.
    clustering : Clustering, optional
        Then the message says how many images of which clusters would go, and images that are not in
        ``tags`` are proposed as not screened.
    out : path, optional
        HTML file to write. The page shows the proposed images blurred; you tick those to keep, and
        download the others as a CSV file for ``exclude``. It contains small copies of the images:
        do not hand it out.
    thumbnail : int, default 240
        Longer side of the copies on the page, in pixels.
    overwrite : bool, default False
        Replace a page of that name.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per image, those with the highest confidence first: ``image_id``, ``path``
        (missing if it is not known), ``label`` (the label with the highest confidence, or the
        first word), ``confidence`` (missing if there is none) and ``reason`` (all labels or words).
        Images that could not be screened come last: they have no ``label``, and ``reason`` says
        why. Remove these rows if people may see images that no machine has seen.

    Raises
    ------
    ImagestrataError
        If neither or both of ``labels`` and ``words`` are given, the table lacks a column, or the
        page exists.

    Warns
    -----
    UserWarning
        Always: the number of images by label and, with ``clustering``, by cluster. Also if no image
        has one of the labels, which may be misspelt.

    Notes
    -----
    Machines miss harmful images, and propose harmless ones more often for some groups of people
    than for others. A content warning, training and the right to skip remain necessary.

    Estimates from a sample without the excluded images are about the other images only: report
    how many of which clusters were excluded, and why.

    Examples
    --------
    Look at images with a moderation label before annotators see any::

        tags = tag_images(images, Rekognition("moderation"), consent=True, out="run")
        proposed = propose_exclusions(tags, ["Violence", "Explicit Nudity"], out="screen.html")
        export_packets(packets, "packets", exclude="exclude.csv")
    """
    if (labels is None) == (words is None):
        raise ImagestrataError(
            f"Give either {arg('labels')} or {arg('words')}.",
            f"For instance {arg('labels', ['Violence'])} for the tags of images, or "
            f"{arg('words', ['kill'])} for texts in images.",
        )
    least = check_float("at_least", at_least, minimum=0, maximum=1)
    if clustering is not None:
        check_clustering(clustering)
    side = check_int("thumbnail", thumbnail, minimum=40, maximum=1000)
    replace = check_bool("overwrite", overwrite)
    if out is None:
        check_idle(f"without {arg('out')}", thumbnail=(side, 240))
    page = None if out is None else check_file(out, ".html", replace)
    if words is None:
        tags = check_table("tags", tags, ("image_id", "label"), "tag_images")
        found = _by_label(tags, _check_labels(labels, least))
    else:
        check_idle(f"with {arg('words')}: texts have no confidence", at_least=(least, 0.5))
        tags = check_table("tags", tags, ("image_id",), "read_text")
        found = _by_word(tags, _check_names("words", words))
    paths = _paths(tags, clustering)
    proposed = pd.concat([found.table, _unscreened(tags, found, clustering)], ignore_index=True)
    proposed.insert(1, "path", proposed["image_id"].map(paths).astype("str"))
    proposed = proposed[[*COLUMNS]]
    everything = {*paths.index, *tags["image_id"]}
    clusters = None if clustering is None else _clusters(clustering.images, proposed)
    _report(proposed, len(everything), clusters)
    if page is not None:
        data = _page(proposed, clustering, side, progress)
        write_page(page, "screening", data, title="Images proposed for exclusion")
    return proposed


class _Found(NamedTuple):
    """Images with a label or word, and the ids of all images that were screened."""

    table: pd.DataFrame
    screened: set[str]


def _by_label(tags: pd.DataFrame, labels: dict[str, float]) -> _Found:
    names = {name.casefold(): name for name in labels}
    given = tags["label"].astype("object")
    label = given.map(lambda one: one if pd.isna(one) else str(one).strip())
    score = next((name for name in ("confidence", "probability") if name in tags), None)
    confidence = (
        pd.Series(float("nan"), index=tags.index)
        if score is None
        else pd.to_numeric(tags[score], errors="coerce")
    )
    reasons = tags.get("reason", pd.Series(None, index=tags.index, dtype="object"))
    is_read = label.notna()
    if score == "probability":  # predictions name the labels of unreadable images, too
        is_read &= confidence.notna() | reasons.isna()
    named, asked = label, pd.Series(True, index=tags.index)
    if "code" in tags:
        codes = tags["code"].astype("str").str.casefold()
        applies = label.astype("str").str.casefold().isin(_YES)
        named = label.where(~codes.isin([*names]), tags["code"].where(applies))
        if {*names} <= {*codes}:  # answers to other questions do not matter
            asked = codes.isin([*names])
    known = named.map(lambda one: names.get(str(one).casefold()), na_action="ignore")
    everything = tags.get("code", label)
    _warn_of_absent(labels, known, [*label.dropna(), *everything.dropna()])
    rows = pd.DataFrame({"image_id": tags["image_id"], "label": known, "confidence": confidence})[
        is_read & known.notna()
    ]
    limit = rows["label"].map(labels).astype(float)
    rows = rows[rows["confidence"].isna() | (rows["confidence"] >= limit)]
    rows = rows.sort_values("confidence", ascending=False, kind="stable", na_position="last")
    said = [
        name if pd.isna(sure) else f"{name} ({sure:.2f})"
        for name, sure in zip(rows["label"], rows["confidence"], strict=True)
    ]
    unseen = tags.loc[asked & ~is_read & ~reasons.isin(_SEEN), "image_id"]
    screened = {*tags.loc[asked, "image_id"]} - {*unseen} | {*rows["image_id"]}
    return _Found(_one_each(rows.assign(reason=said)), screened)


def _by_word(texts: pd.DataFrame, words: list[str]) -> _Found:
    column = next((name for name in ("text", "description") if name in texts), None)
    if column is None:
        raise ImagestrataError(
            f"With {arg('words')}, {arg('tags')} must have a column 'text' or 'description', such "
            f"as {verb('read_text')} and {verb('describe_images')} return.",
        )
    text = texts[column].astype("object")
    parts = []
    for word in words:
        inside = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        has = text.map(lambda one, inside=inside: isinstance(one, str) and bool(inside.search(one)))
        ids = texts.loc[has.astype(bool), "image_id"]
        parts.append(
            pd.DataFrame({"image_id": ids, "label": word, "confidence": float("nan")}).assign(
                reason=f"the text contains {word}"
            )
        )
    reasons = texts.get("reason", pd.Series(None, index=texts.index, dtype="object"))
    seen = text.notna() | reasons.isin(_SEEN)
    return _Found(_one_each(pd.concat(parts)), {*texts.loc[seen, "image_id"]})


def _one_each(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per image, with all its reasons."""
    rows = rows.drop_duplicates(["image_id", "label"])
    groups = rows.groupby("image_id", sort=False)
    table = groups.first().assign(reason=groups["reason"].agg("; ".join)).reset_index()
    return table.astype({"image_id": "str", "label": "str", "confidence": float, "reason": "str"})


def _unscreened(tags: pd.DataFrame, found: _Found, clustering: Clustering | None) -> pd.DataFrame:
    """Images that the machine could not read or never saw."""
    rest = tags[~tags["image_id"].isin(found.screened)]
    if "label" in tags:  # the row of the missing answer, of several
        rest = rest.sort_values("label", na_position="first", key=lambda one: one.notna())
    rest = rest.drop_duplicates("image_id").sort_index()
    given = rest.get("reason", pd.Series(None, index=rest.index, dtype="object"))
    reasons = dict(zip(rest["image_id"], given.astype("object").fillna("no answer"), strict=True))
    if clustering is not None:
        known = {*tags["image_id"]}
        ids = clustering.images["image_id"].astype(str)
        reasons |= dict.fromkeys([one for one in ids if one not in known], "not in the table")
    return pd.DataFrame(
        {
            "image_id": pd.Series([*reasons], dtype="str"),
            "label": pd.Series([None] * len(reasons), dtype="str"),
            "confidence": pd.Series(float("nan"), index=range(len(reasons)), dtype=float),
            "reason": pd.Series(
                [f"{NOT_SCREENED}: {one}" for one in reasons.values()], dtype="str"
            ),
        }
    )


def _paths(tags: pd.DataFrame, clustering: Clustering | None) -> pd.Series[Any]:
    """The path of each image, by its id; missing if it is not known."""
    tables = [tags] if clustering is None else [tags, clustering.images]
    known = [
        pd.Series(
            (one["path"] if "path" in one else pd.Series(None, index=one.index)).to_numpy(),
            index=one["image_id"].astype(str),
            dtype="object",
        )
        for one in tables
    ]
    paths: pd.Series[Any] = pd.concat(known).groupby(level=0, sort=False).first()
    return paths


def _clusters(images: pd.DataFrame, proposed: pd.DataFrame) -> pd.DataFrame:
    """How many images of each cluster would be excluded, the largest shares first."""
    gone = images["image_id"].astype(str).isin(proposed["image_id"])
    table = (
        pd.DataFrame({"cluster": images["cluster"], "n_excluded": gone})
        .groupby("cluster")["n_excluded"]
        .agg(n_images="size", n_excluded="sum")
        .reset_index()
    )
    table["share"] = table["n_excluded"] / table["n_images"]
    return table[table["n_excluded"] > 0].sort_values(
        ["share", "cluster"], ascending=[False, True], ignore_index=True
    )


def _report(proposed: pd.DataFrame, n_images: int, clusters: pd.DataFrame | None) -> None:
    if proposed.empty:
        warn(
            f"None of {plural(n_images, 'image')} is proposed for exclusion.",
            "Machines miss harmful images: warn annotators nevertheless.",
        )
        return
    are = "is" if len(proposed) == 1 else "are"
    text = (
        f"{len(proposed):,} of {plural(n_images, 'image')} {are} proposed for exclusion: "
        f"{counted_labels(proposed)}."
    )
    if clusters is not None and len(clusters):
        named = [
            f"{gone} of {plural(size, 'image')} of "
            f"{'the residual' if cluster == -1 else f'cluster {cluster}'}"
            for cluster, size, gone in clusters[["cluster", "n_images", "n_excluded"]]
            .head(_MOST_NAMED)
            .to_numpy()
            .astype(int)
            .tolist()
        ]
        more = len(clusters) - len(named)
        rest = f", and some of {plural(more, 'further cluster')}" if more else ""
        text += f" That is {', '.join(named)}{rest}."
    warn(
        text,
        f"Nothing is excluded yet: look at the images, then give this table as {arg('exclude')}. "
        "Estimates are then about the other images only.",
    )


def _warn_of_absent(labels: Iterable[str], known: pd.Series[Any], seen: Sequence[Any]) -> None:
    absent = [name for name in labels if name not in {*known.dropna()}]
    if absent:
        others = sorted({str(one) for one in seen})
        guess = did_you_mean(absent[0], others)
        warn(
            f"No image has the label {', '.join(map(quote, absent))}.",
            guess
            or f"The table has {', '.join(map(quote, others[:8])) or 'no label'}"
            f"{', ...' if len(others) > 8 else ''}.",
        )


def _check_labels(labels: Any, least: float) -> dict[str, float]:
    if isinstance(labels, Mapping):
        return {
            name: check_float(f"labels[{name}]", one, minimum=0, maximum=1)
            for name, one in zip(_check_names("labels", [*labels]), labels.values(), strict=True)
        }
    return dict.fromkeys(_check_names("labels", labels), least)


def _check_names(name: str, given: Any) -> list[str]:
    listed = [given] if isinstance(given, str) else given
    listed = list(listed) if isinstance(listed, Iterable) else []
    if not listed or not all(isinstance(one, str) and one.strip() for one in listed):
        raise ImagestrataError(
            f"{arg(name)} must be a list of texts, not {quote(given)}.",
            f"For instance {arg(name, ['Violence'] if name == 'labels' else ['kill'])}.",
        )
    return list(dict.fromkeys(one.strip() for one in listed))


def _page(
    proposed: pd.DataFrame, clustering: Clustering | None, side: int, progress: Progress
) -> dict[str, Any]:
    """The data of the page."""
    known = proposed.dropna(subset="path")
    pictures, lost = embedded_pictures(known, side, progress)
    clusters = {}
    if clustering is not None:
        images = clustering.images
        clusters = dict(zip(images["image_id"].astype(str), images["cluster"], strict=True))
    rows = [
        {
            "id": row["image_id"],
            "path": row["path"] if isinstance(row["path"], str) else None,
            "label": row["label"] if isinstance(row["label"], str) else None,
            "confidence": None if pd.isna(row["confidence"]) else round(row["confidence"], 4),
            "reason": row["reason"],
            "cluster": None if row["image_id"] not in clusters else int(clusters[row["image_id"]]),
            "picture": pictures.get(row["image_id"]),
            "missing": lost.get(row["image_id"], "path not known"),
        }
        for row in proposed.to_dict("records")
    ]
    return {
        "images": rows,
        "unscreened": NOT_SCREENED,
        "key": fingerprint([(row["id"], row["reason"]) for row in rows]),
    }
