"""A folder of images, one sub-folder a class: what lies there, and which image is of which class.

``train/`` (``training``) and ``test/`` (``testing``) below it hold the split, ``val/`` (``valid``, ``validation``) the
validation set; a ``val/`` without a ``test/`` is what is held out, so it is the test set. Folders below a class belong
to it. Hidden files and folders, and files of other kinds, are passed over. A link is followed only to a file within
the folder: one that leads outside, or to a folder, is left out and counted, so that no folder from elsewhere can
pull in files of this machine.
"""

import contextlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import ImageSet, Splits
from ..pictures.cache import File, Pixels, read_pixels
from ..pictures.decode import SUFFIXES

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclass
class Tree:
    """What lies in an image folder: part ("train", "val", "test") → class name → its files.

    Parts and classes are in their order of use (classes in natural order: "2" before "10"); ``split`` says whether
    the folder brings its own, else all is "train"; ``links`` counts the links that were not followed.
    """

    root: Path
    split: bool
    parts: dict[str, dict[str, list[File]]] = field(default_factory=dict)
    links: int = 0


def scan(root: Path) -> Tree:
    """List an image folder. Classes may be empty or differ between parts: what to make of that is the caller's
    business. Raises DataError where there are no class folders, or a test set but no training set."""
    own = _subfolders(root)
    found = {part: [name for name in own if name.lower() in names] for part, names in PARTS.items()}
    split = any(_subfolders(root / name) for name in found["train"])
    if not split:
        held_out = [name for part in ("val", "test") for name in found[part]]
        if own and len(held_out) == len(own) and any(_subfolders(root / name) for name in own):
            raise DataError(
                f"{root} has {' and '.join(f'{name}/' for name in held_out)}, but no train/",
                "put the images for training into train/, one sub-folder a class, or give a folder of classes",
            )
        tree = Tree(root, split=False)
        tree.parts["train"] = _classes(tree, "")
        return tree
    tree = Tree(root, split=True)
    for part, names in found.items():
        if len(names) > 1:
            raise DataError(f"{root} has {' and '.join(names)}, which mean the same", "keep one of them")
        if names:
            tree.parts[part] = _classes(tree, names[0])
    if "val" in tree.parts and "test" not in tree.parts:
        tree.parts["test"] = tree.parts.pop("val")
    return tree


def read_folder(root: Path, image_size: int | None = None, skip_bad: bool = False) -> Splits:
    """The images of a folder, decoded, with the split that it brings (``test`` is None where it has none).

    Class numbers follow the training set's class folders in natural order; the other parts are matched by name.
    Shape, colour and cache are those of :func:`~convscope.data.pictures.cache.read_pixels`. Raises DataError for an
    empty class, for a class that only a held-out part has, and for unreadable images, by name, unless ``skip_bad``,
    which leaves them out and counts them.
    """
    tree = scan(root)
    classes = tuple(tree.parts["train"])
    _check(tree, classes)
    files = [file for part in tree.parts.values() for group in part.values() for file in group]
    result = read_pixels(root, files, image_size)
    if result.bad and not skip_bad:
        raise _bad_images(list(result.bad.values()), len(files))
    sets = read_classes(tree, classes, result)
    notes = (*result.notes, *link_notes(tree))
    return Splits(sets["train"], sets.get("test"), sets.get("val"), len(result.bad), notes)


def link_notes(tree: Tree) -> tuple[str, ...]:
    """What the user should know of links that were left out."""
    if not tree.links:
        return ()
    one, many = "1 link was not followed: it leads", f"{tree.links} links were not followed: they lead"
    return (f"{one if tree.links == 1 else many} out of {tree.root}, to a folder or nowhere",)


