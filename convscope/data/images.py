"""ImageSet: the one shape that every source of images is brought into, and Dataset: its splits."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..language.counts import number_of, some
from .mapped.memory import taken
from .preparation import Preparation

HASH_BYTES = 16


@dataclass(frozen=True)
class ImageSet:
    """Labelled images in memory.

    ``images`` uint8 (N, C, H, W) with C = 1 (grey) or 3 (RGB), ``labels`` int64 (N,) indexing ``classes``;
    ``names`` says where each image came from (a file; empty: the index is the name).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise DataError(
                f"images must be uint8 of shape (N, 1 or 3, H, W), but are {images.dtype} of shape {images.shape}",
                "grey images of shape (N, H, W) become (N, 1, H, W) with images[:, None]",
            )
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise DataError(
                f"labels must be int64 of shape ({len(images)},), one an image, "
                f"but are {labels.dtype} of shape {labels.shape}"
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < len(self.classes)):
            raise DataError(
                f"labels run from {labels.min()} to {labels.max()}, "
                f"but the data have {number_of(len(self.classes), 'class', 'classes')}",
                f"labels must lie in 0..{len(self.classes) - 1}",
            )
        odd = [name for name in self.classes if any("\ud800" <= letter <= "\udfff" for letter in name)]
        if odd:
            raise DataError(f"the class {odd[0][:60]!r} is no text", "a class needs a name that can be written")
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise DataError(f"two classes are called {twice[:60]!r}", "each class needs a name of its own")
        if self.names and len(self.names) != len(images):
            raise DataError(
                f"expected a name for each of {number_of(len(images), 'image')}, "
                f"got {number_of(len(self.names), 'name')}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape, classes = "×".join(map(str, self.images.shape[1:])), len(self.classes)
        return f"<{number_of(len(self.images), 'image')} {shape} of {number_of(classes, 'class', 'classes')}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, c, h, w = self.images.shape
        return c, h, w

    def name(self, index: int) -> str:
        """Where image ``index`` came from: its file, or its index as text."""
        return self.names[index] if self.names else str(index)

    def take(self, index: NDArray[np.int64]) -> "ImageSet":
        """The images at ``index`` (M,), in that order, as a set of their own."""
        names = [self.names[i] for i in index] if self.names else [str(i) for i in index]
        return replace(self, images=taken(self.images, index), labels=self.labels[index], names=names)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, pixels, labels and class names: equal exactly when the training input is equal."""
        digest = hashlib.sha256()
        digest.update(repr((self.images.shape, self.classes)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    @cached_property
    def hashes(self) -> NDArray[np.uint8]:
        """uint8 (N, 16): BLAKE2b of each image's pixels, equal for images of equal pixels whatever they are called."""
        pixels = np.ascontiguousarray(self.images).reshape(len(self), math.prod(self.shape))
        joined = b"".join([hashlib.blake2b(image.data, digest_size=HASH_BYTES).digest() for image in pixels])
        return np.frombuffer(joined, dtype=np.uint8).reshape(len(self), HASH_BYTES)


@dataclass(frozen=True)
class Splits:
    """What a reader found: ``test`` and ``val`` are None where the source has no such part.

    ``skipped`` counts the bad images that were left out; ``notes`` are sentences that the user should see.
    ``preparation`` is what was done to every picture, None where they are as the source has them; ``side`` is the
    median of their longer sides before, in pixels, None where unknown.
    """

    train: ImageSet
    test: ImageSet | None = None
    val: ImageSet | None = None
    skipped: int = 0
    notes: tuple[str, ...] = ()
    preparation: Preparation | None = None
    side: int | None = None

    def held_out(self, place: str) -> "Splits":
        """The same where there is a test set; else the validation set, called ``place``, takes its place, and a note
        says so."""
        if self.test is not None or self.val is None:
            return self
        note = f"there is no test set with labels: {place} is used for tests, not for validation"
        return replace(self, test=self.val, val=None, notes=(*self.notes, note))


@dataclass(frozen=True)
class Dataset:
    """What a run is trained and tested on. ``mean`` and ``std`` (one a channel) refer to pixels in [0, 1].

    ``skipped`` counts the bad images that were left out; ``notes`` are sentences that the user should see. ``place``
    is the absolute path of a folder or file of data, "" for built-in ones and those given in Python.
    """

    name: str
    train: ImageSet
    test: ImageSet
    mean: tuple[float, ...]
    std: tuple[float, ...]
    val: ImageSet | None = None
    skipped: int = 0
    notes: tuple[str, ...] = ()
    place: str = ""
    preparation: Preparation | None = None
    side: int | None = None

    @property
    def prepared(self) -> Preparation:
        """What is done to every picture before the net: as given, else the plain fit to the images' shape."""
        return self.preparation or Preparation(self.train.shape)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the training set's order."""
        return self.train.classes


def sets_of(data: Dataset) -> dict[str, ImageSet]:
    """The parts of ``data`` by their names."""
    return {"train": data.train} | ({"val": data.val} if data.val else {}) | {"test": data.test}


def by_name(images: ImageSet, classes: tuple[str, ...]) -> ImageSet:
    """The same images with labels that index ``classes``, matched by name.

    A class without images may be missing from ``classes``; any other is a DataError.
    """
    if images.classes == classes:
        return images
    strange = [images.classes[c] for c in np.unique(images.labels).tolist() if images.classes[c] not in classes]
    if strange:
        raise DataError(
            f"classes of the test set that the training set lacks: {some(map(repr, strange), 5)}",
            f"the classes of the training set are {some(classes, 20)}",
        )
    number = np.array([classes.index(name) if name in classes else -1 for name in images.classes], dtype=np.int64)
    return replace(images, labels=number[images.labels], classes=classes)


def statistics(
    images: NDArray[np.uint8], weights: NDArray[np.float64] | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images (N, C, H, W), for pixels in [0, 1].

    With ``weights`` (N,) each image counts so many times. Computed exactly from a histogram of the 256 grey values,
    taken in pieces that stay in the processor's cache. A constant channel gets a deviation of 1, so that dividing by it
    is harmless.
    """
    means, stds = [], []
    value = np.arange(256) / 255.0
    piece = max(1, 65536 // max(1, images[0, 0].size))
    for channel in range(images.shape[1]):
        count = np.zeros(256, dtype=np.int64 if weights is None else np.float64)
        for start in range(0, len(images), piece):
            part = images[start : start + piece, channel]
            times = None if weights is None else np.repeat(weights[start : start + piece], part[0].size)
            count += np.bincount(part.ravel(), times, minlength=256)
        mean = float((count * value).sum() / count.sum())
        variance = float((count * (value - mean) ** 2).sum() / count.sum())
        means.append(mean)
        stds.append(variance**0.5 if variance > 0 else 1.0)
    return tuple(means), tuple(stds)
