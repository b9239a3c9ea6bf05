"""Label sets: which images each annotator labels, in which order, and what a page shows of them.

:func:`label_form` is the only place that divides a sample among annotators. The form that it
returns has a packet for each annotator: ``form.tasks`` has one row per packet and image, with
``packet_id``, ``position`` (from 1), ``image_id`` and the column that groups images on the page.
``form.page(tasks, pictures)`` returns the data of the page of one packet, for ``page/labels.js``.
To serve packets without writing files, take the rows of each ``packet_id`` and the addresses of
their pictures::

    form = label_form(sample, codes, by="cluster", coders=3, double=0.1, seed=0)
    for packet_id, tasks in form.tasks.groupby("packet_id", sort=False):
        data = form.page(tasks, pictures)  # pictures: see Pictures of form.py

A task of the page is a group of images. Its answer is ``{"codes": {code: label}, "images":
{image_id: {code: label}}, "skipped": {image_id: reason}, "notes": {image_id: text}, "seconds":
number, "done": bool}``, where a label of an image goes before that of its group, and "done" says
whether every image has a label of every code but free text, or is skipped. ``form.key`` is the
table that :func:`read_labels` needs beside the answers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.named import names_in
from ..errors import ImagestrataError, plural
from ..provenance import fingerprint
from ..tables import check_table
from ..text.machines import of_people
from ..validate import check_float, check_int, check_seed
from ..verbs import check_product
from ..wording import arg, quote
from .codes import Code, check_codebook, check_codes
from .form import Form, Pictures
from .label_table import check_labels, disputes

QUESTION = "What does each image show?"

Array: TypeAlias = np.ndarray[Any, Any]


def label_form(
    sample: Any,
    codes: Any,
    *,
    by: str | None = "cluster",
    coders: int = 1,
    double: float = 0.0,
    question: str | None = None,
    warning: str | None = None,
    codebook: Any = None,
    disputed: Any = None,
    seed: int = 0,
) -> Form:
    """Divide a sample among annotators; the arguments are those of :func:`export_labels`."""
    coders = check_int("coders", coders, minimum=1)
    double = check_float("double", double, minimum=0, maximum=1)
    if double and coders < 2:
        raise ImagestrataError(
            f"{arg('double', double)} needs two annotators or more, since nobody labels an image "
            "twice.",
            f"Use {arg('coders', 2)}.",
        )
    seed = check_seed(seed)
    images = _check_sample(sample, by)
    asked = check_codes(codes, [] if by is None else [by])
    facts: dict[str, list[list[str]]] = {}
    if disputed is not None:
        facts = _answers_so_far(disputed, asked)
        images = images[images["image_id"].isin(facts)].reset_index(drop=True)
        if images.empty:
            raise ImagestrataError("Annotators disagree on none of the images of the sample.")
    groups = images["image_id"] if by is None else images[by].astype(str)
    if len(images) < coders:
        raise ImagestrataError(
            f"There are {plural(len(images), 'image')} for {plural(coders, 'annotator')}.",
            f"Use fewer {arg('coders')}.",
        )
    sets = divide(groups, coders, double, np.random.default_rng(seed))
    tasks = images.iloc[sets["row"]].reset_index(drop=True)
    width = len(str(coders))
    packets = [f"coder-{number:0{width}d}" for number in sets["coder"] + 1]
    tasks.insert(0, "packet_id", packets)
    tasks.insert(1, "position", sets.groupby("coder").cumcount().to_numpy() + 1)
    shown = [] if by is None else [by]
    described = {code.name: code.as_json() for code in asked}
    named = names_in(tasks) if "cluster" in tasks else []
    others = list(dict.fromkeys([*(["cluster"] if "cluster" in tasks else []), *named, *shown]))
    return make_form(
        tasks[["packet_id", "position", "image_id", *shown]],
        images[["image_id", "path"]],
        asked,
        groups=by,
        facts=facts,
        question=question,
        warning=warning,
        codebook=codebook,
        sheets="packet_id",
        key=tasks[["packet_id", "position", "image_id", *others, "path"]].assign(**described),
        about={"codes": [code.name for code in asked], "coders": coders, "double": double},
    )


def make_form(
    tasks: pd.DataFrame,
    images: pd.DataFrame,
    codes: Sequence[Code],
    *,
    groups: str | None,
    key: pd.DataFrame,
    facts: Mapping[str, list[list[str]]],
    titles: Mapping[Any, str] | None = None,
    question: str | None = None,
    warning: str | None = None,
    codebook: Any = None,
    among: pd.DataFrame | None = None,
    hidden: Collection[str] = (),
    **others: Any,
) -> Form:
    """A form of images to be labelled, by groups.

    Parameters
    ----------
    tasks : DataFrame
        In the order of the page. Rows of one group need not be consecutive.
    images : DataFrame
    codes : sequence of Code
    groups : str or None
        Column of the groups; None for one image after the other.
    key : DataFrame
    facts : mapping
        Names and texts shown below an image, by its id.
    titles : mapping, optional
        Titles of the groups.
    question, warning, codebook
    among : DataFrame, optional
        The images that the codebook can show; by default those to be labelled.
    hidden : collection of str
        Ids of images that must not be shown.
    **others
        Further fields of the form.
    """
    entries, examples = check_codebook(codebook, codes, images if among is None else among)
    examples = examples[~examples["image_id"].isin(hidden)]
    also = examples[~examples["image_id"].isin(images["image_id"])]
    asked = QUESTION if question is None else question

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        return _page(tasks, pictures, codes, entries, groups, facts, titles)

    definitions = [
        f"{entry['code']}{': ' + entry['answer'] if entry['answer'] else ''}: {entry['definition']}"
        for entry in entries
        if entry["definition"]
    ]
    return Form(
        kind="labels",
        title="Labelling images",
        question=asked,
        warning=warning,
        tasks=tasks,
        unit="image",
        id="image_id",
        images=pd.concat([images, also], ignore_index=True),
        shown={"image": "image_id"},
        fields={code.name: code.words for code in codes},
        asides=("skipped", "note"),
        page=page,
        key=key,
        also=frozenset(examples["image_id"]),
        note="\n".join(definitions),
        **others,
    )


def divide(groups: Any, coders: int, double: float, rng: np.random.Generator) -> pd.DataFrame:
    """Divide images among annotators.

    Parameters
    ----------
    groups : Series
        The group of each image.
    coders : int
    double : float
        Share of images that a second annotator also labels.
    rng : Generator

    Returns
    -------
    DataFrame
        ``coder`` (from 0) and ``row``, in the order in which each annotator sees the images.

    Notes
    -----
    Groups stay together and go to the annotator with the fewest images so far, the largest first.
    Only a group with more images than an equal share is divided. Images for a second annotator are
    a systematic random sample over the groups, so that each group has its share of them; those of
    a group have the same second annotator, the one with the fewest of these so far. Each annotator
    sees the groups, and the images of a group, in an order of her own.
    """
    number = pd.factorize(groups)[0]
    n = len(number)
    share = -(-n // coders)
    shuffled = rng.permutation(n)
    pieces: list[Array] = []
    for group in rng.permutation(number.max() + 1):
        rows = shuffled[number[shuffled] == group]
        pieces += [rows[i : i + share] for i in range(0, len(rows), share)]
    pieces.sort(key=len, reverse=True)
    load = np.zeros(coders, dtype=int)
    first = np.empty(n, dtype=int)
    for rows in pieces:
        first[rows] = load.argmin()
        load[first[rows[0]]] += len(rows)
    rows_of, coder_of = [np.arange(n)], [first]
    n_double = int(np.floor(double * n + 0.5))
    if n_double:
        # Every (n / n_double)-th image of those in a sequence by groups in random order.
        places = np.arange(n_double) * n / n_double + rng.uniform(0, n / n_double)
        sequence = np.concatenate([pieces[i] for i in rng.permutation(len(pieces))])
        drawn = np.zeros(n, dtype=bool)
        drawn[sequence[np.minimum(places.astype(int), n - 1)]] = True
        again = np.zeros(coders, dtype=int)
        for rows in pieces:
            chosen = rows[drawn[rows]]
            if len(chosen):
                others = np.delete(np.arange(coders), first[rows[0]])
                other = others[again[others].argmin()]
                again[other] += len(chosen)
                rows_of.append(chosen)
                coder_of.append(np.full(len(chosen), other))
    sets = pd.DataFrame({"coder": np.concatenate(coder_of), "row": np.concatenate(rows_of)})
    sets["group"] = number[sets["row"]]
    sets["order"] = rng.permutation(len(sets))
    first_of = sets.groupby(["coder", "group"])["order"].transform("min")
    return sets.assign(first=first_of).sort_values(["coder", "first", "order"], ignore_index=True)[
        ["coder", "row"]
    ]


def _check_sample(given: Any, by: str | None) -> pd.DataFrame:
    check_product("sample", given, ("sample", "clusters of images"))
    if by is not None and not isinstance(by, str):
        raise ImagestrataError(
            f"{arg('by')} must be the name of a column, or {quote(None)} for one image after the "
            f"other, not {quote(by)}."
        )
    columns = ("image_id", *([] if by is None else [by]))
    table = check_table("sample", given, (*columns, "path"), "sample_images", whole=columns)
    twice = int(table["image_id"].duplicated().sum())
    if twice:
        raise ImagestrataError(
            f"{plural(twice, 'image id occurs', 'image ids occur')} more than once in the sample.",
            f"Keep one row per image; {arg('double')} has images labelled twice.",
        )
    return table.reset_index(drop=True)


def _answers_so_far(disputed: Any, codes: Sequence[Code]) -> dict[str, list[list[str]]]:
    """The answers of all annotators to the disputed codes, by image."""
    table = disputes(of_people(check_labels(disputed, "disputed")))
    words = {
        (code.name, label): word
        for code in codes
        for label, word in zip(code.answers or (), code.words or (), strict=True)
    }
    facts: dict[str, list[list[str]]] = {}
    for (image_id, code), rows in table.groupby(["image_id", "code"], sort=False):
        said = []
        given = rows[["annotator", "label", "note"]].astype(object)
        for name, label, note in given.where(given.notna(), None).to_numpy().tolist():
            answer = "skipped" if label is None else words.get((str(code), label), label)
            said.append(f"{name}: {answer}" + (f" ({note})" if note else ""))
        facts.setdefault(str(image_id), []).append([str(code), "; ".join(said)])
    return facts


def _page(
    tasks: pd.DataFrame,
    pictures: Pictures,
    codes: Sequence[Code],
    entries: Collection[Mapping[str, Any]],
    groups: str | None,
    facts: Mapping[str, list[list[str]]],
    titles: Mapping[Any, str] | None,
) -> dict[str, Any]:
    """The data of a page."""
    ids = tasks["image_id"].tolist()
    described = [
        {
            "name": code.name,
            "kind": code.kind,
            "answers": code.answers,
            "words": code.words,
            "ends": code.ends,
        }
        for code in codes
    ]
    images = [
        {
            "id": image_id,
            "picture": pictures.addresses.get(image_id),
            "missing": pictures.lost.get(image_id),
            "facts": facts.get(image_id, []),
        }
        for image_id in ids
    ]
    names = tasks["image_id"] if groups is None else tasks[groups]
    rows: dict[Any, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {
        # Answers for other images or codes are stored separately.
        "key": fingerprint([ids, described]),
        "packet": str(tasks["packet_id"].iloc[0]) if "packet_id" in tasks else "",
        "positions": tasks["position"].tolist() if "position" in tasks else None,
        "codes": described,
        "alone": groups is None,
        "one": "image" if groups is None else "group",
        "groups": [
            {"title": _title(groups, name, titles), "images": members}
            for name, members in rows.items()
        ],
        "images": images,
        "codebook": [
            {
                "code": entry["code"],
                "answer": entry["answer"],
                "definition": entry["definition"],
                "examples": [
                    pictures.addresses[image_id]
                    for image_id in dict.fromkeys(entry["examples"])
                    if image_id in pictures.addresses
                ],
            }
            for entry in entries
        ],
    }


def _title(groups: str | None, name: Any, titles: Mapping[Any, str] | None) -> str:
    if groups is None:
        return ""
    if titles is not None:
        return titles[name]
    if groups == "cluster":
        return "Residual" if str(name) == "-1" else f"Cluster {name}"
    return f"{groups}: {name}"
