"""Where an image file lies: by itself, or within a ZIP archive, which is read in place and never unpacked to disk."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import DataError
from ...storage.memory import size_text

MAX_BYTES = 512_000_000  # in one file
MAX_UNPACKED = 200_000_000  # in one file of an archive: 64 million pixels, plain


@dataclass(frozen=True)
class Member:
    """A file within an archive that is open; several threads may read at once."""

    archive: zipfile.ZipFile
    name: str

    def __str__(self) -> str:
        return f"{self.archive.filename}/{self.name}"

    @property
    def size(self) -> int:
        """Bytes, as the archive says."""
        return self.archive.getinfo(self.name).file_size

    def open(self) -> BinaryIO:
        """Its content, in memory. Raises DataError where it is encrypted, packed in an unusual way, damaged, or larger
        than an image file may be.
        """
        info = self.archive.getinfo(self.name)
        if info.flag_bits & 1:
            raise DataError(f"{self} is encrypted", "unpack the archive with its password first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{self} is compressed in an unusual way", "unpack the archive, or pack it with zip")
        if info.file_size > MAX_UNPACKED:
            raise DataError(f"{self} is too large for an image: {size_text(info.file_size)}", "make it smaller first")
        with self.archive.open(info) as file:
            return io.BytesIO(file.read(info.file_size + 1))  # zipfile compares length and checksum


Source = Path | Member


def sources(root: Path, paths: Sequence[str]) -> list[Source]:
    """The files at ``paths`` below ``root``, a folder or an archive. Raises DataError for an archive that is none."""
    if root.is_dir():
        return [root / path for path in paths]
    archive = open_archive(root)
    return [Member(archive, path) for path in paths]


def open_archive(path: Path) -> zipfile.ZipFile:
    """A ZIP archive. Raises DataError where it is damaged, or none. It is closed when nothing refers to it any more."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise DataError(f"{path} is no ZIP archive, or is damaged: {error}", "pack it again, or unpack it") from None
