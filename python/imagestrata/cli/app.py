"""The program itself: what it says of errors, warnings and interruptions."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import Any

import typer

from ..errors import ImagestrataError

app = typer.Typer(
    help="Sort any pile of images into visual topics and draw samples that see every topic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Interrupted(BaseException):
    """Ctrl-C, which Typer would otherwise swallow without a word."""


def main() -> None:
    """Run the command line, showing what users can mend as a message, not a traceback."""
    signal.signal(signal.SIGINT, _interrupt)
    warnings.showwarning = _show_warning
    try:
        app()
    except ImagestrataError as error:
        complain(f"Error: {error.message}", error.hint)
        sys.exit(2)
    except Interrupted:
        complain("Interrupted. What is finished is kept; the same command goes on from there.")
        sys.exit(130)


def _interrupt(*_: Any) -> None:
    raise Interrupted


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        complain(f"Warning: {message}")


def complain(message: str, hint: str = "") -> None:
    typer.echo(message, err=True)
    if hint:
        typer.echo(hint, err=True)
