"""Tests of clusters with annotators: export of sets of images, and reading of answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..clustering.clustering import (
    Clustering,
    check_clustering,
    check_same_run,
    select_clusters,
)
from ..clustering.named import names_in, with_names
from ..errors import ImagestrataError, plural, warn
from ..names import Exclude, excluded
from ..progress import Progress
from ..provenance import fingerprint
from ..shown import Part, Shown
from ..validate import check_choice, check_idle, check_int, check_seed
from ..verbs import public
from ..wording import arg, verb
from . import intruders, matching
from .agreement import agreement
from .answers import Asked, answered, check_known, once, read_tables
from .export import export
from .form import Form, Pictures
from .key import read_key, warn_of_edits

_ASKED = Asked("set_id", "set", said="answer")
#: By kind: default number of sets per cluster, default, smallest and largest number of images in
#: a set, and a number that is part of the seed.
_KINDS = {"matching": (5, 3, 1, 6, 11), "intruders": (3, 6, 3, 9, 13)}
#: The column of a key that identifies its kind.
_TOLD_BY = {"matching": "description", "intruders": "intruder"}


@dataclass(frozen=True, eq=False, repr=False)
class ClusterTest(Shown):
    """Results of a matching or an intruder test of clusters.

    Attributes
    ----------
    kind : {"matching", "intruders"}
    clusters : DataFrame
        One row per cluster: cluster (and cluster_name, if clusters have names) and n_sets
        (answered). For a matching test description,
        precision (share of the sets labelled with this description that are from the
        cluster) and recall (share of the sets of the cluster that are labelled with its
        description); precision is missing if a description was never chosen, recall if no
        set of the cluster was answered. For an intruder test share_found (mean over sets),
        conf_low and conf_high (95%).
    sets : DataFrame
        One row per answered set: set_id, cluster, n_annotators. For a matching test also
        label (the cluster whose description most annotators chose) and majority (whether one
        description was chosen most often; if several tie, the label is the choice of the
        first annotator, as in the paper). For an intruder test intruder (image_id),
        intruder_cluster, n_images and share_found (share of its annotators).
    agreement : DataFrame
        The table of :func:`agreement`, with n_sets; without rows for one annotator.
    answers : DataFrame
        One row per answer: set_id, annotator, cluster, answer (a cluster or an image_id) and,
        for an intruder test, found.
    summary : DataFrame
        The test in one row: n_sets, n_annotators, kappa (Cohen's, mean over pairs of
        annotators). For a matching test share_majority, accuracy with conf_low and conf_high
        (95%), chance (expected accuracy of guessing), precision and recall (means over
        clusters). For an intruder test share_found with conf_low and conf_high (95%), chance
        (expected share found by guessing, mean over the answered sets) and p_value
        (probability of as many or more correct answers by guessing).
    confusion : DataFrame or None
        Numbers of sets in a matching test: cluster, label, n; one row per combination.
    """

    kind: str
    clusters: pd.DataFrame
    sets: pd.DataFrame
    agreement: pd.DataFrame
    answers: pd.DataFrame
    summary: pd.DataFrame
    confusion: pd.DataFrame | None = None

    def _parts(self) -> list[Part]:
        first = f"Matching test of {plural(len(self.clusters), 'description')}"
        table = self.clusters
        if self.kind == "intruders":
            first = f"Intruder test of {plural(len(table), 'cluster')}, the least coherent first"
            table = table.sort_values("share_found")
        return [first, (self.summary, "test"), (table, "cluster")]


@public
def export_test(
    clustering: Clustering,
    out: str | os.PathLike[str],
    *,
    kind: str = "matching",
    descriptions: pd.DataFrame | Mapping[int, str] | None = None,
    clusters: int | Sequence[int] | None = None,
    n_sets: int | None = None,
    n_images: int | None = None,
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 400,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Write a page on which annotators test clusters.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path
        The HTML file to write. It contains the images, opens in any browser without a
        network, stores answers in the browser until they are removed, saves them as CSV,
        and sends no data.
    kind : {"matching", "intruders"}, default "matching"
        "matching": annotators match sets of images with descriptions of clusters, which
        tests whether the descriptions fit (Leveraging VLLMs for Visual Clustering).
        "intruders": annotators find the image that does not belong. Each set consists of
        images of one cluster and one image of another, randomly drawn cluster. If annotators
        find it, the cluster is coherent to them: the word intrusion test of topic models
        (Chang et al. 2009), with images.
    descriptions : DataFrame or mapping
        For "matching": a table with the columns ``cluster`` and ``description`` (names that you
        gave), one row per cluster to be tested, or a mapping from numbers of clusters to texts,
        or the result of :func:`cluster_keywords`: all terms of a cluster describe it.
    clusters : int or sequence of int, optional
        For "intruders": clusters to test; by default all that have enough images.
    n_sets : int, optional
        Number of sets drawn from each cluster: by default 5 for "matching" (as in the paper), 3 for
        "intruders".
    n_images : int, optional
        Number of images in a set: by default 3 for "matching" (as in the paper; more than
        one, so that a single image in the wrong cluster matters less), 6 for "intruders"
        (five and the intruder, as in Chang et al.).
    question : str, optional
        Question to annotators.
    warning : str, optional
        Text shown before the first image.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file; others take their
        places. A file has one entry per line, or is a CSV table with such a column.
    thumbnail : int, default 400
        Longer side of the embedded copies, in pixels.
    seed : int, default 0
        Seed of the sets and of all orders.
    overwrite : bool, default False
        Replace a file of that name, and its key.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        The key, for :func:`read_test`, one row per image of a set: set_id,
        place (from 1), cluster, image_id, path; for a matching test description, for an
        intruder test image_cluster and intruder (whether the image is the intruder). It is
        also written beside the page, as ``...-key.csv``: do not send it to annotators.

    Raises
    ------
    ImagestrataError
        If a cluster does not exist, a description is missing or given
        twice, fewer than two clusters are large enough, or the file exists.

    Warns
    -----
    UserWarning
        If clusters are too small for a set, or images cannot be shown.
    """
    clustering = check_clustering(clustering)
    kind = check_choice("kind", kind, _KINDS)
    is_matching = kind == "matching"
    usual_sets, usual_images, fewest, most, stream = _KINDS[kind]
    n_sets = usual_sets if n_sets is None else check_int("n_sets", n_sets, minimum=1)
    n_images = (
        usual_images
        if n_images is None
        else check_int("n_images", n_images, minimum=fewest, maximum=most)
    )
    rng = np.random.default_rng([check_seed(seed), stream])
    described: dict[int, str] = {}
    if is_matching:
        check_idle(
            f"with {arg('kind', kind)}: {arg('descriptions')} says which clusters are tested",
            clusters=(clusters, None),
        )
        described = matching.check_descriptions(descriptions, clustering)
        chosen = list(described)
    else:
        if descriptions is not None:
            raise ImagestrataError(
                f"{arg('descriptions')} has no effect with {arg('kind', kind)}.", "Leave it out."
            )
        chosen = select_clusters(clustering, clusters)
        if -1 in chosen:
            raise ImagestrataError(
                "The residual, -1, is not a cluster and cannot be tested.", "Leave it out."
            )
    check_same_run(clustering.images, out, "test of clusters")

    hidden = excluded(clustering.images, exclude, "the clustering")
    seen = clustering.images.loc[
        (clustering.images["cluster"] > 0) & ~clustering.images["image_id"].isin(hidden),
        ["cluster", "image_id", "path"],
    ].rename(columns={"cluster": "image_cluster"})
    by_cluster = {int(str(cluster)): images for cluster, images in seen.groupby("image_cluster")}
    own = n_images if is_matching else n_images - 1
    tested = _large_enough(by_cluster, chosen, own)
    images = {cluster: by_cluster[cluster] for cluster in tested}
    members = partial(_members, n_sets=n_sets, n_images=own, rng=rng)
    if is_matching:
        drawn = list(matching.draw(images, described, members))
        options = [(int(cluster), described[cluster]) for cluster in rng.permutation(tested)]
    else:
        drawn, options = list(intruders.draw(images, by_cluster, members, rng)), []
    key = with_names(_name_sets(drawn, rng), clustering.clusters)
    of_set = key.drop_duplicates("set_id").set_index("set_id")["cluster"]

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        number = {image_id: i for i, image_id in enumerate(pictures.addresses)}
        sets = tasks.groupby("set_id", sort=False)["image_id"]
        left = {*of_set[tasks["set_id"]]}
        kept = [option for option in options if option[0] in left]
        return {
            "kind": kind,
            "key": fingerprint([tasks["set_id"].unique().tolist(), kept]),
            "sets": [[name, [number[one] for one in members]] for name, members in sets],
            "images": list(pictures.addresses),
            "pictures": list(pictures.addresses.values()),
            "options": kept,
        }

    of = matching if is_matching else intruders
    form = Form(
        kind="sets",
        title=of.TITLE,
        question=of.QUESTION if question is None else question,
        warning=warning,
        tasks=key[["set_id", "image_id"]],
        unit=_ASKED.unit,
        id=_ASKED.id,
        images=key[["image_id", "path"]].drop_duplicates("image_id", ignore_index=True),
        shown={"image": "image_id"},
        fields={_ASKED.answer: [text for _, text in options]},
        page=page,
        key=key,
    )
    form = export(
        form, out, thumbnail=thumbnail, usual=400, overwrite=overwrite, progress=progress
    )[1]
    return form.key


