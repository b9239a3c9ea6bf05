"""`describe`, `read-text`, `tag`, `embed-text`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import imagestrata

from ..errors import ImagestrataError, first_rows, plural
from .embeddings import vectors_made
from .options import Folder, Local, Model, Name, Out, Pictures, RunFolder, Settings, Texts
from .output import Said, records
from .run_folder import find_texts, pictures, placed, scanned


def describe(
    run_folder: RunFolder,
    model: Model,
    settings: Settings,
    local: Local = False,
) -> Said:
    """Describe the images of a run folder with a vision language model.

    Without --consent, nothing is sent; the message reports what would be sent and its cost.
    The key of OpenAI is read from the environment variable OPENAI_API_KEY.
    """
    images = scanned(run_folder)
    provider = model_of(model, settings, local=local)
    table = imagestrata.describe_images(images, provider, run_folder, **settings("describe_images"))
    n, cost = int(table["description"].notna().sum()), float(table["cost"].sum())
    summary = {"n_images": len(table), "n_described": n, "cost": cost}
    file = run_folder / "descriptions.parquet"
    return summary, f"{n} of {plural(len(table), 'image')} described: {file}"


def model_of(
    model: str, settings: Settings, *, local: bool
) -> imagestrata.ModelServer | imagestrata.LocalModel:
    """The model on a server or on this machine, from the options of a command."""
    server = settings("ModelServer")
    if not local:
        return imagestrata.ModelServer(model, **server)
    if {"base_url", "price"} & {*server}:
        raise ImagestrataError("A local model takes no --base-url and no --price.")
    return imagestrata.LocalModel(model, **settings("LocalModel"))


def read_text(run_folder: RunFolder, settings: Settings) -> Said:
    """Read the text inside every distinct image of a run folder."""
    texts = imagestrata.read_text(scanned(run_folder), **settings("read_text", out=run_folder))
    summary: dict[str, Any] = {
        "n_images": len(texts),
        "n_with_text": int(texts["text"].notna().sum()),
        "n_words": int(texts["n_words"].sum()),
        "texts": str(run_folder / "texts.parquet"),
    }
    said = f"{plural(summary['n_words'], 'word')} in {summary['n_with_text']} of "
    return summary, f"{said}{plural(len(texts), 'image')}: {summary['texts']}"


def tag(
    images: Pictures,
    out: Out,
    settings: Settings,
    classifier: Annotated[
        str,
        typer.Option(
            help="A network with classes; clip:NAME with --label; server:MODEL or local:MODEL with "
            "--question; rekognition:labels, celebrities, moderation, text or faces."
        ),
    ] = "efficientnet_lite0",
    token_price: Annotated[
        tuple[float, float] | None,
        typer.Option(help="The prices of a million tokens, sent and answered, of a server."),
    ] = None,
    folder: Folder = None,
) -> Said:
    """Tag images with the labels of a pretrained classifier or model, and count the labels.

    Without --consent, nothing is sent to a service or a server on another machine; the message
    reports what would be sent and its cost.
    """
    from ..files import write_table

    service, _, name = classifier.partition(":")
    asked: Any = classifier
    if service == "rekognition":
        asked = imagestrata.Rekognition(name, **settings("Rekognition"))
    elif service == "server":
        asked = imagestrata.ModelServer(name, price=token_price, **settings("ModelServer"))
    elif service == "local":
        asked = imagestrata.LocalModel(name)
    tags = imagestrata.tag_images(
        pictures(images, folder), asked, **settings("tag_images", out=out)
    )
    counted = imagestrata.tag_frequencies(tags)
    write_table(out / "tag-frequencies.csv", counted)
    summary = {"n_images": int(tags["image_id"].nunique()), "n_labels": len(counted)}
    return (
        summary | {"frequencies": records(counted)},
        first_rows(counted.round(3), "tag", 20),
        f"Tags: {out / 'tags.parquet'}, {out / 'tag-frequencies.csv'}",
    )


def embed_text(
    run_folder: RunFolder,
    settings: Settings,
    name: Name = None,
    encoder: Annotated[
        str, typer.Option(help='tfidf, "text:<name>", or with --base-url a model of that server.')
    ] = "tfidf",
    texts: Texts = None,
    base_url: Annotated[
        str | None, typer.Option(help="A server with the OpenAI interface.")
    ] = None,
) -> Said:
    """Turn the texts about the images of a run folder into vectors."""
    from ..provenance import require_step

    run_folder = placed(run_folder, name)
    require_step(run_folder, "scan")
    table, _, column = find_texts(run_folder, texts)
    asked = encoder if base_url is None else imagestrata.ModelServer(encoder, base_url)
    given = {"column": column} | settings("embed_text", out=run_folder)
    embeddings = imagestrata.embed_text(table, asked, **given)
    return vectors_made(embeddings, run_folder, n_failed=len(embeddings.failures))
