"""Recipes as files, ``--recipe``: a user's own in TOML or JSON, that of a run, and some that come with the package"""

from importlib.resources import files
from pathlib import Path

from ..errors import UsageError, near
from ..recipe import Recipe
from .text import RecipeFile, parsed, read

__all__ = ["Recipe", "RecipeFile", "named", "names", "shipped"]

ENDING = ".json"


def names() -> list[str]:
    """The names of those that come with the package."""
    return sorted(file.name.removesuffix(ENDING) for file in files(__name__).iterdir() if file.name.endswith(ENDING))


def shipped(name: str) -> RecipeFile:
    """A recipe that comes with the package. Raises UsageError where there is none of this name."""
    if name not in names():
        raise UsageError(f"no recipe is called {name[:60]!r}", f"{near(name[:60], names())}; or name a file")
    return parsed(name, (files(__name__) / f"{name}{ENDING}").read_text(encoding="utf-8"))


def named(text: str) -> RecipeFile:
    """What ``--recipe`` means: a name, else a file or a run's folder. Raises UsageError."""
    path = Path(text)
    if text in names():
        return shipped(text)
    return read(path) if path.suffix or len(path.parts) > 1 or path.exists() else shipped(text)
