"""`pairs`, `next-pairs`, `judge`, `score`, `tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import imagestrata

from ..errors import ImagestrataError, plural
from ..wording import arg, quote
from .options import Also, Answers, Local, Model, RunFolder, Settings
from .output import Said, records
from .run_folder import embedded, excluded_images, load_clustering
from .text import model_of

if TYPE_CHECKING:
    import pandas as pd

#: Names of the forms in a run folder.
_JUDGE, _MEETING = "judge-pairs", "meeting-pairs"
_PAIRED = ["pair_id", "image_a", "image_b"]
Question = Annotated[
    str | None, typer.Option(help="The name of the question, if there are several.")
]
Meeting = Annotated[
    Path | None,
    typer.Option(help="The file with a meeting's answers, which replace those of annotators."),
]


def pairs(
    run_folder: RunFolder,
    settings: Settings,
    also: Also = None,
    disputed: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of an annotator's answers; give those of all. Only pairs on which they "
            "disagree are written, with everybody's answer, for a meeting; none are drawn."
        ),
    ] = None,
    from_clusters: Annotated[
        bool,
        typer.Option(
            "--from-clusters",
            help="Draw the pairs from the clusters of the run, not from those "
            "of a k-means: to score these clusters, and for `imagestrata next-pairs`.",
        ),
    ] = False,
) -> Said:
    """Draw pairs of images, and write a form on which annotators judge them."""
    from ..tables import read_typed

    export, ending = _export(run_folder, settings)
    if disputed:
        export.setdefault("questions", _questions_of(run_folder))
        given = {"questions": export["questions"], "graded": export.get("graded", False)}
        export["disputed"] = _judged(run_folder, disputed, given)
        drawn, name = _drawn(run_folder), _MEETING
    else:
        vectors = _embeddings(run_folder, also)
        asked = settings("sample_pairs", out=run_folder)
        asked["clusterings"] = load_clustering(run_folder) if from_clusters else None
        drawn, name = imagestrata.sample_pairs(vectors, **asked), _JUDGE
    # pairs.csv is the table of the pairs themselves.
    file = imagestrata.export_pairs(drawn, run_folder / f"{name}{ending}", **export)
    table = run_folder / "pairs.csv"
    if disputed:
        shown = len(read_typed(_key(run_folder, name), ("pair_id",)))
        summary = {"n_disputed": shown, "file": str(file)}
        return summary, f"{plural(shown, 'disputed pair')} for a meeting: {file}"
    summary = {"n_pairs": len(drawn), "pairs": str(table), "file": str(file)}
    return summary, f"{plural(len(drawn), 'pair')}: {table}", f"For annotators: {file}"


def next_pairs(
    run_folder: RunFolder,
    answers: Answers,
    settings: Settings,
    also: Also = None,
    question: Annotated[
        str | None,
        typer.Option(
            help="The name of the question, if there are several; or the text above the images, as "
            "for `imagestrata pairs`."
        ),
    ] = None,
    meeting: Meeting = None,
) -> Said:
    """Draw the pairs that tell most about the clusters of a run folder, for a further round.

    Give the answers to all earlier rounds. The pairs of the second round are in RUN/pairs-2.csv,
    and annotators judge them in a form of their own. `imagestrata score RUN` then takes the answers
    to all rounds together. If the intervals are narrow enough, no pair is drawn.
    """
    from ..files import write_table
    from ..provenance import require_step
    from ..validation.second_looks import ESTIMATE

    export, ending = _export(run_folder, settings)
    export["questions"] = _questions_of(run_folder)
    if export["questions"] is None:
        export["questions"], question = question, None
    recorded = require_step(run_folder, "pairs")["settings"]
    if "clusterings" not in recorded:
        raise ImagestrataError(
            f"The pairs of {quote(run_folder)} were drawn from the clusters of a k-means, not from "
            "those of the run.",
            "`imagestrata pairs` with --from-clusters draws pairs from the clusters of the run.",
        )
    judged = _of(_judged(run_folder, answers, settings("read_pairs")), question, alone=True)
    agreed = _agreed(run_folder, judged, settings, question, meeting)
    given = settings("next_pairs", **{k: recorded[k] for k in ("k", "seed") if k in recorded})
    again = given.get("again", False)
    several = again or given.get("error_rate") == ESTIMATE
    rounds, drawn = _rounds(run_folder), _drawn(run_folder)
    number, last = len(rounds) + 1, rounds[-1]["pair_id"]
    if not again and len(rounds) > 1 and not judged["pair_id"].isin(last).any():
        # Nobody has judged the last round: its form is written, or it is drawn anew.
        number -= 1
        if not export.get("overwrite"):
            return _of_round(run_folder, rounds[-1], number, ending, export)
        drawn = drawn[~drawn["pair_id"].isin(last)]
    answered = judged if several else agreed
    columns = [name for name in answered if name in ("pair_id", "annotator", "judgement")]
    # A pair that was drawn and not judged is not drawn again.
    known = drawn.merge(answered[columns], on="pair_id", how="left")
    vectors = None if recorded.get("between") == "random" else _embeddings(run_folder, also)
    further = imagestrata.next_pairs(known, load_clustering(run_folder), vectors, **given)
    if further.empty:
        return {"n_pairs": 0}, "The intervals are narrow enough: no further pair is needed."
    if again:
        taken = len([*run_folder.glob(f"{_JUDGE}-again*-key.csv")])
        place = f"{_JUDGE}-again{f'-{taken + 1}' if taken else ''}{ending}"
        file = imagestrata.export_pairs(further, run_folder / place, **export)
        summary = {"n_pairs": len(further), "file": str(file)}
        return summary, f"{plural(len(further), 'pair')} for a second look: {file}"
    write_table(run_folder / f"pairs-{number}.csv", further)
    return _of_round(run_folder, further, number, ending, export)


def _of_round(
    run_folder: Path, pairs: pd.DataFrame, number: int, ending: str, export: dict[str, Any]
) -> Said:
    """Write the form of a further round."""
    name = f"{_JUDGE}-{number}"
    if _key(run_folder, name).exists() and not export.get("overwrite"):
        raise ImagestrataError(
            f"The pairs of round {number} are drawn, and there are no answers to them.",
            f"Have annotators judge {quote(run_folder / f'{name}{ending}')}, and give their "
            f"answers, too; or draw this round anew with {arg('overwrite', True)}.",
        )
    file = imagestrata.export_pairs(pairs, run_folder / f"{name}{ending}", **export)
    table = run_folder / f"pairs-{number}.csv"
    summary = {"n_pairs": len(pairs), "round": number, "pairs": str(table), "file": str(file)}
    said = f"{plural(len(pairs), 'pair')} of round {number}: {table}"
    return summary, said, f"For annotators: {file}"


def judge(
    run_folder: RunFolder,
    model: Model,
    settings: Settings,
    local: Local = False,
) -> Said:
    """Have a vision language model judge the pairs of a run folder.

    Without --consent, nothing is sent; the message reports what would be sent and its cost.
    """
    provider = model_of(model, settings, local=local)
    drawn = _drawn(run_folder)
    table = imagestrata.judge_pairs(drawn, provider, run_folder, **settings("judge_pairs"))
    n = int(table["judgement"].notna().sum())
    file = run_folder / "judgements.csv"
    summary = {"n_pairs": len(drawn), "n_judged": n, "judgements": str(file)}
    return summary, f"{n} of {plural(len(table), 'judgement')}: {file}"


def score(
    run_folder: RunFolder,
    answers: Answers,
    settings: Settings,
    question: Question = None,
    meeting: Meeting = None,
    machine: Annotated[
        bool,
        typer.Option(
            "--machine", help="Use the judgements of `judge`, which those of annotators correct."
        ),
    ] = False,
) -> Said:
    """Compare the clusters of a run folder with annotators' judgements of pairs."""
    import pandas as pd

    from ..files import write_table
    from ..provenance import require_step
    from ..validation.judge import read_judgements
    from ..validation.second_looks import ESTIMATE

    judged = _of(_judged(run_folder, answers, settings("read_pairs")), question)
    clustering = load_clustering(run_folder)
    agreed = _agreed(run_folder, judged, settings, question, meeting)
    asked = settings("score_clustering")
    truth = judged if asked.get("error_rate") == ESTIMATE else agreed
    if machine:
        require_step(run_folder, "judge")
        asked["machine"] = _of(read_judgements(run_folder), question)
        judged = pd.concat([judged, asked["machine"]], ignore_index=True)
    scores = imagestrata.score_clustering(clustering, truth, **asked)
    write_table(run_folder / "scores.csv", scores)
    disputed, file = agreed.attrs["disputed"], run_folder / "disputed-pairs.csv"
    file.unlink(missing_ok=True)
    summary: dict[str, Any] = {"scores": records(scores), "n_disputed": 0}
    lines = [scores.round(3).to_string(index=False)]
    if disputed:
        table = pd.DataFrame(disputed)
        write_table(file, table)
        n = summary["n_disputed"] = table["pair_id"].nunique()
        lines += ["", f"{plural(n, 'disputed pair')}: {file}"]
    found, said = agreement_of(judged, run_folder / "agreement.csv", settings)
    return summary | found, *lines, *said


