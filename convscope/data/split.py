"""Parting a training set: each class gives its share, by the seed, and the same every time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..language.counts import some
from ..storage.memory import require_memory
from .images import ImageSet
from .mapped.memory import fits, room_for
from .pictures.maps import emptied

PIECE = 8_000_000  # bytes copied at a time
Index = NDArray[np.int64]


def stratified_split(labels: Index, fraction: float, seed: int, classes: Sequence[str] = ()) -> tuple[Index, Index]:
    """The indices (rest, held out) of a split that holds out ``fraction`` of every class, both in ascending order.

    ⌈fraction · N⌉ images are held out in all, dealt to the classes by their size (largest remainders first), but at
    least one of each class is held out and at least one stays; so a class with a single image is a DataError, which
    names it by ``classes``. The draw depends on ``labels`` and ``seed`` alone.
    """
    count = np.bincount(labels)
    lonely = [classes[c] if classes else str(c) for c in np.flatnonzero(count == 1).tolist()]
    if lonely:
        raise DataError(
            f"a class with one image cannot be in both parts of a split: {some(map(repr, lonely), 5)}",
            "add images of that class, or bring the split along as the folders train/ and test/",
        )
    share = fraction * count
    held = np.floor(share).astype(np.int64)
    missing = int(np.ceil(fraction * len(labels) - 1e-9)) - int(held.sum())
    held[np.argsort(held - share, kind="stable")[:missing]] += 1
    held = np.where(count > 0, np.clip(held, 1, np.maximum(count - 1, 1)), 0)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.flatnonzero(count):
        chosen[rng.permutation(np.flatnonzero(labels == label))[: held[label]]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def divided(images: ImageSet, rest: Index, held: Index, name: str) -> tuple[ImageSet, ImageSet]:
    """The images at ``rest`` and at ``held``, both ascending, as sets of their own; nobody looks at ``images`` after.

    An engine wants the images of a set side by side, so they are copied, piece by piece. What was mapped from a file,
    or lies in memory that a reader took for it, is given back as it is copied: both together never take more memory
    than the images once; of a map that does not fit into memory, they become maps. The caller's own arrays stay as
    they are. Raises DataError, naming ``name``, where there is no memory for images that lie in
    it, TrainingError where the disk is full.
    """
    pixels = images.images
    if fits(pixels):
        require_memory(pixels.nbytes, f"splitting the data {name}")
    parts = [room_for(pixels, len(index)) for index in (rest, held)]
    step = max(1, PIECE // max(1, pixels[0].nbytes))
    for start in range(0, len(pixels), step):
        for part, index in zip(parts, (rest, held), strict=True):
            low, high = np.searchsorted(index, (start, start + step))
            part[low:high] = pixels[index[low:high]]
        emptied(pixels[start : start + step])
    one, other = ([images.name(int(i)) for i in index] for index in (rest, held))
    return (
        ImageSet(parts[0], images.labels[rest], images.classes, one),
        ImageSet(parts[1], images.labels[held], images.classes, other),
    )
