"""Further packets for missing or additional ratings, under the rules of assign_annotators()."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.named import names_in
from ..errors import ImagestrataError, plural
from ..tables import check_table
from ..validate import check_int, check_residual, check_seed
from ..verbs import public
from ..wording import arg, quote, verb
from .assign import check_packets, deal, kinds_of, next_number, packets_table

Array: TypeAlias = np.ndarray[Any, Any]


@public
def reassign(
    packets: pd.DataFrame,
    ratings: pd.DataFrame,
    n_images: int = 8,
    raters_per_group: int = 1,
    *,
    respondents: Sequence[str] | None = None,
    residual: str = "together",
    seed: int = 0,
) -> pd.DataFrame:
    """Make further packets for images that too few respondents have rated.

    Parameters
    ----------
    packets : DataFrame
        All packets so far: those of :func:`assign_annotators` and those of earlier calls
        of this function, in one table (``pandas.concat``).
    ratings : DataFrame
        One row per rating or per rated image, with the columns ``respondent_id``,
        ``group`` and ``image_id``, such as the result of :func:`read_ratings`. An image
        counts as rated by a respondent who rated any item. Rows without a ``rating``, such
        as skipped images, count as seen and not as rated. In a table without rows, no
        image is rated.
    n_images : int, default 8
        Largest number of images in a packet.
    raters_per_group : int, default 1
        Number of respondents of each group who are to rate every image in the end. A
        larger number than before makes packets for additional ratings.
    respondents : sequence of str, optional
        Ids of respondents in ``ratings`` who rate again. They get packets first, without
        images and clusters that they have seen, or that packets with their
        ``respondent_id`` contain. The other images go to new respondents. By default all
        new packets are for new respondents.
    residual : {"together", "alone"}, default "together"
        As in :func:`assign_annotators`.
    seed : int, default 0
        Seed of the assignment and of the order of images.

    Returns
    -------
    DataFrame
        The new packets, in the form of :func:`assign_annotators`, with consecutive ids. The
        column ``respondent_id`` has the respondent of each packet; it is missing for new
        respondents. Without rows if no rating is missing.

    Raises
    ------
    ImagestrataError
        If ratings are of images or groups that no packet has, a respondent is in
        two groups, or one of ``respondents`` has rated nothing.

    Notes
    -----
    Packets that respondents have not returned yet count as unanswered. Call this function
    when no further answers are expected, or leave those packets out of ``packets`` and
    reduce ``raters_per_group`` accordingly.

    Packets of new respondents are made as in :func:`assign_annotators`. There are more
    and smaller packets if a cluster lacks more ratings than there would be packets.
    Respondents who rate again get as many images as possible (a maximum flow from clusters
    to respondents who have not seen them), distributed as evenly as possible.
    """
    packets = check_packets(packets)
    n_images = check_int("n_images", n_images, minimum=1)
    raters_per_group = check_int("raters_per_group", raters_per_group, minimum=1)
    residual = check_residual(residual, "together", "alone")
    seed = check_seed(seed)
    groups = packets["group"].unique().tolist()
    columns = [
        name for name in ("image_id", "cluster", *names_in(packets), "path") if name in packets
    ]
    images = packets[columns].drop_duplicates("image_id", ignore_index=True)
    answers = _check_ratings(ratings, images, groups)
    people = _check_respondents(respondents, answers)
    seen = pd.concat([answers, _meant(packets, images)], ignore_index=True)

    kinds = kinds_of(images["cluster"], residual)
    first = next_number(packets)
    made = []
    for place, group in enumerate(groups):
        stream = np.random.default_rng([seed, place, first])
        given = answers[answers["group"] == group]
        had = np.bincount(given["image"][given["rated"]], None, len(images))
        needs = np.maximum(raters_per_group - had, 0)
        members = set(given["respondent_id"])
        known = [person for person in people if person in members]
        taken, needs = _give_back(kinds, needs, seen, known, n_images, stream)
        of_kind = np.bincount(kinds, needs).astype(int)
        n_packets = max(-(-int(needs.sum()) // n_images), int(of_kind.max(initial=0)))
        hands = [*taken.values(), *deal(kinds, needs, n_packets, stream)]
        made.append(packets_table(images, [group], [hands], first))
        owners = dict(zip(made[-1]["packet_id"].unique(), taken, strict=False))
        made[-1]["respondent_id"] = made[-1]["packet_id"].map(owners).astype("str")
        first += len(hands)
    return pd.concat(made, ignore_index=True)


def _check_ratings(ratings: Any, images: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """One row per respondent and image: the row of the image, and whether it was rated."""
    needed = ("respondent_id", "group", "image_id")
    ratings = check_table("ratings", ratings, needed, "read_ratings")
    names = [*needed]
    gaps = int(ratings[names].isna().any(axis=1).sum())
    if gaps:
        raise ImagestrataError(
            f"{gaps} of {plural(len(ratings), 'rating')} have no respondent or image."
        )
    rows = ratings[names].astype("str")
    rows["rated"] = ratings["rating"].notna() if "rating" in ratings else True
    answers: pd.DataFrame = rows.groupby(names, sort=False)["rated"].any().reset_index()
    unknown = answers[~answers["group"].isin(groups)]
    if len(unknown):
        raise ImagestrataError(
            f"{plural(len(unknown), 'image was', 'images were')} rated in groups without packets, "
            f"{quote(unknown['group'].iloc[0])} for one; the packets are for {', '.join(groups)}."
        )
    place = pd.Index(images["image_id"]).get_indexer(answers["image_id"])
    if (place < 0).any():
        raise ImagestrataError(
            f"{plural(int((place < 0).sum()), 'rating is', 'ratings are')} of images in no "
            f"packet, {quote(answers['image_id'][place < 0].iloc[0])} for one.",
            f"Give all packets, those of earlier calls of {verb('reassign')} too.",
        )
    several = answers.groupby("respondent_id")["group"].nunique() > 1
    if several.any():
        raise ImagestrataError(
            f"{plural(int(several.sum()), 'respondent is', 'respondents are')} in more than one "
            f"group, {quote(several.index[several][0])} for one."
        )
    answers["image"] = place
    return answers


def _meant(packets: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The images in packets that are for a named respondent."""
    if "respondent_id" not in packets:
        return pd.DataFrame({"respondent_id": [], "image": []}).astype({"image": int})
    named = packets[packets["respondent_id"].notna()]
    place = pd.Index(images["image_id"]).get_indexer(named["image_id"])
    return pd.DataFrame({"respondent_id": named["respondent_id"].astype("str"), "image": place})


