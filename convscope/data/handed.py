"""Whatever somebody hands over to have it looked at → pixels as a net takes them. No labels, no classes.

What training takes is taken here, too: files and folders, Pillow images, arrays and tensors of any usual layout,
scale and size, map-style datasets, and lists of these. Every picture goes through the net's own preparation.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError, UsageError
from .folders.files import image_files
from .images import ImageSet
from .pictures.decode import read_image, upright
from .preparation import Pixels, Preparation, scaled
from .readers.arrays import to_uint8

EXPECTED = (
    "give uint8 (0..255) or floats (0..1) of shape (N, H, W), (N, C, H, W) or (N, H, W, C), one such image, "
    "a Pillow image, the path of a file or folder, or a list of these"
)


def prepared(images: Any, preparation: Preparation) -> Pixels:
    """``images`` as uint8 (N, C, H, W).

    Three axes are (N, H, W); they are one picture where the last axis is 3 or 4, or where the first is 3 and the net
    takes colour. Two axes are one grey picture, or rows of the net's H · W pixels. A pair of images and labels stands
    for its images. Raises UsageError for what is no picture, DataError for files and values that cannot be used.
    """
    if isinstance(images, str | Path):
        return np.stack([read_image(file, preparation) for file in image_files([Path(images)])[0]])
    if isinstance(images, Image.Image):
        return preparation.apply(upright(images.copy(), preparation))[None]
    if isinstance(images, ImageSet):
        return preparation.apply_all(images.images)
    if hasattr(images, "shape") and hasattr(images, "dtype"):
        return _from_array(_numpy(images), preparation)
    if isinstance(images, list | tuple):
        return _from_list(images, preparation)
    if hasattr(images, "__len__") and hasattr(images, "__getitem__") and not isinstance(images, dict | bytes):
        return _from_list([_without_label(images[index]) for index in range(len(images))], preparation)
    raise UsageError(f"a {type(images).__name__} is no picture", EXPECTED)


def prepared_one(image: Any, preparation: Preparation) -> Pixels:
    """A single picture as uint8 (C, H, W). Raises UsageError where there are several."""
    pixels = prepared(image, preparation)
    if len(pixels) != 1:
        raise UsageError(f"there are {len(pixels)} images", "one image at a time")
    one: Pixels = pixels[0]
    return one


def _from_list(images: Sequence[Any], preparation: Preparation) -> Pixels:
    if len(images) == 2 and _is_labels(images[1]) and not _is_labels(images[0]):
        return prepared(images[0], preparation)
    if not images:
        raise UsageError("there are no images", EXPECTED)
    if isinstance(images[0], int | float | list | tuple):
        return _from_array(_numpy(images), preparation)
    return np.concatenate([prepared(image, preparation) for image in images])


def _is_labels(value: Any) -> bool:
    """Whether ``value`` is one number or name for each image, not an image."""
    if isinstance(value, str | Path | Image.Image):
        return False
    if hasattr(value, "shape"):
        return len(value.shape) < 2
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(v, int) for v in value)


def _without_label(item: Any) -> Any:
    return item[0] if isinstance(item, tuple | list) and item else item


def _numpy(images: Any) -> NDArray[Any]:
    if hasattr(images, "detach"):  # a tensor
        images = images.detach().cpu()
    try:
        array = np.asarray(images)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged
        raise UsageError(f"the images cannot become one array: {error}", EXPECTED) from None
    if array.dtype.hasobject or array.dtype.kind not in "biuf":
        raise UsageError(f"the images are {array.dtype}, which are not numbers", EXPECTED)
    return array


def _from_array(array: NDArray[Any], preparation: Preparation) -> Pixels:
    planes = _planes(array, preparation.image)
    pixels = _eight_bits(planes, preparation)
    if pixels.shape[1] in (1, 3):
        return preparation.apply_all(pixels)
    layered = [Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in pixels]  # LA or RGBA
    return np.stack([preparation.apply(image) for image in layered])


def _planes(array: NDArray[Any], image: tuple[int, int, int]) -> NDArray[Any]:
    """Any usual layout as (N, C, H, W) with C of 1 to 4: 2 and 4 have transparency and come last in ``array``."""
    given = array.shape
    channels, height, width = image
    if array.ndim == 2 and width != given[1] == height * width:  # rows of pixels
        array = array.reshape(-1, height, width)
    elif array.ndim == 3 and (given[2] in (3, 4) or (channels == 3 and given[0] == 3)):
        array = array[None]
    if array.ndim in (2, 3) and 0 not in given:
        array = array.reshape(-1, 1, *array.shape[-2:])
    if array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 2, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 2, 3, 4) or 0 in array.shape:
        raise UsageError(f"images of shape {given} cannot be used", EXPECTED)
    return array


def _eight_bits(planes: NDArray[Any], preparation: Preparation) -> Pixels:
    if planes.dtype == np.uint16:  # as a file of 16 bits is read
        return np.stack([scaled(image, preparation.deep) for image in planes])
    try:
        flat: Pixels = to_uint8(planes.reshape(-1, *planes.shape[2:]), "the images")
    except DataError as error:
        raise UsageError(error.message, error.help) from None
    return flat.reshape(planes.shape)
