"""What gives its images in batches, such as a DataLoader of an iterable dataset → one set, gone through once."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import ImageSet
from .arrays import as_images, from_arrays
from .items import own_classes, pair, pixels_of, plain_label


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
    pieces: list[NDArray[np.uint8]] = []
    labels: list[Any] = []
    total = 0
    for index, item in enumerate(data):
        images, marks = pair(item, index, what)
        place = f"{what}: item {index}"
        if np.ndim(marks) == 0:
            piece, found = pixels_of(images, image_size, place)[None], [plain_label(marks, place)]
        else:
            piece, found = as_images(images, place, image_size), [plain_label(mark, place) for mark in marks]
        if len(piece) != len(found):
            raise DataError(f"{place} has {len(piece)} images and {len(found)} labels", "an image has one label")
        total += piece.nbytes
        require_memory(total, what)  # what is joined in the end
        pieces.append(piece)
        labels += found
    return from_arrays(joined(pieces, what), labels, own_classes(data) or classes, what)


def joined(pieces: list[NDArray[np.uint8]], what: str) -> NDArray[np.uint8]:
    """Pieces (n, C, H, W) as one array; grey ones among colour ones become colour.

    Raises DataError where shapes differ, or there are none.
    """
    if not pieces:
        raise DataError(f"{what} is empty: it has no images", "give some images of each class")
    if len({piece.shape[1] for piece in pieces}) > 1:
        pieces = [np.repeat(piece, 3, axis=1) if piece.shape[1] == 1 else piece for piece in pieces]
    odd = next((i for i, piece in enumerate(pieces) if piece.shape[1:] != pieces[0].shape[1:]), None)
    if odd is not None:
        raise DataError(
            f"{what}: image {odd} has shape {pieces[odd].shape[1:]}, but image 0 has {pieces[0].shape[1:]}",
            "resize in the dataset's transform, or, for Pillow images, give image_size",
        )
    require_memory(sum(piece.nbytes for piece in pieces), what)
    return np.concatenate(pieces)