def _check_respondents(respondents: Any, answers: pd.DataFrame) -> list[str]:
    if isinstance(respondents, str):
        raise ImagestrataError(
            f"{arg('respondents')} must be a list of ids, not {quote(respondents)}."
        )
    people = list(dict.fromkeys(map(str, respondents or [])))
    strangers = [person for person in people if person not in set(answers["respondent_id"])]
    if strangers:
        raise ImagestrataError(
            f"{len(strangers)} of {arg('respondents')} have rated nothing, {quote(strangers[0])} "
            "for one.",
            "Leave new respondents out: they get any of the packets without a respondent.",
        )
    return people


def _give_back(
    kinds: Array,
    needs: Array,
    seen: pd.DataFrame,
    people: list[str],
    n_images: int,
    stream: np.random.Generator,
) -> tuple[dict[str, Array], Array]:
    """Images for respondents who rate again, and the ratings that are still needed."""
    allowed = np.ones((kinds.max() + 1, len(people)), dtype=bool)
    place = {person: i for i, person in enumerate(people)}
    known = seen[seen["respondent_id"].isin(people)]
    allowed[kinds[known["image"]], known["respondent_id"].map(place).to_numpy(dtype=int)] = False
    of_kind = np.bincount(kinds, needs).astype(int)
    takes = _spread(of_kind, allowed, n_images)
    needs = needs.copy()
    hands: dict[str, list[int]] = {person: [] for person in people}
    for kind in stream.permutation(len(takes)):
        # Each of these respondents gets one of the missing ratings of this kind.
        open_ratings = np.repeat(np.flatnonzero(kinds == kind), needs[kinds == kind])
        takers = stream.permutation(np.flatnonzero(takes[kind]))
        chosen = stream.permutation(open_ratings)[: len(takers)]
        for taker, image in zip(takers, chosen, strict=True):
            hands[people[taker]].append(int(image))
            needs[image] -= 1
    shuffled = {person: stream.permutation(hand) for person, hand in hands.items() if hand}
    return {person: hand.astype(int) for person, hand in shuffled.items()}, needs


def _spread(of_kind: Array, allowed: Array, n_images: int) -> Array:
    """Whether a respondent (column) gets an image of a kind (row): as many and even as possible."""
    best = np.zeros(allowed.shape, dtype=bool)
    for most in range(1, n_images + 1):
        takes = _flow(of_kind, allowed, most)
        if takes.sum() == best.sum():
            break
        best = takes
    return best


def _flow(of_kind: Array, allowed: Array, most: int) -> Array:
    """Maximum flow: source, kinds (ratings needed), respondents (``most`` each), sink."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    n_kinds, n_people = allowed.shape
    end = 1 + n_kinds + n_people
    kind, person = np.nonzero(allowed)
    start = np.concatenate([np.zeros(n_kinds), 1 + kind, 1 + n_kinds + np.arange(n_people)])
    stop = np.concatenate([1 + np.arange(n_kinds), 1 + n_kinds + person, np.full(n_people, end)])
    room = np.concatenate([of_kind, np.ones(len(kind)), np.full(n_people, most)])
    network = csr_matrix(
        (room.astype(np.int32), (start.astype(int), stop.astype(int))), shape=(end + 1, end + 1)
    )
    flow = maximum_flow(network, 0, end).flow[1 : 1 + n_kinds, 1 + n_kinds : end]
    taken: Array = flow.toarray() > 0
    return taken
