"""`labels`, `read-labels`, `label-shares`, `screen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote, verb
from .options import Answers, Name, RunFolder, Settings
from .output import Said, records
from .posts import required_posts
from .run_folder import excluded_images, load_clustering, placed, required_sample
from .validation import Meeting, agreement_of

if TYPE_CHECKING:
    import pandas as pd

#: The form of a meeting in a run folder.
_MEETING = "meeting-labels"


def labels(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    disputed: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of an annotator's answers; give those of all. Only images on which they "
            "disagree are written, with everybody's answer, for a meeting."
        ),
    ] = None,
) -> Said:
    """Write forms on which annotators label the sample of a run folder, cluster by cluster."""
    given = settings("export_labels")
    if "codes" not in given:
        raise ImagestrataError(f"{arg('codes')} must name what to label, such as protest.")
    from ..tables import read_typed

    run_folder = placed(run_folder, name)
    drawn = required_sample(run_folder)
    given["exclude"] = excluded_images(run_folder, given.get("exclude"), drawn) or None
    if given.get("by") == "none":
        given["by"] = None
    if disputed:
        given["disputed"] = imagestrata.read_labels([*disputed], _key_of(run_folder))
    place = run_folder / f"{_MEETING if disputed else 'label'}-{given.get('to', 'page')}"
    folder = imagestrata.export_labels(drawn, place, **given)
    key = folder.with_name(f"{folder.name}-key.csv")
    n = read_typed(key, ("image_id",))["image_id"].nunique()
    summary = {"n_images": n, "folder": str(folder), "key": str(key)}
    what = "disputed image" if disputed else "image"
    return summary, f"{plural(n, what)} to label: {folder}", f"Key, not for them: {key}"


def read_labels(
    run_folder: RunFolder,
    answers: Answers,
    settings: Settings,
    name: Name = None,
    meeting: Meeting = None,
) -> Said:
    """Read the labels of annotators, their agreement, and one label per image.

    With --meeting, the answers to the form of `imagestrata labels --disputed` decide.
    """
    from ..files import write_table

    run_folder = placed(run_folder, name)
    given = settings("read_labels")
    key = given.pop("key", None) or _key_of(run_folder)
    found = imagestrata.read_labels([*answers], key, **given)
    pace = found.attrs["pace"]
    asked = settings("consensus")
    if meeting is not None:
        asked["meeting"] = imagestrata.read_labels(meeting, _key_of(run_folder, _MEETING))
    decided = imagestrata.consensus(found, **asked)
    files = {"labels": run_folder / "labels.csv", "decided": run_folder / "labels-decided.csv"}
    write_table(files["labels"], found)
    write_table(files["decided"], decided)
    summary = {"pace": pace, **{what: str(file) for what, file in files.items()}}
    lines = [_line(one) for one in pace]
    agreed, said = agreement_of(found, run_folder / "label-agreement.csv", settings)
    return (
        summary | agreed,
        *lines,
        *said,
        "",
        f"Labels: {files['labels']}",
        f"One per image: {files['decided']}",
    )


def screen(
    run_folder: RunFolder,
    settings: Settings,
    tags: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with image_id and label or text; by default the tags of the run, or "
            "with --word the text in its images or their descriptions."
        ),
    ] = None,
    name: Name = None,
) -> Said:
    """Propose images of a run folder that people should not see, by their labels or texts.

    Look at the page, download the list, and give it to other commands as --exclude.
    """
    from ..files import write_table
    from ..provenance import find_step

    given = settings("propose_exclusions")
    if "labels" not in given and "words" not in given:
        raise ImagestrataError(f"{arg('labels')} or {arg('words')} must say what to look for.")
    run_folder = placed(run_folder, name)
    has_clusters = find_step(run_folder, "cluster")[1] is not None
    given["clustering"] = load_clustering(run_folder) if has_clusters else None
    table = _to_screen(run_folder, tags, "words" in given)
    page, file = run_folder / "screen.html", run_folder / "exclude-proposed.csv"
    proposed = imagestrata.propose_exclusions(table, out=page, **given)
    write_table(file, proposed)
    summary = {"n_proposed": len(proposed), "page": str(page), "table": str(file)}
    said = f"{plural(len(proposed), 'image')} proposed for exclusion: {file}"
    return summary, said, f"To look at them and choose: {page}"


def _to_screen(run_folder: Path, given: Path | None, is_text: bool) -> pd.DataFrame:
    """The tags or texts of a run folder, or of a user's table."""
    from ..provenance import find_step, read_table
    from ..tables import read_typed

    if given is not None:
        return read_typed(given, ("image_id",))
    kinds = {"read": "texts", "describe": "descriptions"} if is_text else {"tag": "tags"}
    for step, name in kinds.items():
        file = find_step(run_folder, step)[0] / f"{name}.parquet"
        if file.exists():
            return read_table(file)
    raise ImagestrataError(
        f"{quote(run_folder)} contains no {' and no '.join(kinds.values())}.",
        f"Run `imagestrata {'read-text' if is_text else 'tag'}` first, or give a table: --tags.",
    )


