"""Run the program, and print its errors, warnings and interruptions."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import ImagestrataError, Worded
from .words import ShellWords


class _Group(TyperGroup):
    """All commands. Only the command that runs builds its options, so that `--help` is fast."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from . import COMMANDS

        name, _, rest = super().resolve_command(ctx, args)
        return name, COMMANDS[str(name)].click, rest


app = typer.Typer(
    cls=_Group,
    help="Sort a collection of images into visual topics, and draw samples from every topic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Interrupted(BaseException):
    """Ctrl-C, for which Typer would print no message."""


def main() -> None:
    """Run the command line, and show errors of users as a message without a traceback."""
    _print_anything()
    signal.signal(signal.SIGINT, _interrupt)
    warnings.showwarning = _show_warning
    try:
        app()
    except ImagestrataError as error:
        message, hint = error.words(_words())
        complain(f"Error: {message}", hint)
        sys.exit(2)
    except Interrupted:
        complain("Interrupted. Finished work is kept; the same command continues.")
        sys.exit(130)


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=lambda wanted: wanted and _show_version(),
                     help="Show the version and exit."),
    ] = False,
) -> None:  # fmt: skip
    del version


def _show_version() -> None:
    from ..provenance import version

    typer.echo(f"imagestrata {version()}")
    raise typer.Exit


def _print_anything() -> None:
    """Escape letters that a terminal or file cannot encode, so that output never fails."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupt(*_: Any) -> None:
    raise Interrupted


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning):
        text = message.render(_words()) if isinstance(message, Worded) else str(message)
        complain(f"Warning: {text}")


def _words() -> ShellWords:
    """The spelling of names for the command that is running."""
    from . import COMMANDS

    return ShellWords(COMMANDS, next((word for word in sys.argv[1:] if word in COMMANDS), ""))


def complain(message: str, hint: str = "") -> None:
    with suppress(OSError):  # a full disk must not end the program
        typer.echo(message, err=True)
        if hint:
            typer.echo(hint, err=True)
