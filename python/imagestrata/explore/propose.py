"""Names for clusters, proposed by machine: their keywords, or a model that sees their images."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..clustering.clustering import (
    Clustering,
    check_clustering,
    rank_images,
    select_clusters,
)
from ..clustering.edit import check_run, edit_clusters
from ..corpus.pictures import make_all
from ..corpus.scan import scan_images
from ..errors import ImagestrataError, plural, warn
from ..progress import Progress
from ..text.describe import ask_about
from ..text.local import LocalModel
from ..text.server import ModelServer
from ..validate import check_bool, check_idle, check_int, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from ..work import Failed
from .keywords import check_keywords, cluster_keywords
from .tiles import GAP, TILE, square

if TYPE_CHECKING:
    from PIL import Image

#: The question to a model. Its keywords follow, if there are any.
NAMING_PROMPT = (
    "These images are typical of one visual topic in a collection of images. Propose a short name "
    "for the topic, of two to five words. Answer with the name only."
)

#: Images on a side of the square collage that a model sees.
_SIDE = 3

#: Keywords that a model sees, and the number of letters of a name.
_KEYWORDS, _LETTERS = 10, 80


@public
def propose_names(
    clustering: Clustering,
    by: str | ModelServer | LocalModel = "keywords",
    *,
    keywords: pd.DataFrame | None = None,
    clusters: int | Iterable[int] | None = None,
    n_words: int = 3,
    prompt: str = NAMING_PROMPT,
    max_tokens: int = 50,
    temperature: float | None = None,
    budget: float | None = None,
    consent: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Clustering:
    """Propose names for clusters, by keywords or by a model that sees their typical images.

    Proposals are not names: ``cluster_name`` does not change until a person accepts them.

    Parameters
    ----------
    clustering : Clustering
        It does not change: the one with the proposals is returned.
    by : "keywords", ModelServer or LocalModel; default "keywords"
        Names are the first words that are typical of the cluster; or a vision language model, as
        for :func:`describe_images`, sees the nine most typical images of each cluster and its ten
        first keywords.
    keywords : DataFrame, optional
        The result of :func:`cluster_keywords`. By default they are found in the column
        ``description`` of the clustering's images; a model needs none.
    clusters : int or sequence of int, optional
        The clusters; by default all without a name.
    n_words : int, default 3
        Number of keywords in a name. A name that two clusters would share has more.
    prompt : str
        The question to a model. If there are keywords, a sentence with them is appended.
    max_tokens, temperature, budget, consent : optional
        As in :func:`describe_images`, for a model. What leaves this machine is one collage per
        cluster, and its keywords.
    out : path, optional
        Run folder of the clustering, in which the proposals are stored as
        :func:`edit_clusters` stores edits. A model requires it: each answer is stored as soon as
        it arrives and never paid for twice.
    overwrite : bool, default False
        As in :func:`edit_clusters`.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Clustering
        Its ledger ``edits`` has a line with the action "propose" for each proposal, whose editor is
        "keywords" or the model. ``Clustering.proposals`` lists those that are open.

    Raises
    ------
    ImagestrataError
        If there are no keywords, a cluster does not exist, ``out`` is missing for a model or
        contains another clustering, and as :func:`describe_images`.

    Warns
    -----
    UserWarning
        If some clusters get no proposal.

    Notes
    -----
    *Accepting.* ``edit_clusters(topics, accept=True)`` gives all clusters their proposed names,
    ``accept=[3, 7]`` some of them; ``names={3: "Protest"}`` gives another one. In a CSV file of the
    ledger, write "name" in place of "propose" in the column ``action``. The accepted name is an
    edit of its own, so that the ledger shows what a machine proposed and what a person decided.
    A proposal lapses when its cluster is named, merged, split or dropped.

    *Reporting.* A name that a machine proposed and nobody checked is not a finding. Look at random
    images of a cluster, ``plot_montage(topics, order="random")``, before you accept it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from imagestrata import cluster_images, cluster_keywords, edit_clusters, propose_names
    >>> vectors = np.repeat(np.eye(2), 2, axis=0)
    >>> found = cluster_images(vectors, method="kmeans", n_clusters=2, progress=False)
    >>> texts = pd.DataFrame({
    ...     "image_id": ["1", "2", "3", "4"],
    ...     "description": ["a grey cat", "one cat, asleep", "the dog barks", "dog and ball"],
    ... })
    >>> proposed = propose_names(found, keywords=cluster_keywords(found, texts))
    >>> proposed.proposals["proposal"].tolist()
    ['cat', 'dog']
    >>> edit_clusters(proposed, accept=True).clusters["cluster_name"].tolist()
    ['cat', 'dog']
    """
    check_clustering(clustering)
    n_words = check_int("n_words", n_words, minimum=1)
    overwrite, consent = check_bool("overwrite", overwrite), check_bool("consent", consent)
    chosen = select_clusters(clustering, _unnamed(clustering) if clusters is None else clusters)
    chosen = [number for number in chosen if number != -1]
    if not chosen:
        raise ImagestrataError(
            "There is no cluster to name: all have names.", f"Name them in {arg('clusters')}."
        )
    if out is not None:
        check_run(clustering, check_path("out", out))
    if isinstance(by, str):
        if by != "keywords":
            raise ImagestrataError(
                f'{arg("by")} must be "keywords" or a model, not {quote(by)}.',
                f"A model is {verb('ModelServer', by)}, for instance.",
            )
        check_idle(
            "with keywords", prompt=(prompt, NAMING_PROMPT), max_tokens=(max_tokens, 50),
            temperature=(temperature, None), budget=(budget, None), consent=(consent, False),
        )  # fmt: skip
        if keywords is None:
            keywords = cluster_keywords(clustering)
        terms = check_keywords(keywords, len(keywords))
        found = {number: (name, by) for number, name in _names_of(terms, n_words).items()}
    else:
        if out is None:
            raise ImagestrataError(
                f"A model needs {arg('out')}, the run folder of the clustering, in which its "
                "answers are stored.",
                f"Call {verb('cluster_images', ..., out='run')} first, then "
                f"{verb('propose_names', ..., out='run')}.",
            )
        terms = check_keywords(keywords, _KEYWORDS)
        found = _by_model(
            clustering, by, chosen, terms, Path(out), progress, prompt=prompt, budget=budget,
            max_tokens=max_tokens, temperature=temperature, consent=consent,
        )  # fmt: skip
    lines = pd.DataFrame(
        [
            {"action": "propose", "clusters": str(number), "name": name, "editor": editor}
            for number, (name, editor) in found.items()
            if number in chosen
        ]
    )
    if lines.empty:
        raise ImagestrataError(
            f"No name was found for {plural(len(chosen), 'cluster')}.",
            f"Give {arg('keywords')} of these clusters, the result of {verb('cluster_keywords')}."
            if isinstance(by, str)
            else "Ask another model.",
        )
    if len(lines) < len(chosen):
        lost = [number for number in chosen if number not in found]
        warn(
            f"{len(lost)} of {plural(len(chosen), 'cluster')} have no proposal: "
            f"{', '.join(map(str, lost[:20]))}."
        )
    return edit_clusters(clustering, edits=lines, out=out, overwrite=overwrite)


def _unnamed(clustering: Clustering) -> list[int]:
    table = clustering.clusters
    if "cluster_name" in table:
        table = table[table["cluster_name"].isna()]
    numbers: list[int] = table["cluster"].tolist()
    return numbers


def _names_of(terms: Mapping[int, list[str]], n_words: int) -> dict[int, str]:
    """The first words of each cluster; more of them for names that would otherwise be equal."""
    length = {number: min(n_words, len(words)) for number, words in terms.items()}
    while True:
        names = {number: ", ".join(terms[number][:n]) for number, n in length.items()}
        counts = pd.Series(names).value_counts()
        more = [i for i in names if counts[names[i]] > 1 and length[i] < len(terms[i])]
        if not more:
            return names
        for number in more:
            length[number] += 1


def _by_model(
    clustering: Clustering,
    model: Any,
    clusters: list[int],
    terms: Mapping[int, list[str]],
    out: Path,
    progress: Progress,
    *,
    prompt: Any,
    **asking: Any,
) -> dict[int, tuple[str, str]]:
    """The name of each cluster by a model, and the model."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ImagestrataError(f"{arg('prompt')} must be a text, not {quote(prompt)}.")
    prompts = {number: _question(prompt, terms.get(number, [])) for number in clusters}
    with tempfile.TemporaryDirectory() as folder:
        paths = _collages(clustering, clusters, prompts, Path(folder))
        if not paths:
            raise ImagestrataError(
                f"No image of {plural(len(clusters), 'cluster')} can be read.",
                f"If images moved, {verb('relink')} finds them.",
            )
        scanned = scan_images([*paths.values()], progress=False)
        ids = scanned.set_index("path")["image_id"]
        id_of = {number: str(ids[path]) for number, path in paths.items()}
        answers = ask_about(
            scanned, model, out, {image_id: prompts[i] for i, image_id in id_of.items()},
            prompt=prompt, side=_SIDE * (TILE + GAP), progress=progress, **asking,
        )  # fmt: skip
    names = dict(
        zip(answers["image_id"], answers["description"].fillna("").map(_tidied), strict=True)
    )
    models = dict(zip(answers["image_id"], answers["model"].fillna(str(model.model)), strict=True))
    return {
        number: (names[image_id], models[image_id])
        for number, image_id in id_of.items()
        if names[image_id]
    }