def agreement_of(
    answers: pd.DataFrame, file: Path, settings: Settings
) -> tuple[dict[str, Any], list[str]]:
    """Write the agreement of annotators to a file; what is said to programs and to users."""
    from ..files import write_table

    try:
        measures = imagestrata.agreement(answers, **settings("agreement"))
    except ImagestrataError as error:
        # With one annotator, or nothing that two answered, the answers are still useful.
        file.unlink(missing_ok=True)
        return {}, ["", f"No agreement to report. {error}"]
    write_table(file, measures)
    return {"agreement": records(measures)}, ["", measures.round(3).to_string(index=False)]


def tune(
    run_folder: RunFolder,
    answers: Answers,
    settings: Settings,
    also: Also = None,
    question: Question = None,
    meeting: Meeting = None,
) -> Said:
    """Find the settings and the encoder whose clusters agree best with judged pairs."""
    judged = _of(_judged(run_folder, answers, settings("read_pairs")), question, alone=True)
    agreed = _agreed(run_folder, judged, settings, question, meeting)
    given = settings("tune_clusters", out=run_folder)
    tuned = imagestrata.tune_clusters(_embeddings(run_folder, also), agreed, **given)
    picture = run_folder / "tuning" / "tuning.png"
    imagestrata.plot_tuning(tuned, picture)
    best = tuned.summary.iloc[0]
    row = tuned.results[tuned.results["candidate"] == best["candidate"]].iloc[0]
    return (
        {**records(tuned.summary)[0], "settings": json.loads(row["settings"])},
        f"{plural(best['n_candidates'], 'clustering')}, {plural(best['n_pairs'], 'pair')}"
        f"{', unweighted' if best['weighting'] == 'none' else ''}. Best: "
        f"{row['settings']} with {best['encoder']}, {plural(best['n_clusters'], 'cluster')}",
        f"{best['measure']} {best['estimate']:.3f} (standard error {best['std_error']:.3f}; "
        f"{best['heldout']:.3f} on held-out pairs; "
        f"best baseline {best['best_baseline']:.3f})",
        f"Results: {run_folder / 'tuning' / 'results.parquet'}, {picture}",
    )