@public
def read_test(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    key: pd.DataFrame | str | os.PathLike[str],
    *,
    seed: int = 0,
    sep: str | None = None,
    encoding: str | None = None,
) -> ClusterTest:
    """Read the answers to a test of clusters.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        CSV files that annotators saved from the page, with the columns ``set_id``,
        ``annotator`` and ``judgement`` (the number of a cluster, or the id of an image); a
        folder of these; or such a table.
    key : DataFrame or path
        The result of :func:`export_test`, or the file ``...-key.csv`` beside the page.
    seed : int, default 0
        Seed of the bootstrap of the agreement.
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    ClusterTest
        Precision and recall of clusters in a matching test, or the shares of intruders found
        in an intruder test, compared with guessing.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, names unknown sets, clusters or images, or an annotator
        contradicts herself.

    Warns
    -----
    UserWarning
        If some sets have no answer, or if ``key`` is a file in a run folder whose clusters have
        changed since: the result is about the clusters that annotators saw.

    Notes
    -----
    **Matching.** A description that was never chosen counts as precision 0, and a cluster
    with no answered set, whose description was chosen, as recall 0 (as in scikit-learn
    with ``zero_division=0``). The interval is Wilson's, with an effective number of sets
    that is smaller if sets of one cluster are similar.

    **Intruders.** Intervals are Wilson's, with the number of sets as the number of trials
    for any number of annotators, since answers to one set are far from independent. With
    several annotators the intervals are somewhat too wide. The interval for all clusters
    together uses an effective number of trials that is smaller if sets of one cluster are
    similar: it generalises to clusters like the tested ones.

    ``p_value`` is exact. Under guessing, each image of a set is equally likely to be the
    intruder, even if annotators agree. The distribution of the number of correct answers
    follows from the numbers of annotators who chose each image. For one annotator per set
    it is the binomial distribution.
    """
    table = read_key(
        key, ["set_id", "cluster", "image_id"], "key", "export_test", texts=["description"]
    )
    warn_of_edits(key, table)
    kind = next((kind for kind, name in _TOLD_BY.items() if name in table), None)
    if kind is None:
        raise ImagestrataError(
            f"{arg('key')} has neither the column 'description' of a matching test nor 'intruder' "
            "of an intruder test.",
            f"Give what {verb('export_test')} returned.",
        )
    wanted = (_ASKED.id, _ASKED.answer, _ASKED.person)
    answers = answered(read_tables(files, wanted, sep=sep, encoding=encoding), _ASKED)
    check_known(answers, table["set_id"].unique(), _ASKED)
    answers = once(answers, _ASKED)
    found = (matching if kind == "matching" else intruders).score(table, answers)
    for part in ({"clusters", "sets", "confusion"} & found.keys()) if names_in(table) else ():
        found[part] = with_names(found[part], table)
    agreed = _agreement(answers, found.pop("codes"), check_seed(seed))
    common = {
        "n_sets": len(found["sets"]),
        "n_annotators": answers["annotator"].nunique(),
        "kappa": _mean_kappa(agreed),
    }
    summary = pd.DataFrame([common | found.pop("summary")])
    return ClusterTest(kind=kind, agreement=agreed, summary=summary, **found)


