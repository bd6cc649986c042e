"""What gives its images in batches, such as a DataLoader of an iterable dataset → one set, gone through once."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.counts import number_of
from ...storage.memory import require_memory
from ..images import ImageSet
from ..pictures.maps import room
from .arrays import as_images, from_arrays
from .items import own_classes, pair, pixels_of, plain_label

BLOCK = 64_000_000  # bytes: twice what malloc at most keeps for itself


def is_loader(data: Any) -> bool:
    """Whether ``data`` can be gone through again from its beginning, as a loader can and a generator cannot."""
    iterable = hasattr(type(data), "__iter__") and not isinstance(data, dict | str | bytes | set)
    return iterable and not hasattr(type(data), "__next__") and not hasattr(data, "__array__")


def from_batches(
    data: Iterable[Any], image_size: int | None = None, what: str = "the data", classes: Sequence[str] | None = None
) -> ImageSet:
    """Every image of an iterable of batches (images, labels), of single pairs, or of dicts with both, in its order.

    Raises DataError, naming the batch, for what is no such pair or has another shape; for more than fits into memory.
    """
    pieces = Gathered()
    labels: list[Any] = []
    for index, item in enumerate(data):
        images, marks = pair(item, index, what)
        place = f"{what}: item {index}"
        if np.ndim(marks) == 0:
            piece, found = pixels_of(images, image_size, place)[None], [plain_label(marks, place)]
        else:
            piece, found = as_images(images, place, image_size), [plain_label(mark, place) for mark in marks]
        if len(piece) != len(found):
            raise DataError(
                f"{place} came with {number_of(len(piece), 'image')} and {number_of(len(found), 'label')}",
                "an image has one label",
            )
        pieces.add(piece)
        require_memory(pieces.nbytes, what)  # what is joined in the end
        labels += found
    return from_arrays(pieces.joined(what), labels, own_classes(data) or classes, what)


class Gathered:
    """Pieces of images (n, C, H, W) that come one after the other, and are to be one array.

    They are put together in blocks: the memory of a block goes back to the system at once, that of small pieces is
    used again for the next ones. So the images are in memory once, and a block twice.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.uint8]] = []
        self._pieces: list[NDArray[np.uint8]] = []
        self.nbytes = 0
        self._closed = 0

    def add(self, piece: NDArray[np.uint8]) -> None:
        """The next images."""
        if self._pieces and (piece.shape[1:] != self._pieces[0].shape[1:] or self.nbytes - self._closed > BLOCK):
            self._close()
        self._pieces.append(piece)
        self.nbytes += piece.nbytes

    def joined(self, what: str) -> NDArray[np.uint8]:
        """All of them, once; grey ones among colour ones become colour.

        Raises DataError where shapes differ, or there are none.
        """
        if not self.nbytes:
            raise DataError(f"{what} is empty: it has no images", "give some images of each class")
        self._close()
        blocks, first = self._blocks, self._blocks[0]
        if len({block.shape[1] for block in blocks}) > 1:
            blocks[:] = [np.repeat(block, 3, axis=1) if block.shape[1] == 1 else block for block in blocks]
        ends = list(accumulate(map(len, blocks)))
        odd = next((i for i, block in enumerate(blocks) if block.shape[2:] != first.shape[2:]), None)
        if odd is not None:
            number, shape = ends[odd - 1], blocks[odd].shape[1:]
            raise DataError(
                f"{what}: image {number} has shape {shape}, but image 0 has {blocks[0].shape[1:]}",
                "resize in the dataset's transform, or, for Pillow images, give image_size",
            )
        require_memory(sum(block.nbytes for block in blocks), what)
        result = room((ends[-1], *blocks[0].shape[1:]))
        while blocks:  # each is gone as soon as it is copied
            block, end = blocks.pop(), ends.pop()
            result[end - len(block) : end] = block
        return result

    def _close(self) -> None:
        self._blocks.append(np.concatenate(self._pieces))
        self._pieces, self._closed = [], self.nbytes
