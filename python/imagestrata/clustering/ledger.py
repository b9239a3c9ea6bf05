"""The ledger of a curated clustering: who changed which clusters, in order, and its replay.

A ledger is a table. Lines with the same number in ``edit`` are one edit, and edits are applied in
the order of their lines. Replaying one changes nothing but the clusters of images and their names,
so it needs no vectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural
from ..names import Images, some
from ..tables import as_number, from_elsewhere, id_texts, read_texts
from ..validate import check_path, columns_of
from ..wording import arg, quote

#: Columns of a ledger. ``clusters`` lists the clusters that an edit changes; ``into`` is the
#: cluster that results from the line.
EDITS = {
    "edit": "int64", "action": "str", "clusters": "str", "image_id": "str", "into": "Int64",
    "name": "str", "note": "str", "editor": "str", "applied": "bool", "reason": "str",
}  # fmt: skip

ACTIONS = ("name", "merge", "split", "move", "drop", "propose")

#: Number of the residual.
RESIDUAL = -1


class NotApplicable(ImagestrataError):
    """An edit does not fit the clusters that there are."""


@dataclass
class Edit:
    """One edit.

    Attributes
    ----------
    action : str
    clusters : list of int
        The clusters that are named (or for which a name is proposed), merged, split or dropped;
        for "move" the target, or none for a new cluster.
    images : list of (str, int or None)
        Images that are split off, moved or dropped, with the label of their part (split).
    into : int or None
        Number that the result had when the edit was made: of the part with all other images
        (split) or of the new cluster (move).
    name, note, editor : str or None
    line : int or None
        Line of the file, for messages.
    number : int or None
        Number in the ledger from which it was read.
    """

    action: str
    clusters: list[int]
    images: list[tuple[str, int | None]] = field(default_factory=list)
    into: int | None = None
    name: str | None = None
    note: str | None = None
    editor: str | None = None
    line: int | None = None
    number: int | None = None

    def same(self, other: Edit) -> bool:
        """Whether two edits do the same."""
        mine, theirs = (
            (one.action, sorted(one.clusters), sorted(i for i, _ in one.images), one.name or "")
            for one in (self, other)
        )
        return mine == theirs

    def words(self) -> str:
        """The edit in a few words, for messages."""
        which = " ".join(map(str, self.clusters))
        n = plural(len(self.images), "image") if self.images else ""
        return " ".join(part for part in (self.action, which, n) if part)


class Editing:
    """Clusters of images and their names while edits are applied.

    Parameters
    ----------
    images : DataFrame
        ``image_id``, ``cluster``, and possibly ``path``.
    names : mapping of int to str
        Names of clusters.
    highest : int
        Highest number that a cluster ever had.
    overlaps : callable, optional
        Takes the number of a cluster of an earlier clustering and returns that of the cluster which
        has most of its images; None if there is none.
    earlier_first : bool, default False
        Whether numbers are those of the earlier clustering, also where a cluster here has the same.
    """

    def __init__(
        self,
        images: pd.DataFrame,
        names: Mapping[int, str],
        highest: int,
        overlaps: Callable[[int], int | None] | None = None,
        *,
        earlier_first: bool = False,
    ) -> None:
        self.ids = images["image_id"].astype(str).to_numpy(dtype=object)
        self.cluster: NDArray[np.int64] = images["cluster"].to_numpy(dtype=np.int64).copy()
        self._numbers: list[int] | None = None
        self.names = dict(names)
        self.highest = highest
        self._known = Images(images)
        self._overlaps = overlaps or (lambda number: None)
        self._earlier_first = earlier_first
        #: What became of clusters that are gone, in words.
        self._fate: dict[int, str] = {}
        #: Number here of each cluster that an edit made, by its number in the ledger.
        self._made: dict[int, int | None] = {}

    def recall(self, edits: Iterable[Edit]) -> None:
        """Remember what became of clusters in edits that were applied earlier."""
        fates = {
            "merge": "it was merged with others",
            "split": "it was split",
            "drop": "it was dropped",
        }
        for edit in edits:
            for number in {*edit.clusters} - {*self.numbers, RESIDUAL}:
                self._fate[number] = fates.get(edit.action, "no image is left in it")

    @property
    def numbers(self) -> list[int]:
        """Numbers of all clusters, without the residual."""
        if self._numbers is None:
            found = np.unique(self.cluster)
            self._numbers = [int(number) for number in found if number != RESIDUAL]
        return self._numbers

    def _put(self, rows: Any, number: int) -> None:
        self.cluster[rows] = number
        self._numbers = None

    def resolve(self, number: int) -> int:
        """The cluster here that a number of the ledger means."""
        if number in self._made:
            here = self._made[number]
        elif self._earlier_first:
            here = self._overlaps(number)
        else:
            exists = number in self.numbers
            here = number if exists or number in self._fate else self._overlaps(number)
        if here is not None and here in self.numbers and here != RESIDUAL:
            return here
        if here in self._fate:
            raise NotApplicable(f"Cluster {number} is gone: {self._fate[here]}.")
        if here is None and (number in self._made or self._earlier_first):
            raise NotApplicable(f"No cluster corresponds to cluster {number}.")
        raise NotApplicable(
            f"There is no cluster {number}.", f"The clusters are {some_numbers(self.numbers)}."
        )

    def rows(self, edit: Edit) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of the images of an edit, and their places in ``edit.images``."""
        names = [name for name, _ in edit.images]
        found = self._known.rows_of(names, "the edits") if names else np.array([], dtype=np.int64)
        place = np.flatnonzero(found >= 0)
        return found[place].astype(np.intp), place

    def apply(self, edit: Edit) -> tuple[Edit, str]:
        """Apply an edit.

        Returns
        -------
        Edit
            The edit with numbers and ids as they are here.
        str
            What of it could not be applied; empty if all was.

        Raises
        ------
        NotApplicable
            If nothing of it can be applied; nothing has changed then.
        """
        before = self.numbers
        done, reason = getattr(self, f"_{edit.action}")(edit)
        for number in {*before} - {*self.numbers}:
            self.names.pop(number, None)
            self._fate.setdefault(number, "no image is left in it")
        return done, reason

    def forget(self, edit: Edit) -> None:
        """Note that clusters which an edit would have made do not exist."""
        for label in self._labels(edit):
            self._made.setdefault(label, None)

    def _labels(self, edit: Edit) -> list[int]:
        """Numbers in the ledger of the clusters that an edit makes."""
        if edit.action == "split":
            # Without a number for the other images, those of parts only tell them apart.
            labels = [edit.into, *(label for _, label in edit.images)] if edit.into else []
        else:
            labels = [edit.into] if edit.action == "move" and not edit.clusters else []
        return sorted({label for label in labels if label is not None})

    def _name(self, edit: Edit) -> tuple[Edit, str]:
        number = self.resolve(edit.clusters[0])
        if edit.name:
            self.names[number] = edit.name
        else:
            self.names.pop(number, None)
        return Edit("name", [number], into=number, name=edit.name), ""

    def _propose(self, edit: Edit) -> tuple[Edit, str]:
        """A proposal changes nothing; :func:`proposals` reads it from the ledger."""
        number = self.resolve(edit.clusters[0])
        return Edit("propose", [number], into=number, name=edit.name), ""

    def _merge(self, edit: Edit) -> tuple[Edit, str]:
        numbers, gone, lost = self._resolved(edit.clusters)
        if len(numbers) < 2:
            if lost:
                raise NotApplicable(lost)
            raise NotApplicable(f"They are one cluster already: {numbers[0]}.")
        keep, *rest = numbers
        self._put(np.isin(self.cluster, rest), keep)
        named = [self.names[number] for number in numbers if number in self.names]
        for number in rest:
            self._fate[number] = f"it was merged into cluster {keep}"
        if edit.name or named:
            self.names[keep] = edit.name or named[0]
        return Edit("merge", [*numbers, *gone], into=keep, name=edit.name), lost

    def _split(self, edit: Edit) -> tuple[Edit, str]:
        number = self.resolve(edit.clusters[0])
        rows, place = self.rows(edit)
        inside = self.cluster[rows] == number
        lost = len(edit.images) - int(inside.sum())
        reason = (
            f"{plural(lost, 'image is', 'images are')} not in cluster {number}." if lost else ""
        )
        rows, place = rows[inside], place[inside]
        outside = np.setdiff1d(np.arange(len(edit.images)), place)
        parts: dict[int | None, NDArray[np.intp]] = {}
        for label in dict.fromkeys(edit.images[i][1] for i in place):
            of_label = [i for i, p in enumerate(place) if edit.images[p][1] == label]
            parts[label] = np.unique(rows[of_label])
        rest = np.setdiff1d(np.flatnonzero(self.cluster == number), rows)
        groups = [(label, group) for label, group in parts.items() if len(group)]
        groups += [(edit.into, rest)] if len(rest) else []
        if len(groups) < 2:
            raise NotApplicable(reason or f"All images of cluster {number} would be in one part.")
        by_label = all(label is not None for label, _ in groups)
        # A replay numbers the parts as the first time, when the largest came first.
        groups.sort(key=lambda one: (one[0] if by_label else 0, -len(one[1]), int(one[1][0])))
        self.forget(edit)
        images: list[tuple[str, int | None]] = []
        into, largest = 0, max(range(len(groups)), key=lambda i: len(groups[i][1]))
        for i, (label, group) in enumerate(groups):
            self.highest += 1
            self._put(group, self.highest)
            if label is not None and edit.into is not None:
                self._made[label] = self.highest
            if i == largest:
                into = self.highest
            else:
                images += [(str(image_id), self.highest) for image_id in self.ids[group]]
        images += [(edit.images[i][0], None) for i in outside]
        self._fate[number] = f"it was split into {self.highest - len(groups) + 1} to {self.highest}"
        return Edit("split", [number], images, into), reason

    def _move(self, edit: Edit) -> tuple[Edit, str]:
        if edit.clusters == [RESIDUAL]:
            target = RESIDUAL
        else:
            target = self.resolve(edit.clusters[0]) if edit.clusters else self.highest + 1
        rows, missing, reason = self._found(edit)
        self._put(rows, target)
        if not edit.clusters:
            self.highest = target
            self.forget(edit)
            if edit.into is not None:
                self._made[edit.into] = target
        images: list[tuple[str, int | None]] = [(str(name), target) for name in self.ids[rows]]
        images += [(name, None) for name in missing]
        done = Edit("move", [target] if edit.clusters else [], images, target, edit.name)
        if edit.name and not edit.clusters:
            self.names[target] = edit.name
        return done, reason

    def _drop(self, edit: Edit) -> tuple[Edit, str]:
        numbers, gone, lost = self._resolved(edit.clusters)
        rows = np.array([], dtype=np.intp)
        missing: list[str] = []
        reason = ""
        if edit.images:
            rows, missing, reason = self._found(edit, needed=not numbers)
        elif not numbers:
            raise NotApplicable(lost)
        self._put(rows, RESIDUAL)
        self._put(np.isin(self.cluster, numbers), RESIDUAL)
        for number in numbers:
            self._fate[number] = "it was dropped"
        images: list[tuple[str, int | None]] = [(str(name), RESIDUAL) for name in self.ids[rows]]
        images += [(name, None) for name in missing]
        done = Edit("drop", [*numbers, *gone], images, RESIDUAL)
        return done, " ".join(part for part in (lost, reason) if part)

    def _resolved(self, numbers: Iterable[int]) -> tuple[list[int], list[int], str]:
        """The clusters here that numbers mean, the numbers that mean none, and words on these."""
        found: set[int] = set()
        gone: list[int] = []
        lost: list[str] = []
        for number in numbers:
            try:
                found.add(self.resolve(number))
            except NotApplicable as error:
                gone.append(number)
                lost.append(error.message)
        return sorted(found), [number for number in gone if number not in found], " ".join(lost)

    def _found(self, edit: Edit, *, needed: bool = True) -> tuple[NDArray[np.intp], list[str], str]:
        """Rows of the images of an edit, names of those that are not here, and words on these."""
        rows, place = self.rows(edit)
        here = {*place.tolist()}
        missing = [name for i, (name, _) in enumerate(edit.images) if i not in here]
        if needed and not len(rows):
            raise NotApplicable(f"None of its images is here: {some(missing)}.")
        lost = plural(len(missing), "image is", "images are")
        return np.unique(rows), missing, f"{lost} not here: {some(missing)}." if missing else ""


