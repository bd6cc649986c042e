"""The decoded pixels of an image folder, kept in the user's cache, so that only the first run decodes.

An entry is ``<cache>/folders/<data and options>/`` with ``<key>-grey.npy`` or ``<key>-colour.npy``, the checksums of
its blocks (:mod:`.making`) and, written last, ``entry.json``. The key covers path, bytes and time of change of every
file. Many pixels are mapped, not read. Decoding that was stopped continues, and what is damaged is decoded again.
When a file changes, the entry is made again in its place: a folder never has two. It may be deleted at any time. Of
processes that want to decode the same folder at once one does, and the others wait for it.
"""

import contextlib
import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from filelock import FileLock
from numpy.typing import NDArray

from ...errors import DataError, TrainingError
from ...language.counts import number_of
from ...storage.files import write_atomic
from ...storage.kept import ENTRY, LOCK, PIXELS
from ...storage.literals import parsed, read_npy_header
from ...storage.memory import require_address_space, size_text
from ...storage.places import cache_dir
from ...storage.strict_json import dumps, loads
from ...storage.trusted import open_own, read_own
from ..preparation import Preparation
from .bulk import Decoding, choose_depth, choose_shape, survey
from .formats import FORMAT_NAMES
from .making import BLOCKS, PART, Made, MapInBlocks, Told, is_whole, make
from .maps import mapped
from .room import make_room
from .source import sources

VERSION = 3  # of what decoding does: with another one, no entry made before is used
SMALL = 64_000_000  # bytes of pixels that are read, not mapped
STALE = 3600  # seconds after which a temporary file is what a killed process left


class File(NamedTuple):
    """An image file: its path below the folder (as the system spells it), bytes, and time of change in ns."""

    path: str
    size: int
    changed: int


@dataclass(frozen=True)
class Pixels:
    """``images`` uint8 (N, C, H, W), one a file, all zero for a ``bad`` one (index → what is wrong with it), and how
    they were prepared. ``side`` is the median of their longer sides before."""

    images: NDArray[np.uint8]
    preparation: Preparation
    side: int
    bad: dict[int, str]
    notes: tuple[str, ...] = ()


def read_pixels(
    root: Path,
    files: Sequence[File],
    image_size: int | None = None,
    preparation: Preparation | None = None,
    training: int | None = None,
    source: Path | None = None,
) -> Pixels:
    """The pixels of ``files`` below ``root``: mapped from the cache where nothing changed, else decoded into it.

    They are prepared as ``preparation`` says; where none is given, it is chosen. Height and width are then those of
    :func:`~convscope.data.pictures.bulk.choose_shape`, the range of 16 bits is that of the first ``training`` files
    (None: of all). Channels: one where every image is grey, by its mode or because its red, green and blue are equal
    in every pixel of every image; else three. ``source`` is what names these files (a table; None: the root): each has
    its own entry. Where there is no room for it (:mod:`~convscope.data.pictures.room`), or the cache cannot be written,
    the array is made in memory. Raises DataError where no image is readable, or where the pixels fit neither.
    """
    named = str((source or root).resolve())
    given = "" if preparation is None else preparation.to_json()
    options = f"{VERSION}\0{PIL.__version__}\0{root.resolve()}\0{image_size}\0{given}\0{training}"
    place = cache_dir() / PIXELS / _digest(f"{root.resolve()}\0{named}\0{image_size}\0{given}")
    key = _digest(options, *(f"{file.path}\0{file.size}\0{file.changed}" for file in files))
    found = _load(place, key, len(files))
    if found:
        return found
    try:
        work = _plan(root, files, image_size, preparation, len(files) if training is None else training)
        return _decode(named, work, place, key)
    except MemoryError:
        raise DataError(f"there is not enough memory to decode the images in {root}", "close other programs") from None


@dataclass(frozen=True)
class _Work:
    """What is to be decoded; ``thin`` says that grey in colour becomes grey."""

    decoding: Decoding
    side: int
    thin: bool
    notes: tuple[str, ...]

    @property
    def preparation(self) -> Preparation:
        """As the images are stored."""
        chosen = self.decoding.preparation
        grey = self.thin and not self.decoding.coloured
        return replace(chosen, image=(1, *chosen.image[1:])) if grey else chosen


def _plan(
    root: Path, files: Sequence[File], image_size: int | None, preparation: Preparation | None, training: int
) -> _Work:
    paths = sources(root, [file.path for file in files])
    headers, unreadable = survey(paths)
    if not headers:
        raise DataError(
            f"{root}: none of its {number_of(len(files), 'image')} can be read, such as:\n  {unreadable[0]}",
            f"images are {FORMAT_NAMES} files",
        )
    side = int(np.median([max(header.height, header.width) for header in headers.values()]))
    if preparation is not None:
        return _Work(Decoding(paths, preparation, unreadable), side, False, ())
    shape, notes = choose_shape(headers.values(), image_size)
    deep = choose_depth(paths, {index: header for index, header in headers.items() if index < training})
    return _Work(Decoding(paths, Preparation(shape, deep=deep), unreadable), side, True, notes)


