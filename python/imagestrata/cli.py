"""The command ``imagestrata``: every step alone, and all of them with ``run``.

Results go to standard output, everything else to standard error. The exit code
is 0 when all went well, 2 for something the user can mend, 130 when interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import ImagestrataError

if TYPE_CHECKING:
    import pandas as pd

    from .clustering.clustering import Clustering

app = typer.Typer(
    help="Sort any pile of images into visual topics and draw samples that see every topic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[Path, typer.Argument(help="A folder of images; those in it are looked at too.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder made by the steps before.")]
Out = Annotated[Path, typer.Option("--out", help="The run folder to write to.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")]
Overwrite = Annotated[bool, typer.Option(help="Replace what was made with other settings.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Seed = Annotated[int, typer.Option(help="One seed for everything random.")]
Encoder = Annotated[str, typer.Option(help="How pictures become vectors; see `doctor`.")]
Weights = Annotated[Path | None, typer.Option(help="A file with the encoder's weights.")]
Model = Annotated[Path | None, typer.Option(help="A fine-tuned network, instead of an encoder.")]
Resize = Annotated[str, typer.Option(help="rescale_crop, squish, crop or pad.")]
Precision = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
BatchSize = Annotated[int | None, typer.Option(help="Images that pass the encoder together.")]
MinBytes = Annotated[int, typer.Option(help="Reject smaller files.")]
MinSide = Annotated[int, typer.Option(help="Reject images with a shorter side, in pixels.")]
NearDuplicates = Annotated[
    int | None, typer.Option(help="Hamming distance up to which images count as copies.")
]
Method = Annotated[str, typer.Option(help="iterative or kmeans.")]
Preset = Annotated[str | None, typer.Option(help='"paper": the published settings.')]
K = Annotated[int | None, typer.Option("--k", help="Clusters fitted per iteration.")]
Clusters = Annotated[int | None, typer.Option(help="Number of clusters (method kmeans).")]
Threshold = Annotated[
    float | None, typer.Option(help="Mean silhouette above which a cluster is cohesive.")
]
Normalize = Annotated[str | None, typer.Option(help='"l2": vectors of length one.')]
Components = Annotated[int | None, typer.Option(help="Principal components kept.")]
PerCluster = Annotated[int, typer.Option(help="Images sampled from each cluster.")]
Budget = Annotated[int | None, typer.Option(help="Images sampled in all, instead.")]
Allocation = Annotated[str, typer.Option(help="Of a budget: equal, proportional or sqrt.")]
Residual = Annotated[bool, typer.Option(help="Sample the images that belong to no cluster.")]
Singles = Annotated[bool, typer.Option(help="Sample clusters of one image.")]
Labels = Annotated[
    Path | None, typer.Option(help="A CSV file; without it, the names of the folders are labels.")
]
Task = Annotated[str | None, typer.Option(help="binary, multiclass or multilabel.")]
Freeze = Annotated[
    str, typer.Option(help='"none", "backbone", or how many blocks keep their weights.')
]
LearningRate = Annotated[float, typer.Option(help="Of stochastic gradient descent.")]
Momentum = Annotated[float, typer.Option(help="Of stochastic gradient descent.")]
TrainingBatch = Annotated[int, typer.Option("--batch-size", help="Images per step.")]
Epochs = Annotated[int, typer.Option(help="Passes over the training images.")]
EarlyStopping = Annotated[
    int | None, typer.Option(help="Stop after so many epochs without a lower validation loss.")
]
Decision = Annotated[str, typer.Option(help='A probability, or "calibrated".')]
Scale = Annotated[str, typer.Option(help="binary (different, same) or graded (0, 1, 2).")]


@app.command()
def run(
    folder: Folder,
    out: Out,
    encoder: Encoder = "resnet18",
    model: Model = None,
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    min_bytes: MinBytes = 0,
    min_side: MinSide = 16,
    near_duplicates: NearDuplicates = None,
    method: Method = "iterative",
    preset: Preset = None,
    k: K = None,
    n_clusters: Clusters = None,
    similarity_threshold: Threshold = None,
    normalize: Normalize = None,
    n_components: Components = None,
    n_per_cluster: PerCluster = 5,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Scan, embed, cluster and sample a folder, and make the gallery.

    Interrupted, it goes on where it stopped when the same command is run again.
    """
    common = {"out": out, "overwrite": overwrite}
    images = _scan(folder, min_bytes, min_side, near_duplicates, not quiet, common)
    embeddings = _embed(
        images, encoder, model, weights, resize, precision, batch_size, seed, not quiet, common
    )
    arguments = _cluster_arguments(
        method=method,
        preset=preset,
        k=k,
        n_clusters=n_clusters,
        similarity_threshold=similarity_threshold,
        normalize=normalize,
        n_components=n_components,
    )
    clustering = _cluster(embeddings, arguments, seed, not quiet, common)
    drawn = _sample(clustering, common, n_per_cluster=n_per_cluster, seed=seed)
    page = _gallery(clustering, drawn, not quiet, common)
    summary = _clustering_summary(clustering) | {"n_sampled": len(drawn), "gallery": str(page)}
    _print(
        summary,
        as_json,
        *_scan_lines(images),
        *_cluster_lines(clustering),
        f"{len(drawn)} images sampled: {out / 'sample.csv'}",
        f"Open the gallery in a browser: {page.resolve().as_uri()}",
    )


