"""ZIP and TAR archives and Parquet files, read in place: what is in them never gets a name on the disk.

A compressed TAR can be read from its beginning only. It is decompressed once into a file without a name, which the
system removes when it is closed.
"""

import io
import shutil
import stat
import struct
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

from ...errors import DataError
from ...storage.memory import size_text
from . import parquet

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_FILES = 5_000_000  # in an archive
MAX_UNPACKED = 200_000_000  # in one file of an archive: 64 million pixels, plain
MAX_DECOMPRESSED = 50_000_000_000  # of a compressed TAR
SPARE = 1_000_000_000  # bytes that stay free where it is decompressed
LONGEST_HEADER = 16_000_000  # of one file in a TAR: its name and remarks
PIECE = 2**20


@dataclass(frozen=True)
class Entry:
    """What an archive says of one of its members: ``stamp`` changes where the content does."""

    name: str
    size: int
    stamp: int
    is_folder: bool = False
    is_link: bool = False


class Archive(Protocol):
    """An archive that is open; several threads may read at once. Closed when nothing refers to it any more."""

    path: Path

    def entries(self) -> list[Entry]:
        """Its members; of one name, the last."""

    def size(self, name: str) -> int:
        """Bytes of a member, as the archive says."""

    def read(self, name: str) -> bytes:
        """A member's content. Raises DataError where it cannot be read, or is larger than an image file may be."""


def is_archive(path: Path) -> bool:
    """Whether a path is a file whose name says that it is an archive."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def open_archive(path: Path) -> Archive:
    """The archive at ``path``. Raises DataError where it is damaged, or none."""
    name = path.name.lower()
    if name.endswith(".zip"):
        return ZipArchive(path)
    return ParquetArchive(path) if name.endswith(parquet.ENDING) else TarArchive(path)


class ZipArchive:
    """A ZIP archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise DataError(
                f"{path} is no ZIP archive, or is damaged: {error}", "pack it again, or unpack it"
            ) from None

    def entries(self) -> list[Entry]:  # noqa: D102
        infos = {info.filename: info for info in self._zip.infolist()}
        return [
            Entry(name, info.file_size, info.CRC, name.endswith("/"), stat.S_ISLNK(info.external_attr >> 16))
            for name, info in infos.items()
        ]

    def size(self, name: str) -> int:  # noqa: D102
        return self._zip.getinfo(name).file_size

    def read(self, name: str) -> bytes:  # noqa: D102
        info, place = self._zip.getinfo(name), f"{self.path}/{name}"
        if info.flag_bits & 1:
            raise DataError(f"{place} is encrypted", "unpack the archive with its password first")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{place} is compressed in an unusual way", "unpack the archive, or pack it with zip")
        require_image_size(info.file_size, place)
        try:
            with self._zip.open(info) as file:
                return file.read(info.file_size + 1)  # zipfile compares length and checksum
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{place} cannot be unpacked: {error}", "pack the archive again") from None


class _Laid:
    """An archive whose members lie one after the other, as they are, in one file: at (start, bytes) by name."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        weakref.finalize(self, file.close)

    def size(self, name: str) -> int:
        """Bytes of a member."""
        return self._places[name][1]

    def read(self, name: str) -> bytes:
        """As :class:`Archive` says."""
        start, size = self._places[name]
        require_image_size(size, f"{self.path}/{name}")
        with self._lock:
            self._file.seek(start)
            content = self._file.read(size)
        if len(content) < size:
            raise DataError(f"{self.path}/{name} cannot be unpacked: the archive ends before it", "pack it again")
        return content


class TarArchive(_Laid):
    """A TAR archive, plain or compressed by gzip, bzip2 or xz."""

    def __init__(self, path: Path) -> None:
        plain = path.name.lower().endswith(".tar")
        try:
            super().__init__(path, path.open("rb") if plain else _nameless())
            if not plain:
                _decompress(path, self._file)
            stamp = path.stat().st_mtime_ns
            with tarfile.TarFile(fileobj=_Headers(self._file), mode="r", errorlevel=1) as tar:  # type: ignore[arg-type]
                infos = {info.name.removeprefix("./"): info for info in islice(tar, MOST_FILES + 1)}
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, struct.error, zlib.error) as error:
            raise DataError(
                f"{path} is no TAR archive, or is damaged: {error}", "pack it again, or unpack it"
            ) from None
        self._places = {name: (info.offset_data, info.size) for name, info in infos.items() if info.isreg()}
        self._entries = [
            Entry(name, info.size, stamp, info.isdir(), not (info.isdir() or (info.isreg() and not info.issparse())))
            for name, info in infos.items()
        ]

    def entries(self) -> list[Entry]:  # noqa: D102
        return self._entries


class ParquetArchive(_Laid):
    """The pictures in the rows of a Parquet file, each named by its row. They are copied once into a file without a
    name, since the file is compressed by columns, and can be read in its own order only.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _nameless())
        room = _room()
        end = 0
        for row, content in enumerate(parquet.pictures(path)):
            end += len(content)
            _require_room(path, end, room)
            self._file.write(content)
            self._places[str(row)] = (end - len(content), len(content))

    def entries(self) -> list[Entry]:  # noqa: D102
        return [Entry(name, size, 0) for name, (_, size) in self._places.items()]

    def read(self, name: str) -> bytes:  # noqa: D102
        if not self._places[name][1]:
            raise DataError(f"{self.path}/{name} holds no picture", "leave that row out")
        return super().read(name)


class _Headers:
    """A file as :mod:`tarfile` reads its members' headers from it: none is longer than it may be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > LONGEST_HEADER:
            raise tarfile.ReadError(f"the header of a file in it has {size_text(size)}")
        return self._file.read(size)


def _decompress(path: Path, file: BinaryIO) -> None:
    """Write what a compressed archive holds to ``file``. Raises DataError where that would be too much."""
    import bz2
    import gzip
    import lzma

    kind = path.name.lower().rpartition(".")[2]
    unpack = gzip.open if kind in ("gz", "tgz") else bz2.open if kind in ("bz2", "tbz2") else lzma.open
    room, written = _room(), 0
    try:
        with unpack(path, "rb") as packed:
            while piece := packed.read(PIECE):
                written += len(piece)
                _require_room(path, written, room)
                file.write(piece)
    except lzma.LZMAError as error:
        raise DataError(f"{path} is no TAR archive, or is damaged: {error}", "pack it again, or unpack it") from None
    file.seek(0)


def _nameless() -> BinaryIO:
    return tempfile.TemporaryFile()


def _room() -> int:
    """Bytes that may be written into a file without a name."""
    return min(MAX_DECOMPRESSED, max(0, shutil.disk_usage(tempfile.gettempdir()).free - SPARE))


def _require_room(path: Path, needed: int, room: int) -> None:
    if needed > room:
        raise DataError(
            f"{path} unpacks to more than {size_text(room)}, for which there is no room",
            f"free some in {tempfile.gettempdir()}, or unpack it elsewhere and give the folder",
        )


def require_image_size(size: int, name: str) -> None:
    """Raise DataError for a file in an archive that is larger than an image may be."""
    if size > MAX_UNPACKED:
        raise DataError(f"{name} is too large for an image: {size_text(size)}", "make it smaller first")


def opened(archive: Archive, name: str) -> BinaryIO:
    """A member's content as a file that knows its name, for messages."""
    file = io.BytesIO(archive.read(name))
    file.name = f"{archive.path}/{name}"
    return file
