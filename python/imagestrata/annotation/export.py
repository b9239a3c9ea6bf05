"""Export of a form: images that can be shown, files, and replacement of an earlier export."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote as as_url

import pandas as pd

from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural, warn
from ..files import (
    check_portable,
    is_half_written,
    make_folder,
    read_json,
    refuse_links,
    remove_half_written,
    write_bytes,
    write_json,
    write_table,
)
from ..names import Exclude
from ..progress import Progress
from ..provenance import version
from ..shown import Page
from ..validate import check_address, check_bool, check_idle, check_int, check_path
from ..wording import arg, quote, verb
from .exporters import EXPORTERS, Exporter, check_tool
from .form import Files, Form, Pictures
from .key import key_file

#: Name of the file that lists the files of an export, so that a new one can replace them all.
_MANIFEST = "export.json"
#: The answers that a server collected, see collecting/folder.py.
_ANSWERS = "answers.sqlite"


def export(
    form: Form,
    out: Any,
    to: str = "page",
    *,
    exclude: Exclude = None,
    thumbnail: Any,
    usual: int,
    base_url: Any = None,
    overwrite: Any,
    progress: Progress,
) -> tuple[Page, Form]:
    """Write a form, and its key beside it.

    Parameters
    ----------
    form : Form
    out : path
        A folder if the form has sheets, else a file.
    to : str
        A name in :data:`EXPORTERS`.
    exclude, thumbnail, base_url, overwrite, progress
        Arguments of the public function.
    usual : int
        The default of ``thumbnail``.

    Returns
    -------
    out : Page
    form : Form
        The form with the tasks that can be shown.
    """
    tool = check_tool(to, form.kind)
    in_folder = tool.folder or form.sheets is not None
    side = check_int("thumbnail", thumbnail, minimum=40, maximum=4000)
    alone = not (tool.inside or in_folder)
    if alone:
        check_idle(f"with {arg('to', to)}: the file contains no images", thumbnail=(side, usual))
    address = check_base_url(base_url, to)
    form = form.without(exclude)
    replace = check_bool("overwrite", overwrite)
    place = check_folder(out, replace) if in_folder else check_file(out, tool.ending, replace, to)
    if not in_folder and (alone or address is not None):
        pictures = Pictures(as_addresses(form.images, address), {})
        copies: Files = {}
    else:
        pictures = _embedded(form, side, progress)
        form = form.with_pictures(pictures)
        copies, pictures = _copies(pictures, address, tool) if in_folder else ({}, pictures)
    files = tool.files(form, pictures) | copies
    if in_folder:
        _write_folder(place, files, to, form)
    else:
        # The key is first: an export without one, of a killed process, could not be read.
        write_table(key_file(place), form.key)
        for number, (name, write) in enumerate(files.items()):
            write(place if number == 0 else place.with_name(f"{place.stem}-{name}"))
    return Page(place), form


def check_file(out: Any, ending: str, overwrite: bool, to: str = "page") -> Path:
    """The checked path of a file for annotators; its folder is made if necessary."""
    file = check_path("out", out)
    if file.suffix.lower() != ending:
        what = "" if to == "page" else f" for the format {quote(to)}"
        raise ImagestrataError(
            f"{arg('out')} must be a file that ends in {quote(ending)}{what}, not {quote(file)}.",
            f"Use {arg('out', file.with_suffix(ending))}.",
        )
    remove_half_written(make_folder(file.parent), file.name)
    if file.exists() and not overwrite:
        raise ImagestrataError(
            f"{quote(file)} exists already and may contain answers.",
            f"Choose another name, or use {arg('overwrite', True)} to replace it.",
        )
    return file


def check_folder(out: Any, overwrite: bool) -> Path:
    """The checked folder of an export: empty, or with an earlier export that can be replaced."""
    folder = make_folder(out)
    refuse_links(folder)
    here = sorted(path.name for path in folder.iterdir() if not is_half_written(path))
    if not here:
        return folder
    if _MANIFEST not in here:
        raise ImagestrataError(
            f"{quote(folder)} contains other files ({', '.join(here[:3])}).",
            "Choose a new folder.",
        )
    if _ANSWERS in here:
        raise ImagestrataError(
            f"{quote(folder)} contains the answers of annotators, which a server collected.",
            f"Choose another folder. Nothing was removed, also with {arg('overwrite', True)}.",
        )
    if not overwrite and not is_interrupted(folder):
        raise ImagestrataError(
            f"{quote(folder)} already contains an export, which annotators may be using.",
            f"Choose another folder, or use {arg('overwrite', True)} to replace it.",
        )
    return folder


def is_interrupted(folder: Path) -> bool:
    """Whether an export to a folder was not finished."""
    return bool(_manifest(folder).get("unfinished"))


def check_base_url(base_url: Any, to: str) -> str | None:
    """The checked address of a folder on a server, without a slash at its end."""
    example = "https://www.example.org/study/images"
    if base_url is None:
        if EXPORTERS[to].hosted:
            raise ImagestrataError(
                f"{arg('base_url')} must be given: with {arg('to', to)}, images are shown from a "
                "server.",
                f"For example {arg('base_url', example)}.",
            )
        return None
    if not EXPORTERS[to].outside:
        raise ImagestrataError(
            f"{arg('base_url')} has no effect with {arg('to', to)}, which contains the images.",
            f"Leave it out, or use {arg('to', 'labelstudio')}.",
        )
    if not isinstance(base_url, str) or not re.fullmatch(r"https?://[^\s\"'<>\[\]]+", base_url):
        raise ImagestrataError(
            f"{arg('base_url')} must be the address of the images on a server, not "
            f"{quote(base_url)}.",
            f"For example {arg('base_url', example)}.",
        )
    return check_address("base_url", base_url, example).rstrip("/")


def as_addresses(images: pd.DataFrame, address: str | None) -> dict[str, str]:
    """The path of each image, or its address on a server."""
    known = images.dropna(subset="path")
    if address is None:
        return dict(zip(known["image_id"], known["path"], strict=True))
    unknown = len(images) - len(known)
    if unknown:
        raise ImagestrataError(f"{unknown} of {plural(len(images), 'image')} have no path.")
    absolute = [os.path.abspath(path) for path in images["path"]]  # noqa: PTH100 - keeps links
    try:
        root = os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120
    except ValueError:
        raise ImagestrataError(
            f"The images are on several drives, and no folder at {arg('base_url')} holds them all.",
            f"Copy them into one folder, and find them there with {verb('relink')}.",
        ) from None
    below = [os.path.relpath(path, root).replace(os.sep, "/") for path in absolute]
    urls = [f"{address}/{as_url(path)}" for path in below]
    return dict(zip(images["image_id"], urls, strict=True))


def _embedded(form: Form, side: int, progress: Progress) -> Pictures:
    """Pictures embedded as data; a warning counts images that cannot be shown."""
    addresses, lost = embedded_pictures(form.images, side, progress)
    pictures = Pictures(addresses, lost)
    if not lost:
        return pictures
    image_id, reason = next(iter(lost.items()))
    path = form.images.set_index("image_id")["path"][image_id]
    complaint = (
        f"{len(lost)} of {plural(len(form.images), 'image')} cannot be shown, "
        f"{quote(path if isinstance(path, str) else image_id)} for one ({reason})."
    )
    if form.wanting:
        warn(complaint)
        return pictures
    left = form.with_pictures(pictures)
    message = (
        f"{form.n_tasks - left.n_tasks} of {plural(form.n_tasks, form.unit)} are left out: "
        f"{complaint}"
    )
    if left.tasks.empty:
        raise ImagestrataError(message, "Check the paths of the images.")
    warn(message)
    return pictures


def _copies(pictures: Pictures, address: str | None, tool: Exporter) -> tuple[Files, Pictures]:
    """Small copies in the folder of an export, ``images/ID.jpg``, unless files contain them."""
    if tool.inside and address is None:
        return {}, pictures
    unfit = [name for name in pictures.addresses if not re.fullmatch(r"[\w.-]+", name, re.ASCII)]
    if unfit:
        raise ImagestrataError(
            f"{plural(len(unfit), 'image id')} cannot name files on a server, {quote(unfit[0])} "
            "for one.",
            "Ids can contain letters, digits, '.', '_' and '-'.",
        )
    data = {name: at.split(",", 1)[1] for name, at in pictures.addresses.items()}
    files: Files = {
        f"images/{name}.jpg": partial(write_bytes, data=base64.b64decode(text))
        for name, text in data.items()
    }
    named = {name: f"{address or 'images'}/{name}.jpg" for name in data}
    return files, pictures._replace(addresses=named)


def _write_folder(folder: Path, files: Files, to: str, form: Form) -> None:
    """Remove an earlier export, so that newly excluded images do not remain, and write the files.

    The list of files is written first, so that an interrupted export can be removed as well.
    """
    files = dict(files)
    check_portable(files)
    earlier = _names(_manifest(folder), folder)
    remove_half_written(folder)
    write_json(folder / _MANIFEST, {"unfinished": True, "files": sorted({*earlier, *files})})
    for name in earlier:
        (folder / name).unlink(missing_ok=True)
    for name, write in files.items():
        make_folder((folder / name).parent)
        write(folder / name)
    # An export without its key is unfinished.
    write_table(key_file(folder), form.key)
    finish(folder, to, sorted(files), form)


def finish(folder: Path, to: str, files: Sequence[str], form: Form) -> None:
    """Write the list of the files of an export."""
    about = {"imagestrata": version(), "to": to, **(form.about or {}), "files": files}
    write_json(folder / _MANIFEST, about)


def _names(manifest: dict[str, Any], folder: Path) -> list[str]:
    """The checked names of the files of an export, all of which are in its folder."""
    names = manifest.get("files", [])
    plain = re.compile(r"(images/)?[\w-][\w.-]{,199}")
    if not isinstance(names, list) or not all(
        isinstance(name, str) and plain.fullmatch(name) for name in names
    ):
        raise ImagestrataError(
            f"{quote(folder / _MANIFEST)} lists files that are not part of our exports.",
            "Nothing was removed. Choose a new folder.",
        )
    return names


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / _MANIFEST
    return read_json(file) if file.exists() else {}
