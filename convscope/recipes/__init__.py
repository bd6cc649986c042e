"""Recipes that come with the package: ``--recipe mnist-99``. Each is a file of choices, as a run's recipe.json."""

from importlib.resources import files
from typing import Any

from ..errors import UsageError, near
from ..recipe import Recipe
from ..storage.strict_json import loads

ENDING = ".json"


def names() -> list[str]:
    """The names of all of them."""
    return sorted(file.name.removesuffix(ENDING) for file in files(__name__).iterdir() if file.name.endswith(ENDING))


def shipped(name: str) -> dict[str, Any]:
    """The choices of a recipe, by their names in :class:`Recipe`. Raises UsageError where there is none."""
    if name not in names():
        raise UsageError(f"no recipe is called {name[:60]!r}", near(name[:60], names()))
    choices: dict[str, Any] = loads((files(__name__) / f"{name}{ENDING}").read_text(encoding="utf-8"))
    Recipe(**choices)  # every name and value is checked
    return choices
