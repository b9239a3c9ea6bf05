"""Calling the command line in tests."""

from __future__ import annotations

from typer.testing import CliRunner

from imagestrata import cli


def call(*arguments: object) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout
