"""Which arrays are mapped, how large a window of them is, and maps made of others."""

import math
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from ...storage.files import disk_error
from ...storage.memory import available_memory
from ...storage.places import cache_dir
from ..pictures.maps import let_go, owner_of, room

LEAST = 64_000_000  # bytes that are taken into memory without a question
SHARE = 4  # of the free memory a window takes a fourth: two are held at a time, and nets need some, too
FITS = 2  # data of half the free memory fit
PIECE = 16_000_000  # bytes copied at a time


def fits(images: NDArray[np.uint8]) -> bool:
    """Whether ``images`` are in memory, or would fit there."""
    free = available_memory()
    return owner_of(images) is None or free is None or images.nbytes <= max(LEAST, free // FITS)


def window_for(images: NDArray[np.uint8]) -> int:
    """How many of ``images`` (N, C, H, W) are shuffled together: 0, all of them, where they are in memory or fit."""
    if fits(images):
        return 0
    return max(1, max(LEAST, (available_memory() or 0) // SHARE) // int(images[0].nbytes))


def room_for(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """An array for ``count`` of ``images``: in memory, or, where these are a map that does not fit there, a map whose
    file has no name. Raises TrainingError where the disk has no room for it.
    """
    shape = (count, *images.shape[1:])
    return room(shape) if fits(images) or not count else _unnamed(shape)


def taken(images: NDArray[np.uint8], index: NDArray[np.int64]) -> NDArray[np.uint8]:
    """``images[index]``, in memory or in a map: see :func:`room_for`."""
    if fits(images):
        return images[index]
    result = room_for(images, len(index))
    step = max(1, PIECE // int(images[0].nbytes))
    for start in range(0, len(index), step):
        result[start : start + step] = images[index[start : start + step]]
        let_go(images)
        let_go(result)
    return result


def _unnamed(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    folder, size = cache_dir(), math.prod(shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # else a full disk is found out when it is too late (SIGBUS)
            return (
                np.asarray(np.memmap(file, np.uint8, "r+", 0, shape)) if math.prod(shape) else np.empty(shape, np.uint8)
            )
    except OSError as error:
        raise disk_error(folder, error) from None
