"""The image files that somebody names: those of a folder, an archive, a table, Parquet, or of several of these."""

import os
from collections.abc import Callable
from pathlib import Path

from ...errors import DataError
from ...storage.places import user_path
from ..images import Splits
from ..names import PARTS, shown
from ..pictures.archives import is_archive
from ..readers.fetch import FILES, find_idx
from ..readers.npy import arrays_in, read_npy
from . import parquet, table, webdataset
from .archive import list_archive
from .file_names import lay_out_by_name
from .layout import lay_out
from .tree import Tree, natural_order
from .walk import walk

BETWEEN = os.pathsep  # two places, as in $PATH


def several(data: str | Path) -> list[str]:
    """The places that ``data`` names: one, or more with ``:`` between them (``;`` on Windows), as in ``$PATH``."""
    text = str(data)
    if BETWEEN not in text or os.path.lexists(text):
        return [text]
    return [place for place in text.split(BETWEEN) if place] or [""]


def absolute(data: str | Path) -> str:
    """The same places, wherever this process stands."""
    return BETWEEN.join(str(user_path(place).resolve()) for place in several(data))


def read_files(path: Path, image_size: int | None, skip_bad: bool, class_from: str | None) -> Tree | Splits | None:
    """The image files that ``path`` stands for, as a tree; of a table of pixels, the images themselves; None where it
    is something else.
    """
    if arrays := arrays_in(path):
        return read_npy(arrays, path, image_size)
    if path.is_file() and path.suffix.lower() in table.SUFFIXES:  # which has labels
        return table.read_table(path, image_size, skip_bad)
    if path.is_file() and path.suffix.lower() == parquet.ENDING:
        return parquet.read_parquet(path, skip_bad)
    if found := webdataset.shards(path):
        return webdataset.read_webdataset(path, found)
    if is_archive(path):
        listing = list_archive(path)
    elif path.is_dir() and not any(find_idx([path], file) for file in FILES):
        listing = walk(path)
        if files := parquet.shards(listing):
            return parquet.read_shards(listing, files)
    else:
        return None
    return lay_out(listing) if class_from is None else lay_out_by_name(listing, class_from)


def read_several(paths: list[Path], read: Callable[[Path], Tree | Splits | None]) -> Tree:
    """The image files of several places in one tree: classes of one name are one class. Where only some bring a test or
    validation set, the others' images are all for training, and a note says so.

    Raises DataError for a place that holds no image files, and for one that lies in another.
    """
    places = [path.resolve() for path in paths]
    _require_apart(places)
    trees = []
    for path in places:
        tree = read(path)
        if not isinstance(tree, Tree):
            raise DataError(
                f"{path} holds no image files, and several data together must",
                f"between two folders, archives or tables of image files stands {BETWEEN!r}",
            )
        trees.append(tree)
    root = Path(os.path.commonpath([tree.root if tree.root.is_dir() else tree.root.parent for tree in trees]))
    joined = Tree(root, Path(BETWEEN.join(map(str, places))), split=any(tree.split for tree in trees))
    notes: list[str] = []
    for tree in trees:
        _add(joined, tree)
        notes += [note for note in tree.notes if note not in notes]
        if joined.split and not tree.split:
            notes.append(f"{shown(str(tree.source))} brings no test set: all its images are for training")
    joined.parts = {part: natural_order(joined.parts[part]) for part in PARTS if part in joined.parts}
    joined.notes = tuple(notes)
    return joined


def _add(joined: Tree, tree: Tree) -> None:
    """The files of ``tree`` by their paths below the root of ``joined``."""
    below = tree.root.relative_to(joined.root).as_posix()
    for part, classes in tree.parts.items():
        for name, files in classes.items():
            group = joined.parts.setdefault(part, {}).setdefault(name, [])
            group += [file._replace(path=os.path.normpath(f"{below}/{file.path}")) for file in files]
        place = tree.places[part]
        joined.places[part] = f"{joined.places[part]}, {place}" if part in joined.places else place


def _require_apart(places: list[Path]) -> None:
    for one in places:
        for other in places:
            if one is not other and other.is_relative_to(one):
                twice = f"{one} is named twice: its images would count twice"
                inside = f"{other} lies in {one}: its images would count twice"
                raise DataError(twice if one == other else inside, "name each image once")
