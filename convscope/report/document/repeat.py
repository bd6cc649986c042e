"""The command that repeats a run, as it may be shown to others: without the folders of the machine it ran on."""

import shlex
from dataclasses import replace
from pathlib import Path

from ...data.folders.named import BETWEEN, several
from ...recipe import CHOICES, Recipe, flag
from ...storage.places import user_path

SILENT = ("data", "remark")


def shown(recipe: Recipe) -> Recipe:
    """The same with the last part of an absolute path instead of all of it: the rest says who ran it, and where."""

    def short(text: str) -> str:
        return Path(text).name if user_path(text).is_absolute() else text

    data = BETWEEN.join(map(short, several(recipe.data)))
    return replace(recipe, data=data, data_dir=recipe.data_dir and short(recipe.data_dir))


def command(recipe: Recipe) -> str:
    """``convscope train`` with every choice that is not the default, or whose default depends on others."""
    words = ["convscope", "train", recipe.data]
    for name, known in CHOICES.items():
        value = getattr(recipe, name)
        if name in SILENT or value is None or (value == known.default and not known.choice.usual):
            continue
        words += [flag(name)] if value is True else [flag(name), str(value)]
    return shlex.join(words)
