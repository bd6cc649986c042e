"""Reading ahead: while one window of a map is used, the system reads the next, and gives the last one's memory back."""

import contextlib
import mmap
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..pictures.maps import let_go, owner_of
from .order import ends


class Ahead:
    """For ``images`` that are used in the order of ``parts``, the windows of an epoch; nothing for those in memory."""

    def __init__(self, images: NDArray[np.uint8], parts: list[NDArray[np.int64]], page: int) -> None:
        self._parts, self._page, self._now = parts, page, -1
        self._ends = ends(parts)
        self._images = images
        self._map = owner_of(images) if len(parts) > 1 and hasattr(mmap, "MADV_WILLNEED") else None

    def at(self, image: int) -> None:
        """The coming updates begin with image number ``image`` of the epoch's order."""
        if self._map is None:
            return
        now = bisect_right(self._ends, image)
        if now == self._now:
            return
        for number in range(max(self._now, 0), now):  # left behind
            self._let_go(number)
        for number in range(now if self._now < 0 else now + 1, min(now + 2, len(self._parts))):
            self._read(number)
        self._now = now

    def left(self, image: int) -> int:
        """Images from number ``image`` of the order on to the end of its window, where memory is given back."""
        return self._ends[bisect_right(self._ends, image)] - image

    def _let_go(self, number: int) -> None:
        for page in self._pages(number):
            let_go(page)

    def _read(self, number: int) -> None:
        assert self._map is not None
        for page in self._pages(number):
            first = page.ctypes.data - np.frombuffer(self._map, dtype=np.uint8).ctypes.data
            start = first // mmap.PAGESIZE * mmap.PAGESIZE
            with contextlib.suppress(OSError, ValueError):  # it is advice
                self._map.madvise(mmap.MADV_WILLNEED, start, page.nbytes + first - start)

    def _pages(self, number: int) -> Iterator[NDArray[np.uint8]]:
        for page in np.unique(self._parts[number] // self._page).tolist():
            yield self._images[page * self._page : (page + 1) * self._page]
