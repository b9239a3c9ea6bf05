"""What people or services are asked for, before they are asked."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..progress import Progress
from ..text.describe import PROMPT, description_costs
from ..text.local import LocalModel
from ..text.rekognition import Rekognition
from ..text.server import ModelServer
from ..text.tags import tag_costs
from ..validate import check_idle, check_int
from ..verbs import public, recognise
from ..wording import arg, quote, verb
from .assign import check_packets


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
    progress: Progress = True,
) -> pd.DataFrame:
    """Count what packets ask of people, or estimate what descriptions or tags would cost.

    Nothing is sent.

    Parameters
    ----------
    x : DataFrame, path, or list of paths
        Packets, as :func:`assign_annotators` or :func:`reassign` returned them; or images, as
        :func:`describe_images` and :func:`tag_images` take them.
    provider : ModelServer, LocalModel or Rekognition; optional
        Who would look at the images. The ``price`` decides the estimate, for descriptions with
        ``tokens_per_image``. Packets have none.
    out : path, optional
        Where descriptions or tags are, or would be: what is answered there costs nothing more,
        and its bills replace ``tokens_per_image``.
    n_items : int, default 10
        Packets only: items on which each image is rated; the default are the ten emotions.
    prompt : str
        Descriptions only, like the next three: what the model will be asked.
    max_tokens : int or None, default 300
        How long answers may be. With ``None`` they are taken to have 1,000 tokens, or
        as many as the longest answer in ``out``.
    temperature : float, optional
        How varied they will be.
    side : int, default 512
        The longer side of what is sent, in pixels. ``tokens_per_image`` should fit it.
    progress : bool or callable, default True
        Images only: see :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        **Packets.** One row per group: ``group``, ``n_respondents`` (one for each packet),
        ``n_images``, ``smallest`` and ``largest`` (packet, in images), ``n_images_rated`` (an
        image counts as often as it is rated), ``n_ratings`` (that times the items).

        **Images.** One row: ``n_images``; ``n_answered``, those with an answer in ``out``;
        ``cost`` of the others; ``spent``, the cost of the answers that are there. For
        descriptions also ``tokens_in`` and ``tokens_out`` of the others, every answer taken to
        be as long as it may. Costs are missing without a price.

    Raises
    ------
    ImagestrataError
        If images come without a provider or packets with one, an argument has no effect on what
        is counted, or as for :func:`describe_images` and :func:`tag_images`.
    """
    of_people = {"n_items": (n_items, 10)}
    of_answers = {
        "prompt": (prompt, PROMPT),
        "max_tokens": (max_tokens, 300),
        "temperature": (temperature, None),
        "side": (side, 512),
    }
    if recognise(x) == "packets":
        if provider is not None:
            raise ImagestrataError(
                f"{arg('x')} is a table of packets, whose images people rate: {arg('provider')} "
                "has no effect.",
                "Leave it out, or give images.",
            )
        check_idle("with packets", out=(out, None), **of_answers)
        return _packet_costs(x, check_int("n_items", n_items, minimum=1))
    if isinstance(provider, ModelServer | LocalModel):
        check_idle("with images", **of_people)
        return description_costs(x, provider, out, prompt, max_tokens, temperature, side, progress)
    if isinstance(provider, Rekognition):
        check_idle("with a service that tags", **of_people, **of_answers)
        return tag_costs(x, provider, out, progress)
    services = f"{verb('ModelServer')}, {verb('LocalModel')} or {verb('Rekognition')}"
    if provider is None:
        raise ImagestrataError(
            f"{arg('x')} is no table of packets, with columns such as 'packet_id' and 'position', "
            f"and {arg('provider')} is missing, which images need.",
            f"Give what {verb('assign_annotators')} returned, or what {services} makes.",
        )
    raise ImagestrataError(
        f"{arg('provider')} must be what {services} makes, not {quote(provider)}.",
        "Classifiers of torchvision, by their names, run on this machine and cost nothing.",
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
