"""The image files that somebody names: files, folders (walked as training walks them), patterns such as ``*.png``."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from ...language.counts import some
from ..names import natural, shown
from ..pictures import parquet
from ..pictures.archives import is_archive, open_archive
from ..pictures.formats import FORMAT_NAMES
from ..pictures.source import Member, Source, sources
from .archive import list_archive
from .walk import walk


def image_files(paths: Sequence[Path]) -> tuple[list[Source], tuple[str, ...]]:
    """The files that ``paths`` name, and notes on what was passed over in folders.

    A folder, an archive or a Parquet file stands for the images in it, a pattern (``*``, ``?``, ``[…]``, ``**``) for
    what it matches, where no file has that very name: a shell that leaves patterns alone, or quotes around them, make
    no difference. Raises DataError where there is nothing.
    """
    files: list[Source] = []
    notes: list[str] = []
    for named in paths:
        for path in _expanded(named):
            archive = is_archive(path)
            if archive or path.is_dir():
                listing = list_archive(path) if archive else walk(path)
                inside = sources(path, [file.path for file in listing.images("")])
                said = listing.passed.notes(path)
                if not inside:
                    raise DataError(f"{path} holds no images", "; ".join((f"images are {FORMAT_NAMES} files", *said)))
                files += inside
                notes += said
            elif path.suffix.lower() == parquet.ENDING:
                files += _rows(path)
            else:
                files.append(path)
    return files, tuple(notes)


def _rows(path: Path) -> list[Source]:
    """The pictures in the rows of a Parquet file."""
    found = parquet.columns(path)
    if found.picture is None:
        names = some(map(shown, found.names), 8)
        raise DataError(f"{path} holds no pictures: its columns are {names}", "name the image files themselves")
    archive = open_archive(path)
    return [Member(archive, entry.name) for entry in archive.entries()]


def _expanded(path: Path) -> list[Path]:
    """``path``, or what matches it where it is a pattern."""
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(str(path)):
        raise DataError(f"there is no file {path}", "name image files or folders of images")
    found = sorted(glob.glob(str(path), recursive=True), key=natural)  # noqa: PTH207 - Path.glob takes no absolute one
    if not found:
        raise DataError(f"no file matches {path}", "name image files, folders of images, or a pattern of theirs")
    return [Path(match) for match in found]
