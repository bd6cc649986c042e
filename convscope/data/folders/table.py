"""Tables of labels (``path,label[,split]``) and of pixels (``label,pixel0,pixel1,…``), as .csv or .tsv.

Files that a table names are looked for below the table's own folder alone, among those that a walk of it finds.
"""

import csv
import os
import posixpath
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.counts import number_of, some
from ...storage.memory import require_memory, size_text
from ..images import Splits
from ..names import PARTS, part_named, shown
from ..pictures.cache import File
from ..pictures.formats import SUFFIXES as IMAGES
from ..readers.arrays import from_arrays
from .parts import images_text
from .tree import Classes, Tree, natural_order
from .walk import Listing, ending, walk

SUFFIXES = (".csv", ".tsv", ".tab")
MOST_BYTES = 2_000_000_000
LONGEST_LINE = 2_000_000  # characters of the first line
PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "img",
         "image_id", "id")  # fmt: skip
LABELS = ("label", "labels", "class", "class_name", "category", "target")
SPLITS = ("split", "set", "subset", "part", "partition")
HELP = (
    "a table of labels has the columns path,label and perhaps split; a table of pixels has label and one column a pixel"
)


@dataclass
class Columns:
    """Which column of a table holds what; ``pixels`` are all others where there is no path. ``header`` says whether the
    first line names the columns.
    """

    names: list[str]
    delimiter: str
    path: int | None
    label: int
    split: int | None
    header: bool = True


@dataclass
class Rows:
    """The files of a table so far: its line, label and part by path, and what is wrong with other lines."""

    seen: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    repeated: int = 0


def read_table(path: Path, image_size: int | None, skip_bad: bool) -> Tree | Splits:
    """The image files that a table names, with its labels and split, as a tree; or the images in a table of pixels, of
    the side ``image_size``.

    Raises DataError, with the line, for what is no such table, for a file that is not there (or, with ``skip_bad``,
    counts them in the notes) or lies outside the table's folder, and for one that is listed with two labels or splits.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{path} is too large for a table: {size_text(size)}", f"at most {size_text(MOST_BYTES)}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = _columns(path, file)
            if columns.path is None:
                return _pixels(path, file, columns, size, image_size)
            return label_files(path, _lines(file, columns), columns, skip_bad)
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8", "save the table as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a table: {error}", HELP) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "look at its permissions") from None


def _columns(path: Path, file: TextIO) -> Columns:
    first = file.readline(LONGEST_LINE)
    file.seek(0)
    delimiter = "\t" if path.suffix.lower() != ".csv" else max(",;\t", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    lower = [name.lower() for name in names]
    image, label, split = (first_of(known, lower) for known in (PATHS, LABELS, SPLITS))
    if len(names) in (2, 3) and (image is None or label is None):  # by their places: path, label and perhaps split
        known = len(names) == 2 or split == 2 or part_named(names[2]) is not None
        if known:
            return Columns(names, delimiter, 0, 1, 2 if len(names) == 3 else None, header=not _is_file(names[0]))
    if label is None or (image is None and len(names) < 3):
        raise DataError(f"{path} has the columns {some(names, 8)}", HELP)
    return Columns(names, delimiter, image, label, split)


def first_of(known: Sequence[str], names: Sequence[str]) -> int | None:
    """The place among ``names`` of the likeliest of ``known``; None where none is there."""
    return next((names.index(name) for name in known if name in names), None)


def _is_file(cell: str) -> bool:
    """Whether the first cell of a table looks like a file's name: then there is no line of column names."""
    return ending(cell) in IMAGES or "/" in cell


def label_files(path: Path, lines: Iterable[tuple[int, list[str]]], columns: Columns, skip_bad: bool) -> Tree:
    """The files that ``lines`` (their numbers and cells) of the table at ``path`` name, as :func:`read_table` says."""
    listing = walk(path.parent)
    listing.passed.unread -= Counter([ending(path.name)])  # the table itself
    rows = Rows()
    find = _Finder(path, listing)
    for line, cells in lines:
        _add(rows, find, path, line, cells, columns)
    if rows.absent and not skip_bad:
        raise _absent(path, listing, rows.absent)
    if not rows.files:
        raise DataError(f"{path} names no images", HELP)
    return _tree(path, listing, rows)


def _absent(path: Path, listing: Listing, lines: list[str]) -> DataError:
    more = f"\n  … and {len(lines) - 10:,} more" if len(lines) > 10 else ""
    others = f"; not read there: {listing.passed.endings()}" if listing.passed.unread else ""
    return DataError(
        f"{len(lines):,} of the files that {path} names are not there:\n  " + "\n  ".join(lines[:10]) + more,
        f"paths are those below {path.parent}{others}; --skip-bad leaves such lines out",
    )


def _lines(file: TextIO, columns: Columns) -> Iterator[tuple[int, list[str]]]:
    """(line, its cells) of what is no empty line and no line of column names."""
    reader = csv.reader(file, delimiter=columns.delimiter)
    for number, cells in enumerate(reader):
        if cells and not (columns.header and number == 0):
            yield reader.line_num, cells


