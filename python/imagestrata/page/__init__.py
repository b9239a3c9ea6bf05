"""The page kit: every HTML page of this package is made here, in one way.

A page is one file that opens from disk in any browser and asks the network for
nothing. The style sheet, the scripts and the data lie inside it; images lie in
files beside it or are embedded as ``data:`` addresses. Its content security
policy names the style and the script by their hashes, so that nothing else can
run, whatever an image file is called.

A kind of page, say ``gallery``, is a template ``gallery.html`` that extends
``base.html``, and a script ``gallery.js`` that builds on ``kit.js`` (data,
elements, storage, keyboard, copying and downloading). All share ``kit.css``.
Pages that put tasks before annotators extend ``annotate.html`` and use ``annotate.js``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..files import write_bytes
from ..provenance import fingerprint, version

_FOLDER = Path(__file__).parent
#: Scripts between the kit's and the page's own: pages with tasks for annotators share one, and
#: the gallery's map has one to itself.
_SHARED = {
    "pairs": ("annotate",),
    "sets": ("annotate",),
    "ratings": ("annotate",),
    "gallery": ("scatter",),
}


#: Pages on which people answer, with a ``data["key"]`` that says what their answers are to.
_ANSWERED = ("pairs", "sets", "ratings", "coding")


def write_page(path: Path, kind: str, data: Any, *, title: str, **context: Any) -> Path:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : Path
        The HTML file to write, in a folder that exists.
    kind : str
        Name of the template and of the script that make up the page.
    data : JSON-like
        What the page's script works on, as ``kit.data``. Not a number is not
        JSON: use None.
    title : str
        Title of the page.
    **context
        Further names for the template, where everything is escaped.

    Returns
    -------
    Path
        ``path``.
    """
    if kind in _ANSWERED:
        # Answers belong to one export, one question and one scale. The names of the page and its
        # folder tell exports apart; where they lie does not, so that a page may move.
        asked = [title, context.get("question"), data.get("anchors")]
        export = [path.parent.name, path.name]
        data = {**data, "key": fingerprint([data["key"], asked, export])}
    style = _asset("kit.css")
    script = "".join(_asset(f"{name}.js") for name in ("kit", *_SHARED.get(kind, ()), kind))
    html = _template(kind).render(
        title=title,
        version=version(),
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=_embedded(data),
        **context,
    )
    # A file name that is not proper text (it happens on Linux) must not stop the page.
    write_bytes(path, html.encode("utf-8", errors="replace"))
    return path


def fragment(kind: str, **context: Any) -> str:
    """HTML from a template, for inside another page; everything in the context is escaped."""
    return _template(kind).render(**context)


def _template(kind: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{kind}.html")


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """The content security policy: our style, our script, local images, nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "img-src 'self' file: data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(data: Any) -> Markup:
    """JSON that no HTML parser can take for anything else: no ``<``, ``>`` or ``&`` in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
