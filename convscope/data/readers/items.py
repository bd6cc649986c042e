"""One item of a dataset: an image and its label, in whatever form it keeps them → pixels, and a number or name."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...language.counts import number_of, some
from ..pictures.decode import quiet_decoder, read_header, read_image
from ..preparation import GREY_MODES, Preparation, adapt
from .arrays import as_images
from .labels import is_one_hot

IMAGE_KEYS = ("image", "img", "picture", "pixels", "pixel_values", "x")  # of a row that is a dict, the likeliest first
LABEL_KEYS = ("label", "labels", "class", "target", "fine_label", "y")


def pair(item: Any, index: int, what: str) -> tuple[Any, Any]:
    """(image, label) of item ``index``: a pair, or a dict with both. Raises DataError for what is neither."""
    if isinstance(item, Mapping):
        image = next((key for key in IMAGE_KEYS if key in item), None)
        label = next((key for key in LABEL_KEYS if key in item), None)
        if image is None or label is None:
            held = some(map(repr, item), 8)
            raise DataError(
                f"{what}: item {index} is a dict of {held}: no {'image' if image is None else 'label'} is recognised",
                f"expected one of {', '.join(IMAGE_KEYS)} and one of {', '.join(LABEL_KEYS)}; rename the column",
            )
        return item[image], item[label]
    if isinstance(item, str | Path):
        raise DataError(
            f"{what}: item {index} is the text {str(item)[:60]!r}",
            "several places are named in one text with ':' between, such as 'photos-2023:photos-2024'",
        )
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise DataError(
            f"{what}: item {index} is a {type(item).__name__}", "each item must be a pair: an image and its label"
        )
    return item[0], item[1]


def plain_label(label: Any, what: str) -> Any:
    """One label as a plain number or name."""
    if label is None:
        raise DataError(
            f"{what}: the label is None",
            "every image needs a label; leave the others out, and let convscope predict find their classes",
        )
    try:
        marks = np.asarray(label)
    except Exception as error:  # a tensor on a GPU; whatever __array__ raises
        raise DataError(f"{what}: the label cannot be read: {error}", "give an integer or a name") from None
    if marks.size != 1:
        one_hot = is_one_hot(marks.reshape(1, -1))
        raise DataError(
            f"{what}: the label has {number_of(marks.size, 'number')}{', as one-hot rows have' * one_hot}",
            "give the class number: label.argmax()" if one_hot else "an image needs one label",
        )
    return marks.item()


def own_classes(dataset: Any) -> Sequence[str] | None:
    """The class names that a dataset brings: torchvision's ``classes``, or the label's ``names`` of Hugging Face."""
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        key = next((key for key in LABEL_KEYS if key in features), None)
        own = getattr(features[key], "names", None) if key else None
    else:
        own = getattr(dataset, "classes", None)
    named = isinstance(own, list | tuple) and own and all(isinstance(name, str) for name in own)
    return own if named else None


def pixels_of(image: Any, image_size: int | None, what: str) -> NDArray[np.uint8]:
    """One image of a dataset as uint8 (C, H, W)."""
    if image is None or isinstance(image, str | bytes | Path):
        raise DataError(
            f"{what}: the image is {'None' if image is None else 'text'}",
            "an image is a Pillow image, an array or a tensor; "
            "where files are named, give a table (.csv) of path,label",
        )
    if isinstance(image, Mapping) and isinstance(content := image.get("bytes"), bytes):
        return _decoded(content, image_size, what)
    if isinstance(image, Image.Image):
        height, width = (image_size, image_size) if image_size else (image.height, image.width)
        try:
            return adapt(image, (1 if image.mode in GREY_MODES else 3, height, width))
        except (OSError, ValueError, SyntaxError) as error:  # Pillow decodes as late as this
            raise DataError(f"{what}: the image cannot be decoded: {error}", "repair it or leave it out") from None
    try:
        array = np.asarray(image)
    except Exception as error:  # a tensor on a GPU, one that needs gradients; whatever __array__ raises
        raise DataError(
            f"{what}: the image cannot become a NumPy array: {error}", "tensor.detach().cpu().numpy() may serve"
        ) from None
    pixels: NDArray[np.uint8] = as_images(array[None], what, image_size)[0]
    return pixels


def _decoded(content: bytes, image_size: int | None, what: str) -> NDArray[np.uint8]:
    """An image file's bytes, as a row of Hugging Face has them where its images are not decoded."""
    file = io.BytesIO(content)
    file.name = f"{what}: the image"
    with quiet_decoder():
        header = read_header(file)
    height, width = (image_size, image_size) if image_size else (header.height, header.width)
    return read_image(file, Preparation((1 if header.grey else 3, height, width)))
