"""The IDX format of the MNIST family: a magic number, the sizes, then the bytes, as such or within gzip.

The magic number is 0, 0, the code of the type (8 = unsigned byte) and the number of dimensions; every size is a
big-endian 32-bit number (http://yann.lecun.com/exdb/mnist/).
"""

import contextlib
import gzip
import hashlib
import math
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.counts import number_of
from ...storage.memory import size_text
from .unpacking import DEFLATE_RATIO, require_unpackable

UBYTE = 8
TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20


def read_idx(path: Path, dims: int, sha256: str = "") -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes with ``dims`` dimensions, plain or gzip-compressed.

    ``sha256``: the uncompressed content must have this sum. A DataError names the file where it is absent, of
    another type, shorter or longer than its header says, damaged, or larger than the memory. The header is believed
    only as far as the file's own size allows, before anything is allocated.
    """
    with _opened(path) as (file, most):
        header = file.read(4 + 4 * dims)
        shape = _shape(path, header, dims)
        count = math.prod(shape)
        if len(header) + count > most or math.prod(max(size, 1) for size in shape) > sys.maxsize:
            raise DataError(
                f"{path} is truncated: its header promises {_by(shape)} = {count:,} bytes, more than it can hold",
                "fetch the file again",
            )
        require_unpackable(path.stat().st_size, count, str(path))
        array = np.empty(shape, dtype=np.uint8)
        digest = hashlib.sha256(header)
        left = array.reshape(-1).data
        while len(left):
            got = file.readinto(left[:CHUNK])  # type: ignore[attr-defined]  # both kinds of file have it
            if not got:
                raise DataError(
                    f"{path} is truncated: {len(left):,} of {count:,} bytes are missing ({_by(shape)} was promised)",
                    "fetch the file again",
                )
            digest.update(left[:got])
            left = left[got:]
        if file.read(1):
            raise DataError(
                f"{path} is longer than its header says: {_by(shape)} = {count:,} bytes end before the file does",
                "it is damaged or another kind of file: fetch it again",
            )
    if sha256 and digest.hexdigest() != sha256:
        raise wrong_checksum(path, f"SHA-256 {sha256} (of the uncompressed content)", digest.hexdigest())
    return array


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of unsigned bytes as IDX, gzip-compressed where the name ends in ``.gz``."""
    content = struct.pack(f">4B{array.ndim}I", 0, 0, UBYTE, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def read_pair(
    images: Path, labels: Path, sums: tuple[str, str] = ("", "")
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 1, H, W) and labels (N,) of two IDX files. DataError also where their counts differ."""
    pixels, marks = read_idx(images, 3, sums[0]), read_idx(labels, 1, sums[1])
    if len(pixels) != len(marks):
        raise DataError(
            f"{images} holds {number_of(len(pixels), 'image')}, but {labels} holds {number_of(len(marks), 'label')}",
            "they must belong together: fetch both again",
        )
    return pixels[:, None], marks.astype(np.int64)


def wrong_checksum(path: Path, expected: str, got: str) -> DataError:
    """A file that is not what its name says."""
    return DataError(
        f"{path} is not the published file: expected {expected}, got {got}",
        "remove it to have it fetched again; to use data of your own, give their folder instead of the name",
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The uncompressed content, and the most bytes it can have. What goes wrong while reading is a DataError."""
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield cast(BinaryIO, file), size * DEFLATE_RATIO
            else:
                yield raw, size
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except EOFError:
        raise DataError(f"{path} is truncated: its gzip data end too early", "fetch the file again") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", "fetch the file again") from None


def _shape(path: Path, header: bytes, dims: int) -> tuple[int, ...]:
    if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in TYPES:
        raise DataError(
            f"{path} is no IDX file: it begins with {header[:4].hex(' ') or 'nothing'}, "
            f"expected the magic number 00 00 08 {dims:02x}",
            "IDX files are those of the MNIST family, such as train-images-idx3-ubyte.gz",
        )
    if header[2] != UBYTE or header[3] != dims:
        raise DataError(
            f"{path} holds {TYPES[header[2]]} values in {number_of(header[3], 'dimension')} "
            f"(magic number {header[:4].hex(' ')}), expected uint8 in {dims} (00 00 08 {dims:02x})",
            "images have three dimensions (N, H, W), labels one; are the two files swapped?",
        )
    if len(header) < 4 + 4 * dims:
        raise DataError(f"{path} is truncated: its header ends after {size_text(len(header))}", "fetch the file again")
    return struct.unpack(f">{dims}I", header[4:])


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
