"""Options that commands share, and those that are made from the choices of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from ..recipe import CHOICES, Declared, flag
from ..storage.places import user_path


def path_option(help: str, metavar: str = "PATH") -> Any:  # noqa: A002 - Typer's word
    """An option that is a path, in which ``~`` is the user's home: a shell leaves it where it is quoted."""
    return typer.Option(parser=user_path, metavar=metavar, help=help)


DataDir = Annotated[Path | None, path_option(CHOICES["data_dir"].choice.help)]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network (CONVSCOPE_OFFLINE=1: the same).")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help=CHOICES["skip_bad"].choice.help)]
ClassFrom = Annotated[str | None, typer.Option(help=CHOICES["class_from"].choice.help)]
RunArgument = Annotated[str, typer.Argument(help="A run's folder, or its name.")]
Moved = Annotated[str | None, typer.Option("--data", help="Where the run's data are now, if not where they were.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the run's folder and nothing else.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]


def with_choices(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes every choice of a recipe as an option and hands them to ``command`` as ``choices``.

    Typer makes its options from a signature: that of the result is the command's own with the choices in their place.
    """
    own = list(signature(command, eval_str=True).parameters.values())
    place = next(i for i, parameter in enumerate(own) if parameter.name == "choices")
    made = [*own[:place], *(_option(declared) for declared in CHOICES.values()), *own[place + 1 :]]

    @wraps(command)
    def taking(**given: Any) -> None:
        choices = {name: given.pop(name) for name in CHOICES}
        command(choices=choices, **given)

    taking.__signature__ = signature(command).replace(parameters=made)  # type: ignore[attr-defined]
    taking.__annotations__ = {parameter.name: parameter.annotation for parameter in made}
    return taking


def given_options(context: typer.Context) -> set[str]:
    """The names of the options that the user wrote."""
    names = [parameter.name or "" for parameter in context.command.params]
    return {name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}


def _option(declared: Declared) -> Parameter:
    """One choice as typer has it. ``data`` is the command's argument; a truth value has a flag and no opposite."""
    name, kind, default, choice = declared.name, declared.kind, declared.default, declared.choice
    if name == "data":
        annotation: Any = Annotated[kind, typer.Argument(help=choice.help)]
    elif kind is bool:
        annotation = Annotated[kind, typer.Option(flag(name), help=choice.help)]
    elif choice.usual:
        annotation, default = (
            Annotated[kind | None, typer.Option(help=f"{choice.help}  [default: {choice.usual}]")],
            None,
        )
    else:
        names = (flag(name), choice.short) if choice.short else (flag(name),)
        annotation = Annotated[kind, typer.Option(*names, help=choice.help, metavar=choice.metavar)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
