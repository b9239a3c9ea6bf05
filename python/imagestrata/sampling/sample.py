"""Draw images from every cluster, with weights that represent the corpus."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, clusters_fingerprint
from ..clustering.ledger import stages
from ..clustering.linked import check_linked, n_posts_of
from ..clustering.named import names_in
from ..corpus.located import located
from ..corpus.scan import read_scanned
from ..errors import ImagestrataError, plural
from ..files import damaged
from ..provenance import Step, fingerprint, held_result, part_of, read_run, step_folder
from ..tables import check_table, keep_given, read_typed, with_file, with_text_ids
from ..validate import (
    check_bool,
    check_choice,
    check_idle,
    check_int,
    check_path,
    check_residual,
    check_seed,
)
from ..verbs import check_product, public
from ..wording import Name, arg, kind_of, quote, verb

#: Allocations of a budget: proportional to the size of a stratum to this power.
ALLOCATIONS = {"equal": 0.0, "sqrt": 0.5, "proportional": 1.0}

Array: TypeAlias = np.ndarray[Any, Any]

#: Columns of a sample beside those of the images.
_DRAWN = ["stratum", "wave", "draw"]
_WEIGHTS = ["N_h", "n_h", "inclusion_probability", "weight_corpus", "weight_cluster"]
_OURS = [*_DRAWN, *_WEIGHTS, "weight_share"]

#: The number of images per cluster, among the settings, if every image is taken.
_ALL = "all"

#: Images of an addition to a cluster that are drawn at least, so that their variance is known.
_LEAST_ADDED = 2


@public
def sample_images(
    clustering: Clustering | pd.DataFrame,
    n_per_cluster: int | float | Mapping[Any, int] | pd.DataFrame | None = None,
    *,
    budget: int | None = None,
    allocation: str | None = None,
    residual: str = "together",
    singles: bool = False,
    shares: str | pd.DataFrame = "n_copies",
    seed: int = 0,
    keep: pd.DataFrame | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Draw a simple random sample of images within every cluster.

    Parameters
    ----------
    clustering : Clustering or DataFrame
        The result of :func:`cluster_images`, or a table with the columns
        ``image_id`` and ``cluster`` (-1 for the residual), and ``wave`` if images were added
        to the clusters in waves (1, 2, ...).
    n_per_cluster : int, inf, dict or DataFrame, optional
        Number of images drawn from a cluster: ``min(n_per_cluster, N - 1)`` of N images.
        By default 5, as in the published design: five from clusters of seven or more,
        all but one from clusters of two to six. ``float("inf")`` takes all images, those of
        clusters of one image included (a census); their ``weight_corpus`` is 1. A dict has a
        number for each cluster, of which at most N are drawn, and none from clusters that it
        leaves out. So has a table with the columns ``cluster`` and ``n``, or the result of
        :func:`plan_labels`, with ``keep``.
    budget : int, optional
        Total number of images, instead of ``n_per_cluster``. At least one image is drawn
        from every stratum.
    allocation : {"equal", "proportional", "sqrt"}, optional
        Allocation of the budget to strata: equal numbers (the default), or proportional to
        their size or to the square root of their size.
    residual : {"together", "drop"}, default "together"
        ``"together"``: the images that belong to no cluster form a stratum of their
        own (cluster -1). ``"drop"``, the published design: they are left out, and
        the weights represent clustered images only.
    singles : bool, default False
        Whether clusters of one image are sampled (a residual of one image always is).
        The published design leaves them out; the weights then do not represent
        them.
    shares : str or DataFrame, default "n_copies"
        Column with the number of times that an image was shared; by default the number
        of its copies in the corpus. Or the result of :func:`link_posts`: an image counts as
        often as posts show it, in the column ``n_posts``, which is 0 for images that none shows.
    seed : int, default 0
        Seed of the sample. Each stratum has its own random stream, so that the sample of
        a cluster does not depend on other clusters or on the order of rows.
    keep : DataFrame, optional
        A sample of the same clusters, drawn before more images joined them, or with a smaller
        number of images. Its images stay in the sample, and others are added; see Notes.
    out : path, optional
        Run folder in which ``sample.csv`` is written. If it contains a sample with the same
        settings, and images have joined the clusters since, that sample is kept.
    overwrite : bool, default False
        Replace a sample in that folder that has other settings.

    Returns
    -------
    DataFrame
        One row per sampled image, by cluster: ``image_id``, ``path``,
        ``cluster`` (and its names, if it has any); ``stratum``, the images among which it was
        drawn: those of a cluster in a ``wave`` (always 1 if no images joined the clusters
        later); ``draw``, the number of the call that drew the image (1, and 2, 3, ... with
        ``keep``); stratum size ``N_h`` and sample size ``n_h``; ``inclusion_probability`` =
        n_h / N_h; ``weight_corpus`` = N_h / n_h (every image of the corpus has equal weight);
        ``weight_cluster`` = weight_corpus divided by the size of the cluster, which is 1 / n_h if a
        cluster is one stratum (every cluster, and the residual, has equal weight);
        ``weight_share`` = weight_corpus times the image's
        shares; then the further columns of the images.

    Raises
    ------
    ImagestrataError
        If there is no image to sample, a budget is smaller than the number of
        strata or larger than the number of images, or shares are missing or
        negative; or if ``keep`` was drawn from other clusters or lacks images.

    Notes
    -----
    Equal numbers per cluster do not give clusters equal weight if small clusters have
    fewer images in the sample: use ``weight_cluster``.

    *Topping up.* With ``keep``, images drawn before stay drawn. The probabilities are exact:

    - If a larger ``n_per_cluster`` or ``budget`` asks for n' > n images of a stratum, n' - n are
      drawn at random from those that were not drawn. A simple random sample of n, and one of
      n' - n from the rest, together are a simple random sample of n' from N: each image has the
      probability n' / N. A smaller number changes nothing.
    - Images that joined a cluster after the draw form a stratum of their own (the cluster in
      that wave). Those of the earlier stratum keep their probability n / N. From N' added images,
      n' are drawn: as large a share as in the first stratum of the cluster, rounded up, at least
      two (since one image has no variance), and at most as many as the most that were drawn from
      a first stratum. ``n_per_cluster`` and ``budget`` refer to first strata; a cluster
      without an image in ``keep`` is one.

    *After edits.* A sample that was drawn before :func:`edit_clusters` merged or dropped whole
    clusters is kept as well (``keep``, or the sample in ``out``): ``stratum``, ``N_h``, ``n_h``
    and probabilities remain those of the draw, ``cluster`` is the edited one, and
    ``weight_cluster`` is ``weight_corpus`` divided by the size of the edited cluster, so that the
    weighted mean of each merged cluster remains unbiased. If edits divided a cluster from which
    images were drawn, or joined images that could not be drawn to one, the sample is refused: draw
    anew.

    Estimates weighted by ``weight_corpus`` are therefore unbiased for all images, and
    :func:`rating_means` computes standard errors within these strata. A sample of *other*
    clusters (after clustering anew) cannot be topped up: draw a new one, in which images that
    happen to be drawn again keep their ratings.

    Images whose files are gone stay in the sample and count in ``N_h``, but are not drawn any
    more: the others of their stratum represent them. The scan in ``out`` knows which these are,
    or a column ``gone`` of the images.
    """
    linked = None if isinstance(shares, str) else check_linked("shares", shares)
    shares = shares if isinstance(shares, str) else "n_posts"
    settings = sample_settings(
        n_per_cluster, budget=budget, allocation=allocation, residual=residual, singles=singles,
        shares=shares, seed=seed,
    )  # fmt: skip
    given = _check_images(clustering, shares, linked)
    waves = given["wave"] if "wave" in given else pd.Series(1, given.index)
    images = keep_given(given.drop(columns="wave", errors="ignore"), _OURS, verb("sample_images"))
    images["wave"] = waves
    gone: set[str] = set() if "gone" in images else _gone_in(out)
    if gone:
        images["gone"] = images["image_id"].isin(gone)
    earlier = _earlier(clustering)
    if keep is not None:
        keep, _ = _of_these(keep, images, earlier)
    clusters = clusters_fingerprint(images)
    step = Step(
        out,
        "sample",
        settings,
        inputs=_inputs(images, clusters, shares, keep),
        made_from={"cluster": clusters},
        overwrite=overwrite,
        grows=lambda run: _holds_part(run, images, keep, earlier),
        other_settings=keep is not None,
    )

    def make() -> pd.DataFrame:
        kept = keep
        if step.folder is not None and step.grows:
            stored, _ = _of_these(read_sample(step.folder), images, earlier)
            kept = stored if keep is None or len(stored) > len(keep) else keep
        elif kept is None and step.irreplaceable and not overwrite:
            found = step.restored(read_sample, sample_fingerprint)
            if found is not None:
                return found
            raise ImagestrataError(
                f"{quote(step.folder)} held a sample that was topped up, and 'sample.csv' is "
                "missing: the images that were drawn first cannot be drawn again.",
                f"Restore the file, give the sample as {arg('keep')}, or use "
                f"{arg('overwrite', True)} to draw anew.",
            )
        if kept is None:
            return _sample(images, settings, shares, None)
        _, drawn = _of_these(kept, images, earlier)
        strata = images.assign(cluster=drawn.to_numpy())
        return _with_edits(_sample(strata, settings, shares, kept), images, drawn)

    def counts(sample: pd.DataFrame) -> dict[str, Any]:
        n_clusters = sample["cluster"].nunique()
        latest = sample["draw"] == sample["draw"].max()
        return {
            "strata": n_clusters,
            "sampled": len(sample),
            "not_sampled_strata": images["cluster"].nunique() - n_clusters,
            **({"kept": int((~latest).sum())} if not latest.all() else {}),
            **({"added_strata": n} if (n := sample["stratum"].nunique() - n_clusters) else {}),
            # A CSV file does not record that "001" is text.
            "types": {str(name): str(column.dtype) for name, column in sample.items()},
        }

    return step.table(
        make,
        counts,
        read=read_sample,
        identity=sample_fingerprint,
    )


