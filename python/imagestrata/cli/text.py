"""`describe`, `read-text`, `tag`, `embed-text`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import ImagestrataError, first_rows, plural
from .options import (
    BatchSize,
    Column,
    Consent,
    Folder,
    Json,
    Name,
    Out,
    Overwrite,
    Quiet,
    RunFolder,
    ServerAddress,
    Table,
    Weights,
)
from .output import records, show
from .run_folder import find_texts, placed, scanned


def describe(
    run_folder: RunFolder,
    model: Annotated[str, typer.Option(help="The model's name, as the server knows it.")],
    base_url: ServerAddress = None,
    local: Annotated[
        bool, typer.Option("--local", help="The model is a folder or a name for transformers.")
    ] = False,
    prompt: Annotated[str | None, typer.Option(help="What the model is asked.")] = None,
    max_tokens: Annotated[
        int, typer.Option(help="Length of an answer at most; 0 for no limit.")
    ] = 300,
    side: Annotated[int, typer.Option(help="Longer side of the pictures sent, in pixels.")] = 512,
    price: Annotated[
        tuple[float, float] | None,
        typer.Option(help="What a million tokens cost: sent, answered."),
    ] = None,
    budget: Annotated[float | None, typer.Option(help="What all answers may cost.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests under way at once.")] = 4,
    per_minute: Annotated[float | None, typer.Option(help="Requests per minute at most.")] = None,
    consent: Consent = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Have a vision language model describe the images of a run folder.

    Without --consent nothing is sent, and the message says what would be, at what cost.
    The key of a service is read from the environment variable OPENAI_API_KEY.
    """
    from ..text.describe import PROMPT, describe_images
    from ..text.local import LocalModel

    images = scanned(run_folder)
    if local and (base_url, price) != (None, None):
        raise ImagestrataError("A local model has no --base-url and no --price.")
    limits = {"price": price, "concurrency": concurrency, "requests_per_minute": per_minute}
    table = describe_images(
        images,
        LocalModel(model) if local else _server(model, base_url, **limits),
        run_folder,
        prompt=PROMPT if prompt is None else prompt,
        max_tokens=max_tokens or None,
        side=side,
        budget=budget,
        consent=consent,
        overwrite=overwrite,
        progress=not quiet,
    )
    n, cost = int(table["description"].notna().sum()), float(table["cost"].sum())
    summary = {"n_images": len(table), "n_described": n, "cost": cost}
    file = run_folder / "descriptions.parquet"
    show(summary, as_json, f"{n} of {plural(len(table), 'image')} described: {file}")


def read_text(
    run_folder: RunFolder,
    language: Annotated[
        list[str] | None, typer.Option(help="A language by Tesseract's code; eng.")
    ] = None,
    min_confidence: Annotated[float, typer.Option(help="Drop words less sure, 0 to 1.")] = 0.6,
    psm: Annotated[int, typer.Option(help="Tesseract's page segmentation mode.")] = 3,
    side: Annotated[int, typer.Option(help="Enlarge smaller pictures to this, in pixels.")] = 1000,
    white_text: Annotated[bool, typer.Option(help="Look again for white letters.")] = True,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read the text inside every distinct image of a run folder."""
    from ..text.read import read_text as read

    texts = read(
        scanned(run_folder),
        language or "eng",
        min_confidence=min_confidence,
        psm=psm,
        side=side,
        white_text=white_text,
        out=run_folder,
        overwrite=overwrite,
        progress=not quiet,
    )
    summary = {
        "n_images": len(texts),
        "n_with_text": int(texts["text"].notna().sum()),
        "n_words": int(texts["n_words"].sum()),
        "texts": str(run_folder / "texts.parquet"),
    }
    words, n = plural(int(texts["n_words"].sum()), "word"), plural(len(texts), "image")
    said = f"{words} in {summary['n_with_text']} of {n}"
    show(summary, as_json, f"{said}: {summary['texts']}")


def tag(
    folder: Folder,
    out: Out,
    classifier: Annotated[
        str,
        typer.Option(help="One of torchvision, rekognition:labels or rekognition:celebrities."),
    ] = "resnet18",
    n_tags: Annotated[int, typer.Option(help="Labels per image, at most.")] = 5,
    min_confidence: Annotated[float, typer.Option(help="Leave out labels below it.")] = 0.0,
    weights: Weights = None,
    region: Annotated[str, typer.Option(help="Where Amazon computes.")] = "us-east-1",
    price: Annotated[float, typer.Option(help="What Amazon takes for an image.")] = 0.001,
    budget: Annotated[
        float | None, typer.Option(help="What all answers of a service may cost.")
    ] = None,
    consent: Annotated[
        bool, typer.Option("--consent", help="The images may leave this machine.")
    ] = False,
    batch_size: BatchSize = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tag images with the labels of a ready-made classifier, and count the labels."""
    from ..files import write_table
    from ..text.rekognition import Rekognition
    from ..text.tags import tag_frequencies, tag_images

    service, _, operation = classifier.partition(":")
    tags = tag_images(
        folder,
        Rekognition(operation, region=region, price=price)
        if service == "rekognition"
        else classifier,
        n_tags=n_tags,
        min_confidence=min_confidence,
        weights=weights,
        batch_size=batch_size,
        budget=budget,
        consent=consent,
        out=out,
        overwrite=overwrite,
        progress=not quiet,
    )
    counted = tag_frequencies(tags)
    write_table(out / "tag-frequencies.csv", counted)
    summary = {"n_images": int(tags["image_id"].nunique()), "n_labels": len(counted)}
    show(
        summary | {"frequencies": records(counted)},
        as_json,
        first_rows(counted.round(3), "tag", 20),
        f"Tags: {out / 'tags.parquet'}, {out / 'tag-frequencies.csv'}",
    )


def embed_text(
    run_folder: RunFolder,
    name: Name = None,
    encoder: Annotated[
        str, typer.Option(help='tfidf, "text:<name>", or with --base-url a model there.')
    ] = "tfidf",
    texts: Table = None,
    column: Column = None,
    terms: Annotated[int, typer.Option(help="Words of a text that count (tfidf).")] = 20,
    weights: Weights = None,
    base_url: ServerAddress = None,
    consent: Consent = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn what is said of every image of a run folder into a vector."""
    from ..provenance import require_step
    from ..text.embed import embed_text as embed

    run_folder = placed(run_folder, name)
    require_step(run_folder, "scan")
    table, _, found = find_texts(run_folder, texts)
    embeddings = embed(
        table,
        encoder if base_url is None else _server(encoder, base_url),
        column=column or found,
        terms=terms,
        weights=weights,
        consent=consent,
        out=run_folder,
        overwrite=overwrite,
        progress=not quiet,
    )
    n, width = embeddings.matrix.shape
    summary = {"n_images": n, "width": width, "n_failed": len(embeddings.failures)}
    show(
        summary,
        as_json,
        f"{plural(n, 'image')}, {plural(width, 'number')} each: {run_folder / 'embeddings'}",
    )


def _server(model: str, base_url: str | None, **limits: Any) -> Any:
    from ..text.server import ModelServer

    if base_url is not None:
        limits["base_url"] = base_url
    return ModelServer(model, **limits)
