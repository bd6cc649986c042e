"""Arrays and tensors → image sets. What the caller's numbers mean is stated, never guessed.

Images: uint8 as they are; other integers where all lie in 0..255; booleans as 0 and 255; floats where all lie in
[0, 1], as round(255 · x). Anything else is refused, for it would be scaled by a guess. Axes: (N, H, W),
(N, C, H, W) with C = 1 or 3, or else (N, H, W, C); rows of pixels (N, H · W) where the side of the images is given.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import ImageSet, Splits
from ..pictures.maps import room
from .labels import read_labels

AXES = "expected (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3"
PIECE = 8_000_000  # numbers converted at a time


def from_arrays(
    images: Any,
    labels: Any,
    classes: Sequence[str] | None = None,
    what: str = "the data",
    image_size: int | None = None,
) -> ImageSet:
    """Images and labels, as arrays or tensors on the CPU, as a set: :func:`as_images`, and
    :func:`~convscope.data.readers.labels.read_labels`. Raises DataError, beginning with ``what``.
    """
    pixels = as_images(images, what, image_size)
    marks, names = read_labels(labels, len(pixels), classes, what)
    return ImageSet(pixels, marks, names)


def from_pairs(
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    classes: Sequence[str] | None,
    what: str,
    image_size: int | None = None,
) -> Splits:
    """A training and a test set of (images, labels), the test labels read by the training set's classes."""
    first = from_arrays(*train, classes, f"the training set of images in {what}", image_size)
    return Splits(first, from_arrays(*test, first.classes, f"the test set of images in {what}", image_size))


def as_images(images: Any, what: str, image_size: int | None = None) -> NDArray[np.uint8]:
    """Images of any kind that this module's text names as uint8 (N, C, H, W).

    ``image_size`` is the side of images that come as rows of pixels (N, H · W). Raises DataError, beginning with
    ``what``: the one place for whatever Python hands over, in training and in prediction.
    """
    array = _array(images, what)
    return to_uint8(_from_rows(array, what, image_size) if array.ndim == 2 else array, what)


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
            f"{AXES}, and nothing empty",
        )
    kind = images.dtype.kind
    if kind not in "biuf":
        raise DataError(f"{what}: images are {images.dtype}, which are not numbers", "make them uint8")
    if images.dtype == np.uint8:
        return images if images.flags.c_contiguous else _converted(images, 255, what)
    low, high = images.min(), images.max()
    most = 1 if kind in "bf" else 255
    if kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{what}: images hold NaN or infinite values", "look at where they come from: 0/0, log 0?")
    if not (low >= 0 and high <= most):
        raise DataError(
            f"{what}: {images.dtype} images run from {low:.6g} to {high:.6g}, expected 0 to {most}",
            "give uint8 (0..255) or floats in [0, 1]; convscope normalises by itself: drop Normalize from a transform",
        )
    return _converted(images, most, what)


def _converted(images: NDArray[Any], most: int, what: str) -> NDArray[np.uint8]:
    """Images of numbers in 0..``most`` as uint8, side by side."""
    require_memory(images.size, what)
    result = room(images.shape)
    step = max(1, PIECE // images[0].size)
    for start in range(0, len(images), step):
        piece = images[start : start + step]
        result[start : start + step] = np.rint(piece * np.float32(255)) if most == 1 else piece
    return result


def _from_rows(rows: NDArray[Any], what: str, image_size: int | None) -> NDArray[Any]:
    """(N, H · W) → (N, H, W) with H = W = ``image_size``."""
    width = rows.shape[1]
    if image_size is not None and width == image_size**2:
        return rows.reshape(-1, image_size, image_size)
    side = math.isqrt(width)
    help_text = AXES
    if width > 1 and side**2 == width:
        reshape = f"reshape(-1, {side}, {side})"
        help_text = f"rows of pixels? {width} = {side} × {side}: give image_size={side} (--image-size), or {reshape}"
    elif width % 3 == 0 and math.isqrt(width // 3) ** 2 == width // 3:
        side = math.isqrt(width // 3)
        help_text = f"colour? reshape(-1, 3, {side}, {side}), or (-1, {side}, {side}, 3) where R, G and B lie together"
    raise DataError(f"{what}: images of shape {rows.shape} cannot be used", help_text)


def _array(value: Any, what: str) -> NDArray[Any]:
    """An array of numbers, never of Python objects or text."""
    try:
        array = np.asarray(value)
    except Exception as error:  # ragged; a tensor on a GPU; one that needs gradients; whatever __array__ raises
        raise _of_two_shapes(value, what) or DataError(
            f"{what}: images cannot become a NumPy array: {error}", "tensor.detach().cpu().numpy() may serve"
        ) from None
    if array.dtype.hasobject:
        raise _of_two_shapes(value, what) or DataError(
            f"{what}: images are Python objects, not numbers", "np.stack(...) makes one array of images of one shape"
        )
    if array.dtype.kind in "US":
        raise DataError(
            f"{what}: images are text, not numbers",
            "to name files, give a folder with one sub-folder a class, or a table (.csv) of path,label",
        )
    return array


def _of_two_shapes(value: Any, what: str) -> DataError | None:
    """The error for a list of images that do not share a shape; None where that is not what is wrong."""
    try:
        shapes = [np.shape(image) for image in value]
    except Exception:  # not even one by one
        return None
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is None:
        return None
    return DataError(
        f"{what}: images have different shapes: {shapes[0]}, but {shapes[odd]} at index {odd}",
        "bring them to one shape; a folder of image files, or a dataset of Pillow images with image_size, may differ",
    )
