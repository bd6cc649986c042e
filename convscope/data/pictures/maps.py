"""Pixels that are mapped from the cache's own files: memory is taken as they are looked at, and can be given back."""

import mmap
import weakref
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_ours: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()


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
    if owner is None or owner not in _ours or not hasattr(mmap, "MADV_DONTNEED"):
        return
    first = pixels.ctypes.data - np.frombuffer(owner, dtype=np.uint8).ctypes.data
    page = mmap.PAGESIZE
    start, stop = -(-first // page) * page, (first + pixels.nbytes) // page * page  # whole pages
    if stop > start:
        owner.madvise(mmap.MADV_DONTNEED, start, stop - start)


def owner_of(pixels: NDArray[np.uint8]) -> mmap.mmap | None:
    """The map in which ``pixels`` lie, anybody's; None where they are in memory."""
    owner: object = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) else None
