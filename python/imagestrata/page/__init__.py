"""The page kit, which makes all HTML pages of this package.

A page is one file that opens from disk in any browser and makes no network
requests. It contains the style sheet, the scripts and the data; images are
files beside it or embedded as ``data:`` URLs. Its content security policy
allows only the style and the script with the given hashes, so that no other code
can run, whatever the name of an image file.

A kind of page, say ``gallery``, is a template ``gallery.html`` that extends
``base.html``, and a script ``gallery.js`` that builds on ``kit.js`` (data,
elements, storage, keyboard, copying and downloading). All share ``kit.css``.
Pages with tasks for annotators extend ``annotate.html`` and use ``annotate.js``.

Pages of the server of forms (:func:`served_page`) are the same, with ``remote.js``, and may talk to
the server that sent them and to nobody else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from ..files import write_bytes
from ..provenance import fingerprint, version

_FOLDER = Path(__file__).parent
#: Scripts between that of the kit and that of the page: pages with tasks for annotators share one,
#: and the gallery has some for its map, edits and posts.
_SHARED = {
    "pairs": ("annotate",),
    "sets": ("annotate",),
    "ratings": ("annotate",),
    "labels": ("annotate",),
    "gallery": ("scatter", "edits", "curate", "timeline"),
}

#: What pages may load: images beside them; or also answers of the server that sent them.
_FROM_DISK = "img-src 'self' file: data:"
_SERVED = "img-src 'self'; connect-src 'self'"

#: Pages for answers, with a ``data["key"]`` that identifies their tasks.
_ANSWERED = ("pairs", "sets", "ratings", "labels")


def write_page(path: Path, kind: str, data: Any, *, title: str, **context: Any) -> Path:
    """Write a page, completely or not at all.

    Parameters
    ----------
    path : Path
        The HTML file to write, in a folder that exists.
    kind : str
        Name of the template and of the script that make up the page.
    data : JSON-like
        Data for the script of the page, as ``kit.data``. JSON has no NaN: use None.
    title : str
        Title of the page.
    **context
        Further variables of the template, which escapes them.

    Returns
    -------
    Path
        ``path``.
    """
    if kind in _ANSWERED:
        # Answers belong to one export, one question and one scale. Exports are distinguished by
        # the names of the page and its folder, not by their location, so that a page can move.
        asked = [title, context.get("question"), data.get("anchors")]
        export = [path.parent.name, path.name]
        data = {**data, "key": fingerprint([data["key"], asked, export])}
    html = _html(kind, data, _scripts(kind), _FROM_DISK, title=title, served=False, **context).html
    # File names on Linux need not be valid text.
    write_bytes(path, html.encode("utf-8", errors="replace"))
    return path


class Served(NamedTuple):
    """A page, and its content security policy for the header of the answer."""

    html: str
    policy: str


def served_page(kind: str, data: Any, *, title: str, **context: Any) -> Served:
    """A page of the server of forms, which sends answers to that server.

    Parameters
    ----------
    kind, data, title, **context
        As for :func:`write_page`.
    """
    made = _html(kind, data, _scripts(kind, "remote"), _SERVED, title=title, served=True, **context)
    # Browsers accept this directive only in a header.
    return made._replace(policy=f"{made.policy}; frame-ancestors 'none'")


def _html(kind: str, data: Any, scripts: tuple[str, ...], may: str, **context: Any) -> Served:
    style = _asset("kit.css")
    script = "".join(_asset(f"{name}.js") for name in scripts)
    policy = _policy(style, script, may)
    html = _template(kind).render(
        version=version(),
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        data=_embedded(data),
        **context,
    )
    return Served(html, policy)


def _scripts(kind: str, *more: str) -> tuple[str, ...]:
    """The scripts of a page, in order; notices have none of their own."""
    own = (kind,) if (_FOLDER / f"{kind}.js").exists() else ()
    return ("kit", *more, *_SHARED.get(kind, ()), *own)


def fragment(kind: str, **context: Any) -> str:
    """HTML from a template, to be part of another page; the context is escaped."""
    return _template(kind).render(**context)


@lru_cache
def _template(kind: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{kind}.html")


@lru_cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str, may: str) -> str:
    """The content security policy: our style, our script, and what else a page may load."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            may,
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(data: Any) -> Markup:
    """JSON without ``<``, ``>`` and ``&``, which is safe inside HTML."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
