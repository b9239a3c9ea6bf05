"""Numbers of ratings, and costs of a model's or service's answers, before they are made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..progress import Progress
from ..sampling.assign import check_packets
from ..text.coder import coder_costs
from ..text.describe import PROMPT, description_costs
from ..text.local import LocalModel
from ..text.rekognition import Rekognition
from ..text.server import ModelServer
from ..text.tags import tag_costs
from ..validate import check_idle, check_int
from ..validation.judge import judge_costs
from ..verbs import public, recognise
from ..wording import arg, quote, verb


@public
def costs(
    x: Any,
    provider: ModelServer | LocalModel | Rekognition | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    n_items: int = 10,
    prompt: str = PROMPT,
    max_tokens: int | None = 300,
    temperature: float | None = None,
    side: int = 512,
    labels: Any = None,
    question: str | None = None,
    questions: Mapping[str, Any] | None = None,
    meaning: str = "denotative",
    graded: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Count the ratings that packets need, or estimate what a model or service costs.

    No image is sent.

    Parameters
    ----------
    x : DataFrame, path, or list of paths
        Packets of :func:`assign_annotators` or :func:`reassign`; images as in
        :func:`describe_images` and :func:`tag_images`; or pairs of :func:`sample_pairs`, as in
        :func:`judge_pairs`.
    provider : ModelServer, LocalModel or Rekognition; optional
        Service that would describe or tag the images or judge the pairs. The estimate is computed
        from its ``price`` and, for models, ``tokens_per_image``. With packets, leave it out.
    out : path, optional
        Folder of the descriptions, tags or judgements. Answers that are already there cost
        nothing, and their numbers of tokens replace ``tokens_per_image``.
    n_items : int, default 10
        Packets only: number of items on which each image is rated; by default the ten emotions.
    prompt : str
        Descriptions only: the request to the model. The next three are also for answers.
    max_tokens : int or None, default 300
        Maximum length of answers. With ``None`` they are assumed to have 1,000 tokens, or
        as many as the longest answer in ``out``.
    temperature : float, optional
        Randomness of the answers.
    side : int, default 512
        Longer side of the images that are sent, in pixels; ``tokens_per_image`` depends on it.
    labels, question, questions, meaning : optional
        Models only: as in :func:`tag_images`, for the costs of answers instead of descriptions.
        More attempts after invalid answers cost more. For pairs, ``questions`` is as in
        :func:`judge_pairs`.
    graded : bool, default False
        Pairs only: as in :func:`judge_pairs`.
    progress : bool or callable, default True
        Images only: see :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        **Packets.** One row per group: ``group``, ``n_respondents`` (one for each packet),
        ``n_images``, ``smallest`` and ``largest`` (packet, in images), ``n_images_rated`` (an
        image counts as often as it is rated), ``n_ratings`` (the same times the items).

        **Images.** One row: ``n_images``; ``n_answered``, images with an answer in ``out``;
        ``cost`` of the others; ``spent``, the cost of the existing answers. For
        models also ``tokens_in`` and ``tokens_out`` of the others, on the assumption
        that every answer has the maximum length. Costs are missing without a price.

        **Pairs.** The same, with ``n_pairs`` instead of ``n_images``.

    Raises
    ------
    ImagestrataError
        If images are given without a provider or packets with one, an argument has no effect,
        or for the reasons of :func:`describe_images`, :func:`tag_images` and
        :func:`judge_pairs`.
    """
    of_people = {"n_items": (n_items, 10)}
    of_answers = {
        "prompt": (prompt, PROMPT),
        "max_tokens": (max_tokens, 300),
        "temperature": (temperature, None),
        "side": (side, 512),
    }
    of_questions = {
        "labels": (labels, None),
        "question": (question, None),
        "questions": (questions, None),
        "meaning": (meaning, "denotative"),
    }
    of_pairs = {"graded": (graded, False)}
    what = recognise(x)
    if what == "packets":
        if provider is not None:
            raise ImagestrataError(
                f"{arg('provider')} has no effect with a table of packets as {arg('x')}.",
                "Leave it out, or give images.",
            )
        check_idle("with packets", out=(out, None), **of_answers, **of_questions, **of_pairs)
        return _packet_costs(x, check_int("n_items", n_items, minimum=1))
    if what in ("pairs", "judgements") and provider is not None:
        asked = of_questions.pop("questions")[0]
        check_idle("with pairs", prompt=of_answers["prompt"], **of_people, **of_questions)
        return judge_costs(x, provider, out, graded, asked, max_tokens, temperature, side)
    check_idle("with images", **of_pairs)
    if isinstance(provider, ModelServer | LocalModel):
        check_idle("with images", **of_people)
        if question is not None or questions is not None:
            check_idle("with questions", prompt=(prompt, PROMPT))
            return coder_costs(
                x, provider, out, labels, question, questions, meaning, max_tokens, temperature,
                side, progress,
            )  # fmt: skip
        check_idle("without a question", **of_questions)
        return description_costs(x, provider, out, prompt, max_tokens, temperature, side, progress)
    if isinstance(provider, Rekognition):
        check_idle("with a service that tags", **of_people, **of_answers, **of_questions)
        return tag_costs(x, provider, out, progress)
    services = f"{verb('ModelServer')}, {verb('LocalModel')} or {verb('Rekognition')}"
    if provider is None:
        raise ImagestrataError(
            f"{arg('x')} is not a table of packets, with columns such as 'packet_id' and "
            f"'position', and {arg('provider')} is missing, which images and pairs need.",
            f"Give the result of {verb('assign_annotators')}, or {arg('provider')}, the result of "
            f"{services}.",
        )
    raise ImagestrataError(
        f"{arg('provider')} must be the result of {services}, not {quote(provider)}.",
        "Classifiers of torchvision run on this machine and cost nothing.",
    )


def _packet_costs(packets: pd.DataFrame, n_items: int) -> pd.DataFrame:
    rows = []
    for group, given in check_packets(packets).groupby("group", sort=False):
        sizes = given.groupby("packet_id").size()
        rows.append(
            {
                "group": group,
                "n_respondents": len(sizes),
                "n_images": given["image_id"].nunique(),
                "smallest": int(sizes.min()),
                "largest": int(sizes.max()),
                "n_images_rated": len(given),
                "n_ratings": len(given) * n_items,
            }
        )
    return pd.DataFrame(rows)
