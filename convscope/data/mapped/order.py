"""The order of an epoch for images that do not fit into memory: pages in any order, then windows of pages.

A page is as many images as fit into 2 MB, one after the other in the file; a window is as many pages as are held at a
time, and its images are shuffled among each other. All of it follows from (seed, epoch), as the order of
:func:`~convscope.data.batches.epoch_order` does; where the window is no smaller than the data, it is that order.
FFCV's quasi-random order has the same pages, but forgets where it stood.
"""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ..batches import epoch_order

PAGE = 2**21  # bytes


def images_of_page(image_bytes: int) -> int:
    """How many images of so many bytes make a page."""
    return max(1, PAGE // image_bytes)


def windows(count: int, seed: int, epoch: int, window: int, page: int) -> list[NDArray[np.int64]]:
    """The numbers 0..count-1 of ``epoch`` (from 1), window by window: about ``window`` images, whole pages of ``page``
    images each, in each. ``window`` 0: all at once.
    """
    if not 0 < window < count:
        return [epoch_order(count, seed, epoch)]
    stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    pages = stream.permutation(-(-count // page))
    together = max(1, window // page)
    found = []
    for start in range(0, len(pages), together):
        images = (pages[start : start + together, None] * page + np.arange(page)).ravel()
        found.append(stream.permutation(images[images < count]))
    return found


def ends(parts: list[NDArray[np.int64]]) -> list[int]:
    """Where each window ends in the order of the epoch."""
    return list(accumulate(map(len, parts)))
