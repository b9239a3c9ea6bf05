"""Draw images from every cluster, with weights that represent the corpus."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, clusters_fingerprint
from ..corpus.located import located
from ..errors import ImagestrataError, plural
from ..files import damaged
from ..provenance import Step, fingerprint, part_of, read_run, step_folder
from ..tables import keep_given, read_typed, with_file, with_text_ids
from ..validate import (
    check_bool,
    check_choice,
    check_idle,
    check_int,
    check_residual,
    check_seed,
)
from ..verbs import public
from ..wording import arg, kind_of, quote, verb

#: Allocations of a budget: proportional to the size of a stratum to this power.
ALLOCATIONS = {"equal": 0.0, "sqrt": 0.5, "proportional": 1.0}

Array: TypeAlias = np.ndarray[Any, Any]

_WEIGHTS = ["N_h", "n_h", "inclusion_probability", "weight_corpus", "weight_cluster"]


@public
def sample_images(
    clustering: Clustering | pd.DataFrame,
    n_per_cluster: int | None = None,
    *,
    budget: int | None = None,
    allocation: str | None = None,
    residual: str = "together",
    singles: bool = False,
    shares: str = "n_copies",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Draw a simple random sample of images within every cluster.

    Parameters
    ----------
    clustering : Clustering or DataFrame
        The result of :func:`cluster_images`, or a table with the columns
        ``image_id`` and ``cluster`` (-1 for the residual).
    n_per_cluster : int, optional
        Number of images drawn from a cluster: ``min(n_per_cluster, N - 1)`` of N images.
        By default 5, as in the published design: five from clusters of seven or more,
        all but one from clusters of two to six.
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
    shares : str, default "n_copies"
        Column with the number of times that an image was shared; by default the number
        of its copies in the corpus.
    seed : int, default 0
        Seed of the sample. Each stratum has its own random stream, so that the sample of
        a cluster does not depend on other clusters or on the order of rows.
    out : path, optional
        Run folder in which ``sample.csv`` is written.
    overwrite : bool, default False
        Replace a sample in that folder that has other settings.

    Returns
    -------
    DataFrame
        One row per sampled image, by cluster: ``image_id``, ``path``,
        ``cluster``; stratum size ``N_h`` and sample size ``n_h``;
        ``inclusion_probability`` = n_h / N_h; ``weight_corpus`` = N_h / n_h
        (every image of the corpus has equal weight); ``weight_cluster`` =
        1 / n_h (every cluster, and the residual, has equal weight);
        ``weight_share`` = weight_corpus times the image's shares; then the
        further columns of the images.

    Raises
    ------
    ImagestrataError
        If there is no image to sample, a budget is smaller than the number of
        strata or larger than the number of images, or shares are missing or
        negative.

    Notes
    -----
    Equal numbers per cluster do not give clusters equal weight if small clusters have
    fewer images in the sample: use ``weight_cluster``.
    """
    settings = sample_settings(
        n_per_cluster, budget=budget, allocation=allocation, residual=residual, singles=singles,
        shares=shares, seed=seed,
    )  # fmt: skip
    images = keep_given(
        _check_images(clustering, shares), [*_WEIGHTS, "weight_share"], verb("sample_images")
    )
    clusters = clusters_fingerprint(images)
    step = Step(
        out,
        "sample",
        settings,
        inputs=_inputs(images, clusters, shares),
        made_from={"cluster": clusters},
        overwrite=overwrite,
    )

    def counts(sample: pd.DataFrame) -> dict[str, Any]:
        n_strata = sample["cluster"].nunique()
        return {
            "strata": n_strata,
            "sampled": len(sample),
            "not_sampled_strata": images["cluster"].nunique() - n_strata,
            # A CSV file does not record that "001" is text.
            "types": {str(name): str(column.dtype) for name, column in sample.items()},
        }

    return step.table(
        lambda: _sample(images, settings, shares),
        counts,
        read=read_sample,
        identity=sample_fingerprint,
    )


