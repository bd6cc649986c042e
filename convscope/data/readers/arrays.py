"""Arrays, ``.npz`` files and map-style datasets → image sets. What the caller's numbers mean is stated, never guessed.

Images: uint8 as they are; other integers where all lie in 0..255; booleans as 0 and 255; floats where all lie in
[0, 1], as round(255 · x). Anything else is refused, for it would be scaled by a guess. Axes: (N, H, W),
(N, C, H, W) with C = 1 or 3, or else (N, H, W, C).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import ImageSet, Splits
from ..pictures.decode import GREY_MODES, adapt
from .parts import natural

PIECE = 4096  # images converted at a time


class MapStyle(Protocol):
    """A map-style dataset, such as torchvision's: its length, and (image, label) at an index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def from_arrays(images: Any, labels: Any, classes: Sequence[str] | None = None, what: str = "the data") -> ImageSet:
    """Images and labels, as arrays or tensors on the CPU, as a set. Raises DataError, beginning with ``what``.

    ``labels`` are integers that index ``classes`` (absent: "0", "1", … up to the largest label), or the class
    names themselves, of which the natural order makes the classes.
    """
    pixels = to_uint8(_array(images, f"{what}: images"), what)
    marks = _array(labels, f"{what}: labels")
    if marks.ndim == 2 and marks.shape[1] == 1:
        marks = marks[:, 0]
    if marks.shape != (len(pixels),):
        raise DataError(
            f"{what}: {len(pixels):,} images have labels of shape {marks.shape}",
            f"there must be one label for each image: shape ({len(pixels)},)",
        )
    if marks.dtype.kind == "U":
        classes = tuple(classes or sorted({str(mark) for mark in marks}, key=natural))
        number = {name: index for index, name in enumerate(classes)}
        unknown = next((str(mark) for mark in marks if str(mark) not in number), None)
        if unknown is not None:
            raise DataError(f"{what}: label {unknown!r} is no class", f"the classes are {', '.join(classes)}")
        marks = np.array([number[str(mark)] for mark in marks], dtype=np.int64)
    if marks.dtype.kind not in "iu":
        raise DataError(f"{what}: labels must be integers or names, not {marks.dtype}", "labels.astype(int) may serve")
    if int(marks.min()) < 0 or int(marks.max()) >= (len(classes) if classes else 2**20):
        allowed = f"0..{len(classes) - 1}" if classes else "0..1,048,575"
        raise DataError(f"{what}: labels run from {marks.min()} to {marks.max()}", f"they must lie in {allowed}")
    names = tuple(classes) if classes else tuple(map(str, range(int(marks.max()) + 1)))
    return ImageSet(pixels, marks.astype(np.int64), names)


def from_pairs(train: tuple[Any, Any], test: tuple[Any, Any], classes: Sequence[str] | None, what: str) -> Splits:
    """A training and a test set of (images, labels), the test labels read by the training set's classes."""
    first = from_arrays(*train, classes, f"{what}, training set")
    return Splits(first, from_arrays(*test, first.classes, f"{what}, test set"))


def from_dataset(
    dataset: MapStyle, image_size: int | None = None, what: str = "the dataset", classes: Sequence[str] | None = None
) -> ImageSet:
    """Every (image, label) of a map-style dataset, read once. An image is a Pillow image, an array or a tensor.

    Class names are those in its own ``classes``, where it has them, else the given ones. Pillow images are fitted
    into ``image_size`` where that is given; grey ones among colour ones become colour. Raises DataError, naming the
    item, for what is no such pair or has another shape.
    """
    images, labels = [], []
    for index in range(len(dataset)):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise DataError(
                f"{what}: item {index} is a {type(item).__name__}", "each item must be a pair: an image and its label"
            )
        images.append(_pixels(item[0], image_size, f"{what}: item {index}"))
        labels.append(item[1].item() if hasattr(item[1], "item") else item[1])
    if not images:
        raise DataError(f"{what} is empty")
    if len({len(image) for image in images}) > 1:
        images = [np.repeat(image, 3, axis=0) if len(image) == 1 else image for image in images]
    odd = next((i for i, image in enumerate(images) if image.shape != images[0].shape), None)
    if odd is not None:
        raise DataError(
            f"{what}: image {odd} has shape {images[odd].shape}, but image 0 has {images[0].shape}",
            "resize in the dataset's transform, or, for Pillow images, give image_size",
        )
    require_memory(images[0].nbytes * len(images), what)
    own = getattr(dataset, "classes", None)
    named = isinstance(own, list | tuple) and all(isinstance(name, str) for name in own)
    return from_arrays(np.stack(images), labels, own if named else classes, what)


def _pixels(image: Any, image_size: int | None, what: str) -> NDArray[np.uint8]:
    """One image of a dataset as uint8 (C, H, W)."""
    if isinstance(image, Image.Image):
        height, width = (image_size, image_size) if image_size else (image.height, image.width)
        return adapt(image, (1 if image.mode in GREY_MODES else 3, height, width))
    pixels: NDArray[np.uint8] = to_uint8(_array(image, f"{what}: the image")[None], what)[0]
    return pixels


def to_uint8(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Images as uint8 (N, C, H, W) by this module's rules. Raises DataError, beginning with ``what``."""
    if images.ndim in (3, 4) and not len(images):
        raise DataError(f"{what}: there are no images", "give some of each class")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise DataError(
            f"{what}: images of shape {images.shape} cannot be used",
            "expected (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3, and nothing empty",
        )
    kind = images.dtype.kind
    if kind not in "biuf":
        raise DataError(f"{what}: images are {images.dtype}, which are no numbers", "make them uint8")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    low, high = images.min(), images.max()
    most = 1 if kind in "bf" else 255
    if kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{what}: images hold NaN or infinite values", "look at where they come from: 0/0, log 0?")
    if not (low >= 0 and high <= most):
        raise DataError(
            f"{what}: {images.dtype} images run from {low:.6g} to {high:.6g}, expected 0 to {most}",
            "give uint8 (0..255) or floats in [0, 1]; convscope normalises by itself: drop Normalize from a transform",
        )
    require_memory(images.size, what)
    result = np.empty(images.shape, dtype=np.uint8)
    for start in range(0, len(images), PIECE):
        piece = images[start : start + PIECE]
        result[start : start + PIECE] = np.rint(piece * np.float32(255)) if most == 1 else piece
    return result


def _array(value: Any, what: str) -> NDArray[Any]:
    """An array of numbers or text, never of Python objects."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged; a tensor on a GPU; one that needs gradients
        raise DataError(
            f"{what} cannot become a NumPy array: {error}", "tensor.detach().cpu().numpy() may serve"
        ) from None
    if array.dtype.hasobject:
        raise DataError(
            f"{what} are Python objects, not numbers", "all images must have one shape; np.stack(...) makes one array"
        )
    return array
