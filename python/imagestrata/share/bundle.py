"""Share a study without its images, or with small copies of them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.base import centroids, memberships, second_numbers
from ..clustering.clustering import Clustering, clusters_fingerprint
from ..clustering.ledger import ledger
from ..clustering.named import names_in
from ..clustering.silhouette import pick_measure, silhouettes
from ..clustering.vectors import as_vectors
from ..corpus.pictures import is_content_hash
from ..corpus.scan import read_scanned
from ..corpus.small import longer_side, small_file, small_folder
from ..corpus.thumbnails import HEIGHT, make_thumbnails
from ..embeddings.embeddings import Embeddings
from ..embeddings.inputs import embeddings_fingerprint
from ..errors import ImagestrataError, plural, warn
from ..explore.gallery import image_gallery
from ..files import (
    ensure_folder,
    file_hash,
    make_folder,
    rename,
    write_error,
    write_json,
    write_table,
    write_text,
)
from ..lock import lock_folder
from ..names import Exclude, excluded
from ..progress import Progress
from ..provenance import (
    check_run,
    find_step,
    fingerprint,
    read_run,
    read_table,
    require_step,
    step_folder,
    table_hashes,
    version,
)
from ..rows import as_rows
from ..sampling.pairs import pair_id, pairs_fingerprint, read_drawn_pairs
from ..sampling.sample import read_sample, sample_fingerprint, sample_inputs
from ..steps import step_kinds
from ..tables import check_table
from ..validate import check_bool, check_float, check_idle, check_int, check_path, check_text
from ..verbs import public
from ..wording import Name, arg, quote, shortened, verb
from ..work import Failed, warn_of

#: The file that identifies a bundle and contains the hashes of its files; written last.
MANIFEST = "bundle.json"

#: The steps whose results are shared.
_STEPS = ("scan", "embed", "cluster", "sample", "pairs")

#: Settings of encoders that are numbers or our own words. Locations of weights, and content that an
#: encoder learnt from the corpus, are left out.
_ENCODER = (
    "name", "width", "registered", "weights_sha256", "resize", "precision", "input_size",
    "short_side", "long_side", "published", "interpolation", "mean", "sd", "directions", "cell",
    "colours", "colour_weight", "seed", "terms", "texts",
)  # fmt: skip

#: An absolute path, also behind a prefix such as "text:".
_PLACE = re.compile(r"(^|:)([/~]|[A-Za-z]:)|\\")

#: An address of mail or the web, or a handle, which the name of a group never contains.
_ADDRESS = re.compile(r"\S@\S|(?:^|\s)@\w|://|\bwww\.")

#: Columns of tables that reveal neither people nor places. Sizes identify a file for those who
#: have it.
_SCANNED = ("image_id", "format", "truncated", "status", "reason", "duplicate_of", "n_copies")
_SIZES = ("width", "height", "n_pages", "bytes")
_EMBEDDED = ("image_id", "n_copies")
_CLUSTERED = (
    "image_id", "cluster", "iteration", "silhouette", "distance", "n_copies",
    "second_cluster", "margin", "added", "wave",
)  # fmt: skip
_SAMPLED = (
    "image_id", "cluster", "cluster_name", "stratum", "wave", "draw", "N_h", "n_h",
    "inclusion_probability", "weight_corpus", "weight_cluster", "weight_share",
)  # fmt: skip
_RATED = (
    *("respondent_id", "group", "image_id", "cluster", "cluster_name", "item", "dimension"),
    *("rating", "stratum", *_SAMPLED[6:]),
)
_PAIRED = ("pair_id", "image_a", "image_b", "stratum", "N_h", "probability")

#: Counts of a step by reason, which are our own words.
_REASONS = ("reasons", "failed")

#: Columns of ratings that may identify respondents.
_NAMING = ("group", "item", "dimension")

#: Columns that hold ids of images, in any table.
_IDS = ("image_id", "duplicate_of", "image_a", "image_b")


#: The largest number of images on which the attack is measured.
_ATTACKED = 1000

#: The share of images that an attacker on projected vectors knows in advance.
_KNOWN = 0.1

WARNING = (
    "Embeddings are not anonymous: anybody with an image can find out whether it, or a similar "
    "one, is among them; labels such as sex or age can often be predicted from them; and rough "
    "images have been reconstructed from vectors of strong encoders."
)


@public
def share_bundle(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    ratings: pd.DataFrame | None = None,
    columns: Sequence[str] | None = None,
    noise: float | None = None,
    projection: int | None = None,
    new_ids: bool = False,
    key: str | os.PathLike[str] | None = None,
    thumbnails: bool = False,
    exclude: Exclude = None,
    warning: str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Write a folder with which others can check a study, without images, paths or names.

    With ``thumbnails`` it is a run folder for colleagues who may see the images but do not have the
    files.

    Parameters
    ----------
    run : path
        A run folder with embeddings. Its clusters, sample and pairs are included if they exist.
    out : path
        A new folder for the bundle, which is written completely or not at all.
    ratings : DataFrame, optional
        The result of :func:`read_ratings`. Respondents receive new random numbers.
    columns : sequence of str, optional
        Your own columns of the images, which are included unchanged; by default none, since
        captions, sources and dates can identify people. You are responsible for their content.
    noise : float, optional
        Adds normal noise to every number of the embeddings. Its standard deviation is this
        share of theirs (the root of their mean variance). It protects less than its size
        suggests, see Notes.
    projection : int, optional
        Multiplies the embeddings by a random matrix, which reduces them to this many numbers.
        Distances remain nearly the same (by Johnson and Lindenstrauss within a few per cent for
        500 numbers), and the axes of the encoder are lost. Applied before noise.
    new_ids : bool, default False
        Gives images new random ids, and leaves out the sizes of images and files.
    key : path, optional
        The CSV file for the key to the new ids; by default ``<name of out>-key.csv`` beside the
        run folder. The key reveals the original ids: never share it.
    thumbnails : bool, default False
        Include small copies of the images: JPEG files without metadata, whose longer side has at
        most 320 pixels, and the gallery. Galleries, montages, :func:`find_images`, coding sheets
        and pages for annotators then show these copies.
    exclude : sequence of str, path of a file, or DataFrame, optional
        With ``thumbnails``: images of which no copy is included, as in :func:`export_packets`.
        Their rows remain, since estimates need them.
    warning : str, optional
        With ``thumbnails``: a text about the images, which ``README.txt`` contains and the gallery
        shows before the first image.
    overwrite : bool, default False
        Replace an earlier bundle in ``out``.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder. :meth:`Embeddings.load` and :meth:`Clustering.load` read it, and its
        ``README.txt`` lists the content. It is a run folder, so that further steps can be stored
        in it. With thumbnails, ``gallery/index.html`` opens in a browser.

    Raises
    ------
    ImagestrataError
        If the run has no finished embeddings; ``out`` contains anything but a bundle or is in the
        run folder; ids of images differ from those of :func:`scan_images` (they may be names)
        although ``new_ids`` is False; or an argument is out of range.

    Warns
    -----
    UserWarning
        Always, about what embeddings reveal; with ``new_ids`` also the share of images that can
        still be linked to their files; with ``thumbnails`` the number of images that can be seen.

    Notes
    -----
    The id of an image is the beginning of the SHA-256 of its file. It does not reveal the image,
    but anybody with the same file can find out that it was in the corpus. ``new_ids=True`` replaces
    the ids, but does not make images anonymous: anybody with the files can compute their vectors
    and look for the nearest ones in the bundle. Only very strong noise prevents that, since noise
    spreads over hundreds of numbers. Measured on 3,887 photographs, of which an attacker has the
    files (``benchmarks/linkage.py``; a projection is reversed with a tenth of the images, which the
    attacker knows already):

    ===== ========== ============= ===================================
    noise projection images linked class predicted by the nearest five
    ===== ========== ============= ===================================
    none  none       100%          .89
    0.1   none       100%          .89
    0.5   none       99.9%         .88
    1     none       99.9%         .86
    2     none       93%           .69
    5     none       4%            .23
    10    none       0.3%          .12
    none  64         99%           .75
    1     64         8%            .50
    5     64         0%            .12
    ===== ========== ============= ===================================

    (MobileNetV2, 1,280 numbers; with fewer images, more of them are linked.) Noise that prevents
    linking also removes most of the information for which vectors are shared.

    The same attack is run on the bundle before it is written. The warning and ``README.txt``
    report the share of linked images. If presence in the corpus can harm someone, do not share
    vectors.

    Noise, projection and new ids come from the entropy of the operating system and not from a
    seed, and are not stored, since anybody who guesses a seed could remove the noise. The mean of
    several bundles of one study has less noise: share only one.

    With ``noise`` or ``projection``, silhouettes, distances and centroids are computed again from
    the shared vectors. These silhouettes compare all clusters and not those of one iteration. Ids
    of pairs are derived from the new ids, tables are sorted by ids, and times are reduced to days.
    ``n_copies`` and the sizes of clusters remain, since estimates need them: an image with an
    unusual number of copies may be recognised by it. The same holds for ``weight_share`` of a
    sample that was weighted by posts. Posts themselves are never included.
    """
    source = check_run("run", run)
    given = _check_columns(columns)
    if noise is not None:
        noise = check_float("noise", noise, minimum=0, maximum=10)
    if projection is not None:
        projection = check_int("projection", projection, minimum=1)
    new_ids, overwrite = check_bool("new_ids", new_ids), check_bool("overwrite", overwrite)
    thumbnails = check_bool("thumbnails", thumbnails)
    if thumbnails:
        check_idle(
            f"with {arg('thumbnails', True)}: the images can be seen",
            noise=(noise, None),
            projection=(projection, None),
        )
    else:
        check_idle(
            f"without {arg('thumbnails', True)}: no image is included",
            exclude=(exclude, None),
            warning=(warning, None),
        )
    warning = check_text("warning", warning)
    require_step(source, "embed")
    target = _check_target(source, check_path("out", out), overwrite)
    key_file = _check_key(key, source, target, new_ids, overwrite)
    embeddings = Embeddings.load(source)
    unknown = [name for name in given if name not in embeddings.images]
    if unknown:
        raise ImagestrataError(
            f"The images have no column {quote(unknown[0])}; they have "
            f"{', '.join(map(str, embeddings.images))}."
        )
    steps = _steps(source, given)
    tables = _tables(source, steps, given)
    if ratings is not None:
        tables["ratings.csv"] = _ratings(ratings)
    _check_story(source, steps, tables, embeddings)
    codes = _codes(tables, embeddings, new_ids)
    if new_ids and "images.parquet" in tables:
        tables["images.parquet"] = tables["images.parquet"].drop(columns=[*_SIZES])
    shown = _shown(source, embeddings.images, exclude) if thumbnails else None
    if shown is not None:
        for name in ("sample.csv", "pairs.csv"):
            if name in tables:
                tables[name] = _with_empty_paths(tables[name])
    protected = {"noise": noise, "projection": projection, "new_ids": new_ids}
    linked = None
    own, embeddings = embeddings, _shared_embeddings(embeddings, codes, given, noise, projection)
    if new_ids:
        recoded = pd.Index(own.images["image_id"].astype(str).map(codes))
        linked = linked_share(
            own.matrix, embeddings.matrix, recoded.get_indexer(embeddings.images["image_id"].array)
        )
    clustering = _shared_clustering(source, steps, embeddings, codes, given)

    workshop = _workshop(target)
    building = workshop / target.name  # the name is the title of the gallery
    lock = lock_folder(make_folder(workshop))
    shutil.rmtree(building, ignore_errors=True)  # of a killed process
    try:
        make_folder(building)
        tables = {name: _recoded(table, codes) for name, table in tables.items()}
        for name, table in tables.items():
            write_table(building / name, table)
        embeddings.save(building)
        if clustering is not None:
            clustering.save(building)
        _connect(steps, tables, embeddings, clustering)
        for name, entry in steps.items():
            entry["sha256"] = table_hashes(building, name)
        write_json(building / "run.json", {"imagestrata": version(), "steps": steps})
        n_shown = None
        if shown is not None:
            n_shown = _write_copies(source, shown, codes, building, progress)
            _write_gallery(building, warning)
        readme = _readme(building, protected, len(embeddings), linked, n_shown, warning)
        write_text(building / "README.txt", readme)
        hashes = {
            path.relative_to(building).as_posix(): file_hash(path)
            for path in sorted(building.rglob("*"))
            if path.is_file()
        }
        manifest: dict[str, Any] = {"imagestrata": version(), "protection": protected}
        manifest["sha256"] = hashes
        if n_shown is not None:
            manifest["thumbnails"] = n_shown
        write_json(building / MANIFEST, manifest)
        if key_file is not None:
            pairs = pd.DataFrame({"image_id": list(codes), "shared_id": list(codes.values())})
            write_table(key_file, pairs.sort_values("image_id"))
        if target.exists():
            shutil.rmtree(target)
        rename(building, target)
    finally:
        del lock
        shutil.rmtree(workshop, ignore_errors=True)
    warn(_warning(linked, n_shown))
    return target