def _sample(
    images: pd.DataFrame, settings: dict[str, Any], shares: str, keep: pd.DataFrame | None
) -> pd.DataFrame:
    """Draw images of the strata that the settings allow, with weights."""
    images = images.sort_values("image_id", ignore_index=True)
    images["wave"] = _waves_of(images, keep)
    images["draw"] = 0
    if keep is not None:
        before = keep.set_index("image_id")["draw"].reindex(images["image_id"])
        images["draw"] = before.fillna(0).astype("int64").to_numpy()
    drawn = (images["draw"] > 0).to_numpy()
    strata = (
        images.assign(kept=drawn, free=~drawn & ~_gone(images))
        .groupby(["cluster", "wave"])
        .agg(N_h=("image_id", "size"), kept=("kept", "sum"), free=("free", "sum"))
        .reset_index()
    )
    first = ~strata["cluster"].duplicated()
    is_residual = strata["cluster"].astype("str") == "-1"
    singles = settings["singles"] or settings["n_per_cluster"] == _ALL
    allowed = np.where(
        is_residual, settings["residual"] == "together", (strata["N_h"] > 1) | singles
    )
    if isinstance(settings["n_per_cluster"], dict):
        allowed = (_named(settings["n_per_cluster"], strata["cluster"]) > 0) & (
            ~is_residual | (settings["residual"] == "together")
        )
    strata["sampled"] = first & ((strata["kept"] > 0) | (allowed & (strata["free"] > 0)))
    strata["sampled"] = strata.groupby("cluster")["sampled"].transform("any")
    strata = strata[strata["sampled"] & (strata["kept"] + strata["free"] > 0)]
    if strata.empty:
        raise ImagestrataError(
            f"Nothing to sample: {plural(len(images), 'image')}, none in a cluster that the "
            "settings allow.",
            f"Use {arg('singles', True)} or {arg('residual', 'together')}, or cluster with other "
            "settings.",
        )
    strata = strata.assign(n_h=_sizes(strata, settings))
    return _draw(images, strata.reset_index(drop=True), shares, settings["seed"])