def _judged(run_folder: Path, answers: list[Path], given: dict[str, Any]) -> pd.DataFrame:
    """The judgements in some files, of all questions."""
    given = {"questions": _questions_of(run_folder), **given}
    return imagestrata.read_pairs([*answers], _drawn(run_folder), **given)


def _export(run_folder: Path, settings: Settings) -> tuple[dict[str, Any], str]:
    """The settings of a form, and the ending of its file."""
    from ..annotation.exporters import check_tool

    export = settings("export_pairs")
    ending = check_tool(export.get("to", "page"), "pairs").ending
    if "exclude" in export:
        images = embedded(run_folder).images
        export["exclude"] = excluded_images(run_folder, export["exclude"], images)
    return export, ending


def _rounds(run_folder: Path) -> list[pd.DataFrame]:
    """The drawn pairs of each round."""
    from ..provenance import require_step
    from ..sampling.pairs import read_drawn_pairs, read_further_pairs

    require_step(run_folder, "pairs")
    return [read_drawn_pairs(run_folder), *read_further_pairs(run_folder)]


def _drawn(run_folder: Path) -> pd.DataFrame:
    """The drawn pairs of all rounds, with the number of their round if there are several."""
    import pandas as pd

    first, *others = _rounds(run_folder)
    if not others:
        return first
    return pd.concat([first.assign(round=1), *others], ignore_index=True)


def _of(judged: pd.DataFrame, question: str | None, *, alone: bool = False) -> pd.DataFrame:
    """The judgements of one question, or all unless one must stand ``alone``."""
    from ..annotation.questions import QUESTION, named_questions

    names = named_questions(judged)
    if question is None:
        if alone and len(names) > 1:
            raise ImagestrataError(
                f"The answers are to {plural(len(names), 'question')}: {', '.join(names)}.",
                f"Choose one of them with {arg('question', names[0])}.",
            )
        return judged
    if question not in names:
        raise ImagestrataError(
            f"{arg('question')} must be one of {', '.join(names)}, not {quote(question)}."
            if names
            else f"The answers are to one question, without a name like {quote(question)}.",
            "" if names else f"Leave out {arg('question')}.",
        )
    return judged[judged[QUESTION] == question].reset_index(drop=True)


def _agreed(
    run_folder: Path,
    judged: pd.DataFrame,
    settings: Settings,
    question: str | None,
    meeting: Path | None,
) -> pd.DataFrame:
    """One judgement for each pair and question; that of a meeting, if there is one."""
    given = settings("consensus")
    if meeting is not None:
        key, read = _key(run_folder, _MEETING), settings("read_pairs")
        if not key.exists():  # the meeting used another form
            read["questions"] = _questions_of(run_folder)
        shown = key if key.exists() else judged.drop_duplicates("pair_id")[_PAIRED]
        given["meeting"] = _of(imagestrata.read_pairs(meeting, shown, **read), question)
    return imagestrata.consensus(judged, **given)


def _key(run_folder: Path, name: str) -> Path:
    """The key of a form in a run folder."""
    return run_folder / f"{name}-key.csv"


def _questions_of(run_folder: Path) -> dict[str, str] | None:
    """The questions of the form in a run folder; None if there is one without a name."""
    from ..annotation.questions import questions_in
    from ..tables import read_typed

    key = _key(run_folder, _JUDGE)
    return (questions_in(read_typed(key, ("pair_id",))) or None) if key.exists() else None


def _embeddings(run_folder: Path, also: list[Path] | None) -> Any:
    """Vectors of the run folder, or of several folders by name."""
    if not also:
        return embedded(run_folder)
    return {str(folder): embedded(folder) for folder in [run_folder, *also]}
