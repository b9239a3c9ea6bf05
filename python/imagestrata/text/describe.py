"""Describe images with a vision language model."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..corpus.located import reader
from ..corpus.pictures import files_of
from ..corpus.scan import images_step, usable_images
from ..errors import ImagestrataError, plural, warn
from ..files import make_folder
from ..progress import Progress
from ..provenance import fingerprint
from ..tables import keep_given
from ..validate import check_bool, check_path
from ..verbs import public
from ..wording import arg, quote, verb
from .answers import Answers
from .asking import Ask, ask_all, kind_of_reason
from .chat import (
    CUT_BY_MODEL,
    CUT_OFF,
    Provider,
    answer_of,
    chat_request,
    check_budget,
    check_limits,
    check_provider,
    interpret,
    model_costs,
    most_tokens_in,
    most_tokens_out,
    read_chat,
)
from .consent import ask_consent
from .local import LocalDescriber, LocalModel
from .origin import texts_fingerprint
from .server import Connection, ModelServer, Purse, Usage

if TYPE_CHECKING:
    from PIL import Image

#: The prompt of the study that introduced this method; docs/method has its source.
PROMPT = "Describe the connotative meaning of this image, in one paragraph"

_ANSWER = ("description", "reason", "model", "tokens_in", "tokens_out", "cost")

#: The fields of a stored answer.
_FIELDS = {"description": str, "reason": str, "model": str, "tokens_in": int, "tokens_out": int}


@public
def describe_images(
    images: Any,
    provider: Provider,
    out: str | os.PathLike[str],
    *,
    prompt: str = PROMPT,
    max_tokens: int | None = 300,
    temperature: float | None = None,
    side: int = 512,
    budget: float | None = None,
    consent: bool = False,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Describe every distinct image with a vision language model.

    Each answer is stored in ``out`` as soon as it arrives. An interrupted call continues, and you
    never pay for an answer twice, even after a kill, if you add images, or with ``overwrite``.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        The result of :func:`scan_images`, of which the rows with status ``"ok"`` are used;
        or anything that it takes, which is then scanned first.
    provider : ModelServer or LocalModel
        The model and the place where it runs.
    out : path
        Run folder. Answers are written to ``descriptions/answers.jsonl`` there, and the table
        to ``descriptions.parquet``.
    prompt : str
        The request to the model. By default "Describe the connotative meaning of this image,
        in one paragraph", the prompt of the study that introduced this method.
    max_tokens : int or None, default 300
        The longest answer, in tokens; ``None`` for no limit. Texts that are cut off differ in
        content from complete ones: a ``reason`` marks them, and a warning counts them. A
        ``budget`` requires a limit.
    temperature : float, optional
        0 for the likeliest answer, higher values for varied answers; by default the server's
        own setting.
    side : int, default 512
        The longer side of pictures, in pixels. They are sent as JPEG without metadata (no
        place, no camera).
    budget : float, optional
        The highest total cost of all answers in ``out`` to this prompt by this model, in the
        currency of the provider's ``price``.
    consent : bool, default False
        Whether the images may leave this machine. Required unless the server runs on it.
    overwrite : bool, default False
        Replace a table of other settings or images.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per image, in the order of the images: ``image_id``, ``path``,
        ``n_copies``, your own columns; ``description``; the ``reason`` for a missing one (a
        refusal, an empty answer, no answer, an unreadable file, the budget) or an incomplete
        one (cut off at ``max_tokens`` or at the model's own limit); the ``model`` that the
        server names; ``tokens_in``, ``tokens_out`` and ``cost`` (missing without a price).

    Raises
    ------
    ImagestrataError
        Without consent (nothing is sent then, and the error reports what would be sent and its
        cost); if the server refuses every request, ten images in a row receive no answer, the
        library ``openai`` is missing, an argument is out of range, or ``out`` cannot be written
        or holds other descriptions.

    Notes
    -----
    The same call asks again for images without an answer (failures of the server, the budget);
    refusals and empty answers are final.

    A request starts only if the budget covers its highest possible cost: the most tokens that any
    earlier image took (an estimate at first, which the first image corrects alone), and
    ``max_tokens`` answered. Interrupted attempts count as paid.
    """
    settings, images_table = _prepare(
        images, provider, out, prompt, max_tokens, temperature, side, overwrite, progress
    )
    overwrite = check_bool("overwrite", overwrite)
    consent = check_bool("consent", consent)
    budget = check_budget(budget, provider, settings["max_tokens"])
    step = images_step(out, "describe", settings, images_table, overwrite)
    assert step.folder is not None
    answers = _stored(step.folder, settings)
    failed: dict[str, str] = {}

    def make() -> pd.DataFrame:
        failed.update(
            _describe(images_table, provider, settings, answers, budget, consent, progress)
        )
        table = _table(images_table, answers, failed, has_price=provider.price is not None)
        _warn(table, provider)
        return table

    def counts(table: pd.DataFrame) -> dict[str, Any] | None:
        if failed:
            return None
        reasons = dict(Counter(table["reason"].dropna().map(kind_of_reason)).most_common())
        return {
            "images": len(table),
            "reasons": reasons,
            "cost": answers.spent,
            "sent_to": provider.host,
        }

    return step.table(
        make,
        counts,
        read=reader("descriptions.parquet", "describe"),
        identity=lambda made: texts_fingerprint(made, "description"),
    )