def _add(rows: Rows, find: "_Finder", path: Path, line: int, cells: list[str], columns: Columns) -> None:
    """One line's file, label and part."""
    assert columns.path is not None
    last = max(columns.path, columns.label, columns.split or 0)
    if len(cells) <= last:
        raise DataError(f"{path}, line {line}, has {number_of(len(cells), 'column')}, but {last + 1} are needed", HELP)
    label = shown(cells[columns.label].strip())
    if not label:
        raise DataError(f"{path}, line {line}, has no label", "give every image one, or leave the line out")
    word = cells[columns.split].strip() if columns.split is not None else ""
    part = part_named(word) if word else "train"
    if part is None:
        known = ", ".join(name for names in PARTS.values() for name in names)
        raise DataError(f"{path}, line {line}, has the split {word[:40]!r}", f"known: {known}")
    file = find(line, cells[columns.path].strip())
    if file is None:
        rows.absent.append(f"line {line}: {shown(cells[columns.path].strip())[:200]}")
        return
    before = rows.seen.setdefault(file.path, (line, label, part))
    if before[1:] != (label, part):
        raise DataError(
            f"{path} names {shown(file.path)} twice, as {before[1]} ({before[2]}) in line {before[0]} and as "
            f"{label} ({part}) in line {line}",
            "an image has one label and lies in one part: remove one of the lines",
        )
    rows.repeated += file.path in rows.files
    rows.files[file.path] = file


class _Finder:
    """The file that a cell of a table means: by its path below the table's folder, or, where the cell is a mere name,
    by that alone, with or without its ending, if only one file has it."""

    def __init__(self, table: Path, listing: Listing) -> None:
        self.table = table
        self.root = os.path.realpath(table.parent)
        self.paths: dict[str, File] = {}
        self.names: dict[str, File | None] = {}
        for files in listing.files.values():
            for file in files:
                path = file.path.replace(os.sep, "/")
                name = path.rpartition("/")[2]
                self.paths[path] = file
                for key in (name, name.rpartition(".")[0]):
                    self.names[key] = None if key in self.names else file

    def __call__(self, line: int, cell: str) -> File | None:
        text = cell.replace("\\", "/")
        if text.startswith(self.root + "/"):
            text = text[len(self.root) + 1 :]
        path = posixpath.normpath(text) if text else ""
        if path.startswith(("/", "../")) or path == "..":
            raise DataError(
                f"{self.table}, line {line}: {shown(cell)[:200]} lies outside the table's folder",
                f"put the table into a folder above its images; paths are those below {self.table.parent}",
            )
        if path in self.paths:
            return self.paths[path]
        if "/" in path or path not in self.names:
            return None
        found = self.names[path]
        if found is None:
            raise DataError(
                f"{self.table}, line {line}: several files are called {shown(path)[:200]}",
                f"give the path below {self.table.parent}",
            )
        return found


def _tree(path: Path, listing: Listing, rows: Rows) -> Tree:
    tree = Tree(path.parent, path)
    for name, (_, label, part) in rows.seen.items():
        groups: Classes = tree.parts.setdefault(part, {})
        groups.setdefault(label, []).append(rows.files[name])
    if "train" not in tree.parts:
        raise DataError(f"{path} has no image for training", "name some with the split train, or without one")
    tree.split = len(tree.parts) > 1
    tree.parts = {part: natural_order(tree.parts[part]) for part in PARTS if part in tree.parts}
    tree.places = {part: f"the {part} split of {path.name}" for part in tree.parts}
    notes = []
    if rows.absent:
        notes.append(f"left out, for the table names what is not there: {number_of(len(rows.absent), 'file')}")
    if rows.repeated:
        notes.append(f"{rows.repeated:,} line{'s' * (rows.repeated > 1)} name a file again: it is taken once")
    others = listing.counts[""] - len(rows.files)
    if others:
        notes.append(f"left out, for the table does not name them: {images_text(others)} in {path.parent}")
    tree.notes = (*notes, *listing.passed.notes(path.parent))
    return tree


def _pixels(path: Path, file: TextIO, columns: Columns, size: int, image_size: int | None) -> Splits:
    """A table of pixels: a label, then H · W values from 0 to 255, a line an image."""
    width = len(columns.names)
    require_memory(2 * size, str(path))  # a value takes two characters or more, and four bytes
    others = [column for column in range(width) if column != columns.label]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are no lines, which is said below
            labels = _values(file, columns, [columns.label], str)[:, 0]
            file.seek(0)
            rows = _values(file, columns, others, np.float32)
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is no table of pixels: {error}", HELP) from None
    if not len(rows):
        raise DataError(f"{path} holds no images", HELP)
    whole = bool((rows == np.rint(rows)).all())
    return Splits(from_arrays(rows.astype(np.int64) if whole else rows, labels, None, str(path), image_size))


def _values(file: TextIO, columns: Columns, which: list[int], kind: type) -> NDArray[Any]:
    """(lines, columns) of the table below its first line."""
    return np.loadtxt(
        file, kind, comments=None, delimiter=columns.delimiter, skiprows=1, usecols=which, ndmin=2, quotechar='"'
    )