def _waves_of(images: pd.DataFrame, keep: pd.DataFrame | None) -> Array:
    """The wave of each image's stratum: the first draw from its cluster that could draw it.

    An image that no draw could draw is in the latest wave.
    """
    waves = np.full(len(images), int(images["wave"].max()))
    if keep is not None:
        rows = images.groupby("cluster").indices
        drawn = keep[["cluster", "wave"]].drop_duplicates().sort_values("wave", ascending=False)
        for cluster, wave in drawn.itertuples(index=False):
            known = rows[cluster]
            waves[known[images["wave"].to_numpy()[known] <= wave]] = wave
    return waves


def _sizes(strata: pd.DataFrame, settings: dict[str, Any]) -> Array:
    """Sample size of each stratum; see the notes of :func:`sample_images`."""
    first = (~strata["cluster"].duplicated()).to_numpy()
    big_n, kept = strata["N_h"].to_numpy(), strata["kept"].to_numpy()
    most = kept + strata["free"].to_numpy()
    sizes = big_n[first]
    if settings["n_per_cluster"] == _ALL:
        everything: Array = most
        return everything
    if isinstance(settings["n_per_cluster"], dict):
        asked = np.minimum(_named(settings["n_per_cluster"], strata["cluster"][first]), sizes)
    elif settings["budget"] is None:
        asked = np.where(sizes == 1, 1, np.minimum(settings["n_per_cluster"], sizes - 1))
    else:
        least = np.maximum(kept[first], 1)
        budget = settings["budget"]
        budget = max(budget, int(least.sum())) if kept.any() else budget
        asked = _allocate(budget, sizes, settings["allocation"], least)
    asked = np.clip(asked, kept[first], most[first])
    place = np.cumsum(first) - 1  # of the first stratum of the same cluster
    rate = (asked / sizes)[place]
    n = np.clip(np.ceil(rate * big_n - 1e-9), _LEAST_ADDED, asked.max()).astype(int)
    n[first] = asked
    drawn: Array = np.clip(n, kept, most)
    return drawn