def ask_about(
    images: pd.DataFrame,
    provider: Provider,
    folder: Path,
    prompts: Mapping[str, str],
    *,
    prompt: str,
    max_tokens: int | None,
    temperature: float | None,
    side: int,
    budget: float | None,
    consent: bool,
    progress: Progress,
) -> pd.DataFrame:
    """The answers of a model to a prompt for each image, in the columns of :func:`describe_images`.

    Parameters
    ----------
    images : DataFrame
        A scan.
    folder : Path
        Run folder, in which answers are stored as they arrive, beside those of descriptions.
    prompts : mapping of str to str
        The prompt for each image, by id. The id must depend on it, since answers are stored by id.
    prompt, max_tokens, temperature, side, budget, consent, progress
        See :func:`describe_images`.
    """
    settings, images = _prepare(
        images, provider, None, prompt, max_tokens, temperature, side, False, progress
    )
    budget = check_budget(budget, provider, settings["max_tokens"])
    answers = _stored(make_folder(folder), settings)
    # The longest prompt, for the estimate of the cost.
    longest = settings | {"prompt": max([prompt, *prompts.values()], key=len)}
    failed = _describe(images, provider, longest, answers, budget, consent, progress, prompts)
    return _table(images, answers, failed, has_price=provider.price is not None)


def description_costs(
    images: Any,
    provider: Provider,
    out: str | os.PathLike[str] | None,
    prompt: str,
    max_tokens: int | None,
    temperature: float | None,
    side: int,
    progress: Progress,
) -> pd.DataFrame:
    """The table of :func:`costs` for descriptions."""
    settings, table = _prepare(
        images, provider, None, prompt, max_tokens, temperature, side, False, progress
    )
    folder = None if out is None else check_path("out", out)
    return pd.DataFrame([_costs(provider, settings, table, _stored(folder, settings))])


