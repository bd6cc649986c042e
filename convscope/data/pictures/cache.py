"""The decoded pixels of an image folder, kept in the user's cache, so that only the first run decodes.

An entry is ``<cache>/folders/<folder and options>/`` with ``<key>-grey.npy`` or ``<key>-colour.npy`` and, written last,
``entry.json``. The key covers path, bytes and time of change of every file. Many pixels are mapped, not read.
When a file changes, the entry is made anew in its place: a folder never has two. It may be deleted at any time, and
processes that decode the same folder at once do not disturb each other.
"""

import contextlib
import hashlib
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from ...errors import DataError, TrainingError
from ...storage.files import write_atomic, write_atomic_with
from ...storage.memory import require_address_space
from ...storage.places import cache_dir
from ...storage.strict_json import dumps, loads
from ...storage.trusted import open_own, read_own
from .bulk import Decoding, choose_shape, survey

VERSION = 1  # of what decoding does: with another one, no entry made before is used
SMALL = 64_000_000  # bytes of pixels that are read, not mapped
STALE = 3600  # seconds after which a temporary file is what a killed process left


class File(NamedTuple):
    """An image file: its path below the folder (as the system spells it), bytes, and time of change in ns."""

    path: str
    size: int
    changed: int


@dataclass(frozen=True)
class Pixels:
    """``images`` uint8 (N, C, H, W), one a file, all zero for a ``bad`` one (index → what is wrong with it)."""

    images: NDArray[np.uint8]
    bad: dict[int, str]
    notes: tuple[str, ...] = ()


def read_pixels(root: Path, files: Sequence[File], image_size: int | None = None) -> Pixels:
    """The pixels of ``files`` below ``root``: mapped from the cache where nothing changed, else decoded into it.

    Height and width are those of :func:`~convscope.data.pictures.bulk.choose_shape`. Channels: one where every image is
    grey, by its mode or because its red, green and blue are equal in every pixel of every image; else three. Where the
    cache cannot be written, the array is made in memory. Raises DataError where no image is readable, or where the
    pixels fit neither.
    """
    options = f"{VERSION}\0{PIL.__version__}\0{root.resolve()}\0{image_size}"
    place = cache_dir() / "folders" / _digest(f"{root.resolve()}\0{image_size}")
    key = _digest(options, *(f"{file.path}\0{file.size}\0{file.changed}" for file in files))
    found = _load(place, key, len(files))
    if found:
        return found
    try:
        return _decode(root, files, image_size, place, key)
    except MemoryError:
        raise DataError(f"there is not enough memory to decode the images in {root}", "close other programs") from None


def _decode(root: Path, files: Sequence[File], image_size: int | None, place: Path, key: str) -> Pixels:
    paths = [root / file.path for file in files]
    headers, unreadable = survey(paths)
    if not headers:
        raise DataError(
            f"{root}: none of its {len(files):,} images can be read, such as:\n  {unreadable[0]}",
            "images are PNG, JPEG, BMP, GIF or WebP files",
        )
    shape, notes = choose_shape(headers.values(), image_size)
    decoding = Decoding(paths, shape, unreadable)
    require_address_space(decoding.nbytes, str(root))
    with contextlib.suppress(OSError, TrainingError):  # no room or no rights: the cache is a help, not a need
        _store(place, key, decoding, notes)
    return _load(place, key, len(files)) or Pixels(decoding.in_memory(str(root)), decoding.bad, notes)


def _digest(*texts: str) -> str:
    joined = "\n".join(texts).encode(errors="surrogatepass")  # a file's name may be no text
    return hashlib.sha256(joined).hexdigest()[:32]


def _store(place: Path, key: str, decoding: Decoding, notes: tuple[str, ...]) -> None:
    """Decode into the cache: first the pixels, then the entry that makes them count."""
    place.mkdir(parents=True, exist_ok=True)
    grey, colour = place / f"{key}-grey.npy", place / f"{key}-colour.npy"
    count, channels, height, width = decoding.shape

    def write(file: BinaryIO) -> None:
        _npy_header(file, decoding.shape)
        for block in decoding.blocks():
            file.write(block.data)

    def write_first_channel(file: BinaryIO) -> None:
        _npy_header(file, (count, 1, height, width))
        for image in np.load(colour, mmap_mode="r", allow_pickle=False):
            file.write(image[:1].tobytes())

    pixels = grey if channels == 1 else colour
    try:
        write_atomic_with(pixels, write)
        if channels == 3 and not decoding.coloured:
            pixels = grey
            write_atomic_with(pixels, write_first_channel)
        bad = {str(index): why for index, why in sorted(decoding.bad.items())}
        entry = {"key": key, "pixels": pixels.name, "bad": bad, "notes": notes}
        write_atomic(place / "entry.json", dumps(entry))
    finally:
        _clean(place, keep=pixels)


def _clean(place: Path, keep: Path) -> None:
    """Remove pixels of other keys and what killed processes left; without an entry, there is nothing to keep."""
    whole = (place / "entry.json").is_file()
    for path in place.iterdir():
        with contextlib.suppress(OSError):
            left = path.suffix == ".tmp" and time.time() - path.stat().st_mtime > STALE
            if left or (path.suffix == ".npy" and not (whole and path == keep)):
                path.unlink()


def _npy_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _load(place: Path, key: str, count: int) -> Pixels | None:
    """The entry at ``place`` if it is whole, this user's own, and has this key; else it is to be made again."""
    try:
        text = read_own(place / "entry.json")
        entry = loads((text or b"{}").decode())
        if entry.get("key") != key or entry["pixels"] not in (f"{key}-grey.npy", f"{key}-colour.npy"):
            return None
        bad = {int(index): str(why) for index, why in entry["bad"].items()}
        notes = tuple(str(note) for note in entry["notes"])
        images = _map(place / entry["pixels"], count)
    except DataError:  # no room for it
        raise
    except Exception:  # whatever stands there, no cache is worth a failed run
        return None
    return None if images is None else Pixels(images, bad, notes)


def _map(path: Path, count: int) -> NDArray[np.uint8] | None:
    """The pixels of ``count`` images in an ``.npy`` that is exactly as long as it must be; small ones are read.

    Where a mapped file is cut while it is in use, the system kills the process (SIGBUS): nobody but the user can do
    that, and what is small enough to be read at once is safe from it.
    """
    file = open_own(path)
    if file is None:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        right = dtype == np.uint8 and not fortran and len(shape) == 4 and shape[0] == count
        if not right or min(shape) < 1 or start + math.prod(shape) != size:
            return None
        if size <= SMALL:
            return np.frombuffer(bytearray(file.read()), dtype=np.uint8).reshape(shape)
        require_address_space(size, "the copy of decoded images")
        # "c": pages come from the file as they are used; a change, should anybody make one, stays in memory.
        return np.asarray(np.memmap(file, np.uint8, "c", start, shape))
