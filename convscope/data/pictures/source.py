"""Where an image file lies: by itself, or within an archive, which is read in place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .archives import ENDINGS, Archive, open_archive, opened
from .parquet import ENDING

# The first part of a path that is called like an archive, and the rest.
THROUGH = re.compile(f"(?P<outer>.+?({'|'.join(map(re.escape, (*ENDINGS, ENDING)))}))/(?P<inner>.+)", re.I | re.S)
MAX_BYTES = 512_000_000  # in one file


@dataclass(frozen=True)
class Member:
    """A file within an archive that is open."""

    archive: Archive
    name: str

    def __str__(self) -> str:
        return f"{self.archive.path}/{self.name}"

    @property
    def size(self) -> int:
        """Bytes, as the archive says."""
        return self.archive.size(self.name)

    def open(self) -> BinaryIO:
        """Its content, in memory. Raises DataError where it cannot be had, or is larger than an image file may be."""
        return opened(self.archive, self.name)


Source = Path | Member


def sources(root: Path, paths: Sequence[str]) -> list[Source]:
    """The files at ``paths`` below ``root``, a folder or an archive. A path in a folder may lead through an archive.

    Raises DataError for an archive that is none.
    """
    archives: dict[str, Archive | None] = {}

    def member(outer: str, inner: str) -> Source:
        if outer not in archives:
            path = root / outer if outer else root
            archives[outer] = open_archive(path) if path.is_file() else None
        archive = archives[outer]
        return root / outer / inner if archive is None else Member(archive, inner)

    if not root.is_dir():
        return [member("", path) for path in paths]
    split = [THROUGH.fullmatch(path) for path in paths]
    return [
        member(found["outer"], found["inner"]) if found else root / path
        for path, found in zip(paths, split, strict=True)
    ]