def _workshop(target: Path) -> Path:
    """The folder in which a bundle is built."""
    return target.with_name(f".{target.name}.tmp")


def _clear(workshop: Path) -> None:
    """Remove the folder if its process was killed when the bundle had just left it."""
    if workshop.is_dir():
        with suppress(ImagestrataError):  # a process is at work there
            lock = lock_folder(workshop)
            del lock
            shutil.rmtree(workshop, ignore_errors=True)


def linked_share(
    original: NDArray[np.float32], shared: NDArray[np.float32], rows: NDArray[np.intp]
) -> float:
    """The share of images that anybody with the files can link to their shared vectors.

    Parameters
    ----------
    original : ndarray of shape (n, d)
        Vectors of the encoder for the files.
    shared : ndarray of shape (n, e)
        Vectors of the same images in the bundle. If e differs from d, the attacker knows a
        tenth of the images and learns the reverse projection from them.
    rows : ndarray of shape (n,)
        The row of ``original`` for each row of ``shared``.

    Returns
    -------
    float
        The share among at most 1,000 images, drawn at random.
    """
    order = np.random.default_rng(0).permutation(len(rows))
    middle = center = shared.mean(axis=0)
    way: NDArray[Any] | None = None
    if original.shape[1] != shared.shape[1]:
        known, order = np.split(order, [max(2, round(_KNOWN * len(order)))])
        middle, center = original[rows[known]].mean(axis=0), shared[known].mean(axis=0)
        way = np.linalg.lstsq(original[rows[known]] - middle, shared[known] - center)[0]
    theirs = shared - center
    squares = np.einsum("ij,ij->i", theirs, theirs)
    attacked = order[:_ATTACKED]
    hits = 0
    for some in np.array_split(attacked, max(1, len(attacked) // 100)):
        mine = original[rows[some]] - middle
        mine = mine if way is None else mine @ way
        nearest = np.argmin(squares[:, None] - 2 * theirs @ mine.T, axis=0)
        hits += int(np.sum(nearest == some))
    return hits / max(1, len(attacked))


def _warning(linked: float | None, n_shown: int | None) -> str:
    """What the bundle reveals.

    Parameters
    ----------
    linked : float or None
        The share of images that are linked despite new ids.
    n_shown : int or None
        The number of images of which the bundle has small copies.
    """
    told = WARNING
    if linked is not None:
        told += (
            f" Anybody with the files can link {linked:.0%} of the images to their vectors here, "
            "although the ids are new."
        )
    if n_shown is not None:
        told += (
            f" The bundle shows small copies of {plural(n_shown, 'image')}: give it only to people "
            "who may see them."
        )
    return told


def _check_columns(columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise ImagestrataError(f"{arg('columns')} must be a list of names, not {quote(columns)}.")
    names = [str(name) for name in columns or []]
    ours = [name for name in names if name == "path" or name in (*_CLUSTERED, *_SIZES)]
    if ours:
        raise ImagestrataError(
            f"{arg('columns')} must contain your own columns of the images, not {quote(ours[0])}.",
            "Paths are never shared; columns of this package are included without being named.",
        )
    return names


def _check_target(source: Path, target: Path, overwrite: bool) -> Path:
    inside = os.path.realpath(target)
    if (inside + os.sep).startswith(os.path.realpath(source) + os.sep):
        raise ImagestrataError(
            f"The bundle {quote(target)} would be in the run folder.",
            "The run folder contains paths and images: choose a folder elsewhere.",
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        if not (target / MANIFEST).is_file():
            raise ImagestrataError(
                f"{quote(target)} already exists and is not a bundle.", "Choose another name."
            )
        if not overwrite:
            _clear(_workshop(target.absolute()))
            raise ImagestrataError(
                f"{quote(target)} already holds a bundle.",
                f"Choose another folder, or use {arg('overwrite', True)} to replace it.",
            )
    make_folder(target.absolute().parent)
    return target.absolute()


def _check_key(key: Any, source: Path, target: Path, new_ids: bool, overwrite: bool) -> Path | None:
    """The file for the key to new ids; by default beside the run, which is not shared."""
    if not new_ids:
        if key is not None:
            raise ImagestrataError(
                f"{arg('key')} was given, but no new ids are asked for.",
                f"Use {arg('new_ids', True)} as well, or leave {arg('key')} out.",
            )
        return None
    beside = source.absolute().parent / f"{target.name}-key.csv"
    path = beside if key is None else check_path("key", key).absolute()
    if (os.path.realpath(path) + os.sep).startswith(os.path.realpath(target) + os.sep):
        raise ImagestrataError(
            f"The key {quote(str(path))} would be in the bundle and reveal the original ids.",
            "Choose a place that only you can read.",
        )
    if path.exists() and not overwrite:
        raise ImagestrataError(
            f"{quote(str(path))} already exists, and may be the key of another bundle.",
            f"Give another file as {arg('key')}, or use {arg('overwrite', True)}.",
        )
    make_folder(path.parent)
    return path


def _steps(source: Path, columns: list[str]) -> dict[str, Any]:
    """The entries of the finished steps in ``run.json``, without paths and the machine."""
    kept = {}
    for name in _STEPS:
        entry = find_step(source, name)[1]
        if entry is not None and entry["finished"]:
            require_step(source, name)
            settings = {key: _settled(value) for key, value in entry["settings"].items()}
            kept[name] = {
                "settings": settings,
                "inputs": None,
                "started": _day(entry.get("started", "")),
                "finished": _day(entry["finished"]),
                "versions": entry.get("versions", {}),
                "counts": _counted(entry.get("counts", {}), columns),
            }
    return kept


def _day(time: Any) -> str:
    """The date of a time, since the hour could reveal who worked."""
    return str(time).partition("T")[0]


def _counted(counts: Mapping[str, Any], columns: list[str]) -> dict[str, Any]:
    """Counts without endings of files, and without columns that are not shared."""
    shared = {*_SAMPLED, *_PAIRED, *columns}
    kept: dict[str, Any] = {}
    for name, value in counts.items():
        if name == "types" and isinstance(value, dict):
            kept[name] = {one: value[one] for one in value if one in shared}
        elif name in _REASONS or isinstance(value, int | float):
            kept[name] = value
    return kept


def _settled(value: Any) -> Any:
    """A setting that may be shared: a number, a logical value, or a text without a path."""
    if isinstance(value, dict):
        return _encoder(value)
    if isinstance(value, list):  # patterns of names
        return None
    if isinstance(value, str) and ("/" in value or "\\" in value):
        return None
    return value


def _encoder(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: settings[name]
        for name in _ENCODER
        if name in settings and not _PLACE.search(str(settings[name]))
    }


def _tables(source: Path, steps: Mapping[str, Any], columns: list[str]) -> dict[str, pd.DataFrame]:
    """The tables beside embeddings and clustering, with harmless columns only."""
    tables = {}
    if "scan" in steps:
        scanned = read_table(step_folder(source, "scan") / "images.parquet")
        tables["images.parquet"] = _only(scanned, [*_SCANNED, *_SIZES], columns)
    if "sample" in steps:
        tables["sample.csv"] = _only(read_sample(source), _SAMPLED, columns)
    if "pairs" in steps:
        tables["pairs.csv"] = _only(read_drawn_pairs(source), _PAIRED)
    return tables


def _check_story(
    source: Path,
    steps: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    embeddings: Embeddings,
) -> None:
    """Refuse tables that contradict each other, which older versions allowed in a run."""
    ids = pd.Series(True, index=embeddings.images["image_id"])
    held = {"embed": ids, "cluster": ids}
    if "cluster" in steps:
        images = Clustering.load(source).images
        held["cluster"] = images.set_index("image_id")["cluster"]
        _check_same("clustered images", images["image_id"], ids, True)
    if "sample.csv" in tables:
        sample = tables["sample.csv"]
        known = sample["cluster"] if "cluster" in steps else True
        _check_same("sampled images", sample["image_id"], held["cluster"], known)
    for name in ("image_a", "image_b") if "pairs.csv" in tables else ():
        _check_same("images of pairs", tables["pairs.csv"][name], ids, True)
    rated = tables.get("ratings.csv", pd.DataFrame())
    if "cluster" in steps and "cluster" in rated:
        _check_rated(rated.drop_duplicates("image_id"), held["cluster"])


def _check_rated(rated: pd.DataFrame, held: pd.Series[Any]) -> None:
    """Refuse ratings whose images are in other clusters of the run."""
    now = rated["image_id"].map(held)
    other = now.notna() & (now.astype(str) != rated["cluster"].astype(str))
    if other.any():
        first = rated["image_id"][other].iloc[0]
        raise ImagestrataError(
            f"{int(other.sum())} of {plural(len(rated), 'rated image')} are in another cluster of "
            f"the run than in {arg('ratings')}; the first is {quote(first)}.",
            "Join the ratings to the clusters of the run with "
            f"{verb('read_ratings', ..., clustering=Name('clustering'))}.",
        )


def _check_same(what: str, image_ids: pd.Series[str], held: pd.Series[Any], given: Any) -> None:
    """Refuse images whose value is missing or differs from the given one."""
    other = image_ids.map(held).astype(str) != pd.Series(given, index=image_ids.index).astype(str)
    if other.any():
        raise ImagestrataError(
            f"The run cannot be shared: {other.sum()} of {len(other)} {what} are missing in it or "
            f"in another cluster; the first is {quote(image_ids[other].iloc[0])}.",
            "Its tables come from different results. Run the later steps again.",
        )


def _only(table: pd.DataFrame, names: Sequence[str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Some columns, with categories as plain values: unused ones may name people."""
    some = table[[name for name in (*names, *columns) if name in table]]
    plain: dict[str, pd.Series] = {
        str(name): some[name].astype(some[name].cat.categories.dtype)
        for name in some
        if isinstance(some[name].dtype, pd.CategoricalDtype)
    }
    return some.assign(**plain)


def _ratings(ratings: pd.DataFrame) -> pd.DataFrame:
    needed = ("respondent_id", "image_id", "rating")
    table = _only(check_table("ratings", ratings, needed, "read_ratings"), _RATED)
    _check_no_names(table)
    people = sorted(table["respondent_id"].astype(str).unique())
    secrets.SystemRandom().shuffle(people)
    digits = len(str(len(people)))
    numbers = {person: f"r{n:0{digits}d}" for n, person in enumerate(people, start=1)}
    return table.assign(respondent_id=table["respondent_id"].astype(str).map(numbers))


def _check_no_names(ratings: pd.DataFrame) -> None:
    """Refuse ratings whose groups or items contain addresses or identify respondents."""
    for name in _NAMING:
        if name not in ratings:
            continue
        values = ratings[name].dropna().astype(str)
        found = values[values.str.contains(_ADDRESS)]
        if len(found):
            raise ImagestrataError(
                f"The column {quote(name)} of {arg('ratings')} contains addresses in "
                f"{plural(len(found), 'row')}; the first is {quote(shortened(found.iloc[0]))}.",
                "Replace them by names of groups or items: addresses must not be shared.",
            )
    people = ratings["respondent_id"].nunique()
    groups = ratings["group"].nunique() if "group" in ratings else 0
    if people > 5 and groups > people / 2:
        raise ImagestrataError(
            f"The column 'group' of {arg('ratings')} has {plural(groups, 'value')} for "
            f"{plural(people, 'respondent')}: it identifies them.",
            "Use groups of several respondents, such as parties: names must not be shared.",
        )


def _codes(
    tables: Mapping[str, pd.DataFrame], embeddings: Embeddings, new_ids: bool
) -> dict[str, str]:
    """The id that every image has in the bundle."""
    columns = [embeddings.images["image_id"], embeddings.failures["image_id"]]
    columns += [table[name] for table in tables.values() for name in _IDS if name in table]
    ids = pd.unique(pd.concat([column.astype(object) for column in columns]).dropna())
    if not new_ids:
        named = [str(one) for one in ids if not is_content_hash(str(one))]
        if named:
            raise ImagestrataError(
                f"{len(named)} of {plural(len(ids), 'id')} are your own and could identify people; "
                f"the first is {quote(named[0])}.",
                f"Use {arg('new_ids', True)}, which replaces them; you keep the key.",
            )
        return {str(one): str(one) for one in ids}
    drawn = {str(one): secrets.token_hex(10) for one in ids}
    assert len(set(drawn.values())) == len(drawn)
    return drawn


def _recoded(table: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    """The table with the ids of the bundle, sorted by them: the old order was that of paths."""
    ids = [name for name in _IDS if name in table]
    new = {name: table[name].map(codes, na_action="ignore") for name in ids}
    table = table.assign(**new)
    if "pair_id" in table:
        a, b = (new[name].astype(str).to_numpy() for name in ("image_a", "image_b"))
        ends = {"image_a": np.minimum(a, b), "image_b": np.maximum(a, b)}
        made = [pair_id(*pair) for pair in zip(*ends.values(), strict=True)]
        table = table.assign(pair_id=made, **ends)
    order = [name for name in ("respondent_id", *ids, "item") if name in table]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _connect(
    steps: dict[str, Any],
    tables: Mapping[str, pd.DataFrame],
    embeddings: Embeddings,
    clustering: Clustering | None,
) -> None:
    """Record the results of the bundle's steps, so that further steps can use them."""
    results: dict[str, str] = {"embed": embeddings_fingerprint(embeddings)}
    if "scan" in steps:
        scanned = tables["images.parquet"]
        results["scan"] = fingerprint(scanned.loc[scanned["status"] == "ok", "image_id"].tolist())
    if clustering is not None:
        results["cluster"] = clusters_fingerprint(clustering.images)
        steps["cluster"]["inputs"] = results["embed"]
    if "sample" in steps:
        results["sample"] = sample_fingerprint(tables["sample.csv"])
        shares = steps["sample"]["settings"]["shares"]
        if clustering is not None and shares in clustering.images:
            steps["sample"]["inputs"] = sample_inputs(clustering, shares)
    if "pairs" in steps:
        results["pairs"] = pairs_fingerprint(tables["pairs.csv"])
    for name, entry in steps.items():
        bases = [base for base in step_kinds()[name].after if base in results]
        entry |= {"result": results[name], "made_from": {base: results[base] for base in bases}}


def _with_empty_paths(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns for the paths of small copies, which readers fill in."""
    paths = {"image_id": "path", "image_a": "path_a", "image_b": "path_b"}
    there = [path for image_id, path in paths.items() if image_id in table]
    empty = pd.Series([None] * len(table), index=table.index, dtype="str")
    return table.assign(**dict.fromkeys(there, empty))


def _shown(source: Path, images: pd.DataFrame, exclude: Exclude) -> pd.DataFrame:
    """The images of which the bundle has small copies."""
    scanned = step_folder(source, "scan") / "images.parquet"
    known = read_scanned(source) if scanned.is_file() else images
    hidden = excluded(known, exclude, "the run")
    return images.loc[~images["image_id"].isin(hidden), ["image_id", "path"]]


def _write_copies(
    source: Path, images: pd.DataFrame, codes: Mapping[str, str], building: Path, progress: Progress
) -> int:
    """Write small copies of images, those of the run's gallery if it has some; return how many."""
    made_in = building.with_name(f"{building.name}-copies")
    shutil.rmtree(made_in, ignore_errors=True)
    homes = dict.fromkeys([source, step_folder(source, "scan")])
    for image_id in filter(is_content_hash, images["image_id"].astype(str)):
        target = small_file(made_in, image_id)
        for home in homes:
            found = small_file(small_folder(home, HEIGHT), image_id)
            if found.is_file():
                ensure_folder(target.parent)
                try:
                    shutil.copyfile(found, target)
                except OSError as error:
                    raise write_error(target, error) from None
    made = make_thumbnails(images, made_in, longer_side(HEIGHT), progress)
    lost = [one.reason for one in made if isinstance(one, Failed)]
    for image_id, one in zip(images["image_id"], made, strict=True):
        if not isinstance(one, Failed):
            target = small_file(small_folder(building, HEIGHT), codes[str(image_id)])
            ensure_folder(target.parent)
            small_file(made_in, one.name).replace(target)
    warn_of(lost, len(images), "copied")
    return len(images) - len(lost)


def _write_gallery(building: Path, warning: str | None) -> None:
    """Write the gallery of a bundle with clusters, and remove who made it, when and where."""
    if "cluster" not in read_run(building)["steps"]:
        return
    sample = read_sample(building) if (building / "sample.csv").is_file() else None
    clustering = Clustering.load(building)
    image_gallery(
        clustering, building, sample=sample, thumbnail=HEIGHT, warning=warning, view=False,
        progress=False,
    )  # fmt: skip
    run = read_run(building)
    entry = run["steps"]["gallery"]
    kept = (
        "settings",
        "inputs",
        "made_from",
        "versions",
        "counts",
        "sha256",
        "originals",
        "vectors",
    )
    days = {name: _day(entry[name]) for name in ("started", "finished")}
    run["steps"]["gallery"] = days | {name: entry[name] for name in kept}
    write_json(building / "run.json", run)
    (building / ".lock").unlink(missing_ok=True)


def _shared_embeddings(
    embeddings: Embeddings,
    codes: Mapping[str, str],
    columns: list[str],
    noise: float | None,
    projection: int | None,
) -> Embeddings:
    matrix = protected_matrix(embeddings.matrix, noise, projection)
    images = _without_paths(_only(embeddings.images, _EMBEDDED, columns), codes)
    failures = _without_paths(_only(embeddings.failures, (*_EMBEDDED, "reason"), columns), codes)
    encoder = _encoder(embeddings.encoder)
    if noise is not None or projection is not None:
        # They differ from the vectors of the encoder, and must not be mistaken for them.
        encoder |= {"noise": noise, "projection": projection}
        encoder["name"] = f"{encoder.get('name', 'vectors')} (protected)"
    encoder["width"] = matrix.shape[1]
    order = np.argsort(images["image_id"].to_numpy(dtype=str), kind="stable")
    return Embeddings(
        images.iloc[order].reset_index(drop=True), matrix[order], encoder, failures=failures
    )


def protected_matrix(
    matrix: NDArray[np.float32], noise: float | None, projection: int | None
) -> NDArray[np.float32]:
    rng = np.random.default_rng(secrets.randbits(256))
    if projection is not None:
        if projection >= matrix.shape[1]:
            raise ImagestrataError(
                f"{arg('projection')} must be less than {matrix.shape[1]}, the width of the "
                f"embeddings, not {projection}."
            )
        axes = rng.standard_normal((matrix.shape[1], projection), dtype=np.float32)
        matrix = matrix @ axes / np.float32(np.sqrt(projection))
    if noise is not None:
        scale = noise * float(np.sqrt(matrix.var(axis=0, dtype=np.float64).mean()))
        matrix = matrix + scale * rng.standard_normal(matrix.shape, dtype=np.float32)
    return matrix.astype(np.float32, copy=False)


def _without_paths(images: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    images = images.assign(image_id=images["image_id"].astype(str).map(codes))
    images.insert(1, "path", pd.Series([None] * len(images), index=images.index, dtype="str"))
    return images


def _shared_clustering(
    source: Path,
    steps: Mapping[str, Any],
    embeddings: Embeddings,
    codes: Mapping[str, str],
    columns: list[str],
) -> Clustering | None:
    if "cluster" not in steps:
        return None
    clustering = Clustering.load(source)
    ours = [*_CLUSTERED, *names_in(clustering.clusters)]
    images = _without_paths(_only(clustering.images, ours, columns), codes)
    images = images.sort_values("image_id", kind="stable", ignore_index=True)
    settings = {
        key: _settled(value) for key, value in clustering.settings.items() if key != "encoder"
    }
    settings |= {"encoder": embeddings.encoder, "width": embeddings.matrix.shape[1]}
    vectors = as_rows(embeddings.matrix, settings.get("normalize"))
    rows = pd.Index(embeddings.images["image_id"]).get_indexer(images["image_id"])
    labels = np.full(len(vectors), -1)
    clusters = clustering.clusters
    labels[rows] = pd.Index(clusters["cluster"]).get_indexer(images["cluster"])
    first = labels.copy()
    first[rows[images["added"]]] = -1
    means = centroids(vectors, first, len(clusters))
    if embeddings.encoder.get("noise") is not None or "projection" in embeddings.encoder:
        # Those of the exact vectors would reveal the exact vectors.
        measure = pick_measure("auto", len(rows))
        images["silhouette"] = silhouettes(as_vectors(vectors), labels, measure)[rows]
        found = memberships(vectors, means, labels)
        images["distance"] = found.distances[rows]
        if "margin" in images:
            second = second_numbers(found.second, clusters["cluster"].to_numpy())
            images["second_cluster"], images["margin"] = second[rows], found.margins[rows]
        mean = images.groupby("cluster")["silhouette"].mean()
        clusters = clusters.assign(silhouette=clusters["cluster"].map(mean).to_numpy())
    # The ledger contains notes, names of people, and images that are not shared.
    return replace(
        clustering, images=images, clusters=clusters, centroids=means, settings=settings,
        edits=ledger(),
    )  # fmt: skip


def _readme(
    folder: Path,
    protected: Mapping[str, Any],
    n_images: int,
    linked: float | None,
    n_shown: int | None,
    warning: str | None,
) -> str:
    """The README of the bundle, for its recipients."""
    there = {
        "images.parquet": "every file that was scanned, with its status and reason",
        "embeddings": "a vector for each of the {n:,} images",
        "clustering.parquet": "the cluster of each image (-1: none); see also clusters.parquet,\n"
        "    trace.parquet, searches.parquet, centroids.parquet, clustering.json",
        "sample.csv": "the images that were drawn, with weights",
        "pairs.csv": "the pairs of images that were drawn, with probabilities",
        "ratings.csv": "the answers of respondents, whose numbers are random",
        "gallery": f"small copies of {n_shown} images; index.html shows the clusters in a browser",
        "run.json": "settings of each step, and versions of the software",
    }
    listed = "\n".join(
        f"  {name}\n    {what.format(n=n_images)}"
        for name, what in there.items()
        if (folder / name).exists()
    )
    ids = (
        "Ids are random; the authors of this bundle keep the key."
        if protected["new_ids"]
        else "The id of an image is the beginning of the SHA-256 of its file: anybody with the\n"
        "same file can find it here."
    )
    changes = {
        "projection": "projected at random to {} numbers",
        "noise": "with noise added, its standard deviation {} of theirs",
    }
    vectors = " and ".join(
        text.format(protected[name])
        for name, text in changes.items()
        if protected[name] is not None
    )
    changed = f"The embeddings are {vectors}. Silhouettes and distances are\n"
    changed = f"{changed}computed from these vectors.\n\n" if vectors else ""
    first = "" if warning is None else f"{textwrap.fill(warning, 96)}\n\n"
    without = "no images" if n_shown is None else "small copies of images, no originals"
    return f"""A study of images, without the {"images" if n_shown is None else "originals"}

Made with imagestrata {version()}. It contains {without}, no paths and no names of files.

{first}{listed}

{ids}

{changed}{textwrap.fill(_warning(linked, n_shown), 96)}

In Python:
  from imagestrata import Clustering, Embeddings
  embeddings = Embeddings.load("this-folder")
  clustering = Clustering.load("this-folder")

In R:
  library(imagestrata)
  embeddings <- read_embeddings("this-folder")
  clustering <- read_clustering("this-folder")
  sample <- read.csv("this-folder/sample.csv", colClasses = c(image_id = "character"))

{MANIFEST} contains the SHA-256 of every other file.
"""
