"""Turn the arguments of verbs into options of commands.

A command lists its verbs (:class:`Command`). Each of their arguments that the command does not fill
itself becomes an option with the name, the type and the default of the argument, and with the text
in :data:`~imagestrata.cli.texts.HELP`. A file of settings (``--config``) can set it as well.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, NamedTuple

import typer

import imagestrata

from ..progress import Progress, json_lines
from .config import read_config
from .output import show
from .run_folder import existing_run, read_codes, read_grid, read_named, read_number, read_questions
from .texts import help_of

Folder = Annotated[
    Path | None,
    typer.Option(
        help="The folder of the files in a CSV table; by default the folder of the table."
    ),
]
Pictures = Annotated[
    Path,
    typer.Argument(
        help="A folder of images, or a CSV file with one row per image: its `path` or `file`, and "
        "your own columns."
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(help="The run folder of the earlier steps.", callback=existing_run)
]
Out = Annotated[Path, typer.Option(help="The run folder to write to.")]
Name = Annotated[
    str | None,
    typer.Option(help="A variant of the run, for other clusters or encoders, in variants/NAME."),
]
Texts = Annotated[Path | None, typer.Option(help="A CSV file with image_id and your own texts.")]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep", help="Keep the images of the run's sample, and add those that it lacks: for more "
        "images per cluster, or a larger budget."
    ),
]  # fmt: skip
Answers = Annotated[list[Path], typer.Argument(help="The files with the answers of annotators.")]
Model = Annotated[str, typer.Option(help="The name of the model on the server.")]
Local = Annotated[
    bool,
    typer.Option("--local", help="The model is a folder, or a name for the library transformers."),
]
Map = Annotated[str | None, typer.Option(help="Add a map of the images: umap or pca.")]
Also = Annotated[
    list[Path] | None, typer.Option(help="A run folder of the same images with another encoder.")
]

#: Arguments that are never options: results of earlier steps, and their folders.
_BROUGHT = frozenset({
    "clustering", "clusterings", "embeddings", "images", "judgements", "keep", "keywords",
    "linked", "out", "packets", "pairs", "path", "points", "posts", "progress", "provider",
    "ratings", "run", "sample", "several", "tuned",
})  # fmt: skip
#: Arguments without a type for a shell, and the functions that read them.
_READERS: dict[str, Callable[[Any], Any]] = {
    "codes": read_codes,
    "grid": read_grid,
    "n_per_cluster": read_number,
    "questions": read_questions,
}
_PLAIN: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_NONE = "none"


class Setting(NamedTuple):
    """An argument of a verb, as an option."""

    name: str
    default: Any
    #: The type of one value on the command line.
    type: Any
    #: Whether the option may be repeated.
    many: bool = False
    #: Whether a single value goes to the verb without a list around it.
    alone: bool = False
    #: Whether text that can be read as a number is a number.
    number: bool = False
    #: Whether the text "none" means None, for which a shell and TOML have no value.
    none: bool = False
    #: Whether values may have names: "denotative=Do both show the same things?".
    named: bool = False

    def option(self, text: str, panel: str | None) -> inspect.Parameter:
        """The parameter from which Typer builds the option."""
        flag = "--" + (self.name.removesuffix("s") if self.many else self.name).replace("_", "-")
        flags = f"{flag}/--no-{flag[2:]}" if self.type is bool else flag
        default, kind = self.default, self.type
        if self.many:
            kind = GenericAlias(list, (kind,))
            default = [default] if isinstance(default, str) else default and list(default)
        elif self.number and default is not None:
            default = str(default)
        kind = kind | None if default is None else kind
        return _parameter(
            self.name, kind, typer.Option(flags, help=text, rich_help_panel=panel), default
        )

    def typed(self, value: Any) -> Any:
        """The value for the verb of a value on the command line."""
        if self.named:
            return read_named(value)
        if self.name in _READERS:
            return _READERS[self.name](value)
        if self.many:
            return value[0] if self.alone and len(value) == 1 else list(value)
        return self.filed(_number_or_text(value) if self.number else value)

    def filed(self, value: Any) -> Any:
        """The value for the verb of a value in a file."""
        return None if self.none and value == _NONE else value


class Settings:
    """The settings of a user, on the command line or in a file.

    Parameters
    ----------
    command : Command
    typed : mapping
        Options of verbs on the command line.
    file : mapping
        Sections of a file, as :func:`~imagestrata.cli.config.read_config` returns them.
    progress : bool or Reporter
    """

    def __init__(
        self,
        command: Command,
        typed: Mapping[str, Any],
        file: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        self._command, self._typed, self._file, self._progress = command, typed, file, progress
        #: Whether the summary is printed as JSON.
        self.as_json = False
        #: Defaults of the command for arguments of verbs, in place of those of the verb.
        self.defaults: dict[str, dict[str, Any]] = {}

    def __call__(self, verb: str, **filled: Any) -> dict[str, Any]:
        """The arguments of a verb that the user has set, and those that the command fills."""
        options = self._command.options[verb]
        section = {**self._file.get("", {}), **self._file.get(self._command.verbs[verb], {})}
        given = {name: one.filed(section[name]) for name, one in options.items() if name in section}
        given |= {
            name: one.typed(self._typed[name])
            for name, one in options.items()
            if name in self._typed and self._command.means(name, verb)
        }
        if "progress" in inspect.signature(getattr(imagestrata, verb)).parameters:
            given["progress"] = section.get("progress", True) and self._progress
        return self.defaults.get(verb, {}) | given | filled

    def whole(self, verb: str) -> dict[str, Any]:
        """The same with the defaults of the verb for all other arguments."""
        options = self._command.options[verb]
        return {name: one.default for name, one in options.items()} | self(verb)


class Command:
    """A command: a function with its own parameters, and the verbs whose settings it takes.

    Parameters
    ----------
    function : callable
        Its annotated parameters are arguments and options of the command; ``settings`` receives
        :class:`Settings`. It returns a summary for programs, and lines for users.
    verbs : mapping of str to str
        The verbs, each with the section of a file that holds its settings.
    without : iterable of str
        Arguments that the command fills itself: a name, or a verb and a name ("verb.name").
    """

    def __init__(
        self, function: Callable[..., Any], verbs: Mapping[str, str], without: Iterable[str] = ()
    ) -> None:
        self.name = function.__name__.replace("_", "-")
        self.function, self.verbs = function, dict(verbs)
        self.without = frozenset(without)

    @cached_property
    def own(self) -> dict[str, inspect.Parameter]:
        """The parameters of the function itself."""
        parameters = inspect.signature(self.function, eval_str=True).parameters
        return {name: one for name, one in parameters.items() if name != "settings"}

    @cached_property
    def options(self) -> dict[str, dict[str, Setting]]:
        """The options that each verb has."""
        filled = self.without | _BROUGHT | {*self.own}
        return {
            verb: {
                one.name: as_setting(one)
                for one in inspect.signature(getattr(imagestrata, verb)).parameters.values()
                if not {one.name, f"{verb}.{one.name}"} & filled and one.kind != one.VAR_KEYWORD
            }
            for verb in self.verbs
        }

    def means(self, option: str, verb: str) -> bool:
        """Whether an option is for this verb: it is common to all, or belongs to its section."""
        from ..verbs import COMMON

        first = next(one for one, options in self.options.items() if option in options)
        return option in COMMON or self.verbs[first] == self.verbs[verb]

    @cached_property
    def keys(self) -> set[str]:
        """The keys that a file may set in the section of this command."""
        own = {
            name
            for name, one in self.own.items()
            if isinstance(one.annotation.__metadata__[0], typer.models.OptionInfo)
        }
        return own.union({"progress"}, *self.options.values())

    @property
    def verb(self) -> str | None:
        """The verb with the name of this command; None if there is none."""
        return next((verb for verb, section in self.verbs.items() if section == self.name), None)

    @property
    def params(self) -> Any:
        """The parameters of the Click command."""
        return self.click.params

    @cached_property
    def click(self) -> Any:
        """The Click command, built only when it is used, since it imports its verbs."""
        from ..verbs import COMMON

        made: dict[str, inspect.Parameter] = {}
        several = len({*self.verbs.values()}) > 1
        panels = {
            verb: f"Options of {section}" if several else None
            for verb, section in self.verbs.items()
        }
        for verb, options in self.options.items():
            for name, setting in options.items():
                panel = None if name in COMMON else panels[verb]
                made.setdefault(name, setting.option(help_of(verb, name), panel))
        common = (
            ("config", Path | None, None, typer.Option(
                help="A TOML file with settings.", is_eager=True, callback=self._read_config
            )),
            ("quiet", bool, False, typer.Option("--quiet", "-q", help="Do not show progress.")),
            ("as_json", bool, False, typer.Option(
                "--json", help="Print a summary as one line of JSON, and progress as lines of "
                "JSON on standard error."
            )),
        )  # fmt: skip
        parameters = [
            inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            *(one.replace(kind=one.KEYWORD_ONLY) for one in self.own.values()),
            *made.values(),
            *(_parameter(name, kind, option, default) for name, kind, default, option in common),
        ]

        def call(ctx: typer.Context, **values: Any) -> None:
            typed = {
                name: values[name]
                for name in made
                if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
            }
            own = {name: values[name] for name in self.own}
            if self.verbs:
                file = ctx.meta.get("config", {})
                progress = not values["quiet"] and (json_lines() if values["as_json"] else True)
                own["settings"] = Settings(self, typed, file, progress)
                own["settings"].as_json = values["as_json"]
            summary, *lines = self.function(**own)
            show(summary, values["as_json"], *lines)

        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        call.__doc__ = self.function.__doc__
        app = typer.Typer(
            add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
        )
        app.command(self.name)(call)
        return typer.main.get_command(app)

    def _read_config(self, ctx: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            from . import COMMANDS

            file = ctx.meta["config"] = read_config(path, COMMANDS)
            mine: dict[str, Any] = {}
            for section in self.verbs.values():
                mine |= file.get(section, {})
            mine.pop("name", None)  # the variant of a step is not the variant of this command
            mine = {**file.get("", {}), **mine, **file.get(self.name, {})}
            ctx.default_map = {name: mine[name] for name in self.own if name in mine}
        return path


def as_setting(parameter: inspect.Parameter) -> Setting:
    """The option for an argument, by its annotation and its default."""
    kinds = _alternatives(ast.parse(str(parameter.annotation), mode="eval").body)
    default = None if parameter.default is parameter.empty else parameter.default
    if parameter.name in _READERS and "int" in kinds:
        return Setting(parameter.name, default, str)
    plain = [_PLAIN[kind] for kind in kinds if kind in _PLAIN]
    if {*kinds} == {"str", "Mapping[str, str]", "None"}:
        return Setting(parameter.name, default, str, many=True, named=True)
    for kind in kinds:
        outer, _, inner = kind.rstrip("]").partition("[")
        held = [_PLAIN[one.strip()] for one in inner.split(",") if one.strip() in _PLAIN]
        if held and outer in ("Sequence", "Iterable"):
            return Setting(parameter.name, default, held[0], many=True, alone=held[0] in plain)
        if held and outer == "tuple":
            return Setting(parameter.name, default, GenericAlias(tuple, tuple(held)))
    several = str in plain and len(plain) > 1
    none = "None" in kinds and default is not None and (several or str not in plain)
    if none or several:
        return Setting(parameter.name, default, str, number=True, none=none)
    usual = type(default) if type(default) in _PLAIN.values() else str
    return Setting(parameter.name, default, plain[0] if plain else usual)


def _alternatives(annotation: ast.expr) -> list[str]:
    if isinstance(annotation, ast.BinOp):
        return [*_alternatives(annotation.left), *_alternatives(annotation.right)]
    return [ast.unparse(annotation)]


def _parameter(name: str, kind: Any, option: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _number_or_text(typed: str) -> int | float | str:
    for number in (int, float):
        try:
            return number(typed)
        except ValueError:
            continue
    return typed
