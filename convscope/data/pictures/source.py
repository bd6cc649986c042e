"""Where an image file lies: by itself, or within an archive, which is read in place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .archives import Archive, open_archive, opened

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
    """The files at ``paths`` below ``root``, a folder or an archive. Raises DataError for an archive that is none."""
    if root.is_dir():
        return [root / path for path in paths]
    archive = open_archive(root)
    return [Member(archive, path) for path in paths]
