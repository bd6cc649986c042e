"""The folders that a person may choose data from: their names, never a file's name and never what is in one.

Listed is what lies in the folder where the lab was started, in the data folders, and, where only this machine can reach
the lab, in the user's home. Links are followed first, so what is compared is what is listed; hidden folders, and links
within a list, are left out. What a person then chooses is opened like what was named when the lab was started.
"""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...data.folders.walk import ending
from ...data.names import natural
from ...data.pictures.formats import SUFFIXES
from ...errors import DataError, UsageError
from ...storage.places import search_dirs, user_path
from ..places import resolved

MOST_FOLDERS = 1000  # in one list
MOST_ENTRIES = 100_000  # of a folder that are looked at


@dataclass(frozen=True)
class Folder:
    """A folder in a list: its name, and its path, by which it is asked for. ``root`` is "start", "data" or "home" of
    one where a list may begin, "" of all others.
    """

    name: str
    path: str
    root: str = ""


@dataclass(frozen=True)
class FolderList:
    """The folders in ``path``, which is "" for those where one may begin. ``above`` is the folder around it: "" for the
    beginning, None there. ``images`` counts the image files directly in it; ``more`` the folders beyond the most.
    """

    path: str
    above: str | None
    folders: tuple[Folder, ...]
    images: int = 0
    more: int = 0


class Browser:
    """Lists folders. ``home`` says whether the user's home folder may be listed."""

    def __init__(self, home: bool) -> None:
        self.home = home

    def roots(self) -> dict[Path, str]:
        """The folders where one may begin, and which kind of place each is."""
        places = [("start", Path.cwd()), *(("data", place) for place in search_dirs(None))]
        if self.home:
            places.append(("home", user_path("~")))
        found: dict[Path, str] = {}
        for kind, place in places:
            path = resolved(place)
            if path is not None and path.is_dir():
                found.setdefault(path, kind)
        return found

    def show(self, text: str) -> FolderList:
        """The folders in the folder ``text``; for "", those where one may begin.

        Raises UsageError for what may not be listed, DataError for what is no folder or cannot be read.
        """
        if not text:
            return FolderList(
                "", None, tuple(Folder(p.name or str(p), str(p), kind) for p, kind in self.roots().items())
            )
        path = self.inside(text)
        folders, images = _content(path)
        above = "" if path in self.roots() else str(path.parent)
        return FolderList(str(path), above, tuple(folders[:MOST_FOLDERS]), images, max(0, len(folders) - MOST_FOLDERS))

    def inside(self, text: str) -> Path:
        """The folder ``text`` without links, as one that may be listed. Raises as :meth:`show`."""
        path = resolved(Path(text.replace("\0", "\ufffd"))) if Path(text).is_absolute() else None
        if path is None or not any(_visible(path, root) for root in self.roots()):
            raise UsageError(
                f"{text[:60]!r} lies outside the folders that may be chosen from",
                "name it when you start the lab: convscope lab DATA",
            )
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            raise DataError(f"there is no folder {text[:60]!r}", "it has been moved or removed: choose another")
        return path


def _visible(path: Path, root: Path) -> bool:
    """Whether ``path`` lies in ``root``, and on the way to it nothing is hidden."""
    return path.is_relative_to(root) and not any(part.startswith(".") for part in path.relative_to(root).parts)


def _content(path: Path) -> tuple[list[Folder], int]:
    """The folders in ``path`` in natural order, and how many image files lie beside them."""
    folders, images = [], 0
    try:
        with os.scandir(path) as entries:
            for entry in islice(entries, MOST_ENTRIES):
                if entry.name.startswith(".") or not entry.name.isprintable():  # bytes that are no text
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Folder(entry.name, str(path / entry.name)))
                else:
                    images += ending(entry.name) in SUFFIXES
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "look at its permissions") from None
    return sorted(folders, key=lambda one: natural(one.name)), images
