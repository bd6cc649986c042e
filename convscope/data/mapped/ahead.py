"""Reading ahead: while one window of a map is used, the system reads the next, and gives the last one's memory back."""

import contextlib
import mmap
from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memory import mapping
from .order import ends


class Ahead:
    """For ``images`` that are used in the order of ``parts``, the windows of an epoch; nothing for those in memory."""

    def __init__(self, images: NDArray[np.uint8], parts: list[NDArray[np.int64]], page: int) -> None:
        self._parts, self._page, self._now = parts, page, -1
        self._ends = ends(parts)
        self._map = mapping(images) if len(parts) > 1 and hasattr(mmap, "MADV_WILLNEED") else None
        self._image = images[0].nbytes if len(images) else 0
        if self._map is not None:
            self._start = images.ctypes.data - _address(self._map)

    def at(self, image: int) -> None:
        """The coming updates begin with image number ``image`` of the epoch's order."""
        if self._map is None:
            return
        now = bisect_right(self._ends, image)
        if now == self._now:
            return
        for number in range(max(self._now, 0), now):  # left behind
            self._advise(number, mmap.MADV_DONTNEED)
        for number in range(now if self._now < 0 else now + 1, min(now + 2, len(self._parts))):
            self._advise(number, mmap.MADV_WILLNEED)
        self._now = now

    def left(self, image: int) -> int:
        """Images from number ``image`` of the order on to the end of its window, where memory is given back."""
        return self._ends[bisect_right(self._ends, image)] - image

    def _advise(self, number: int, advice: int) -> None:
        assert self._map is not None
        for page in np.unique(self._parts[number] // self._page).tolist():
            start = self._start + page * self._page * self._image
            inside = start // mmap.PAGESIZE * mmap.PAGESIZE
            size = min(self._page * self._image + start - inside, len(self._map) - inside)
            with contextlib.suppress(OSError, ValueError):  # it is advice
                self._map.madvise(advice, inside, size)


def _address(found: mmap.mmap) -> int:
    array: NDArray[Any] = np.frombuffer(found, np.uint8)
    return array.ctypes.data
