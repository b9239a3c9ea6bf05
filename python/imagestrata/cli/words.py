"""Write names and values as a shell does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..wording import Language, Name, shortened

#: Commands for verbs that have no command of their name.
COMMANDS = {
    "doctor": "doctor",
    "export_labels": "labels",
    "export_packets": "assign",
    "export_answers": "answers",
    "export_pairs": "pairs",
    "link_posts": "posts",
    "list_encoders": "doctor",
    "read_posts": "posts",
    "serve_forms": "serve",
    "topic_prevalence": "prevalence",
}
#: Other names of arguments in commands; the first existing one is used.
OPTIONS = {
    "clusterings": ("run_folders",),
    "embeddings": ("run_folder",),
    "clustering": ("run_folder",),
    "columns": ("column",),
    "files": ("answers",),
    "posts": ("files",),
    "images": ("run_folder",),
    "linked": ("run_folder",),
    "method": ("map",),
    "out": ("run_folder",),
    "progress": ("quiet",),
    "provider": ("model",),
    "run": ("run_folder",),
    "sample": ("run_folder",),
    "topics": ("run_folder",),
}
_KINDS = {
    "DataFrame": "a table",
    "NoneType": "nothing",
    "float": "a number",
    "int": "a number",
    "str": "text",
}
_NOTHING: Any = object()


class ShellWords(Language):
    """The spelling of a shell.

    Parameters
    ----------
    commands : mapping of str to Command
        All commands by their names.
    running : str, optional
        The command that is running, whose options come first.
    """

    def __init__(self, commands: Mapping[str, Any], running: str = "") -> None:
        self._commands = commands
        self._running = running

    def argument(self, name: str) -> str:
        return self.assignment(name, _NOTHING)

    def assignment(self, name: str, value: Any) -> str:
        """An option of the running command, or of another one, which is then named."""
        others = sorted({*self._commands} - {self._running}, key=lambda one: (one == "run", one))
        for command in (self._running, *others):
            typed = self._typed(command, name, value)
            if typed is not None:
                return typed if command == self._running else f"{typed} of `imagestrata {command}`"
        elsewhere = name if value is _NOTHING else super().assignment(name, value)
        return f"`{elsewhere}` (in Python or R)"

    def setting(self, name: str, value: Any) -> str:
        return self._typed(self._running, name, value) or f"{name} {_shell(value)}"

    def same_call(self) -> str:
        return "the same command"

    def read_sheet(self, path: str) -> str:
        return ""

    def call(self, name: str, arguments: list[tuple[str, Any]]) -> str:
        of = {one.verb: known for known, one in self._commands.items()} | COMMANDS
        command = of.get(name)
        if command is None:
            return f"{super().call(name, arguments)} (in Python or R)"
        typed = (self._typed(command, name, value) for name, value in arguments if name)
        return f"`{' '.join(filter(None, ['imagestrata', command, *typed]))}`"

    def value(self, value: Any) -> str:
        if value is None:
            return "nothing"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list | tuple):
            return _shell(value)
        return repr(shortened(value)) if type(value) is str else super().value(value)

    def type_name(self, name: str) -> str:
        return _KINDS.get(name) or super().type_name(name)

    def _typed(self, command: str, name: str, value: Any) -> str | None:
        """An argument of a command in a shell; None if the command does not have it."""
        known = {str(one.name): one for one in getattr(self._commands.get(command), "params", [])}
        found = next((known[one] for one in (name, *OPTIONS.get(name, ())) if one in known), None)
        if found is None:
            return None
        if found.param_type_name == "argument":
            return str(found.name).upper() if value is _NOTHING else _shell(value)
        option = str(found.opts[0])
        if value is False:
            return str(found.secondary_opts[0]) if found.secondary_opts else f"no {option}"
        if value is _NOTHING or value is True:
            return option
        if getattr(found, "multiple", False) and isinstance(value, list | tuple):
            return " ".join(f"{option} {_shell(one)}" for one in value)
        return f"no {option}" if value is None else f"{option} {_shell(value)}"


def _shell(value: Any) -> str:
    """A value as a shell reads it."""
    if isinstance(value, Name):
        return value.upper()
    if isinstance(value, list | tuple):
        return " ".join(map(_shell, value))
    return shlex.quote(str(value))