def read_classes(tree: Tree, classes: tuple[str, ...], pixels: Pixels) -> dict[str, ImageSet]:
    """The sets of a folder's parts, with ``pixels`` for its files in the order of ``tree``; bad ones are left out."""
    sets, start = {}, 0
    for part, groups in tree.parts.items():
        numbers = [classes.index(name) for name in groups]
        labels = np.repeat(np.array(numbers, dtype=np.int64), [len(group) for group in groups.values()])
        names = [_shown(file.path) for group in groups.values() for file in group]
        whole = ImageSet(pixels.images[start : start + len(labels)], labels, classes, names)
        good = np.array([i for i in range(len(labels)) if start + i not in pixels.bad], dtype=np.int64)
        if len(good) < len(labels):
            require_memory(whole.images.nbytes, str(tree.root))
        sets[part] = whole if len(good) == len(labels) else whole.take(good)
        start += len(labels)
    return sets


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts as people do: "2" before "10", "b" after "A"."""
    pieces = re.split("([0-9]+)", name.casefold())
    numbers = [piece.lstrip("0") for piece in pieces]  # more digits, larger number
    return [
        (len(n), n) if k % 2 else (-1, piece) for k, (piece, n) in enumerate(zip(pieces, numbers, strict=True))
    ], name


def _check(tree: Tree, classes: tuple[str, ...]) -> None:
    empty = [name for name, files in tree.parts["train"].items() if not files]
    if empty:
        raise DataError(
            f"{tree.root}: {_some(empty)} has no images for training",
            "images are PNG, JPEG, BMP, GIF or WebP files; add some, or remove the folder",
        )
    for part in ("val", "test"):
        strange = [name for name, files in tree.parts.get(part, {}).items() if name not in classes and files]
        if strange:
            raise DataError(
                f"{tree.root}: {_some(strange)} occurs in the {part} set, but not in the training set",
                f"the classes of the training set are {', '.join(classes[:20])}{' …' * (len(classes) > 20)}; "
                "classes are matched by the names of their folders",
            )
        for name in [name for name in tree.parts.get(part, {}) if name not in classes]:
            del tree.parts[part][name]


def _bad_images(reasons: list[str], count: int) -> DataError:
    more = f"\n  … and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return DataError(
        f"{len(reasons):,} of {count:,} images cannot be used:\n  " + "\n  ".join(reasons[:10]) + more,
        "repair or remove them, or leave them out with --skip-bad",
    )


def _some(names: list[str]) -> str:
    text = ", ".join(repr(name) for name in names[:5]) + (" …" if len(names) > 5 else "")
    return f"class {text}" if len(names) == 1 else f"each of the classes {text}"


def _shown(name: str) -> str:
    """A name of the file system as text that can be printed and written, in composed Unicode form."""
    text = name.replace(os.sep, "/")
    if not text.isprintable():  # bytes that are no text, control characters
        text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return unicodedata.normalize("NFC", text)


def _subfolders(folder: Path) -> list[str]:
    """Names of the folders in ``folder`` that may mean something, links and hidden ones left out."""
    with _listed(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not _hidden(e.name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _classes(tree: Tree, part: str) -> dict[str, list[File]]:
    """Class name → its files by path, for the class folders in ``root/part``."""
    groups: dict[str, list[File]] = {}
    inside = tree.root.resolve()
    for name in _subfolders(tree.root / part):
        files = sorted(_walk(tree, f"{part}{os.sep}{name}" if part else name, inside))
        groups.setdefault(_shown(name), []).extend(files)
    if not groups:
        raise DataError(
            f"{tree.root / part} has no class folders",
            "put the images of each class into a sub-folder of its own, named after the class",
        )
    return {name: groups[name] for name in sorted(groups, key=natural)}


def _walk(tree: Tree, top: str, inside: Path) -> Iterator[File]:
    """The image files in ``root/top`` and deeper."""
    waiting = [top]
    while waiting:
        below = waiting.pop()
        with _listed(tree.root / below) as entries:
            for entry in entries:
                path = f"{below}{os.sep}{entry.name}"
                if _hidden(entry.name):
                    continue
                if entry.is_symlink():
                    target = Path(entry.path).resolve()
                    if not (target.is_relative_to(inside) and target.is_file()):
                        tree.links += 1
                        continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif f".{entry.name.rpartition('.')[2].lower()}" in SUFFIXES:
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield File(path, status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def _listed(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            yield entries
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}", "look at its permissions") from None