def _sample(images: pd.DataFrame, settings: dict[str, Any], shares: str) -> pd.DataFrame:
    """Draw images of the strata that the settings allow, with weights."""
    strata = images.groupby("cluster").size()
    is_residual = strata.index.astype("str") == "-1"
    kept = (strata > 1) | settings["singles"]
    strata = strata[np.where(is_residual, settings["residual"] == "together", kept)]
    if strata.empty:
        raise ImagestrataError(
            f"Nothing to sample: {plural(len(images), 'image')}, none in a cluster that the "
            "settings allow.",
            f"Use {arg('singles', True)} or {arg('residual', 'together')}, or cluster with other "
            "settings.",
        )
    sizes = strata.to_numpy()
    if settings["budget"] is None:
        drawn = np.where(sizes == 1, 1, np.minimum(settings["n_per_cluster"], sizes - 1))
    else:
        drawn = _allocate(settings["budget"], sizes, settings["allocation"])
    return _draw(images, strata.index.to_numpy(), sizes, drawn, shares, settings["seed"])


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


def _inputs(images: pd.DataFrame, clusters: str, shares: str) -> str:
    """Fingerprint of the inputs of a sample: clusters, shares, and names of columns."""
    counts = pd.to_numeric(images.sort_values("image_id")[shares]).astype(float)
    return fingerprint([clusters, counts.tolist(), sorted(map(str, images))])


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
    return sample.assign(**{name: pd.to_datetime(sample[name]) for name in times})


def _check_images(clustering: Clustering | pd.DataFrame, shares: str) -> pd.DataFrame:
    images = getattr(clustering, "images", clustering)
    if not isinstance(images, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('clustering')} must be a clustering or a table, not {kind_of(clustering)}."
        )
    images = with_text_ids(images)
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
            f"{plural(twice, 'image id occurs', 'image ids occur')} more than once."
        )
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


def _allocate(budget: int, sizes: Array, allocation: str) -> Array:
    """Sample sizes between 1 and the size of each stratum that add up to the budget."""
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
        if np.clip(scale * shape, 1, sizes).sum() < budget:
            low = scale
        else:
            high = scale
    ideal = np.clip(high * shape, 1, sizes)
    drawn = np.floor(ideal + 1e-9).astype(int)
    by_remainder = np.argsort(-np.round(ideal - drawn, 9), kind="stable")
    missing = budget - int(drawn.sum())
    open_strata = by_remainder[drawn[by_remainder] < sizes[by_remainder]]
    drawn[open_strata[:missing]] += 1
    return drawn


def _number_of(stratum: Any) -> list[int]:
    """A seed for a stratum that does not depend on the other strata."""
    if isinstance(stratum, str):
        return [*hashlib.sha256(stratum.encode()).digest()]
    return [int(stratum) + 1]


def _draw(
    images: pd.DataFrame,
    strata: Array,
    sizes: Array,
    drawn: Array,
    shares: str,
    seed: int,
) -> pd.DataFrame:
    ordered = images.sort_values("image_id")
    by_stratum = ordered.groupby("cluster").indices
    rows = []
    for stratum, n in zip(strata, drawn, strict=True):
        stream = np.random.default_rng([seed, *_number_of(stratum)])
        chosen = stream.choice(by_stratum[stratum], size=n, replace=False)
        rows.append(np.sort(chosen))
    # Clusters first, by number (largest first); the residual comes last.
    named = [isinstance(stratum, str) for stratum in strata]
    if any(named):
        order = np.lexsort((strata, strata == "-1"))
    else:
        order = np.argsort(np.where(strata == -1, np.iinfo(np.int64).max, strata), kind="stable")
    sample = ordered.iloc[np.concatenate([rows[i] for i in order])].reset_index(drop=True)
    sample = with_file(sample)
    per_row = np.repeat(order, drawn[order])
    big_n, small_n = sizes[per_row], drawn[per_row]
    sample["N_h"], sample["n_h"] = big_n, small_n
    sample["inclusion_probability"] = small_n / big_n
    sample["weight_corpus"] = big_n / small_n
    sample["weight_cluster"] = 1 / small_n
    sample["weight_share"] = sample["weight_corpus"] * pd.to_numeric(sample[shares])
    first = [name for name in ("image_id", "path", "file", "cluster") if name in sample]
    first += [*_WEIGHTS, "weight_share"]
    return sample[first + [name for name in sample if name not in first]]
