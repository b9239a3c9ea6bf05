"""`pairs`, `score`, `tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagestrata

from ..errors import ImagestrataError, plural
from .options import Also, Answers, RunFolder, Settings
from .output import Said, records
from .run_folder import embedded, excluded_images, load_clustering

if TYPE_CHECKING:
    import pandas as pd


def pairs(run_folder: RunFolder, settings: Settings, also: Also = None) -> Said:
    """Draw pairs of images, and write a form on which annotators judge them."""
    from ..annotation.exporters import EXPORTERS
    from ..validate import check_choice

    vectors = _embeddings(run_folder, also)
    export = settings("export_pairs")
    tools = [one for one in EXPORTERS if one != "qualtrics"]
    ending = EXPORTERS[check_choice("to", export.get("to", "page"), tools)].ending
    if "exclude" in export:
        images = embedded(run_folder).images
        export["exclude"] = excluded_images(run_folder, export["exclude"], images)
    drawn = imagestrata.sample_pairs(vectors, **settings("sample_pairs", out=run_folder))
    # pairs.csv is the table of the pairs themselves.
    file = imagestrata.export_pairs(drawn, run_folder / f"judge-pairs{ending}", **export)
    table = run_folder / "pairs.csv"
    summary = {"n_pairs": len(drawn), "pairs": str(table), "file": str(file)}
    return summary, f"{plural(len(drawn), 'pair')}: {table}", f"For annotators: {file}"


def score(run_folder: RunFolder, answers: Answers, settings: Settings) -> Said:
    """Compare the clusters of a run folder with annotators' judgements of pairs."""
    from ..files import write_table

    judged = _judged(run_folder, answers, settings)
    clustering = load_clustering(run_folder)
    agreed = imagestrata.consensus(judged, **settings("consensus"))
    scores = imagestrata.score_clustering(clustering, agreed, **settings("score_clustering"))
    write_table(run_folder / "scores.csv", scores)
    summary = {"scores": records(scores)}
    lines = [scores.round(3).to_string(index=False)]
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


def tune(run_folder: RunFolder, answers: Answers, settings: Settings, also: Also = None) -> Said:
    """Find the settings and the encoder whose clusters agree best with judged pairs."""
    agreed = imagestrata.consensus(_judged(run_folder, answers, settings), **settings("consensus"))
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


def _judged(run_folder: Path, answers: list[Path], settings: Settings) -> pd.DataFrame:
    from ..provenance import require_step
    from ..sampling.pairs import read_drawn_pairs

    require_step(run_folder, "pairs")
    drawn = read_drawn_pairs(run_folder)
    return imagestrata.read_pairs([*answers], drawn, **settings("read_pairs"))


def _embeddings(run_folder: Path, also: list[Path] | None) -> Any:
    """Vectors of the run folder, or of several folders by name."""
    if not also:
        return embedded(run_folder)
    return {str(folder): embedded(folder) for folder in [run_folder, *also]}