def _prepare(
    images: Any,
    provider: Any,
    out: str | os.PathLike[str] | None,
    prompt: Any,
    max_tokens: Any,
    temperature: Any,
    side: Any,
    overwrite: bool,
    progress: Progress,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The checked settings that affect an answer, and the usable images."""
    check_provider("provider", provider)
    if not isinstance(prompt, str) or not prompt.strip():
        raise ImagestrataError(f"{arg('prompt')} must be a text, not {quote(prompt)}.")
    settings = {
        **provider.identity(),
        "prompt": prompt,
        **check_limits(max_tokens, temperature, side),
    }
    return settings, usable_images(images, out, overwrite, progress)


def _stored(folder: Path | None, settings: Mapping[str, Any]) -> Answers:
    """The stored answers to the same request."""
    place = None if folder is None else folder / "descriptions" / "answers.jsonl"
    return Answers(place, fingerprint(settings), _FIELDS)


def _costs(
    provider: Provider, settings: Mapping[str, Any], images: pd.DataFrame, answers: Answers
) -> dict[str, Any]:
    """The row of :func:`costs`."""
    answered = int(images["image_id"].isin(answers.found).sum())
    return model_costs(provider, settings, len(images), answered, answers)


def _describe(
    images: pd.DataFrame,
    provider: Provider,
    settings: Mapping[str, Any],
    answers: Answers,
    budget: float | None,
    consent: bool,
    progress: Progress,
    prompts: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Ask for images without an answer; return the reasons of those still without one.

    ``prompts`` are those of single images, by id, in place of the one of all.
    """
    todo = images[~images["image_id"].isin(answers.found)]
    if todo.empty:
        return {}
    costs = _costs(provider, settings, images, answers)
    if isinstance(provider, ModelServer):
        notice = (
            f"{plural(len(todo), 'image leaves', 'images leave')} this machine, as JPEG of at most "
            f"{settings['side']} pixels a side without metadata,"
        )
        limited = settings["max_tokens"] is not None
        tokens = (costs["tokens_in"], costs["tokens_out"])
        ask_consent(provider, notice, *tokens, consent, limited=limited)
    stop = threading.Event()
    return ask_all(
        {file[0]: [file] for file in files_of(todo)},
        _asker(provider, settings, answers, budget, stop, prompts or {}),
        answers,
        stop,
        side=settings["side"],
        refused=answer_of(None, None, None) | Usage(0, 0)._asdict(),
        concurrency=provider.concurrency,
        what="Describing",
        host=provider.host,
        n_items=len(images),
        progress=progress,
    )


def _asker(
    provider: Provider,
    settings: Mapping[str, Any],
    answers: Answers,
    budget: float | None,
    stop: threading.Event,
    prompts: Mapping[str, str],
) -> Ask:
    """The function that asks the model about a picture."""
    cut = CUT_BY_MODEL if settings["max_tokens"] is None else CUT_OFF
    if isinstance(provider, LocalModel):
        words = [settings[name] for name in ("prompt", "max_tokens", "temperature")]
        describer = LocalDescriber(provider, *words)

        def ask_here(pictures: Sequence[Image.Image], image_id: str) -> dict[str, Any]:
            text, cut_off, usage = describer.ask(pictures, prompts.get(image_id))
            reason = cut if cut_off else None
            return interpret(text, None, reason, settings["model"]) | usage._asdict()

        return ask_here

    at_most = Usage(most_tokens_in(provider, settings, answers), most_tokens_out(settings, answers))
    purse = Purse(budget, answers.spent, answers.add_lost)
    connection = Connection(provider, purse, at_most, stop)

    def ask(pictures: Sequence[Image.Image], image_id: str) -> dict[str, Any]:
        prompt = prompts.get(image_id, settings["prompt"])
        request = chat_request(pictures, {**settings, "prompt": prompt}, provider)
        answer, usage, cost = connection.ask(
            lambda client: client.chat.completions.create(**request),
            lambda response: read_chat(response, cut),
        )
        tokens = {"tokens_in": None, "tokens_out": None} if usage is None else usage._asdict()
        answer = {name: value and provider.without_key(value) for name, value in answer.items()}
        return {**answer, **tokens, "cost": None if provider.price is None else cost}

    return ask


def _table(
    images: pd.DataFrame, answers: Answers, failed: Mapping[str, str], *, has_price: bool
) -> pd.DataFrame:
    """The images with their answers, or with the reasons for missing ones."""
    rows = [
        answers.found.get(image_id, {"reason": failed.get(image_id)})
        for image_id in images["image_id"]
    ]
    table = keep_given(images, _ANSWER, verb("describe_images")).copy()
    for name in ("description", "reason", "model"):
        table[name] = pd.Series([row.get(name) for row in rows], dtype="str")
    for name in ("tokens_in", "tokens_out"):
        table[name] = pd.Series([row.get(name) for row in rows], dtype="Int64")
    costs = [row.get("cost") if has_price else None for row in rows]
    table["cost"] = pd.Series(costs, dtype="float64")
    return table


def _warn(table: pd.DataFrame, provider: Provider) -> None:
    """Warn about descriptions that are cut off, and about unknown costs."""
    described = table[table["description"].notna()]
    short = int(described["reason"].isin([CUT_OFF, CUT_BY_MODEL]).sum())
    if short:
        warn(
            f"{short} of {plural(len(described), 'description')} "
            f"{'is' if short == 1 else 'are'} cut off, as the column 'reason' shows.",
            "Incomplete texts may bias later results: ask again with a larger "
            f"{arg('max_tokens')}, or {arg('max_tokens', None)}.",
        )
    unstated = int(described["tokens_in"].isna().sum())
    if unstated and provider.price is not None:
        warn(
            f"{provider.host} reported no plausible number of tokens for "
            f"{plural(unstated, 'answer')}: each counts with its highest possible cost."
        )
