"""Turn the text of every image into a vector."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.scan import images_step
from ..embeddings.embeddings import Embeddings, read_embeddings, write_embeddings
from ..embeddings.inputs import embeddings_fingerprint
from ..embeddings.parts import begin
from ..errors import ImagestrataError, MissingWeightsError, first_line, plural, warn
from ..extras import require
from ..files import Parts, hash_of_files
from ..progress import Progress, track
from ..provenance import fingerprint
from ..tables import varying, with_file, with_text_ids
from ..validate import check_bool, check_int, expand_home
from ..verbs import public
from ..wording import SAME_CALL, arg, kind_of, quote, verb
from ..work import cut, open_work
from .consent import ask_consent
from .origin import from_texts
from .server import Connection, Declined, ModelServer, Purse, Unanswered, Usage
from .tag_table import decided

#: The number of most frequent terms that TF-IDF uses: 330 MB of vectors for 20,000 images.
_MOST_TERMS = 4096

#: The number of texts that go to a model or a server together.
_BATCH = 64

_PREFIX = "text:"

#: A token is about four letters of English; three give a cautious estimate.
_LETTERS_PER_TOKEN = 3


@public
def embed_text(
    texts: pd.DataFrame,
    encoder: str | ModelServer = "tfidf",
    *,
    column: str = "description",
    terms: int = 20,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    consent: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Embeddings:
    """Turn the text of every image into a vector, to cluster images by their texts.

    Parameters
    ----------
    texts : DataFrame
        ``image_id`` and a column of texts: the result of :func:`describe_images` or
        :func:`link_posts`, or your own table with captions. If an image has several rows, their
        texts are joined, and columns in which these rows differ are left out, with a warning. Rows
        without ``image_id``, such as those of posts without an image, are left out as well.
    encoder : str or ModelServer, default "tfidf"
        - ``"tfidf"``: the weights of the most typical words of each text; needs no model;
        - ``"text:<name>"``: a model of the library sentence-transformers, such as
          ``"text:all-MiniLM-L6-v2"``;
        - a :class:`ModelServer` with a model for embeddings, such as
          ``ModelServer("text-embedding-3-small")``.
    column : str, default "description"
        The column that holds the texts.
    terms : int, default 20
        For ``"tfidf"``: the number of words of a text that count, those with the highest
        weights. The study that introduced this method tries 10, 20 and 30.
    weights : path, optional
        For ``"text:<name>"``: the folder of the model, if it is on this machine; otherwise the
        library downloads the model once.
    device : str, default "auto"
        For ``"text:<name>"``: the device of the model, see :func:`embed_images`.
    consent : bool, default False
        Whether the texts may leave this machine. Required for servers elsewhere.
    out : path, optional
        Run folder. Vectors are written to ``embeddings/`` there.
    overwrite : bool, default False
        Replace other embeddings in ``out``, and the steps that use them.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Embeddings
        For :func:`cluster_images`, in the order of the images. Images without a text (with the
        ``reason`` of the table, if it has one), or without a word that ``"tfidf"`` uses, are
        rows of ``failures``.

    Raises
    ------
    MissingWeightsError
        If the model is not on this machine and cannot be downloaded.
    ImagestrataError
        If no image has a text, a library is missing (the error names the extra to install),
        consent is missing, the server gives no answer, or ``out`` cannot be written or holds
        other embeddings.

    Notes
    -----
    ``"tfidf"`` leaves out English stop words and words that occur in a single text, and uses the
    4,096 most frequent of the others. Vectors have length 1. Models read only the beginning of a
    long text: all-MiniLM-L6-v2 reads 256 tokens, about 190 words.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import embed_text
    >>> texts = pd.DataFrame({
    ...     "image_id": ["a", "b", "c"],
    ...     "description": ["A red flag.", "Two red flags, one flag white.", "White, red."],
    ... })
    >>> embed_text(texts, progress=False)
    Embeddings of 3 images, 3 numbers each, by tfidf
    """
    terms = check_int("terms", terms, minimum=1)
    consent = check_bool("consent", consent)
    overwrite = check_bool("overwrite", overwrite)
    images, words = _texts(texts, column)
    settings, encode = _encoder(encoder, terms, weights, device, consent)
    settings["texts"] = fingerprint(words)
    step = images_step(out, "embed", settings, images, overwrite, from_texts(out, texts, column))

    def make() -> Embeddings:
        given = images["reason"].isna()
        texts = [word for word, one in zip(words, given, strict=True) if one]
        matrix, learnt = encode(texts, step.parts, progress)
        return _assemble(images, matrix, {**settings, **learnt, "width": matrix.shape[1]})

    def write(result: Embeddings, run: Path) -> dict[str, Any]:
        begin(run / "embeddings")
        write_embeddings(result, run / "embeddings")
        return {"images": len(result), "failed": len(result.failures)}

    return step.result(
        lambda run: read_embeddings(run / "embeddings"),
        make,
        write,
        identity=embeddings_fingerprint,
    )


#: A function of texts, a place for unfinished work, and progress. It returns a vector for each
#: text, and the settings that are known only afterwards.
_Encode = Callable[[Sequence[str], Parts | None, Progress], tuple[NDArray[Any], dict[str, Any]]]


#: Columns of an image of which the first value is kept: the others are those of copies.
_OF_FILES = ("path", "file", "n_copies", "reason")
#: Columns of the result of tag_images() that describe a row.
_OF_TAGS = (
    "rank", "confidence", "decision", "split", "code", "kind", "emotion", "emotion_confidence",
    "age_low", "age_high",
)  # fmt: skip


def _texts(texts: Any, column: str) -> tuple[pd.DataFrame, list[str]]:
    """The images, with a ``reason`` for those without a text, and the texts."""
    if not isinstance(texts, pd.DataFrame):
        raise ImagestrataError(
            f"{arg('texts')} must be a table with image_id and a column of texts, not "
            f"{kind_of(texts)}."
        )
    absent = [name for name in ("image_id", column) if name not in texts]
    if absent:
        raise ImagestrataError(
            f"{arg('texts')} lacks the column {quote(absent[0])}; it has "
            f"{', '.join(map(str, texts.columns))}.",
            f"Give the name of the column with the texts as {arg('column')}.",
        )
    table = with_text_ids(texts.reset_index(drop=True))
    lost = int(table["image_id"].isna().sum())
    if lost == len(table):
        raise ImagestrataError(f"No row of {arg('texts')} ({plural(lost, 'row')}) has an image_id.")
    if lost:
        warn(
            f"{lost:,} of {plural(len(table), 'row')} of {arg('texts')} have no image_id and are "
            "left out."
        )
        table = table[table["image_id"].notna()]
    if column == "label":
        table = decided(table.reset_index(drop=True))
    joined = table.groupby("image_id", sort=False)[column].agg(
        lambda some: " ".join(text for text in map(str, some.dropna()) if text.strip())
    )
    words: list[str] = joined.tolist()
    if not any(words):
        raise ImagestrataError(
            f"None of {plural(len(joined), 'image')} has a text in the column {quote(column)}."
        )
    others = table.drop(columns=[column, *(name for name in _OF_FILES if name in table)])
    differ = varying(others, others["image_id"])
    torn = [name for name in differ if name not in _OF_TAGS]
    if torn:
        warn(
            f"Rows of the same image have other values in {', '.join(map(quote, torn))}: the "
            "images have one row each and leave these columns out.",
            f"Keep your table: {verb('link_posts')} links each of its rows to the clusters.",
        )
    images = table.drop_duplicates("image_id").drop(columns=[column, *differ])
    images = images.reset_index(drop=True)
    if "path" not in images:
        images["path"] = pd.Series([None] * len(images), dtype="str")
    if "n_copies" not in images:
        images["n_copies"] = 1
    told = images["reason"] if "reason" in images else pd.Series([None] * len(images), dtype="str")
    empty = np.array([not text for text in words])
    images["reason"] = told.fillna("no text").where(empty, None)
    images = with_file(images)
    first = ["image_id", "path", "file", "n_copies"]
    return images[[*first, *(name for name in images if name not in first)]], words


def _encoder(
    encoder: Any, terms: int, weights: Any, device: str, consent: bool
) -> tuple[dict[str, Any], _Encode]:
    """The settings that affect the vectors, and the function that computes these."""
    if weights is not None and not str(encoder).startswith(_PREFIX):
        raise ImagestrataError(
            f"{arg('weights', weights)} was given, but the encoder takes no weights.",
            f'Leave {arg("weights")} out, or give the model as "text:<name>".',
        )
    if isinstance(encoder, ModelServer):
        settings: dict[str, Any] = {"name": encoder.model, "base_url": encoder.base_url}
        return settings, lambda *given: (_from_server(encoder, consent, *given), {})
    if encoder == "tfidf":
        settings = {"name": "tfidf", "terms": terms}
        return settings, lambda words, _, progress: _tfidf(words, terms)
    if not isinstance(encoder, str) or not re.match(f"{_PREFIX}.", encoder):
        raise ImagestrataError(
            f"The encoder of texts {quote(encoder)} is unknown.",
            'Choose "tfidf", "text:all-MiniLM-L6-v2" (or another model of sentence-transformers), '
            "or a ModelServer.",
        )
    model, sha256 = _sentence_model(encoder, weights, device)
    settings = {"name": encoder, "weights_sha256": sha256}
    return settings, lambda words, _, progress: (_from_model(model, words, progress), {})


def _assemble(images: pd.DataFrame, matrix: NDArray[Any], settings: dict[str, Any]) -> Embeddings:
    """Embeddings of the images with a text; a vector of zeros counts as missing."""
    vectors = matrix.astype(np.float32)
    says_something = np.asarray(vectors.any(axis=1))
    reasons = images["reason"].copy()
    with_text = np.flatnonzero(reasons.isna())
    reasons.iloc[with_text[~says_something]] = "no informative words"
    kept = reasons.isna()
    if not kept.any():
        raise ImagestrataError(
            f"None of {plural(len(with_text), 'text')} shares a word with another one.",
            'Use longer texts, or an encoder such as "text:all-MiniLM-L6-v2".',
        )
    failures = images[~kept].assign(reason=reasons[~kept]).reset_index(drop=True)
    failures = failures[[*(name for name in failures if name != "reason"), "reason"]]
    columns = images.drop(columns="reason")
    return Embeddings(
        columns[kept].reset_index(drop=True), vectors[says_something], settings, failures=failures
    )


def _tfidf(words: Sequence[str], terms: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """TF-IDF of the ``terms`` most typical words of each text, as vectors of length 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    vectorizer = TfidfVectorizer(
        stop_words="english", min_df=2, max_features=_MOST_TERMS, dtype=np.float32
    )
    try:
        weights = vectorizer.fit_transform(words).tocsr()
    except ValueError:  # no word is left
        return np.zeros((len(words), 1), dtype=np.float32), {}
    for row in range(weights.shape[0]):
        values = weights.data[weights.indptr[row] : weights.indptr[row + 1]]
        if len(values) > terms:
            # The sort is stable, so that of tied words the alphabetically first one counts.
            values[np.argsort(-values, kind="stable")[terms:]] = 0
    used = np.asarray(weights.sum(axis=0)).ravel() > 0
    vocabulary = vectorizer.get_feature_names_out()[used].tolist()
    idf = vectorizer.idf_[used]
    learnt = hashlib.sha256("\n".join(vocabulary).encode() + idf.tobytes()).hexdigest()
    return normalize(weights[:, used]).toarray(), {"weights_sha256": learnt}


