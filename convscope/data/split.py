"""Parting a training set: each class gives its share, by the seed, and the same every time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

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
            f"class {', '.join(map(repr, lonely[:5]))} has a single image, which cannot be in both parts of a split",
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