def _named(numbers: dict[str, int], clusters: pd.Series[Any]) -> Array:
    """The number of images that each cluster is named with, 0 for those without."""
    known = {*clusters.astype("str")}
    lost = [name for name in numbers if name not in known]
    if lost:
        raise ImagestrataError(
            f"{arg('n_per_cluster')} names the cluster {quote(lost[0])}, which does not exist.",
            f"The clusters are {', '.join(sorted(known)[:12])}.",
        )
    return np.array([numbers.get(name, 0) for name in clusters.astype("str")], dtype="int64")


def _numbers_of(given: Any) -> dict[str, int]:
    """The number of images of each cluster, from a dict or a table."""
    if isinstance(given, pd.DataFrame):
        planned = {"cluster", "n_h", "n_next"} <= {*given}
        if not planned and not {"cluster", "n"} <= {*given}:
            raise ImagestrataError(
                f"{arg('n_per_cluster')} must be a table with the columns 'cluster' and 'n', not "
                f"{', '.join(map(str, given))}.",
                f"{verb('plan_labels')} makes one.",
            )
        table = given.drop_duplicates("cluster") if "wave" in given else given
        numbers = table["n_h"] + table["n_next"] if planned else table["n"]
        pairs = [*zip(table["cluster"], numbers, strict=True)]
    else:
        pairs = [*given.items()]
    found: dict[str, int] = {}
    for cluster, n in pairs:
        whole = isinstance(cluster, float | np.floating) and float(cluster).is_integer()
        name = str(int(cluster)) if whole else str(cluster)
        if name in found:
            raise ImagestrataError(f"{arg('n_per_cluster')} names the cluster {name} twice.")
        found[name] = check_int("n_per_cluster", n, minimum=0)
    if not found:
        raise ImagestrataError(f"{arg('n_per_cluster')} names no cluster.")
    return dict(sorted(found.items()))


def _check_kept(given: Any, images: pd.DataFrame) -> pd.DataFrame:
    """Check that a sample was drawn from these images, or from those of earlier waves."""
    check_product("keep", given, ("sample",))
    needed = ("image_id", "cluster", "N_h", "n_h")
    keep = with_draws(check_table("keep", given, needed, "sample_images", whole=needed))
    now = images.set_index(images["image_id"].astype(str))["cluster"].reindex(keep["image_id"])
    other = (now.isna() | (now.astype(str) != keep["cluster"].astype(str).to_numpy())).to_numpy()
    if other.any():
        raise ImagestrataError(
            f"{other.sum():,} of {plural(len(keep), 'image')} of {arg('keep')} are in another "
            f"cluster now, or in none, {quote(keep['image_id'][other].iloc[0])} for one. A sample "
            "can be topped up if its clusters stay as they were and only gain images.",
            "Draw a new sample from the new clusters; ratings of images that are drawn again can "
            "be used.",
        )
    keep["cluster"] = now.to_numpy()
    waves = pd.Series(_waves_of(images, keep), images.index)
    sizes = images.groupby(["cluster", waves.rename("wave")]).size().rename("now")
    strata = keep.groupby(["cluster", "wave"]).agg(
        N_h=("N_h", "first"), n_h=("n_h", "first"), rows=("image_id", "size")
    )
    strata = strata.join(sizes)
    for column, held, words in (
        ("n_h", "rows", "images in the sample"), ("N_h", "now", "images")
    ):  # fmt: skip
        wrong = strata[strata[column] != strata[held]]
        if len(wrong):
            cluster, wave = wrong.index[0]
            raise ImagestrataError(
                f"{arg('keep')} is not a sample of these clusters: {quote(column)} says that "
                f"cluster {cluster} has {wrong[column].iloc[0]:,} {words} (wave {wave}), but there "
                f"are {wrong[held].iloc[0]:,}.",
                "Give the whole sample, and the clustering from which it was drawn, or which has "
                "grown from that. In your own table, a column 'wave' says when images joined.",
            )
    return keep


