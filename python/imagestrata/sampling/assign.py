"""Assign sampled images to annotators, so that nobody sees two images of one cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.named import names_in
from ..corpus.located import located
from ..errors import ImagestrataError, plural
from ..files import damaged
from ..provenance import Step, fingerprint
from ..tables import check_table, read_typed
from ..validate import check_int, check_residual, check_seed
from ..verbs import check_product, public
from ..wording import arg, quote, verb
from .sample import from_sample

Array: TypeAlias = np.ndarray[Any, Any]

_COLUMNS = ["packet_id", "group", "position", "image_id", "cluster"]
_PLACE = _COLUMNS.index("cluster")


@public
def assign_annotators(
    sample: pd.DataFrame,
    groups: Sequence[str] = ("Democrat", "Republican"),
    n_images: int = 8,
    raters_per_group: int = 1,
    *,
    residual: str = "together",
    seed: int = 0,
    keep: pd.DataFrame | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Make packets of images, one for each respondent.

    Parameters
    ----------
    sample : DataFrame
        The result of :func:`sample_images`: one row per image, with the columns
        ``image_id`` and ``cluster``.
    groups : sequence of str, default ("Democrat", "Republican")
        Groups of respondents. Each group rates every image.
    n_images : int, default 8
        Number of images in a packet, as in the paper. Some packets have one image
        less if the numbers do not divide evenly.
    raters_per_group : int, default 1
        Number of respondents of each group who rate an image. The paper has one, but its
        720 respondents with eight images each are more than its 1,087 images need.
    residual : {"together", "alone"}, default "together"
        Treatment of images without a cluster (-1). ``"together"``: they count as one
        cluster, so that a packet has at most one of them. ``"alone"``: each counts as a
        cluster of its own, since they need not resemble each other.
    seed : int, default 0
        Seed of the assignment and of the order of images. Each group has its own random
        stream.
    keep : DataFrame, optional
        All packets so far, if the sample was topped up since. They stay, and further packets are
        made for the images that are in none of them. If clusters were edited since, all packets
        get the clusters of the sample.
    out : path, optional
        Run folder in which ``packets.csv`` is written. If it contains packets with the same
        settings, and the sample was topped up since, those packets are kept.
    overwrite : bool, default False
        Replace packets in that folder that have other settings.

    Returns
    -------
    DataFrame
        One row per packet and image, by packet: ``packet_id``, ``group``,
        ``position`` (1, 2, ... in the packet), ``image_id``, ``cluster``, and its names
        and ``path`` where the sample has them. With ``keep``, further packets follow the earlier
        ones, with consecutive ids: export those alone.

    Raises
    ------
    ImagestrataError
        If a cluster needs more ratings than there are packets, so that no assignment is
        possible. The message names the cluster and settings that work. (With ``keep``, there
        are more and smaller packets instead.) Or if ``keep`` has images of other clusters.

    Notes
    -----
    In each group there are T = (number of images) x ``raters_per_group`` ratings
    to assign, and P = T / ``n_images`` packets, rounded up. Ratings are put in a
    sequence, ratings of one cluster next to each other, clusters and the ratings
    within them in random order. Then they are assigned in turn: the first to packet 1,
    the second to packet 2, and again from packet 1 after packet P. It follows that

    - every image is in exactly ``raters_per_group`` packets of the group, if no
      packet contains it twice;
    - packets differ in size by at most one;
    - no packet contains two images of one cluster, or an image twice, as long as a
      cluster has at most P ratings: of P consecutive ratings no two are assigned to the
      same packet.

    If a cluster has more than P ratings, two of them are in one packet under any
    assignment, so that an error is raised only if no assignment exists. Finally the
    images of each packet and the packets are shuffled.

    :func:`costs` counts the respondents and ratings, and :func:`reassign` makes packets
    for missing ratings.
    """
    n_images = check_int("n_images", n_images, minimum=1)
    raters_per_group = check_int("raters_per_group", raters_per_group, minimum=1)
    residual = check_residual(residual, "together", "alone")
    seed = check_seed(seed)
    groups = _check_groups(groups)
    images = _check_sample(sample)
    if keep is not None:
        keep = _check_kept(keep, images, groups)

    settings = {
        "groups": groups,
        "n_images": n_images,
        "raters_per_group": raters_per_group,
        "residual": residual,
        "seed": seed,
    }
    kept = [] if keep is None else [packets_fingerprint(keep)]
    inputs = fingerprint([images["image_id"].tolist(), images["cluster"].tolist(), *kept])
    step = Step(
        out,
        "assign",
        settings,
        inputs=inputs,
        made_from={"sample": from_sample(out, images)},
        overwrite=overwrite,
        grows=lambda run: _holds_part(run, images, groups, keep),
        other_settings=keep is not None,
    )

    def make() -> pd.DataFrame:
        before = keep
        if step.folder is not None and step.grows:
            stored = _check_kept(read_packets(step.folder), images, groups)
            before = stored if keep is None or len(stored) > len(keep) else keep
        return dealt_to(images) if before is None else _added(before)

    def _added(before: pd.DataFrame) -> pd.DataFrame:
        """The packets so far, and those of images that are in none of them."""
        new = images[~images["image_id"].isin(before["image_id"])].reset_index(drop=True)
        if new.empty:
            return before
        made = dealt_to(new, next_number(before))
        return pd.concat([before, made], ignore_index=True)

    def dealt_to(images: pd.DataFrame, first: int = 1) -> pd.DataFrame:
        needs = np.full(len(images), raters_per_group)
        kinds = kinds_of(images["cluster"], residual)
        n_packets = -(-len(images) * raters_per_group // n_images)
        entropy = [] if first == 1 else [first]
        if first == 1:
            _check_feasible(images, kinds, raters_per_group, n_images, n_packets, residual)
        n_packets = max(n_packets, int(np.bincount(kinds, needs).max()))
        dealt = [
            deal(kinds, needs, n_packets, np.random.default_rng([seed, place, *entropy]))
            for place in range(len(groups))
        ]
        return packets_table(images, groups, dealt, first)

    def counts(packets: pd.DataFrame) -> dict[str, int]:
        n_images = packets["image_id"].nunique()
        return {"packets": packets["packet_id"].nunique(), "images": n_images}

    return step.table(make, counts, read=read_packets, identity=packets_fingerprint)


def _check_kept(given: Any, images: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Check packets of images of this sample, for these groups."""
    packets = check_packets(given)
    others = sorted({*packets["group"]} - {*groups})
    if others:
        raise ImagestrataError(
            f"{arg('keep')} has packets for the group {quote(others[0])}, which is not among "
            f"{arg('groups')}: {', '.join(groups)}.",
            f"Give the same {arg('groups')} as before.",
        )
    known = images.set_index("image_id").reindex(packets["image_id"])
    other = known["cluster"].isna().to_numpy()
    if "cluster_found" not in images:  # packets that were made before edits get the clusters of now
        given = packets["cluster"].astype(str).to_numpy()
        other = other | (known["cluster"].astype(str).to_numpy() != given)
    if other.any():
        raise ImagestrataError(
            f"{other.sum():,} of {plural(len(packets), 'row')} of {arg('keep')} are of images that "
            f"are in another cluster of the sample, or not in it, "
            f"{quote(packets['image_id'][other].iloc[0])} for one.",
            "Give the packets that were made from this sample before it was topped up.",
        )
    names = {name: known[name].array for name in ("cluster", *names_in(images))}
    names["cluster"] = known["cluster"].astype(images["cluster"].dtype).array
    order = [name for name in packets if name not in names]
    order[_PLACE:_PLACE] = [*names]
    return packets.assign(**names)[order]


def _holds_part(
    run: Path, images: pd.DataFrame, groups: list[str], keep: pd.DataFrame | None
) -> bool:
    """Whether the packets in a run folder stay if further ones are made for these images."""
    stored = read_packets(run)
    if keep is not None:
        ids = [{*table["packet_id"]} for table in (stored, keep)]
        return ids[0] <= ids[1] or ids[1] <= ids[0]
    try:
        _check_kept(stored, images, groups)
    except ImagestrataError:
        return False
    return True


def next_number(packets: pd.DataFrame) -> int:
    """The number of the next packet."""
    numbers = packets["packet_id"].astype("str").str.extract(r"(\d+)$")[0].dropna()
    return int(numbers.astype(int).max()) + 1 if len(numbers) else 1


def read_packets(folder: Path) -> pd.DataFrame:
    """Read the packets of a run folder."""
    names = ("packet_id", "group", "image_id", "path")
    try:
        texts = (*names, "cluster_name")
        stored = read_typed(folder / "packets.csv", names, texts=texts, ours=True)
        check_packets(stored)
    except ValueError as error:
        raise damaged(folder / "packets.csv", error) from None
    return located(stored, folder, "assign")


def packets_fingerprint(packets: pd.DataFrame) -> str:
    """Fingerprint of packets."""
    names = ["packet_id", "group", "position", "image_id", "cluster"]
    return fingerprint(packets[names].astype(str).to_numpy().tolist())


def check_packets(given: Any, *needed: str) -> pd.DataFrame:
    """Check packets of :func:`assign_annotators` that have the further columns ``needed``."""
    columns = (*_COLUMNS, *needed)
    packets = check_table("packets", given, columns, "assign_annotators", whole=columns)
    table = packets.astype({"group": "str"})
    twice = table.duplicated(["packet_id", "image_id"])
    if twice.any():
        first = table[twice].iloc[0]
        raise ImagestrataError(
            f"{plural(int(twice.sum()), 'image is', 'images are')} in one packet twice, "
            f"{quote(first['image_id'])} in {quote(first['packet_id'])} for one.",
            f"Give further packets new ids, as {verb('reassign')} does.",
        )
    mixed = table.groupby("packet_id")["group"].nunique() > 1
    if mixed.any():
        raise ImagestrataError(
            f"{plural(int(mixed.sum()), 'packet is', 'packets are')} for more than one group, "
            f"{quote(mixed.index[mixed][0])} for one."
        )
    return table.sort_values(["packet_id", "position"], kind="stable", ignore_index=True)


def kinds_of(clusters: pd.Series[Any], residual: str) -> Array:
    """A number for each image, equal for images that must not be in one packet."""
    kinds = pd.factorize(clusters)[0]
    if residual == "alone":
        alone = (clusters == -1).to_numpy()
        kinds[alone] = len(clusters) + np.arange(alone.sum())
    return kinds


def deal(kinds: Array, needs: Array, n_packets: int, stream: np.random.Generator) -> list[Array]:
    """Rows of the images in each packet: image i in ``needs[i]`` packets, no kind twice in one.

    See the notes of :func:`assign_annotators`. No kind may need more than ``n_packets``.
    """
    cards = np.repeat(np.arange(len(kinds)), needs)
    # Clusters are in random order, and so are the ratings of each.
    place = np.empty(kinds.max(initial=0) + 1)
    place[np.unique(kinds)] = stream.permutation(len(np.unique(kinds)))
    cards = cards[np.lexsort((stream.random(len(cards)), place[kinds[cards]]))]
    packets = [stream.permutation(cards[first::n_packets]) for first in range(n_packets)]
    return [packets[i] for i in stream.permutation(n_packets)]


def packets_table(
    images: pd.DataFrame, groups: Sequence[str], dealt: Sequence[list[Array]], first: int = 1
) -> pd.DataFrame:
    """The table of packets; their ids are numbered from ``first`` through all groups."""
    hands = [rows for hands in dealt for rows in hands]
    sizes = [len(rows) for rows in hands]
    digits = max(3, len(str(first + len(hands) - 1)))
    names = [f"p{number:0{digits}d}" for number in range(first, first + len(hands))]
    of_group = np.repeat(np.array(groups, dtype=object), [len(hands) for hands in dealt])
    rows = np.concatenate([*hands, np.empty(0, int)]).astype(int)
    known = ("image_id", "cluster", *names_in(images), "path", "file")
    columns = [name for name in known if name in images]
    table = images[columns].iloc[rows].reset_index(drop=True)
    table["packet_id"] = pd.Series(np.repeat(names, sizes), dtype="str")
    table["group"] = pd.Series(np.repeat(of_group, sizes), dtype="str")
    table["position"] = table.groupby("packet_id").cumcount() + 1
    return table[_COLUMNS + [name for name in columns if name not in _COLUMNS]]


def _check_groups(groups: Any) -> list[str]:
    names = [groups] if isinstance(groups, str) else list(groups)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ImagestrataError(
            f"{arg('groups')} must be names of groups of respondents, not {quote(groups)}.",
            f"For example {arg('groups', ['Democrat', 'Republican'])}.",
        )
    if len(set(names)) < len(names):
        raise ImagestrataError(f"{arg('groups')} names a group twice: {', '.join(names)}.")
    return names


def _check_sample(given: Any) -> pd.DataFrame:
    check_product("sample", given, ("sample",))
    columns = ("image_id", "cluster")
    sample = check_table("sample", given, columns, "sample_images", whole=columns)
    twice = int(sample["image_id"].duplicated().sum())
    if twice:
        raise ImagestrataError(
            f"{plural(twice, 'image id occurs', 'image ids occur')} more than once in the sample.",
            f"Keep one row per image; {arg('raters_per_group')} gives an image several ratings.",
        )
    return sample.reset_index(drop=True)


def _check_feasible(
    images: pd.DataFrame,
    kinds: Array,
    raters: int,
    n_images: int,
    n_packets: int,
    residual: str,
) -> None:
    sizes = np.bincount(kinds)
    kind = int(sizes.argmax())
    needed = int(sizes[kind]) * raters
    if needed <= n_packets:
        return
    cluster = images["cluster"][kinds == kind].iloc[0]
    total = len(images) * raters
    # The most images per packet that still make enough packets: total / n > needed - 1.
    fits = (total - 1) // (needed - 1)
    is_residual = cluster == -1
    others = "" if not is_residual or residual == "alone" else f", or {arg('residual', 'alone')}"
    raise ImagestrataError(
        f"{'The residual' if is_residual else f'Cluster {cluster}'} has {sizes[kind]} sampled "
        f"images for {raters} rater{'s' if raters > 1 else ''} of each group, so it needs "
        f"{needed} packets that hold one of them each; {plural(len(images), 'image')} x {raters} "
        f"/ {n_images} per packet make only {n_packets}.",
        f"Use {arg('n_images', fits)} or less, or sample fewer images of that cluster{others}.",
    )