def replay(
    state: Editing, edits: Iterable[Edit], first: int, *, strict: bool = False
) -> pd.DataFrame:
    """Apply edits in order, and return their ledger; edits that do not apply have a reason.

    Parameters
    ----------
    state : Editing
        Changed in place.
    edits : iterable of Edit
    first : int
        Number of the first edit in the ledger.
    strict : bool, default False
        Raise an error for an edit that does not apply, wholly or in part.
    """
    lines = []
    for number, edit in enumerate(edits, first):
        try:
            done, reason = state.apply(edit)
            applied = True
        except NotApplicable as error:
            if strict:
                said = f"{edit.words().capitalize()}: {error.message}"
                raise ImagestrataError(said, error.hint) from None
            state.forget(edit)
            done, reason, applied = edit, error.message, False
        if strict and reason:
            hint = f"The clusters are {some_numbers(state.numbers)}."
            raise ImagestrataError(f"{edit.words().capitalize()}: {reason}", hint)
        done.note, done.editor = edit.note, edit.editor
        lines += _lines(number, done, applied, reason)
    return ledger(lines)


def stages(images: pd.DataFrame, edits: pd.DataFrame) -> list[pd.Series[int]]:
    """The clusters of images before all edits, and after each that changed them; the latest first.

    Parameters
    ----------
    images : DataFrame
        Of an edited clustering, with ``cluster_found``.
    edits : DataFrame
        Its ledger, which holds the results of all edits.
    """
    now = pd.Series(images["cluster_found"].to_numpy(dtype=np.int64), id_texts(images["image_id"]))
    found = [now]
    done = edits[edits["applied"] & (edits["action"] != "name")]
    for _, lines in done.groupby("edit", sort=True):
        before, now = now, now.copy()
        for action, which, into in lines.loc[
            lines["image_id"].isna(), ["action", "clusters", "into"]
        ].itertuples(index=False):
            # "0" names no cluster.
            numbers = [int(number) for number in str(which if pd.notna(which) else 0).split()]
            now[before.isin(numbers)] = RESIDUAL if action == "drop" else int(into)
        moved = lines.dropna(subset=["image_id", "into"]).set_index("image_id")["into"]
        moved = moved[moved.index.isin(now.index)]
        now.loc[moved.index] = moved.astype("int64").to_numpy()
        if not now.equals(before):
            found.append(now)
    return [one.set_axis(images.index) for one in reversed(found)]


