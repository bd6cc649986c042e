"""What the Tab key offers: names of runs, nets, data and recipes. The scripts for bash, zsh and fish are Typer's.

A shell waits for these, so nothing slow is imported. Where nothing fits, the shell offers files, whose odd names it can
quote; so names that would need quotes are left to it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

from ...errors import ConvscopeError

SAFE = re.compile(r"[\w.+@%-]+")
DATA = (".zip", ".tar", ".csv", ".npz")
RECIPES = (".toml", ".json")


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The runs in ``runs``; those in ``--out`` where a verb compares them."""
    from ...runs.folder import every

    out = context.params.get("out") if context.info_name == "compare" else None
    with suppress(ConvscopeError):
        return _beginning(incomplete, (folder.name for folder in every(out or Path("runs"))))
    return []


def runs_and_recipes(context: typer.Context, incomplete: str) -> list[str]:
    """The runs, and the recipes that come along."""
    from ...recipes import names

    return runs(context, incomplete) + _beginning(incomplete, names())


def recipes(incomplete: str) -> list[str]:
    """The recipes that come along, and files that may be one."""
    from ...recipes import names

    return _beginning(incomplete, [*names(), *_files(RECIPES)])


def data(incomplete: str) -> list[str]:
    """The published data sets, and what lies here: folders, archives and tables."""
    from ...data.readers.fetch import PUBLISHED

    return _beginning(incomplete, ["digits", *PUBLISHED, *_files(DATA, folders=True)])


def runs_and_data(context: typer.Context, incomplete: str) -> list[str]:
    """What the lab takes."""
    return runs(context, incomplete) + data(incomplete)


def nets(incomplete: str) -> list[tuple[str, str]]:
    """The named nets and what they are."""
    from ...net.pretrained.catalogue import PRETRAINED
    from ...net.zoo import ZOO

    about = {"auto": "what suits the data"} | {name: entry.about for name, entry in (ZOO | PRETRAINED).items()}
    return [(name, about[name]) for name in _beginning(incomplete, about)]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and SAFE.fullmatch(name)]


def _files(suffixes: tuple[str, ...], folders: bool = False) -> Iterator[str]:
    with suppress(OSError):
        for path in sorted(Path().iterdir()):
            fits = path.suffix.lower() in suffixes or (folders and path.is_dir())
            if fits and not path.name.startswith("."):
                yield path.name
