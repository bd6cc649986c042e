"""Options that commands share, and those that are made from the choices of a recipe.

A choice is taken from its option, else from ``CONVSCOPE_<NAME>``, else from ``--recipe``, else it has its default. That
order is Click's own: command line, environment, map of defaults, default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import UsageError
from ..recipe import CHOICES, Declared, Recipe, flag, misread
from ..storage.places import user_path
from .shell import completion
from .terminal import note

FROM = {"ENVIRONMENT", "DEFAULT_MAP"}  # where a choice may be from, beside the command line


def path_option(help: str, metavar: str = "PATH") -> Any:  # noqa: A002 - Typer's word
    """An option that is a path, in which ``~`` is the user's home: a shell leaves it where it is quoted."""
    return typer.Option(parser=user_path, metavar=metavar, help=help)


def plot_option(help: str = "Where the picture goes.", metavar: str = "PATH") -> Any:  # noqa: A002 - Typer's word
    """The option of a verb's picture. Where it cannot go is told before the verb does its work."""
    return typer.Option(parser=user_path, metavar=metavar, help=help, callback=_require_plot)


def _require_plot(path: Path | None) -> Path | None:
    if path is not None:
        from ..report.style import require_plot

        require_plot(path)
    return path


def option(name: str, *names: str, help: str = "", path: bool = False) -> Any:  # noqa: A002 - Typer's word
    """The option of a choice, for a verb that takes this one: its help, and the environment variable that it reads."""
    choice = CHOICES[name].choice
    return typer.Option(
        *(names or (flag(name),)),
        help=help or choice.help,
        envvar=variable(name),
        parser=user_path if path else None,
        metavar="PATH" if path else choice.metavar,
        autocompletion=completion.nets if name == "net" else None,
    )


def run_argument(help: str = "A run's folder, or its name.", metavar: str | None = None) -> Any:  # noqa: A002 - Typer's word
    """An argument that is a run: the Tab key offers those that there are."""
    return typer.Argument(help=help, metavar=metavar, autocompletion=completion.runs)


def data_argument(help: str = CHOICES["data"].choice.help) -> Any:  # noqa: A002 - Typer's word
    """An argument that is data: the Tab key offers those that have names, and what lies here."""
    return typer.Argument(help=help, autocompletion=completion.data)


def together(data: list[str]) -> str:
    """Several places, each an argument, as one text: the one that a recipe has (:mod:`.data.folders.named`)."""
    return os.pathsep.join(data)


def variable(name: str) -> str:
    """batch_size → CONVSCOPE_BATCH_SIZE."""
    return f"CONVSCOPE_{name.upper()}"