def _decode(named: str, work: _Work, place: Path, key: str) -> Pixels:
    size, count, made = work.decoding.nbytes, work.decoding.shape[0], None
    require_address_space(size, named)
    room = make_room(size, place)
    with contextlib.suppress(OSError, TrainingError):  # no rights: the cache is a help, not a need
        if room:
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(place / LOCK):
                if not _load(place, key, count):  # another process may have been quicker
                    made = _store(place, key, work, named)
    found = _load(place, key, count) if room else None
    if found:
        return replace(found, notes=(*found.notes, *_told(made)))
    images = work.decoding.in_memory(named, work.thin)
    note = f"the {size_text(size)} of decoded pixels are not kept, for want of room in {cache_dir()}"
    notes = (*work.notes, note) if not room and size > SMALL else work.notes
    return Pixels(images, work.preparation, work.side, work.decoding.bad, notes)


def _digest(*texts: str) -> str:
    joined = "\n".join(texts).encode(errors="surrogatepass")  # a file's name may be no text
    return hashlib.sha256(joined).hexdigest()[:32]


def _told(made: Made | None) -> tuple[str, ...]:
    """What is to be said of the making of pixels."""
    if made is None or not (made.there or made.damaged):
        return ()
    why = "the kept pixels were damaged" if made.damaged else "decoding was stopped before its end"
    return (f"{why}: it continued after {number_of(made.there, 'image')}",)


def _store(place: Path, key: str, work: _Work, named: str) -> Made:
    """Decode into the cache: first the pixels, then the entry that makes them count."""
    decoding = work.decoding
    grey, colour = place / f"{key}-grey.npy", place / f"{key}-colour.npy"
    channels = decoding.shape[1]
    pixels = grey if channels == 1 else colour
    try:
        made = make(pixels, _decoded(decoding))
        if work.thin and channels == 3 and not decoding.coloured:
            coloured = parsed(lambda: np.load(colour, mmap_mode="r", allow_pickle=False))
            make(grey, _first_channel(coloured, decoding.step))
            pixels = grey
        bad = {str(index): why for index, why in sorted(decoding.bad.items())}
        entry = {
            "key": key,
            "of": named,
            "pixels": pixels.name,
            "bad": bad,
            "notes": work.notes,
            "preparation": work.preparation.to_json(),
            "side": work.side,
        }
        write_atomic(place / ENTRY, dumps(entry))
    finally:
        _clean(place, keep=pixels)
    return made


def _decoded(decoding: Decoding) -> MapInBlocks:
    """The map of decoded images; of each block its bad images are remembered, and whether there was colour so far."""

    def blocks(first: int) -> Iterator[Told]:
        for number, block in enumerate(decoding.blocks(first), first):
            yield block, {"bad": decoding.bad_of(number), "coloured": decoding.coloured}

    def known(about: dict[str, Any]) -> None:
        decoding.bad |= {int(index): str(why) for index, why in about["bad"].items()}
        decoding.coloured |= bool(about["coloured"])

    return MapInBlocks(decoding.shape, decoding.step, blocks, known)


def _first_channel(colour: NDArray[np.uint8], step: int) -> MapInBlocks:
    """The map of grey images that were decoded in colour."""

    def blocks(first: int) -> Iterator[Told]:
        for start in range(first * step, len(colour), step):
            yield np.ascontiguousarray(colour[start : start + step, :1]), {}

    return MapInBlocks((len(colour), 1, *colour.shape[2:]), step, blocks)


def _clean(place: Path, keep: Path) -> None:
    """Remove pixels of other keys and what killed processes left."""
    for path in place.iterdir():
        with contextlib.suppress(OSError):
            left = path.suffix == ".tmp" and time.time() - path.stat().st_mtime > STALE
            if left or (path.suffix in (".npy", PART, BLOCKS) and path.stem != keep.stem):
                path.unlink()


def _load(place: Path, key: str, count: int) -> Pixels | None:
    """The entry at ``place`` if it is whole, this user's own, and has this key; else it is to be made again."""
    try:
        text = read_own(place / ENTRY)
        entry = loads((text or b"{}").decode())
        if entry.get("key") != key or entry["pixels"] not in (f"{key}-grey.npy", f"{key}-colour.npy"):
            return None
        bad = {int(index): str(why) for index, why in entry["bad"].items()}
        notes = tuple(str(note) for note in entry["notes"])
        preparation, side = Preparation.from_json(entry["preparation"]), int(entry["side"])
        images = _map(place / entry["pixels"], count)
    except DataError:  # no room for it
        raise
    except Exception:  # whatever stands there, no cache is worth a failed run
        return None
    if images is None or images.shape[1:] != preparation.image:
        return None
    with contextlib.suppress(OSError):
        os.utime(place / ENTRY)  # what is used lately stays longest
    return Pixels(images, preparation, side, bad, notes)


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
        shape, fortran, dtype = read_npy_header(file)
        start = file.tell()
        right = dtype == np.uint8 and not fortran and len(shape) == 4 and shape[0] == count
        if not right or min(shape) < 1 or start + math.prod(shape) != size or not is_whole(path, shape):
            return None
        if size <= SMALL:
            pixels = np.empty(shape, np.uint8)
            return pixels if file.readinto(pixels.data) == pixels.size else None  # type: ignore[attr-defined]
        require_address_space(size, "the copy of decoded images")
        return mapped(file, start, shape)