def _question(prompt: str, terms: list[str]) -> str:
    if not terms:
        return prompt
    return f"{prompt} Words that are typical of texts about these images: {', '.join(terms)}."


def _collages(
    clustering: Clustering, clusters: list[int], prompts: Mapping[int, str], folder: Path
) -> dict[int, str]:
    """A file with the typical images of each cluster that can be read.

    Each carries its question as a text, so that its content, and hence its id, depends on both.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    n = _SIDE**2
    # A few more, in place of those that cannot be read.
    shown = rank_images(clustering.images, clusters).groupby("cluster").head(2 * n)
    made = make_all(square, shown, False, "Collages")
    tiles: dict[int, list[Image.Image]] = {}
    for number, tile in zip(shown["cluster"], made, strict=True):
        if not isinstance(tile, Failed) and len(tiles.setdefault(number, [])) < n:
            tiles[number].append(tile)
    paths = {}
    for number, some in tiles.items():
        columns = min(_SIDE, len(some))
        rows = -(-len(some) // columns)
        step = TILE + GAP
        canvas = Image.new("RGB", (columns * step - GAP, rows * step - GAP), "white")
        for i, tile in enumerate(some):
            canvas.paste(tile, (i % columns * step, i // columns * step))
        text = PngInfo()
        text.add_itxt("question", prompts[number])
        paths[number] = str(folder / f"{number}.png")
        canvas.save(paths[number], pnginfo=text)
    return paths


def _tidied(text: str) -> str:
    """The name in an answer: its first line, without quotation marks and the final stop.

    Nor does it have characters that cannot be seen, which could move text on terminals.
    """
    lines = "".join(one for one in text if one.isprintable() or one.isspace()).strip().splitlines()
    lines = lines or [""]
    name = " ".join(lines[0].split()).strip("*_# \"'“”„«»‘’").rstrip(".").strip("\"'“”„«»‘’ ")
    return name[:_LETTERS].strip()
