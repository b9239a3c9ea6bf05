"""Tests of clusters with people: sets of images are handed out, and answers are read."""

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
from .key import read_key

_ASKED = Asked("set_id", "set", said="answer")
#: Sets of a cluster and images in a set by default, the fewest and the most images, and what
#: the random generator begins with besides the seed.
_KINDS = {"matching": (5, 3, 1, 6, 11), "intruders": (3, 6, 3, 9, 13)}
#: The column of a key by which a kind is told.
_TOLD_BY = {"matching": "description", "intruders": "intruder"}


@dataclass(frozen=True, eq=False, repr=False)
class ClusterTest(Shown):
    """What people made of clusters, in a matching or an intruder test.

    Attributes
    ----------
    kind : {"matching", "intruders"}
    clusters : DataFrame
        One row per cluster: cluster, n_sets (answered) and, of a matching test, description,
        precision (of the sets that people gave this description, the share that are of the
        cluster), recall (of the cluster's sets, the share that people gave its
        description); precision is missing where a description was never chosen,
        recall where no set of the cluster was answered. Of an intruder test share_found (of
        the answers), conf_low and conf_high (95%).
    sets : DataFrame
        One row per answered set: set_id, cluster, n_annotators. Of a matching test also label
        (the cluster whose description most annotators chose) and majority (whether there was
        one; where several descriptions tie, the label is the choice of the annotator
        who comes first, as in the paper). Of an intruder test intruder (image_id),
        intruder_cluster, n_images and share_found (of its annotators).
    agreement : DataFrame
        As of :func:`agreement`, with n_sets; without rows for one annotator.
    answers : DataFrame
        One row per answer: set_id, annotator, cluster, answer (a cluster; an image_id) and, of
        an intruder test, found.
    summary : DataFrame
        The test in one row: n_sets, n_annotators, kappa (Cohen's, mean over pairs of
        annotators). Of a matching test share_majority, accuracy with conf_low and conf_high
        (95%), its expectation by chance, precision and recall (means over clusters). Of an
        intruder test share_found with conf_low and conf_high (95%), chance (the share that would
        be found by guessing, mean over the answered sets) and p_value: how
        likely as many or more answers would be right by guessing.
    confusion : DataFrame or None
        Of a matching test numbers of sets: cluster, label, n; every combination that occurs.
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
    """Write a page on which people test clusters.

    Parameters
    ----------
    clustering : Clustering
        What :func:`cluster_images` returned.
    out : path
        The HTML file to write. It holds the images, opens in any browser without
        a network, keeps answers until they are removed, hands out CSV, and sends
        nothing anywhere.
    kind : {"matching", "intruders"}, default "matching"
        "matching": people match sets of images with descriptions of clusters, which tells
        whether the descriptions fit (Leveraging VLLMs for Visual Clustering). "intruders":
        people look for the image that does not belong. Each set holds images of one cluster,
        and one of another, which is drawn at random first. Where people find it, the cluster
        hangs together for them: the word intrusion of topic models (Chang et al. 2009), with
        images.
    descriptions : DataFrame or mapping
        For "matching": columns ``cluster`` and ``description``, one row per cluster to be
        tested: keywords, or names that you gave them. Or a mapping of numbers to
        texts.
    clusters : int or sequence of int, optional
        For "intruders": clusters to test; by default all that have enough images.
    n_sets : int, optional
        Sets drawn from each cluster: by default 5 for "matching" (as in the paper), 3 for
        "intruders".
    n_images : int, optional
        Images in a set: by default 3 for "matching" (as in the paper; more than one, since
        some images are in the wrong cluster, and that is not what this test is about), 6 for
        "intruders" (five and the intruder, as Chang et al.).
    question : str, optional
        What annotators are asked.
    warning : str, optional
        What they read before they see the first image.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that nobody is to see, by id, path or name of the file; others take their
        places. A file has one on each line, or is a CSV table with such a column.
    thumbnail : int, default 400
        Longer side of the embedded copies, in pixels.
    seed : int, default 0
        Decides the sets and all orders.
    overwrite : bool, default False
        Replace a file of that name, and its key.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        The key, for :func:`read_test`, one row per image of a set: set_id,
        place (from 1), cluster, image_id, path and, of a matching test, description, of an
        intruder test image_cluster and intruder (whether it is). It is also written beside the
        page, as ``...-key.csv``: send the page alone.

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
                "The residual, -1, is no cluster that people could test.", "Leave it out."
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
    key = _name_sets(drawn, rng)
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
    """Read how people answered a test of clusters.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        What annotators downloaded from the page: CSV with the columns ``set_id``,
        ``annotator`` and ``judgement`` (the number of a cluster, or the id of an image); or a
        folder of these.
    key : DataFrame or path
        What :func:`export_test` returned, or the file ``...-key.csv`` beside the page.
    seed : int, default 0
        Seed of the bootstrap of the agreement.
    sep : str, optional
        What separates the columns of CSV files; by default commas, semicolons or tabs,
        whichever fits.
    encoding : str, optional
        Encoding of the files; by default UTF-8, or what a byte order mark says. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    ClusterTest
        Precision and recall of the clusters in a matching test, shares found in an intruder
        test, against chance.

    Raises
    ------
    ImagestrataError
        If a file cannot be read, names unknown sets, clusters or images, or an annotator
        contradicts herself.

    Warns
    -----
    UserWarning
        If some sets were not answered by anybody.

    Notes
    -----
    **Matching.** A description that was never chosen counts as precision 0, and a cluster
    of which no set was answered, but whose description was chosen, as recall
    0 (as in scikit-learn with ``zero_division=0``). The interval is Wilson's;
    where sets of one cluster are more alike than those of others, they count
    as fewer.

    **Intruders.** Intervals are Wilson's for as many trials as there are sets, however many
    annotators answered them: answers to one set are far from independent. With
    several annotators they are somewhat too wide. That of all clusters together
    also allows for sets of one cluster being more alike than those of others,
    which leaves fewer trials: it is about clusters like the tested ones.

    ``p_value`` is exact. For those who guess, each image of a set is equally
    likely to be the intruder, whatever they agree on: the distribution of the
    number of right answers follows from how many annotators chose each image.
    For one annotator that is the binomial distribution.
    """
    table = read_key(
        key, ["set_id", "cluster", "image_id"], "key", "export_test", texts=["description"]
    )
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
    """Sets of images of one cluster; no image is in two sets, as far as there are enough."""
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
    """The clusters that have as many images; a warning counts the others."""
    sizes = {cluster: len(images.get(cluster, ())) for cluster in clusters}
    kept = [cluster for cluster in clusters if sizes[cluster] >= n_images]
    small = [cluster for cluster in clusters if sizes[cluster] < n_images]
    if len(clusters) < 2:
        raise ImagestrataError(
            f"A test needs two clusters or more; {len(clusters)} was given.",
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
    """One table of all sets in random order, each with an id that gives nothing away."""
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
    """How far annotators agree on the sets; without a row if there is one annotator."""
    judgements = pd.DataFrame(
        {"pair_id": answers["set_id"], "annotator": answers["annotator"], "judgement": codes}
    )
    if answers["annotator"].nunique() < 2 or not judgements["pair_id"].duplicated().any():
        columns = ["measure", "annotators", "estimate", "conf_low", "conf_high", "n_sets"]
        return pd.DataFrame(columns=columns)
    table = agreement(judgements, level="nominal", seed=seed)
    return table.rename(columns={"n_pairs": "n_sets"})