def _members(
    images: pd.DataFrame, n_sets: int, n_images: int, rng: np.random.Generator
) -> list[pd.DataFrame]:
    """Sets of images of one cluster; no image is in two sets if there are enough images."""
    order = rng.permutation(len(images))
    drawn = []
    for _ in range(n_sets):
        if len(order) < n_images:
            order = np.concatenate(
                [order, rng.permutation(np.setdiff1d(range(len(images)), order))]
            )
        drawn.append(images.iloc[order[:n_images]])
        order = order[n_images:]
    return drawn


def _large_enough(
    images: Mapping[int, pd.DataFrame], clusters: Sequence[int], n_images: int
) -> list[int]:
    """The clusters with at least ``n_images`` images; a warning counts the others."""
    sizes = {cluster: len(images.get(cluster, ())) for cluster in clusters}
    kept = [cluster for cluster in clusters if sizes[cluster] >= n_images]
    small = [cluster for cluster in clusters if sizes[cluster] < n_images]
    if len(clusters) < 2:
        raise ImagestrataError(
            f"A test needs two or more clusters, not {len(clusters)}.",
        )
    if len(kept) < 2:
        raise ImagestrataError(
            f"{len(kept)} of {plural(len(clusters), 'cluster')} have {plural(n_images, 'image')} "
            "or more; at least two are needed.",
            f"Use a smaller {arg('n_images')}.",
        )
    if small:
        warn(
            f"{len(small)} of {plural(len(clusters), 'cluster')} have fewer than "
            f"{plural(n_images, 'image')} and are left out, cluster {small[0]} for one."
        )
    return kept