def _lines(number: int, edit: Edit, applied: bool, reason: str) -> list[dict[str, Any]]:
    """The lines of an edit: one per image, and one for the clusters or the remaining images."""
    line = {
        "edit": number,
        "action": edit.action,
        "clusters": " ".join(map(str, edit.clusters)) or None,
        "image_id": None,
        "into": edit.into,
        "name": edit.name or None,
        "note": edit.note,
        "editor": edit.editor,
        "applied": applied,
        "reason": reason or None,
    }
    whole = edit.action not in ("move", "drop") or (edit.action == "drop" and edit.clusters)
    first = [line] if whole else []
    if edit.action == "drop" and edit.clusters:
        line = line | {"clusters": None}
    return [*first, *(line | {"image_id": name, "into": into} for name, into in edit.images)]


def proposals(edits: pd.DataFrame) -> pd.DataFrame:
    """The proposed names of clusters that no later edit has named, merged, split or dropped.

    Returns
    -------
    DataFrame
        cluster, proposal and editor (who proposed it), by cluster.
    """
    return _proposed(edits)[0]


def n_accepted(edits: pd.DataFrame) -> int:
    """The number of names that were given as a machine had proposed them."""
    return _proposed(edits)[1]


def _proposed(edits: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Open proposals, and the number of accepted ones."""
    found: dict[int, tuple[str, Any]] = {}
    accepted = 0
    done = edits[edits["applied"] & edits["clusters"].notna()].drop_duplicates("edit")
    columns = ["action", "clusters", "name", "editor"]
    for action, clusters, name, editor in done[columns].itertuples(index=False):
        for number in map(int, clusters.split()):
            if action == "propose":
                found[number] = name, editor
            elif action != "move":
                proposed, _ = found.pop(number, (None, None))
                accepted += action == "name" and proposed is not None and name == proposed
    table = pd.DataFrame(
        [(number, *found[number]) for number in sorted(found)],
        columns=["cluster", "proposal", "editor"],
    )
    return table.astype({"cluster": "int64", "proposal": "str", "editor": "str"}), accepted


def n_edits(edits: pd.DataFrame) -> int:
    """The number of edits of a ledger; proposals change nothing and do not count."""
    return int(edits.loc[edits["action"] != "propose", "edit"].nunique())


def ledger(lines: Sequence[Mapping[Any, Any]] = ()) -> pd.DataFrame:
    """Lines as a table with fixed column types, also without rows."""
    return pd.DataFrame([*lines], columns=list(EDITS)).astype(EDITS)


def read_ledger(file: Path) -> pd.DataFrame:
    """The ledger that a clustering saved, as it was."""
    texts = read_texts(file, ours=True)
    texts = texts.astype("object").where(texts != "", None)
    into = pd.to_numeric(texts["into"])
    applied = texts["applied"].str.lower() == "true"
    return ledger(
        texts.assign(edit=texts["edit"].astype("int64"), into=into, applied=applied).to_dict(
            "records"
        )
    )


def read_edits(given: Any) -> list[Edit]:
    """The edits of a ledger: a table or a CSV file."""
    what = arg("edits")
    if isinstance(given, str | Path) or hasattr(given, "__fspath__"):
        file = check_path("edits", given)
        table = read_texts(file, ("edit", "action", "clusters", "image_id"))
        what, lines = quote(file), table.attrs["line"]
    else:
        table = from_elsewhere(given)
        if not isinstance(table, pd.DataFrame):
            raise ImagestrataError(
                f"{arg('edits')} must be a CSV file or a table with the columns edit, action, "
                f"clusters and image_id, not {columns_of(given)}.",
                "The attribute 'edits' of an edited clustering is such a table.",
            )
        lines = [*range(1, len(table) + 1)]
    missing = [name for name in ("action", "clusters") if name not in table]
    if missing:
        raise ImagestrataError(
            f"{what} lacks the column {quote(missing[0])}; it has {', '.join(map(str, table))}.",
            f"Its columns are {', '.join(list(EDITS)[:8])}; only action and clusters are needed.",
        )
    table = table.reset_index(drop=True)
    texts = pd.DataFrame(
        {
            name: id_texts(table[name], name).str.strip() if name in table else None
            for name in list(EDITS)[:8]
        }
    )
    texts = texts.astype("object").where(texts.notna() & (texts != ""), None)
    if "edit" in table:
        given_numbers = as_number(texts["edit"].astype("str"))
        key = texts["edit"].where(given_numbers.notna())
        texts["number"] = given_numbers
        key = key.fillna(pd.Series([f"line {line}" for line in lines]))
    else:
        key = pd.Series([f"line {line}" for line in lines])
    found: list[Edit] = []
    for _, group in texts.groupby(key.to_numpy(), sort=False):
        found.append(_edit(group, [lines[i] for i in group.index], what))
    return found


def _edit(group: pd.DataFrame, lines: Sequence[int], what: str) -> Edit:
    """The edit that some lines describe."""
    at = f"Line {lines[0]} of {what}"
    actions = {*group["action"]}
    if len(actions) > 1:
        raise ImagestrataError(
            f"{at} and those with the same number in 'edit' have several actions: "
            f"{', '.join(map(str, actions))}.",
            "Give each edit a number of its own.",
        )
    action = str(actions.pop() or "").lower()
    if action not in ACTIONS:
        raise ImagestrataError(
            f"{at} has the action {quote(action)}.", f"The actions are {', '.join(ACTIONS)}."
        )
    clusters = [n for text in dict.fromkeys(group["clusters"]) for n in _numbers(text, at)]
    clusters = list(dict.fromkeys(clusters))
    images: list[tuple[str, int | None]] = []
    into: int | None = None
    for image_id, text in zip(group["image_id"], group["into"], strict=True):
        numbers = _numbers(text, at)
        number = numbers[0] if numbers else None
        if image_id is None or (action == "move" and not clusters):
            into = number
        if image_id is not None:
            images.append((str(image_id), number))
    edit = Edit(action, clusters, images, into, line=lines[0])
    if "number" in group and pd.notna(group["number"].iloc[0]):
        edit.number = int(group["number"].iloc[0])
    for name in ("name", "note", "editor"):
        values = [value for value in group[name] if value is not None]
        setattr(edit, name, str(values[0]) if values else None)
    if edit.name is not None:
        edit.name = " ".join(edit.name.split())  # one line, as in `names`
    check_edit(edit, at)
    return edit


def check_edit(edit: Edit, at: str) -> None:
    """Refuse an edit that says too little or too much, whatever the clusters are."""
    n, wrong = len(edit.clusters), ""
    if edit.action in ("name", "split", "propose") and n != 1:
        wrong = f"needs one cluster, not {n}"
    elif edit.action == "propose" and not edit.name:
        wrong = "proposes no name"
    elif edit.action == "merge" and n < 2:
        wrong = f"needs at least two clusters, not {n}"
    elif edit.action == "move" and n > 1:
        wrong = f"needs one target, not {n}"
    elif edit.action in ("split", "move") and not edit.images:
        wrong = "names no image"
    elif edit.action == "drop" and not (n or edit.images):
        wrong = "names neither a cluster nor an image"
    elif edit.action in ("name", "merge", "propose") and edit.images:
        wrong = "takes whole clusters, not images"
    elif edit.action != "move" and RESIDUAL in edit.clusters:
        wrong = "takes clusters, not the residual (-1)"
    if wrong:
        raise ImagestrataError(
            f"{at}: the action {quote(edit.action)} {wrong}.",
            "Numbers of clusters are in 'clusters', separated by spaces, and names of images in "
            "'image_id', one a line.",
        )


def _numbers(text: Any, at: str) -> list[int]:
    """Whole numbers, separated by anything but digits."""
    if text is None:
        return []
    parts = [part for part in re.split(r"[\s,;+]+", str(text)) if part]
    if not all(re.fullmatch(r"-?\d+(\.0)?", part) for part in parts):
        raise ImagestrataError(
            f"{at} has {quote(text)} where numbers of clusters are expected.",
            "Write numbers of clusters separated by spaces, such as 3 7.",
        )
    return [int(float(part)) for part in parts]


def some_numbers(numbers: Sequence[int]) -> str:
    """Some numbers of clusters, for messages."""
    shown = ", ".join(map(str, numbers[:20]))
    return f"{shown}, ..." if len(numbers) > 20 else shown or "none"
