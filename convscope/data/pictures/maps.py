"""Pixels whose memory can be given back piece by piece: those that are mapped from the cache's own files, which take it
as they are looked at, and those in memory that was taken for them."""

import contextlib
import math
import mmap
import weakref
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_ours: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()
_memory: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()  # maps with no file behind them
_passing: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()  # those of them that no set was made of yet
LARGE = 4_000_000  # bytes from which memory is taken from the system by itself


def room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Memory for pixels of ``shape``, of which :func:`emptied` can give back what has been copied until they are
    :func:`kept`."""
    size = math.prod(shape)
    if size < LARGE or not hasattr(mmap, "MADV_DONTNEED"):
        return np.empty(shape, np.uint8)
    try:
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError(f"{size:,} bytes") from None
    if hasattr(mmap, "MADV_HUGEPAGE"):  # as NumPy asks for its own
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    _memory.add(memory)
    _passing.add(memory)
    return np.ndarray(shape, np.uint8, memory)


def kept(pixels: NDArray[np.uint8]) -> None:
    """Pixels that somebody gets to see: from now on :func:`emptied` does not empty them."""
    owner = _map_of(pixels)
    if owner is not None:
        _passing.discard(owner)


def emptied(pixels: NDArray[np.uint8]) -> None:
    """Give back the memory of pixels that were copied: :func:`let_go`, and those of :func:`room` are lost."""
    owner = _map_of(pixels)
    if owner is not None and owner in _passing:
        _give_back(owner, pixels)
    else:
        let_go(pixels)


def mapped(file: BinaryIO, start: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The bytes of ``file`` from ``start`` on as an array. Pages come from the file as they are used; a change, should
    anybody make one, stays in memory.
    """
    return owned(np.memmap(file, np.uint8, "c", start, shape))


def owned(found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A map of this program's own, whose memory may be given back."""
    owner = owner_of(found)
    if owner is not None:
        _ours.add(owner)
    return np.asarray(found)


def let_go(pixels: NDArray[np.uint8]) -> None:
    """Give back the memory of pixels that :func:`mapped` mapped, and nobody else's: who looks again reads the file."""
    owner = owner_of(pixels)
    if owner is not None and owner in _ours and hasattr(mmap, "MADV_DONTNEED"):
        _give_back(owner, pixels)


def _give_back(owner: mmap.mmap, pixels: NDArray[np.uint8]) -> None:
    first = pixels.ctypes.data - np.frombuffer(owner, dtype=np.uint8).ctypes.data
    page = mmap.PAGESIZE
    start, stop = -(-first // page) * page, (first + pixels.nbytes) // page * page  # whole pages
    if stop > start:
        owner.madvise(mmap.MADV_DONTNEED, start, stop - start)


def owner_of(pixels: NDArray[np.uint8]) -> mmap.mmap | None:
    """The map of a file in which ``pixels`` lie, anybody's; None where they are in memory."""
    owner = _map_of(pixels)
    return None if owner is None or owner in _memory else owner


def _map_of(pixels: NDArray[np.uint8]) -> mmap.mmap | None:
    owner: object = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) else None
