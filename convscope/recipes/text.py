"""Recipes as files: ``--recipe my.toml``. Choices by name, in TOML or JSON; what is wrong is pointed at."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, near
from ..language import say
from ..recipe import CHOICES, check
from ..storage.places import user_path
from ..storage.strict_json import loads

LARGEST = 2**20  # bytes; a recipe has a few hundred
SHOWN = 100  # characters of a line that is pointed at


@dataclass(frozen=True)
class RecipeFile:
    """Some choices of a run, by their names in :class:`Recipe`, and the ``text`` that they were read from."""

    called: str
    text: str
    choices: dict[str, Any]

    def place(self, name: str) -> str:
        """Where the choice stands: "my.toml, line 3"."""
        found = _found(self.text, name)
        return (
            f"the recipe {self.called}, line {self.text.count(chr(10), 0, found.start(1)) + 1}"
            if found
            else self.called
        )


def read(path: Path) -> RecipeFile:
    """The choices in a file, or in a run's folder. Raises UsageError, which points at the key that is wrong."""
    place = user_path(path)
    if place.is_dir():
        place /= "recipe.json"
        if not place.exists():
            raise UsageError(
                f"{path} is no run: it has no recipe.json", "name a run's folder, or a .toml or .json file"
            )
    try:
        with place.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"the recipe {place} cannot be read: {error.strerror}", "name a .toml or .json file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"the recipe {place} is no UTF-8 text: {error.reason}", "save it as UTF-8") from None
    if len(content) > LARGEST:
        raise UsageError(f"the recipe {place} is larger than {LARGEST >> 20} MiB", "a recipe holds choices alone")
    return parsed(str(place), text)


def parsed(called: str, text: str) -> RecipeFile:
    """The choices that ``text`` makes: JSON where it begins as an object does, else TOML. Raises UsageError."""
    try:
        as_json = text.lstrip()[:1] == "{" or called.endswith(".json")
        choices = loads(text) if as_json else tomllib.loads(text)
    except json.JSONDecodeError as error:
        where = f"the recipe {called}, line {error.lineno}"
        raise UsageError(f"{where} is not valid JSON: {error.msg}{_line(text, error.pos, 1)}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_torn(called, text, str(error)), 'write choices as: epochs = 3, or net = "note"') from None
    except ValueError as error:
        raise UsageError(f"{called} is not valid JSON: {error}") from None
    except RecursionError:
        raise UsageError(f"{called} is nested too deeply", "a recipe holds choices alone") from None
    if not isinstance(choices, dict):
        raise UsageError(f"{called} holds a {type(choices).__name__}, expected an object", 'such as {"epochs": 3}')
    for name, value in choices.items():
        _check(RecipeFile(called, text, choices), name, value)
    return RecipeFile(called, text, choices)


def to_toml(choices: Mapping[str, Any]) -> str:
    """The choices that are made, one a line, as :func:`read` reads them."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in choices.items() if value is not None)


def template() -> str:
    """A recipe with the defaults, and what each choice means in the chosen language: to begin a file of one's own."""
    lines = [say("# convscope train --recipe FILE takes these choices; what is left out has its default.")]
    for name, known in CHOICES.items():
        usual = known.choice.usual
        told = [known.choice.help]
        told += [f"One of: {', '.join(known.options)}."] if known.options else []
        told += [f"Default: {usual}."] if usual else []
        off = "# " if usual or known.default is None else ""
        value = '""' if known.default is None else _toml(known.default)
        lines += ["", f"# {' '.join(map(say, told))}", f"{off}{name} = {value}"]
    return "\n".join(lines) + "\n"


def _toml(value: str | float | bool) -> str:
    """A string of JSON is one of TOML, too, but for one character that TOML has escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check(file: RecipeFile, name: str, value: Any) -> None:
    """Raise UsageError, pointing at ``name``, unless it is a choice that may have this value."""
    found = _found(file.text, name)
    shown = _line(file.text, found.start(1), len(found[1])) if found else ""
    if name not in CHOICES:
        message = f"{file.place(name)}: no choice is called {name[:60]!r}{shown}"
        raise UsageError(message, "choices stand in no table" if isinstance(value, dict) else near(name[:60], CHOICES))
    if value is None and CHOICES[name].default is None:
        return
    try:
        check(name, value, name)
    except UsageError as error:
        raise UsageError(f"{file.place(name)}: {error.message}{shown}", error.help) from None


def _found(text: str, name: str) -> re.Match[str] | None:
    """Where a key stands: at the beginning of a line, or behind a brace or comma."""
    return re.search(rf"""(?:^|[{{,])[ \t\n]*["'\[]*({re.escape(name)})["'\]]*[ \t]*(?:[=:.]|$)""", text, re.MULTILINE)


def _torn(called: str, text: str, message: str) -> str:
    """What tomllib says of a text, with the line that it means."""
    said = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if said is None:
        return f"{called} is not valid TOML: {message}"
    start = sum(len(line) + 1 for line in text.split("\n")[: int(said[2]) - 1])
    return f"the recipe {called}, line {said[2]} is not valid TOML: {said[1]}{_line(text, start + int(said[3]) - 1, 1)}"


def _line(text: str, at: int, length: int) -> str:
    """The line around ``at``, cut to what can be read, with carets below."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    begin = max(start, at - SHOWN // 2)
    line = text[begin : len(text) if end < 0 else end][:SHOWN].replace("\t", " ")
    return f"\n  {line}\n  {' ' * (at - begin)}{'^' * max(1, min(length, SHOWN - (at - begin)))}"