def _sentence_model(
    name: str, weights: str | os.PathLike[str] | None, device: str
) -> tuple[Any, str | None]:
    """A model of sentence-transformers, and the hash of its weights if they were given."""
    library = require("sentence_transformers", "text", f"The encoder {name!r}")
    from ..encoders.inference import pick_device

    place = name.removeprefix(_PREFIX)
    sha256 = None
    if weights is not None:
        folder = expand_home(weights)
        if not (folder / "modules.json").is_file():
            raise MissingWeightsError(
                f"{quote(folder)} is not the folder of a model of sentence-transformers: it has "
                "no modules.json.",
                "Give the folder that SentenceTransformer(...).save() writes, or that a download "
                "unpacks to.",
            )
        place = str(folder)
        files = sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.bin")])
        sha256 = hash_of_files(files)
    try:
        model = library.SentenceTransformer(
            place,
            device=str(pick_device(device)),
            local_files_only=weights is not None,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise MissingWeightsError(
            f"The model {quote(place)} could not be loaded ({first_line(error)}).",
            "Without a network, copy its folder from another machine and give it as "
            f"{arg('weights')}; {arg('encoder', 'tfidf')} needs no model.",
        ) from None
    return model, sha256


def _from_model(model: Any, words: Sequence[str], progress: Progress) -> NDArray[Any]:
    blocks = []
    with track(progress, "Embedding", len(words), "texts") as advance:
        for some in cut(list(words), _BATCH):
            blocks.append(model.encode(some, convert_to_numpy=True, show_progress_bar=False))
            advance(len(some))
    return np.concatenate(blocks)


def _from_server(
    server: ModelServer,
    consent: bool,
    words: Sequence[str],
    parts: Parts | None,
    progress: Progress,
) -> NDArray[Any]:
    """Vectors from a server, batch by batch; each batch is stored as it arrives."""
    batches = cut(list(words), _BATCH)
    keys = [fingerprint(batch) for batch in batches]
    stored = {key: None if parts is None else parts.read(key) for key in keys}
    n = sum(len(batch) for batch, key in zip(batches, keys, strict=True) if stored[key] is None)
    tokens = sum(map(len, words)) * n // (len(words) * _LETTERS_PER_TOKEN)
    if n:
        ask_consent(
            server, f"{plural(n, 'text leaves', 'texts leave')} this machine", tokens, 0, consent
        )
    stop = threading.Event()
    connection = Connection(server, Purse(None), Usage(tokens, 0), stop)

    def encode(number: int) -> NDArray[Any]:
        batch = batches[number]
        vectors: NDArray[Any]
        try:
            vectors, _, _ = connection.ask(
                lambda client: client.embeddings.create(
                    model=server.model, input=batch, encoding_format="float"
                ),
                lambda answer: _read(answer, len(batch)),
            )
        except (Unanswered, Declined) as error:
            raise ImagestrataError(
                f"{server.host} returned no vectors: {error}.",
                f"Run {SAME_CALL} again; with {arg('out')}, stored vectors are kept.",
            ) from None
        if parts is not None:
            parts.write(keys[number], pd.DataFrame({"vector": list(vectors)}))
        return vectors

    blocks: list[Any] = [
        None if table is None else np.array(table["vector"].to_pylist(), dtype=np.float32)
        for table in (stored[key] for key in keys)
    ]
    missing = [number for number, block in enumerate(blocks) if block is None]
    with open_work(
        "Embedding", len(words), progress, unit="texts", waiting_threads=server.concurrency,
        stop=stop,
    ) as work:  # fmt: skip
        work.skip(len(words) - n)
        size = [len(batch) for batch in batches].__getitem__
        made = work.each(encode, missing, at_once=len(missing), size=size)
        for number, vectors in zip(missing, made, strict=True):
            blocks[number] = vectors
    widths = sorted({block.shape[1] for block in blocks})
    if len(widths) > 1:
        raise ImagestrataError(
            f"{server.host} returned vectors of different widths ({', '.join(map(str, widths))}).",
            "The model of this name has changed, or several models have it: name one of them, and "
            f"choose another {arg('out')}.",
        )
    return np.concatenate(blocks)


def _read(answer: Any, n: int) -> tuple[NDArray[Any], Usage | None]:
    """The vectors in an answer, in the order of the texts, and the tokens."""
    rows = sorted(answer.data, key=lambda one: one.index)
    vectors = np.array([one.embedding for one in rows], dtype=np.float32)
    if [one.index for one in rows] != list(range(n)):
        raise ValueError(f"vectors of the texts 0 to {n - 1} were expected, each once")
    if vectors.shape[:1] != (n,) or vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(
            f"{plural(n, 'vector')} of finite numbers were expected, not {vectors.shape}"
        )
    used = getattr(answer.usage, "prompt_tokens", None)
    return vectors, Usage.reported(used, 0, has_text=False)
