"""Curate clusters: name, merge, split, move and drop, with a ledger of all edits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import open_engine
from ..errors import ImagestrataError, plural, warn
from ..provenance import Step, check_base, fingerprint, read_run, remove_drawn
from ..rows import Rows, as_rows
from ..validate import check_bool, check_int, check_path, check_seed, check_text
from ..verbs import public
from ..wording import arg, foreign, kind_of, quote, verb
from . import themes
from .base import centroids, inner_silhouettes, memberships, second_numbers
from .clustering import (
    Clustering,
    check_clustering,
    clusters_fingerprint,
    vectors_of,
)
from .curated import store, with_edits
from .join import FIRST, counted
from .ledger import (
    ACTIONS,
    RESIDUAL,
    Edit,
    Editing,
    check_edit,
    n_accepted,
    n_edits,
    proposals,
    read_edits,
    read_ledger,
    replay,
)
from .renumber import overlap_table

if TYPE_CHECKING:
    pass

#: Key of ``move`` for a new cluster.
NEW = "new"

#: Share of the images of an earlier cluster that a cluster must have to correspond to it.
_MOST = 0.5

#: Edits that a warning lists.
_SHOWN = 5


@public
def edit_clusters(
    clustering: Clustering,
    embeddings: Any = None,
    *,
    names: Mapping[int, str] | None = None,
    accept: bool | Sequence[int] = False,
    merge: Any = None,
    split: Mapping[int, Any] | None = None,
    move: Mapping[Any, Any] | None = None,
    drop: Any = None,
    edits: Any = None,
    note: str | None = None,
    editor: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Clustering:
    """Name, merge, split and drop clusters, and move images, with a record of every edit.

    Parameters
    ----------
    clustering : Clustering
        It does not change: the edited clustering is returned.
    embeddings : Embeddings, or vectors, optional
        The vectors of its images. By default those from which it was made, if it still knows them:
        a clustering that :func:`cluster_images` returned does, and one that was read from a run
        folder finds them there. Names need no vectors.
    names : dict of int to str, optional
        Names of clusters by number; an empty text removes a name.
    accept : bool or list of int, default False
        Give clusters the names that :func:`propose_names` proposed: all, or those of some numbers.
    merge : list of list of int, dict of str to list of int, optional
        Groups of clusters, each of which becomes one with the smallest number among them. A single
        group is a list of numbers. The keys of a dictionary are the names of the merged clusters;
        otherwise the name is that of the smallest number that has one.
    split : dict of int to int or list of str, optional
        By the number of a cluster, into how many parts k-means splits it, or images that become a
        cluster of their own, apart from its other images. Lists of several parts are possible. All
        parts get new numbers after the highest one, the largest part first: the number of the split
        cluster is not used again.
    move : dict of int to list of str, optional
        Images (image_id, path or file) by the cluster to which they move. -1 is the residual, and
        "new" a new cluster.
    drop : list of int or str, optional
        Clusters (numbers) and images (texts) that move to the residual (-1).
    edits : path, DataFrame or Clustering, optional
        A ledger whose edits are applied first: a CSV file, a table such as ``Clustering.edits``, or
        the edited clustering itself, see Notes.
    note : str, optional
        A note on the edits of this call, for the ledger. Notes in ``edits`` stay.
    editor : str, optional
        The person who makes them, for the ledger. Editors in ``edits`` stay.
    seed : int, default 0
        Seed of the k-means of ``split``.
    out : path, optional
        Run folder with the clustering. The edits are stored there, the ledger as ``edits.csv``, and
        :meth:`Clustering.load` then returns the edited clusters. Further edits need no
        ``overwrite``. The clusters that were found stay in the folder.
    overwrite : bool, default False
        Replace the edits in ``out`` by others, such as fewer ones. The earlier ledger moves to
        ``replaced/``.

    Returns
    -------
    Clustering
        Its ``edits`` is the ledger, ``cluster_name`` in ``images`` and ``clusters`` has the names
        (missing for clusters without one), and ``cluster_found`` in ``images`` the number before
        all edits. Sizes, shares, centroids, distances and silhouettes are those of the
        edited clusters.

    Notes
    -----
    *Order.* A call applies its arguments in the order of the signature, but ``edits`` first: the
    ledger, then names, accepted names, merge, split, move and drop. Every number means the cluster
    that has it at that moment. A number never means two clusters: new ones follow the highest
    number ever given.

    *Statistics.* If an edit moves images between clusters, the silhouettes of all images are
    computed anew from the vectors, scaled as for the clustering, against all other clusters, as
    :meth:`Clustering.from_labels` does. Silhouettes of the iterative method are measured in each
    iteration against the images that remained, and after the neighbourhood step in its space: they
    are therefore not comparable with those of the edited clusters. Names alone change no number.
    Images that joined later have no silhouette and no part in centroids, as before, unless
    a cluster contains no other images.

    *Themes.* If the clusters were grouped (:func:`group_clusters`), the themes follow: if images
    move, each cluster is in the theme of most of the images that had one, and a warning lists the
    clusters whose images had several themes or none. The tree over the clusters is removed.

    *Ledger.* One row per edit, or per image of an edit: edit (number, in order), action (name,
    merge, split, move, drop; propose for a proposed name, which changes nothing), clusters
    (numbers, separated by spaces; the target of "move"), image_id, into (the cluster that results
    from the row), name, note, editor, applied, reason. It can be stored as a CSV file, and given
    as ``edits``. Splits are stored by their images, so that a replay depends neither on vectors nor
    on k-means. In a table of your own, action and clusters are enough; rows with the same number
    in ``edit`` are one edit.

    *Replay and undo.* ``edit_clusters(found, edits=ledger)`` on the same clustering makes the same
    clusters. To undo, give fewer rows: ``edits=ledger[ledger["edit"] <= 3]`` to the clustering
    before all edits. If a clustering was edited by the first edits of the ledger, only the others
    are applied.

    *Replay on new clusters.* After ``cluster_images(recluster=True)``, a number that no cluster has
    any longer means the cluster that has at least half of its images, by ``Clustering.renumbered``.
    For any other clustering of the same images, give the edited clustering as ``edits``: each
    number then means the cluster with at least half of the images of the cluster that had it.
    Images are known by their ids. Edits that no longer apply stay in the ledger with
    ``applied = False`` and the reason.

    Raises
    ------
    ImagestrataError
        If an argument names a cluster or an image that does not exist (the ledger may: see Warns),
        if vectors are needed and unknown, or the ledger cannot be read.

    Warns
    -----
    UserWarning
        If edits of ``edits`` do not apply, wholly or in part; or if two clusters have the same
        name.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import Clustering, edit_clusters
    >>> vectors = np.repeat(np.eye(3), 2, axis=0)
    >>> found = Clustering.from_labels(vectors, [1, 1, 2, 2, 3, 3])
    >>> topics = edit_clusters(found, names={3: "Dogs"}, merge={"Cats": [1, 2]})
    >>> topics.clusters[["cluster", "cluster_name", "size"]].values.tolist()
    [[1, 'Cats', 4], [3, 'Dogs', 2]]
    >>> topics.edits[["edit", "action", "clusters", "name"]].values.tolist()
    [[1, 'name', '3', 'Dogs'], [2, 'merge', '1 2', 'Cats']]
    """
    clustering = check_clustering(clustering)
    seed = check_seed(seed)
    overwrite = check_bool("overwrite", overwrite)
    if out is not None:
        check_run(clustering, check_path("out", out))
    note, editor = check_text("note", note), check_text("editor", editor)
    state = _state(clustering, edits)
    own = clustering.edits
    first = int(own["edit"].max()) + 1 if len(own) else 1
    tables = [own]
    if edits is not None:
        found = _further(read_edits(_ledger_of(edits)), own, state)
        for edit in found:
            edit.note, edit.editor = edit.note or note, edit.editor or editor
        tables.append(replay(state, found, first))
        _report(tables[-1])
        first += len(found)
    vectors = _Vectors(clustering, embeddings)
    asked = 0
    for make in (
        _names(names), _accepted(accept, tables), _merges(merge),
        _splits(split, state, vectors, seed), _moves(move), _drops(drop),
    ):  # fmt: skip
        for edit in make:
            asked += 1
            edit.note, edit.editor = note, editor
            _refuse_unknown(edit, state)
            tables.append(replay(state, [edit], first, strict=True))
            first += 1
    if edits is None and not asked:
        raise ImagestrataError(
            "No edit is given.",
            f"Give at least one of {arg('names')}, {arg('accept')}, {arg('merge')}, "
            f"{arg('split')}, {arg('move')}, {arg('drop')} and {arg('edits')}.",
        )
    _warn_of_same_names(state)
    made = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    result = edited(clustering, state, made, vectors)
    grouped = clustering if out is None else themes.with_themes(clustering, check_path("out", out))
    result = themes.followed(grouped, result)
    result = result if out is None else _stored(result, out, overwrite)
    themes.report(grouped, result)
    return result


def check_run(clustering: Clustering, folder: Path) -> None:
    """Refuse a run folder of other clusters for edits of these."""
    check_base(folder, "cluster", clusters_fingerprint(_as_found(clustering)), "edit")


def _as_found(clustering: Clustering) -> pd.DataFrame:
    """Images with the numbers of their clusters before all edits."""
    images = clustering.images
    column = "cluster_found" if "cluster_found" in images else "cluster"
    return images[["image_id"]].assign(cluster=images[column])


def _stored(clustering: Clustering, out: str | os.PathLike[str], overwrite: bool) -> Clustering:
    """The edited clustering, written to the run folder of the clusters that were found."""
    made_from = clusters_fingerprint(_as_found(clustering))
    edits = read_edits(clustering.edits)

    def goes_on(run: Path) -> bool:
        """Whether the run contains the first of these edits, or the same ones of fewer images."""
        held = read_edits(read_ledger(run / "edits.csv"))
        return len(held) <= len(edits) and all(map(Edit.same, held, edits))

    folder = check_path("out", out)
    own = "edit" in read_run(folder)["steps"] and (folder / "edits.csv").exists()
    if own and not overwrite and not goes_on(folder):
        raise ImagestrataError(
            f"{quote(folder)} contains other edits than the given ones: their ledger is "
            f"{quote(folder / 'edits.csv')}.",
            f"Read the edited clusters with {verb('Clustering.load', folder)} to go on from them, "
            f"or replace the edits with {arg('overwrite', True)}.",
        )
    step = Step(
        folder,
        "edit",
        {"edits": fingerprint(clustering.edits.astype(str).to_numpy().tolist())},
        inputs=made_from,
        made_from={"cluster": made_from},
        overwrite=overwrite,
        grows=goes_on,
        other_settings=True,
    )
    assert step.folder is not None

    def write(made: Clustering, run: Path) -> dict[str, int]:
        store(made, run)
        remove_drawn(run, "edit")
        done = made.edits[made.edits["applied"]].drop_duplicates("edit")["action"]
        return {
            "n_edits": n_edits(made.edits),
            **{f"n_{action}": int((done == action).sum()) for action in ACTIONS},
            "n_accepted": n_accepted(made.edits),
            "n_not_applied": made.edits["edit"][~made.edits["applied"]].nunique(),
            "n_clusters": len(made.clusters),
            "n_residual": int((made.images["cluster"] == RESIDUAL).sum()),
        }

    def read(run: Path) -> Clustering | None:
        """The edits in the folder are read only to check that their tables are whole."""
        with_edits(clustering, run)
        return clustering

    made = step.result(
        read, lambda: clustering, write, identity=lambda made: clusters_fingerprint(made.images)
    )
    return themes.with_themes(made, step.folder)


def edited(
    clustering: Clustering, state: Editing, edits: pd.DataFrame, vectors: _Vectors
) -> Clustering:
    """The clustering with the clusters and names of ``state``, and statistics computed anew."""
    images = clustering.images.copy()
    before = images["cluster"].to_numpy(dtype=np.int64)
    if "cluster_found" not in images:
        images["cluster_found"] = before
    numbers = np.array(state.numbers, dtype=np.int64)
    moved = before != state.cluster
    images["cluster"] = state.cluster
    clusters = clustering.clusters
    centers = clustering.centroids
    if moved.any():
        changed = np.union1d(before[moved], state.cluster[moved])
        iterations = _iterations(images, before, numbers)
        images["iteration"] = iterations.reindex(state.cluster, fill_value=0).to_numpy()
        rows = vectors.rows()
        labels = np.searchsorted(numbers, state.cluster)
        labels[state.cluster == RESIDUAL] = -1
        added = (
            images["added"].to_numpy(dtype=bool)
            if "added" in images
            else np.zeros(len(images), bool)
        )
        centers = _centers(rows, labels, added, numbers, changed, clustering)
        again = np.isin(state.cluster, changed)
        found = memberships(rows, centers, labels)
        # The distances of the other images do not change, not even by rounding.
        images["distance"] = np.where(again, found.distances, images["distance"])
        images["second_cluster"] = second_numbers(found.second, numbers)
        images["margin"] = found.margins
        inner = np.where(added, -1, labels)
        measure = clustering.settings.get("silhouette") or "auto"
        with open_engine() as engine:
            images["silhouette"] = inner_silhouettes(rows, inner, measure, engine)
        known = images[images["cluster"] != RESIDUAL].groupby("cluster")
        clusters = pd.DataFrame(
            {
                "cluster": numbers,
                "size": 0,
                "share": 0.0,
                "silhouette": known["silhouette"].mean().reindex(numbers).to_numpy(),
                "iteration": iterations.reindex(numbers).to_numpy(),
            }
        )
        clusters = counted(clusters, images if "added" in images else images.assign(**FIRST))
    named = pd.Series(state.names, dtype="object")
    clusters = clusters.drop(columns="cluster_name", errors="ignore")
    clusters.insert(1, "cluster_name", _names_of(named, clusters["cluster"]))
    images = images.drop(columns="cluster_name", errors="ignore")
    images.insert(
        [*images].index("cluster") + 1, "cluster_name", _names_of(named, images["cluster"])
    )
    highest = max(state.highest, int(clustering.settings.get("highest_number", 0)))
    return replace(
        clustering,
        images=images,
        clusters=clusters.reset_index(drop=True),
        centroids=centers,
        edits=edits,
        settings=clustering.settings | {"highest_number": highest},
    )


class _Vectors:
    """The vectors of the images of a clustering, in their order, looked up when first needed."""

    def __init__(self, clustering: Clustering, given: Any) -> None:
        self._clustering = clustering
        self._given = given
        self._rows: Rows | None = None
        if given is not None:
            self.rows()

    def rows(self) -> Rows:
        """Rows, scaled as for the clustering."""
        if self._rows is None:
            self._rows = self._find()
        return self._rows

    def _find(self) -> Rows:
        clustering = self._clustering
        embeddings, order = vectors_of(clustering, self._given, "which edits other than names need")
        rows = as_rows(embeddings.matrix, clustering.settings.get("normalize"))
        same = len(order) == len(rows) and bool((order == np.arange(len(order))).all())
        return rows if same else rows.select(order)


def _state(clustering: Clustering, edits: Any) -> Editing:
    """The clusters before the edits of a call."""
    images, clusters = clustering.images, clustering.clusters
    names = {}
    if "cluster_name" in clusters:
        known = clusters.dropna(subset=["cluster_name"])
        names = dict(
            zip(known["cluster"].astype(int), known["cluster_name"].astype(str), strict=True)
        )
    overlaps, other = None, False
    if isinstance(edits, Clustering):
        earlier = edits.images
        column = "cluster_found" if "cluster_found" in earlier else "cluster"
        before = earlier[["image_id"]].assign(cluster=earlier[column])
        overlaps = _most(overlap_table(before, images[["image_id", "cluster"]]))
        other = "cluster_found" not in images
    elif len(clustering.renumbered):
        overlaps = _most(clustering.renumbered)
    state = Editing(
        images,
        names,
        highest_number(clustering),
        None if overlaps is None else overlaps.get,
        earlier_first=other,
    )
    if len(clustering.edits):
        state.recall(read_edits(clustering.edits))
    return state


def highest_number(clustering: Clustering) -> int:
    """The highest number that a cluster ever had."""
    known = clustering.clusters["cluster"].tolist()
    return max(int(number) for number in [clustering.settings.get("highest_number", 0), *known])


def _most(table: pd.DataFrame) -> dict[int, int]:
    """The cluster that has most images of each earlier one, and at least half of them."""
    inside = table[(table["cluster_before"] > 0) & (table["cluster"] > 0)]
    inside = inside[inside["share_before"] >= _MOST].sort_values(
        ["cluster_before", "n_shared", "jaccard"], ascending=[True, False, False]
    )
    best = inside.drop_duplicates("cluster_before")
    return dict(zip(best["cluster_before"].astype(int), best["cluster"].astype(int), strict=True))


def _ledger_of(edits: Any) -> Any:
    if not isinstance(edits, Clustering):
        return edits
    if edits.edits.empty:
        raise ImagestrataError(f"The clustering given as {arg('edits')} was not edited.")
    return edits.edits


def _further(given: list[Edit], own: pd.DataFrame, state: Editing) -> list[Edit]:
    """The edits of a ledger without those that the clustering has already."""
    if own.empty:
        return given
    done = read_edits(own)
    for edit in given:
        rows, place = state.rows(edit)
        for row, i in zip(rows, place, strict=True):
            edit.images[i] = (str(state.ids[row]), edit.images[i][1])
    # Pages number the edits after those that they show, and hand out these only.
    first = given[0].number if given else None
    start = first - 1 if first and 1 <= first <= len(done) + 1 else 0
    common = _n_common(given, done[start:])
    if start + common == len(done):
        return given[common:]
    # The same file again, of edits that were made to a clustering with edits.
    if len(given) < len(done) and all(map(Edit.same, done[len(done) - len(given) :], given)):
        return []
    if common or start:
        n_more = len(done) - start - common
        if common == len(given):
            said = f"has the {plural(common, 'edit')} of {arg('edits')} already, and {n_more} more."
        else:
            others = plural(n_more, "other edit")
            said = f"has {others} than {arg('edits')} from number {start + common + 1} on."
        before = "the clustering before these edits" if start else "the clustering before all edits"
        raise ImagestrataError(
            f"The clustering {said}",
            f"To undo these, give {arg('edits')} to {before}; in a run folder, "
            f"{foreign('imagestrata edit RUN edits.csv --overwrite')} does that.",
        )
    return given


def _n_common(some: list[Edit], others: list[Edit]) -> int:
    """The number of edits at the beginning of both lists that are the same."""
    pairs = zip(some, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].same(pair[1]), pairs))


def _report(table: pd.DataFrame) -> None:
    """Warn of the edits that do not apply, wholly or in part."""
    lines = table[table["reason"].notna()].drop_duplicates("edit")
    if lines.empty:
        return
    said = [
        f"edit {number} ({action}{'' if pd.isna(which) else f' {which}'}"
        f"{'' if applied else ', not applied'}): {reason}"
        for number, action, which, applied, reason in lines.head(_SHOWN)[
            ["edit", "action", "clusters", "applied", "reason"]
        ].itertuples(index=False)
    ]
    more = f" ({len(lines) - _SHOWN} more.)" if len(lines) > _SHOWN else ""
    verb_form = "does" if len(lines) == 1 else "do"
    warn(
        f"{plural(len(lines), 'edit')} of {table['edit'].nunique()} {verb_form} not apply, or only "
        f"in part: {' '.join(said)}{more} See 'applied' and 'reason' in the ledger."
    )


def _warn_of_same_names(state: Editing) -> None:
    names = pd.Series(state.names, dtype="object")
    twice = names[names.duplicated(keep=False)]
    if len(twice):
        which = " and ".join(map(str, twice.index[twice == twice.iloc[0]]))
        warn(
            f"Clusters {which} have the same name, {quote(twice.iloc[0])}. "
            f"{arg('merge')} makes them one cluster."
        )


def _refuse_unknown(edit: Edit, state: Editing) -> None:
    """An error for images that do not exist, and for edits without sense."""
    check_edit(edit, edit.action.capitalize())
    _, place = state.rows(edit)
    missing = [name for i, (name, _) in enumerate(edit.images) if i not in {*place.tolist()}]
    if missing:
        raise ImagestrataError(
            f"{arg(edit.action)} names {plural(len(missing), 'image')} that the clustering does "
            f"not have: {', '.join(map(quote, missing[:3]))}.",
            "Images are named by image_id, path or the name of the file.",
        )


def _number(name: str, value: Any) -> int:
    """A number of a cluster, which may be text as keys of other languages are."""
    text = str(value).strip()
    if isinstance(value, str) and text.lstrip("-").isdigit():
        return int(text)
    return check_int(name, value)


def _mapping(name: str, given: Any, example: str) -> Mapping[Any, Any]:
    if given is None:
        return {}
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if not isinstance(given, Mapping):
        raise ImagestrataError(
            f"{arg(name)} must be a dictionary such as {example}, not {kind_of(given)}."
        )
    return given


def _names(given: Any) -> Iterable[Edit]:
    for key, text in _mapping("names", given, "{7: 'Protest'}").items():
        if text is not None and not isinstance(text, str):
            raise ImagestrataError(
                f"{arg('names')} must give each cluster a text, not {quote(text)} "
                f"({kind_of(text)})."
            )
        text = " ".join((text or "").split())
        yield Edit("name", [_number("names", key)], name=text or None)


def _accepted(given: Any, tables: Sequence[pd.DataFrame]) -> Iterable[Edit]:
    """Names that were proposed in the ledger so far, as edits."""
    if given is False or given is None:
        return
    known = proposals(pd.concat([*tables])).set_index("cluster")["proposal"]
    if given is True:
        if known.empty:
            raise ImagestrataError(
                "No name is proposed for any cluster.",
                f"Call {verb('propose_names')} first, or give {arg('names')}.",
            )
        numbers = known.index.tolist()
    else:
        numbers = [_number("accept", one) for one in dict.fromkeys(_list("accept", given))]
    for number in numbers:
        if number not in known:
            which = ", ".join(map(str, known.index)) or "none"
            raise ImagestrataError(
                f"No name is proposed for cluster {number}.",
                f"The clusters with a proposed name are: {which}.",
            )
        yield Edit("name", [number], name=str(known[number]))


def _merges(given: Any) -> Iterable[Edit]:
    if given is None:
        return
    groups: list[tuple[str | None, Any]]
    if isinstance(given, Mapping):
        groups = [(" ".join(str(key).split()) or None, group) for key, group in given.items()]
    elif all(np.ndim(one) == 0 for one in _list("merge", given)):
        groups = [(None, given)]
    else:
        groups = [(None, group) for group in given]
    for name, group in groups:
        numbers = [_number("merge", number) for number in _list("merge", group)]
        yield Edit("merge", list(dict.fromkeys(numbers)), name=name)


def _splits(given: Any, state: Editing, vectors: _Vectors, seed: int) -> Iterable[Edit]:
    for key, parts in _mapping("split", given, "{7: 2}").items():
        number = _number("split", key)
        if np.ndim(parts) == 0 and not isinstance(parts, str):
            n = check_int("split", parts, minimum=2)
            yield Edit("split", [number], _parts_of(state, number, n, vectors, seed))
            continue
        listed = [parts] if isinstance(parts, str) else [*parts]
        several = listed and all(np.ndim(one) == 1 for one in listed)
        groups = listed if several else [listed]
        images: list[tuple[str, int | None]] = [
            (str(one), i) for i, group in enumerate(groups, 1) for one in group
        ]
        yield Edit("split", [number], images)


def _parts_of(
    state: Editing, number: int, n: int, vectors: _Vectors, seed: int
) -> list[tuple[str, int | None]]:
    """The images of the parts of a cluster that k-means finds, without those of the largest."""
    from .single import SingleKMeans

    number = state.resolve(number)
    members = np.flatnonzero(state.cluster == number)
    if len(members) < n:
        raise ImagestrataError(
            f"Cluster {number} has {plural(len(members), 'image')}, too few for {n} parts.",
            f"Use a smaller number in {arg('split')}.",
        )
    estimator = SingleKMeans(n_clusters=n, random_state=seed)
    labels = estimator.fit(np.asarray(vectors.rows().select(members))).labels_
    if labels.max() + 1 < n:
        raise ImagestrataError(
            f"Cluster {number} has only {plural(int(labels.max()) + 1, 'distinct vector')}, too "
            f"few for {n} parts.",
            f"Use a smaller number in {arg('split')}, or name the images of the parts.",
        )
    away = labels > 0
    return [
        (str(image_id), int(label))
        for image_id, label in zip(state.ids[members[away]], labels[away], strict=True)
    ]


def _moves(given: Any) -> Iterable[Edit]:
    for key, images in _mapping("move", given, "{7: ['a.jpg', 'b.jpg']}").items():
        target = [] if key == NEW else [_number("move", key)]
        yield Edit("move", target, _images("move", images))


def _drops(given: Any) -> Iterable[Edit]:
    if given is None:
        return
    listed = _list("drop", given)
    numbers = [one for one in listed if not isinstance(one, str)]
    images = [one for one in listed if isinstance(one, str)]
    if numbers:
        yield Edit("drop", list(dict.fromkeys(check_int("drop", one) for one in numbers)))
    if images:
        yield Edit("drop", [], _images("drop", images))


def _list(name: str, given: Any) -> list[Any]:
    if isinstance(given, Mapping) or not (np.ndim(given) <= 1 or isinstance(given, list | tuple)):
        raise ImagestrataError(f"{arg(name)} must be a list, not {kind_of(given)}.")
    return [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)


def _images(name: str, given: Any) -> list[tuple[str, int | None]]:
    if isinstance(given, pd.DataFrame):
        if "image_id" not in given:
            raise ImagestrataError(f"The table of images in {arg(name)} has no column 'image_id'.")
        given = given["image_id"]
    listed = _list(name, given if isinstance(given, str) else [*given])
    wrong = [one for one in listed if not isinstance(one, str | os.PathLike)]
    if wrong:
        raise ImagestrataError(
            f"{arg(name)} must name images by texts (image_id, path or file), not "
            f"{quote(wrong[0])}."
        )
    return [(str(one), None) for one in dict.fromkeys(listed)]


def _iterations(
    images: pd.DataFrame, before: NDArray[np.int64], numbers: NDArray[np.int64]
) -> pd.Series[Any]:
    """The iteration of each cluster: its own, or the first of its images if it is new."""
    inside = images["iteration"].where(before != RESIDUAL)
    own = inside.groupby(before).first()
    first = inside.groupby(images["cluster"]).min()
    found = own.reindex(numbers)
    return found.fillna(first.reindex(numbers)).fillna(1).astype("int64")


def _centers(
    rows: Rows,
    labels: NDArray[np.intp],
    added: NDArray[np.bool_],
    numbers: NDArray[np.int64],
    changed: NDArray[np.int64],
    clustering: Clustering,
) -> NDArray[np.float32]:
    """Centroids of all clusters: the earlier ones where no image came or went."""
    old = clustering.clusters["cluster"].to_numpy(dtype=np.int64)
    centers = np.zeros((len(numbers), clustering.centroids.shape[1]), dtype=np.float32)
    again = np.flatnonzero(np.isin(numbers, changed))
    kept = np.setdiff1d(np.arange(len(numbers)), again)
    centers[kept] = clustering.centroids[pd.Index(old).get_indexer(numbers[kept])]
    # Images that joined later are no part of a centroid, unless there are no others.
    only_added = np.setdiff1d(labels[labels >= 0], labels[(labels >= 0) & ~added])
    counts = (labels >= 0) & (~added | np.isin(labels, only_added)) & np.isin(labels, again)
    chosen = np.flatnonzero(counts)
    codes = np.searchsorted(again, labels[chosen])
    if len(again):
        centers[again] = centroids(rows.select(chosen), codes, len(again))
    return centers


def _names_of(names: pd.Series[Any], clusters: pd.Series[Any]) -> Any:
    """The name of each cluster, missing where there is none."""
    found = clusters.map(names) if len(names) else pd.Series([None] * len(clusters))
    return found.astype("object").astype("str").array