def _name_sets(sets: Sequence[pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """One table of all sets in random order, with ids that do not reveal the cluster."""
    tables = []
    for number in rng.permutation(len(sets)):
        one = sets[number].reset_index(drop=True)
        name = fingerprint([int(number), one["image_id"].tolist()])[:10]
        one.insert(0, "place", np.arange(1, len(one) + 1))
        one.insert(0, "set_id", f"set-{name}")
        tables.append(one)
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def _mean_kappa(agreed: pd.DataFrame) -> float:
    """Cohen's kappa, the mean over pairs of annotators; NaN for one annotator."""
    row = agreed[(agreed["measure"] == "cohen_kappa") & (agreed["annotators"] == "all")]
    return float(row["estimate"].iloc[0]) if len(row) else float("nan")


def _agreement(answers: pd.DataFrame, codes: Any, seed: int) -> pd.DataFrame:
    """Agreement of annotators on the sets; without rows if there is one annotator."""
    judgements = pd.DataFrame(
        {"pair_id": answers["set_id"], "annotator": answers["annotator"], "judgement": codes}
    )
    if answers["annotator"].nunique() < 2 or not judgements["pair_id"].duplicated().any():
        columns = ["measure", "annotators", "estimate", "conf_low", "conf_high", "n_sets"]
        return pd.DataFrame(columns=columns)
    table = agreement(judgements, level="nominal", seed=seed)
    return table.rename(columns={"n_pairs": "n_sets"})