@app.command()
def scan(
    folder: Folder,
    out: Out,
    min_bytes: MinBytes = 0,
    min_side: MinSide = 16,
    near_duplicates: NearDuplicates = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look at every file: usable, a copy of another, or why not."""
    common = {"out": out, "overwrite": overwrite}
    images = _scan(folder, min_bytes, min_side, near_duplicates, not quiet, common)
    _print(_scan_summary(images), as_json, *_scan_lines(images))


@app.command()
def embed(
    run_folder: RunFolder,
    encoder: Encoder = "resnet18",
    model: Model = None,
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn every distinct image of a run folder into a vector."""
    from .files import read_table
    from .provenance import require_step

    require_step(run_folder, "scan")
    images = read_table(run_folder / "images.parquet")
    common = {"out": run_folder, "overwrite": overwrite}
    embeddings = _embed(
        images, encoder, model, weights, resize, precision, batch_size, seed, not quiet, common
    )
    n, width = embeddings.matrix.shape
    summary = {
        "n_images": n,
        "width": width,
        "encoder": embeddings.encoder["name"],
        "n_failed": len(embeddings.failures),
    }
    _print(summary, as_json, f"{n} images, {width} numbers each: {run_folder / 'embeddings'}")


@app.command()
def cluster(
    run_folder: RunFolder,
    method: Method = "iterative",
    preset: Preset = None,
    k: K = None,
    n_clusters: Clusters = None,
    similarity_threshold: Threshold = None,
    normalize: Normalize = None,
    n_components: Components = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the images of a run folder into visual topics."""
    from .embeddings.embeddings import Embeddings
    from .provenance import require_step

    require_step(run_folder, "embed")
    arguments = _cluster_arguments(
        method=method,
        preset=preset,
        k=k,
        n_clusters=n_clusters,
        similarity_threshold=similarity_threshold,
        normalize=normalize,
        n_components=n_components,
    )
    common = {"out": run_folder, "overwrite": overwrite}
    embeddings = Embeddings.load(run_folder)
    clustering = _cluster(embeddings, arguments, seed, not quiet, common)
    _print(_clustering_summary(clustering), as_json, *_cluster_lines(clustering))


@app.command()
def sample(
    run_folder: RunFolder,
    n_per_cluster: PerCluster = 5,
    budget: Budget = None,
    allocation: Allocation = "equal",
    residual: Residual = True,
    singles: Singles = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Draw images from every cluster of a run folder, with weights."""
    common = {"out": run_folder, "overwrite": overwrite}
    drawn = _sample(
        _load_clustering(run_folder),
        common,
        n_per_cluster=n_per_cluster,
        budget=budget,
        allocation=allocation,
        residual=residual,
        singles=singles,
        seed=seed,
    )
    summary = {"n_sampled": len(drawn), "n_strata": int(drawn["cluster"].nunique())}
    _print(summary, as_json, f"{len(drawn)} images sampled: {run_folder / 'sample.csv'}")


@app.command()
def gallery(
    run_folder: RunFolder,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make the page that shows the clusters of a run folder."""
    from .sampling.sample import read_sample

    stored = run_folder / "sample.csv"
    drawn = read_sample(run_folder) if stored.exists() else None
    common = {"out": run_folder, "overwrite": overwrite}
    page = _gallery(_load_clustering(run_folder), drawn, not quiet, common)
    _print({"gallery": str(page)}, as_json, f"Open in a browser: {page.resolve().as_uri()}")


@app.command("fine-tune")
def fine_tune(
    folder: Folder,
    out: Out,
    labels: Labels = None,
    task: Task = None,
    encoder: Encoder = "resnet18",
    weights: Weights = None,
    resize: Resize = "rescale_crop",
    freeze: Freeze = "none",
    learning_rate: LearningRate = 0.001,
    momentum: Momentum = 0.9,
    batch_size: TrainingBatch = 4,
    epochs: Epochs = 50,
    early_stopping: EarlyStopping = None,
    precision: Precision = "auto",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Teach a network your own labels.

    Interrupted, it goes on after the last epoch when the same command is run again.
    """
    from .explore.training import plot_training
    from .finetune.fine_tune import fine_tune as teach

    model = teach(
        folder,
        labels,
        task,
        encoder=encoder,
        weights=weights,
        resize=resize,
        freeze=int(freeze) if freeze.isdigit() else freeze,
        learning_rate=learning_rate,
        momentum=momentum,
        batch_size=batch_size,
        epochs=epochs,
        early_stopping=early_stopping,
        precision=precision,
        seed=seed,
        out=out,
        overwrite=overwrite,
        progress=not quiet,
    )
    plot_training(model, out / "training.png")
    summary = _records(model.summary)[0]
    _print(summary, as_json, str(model), f"The course of training: {out / 'training.png'}")


@app.command()
def predict(
    folder: Folder,
    model: Annotated[Path, typer.Option(help="What `imagestrata fine-tune` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.")],
    threshold: Decision = "0.5",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label images with a fine-tuned network."""
    from .files import make_folder, write_table
    from .finetune.predict import CALIBRATED, predict_labels

    try:
        given = threshold if threshold == CALIBRATED else float(threshold)
    except ValueError:
        raise ImagestrataError(
            f'--threshold must be a number or "{CALIBRATED}", not {threshold!r}.'
        ) from None
    target = out.with_suffix(".csv")
    make_folder(target.parent)
    table = predict_labels(folder, model, threshold=given, progress=not quiet)
    write_table(target, table)
    counts = table.loc[table["decision"].fillna(False).astype(bool), "label"].value_counts()
    found = {str(label): int(n) for label, n in counts.items()}
    n = int(table["image_id"].nunique())
    said = ", ".join(f"{label} {n}" for label, n in found.items()) or "no label"
    _print({"n_images": n, "labels": found}, as_json, f"{n} images: {said}", f"All of it: {target}")


@app.command()
def pairs(
    run_folder: RunFolder,
    n: Annotated[int, typer.Option("--n", help="Number of pairs.")] = 554,
    k: Annotated[int, typer.Option("--k", help="Clusters of the k-means.")] = 80,
    share_within: Annotated[float, typer.Option(help="Share of pairs within clusters.")] = 0.5,
    format: Annotated[str, typer.Option(help="html, csv or labelstudio.")] = "html",
    scale: Scale = "binary",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw pairs of images, and write the file with which people judge them."""
    from .embeddings.embeddings import Embeddings
    from .provenance import require_step
    from .validate import check_choice
    from .validation.pair_export import FORMATS, export_pairs
    from .validation.pairs import sample_pairs

    require_step(run_folder, "embed")
    ending = FORMATS[check_choice("format", format, FORMATS)]
    drawn = sample_pairs(
        Embeddings.load(run_folder),
        n,
        k,
        share_within=share_within,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
    )
    # The table of the pairs themselves is pairs.csv.
    file = export_pairs(
        drawn,
        run_folder / f"judge-pairs{ending}",
        format=format,
        scale=scale,
        overwrite=overwrite,
        progress=not quiet,
    )
    summary = {"n_pairs": len(drawn), "pairs": str(run_folder / "pairs.csv"), "file": str(file)}
    _print(summary, as_json, f"{len(drawn)} pairs: {summary['pairs']}", f"For annotators: {file}")


@app.command()
def assign(
    run_folder: RunFolder,
    group: Annotated[
        list[str] | None, typer.Option(help="A group of respondents; Democrat and Republican.")
    ] = None,
    n_images: Annotated[int, typer.Option(help="Images in a packet.")] = 8,
    raters_per_group: Annotated[int, typer.Option(help="Respondents per image and group.")] = 1,
    residual: Annotated[
        str, typer.Option(help="Residual images: cluster (one cluster) or apart.")
    ] = "cluster",
    format: Annotated[str, typer.Option(help="html, qualtrics or labelstudio.")] = "html",
    base_url: Annotated[
        str | None, typer.Option(help="Where images will lie on a server (qualtrics).")
    ] = None,
    low: Annotated[int, typer.Option(help="Lowest rating.")] = 1,
    high: Annotated[int, typer.Option(help="Highest rating.")] = 10,
    warning: Annotated[str | None, typer.Option(help="Read before the first image.")] = None,
    exclude: Annotated[
        Path | None, typer.Option(help="A file with ids of images to leave out, one a line.")
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Deal the sample of a run folder to annotators, and write what they rate it with."""
    from .provenance import require_step
    from .sampling.assign import assign_annotators, packet_costs
    from .sampling.labelstudio import export_labelstudio
    from .sampling.qualtrics import export_qualtrics
    from .sampling.ratings_page import export_ratings_page
    from .sampling.sample import read_sample
    from .validate import check_choice

    require_step(run_folder, "sample")
    exports: dict[str, Any] = {
        "html": export_ratings_page,
        "qualtrics": export_qualtrics,
        "labelstudio": export_labelstudio,
    }
    export = exports[check_choice("format", format, exports)]
    if format == "qualtrics" and base_url is None:
        raise ImagestrataError(
            "Qualtrics shows images from a server: --base-url says from where.",
            "For example --base-url https://www.example.org/study/images.",
        )
    if format == "html" and base_url is not None:
        raise ImagestrataError("A page holds its images: --base-url is for the other formats.")
    hidden = None if exclude is None else _lines(exclude)
    packets = assign_annotators(
        read_sample(run_folder),
        group or ("Democrat", "Republican"),
        n_images,
        raters_per_group,
        residual=residual,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
    )
    hosted = {} if base_url is None else {"base_url": base_url}
    folder = export(
        packets,
        run_folder / f"rate-{format}",
        scale=(low, high),
        warning=warning,
        exclude=hidden,
        overwrite=overwrite,
        progress=not quiet,
        **hosted,
    )
    costs = packet_costs(packets)
    summary = {"packets": str(run_folder / "packets.csv"), "folder": str(folder)}
    _print(
        summary | {"costs": _records(costs)},
        as_json,
        costs.to_string(index=False),
        f"Packets: {summary['packets']}",
        f"For annotators: {folder}",
    )


@app.command()
def score(
    run_folder: RunFolder,
    answers: Annotated[list[Path], typer.Argument(help="The files with annotators' answers.")],
    scale: Scale = "binary",
    rule: Annotated[str, typer.Option(help="Of several annotators: majority, all, mean.")] = (
        "majority"
    ),
    residual: Annotated[str, typer.Option(help="Residual images: apart or leave_out.")] = "apart",
    error_rate: Annotated[float, typer.Option(help="Share of judgements that are wrong.")] = 0.0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare the clusters of a run folder with people's judgements of its pairs."""
    from .files import write_table
    from .provenance import require_step
    from .validation.agreement import agreement, consensus
    from .validation.pair_answers import read_pairs
    from .validation.pair_scores import score_pairs
    from .validation.pairs import read_drawn_pairs

    require_step(run_folder, "pairs")
    clustering = _load_clustering(run_folder)
    judged = read_pairs([*answers], read_drawn_pairs(run_folder), scale=scale)
    scores = score_pairs(
        clustering, consensus(judged, rule), residual=residual, error_rate=error_rate, seed=seed
    )
    write_table(run_folder / "scores.csv", scores)
    summary = {"scores": _records(scores)}
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
        summary |= {"agreement": _records(agreed)}
        lines += ["", agreed.round(3).to_string(index=False)]
    _print(summary, as_json, *lines)


@app.command()
def tune(
    run_folder: RunFolder,
    answers: Annotated[list[Path], typer.Argument(help="The files with annotators' answers.")],
    also: Annotated[
        list[Path] | None, typer.Option(help="Run folders of the same images, other encoders.")
    ] = None,
    grid: Annotated[
        Path | None, typer.Option(help='A JSON file such as {"k": [10, 15]}; else the paper\'s.')
    ] = None,
    measure: Annotated[str, typer.Option(help="f1, mean_pr, precision, recall, quality.")] = "f1",
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.")] = 5,
    weighted: Annotated[bool, typer.Option(help="Weight pairs by their probability.")] = False,
    scale: Scale = "binary",
    rule: Annotated[str, typer.Option(help="Of several annotators: majority, all, mean.")] = (
        "majority"
    ),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Let judged pairs say which settings, and which encoder, cluster best."""
    from .embeddings.embeddings import Embeddings
    from .explore.tuning import plot_tuning
    from .provenance import require_step
    from .validation.agreement import consensus
    from .validation.pair_answers import read_pairs
    from .validation.pairs import read_drawn_pairs
    from .validation.tune import tune_clusters

    require_step(run_folder, "pairs")
    # Several may well be of one encoder, before and after fine-tuning.
    several = (
        {str(folder): Embeddings.load(folder) for folder in [run_folder, *also]} if also else None
    )
    judged = read_pairs([*answers], read_drawn_pairs(run_folder), scale=scale)
    tuned = tune_clusters(
        several or Embeddings.load(run_folder),
        consensus(judged, rule),
        None if grid is None else _grid(grid),
        measure=measure,
        folds=folds,
        weighted=weighted,
        seed=seed,
        out=run_folder,
        overwrite=overwrite,
        progress=not quiet,
    )
    picture = run_folder / "tuning" / "tuning.png"
    plot_tuning(tuned, picture)
    best = tuned.summary.iloc[0]
    row = tuned.results[tuned.results["candidate"] == best["candidate"]].iloc[0]
    summary = {**_records(tuned.summary)[0], "settings": json.loads(row["settings"])}
    _print(
        summary,
        as_json,
        f"{best['n_candidates']} clusterings, {best['n_pairs']} pairs. Best: {row['settings']} "
        f"with {best['encoder']}, {best['n_clusters']} clusters",
        f"{measure} {best['estimate']:.3f} (standard error {best['std_error']:.3f}; "
        f"{best['heldout']:.3f} on pairs that had no say; "
        f"best baseline {best['best_baseline']:.3f})",
        f"All of them: {run_folder / 'tuning' / 'results.parquet'}, {picture}",
    )


@app.command()
def share(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    ratings: Annotated[
        list[Path] | None, typer.Option(help="Files with ratings, as read_ratings() takes them.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A column of your own that goes along as it is.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Noise on embeddings, as a share of their spread.")
    ] = None,
    projection: Annotated[
        int | None, typer.Option(help="Project embeddings at random to so many numbers.")
    ] = None,
    new_ids: Annotated[bool, typer.Option(help="Random ids; you keep the key.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write what others need to check a study, without pictures, paths or names."""
    from .explore.share import share_bundle
    from .ratings.read import read_ratings

    bundle = share_bundle(
        run_folder,
        out,
        ratings=read_ratings([*ratings]) if ratings else None,
        columns=column,
        noise=noise,
        projection=projection,
        new_ids=new_ids,
        overwrite=overwrite,
    )
    _print({"bundle": str(bundle)}, as_json, f"To be shared: {bundle}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the drawn images.")],
    n_images: Annotated[int, typer.Option(help="How many files.")] = 600,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw a folder of pictures to try things on."""
    from .corpus.demo import draw_demo_corpus

    drawn = draw_demo_corpus(folder, n_images=n_images, seed=seed)
    _print({"folder": str(drawn)}, as_json, f"Drew a demo corpus: {drawn}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine offers and which encoders are ready."""
    from .doctor import examine

    found = examine()
    rows = [f"{name:<24}{value}" for name, value in found["versions"].items()]
    rows += ["", *(f"{name:<24}{value}" for name, value in found["machine"].items()), ""]
    for entry in found["encoders"]:
        state = "ready" if entry["ready"] else "not ready"
        rows.append(f"{entry['name']:<24}{state:<12}{entry['note']}")
    _print(found, as_json, *rows)


class Interrupted(BaseException):
    """Ctrl-C, which Typer would otherwise swallow without a word."""


def main() -> None:
    """Run the command line, showing what users can mend as a message, not a traceback."""
    signal.signal(signal.SIGINT, _interrupt)
    warnings.showwarning = _show_warning
    try:
        app()
    except ImagestrataError as error:
        _complain(f"Error: {error.message}", error.hint)
        sys.exit(2)
    except Interrupted:
        _complain("Interrupted. What is finished is kept; the same command goes on from there.")
        sys.exit(130)


def _interrupt(*_: Any) -> None:
    raise Interrupted


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        _complain(f"Warning: {message}")


def _scan(
    folder: Path,
    min_bytes: int,
    min_side: int,
    near_duplicates: int | None,
    progress: bool,
    common: dict[str, Any],
) -> pd.DataFrame:
    from .corpus.scan import scan_images

    return scan_images(
        folder,
        min_bytes=min_bytes,
        min_side=min_side,
        near_duplicates=near_duplicates,
        progress=progress,
        **common,
    )


def _embed(
    images: pd.DataFrame,
    encoder: str,
    model: Path | None,
    weights: Path | None,
    resize: str,
    precision: str,
    batch_size: int | None,
    seed: int,
    progress: bool,
    common: dict[str, Any],
) -> Any:
    from .embeddings.embed import embed_images

    return embed_images(
        images,
        encoder,
        model=model,
        weights=weights,
        resize=resize,
        precision=precision,
        batch_size=batch_size,
        seed=seed,
        progress=progress,
        **common,
    )


def _cluster_arguments(**arguments: Any) -> dict[str, Any]:
    """Only what was given: the defaults live with cluster_images."""
    return {name: value for name, value in arguments.items() if value is not None}


def _cluster(
    embeddings: Any, arguments: dict[str, Any], seed: int, progress: bool, common: dict[str, Any]
) -> Clustering:
    from .clustering.cluster import cluster_images

    return cluster_images(embeddings, seed=seed, progress=progress, **arguments, **common)


def _grid(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ImagestrataError(
            f"The grid {str(path)!r} cannot be read ({error}).",
            'It must be a JSON file such as {"k": [10, 15], "similarity_threshold": [0.03, 0.05]}.',
        ) from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ImagestrataError(
            f"{str(path)!r} cannot be read as text ({error}).", "It must have one id a line."
        ) from None


def _sample(clustering: Clustering, common: dict[str, Any], **arguments: Any) -> pd.DataFrame:
    from .sampling.sample import sample_images

    return sample_images(clustering, **arguments, **common)


def _gallery(
    clustering: Clustering, drawn: pd.DataFrame | None, progress: bool, common: dict[str, Any]
) -> Path:
    from .explore.gallery import image_gallery
    from .explore.montage import plot_montage

    page = image_gallery(clustering, sample=drawn, progress=progress, **common)
    plot_montage(clustering, common["out"] / "montage.png")
    return page


def _load_clustering(run_folder: Path) -> Clustering:
    from .clustering.clustering import Clustering
    from .provenance import require_step

    require_step(run_folder, "cluster")
    return Clustering.load(run_folder)


def _scan_summary(images: pd.DataFrame) -> dict[str, Any]:
    counts = images["status"].value_counts()
    rejected = images.loc[images["status"] == "rejected", "reason"]
    return {
        "n_files": len(images),
        "n_images": int(counts.get("ok", 0)),
        "n_duplicates": int(counts.get("duplicate", 0)),
        "n_rejected": int(counts.get("rejected", 0)),
        "rejected": rejected.value_counts().to_dict(),
    }


def _scan_lines(images: pd.DataFrame) -> list[str]:
    found = _scan_summary(images)
    lines = [f"{found['n_files']} files: {found['n_images']} distinct images"]
    if found["n_duplicates"]:
        lines[0] += f", {found['n_duplicates']} copies"
    if found["n_rejected"]:
        reasons = ", ".join(f"{n} {reason}" for reason, n in found["rejected"].items())
        lines[0] += f", {found['n_rejected']} rejected ({reasons})"
    return lines


def _clustering_summary(clustering: Clustering) -> dict[str, Any]:
    summary = clustering.summary.to_dict("records")[0]
    return {str(name): value for name, value in summary.items()}


def _cluster_lines(clustering: Clustering) -> list[str]:
    found = _clustering_summary(clustering)
    share = found["n_residual"] / found["n_images"]
    return [
        f"{found['n_clusters']} clusters in {found['n_iterations']} iterations; "
        f"{found['n_residual']} images ({share:.1%}) belong to none"
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them, None where a number is missing."""
    known = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]


def _print(summary: dict[str, Any], as_json: bool, *lines: str) -> None:
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, default=str))
    else:
        typer.echo("\n".join(lines))


def _complain(message: str, hint: str = "") -> None:
    typer.echo(message, err=True)
    if hint:
        typer.echo(hint, err=True)
