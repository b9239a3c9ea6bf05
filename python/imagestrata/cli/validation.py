"""`pairs`, `score`, `tune`, `sweep`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ImagestrataError, plural
from ..wording import quote
from .options import Graded, Json, MinSamples, Normalize, Overwrite, Quiet, RunFolder, Seed
from .output import records, show
from .run_folder import load_clustering

Also = Annotated[
    list[Path] | None, typer.Option(help="Run folders of the same images, other encoders.")
]
Missing = Annotated[
    str,
    typer.Option(help='"drop": leave out pairs with an image that some vectors or clusters lack.'),
]


def pairs(
    run_folder: RunFolder,
    n: Annotated[int, typer.Option("--n", help="Number of pairs.")] = 554,
    k: Annotated[int, typer.Option("--k", help="Clusters of the k-means.")] = 80,
    share_within: Annotated[float, typer.Option(help="Share of pairs within clusters.")] = 0.5,
    also: Also = None,
    grid: Annotated[
        Path | None,
        typer.Option(help="Draw from the clusterings of a grid, as for tune: a JSON file."),
    ] = None,
    missing: Missing = "error",
    to: Annotated[str, typer.Option(help="page, labelstudio or csv.")] = "page",
    graded: Graded = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw pairs of images, and write the file with which people judge them."""
    from ..annotation.exporters import EXPORTERS
    from ..annotation.pairs import export_pairs
    from ..provenance import require_step
    from ..sampling.pairs import sample_pairs
    from ..validate import check_choice

    require_step(run_folder, "embed")
    tools = [one for one in EXPORTERS if one != "qualtrics"]
    ending = EXPORTERS[check_choice("to", to, tools)].ending
    drawn = sample_pairs(
        _embeddings(run_folder, also),
        n,
        k,
        share_within=share_within,
        grid=None if grid is None else _grid(grid),
        missing=missing,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
        progress=not quiet,
    )
    # The table of the pairs themselves is pairs.csv.
    file = export_pairs(
        drawn,
        run_folder / f"judge-pairs{ending}",
        to=to,
        graded=graded,
        overwrite=overwrite,
        progress=not quiet,
    )
    summary = {"n_pairs": len(drawn), "pairs": str(run_folder / "pairs.csv"), "file": str(file)}
    show(
        summary,
        as_json,
        f"{plural(len(drawn), 'pair')}: {summary['pairs']}",
        f"For annotators: {file}",
    )