def _holds_part(
    run: Path,
    images: pd.DataFrame,
    keep: pd.DataFrame | None,
    earlier: Sequence[pd.Series[Any]],
) -> bool:
    """Whether the sample in a run folder stays drawn if these images are kept."""
    stored = read_sample(run)
    if keep is not None:
        lost = stored["image_id"][~stored["image_id"].isin(keep["image_id"])]
        if len(lost) and not keep["image_id"].isin(stored["image_id"]).all():
            raise ImagestrataError(
                f"{quote(run)} holds a sample with {plural(len(lost), 'image')} that {arg('keep')} "
                f"lacks, {quote(lost.iloc[0])} for one.",
                f"Give that sample as {arg('keep')}, or another {arg('out')}.",
            )
        return True
    try:
        _of_these(stored, images, earlier)
    except ImagestrataError:
        return False
    return True


def follow(given: Any, clustering: Clustering) -> pd.DataFrame:
    """A sample with the clusters after edits, and the weights that represent them.

    Raises
    ------
    ImagestrataError
        If its strata do not represent these clusters.
    """
    images = _check_images(clustering, "n_copies")
    keep, drawn = _of_these(given, images, _earlier(clustering))
    if "stratum" not in keep:
        keep["stratum"] = "w" + keep["wave"].astype(str) + "c" + keep["cluster"].astype(str)
    sample = _with_edits(keep, images, drawn)
    represented = sample.groupby("cluster")["weight_corpus"].sum().round().astype("int64")
    sizes = images["cluster"].value_counts().reindex(represented.index)
    if (lacking := sizes - represented).any():
        number = lacking.index[lacking != 0][0]
        raise ImagestrataError(
            f"The sample represents {represented[number]:,} of "
            f"{plural(sizes[number], 'image')} in cluster {number}: others joined it since.",
            f"Draw images from these with {verb('sample_images', keep=Name('sample'))}.",
        )
    return sample


def _earlier(clustering: Any) -> list[pd.Series[Any]]:
    """The clusters of the images before edits, the latest first; none if there are no edits."""
    images, edits = getattr(clustering, "images", clustering), getattr(clustering, "edits", None)
    if "cluster_found" not in images:
        return []
    if edits is not None:
        found = stages(images, edits)
        if found[0].equals(images["cluster"].astype("int64")):
            return found[1:]
    return [images["cluster_found"]]


