"""Sets of pictures: ``my-classes``, ``my-classes-2`` … beside the runs, in each of them one folder a class.

That is how ``convscope train`` reads images, so a set is data like any other. The lab writes and removes only files of
its own (their names tell); what else lies in such a folder is counted and left alone. No link is followed.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from ...data.names import natural, part_named
from ...errors import DataError, UsageError
from ...language.counts import some
from ...storage.files import disk_error, make_folder, remove, write_atomic
from ...storage.memory import size_text
from .pictures import FILE

NAME = "my-classes"
SET = re.compile(rf"{NAME}(?:-[1-9][0-9]{{0,3}})?")
FORBIDDEN = frozenset('/\\:*?"<>|')
LONGEST = 60  # letters of a class's name
MOST_SETS = 100
MOST_CLASSES = 20
MOST_PICTURES = 1000  # of one class
MOST_BYTES = 500_000_000  # of a set


@dataclass(frozen=True)
class PictureClass:
    """A class: its ``pictures`` by file name, the oldest first; ``others`` counts what somebody else put there."""

    name: str
    pictures: tuple[str, ...]
    others: int


@dataclass(frozen=True)
class PictureSet:
    """A set as the page shows it. ``path`` is what ``convscope train`` takes; ``bytes`` are those of its pictures."""

    name: str
    path: str
    classes: tuple[PictureClass, ...]
    bytes: int


class Sets:
    """The sets in ``root``. Whatever changes one waits for its turn, so no limit is overrun."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = RLock()

    def names(self) -> list[str]:
        """Every set that is there, and the first also where it is not."""
        found = self.root.iterdir() if self.root.is_dir() else ()
        there = {path.name for path in found if SET.fullmatch(path.name) and _is_folder(path)}
        return sorted({NAME, *there}, key=natural)

    def begin(self) -> str:
        """A new, empty set; its name. Raises UsageError where there are too many."""
        with self._lock:
            for number in range(2, MOST_SETS + 1):
                path = self.root / f"{NAME}-{number}"
                if not path.exists() and not path.is_symlink():
                    make_folder(path)
                    return path.name
        raise UsageError(f"there are {MOST_SETS} sets of classes already", "remove some of their folders")

    def show(self, name: str) -> PictureSet:
        """The set called ``name``. Raises UsageError where no set can be called so, DataError where it is a link."""
        path = self.path(name)
        with self._lock:
            folders = [one for one in path.iterdir() if _is_folder(one)] if path.is_dir() else []
            shown = [one for one in folders if not one.name.startswith(".")]
            classes = [_shown(folder) for folder in sorted(shown, key=lambda one: natural(one.name))]
        return PictureSet(name, str(path), tuple(one for one, _ in classes), sum(size for _, size in classes))

    def path(self, name: str) -> Path:
        """Where the set lies, or will. Raises as :meth:`show`."""
        if not SET.fullmatch(name):
            raise UsageError(f"there is no set of classes {name[:60]!r}", f"known: {some(self.names(), 20)}")
        path = self.root / name
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise DataError(f"{path} is no folder", "remove it, or begin a new set")
        return path

    def picture(self, name: str, of: str, file: str) -> Path:
        """The picture ``file`` of class ``of``. Raises DataError where there is none."""
        folder = self._folder(name, of)
        path = folder / file
        if not FILE.fullmatch(file) or not _is_file(path):
            raise DataError(f"class {of!r} has no picture {file[:60]!r}", "it has been removed: reload the page")
        return path

    def add_class(self, name: str, of: str) -> None:
        """An empty class. Raises UsageError for a name that cannot be one, or is there already."""
        with self._lock:
            classes = self.show(name).classes
            if len(classes) >= MOST_CLASSES:
                raise UsageError(f"there are {MOST_CLASSES} classes already", "remove one, or begin a new set")
            make_folder(self.path(name) / _free(of, [one.name for one in classes]))

    def rename_class(self, name: str, of: str, to: str) -> None:
        """Call a class otherwise. Raises UsageError where it cannot be called so, DataError where it is not there."""
        with self._lock:
            folder = self._folder(name, of)
            if to == of:
                return
            new = folder.parent / _free(to, [one.name for one in self.show(name).classes if one.name != of])
            if new.exists() and not new.samefile(folder):  # Linux would replace an empty folder
                raise UsageError(f"{new} is there already", "choose another name")
            try:
                folder.rename(new)
            except OSError as error:
                raise disk_error(new, error) from None

    def remove_class(self, name: str, of: str) -> None:
        """Remove a class with its pictures. Raises DataError where its folder holds something else, which stays."""
        with self._lock:
            folder = self._folder(name, of)
            for file in _shown(folder)[0].pictures:
                remove(folder / file)
            try:
                folder.rmdir()
            except OSError:
                raise DataError(
                    f"{folder} holds files that the lab did not put there", "its pictures are removed; look at the rest"
                ) from None

    def add_picture(self, name: str, of: str, file: str, content: bytes) -> None:
        """Keep a picture in a class. One that is there already is kept once. Raises UsageError beyond the limits."""
        with self._lock:
            folder, known = self._folder(name, of), self.show(name)
            pictures = next(one.pictures for one in known.classes if one.name == of)
            if file in pictures:
                return
            if len(pictures) >= MOST_PICTURES:
                raise UsageError(f"class {of!r} has {MOST_PICTURES:,} pictures already", "remove some first")
            if known.bytes + len(content) > MOST_BYTES:
                raise UsageError(f"the pictures of {name} would take more than {size_text(MOST_BYTES)}", "remove some")
            write_atomic(folder / file, content)

    def remove_picture(self, name: str, of: str, file: str) -> None:
        """Remove a picture from the disk. Raises DataError where there is none."""
        with self._lock:
            remove(self.picture(name, of, file))

    def _folder(self, name: str, of: str) -> Path:
        """The folder of a class: looked up among those that are there, so no text from outside becomes a path."""
        found = [one.name for one in self.show(name).classes if one.name == of]
        if not found:
            raise DataError(
                f"there is no class {of[:60]!r} in {name}", "it has been removed or renamed: reload the page"
            )
        return self.path(name) / found[0]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _shown(folder: Path) -> tuple[PictureClass, int]:
    """A class and the bytes of its pictures."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    own = [(path.name, path.stat()) for path in files if FILE.fullmatch(path.name) and _is_file(path)]
    own.sort(key=lambda one: (one[1].st_mtime_ns, one[0]))
    names = tuple(name for name, _ in own)
    return PictureClass(folder.name, names, len(files) - len(own)), sum(status.st_size for _, status in own)


def _free(wanted: str, taken: list[str]) -> str:
    """The name of a new class, as a folder may have it. Raises UsageError."""
    name = unicodedata.normalize("NFC", " ".join(wanted.split()))
    good = name.isprintable() and not FORBIDDEN & set(name) and name[:1] not in ("", ".") and name[-1:] != "."
    if not good or len(name) > LONGEST or len(name.encode()) > 240:
        raise UsageError(
            f"{wanted[:60]!r} cannot be the name of a class",
            f"1 to {LONGEST} letters, without a dot at either end and without {' '.join(sorted(FORBIDDEN))}",
        )
    if part_named(name):
        raise UsageError(f"{name!r} would be taken for a part of the data, not for a class", "choose another name")
    if name.casefold() in [one.casefold() for one in taken]:
        raise UsageError(f"there is a class {name!r} already", "choose another name")
    return name