def _key_of(run_folder: Path, form: str = "label") -> Path:
    """The key of the export of a run folder, or of the form of a meeting."""
    keys = sorted(run_folder.glob(f"{form}-*-key.csv"))
    if not keys and form == _MEETING:  # the meeting used the form of the annotators
        return _key_of(run_folder)
    if len(keys) != 1:
        seen = ", ".join(file.name for file in keys) if keys else "none"
        raise ImagestrataError(
            f"{quote(run_folder)} must have one export of labels; the keys in it: {seen}.",
            f"Name the key of the export that was answered with {arg('key')}."
            if keys
            else "Run `imagestrata labels` first.",
        )
    return keys[0]


def _line(pace: dict[str, object]) -> str:
    seconds = pace["seconds"]
    each = f", {seconds:.1f} seconds each" if seconds == seconds else ""
    return f"{pace['annotator']}: {plural(int(str(pace['n_images'])), 'image')}{each}"


def label_shares(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="The file of labels; by default RUN/labels-decided.csv."),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="The file of a machine's predictions for all images.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="A column of the clusters or of posts; several with commas between."),
    ] = None,
) -> Said:
    """Estimate how often labels occur in the corpus: RUN/label-shares.csv.

    The labels are those of `imagestrata read-labels`, and posts those of `imagestrata posts`.
    """
    from ..files import write_table
    from ..tables import read_typed

    run_folder = placed(run_folder, name)
    clustering, drawn = load_clustering(run_folder), required_sample(run_folder)
    given = settings("label_shares")
    groups = [part for one in by or [] for part in one.split(",")]
    if given.get("weight") == "post" or not {*groups} <= {*clustering.images}:
        given["linked"] = required_posts(run_folder, clustering)
    file = labels or run_folder / "labels-decided.csv"
    if not file.exists():
        raise ImagestrataError(
            f"There are no labels in {quote(file)}.",
            f"{verb('read_labels')} reads them from annotators' answers, or name a file with "
            f"{arg('labels')}.",
        )
    guesses = None if predictions is None else read_typed(predictions, texts=["code", "label"])
    table = imagestrata.label_shares(
        read_typed(file, texts=["code", "label"]), guesses, drawn, groups or None,
        clustering=clustering, **given,
    )  # fmt: skip
    write_table(run_folder / "label-shares.csv", table)
    names = [*table]
    shown = [*names[: names.index("estimate") + 1], "conf_low", "conf_high", "n_labelled"]
    lines = [
        table[shown].head(40).to_string(index=False, float_format="{:.3f}".format, na_rep=""),
        f"{plural(len(table), 'row')}: {run_folder / 'label-shares.csv'}",
    ]
    return {"label_shares": records(table)}, *lines