def _of_these(
    given: Any, images: pd.DataFrame, earlier: Sequence[pd.Series[Any]]
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Check a sample of these images, and find the clusters from which it was drawn.

    Returns
    -------
    DataFrame
        The sample with the clusters of its draw.
    Series
        These clusters of all images.
    """
    try:
        return _check_kept(given, images), images["cluster"]
    except ImagestrataError as error:
        ids = images["image_id"].astype(str)
        known = isinstance(given, pd.DataFrame) and "image_id" in given
        if not known or not given["image_id"].astype(str).isin(ids).all():
            raise
        for clusters in earlier:
            then = clusters.set_axis(ids)
            drawn = given.assign(cluster=given["image_id"].astype(str).map(then))
            try:
                keep = _check_kept(drawn, images.assign(cluster=clusters.to_numpy()))
            except ImagestrataError:
                continue
            _check_nested(keep, images, clusters)
            return keep, clusters
        raise error from None


def _check_nested(keep: pd.DataFrame, images: pd.DataFrame, clusters: pd.Series[Any]) -> None:
    """Refuse a sample from before edits that divided its strata, or joined others to them."""
    pairs = images[["cluster"]].assign(cluster_found=clusters.to_numpy()).drop_duplicates()
    drawn = pairs["cluster_found"].isin(keep["cluster"])
    divided = pairs[drawn & pairs["cluster_found"].duplicated(keep=False)]
    covered = pairs[pairs["cluster"].isin(pairs["cluster"][drawn]) & ~drawn]
    if len(divided):
        number = divided["cluster_found"].iloc[0]
        what = f"The edits divided cluster {number}, from which the sample was drawn"
    elif len(covered):
        row = covered.iloc[0]
        what = (
            f"The edits joined images of cluster {row['cluster_found']}, from which none were "
            f"drawn, to cluster {row['cluster']}"
        )
    else:
        return
    raise ImagestrataError(
        f"{what}: its weights do not represent the edited clusters.",
        f"Draw a new sample from these, with {arg('overwrite', True)} or another {arg('out')}; "
        "ratings of images that are drawn again can be used.",
    )


def _with_edits(sample: pd.DataFrame, images: pd.DataFrame, drawn: pd.Series[Any]) -> pd.DataFrame:
    """A sample that was drawn before the edits, with the clusters after them and their names.

    Strata, and the probabilities in them, are those of the draw. ``weight_cluster`` divides the
    corpus weight by the size of the edited cluster.
    """
    of_image = images.set_index(images["image_id"].astype(str))
    for name in ["cluster", *names_in(images)]:
        values = of_image[name].reindex(sample["image_id"]).array
        if name in sample:
            sample = sample.assign(**{name: values})
        else:
            sample.insert([*sample].index("cluster") + 1, name, values)
    if drawn.equals(images["cluster"]):
        return sample
    sizes = images["cluster"].value_counts()
    sample["weight_cluster"] = sample["weight_corpus"] / sample["cluster"].map(sizes)
    last = sample["cluster"] == -1
    order = ["_last", "cluster", "wave", "stratum", "image_id"]
    sample = sample.assign(_last=last).sort_values(order, kind="stable", ignore_index=True)
    return sample.drop(columns="_last")


def with_draws(sample: pd.DataFrame) -> pd.DataFrame:
    """A sample with the columns that those of older versions lack."""
    return sample.assign(**{name: 1 for name in ("wave", "draw") if name not in sample})


def sample_settings(
    n_per_cluster: Any,
    *,
    budget: Any = None,
    allocation: Any = None,
    residual: Any = "together",
    singles: Any = False,
    shares: Any = "n_copies",
    seed: Any = 0,
) -> dict[str, Any]:
    """The checked arguments of :func:`sample_images` that decide the sample."""
    if isinstance(n_per_cluster, Mapping | pd.DataFrame):
        n_per_cluster = _numbers_of(n_per_cluster)
    if allocation is not None:
        allocation = check_choice("allocation", allocation, ALLOCATIONS)
    if budget is not None:
        budget = check_int("budget", budget, minimum=1)
        check_idle(
            f"with {arg('budget', budget)}, which determines the size",
            n_per_cluster=(n_per_cluster, None),
        )
        allocation = allocation or "equal"
    else:
        check_idle(f"without {arg('budget')}, which it divides", allocation=(allocation, None))
    if isinstance(n_per_cluster, float) and n_per_cluster == math.inf:
        n_per_cluster = _ALL  # JSON has no infinity
    elif budget is None and not isinstance(n_per_cluster, dict):
        n_per_cluster = check_int(
            "n_per_cluster", 5 if n_per_cluster is None else n_per_cluster, minimum=1
        )
    return {
        "n_per_cluster": n_per_cluster,
        "budget": budget,
        "allocation": allocation,
        "residual": check_residual(residual, "together", "drop"),
        "singles": check_bool("singles", singles),
        "shares": shares,
        "seed": check_seed(seed),
    }


def sample_fingerprint(sample: pd.DataFrame) -> str:
    """Fingerprint of a sample, independent of the order of its rows."""
    names = [name for name in ("N_h", "n_h") if name in sample]
    sizes = sample.sort_values("image_id")[names].astype("int64")
    return fingerprint([clusters_fingerprint(sample), sizes.to_numpy().tolist()])


def from_sample(out: str | os.PathLike[str] | None, sample: pd.DataFrame) -> str:
    """Fingerprint of the sample in ``out`` if it contains all these rows, else of the rows."""
    names = [name for name in ("image_id", "cluster", "N_h", "n_h") if name in sample]

    def are_drawn(run: Path) -> bool:
        drawn, given = read_sample(run)[names].astype(str), sample[names].astype(str)
        return {*drawn.itertuples(index=False)} >= {*given.itertuples(index=False)}

    return part_of(out, "sample", sample_fingerprint(sample), are_drawn)


def sample_inputs(clustering: Clustering, shares: str) -> str:
    """Fingerprint of the inputs of a sample of a clustering."""
    images = _check_images(clustering, shares)
    return _inputs(images, clusters_fingerprint(images), shares)


def _inputs(
    images: pd.DataFrame, clusters: str, shares: str, keep: pd.DataFrame | None = None
) -> str:
    """Fingerprint of the inputs of a sample: clusters, shares, names of columns, kept images.

    Names that were given to clusters and themes count, since they are in the sample.
    """
    counts = pd.to_numeric(images.sort_values("image_id")[shares]).astype(float)
    names = sorted(str(name) for name in images if name not in ("wave", "gone"))
    kept = [] if keep is None else [sorted(keep["image_id"].tolist())]
    if {"cluster_found", "theme"} & {*names}:  # edited or grouped
        given = images[["cluster", *names_in(images)]].drop_duplicates().astype(str)
        kept.append(sorted(map(list, given.itertuples(index=False))))
    return fingerprint([clusters, counts.tolist(), names, *kept])


def read_sample(folder: Path) -> pd.DataFrame:
    """Read the sample of a run folder, or of the run of a variant."""
    place = step_folder(folder, "sample")
    try:
        return located(_read_sample(place), place, "sample")
    except ValueError as error:
        raise damaged(place / "sample.csv", error) from None


def _read_sample(folder: Path) -> pd.DataFrame:
    step = read_run(folder)["steps"].get("sample", {})
    types = step.get("counts", {}).get("types", {})
    texts = [name for name, dtype in types.items() if dtype in ("str", "object", "category")]
    sample = read_typed(folder / "sample.csv", texts=texts, ours=True)
    times = [name for name, dtype in types.items() if dtype.startswith("datetime64")]
    sample = sample.assign(**{name: pd.to_datetime(sample[name]) for name in times})
    # Numbers that can be missing have types of their own, also if none is.
    nullable = ("Int", "UInt", "Float")
    numbers = {name: dtype for name, dtype in types.items() if dtype.startswith(nullable)}
    sample = sample.astype(numbers)
    return with_draws(sample)


def _check_images(
    clustering: Clustering | pd.DataFrame, shares: str, linked: pd.DataFrame | None = None
) -> pd.DataFrame:
    images = getattr(clustering, "images", clustering)
    if not isinstance(images, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('clustering')} must be a clustering or a table, not {kind_of(clustering)}."
        )
    images = with_text_ids(images)
    if linked is not None and "image_id" in images:
        images = images.assign(n_posts=n_posts_of(linked, images["image_id"], "shares"))
    missing = [name for name in ("image_id", "cluster", shares) if name not in images]
    if missing == [shares] == ["n_copies"]:
        images, missing = images.assign(n_copies=1), []
    if missing:
        raise ImagestrataError(
            f"The table lacks the column {quote(missing[0])}; it has {', '.join(map(str, images))}."
        )
    unknown = int(images[["image_id", "cluster"]].isna().any(axis=1).sum())
    if unknown:
        raise ImagestrataError(
            f"{plural(unknown, 'image has', 'images have')} no id or no cluster."
        )
    counts = pd.to_numeric(images[shares], errors="coerce")
    bad = int((counts.isna() | (counts < 0)).sum())
    if bad:
        raise ImagestrataError(
            f"The column {quote(shares)} must contain numbers of shares, 0 or more; {bad} of "
            f"{plural(len(images), 'row')} do not.",
            f"Fill in or drop those rows, or name another column with {arg('shares')}.",
        )
    twice = int(images["image_id"].duplicated().sum())
    if twice:
        raise ImagestrataError(
            f"{plural(twice, 'image id occurs', 'image ids occur')} more than once.",
            "Give the clustering, or keep one row for each image: the number of its posts can be "
            f"its {arg('shares')}.",
        )
    if "wave" in images:
        waves = pd.to_numeric(images["wave"], errors="coerce")
        if not ((waves >= 1) & (waves % 1 == 0)).all():
            raise ImagestrataError(
                "The column 'wave' must contain whole numbers from 1, the waves in which images "
                "joined the clusters.",
                "Rename the column if it holds something else.",
            )
        images = images.assign(wave=waves.astype("int64"))
    clusters = images["cluster"]
    if not pd.api.types.is_numeric_dtype(clusters):
        clusters = clusters.astype("str")
        if not clusters.str.fullmatch(r"-?\d+").all():
            return images.assign(cluster=clusters)
        clusters = clusters.astype("int64")
    odd = clusters[(clusters % 1 != 0) | (clusters < -1)]
    if len(odd):
        raise ImagestrataError(
            f"{len(odd)} of {len(images)} images are in the cluster {odd.iloc[0]}: clusters are "
            "whole numbers from 0 or 1, -1 for the residual, or names.",
            "Give each image its cluster.",
        )
    return images.assign(cluster=clusters.astype("int64"))


def _allocate(budget: int, sizes: Array, allocation: str, least: Array) -> Array:
    """Sample sizes between ``least`` and the size of each stratum that add up to the budget."""
    n_strata, n_images = len(sizes), int(sizes.sum())
    if not n_strata <= budget <= n_images:
        raise ImagestrataError(
            f"{arg('budget')} must be between {n_strata} (one image for each stratum) and "
            f"{n_images} (every image of them), not {budget}."
        )
    shape = sizes ** ALLOCATIONS[allocation]
    low, high = 0.0, float((sizes / shape).max())
    for _ in range(100):  # bisection: the clipped total grows with the scale
        scale = (low + high) / 2
        if np.clip(scale * shape, least, sizes).sum() < budget:
            low = scale
        else:
            high = scale
    ideal = np.clip(high * shape, least, sizes)
    drawn = np.floor(ideal + 1e-9).astype(int)
    by_remainder = np.argsort(-np.round(ideal - drawn, 9), kind="stable")
    missing = budget - int(drawn.sum())
    open_strata = by_remainder[drawn[by_remainder] < sizes[by_remainder]]
    drawn[open_strata[:missing]] += 1
    return drawn


def _gone(images: pd.DataFrame) -> Array:
    """Whether the file of each image is gone."""
    if "gone" not in images:
        return np.zeros(len(images), dtype=bool)
    gone: Array = images["gone"].eq(True).to_numpy(dtype=bool)
    return gone


def _gone_in(out: str | os.PathLike[str] | None) -> set[str]:
    """Ids of the images whose files are gone by the scan in a run folder."""
    if out is None or held_result(out, "scan") is None:
        return set()
    scanned = read_scanned(check_path("out", out))
    if "gone" not in scanned:
        return set()
    everywhere = scanned.groupby("image_id")["gone"].all()
    return {*everywhere.index[everywhere]}


def _number_of(stratum: Any) -> list[int]:
    """A seed for a stratum that does not depend on the other strata."""
    if isinstance(stratum, str):
        return [*hashlib.sha256(stratum.encode()).digest()]
    return [int(stratum) + 1]


def _draw(images: pd.DataFrame, strata: pd.DataFrame, shares: str, seed: int) -> pd.DataFrame:
    """Draw from each stratum the images that it lacks; the table of all drawn images."""
    is_first = ~strata["cluster"].duplicated()
    by_stratum = images.groupby(["cluster", "wave"]).indices
    draw = images["draw"].to_numpy().copy()
    latest = draw.max() + 1
    gone = _gone(images)
    sizes = zip(is_first, strata["kept"].tolist(), strata["n_h"].tolist(), strict=True)
    names = zip(strata["cluster"], strata["wave"].tolist(), strict=True)
    for (cluster, wave), (first, kept, n) in zip(names, sizes, strict=True):
        rows = by_stratum[cluster, wave]
        free = rows[(draw[rows] == 0) & ~gone[rows]]
        # A further draw is independent of those before it.
        further = [] if first and not kept else [wave, kept]
        stream = np.random.default_rng([seed, *_number_of(cluster), *further])
        draw[stream.choice(free, size=n - kept, replace=False)] = latest
    # Clusters first, by number; the residual comes last.
    strata = strata.assign(
        stratum="w" + strata["wave"].astype(str) + "c" + strata["cluster"].astype(str),
        of_cluster=strata["N_h"] / strata.groupby("cluster")["N_h"].transform("sum"),
    )
    images = images.assign(draw=draw)[draw > 0]
    sample = images.merge(
        strata[["cluster", "wave", "stratum", "N_h", "n_h", "of_cluster"]], on=["cluster", "wave"]
    )
    sample = sample.assign(_last=sample["cluster"].astype(str) == "-1")
    sample = sample.sort_values(
        ["_last", "cluster", "wave", "image_id"], kind="stable", ignore_index=True
    )
    sample = with_file(sample)
    sample["inclusion_probability"] = sample["n_h"] / sample["N_h"]
    sample["weight_corpus"] = sample["N_h"] / sample["n_h"]
    sample["weight_cluster"] = sample["of_cluster"] / sample["n_h"]
    sample["weight_share"] = sample["weight_corpus"] * pd.to_numeric(sample[shares])
    known = ("image_id", "path", "file", "cluster", *names_in(sample))
    ahead = [name for name in known if name in sample] + _OURS
    rest = [name for name in sample if name not in (*ahead, "of_cluster", "_last")]
    return sample[ahead + rest]
