"""Read a TOML file of settings, with a section per command and a key per argument."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError
from ..wording import quote

if TYPE_CHECKING:
    from .options import Command


def read_config(path: Path, commands: Mapping[str, Command]) -> dict[str, dict[str, Any]]:
    """Settings by section; those before the first section, which hold for all commands, under "".

    Raises
    ------
    ImagestrataError
        If the file cannot be read, or contains an unknown name.
    """
    from ..tables import text_of
    from ..verbs import COMMON

    text = text_of(path)
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        raise ImagestrataError(
            f"The settings in {quote(path)} cannot be read ({error}).",
            'The file must be TOML, such as: [cluster], and below it: method = "kmeans".',
        ) from None
    everywhere = {name: one for name, one in found.items() if not isinstance(one, dict)}
    sections = {name: one for name, one in found.items() if isinstance(one, dict)}
    for name in sections:
        _check_known(path, f"section [{name}]", name, commands, "Sections are named after commands")
    for name in everywhere:
        _check_known(
            path, f"key {quote(name)} outside of a section", name, COMMON,
            "Other keys belong to the section of a command. Keys without a section",
        )  # fmt: skip
    for section, settings in sections.items():
        for name in settings:
            _check_known(
                path, f"key {quote(name)} in [{section}]", name, commands[section].keys, "Its keys"
            )
    return {"": everywhere, **sections}


def _check_known(path: Path, what: str, name: str, known: Iterable[str], which: str) -> None:
    if name in known:
        return
    near = get_close_matches(name.replace("-", "_"), known, 1) or get_close_matches(name, known, 1)
    raise ImagestrataError(
        f"{quote(path)} has an unknown {what}.",
        f"Did you mean {near[0]}?" if near else f"{which}: {', '.join(sorted(known))}.",
        code="unknown_argument",
    )
