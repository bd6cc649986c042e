"""Parquet files of pictures and labels, as Hugging Face's datasets are kept, or of ``path,label[,split]``.

A data set is one file, or a folder of shards whose names tell the part: ``train-00000-of-00002.parquet``. Labels are
names, or numbers with the names that ``ClassLabel`` gives them.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...language.counts import some
from ..names import PARTS, part_named, shown
from ..pictures import parquet
from ..pictures.cache import File
from .parts import similar_parts
from .table import LABELS, PATHS, SPLITS, Columns, first_of, label_files
from .tree import Tree, natural_order
from .walk import Listing

ENDING = parquet.ENDING
HELP = "a Parquet file of pictures has a column of them (image) and one of labels (label), one of paths path and label"


def read_parquet(path: Path, skip_bad: bool) -> Tree:
    """The pictures of one Parquet file, or the files that it names. Raises DataError for what is no such file."""
    found = parquet.columns(path)
    if found.picture is not None:
        return _tree(path, path, {path: ""})
    lower = [name.lower() for name in found.names]
    image, label, split = (first_of(known, lower) for known in (PATHS, LABELS, SPLITS))
    if image is None or label is None:
        raise _other(path, found)
    names = [found.names[column] for column in (image, label, split) if column is not None]
    columns = Columns(names, "", 0, 1, None if split is None else 2)
    known = found.labels.get(names[1], ())
    rows = enumerate(parquet.cells(path, names), 1)
    lines = (
        (row, [_text(cells[0]), _label(path, row, cells[1], known), *map(_text, cells[2:])]) for row, cells in rows
    )
    return label_files(path, lines, columns, skip_bad)


def shards(listing: Listing) -> dict[Path, str]:
    """The Parquet files of a folder without images of its own, in it or in its ``data/`` → their paths below it."""
    if listing.counts[""]:
        return {}
    root = listing.root.resolve()
    found = (path for folder in (listing.root, listing.root / "data") for path in sorted(folder.glob(f"*{ENDING}")))
    inside = {path: path.relative_to(listing.root).as_posix() for path in found if path.resolve().is_relative_to(root)}
    listing.passed.unread -= Counter({ENDING: len(inside)})
    return inside


def read_shards(listing: Listing, files: dict[Path, str]) -> Tree:
    """The pictures of a folder of shards."""
    tree = _tree(listing.root, listing.root, files)
    tree.notes = (*tree.notes, *listing.passed.notes(listing.root))
    return tree


def _tree(root: Path, source: Path, files: dict[Path, str]) -> Tree:
    tree = Tree(root, source)
    for path, name in files.items():
        _add(tree, path, name)
    if "train" not in tree.parts:
        raise DataError(f"{root} has no pictures for training", HELP)
    tree.split = len(tree.parts) > 1
    tree.parts = {part: natural_order(tree.parts[part]) for part in PARTS if part in tree.parts}
    tree.places = {part: f"the {part} split of {source.name}" for part in tree.parts}
    return tree


def _add(tree: Tree, path: Path, below: str) -> None:
    """The rows of one file become files of the tree: ``shard/row`` in a folder of shards, else ``row``."""
    found = parquet.columns(path)
    lower = [name.lower() for name in found.names]
    label, split = first_of(LABELS, lower), first_of(SPLITS, lower)
    if found.picture is None or label is None:
        raise _other(path, found)
    status, mine = path.stat(), next(iter(similar_parts([path.stem])), "train")
    names = [found.names[column] for column in (label, split) if column is not None]
    known = found.labels.get(names[0], ())
    for row, cells in enumerate(parquet.cells(path, names)):
        part = mine if split is None else part_named(_text(cells[1]))
        if part is None:
            raise DataError(f"{path}, row {row}, has the split {_text(cells[1])[:40]!r}", "known: train, val, test")
        group = tree.parts.setdefault(part, {}).setdefault(_label(path, row, cells[0], known), [])
        group.append(File(f"{below}/{row}" if below else str(row), status.st_size, status.st_mtime_ns))


def _label(path: Path, row: int, cell: Any, known: tuple[str, ...]) -> str:
    """The class name in a cell."""
    if known and isinstance(cell, int) and 0 <= cell < len(known):
        return shown(known[cell])
    text = "" if isinstance(cell, float | list | dict | bytes) else shown(_text(cell).strip())
    if not text or (known and text not in known):
        raise DataError(f"{path}, row {row}, has the label {cell!r:.60}", "a label is a name or a class number")
    return text


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _other(path: Path, found: parquet.Columns) -> DataError:
    return DataError(f"{path} has the columns {some(map(shown, found.names), 8)}", HELP)