def score(
    run_folder: RunFolder,
    answers: Annotated[list[Path], typer.Argument(help="The files with annotators' answers.")],
    graded: Graded = False,
    rule: Annotated[str, typer.Option(help="Of several annotators: majority, all, mean.")] = (
        "majority"
    ),
    residual: Annotated[str, typer.Option(help="Residual images: alone or drop.")] = "alone",
    error_rate: Annotated[float, typer.Option(help="Share of judgements that are wrong.")] = 0.0,
    missing: Missing = "error",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare the clusters of a run folder with people's judgements of its pairs."""
    from ..annotation.agreement import agreement
    from ..annotation.consensus import consensus
    from ..annotation.pairs import read_pairs
    from ..files import write_table
    from ..provenance import require_step
    from ..sampling.pairs import read_drawn_pairs
    from ..validation.score import score_clustering

    require_step(run_folder, "pairs")
    clustering = load_clustering(run_folder)
    judged = read_pairs([*answers], read_drawn_pairs(run_folder), graded=graded)
    scores = score_clustering(
        clustering,
        consensus(judged, rule),
        residual=residual,
        error_rate=error_rate,
        missing=missing,
        seed=seed,
    )
    write_table(run_folder / "scores.csv", scores)
    summary = {"scores": records(scores)}
    lines = [scores.round(3).to_string(index=False)]
    file = run_folder / "agreement.csv"
    try:
        agreed = agreement(judged, seed=seed)
    except ImagestrataError as error:
        # One annotator, or no pair judged by two: the scores are worth having all the same.
        file.unlink(missing_ok=True)
        lines += ["", f"No agreement to report. {error}"]
    else:
        write_table(file, agreed)
        summary |= {"agreement": records(agreed)}
        lines += ["", agreed.round(3).to_string(index=False)]
    show(summary, as_json, *lines)


def tune(
    run_folder: RunFolder,
    answers: Annotated[list[Path], typer.Argument(help="The files with annotators' answers.")],
    also: Also = None,
    grid: Annotated[
        Path | None, typer.Option(help='A JSON file such as {"k": [10, 15]}; else the paper\'s.')
    ] = None,
    measure: Annotated[str, typer.Option(help="f1, mean_pr, precision, recall, quality.")] = "f1",
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.")] = 5,
    weighted: Annotated[
        bool, typer.Option(help="Weight pairs for all pairs of images, or look at the drawn ones.")
    ] = True,
    missing: Missing = "error",
    graded: Graded = False,
    rule: Annotated[str, typer.Option(help="Of several annotators: majority, all, mean.")] = (
        "majority"
    ),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Let judged pairs say which settings, and which encoder, cluster best."""
    from ..annotation.consensus import consensus
    from ..annotation.pairs import read_pairs
    from ..explore.tuning import plot_tuning
    from ..provenance import require_step
    from ..sampling.pairs import read_drawn_pairs
    from ..validation.tune import tune_clusters

    require_step(run_folder, "pairs")
    judged = read_pairs([*answers], read_drawn_pairs(run_folder), graded=graded)
    tuned = tune_clusters(
        _embeddings(run_folder, also),
        consensus(judged, rule),
        None if grid is None else _grid(grid),
        measure=measure,
        folds=folds,
        weighted=weighted,
        missing=missing,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
        progress=not quiet,
    )
    picture = run_folder / "tuning" / "tuning.png"
    plot_tuning(tuned, picture)
    best = tuned.summary.iloc[0]
    row = tuned.results[tuned.results["candidate"] == best["candidate"]].iloc[0]
    summary = {**records(tuned.summary)[0], "settings": json.loads(row["settings"])}
    show(
        summary,
        as_json,
        f"{plural(best['n_candidates'], 'clustering')}, {plural(best['n_pairs'], 'pair')}"
        f"{'' if weighted else ', unweighted'}. Best: "
        f"{row['settings']} with {best['encoder']}, {plural(best['n_clusters'], 'cluster')}",
        f"{measure} {best['estimate']:.3f} (standard error {best['std_error']:.3f}; "
        f"{best['heldout']:.3f} on pairs that had no say; "
        f"best baseline {best['best_baseline']:.3f})",
        f"All of them: {run_folder / 'tuning' / 'results.parquet'}, {picture}",
    )


def sweep(
    run_folder: RunFolder,
    size: Annotated[
        list[int] | None, typer.Option(help="A smallest size of clusters; 20, 30, ..., 90.")
    ] = None,
    min_samples: MinSamples = None,
    normalize: Normalize = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Try smallest sizes of clusters for the method hdbscan."""
    from ..embeddings.embeddings import Embeddings
    from ..files import write_table
    from ..provenance import require_step
    from ..validation.sweep import SIZES, sweep_min_cluster_size

    require_step(run_folder, "embed")
    swept = sweep_min_cluster_size(
        Embeddings.load(run_folder),
        size or SIZES,
        min_samples=min_samples,
        normalize=normalize,
        progress=not quiet,
    )
    write_table(run_folder / "sweep.csv", swept)
    show(
        {"sweep": records(swept)},
        as_json,
        swept.round(3).to_string(index=False),
        f"Also here: {run_folder / 'sweep.csv'}",
    )


def _embeddings(run_folder: Path, also: list[Path] | None) -> Any:
    """Vectors of the run folder, or of several by folder, since their encoder may be the same."""
    from ..embeddings.embeddings import Embeddings

    if not also:
        return Embeddings.load(run_folder)
    return {str(folder): Embeddings.load(folder) for folder in [run_folder, *also]}


def _grid(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ImagestrataError(
            f"The grid {quote(path)} cannot be read ({error}).",
            'It must be a JSON file such as {"k": [10, 15], "similarity_threshold": [0.03, 0.05]}.',
        ) from None