DataDir = Annotated[Path | None, option("data_dir", path=True)]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network (CONVSCOPE_OFFLINE=1: the same).")]
SkipBad = Annotated[bool, option("skip_bad", "--skip-bad")]
ImageSize = Annotated[int | None, option("image_size")]
ClassFrom = Annotated[str | None, option("class_from")]
RunArgument = Annotated[str, run_argument()]
Tta = Annotated[str, typer.Option("--tta", help="Mean over views of each image: none, flip, shift or flip+shift.")]
Moved = Annotated[
    str | None,
    typer.Option(
        "--data", help="Where the run's data are now, if not where they were.", autocompletion=completion.data
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the run's folder and nothing else.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]


class Verbs(TyperGroup):
    """All verbs. What a choice of a run cannot be is told as every other error, not in the words of Typer's parser."""

    def invoke(self, ctx: Any) -> Any:
        """As Click's. Raises UsageError for the text of a choice."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if told := _misread(error):
                raise told from None
            raise


def _misread(error: typer.BadParameter) -> UsageError | None:
    """The error in the project's words; None where it is not of a choice, or of something else than its text."""
    cause: Any = error.__cause__  # pydantic's ValidationError, which nothing else here needs
    name = getattr(error.param, "name", None) or ""
    if name not in CHOICES or not hasattr(cause, "errors"):
        return None
    (wrong, *_) = cause.errors()
    if not isinstance(wrong["input"], str) or wrong["type"] == "int_parsing_size":
        return None
    told = misread(name, wrong["input"])
    if error.ctx and getattr(error.ctx.get_parameter_source(name), "name", "") == "ENVIRONMENT":
        told.help = "; ".join(filter(None, (told.help, f"{flag(name)} is from {variable(name)}")))
    return told


@dataclass(frozen=True)
class Chosen:
    """What a user chose for a run.

    ``values`` has every choice of a recipe, ``given`` the names of those that were made, in whatever way; ``written``
    the names of all options on the command line, in their order.
    """

    values: Mapping[str, Any]
    given: frozenset[str]
    written: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe. Raises UsageError."""
        return Recipe.of(self.values)


def with_choices(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes every choice of a recipe as an option and hands them to ``command`` as ``chosen``.

    Typer makes its options from a signature: that of the result is the command's own with the choices in their place.
    """
    own = list(signature(command, eval_str=True).parameters.values())
    place = next(i for i, parameter in enumerate(own) if parameter.name == "chosen")
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    file = Parameter("recipe", Parameter.KEYWORD_ONLY, annotation=_FILE, default=None)
    made = [context, *own[:place], *(_option(declared) for declared in CHOICES.values()), file, *own[place + 1 :]]

    @wraps(command)
    def taking(*, context: typer.Context, **given: Any) -> None:
        given.pop("recipe")  # it has been taken
        for sentence in _misspelt():
            note(sentence)
        sources = _sources(context)
        values = {name: given.pop(name) for name in CHOICES}
        values["data"] = together(values["data"])
        chosen = frozenset(name for name in CHOICES if sources[name] in {"COMMANDLINE", *FROM})
        written = tuple(name for name, source in sources.items() if source == "COMMANDLINE")
        try:
            command(chosen=Chosen(values, chosen, written), **given)
        except UsageError as error:
            error.help = "; ".join(filter(None, (error.help, *_origins(context, error.message, values, sources))))
            raise

    # Typer reads it there; mypy knows no such attribute of functions.
    taking.__signature__ = signature(command).replace(parameters=made)  # type: ignore[attr-defined]
    taking.__annotations__ = {parameter.name: parameter.annotation for parameter in made}
    return taking


def _take_recipe(context: typer.Context, text: str | None) -> str | None:
    """What the file says is what is taken where neither an option nor a variable says otherwise."""
    if text is not None and not context.resilient_parsing:
        from ..recipes import named

        context.obj = named(text)
        context.default_map = {**context.obj.choices}
        if "data" in context.default_map:
            context.default_map["data"] = [context.default_map["data"]]
    return text


_FILE = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="FILE",
        is_eager=True,
        callback=_take_recipe,
        autocompletion=completion.recipes,
        help="Choices from a .toml or .json file, a run's folder, or by name: mnist-99. Options, and variables of the "
        "environment, have precedence.",
    ),
]


def _misspelt() -> Iterator[str]:
    """Sentences for variables of the environment that are nearly those of choices: none is passed over in silence."""
    known = [variable(name) for name in CHOICES if name != "data"]
    for name in sorted(os.environ):
        if name.startswith("CONVSCOPE_") and name not in known and (close := get_close_matches(name, known, 1, 0.9)):
            yield f"the environment variable {name} is nothing that convscope knows: did you mean {close[0]}?"


def _sources(context: typer.Context) -> dict[str, str]:
    """Where each parameter of the command has its value from, in Click's words."""
    names = [parameter.name or "" for parameter in context.command.params]
    return {name: getattr(context.get_parameter_source(name), "name", "") for name in names}


def _origins(context: typer.Context, message: str, values: Mapping[str, Any], sources: Mapping[str, str]) -> list[str]:
    """Where the choices have been made that a message names, by flag or as 'text', if not on the command line."""
    elsewhere = [name for name in CHOICES if sources[name] in FROM]
    named = [
        name
        for name in elsewhere
        if re.search(rf"{flag(name)}\b(?!-)", message)
        or (isinstance(values[name], str) and repr(values[name]) in message)
    ]
    return [
        f"{flag(name)} is from {variable(name) if sources[name] == 'ENVIRONMENT' else context.obj.place(name)}"
        for name in named
    ]


def _option(declared: Declared) -> Parameter:
    """One choice as typer has it. ``data`` is the command's argument, and has no variable: $CONVSCOPE_DATA is where
    data sets are looked for.
    """
    name, kind, default, choice = declared.name, declared.kind, declared.default, declared.choice
    if name == "data":
        annotation: Any = Annotated[list[str], data_argument()]
        default = [default]
    elif kind is bool:
        annotation = Annotated[kind, option(name, f"{flag(name)}/{_opposite(name)}")]
    elif choice.usual:
        annotation = Annotated[kind | None, option(name, help=f"{choice.help}  [default: {choice.usual}]")]
        default = None
    else:
        annotation = Annotated[kind, option(name, flag(name), *filter(None, [choice.short]))]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _opposite(name: str) -> str:
    """The flag that takes a truth back which a file or a variable said: skip_bad → --no-skip-bad."""
    return flag(name.removeprefix("no_")) if name.startswith("no_") else flag(f"no_{name}")
