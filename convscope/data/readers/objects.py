"""What Python hands over → image sets: pairs of arrays, map-style datasets, rows of Hugging Face, dicts of parts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import ImageSet, Splits, by_name
from ..names import part_named
from ..preparation import GREY_MODES, adapt
from .arrays import as_images, from_arrays, from_pairs
from .labels import is_one_hot

IMAGE_KEYS = ("image", "img", "picture", "pixels", "pixel_values", "x")  # of a row that is a dict, the likeliest first
LABEL_KEYS = ("label", "labels", "class", "target", "fine_label", "y")
USABLE = "give (images, labels), ((x_train, y_train), (x_test, y_test)), or one or two map-style datasets"


class MapStyle(Protocol):
    """A map-style dataset, such as torchvision's: its length, and (image, label) at an index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def read_objects(data: Any, image_size: int | None) -> Splits:
    """The sets in ``data``. Raises DataError for what is none, with what to give instead."""
    if isinstance(data, ImageSet):
        return Splits(data)
    if isinstance(data, Mapping):
        return _from_parts(data, image_size)
    if not isinstance(data, tuple):
        return Splits(_one(data, image_size, "the dataset"))
    if len(data) != 2:
        raise DataError(f"a tuple of {len(data)} is no data set", USABLE)
    first, second = data
    if isinstance(first, tuple | list) and isinstance(second, tuple | list) and len(first) == len(second) == 2:
        return from_pairs(tuple(first), tuple(second), None, "the data", image_size)
    if isinstance(first, ImageSet) and isinstance(second, ImageSet):
        return Splits(first, by_name(second, first.classes))
    if hasattr(first, "shape") or isinstance(first, list):
        return Splits(from_arrays(first, second, image_size=image_size))
    if not any(isinstance(part, Mapping | str | bytes) or not hasattr(part, "__len__") for part in data):
        train = _one(first, image_size, "the training set")
        return Splits(train, by_name(_one(second, image_size, "the test set", train.classes), train.classes))
    raise DataError(f"a pair of {type(first).__name__} and {type(second).__name__} is no data set", USABLE)


def from_dataset(
    dataset: MapStyle, image_size: int | None = None, what: str = "the dataset", classes: Sequence[str] | None = None
) -> ImageSet:
    """Every (image, label) of a map-style dataset, read once. An image is a Pillow image, an array or a tensor; a row
    may also be a dict with both, as Hugging Face's datasets have them.

    Class names are the dataset's own, where it has them, else the given ones. Pillow images are fitted
    into ``image_size`` where that is given; grey ones among colour ones become colour. Raises DataError, naming the
    item, for what is no such pair or has another shape.
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[Any] = []
    names = _own_classes(dataset)
    for index in range(len(dataset)):
        image, label = _pair(dataset, index, what)
        images.append(_pixels(image, image_size, f"{what}: item {index}"))
        labels.append(_label(label, f"{what}: item {index}"))
    if not images:
        raise DataError(f"{what} is empty", "give some images of each class")
    if len({len(image) for image in images}) > 1:
        images = [np.repeat(image, 3, axis=0) if len(image) == 1 else image for image in images]
    odd = next((i for i, image in enumerate(images) if image.shape != images[0].shape), None)
    if odd is not None:
        raise DataError(
            f"{what}: image {odd} has shape {images[odd].shape}, but image 0 has {images[0].shape}",
            "resize in the dataset's transform, or, for Pillow images, give image_size",
        )
    require_memory(images[0].nbytes * len(images), what)
    return from_arrays(np.stack(images), labels, names or classes, what)


def _one(data: Any, image_size: int | None, what: str, classes: Sequence[str] | None = None) -> ImageSet:
    """One set: a map-style dataset, or a pair of arrays."""
    name = type(data).__name__
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):
        raise DataError(
            f"a {name} gives batches in an order of its own, and convscope makes both itself",
            "give the dataset in it: loader.dataset",
        )
    if isinstance(data, ImageSet):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data, classes, what, image_size)
    if isinstance(data, np.ndarray) or hasattr(data, "numpy"):
        raise DataError(f"a {name} without labels is no data set", "give (images, labels)")
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        lazy = "; list(data) makes a dataset of what can only be gone through" if hasattr(data, "__iter__") else ""
        raise DataError(f"a {name} is no data set", USABLE + lazy)
    return from_dataset(data, image_size, what, classes)


def _from_parts(data: Mapping[Any, Any], image_size: int | None) -> Splits:
    """A dict such as {"train": …, "test": …}, as Hugging Face's load_dataset returns it."""
    keys = {part_named(str(key)): key for key in data}
    if "train" not in keys or None in keys or len(keys) < len(data):
        held = ", ".join(repr(key) for key in list(data)[:8])
        raise DataError(
            f"a {type(data).__name__} of {held or 'nothing'} is no data set", f"{USABLE}, or a dict of train and test"
        )
    train = _one(data[keys["train"]], image_size, "the training set")
    others = {
        part: by_name(_one(data[keys[part]], image_size, f"the {part} set", train.classes), train.classes)
        for part in ("test", "val")
        if part in keys
    }
    return Splits(train, others.get("test"), others.get("val")).held_out("the validation set")


def _pair(dataset: MapStyle, index: int, what: str) -> tuple[Any, Any]:
    """(image, label) at ``index``."""
    try:
        item = dataset[index]
    except Exception as error:  # a dataset is the caller's own code
        raise DataError(
            f"{what}: item {index} cannot be read: {type(error).__name__}: {error}",
            "dataset[i] must give an image and its label for every i below len(dataset)",
        ) from error
    if isinstance(item, Mapping):
        image = next((key for key in IMAGE_KEYS if key in item), None)
        label = next((key for key in LABEL_KEYS if key in item), None)
        if image is None or label is None:
            held = ", ".join(map(repr, list(item)[:8]))
            raise DataError(
                f"{what}: item {index} is a dict of {held}: no {'image' if image is None else 'label'} is recognised",
                f"expected one of {', '.join(IMAGE_KEYS)} and one of {', '.join(LABEL_KEYS)}; rename the column",
            )
        return item[image], item[label]
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise DataError(
            f"{what}: item {index} is a {type(item).__name__}", "each item must be a pair: an image and its label"
        )
    return item[0], item[1]


def _label(label: Any, what: str) -> Any:
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
            f"{what}: the label has {marks.size} numbers{', as one-hot rows have' * one_hot}",
            "give the class number: label.argmax()" if one_hot else "an image needs one label",
        )
    return marks.item()


def _own_classes(dataset: Any) -> Sequence[str] | None:
    """The class names that a dataset brings: torchvision's ``classes``, or the label's ``names`` of Hugging Face."""
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        key = next((key for key in LABEL_KEYS if key in features), None)
        own = getattr(features[key], "names", None) if key else None
    else:
        own = getattr(dataset, "classes", None)
    named = isinstance(own, list | tuple) and own and all(isinstance(name, str) for name in own)
    return own if named else None


def _pixels(image: Any, image_size: int | None, what: str) -> NDArray[np.uint8]:
    """One image of a dataset as uint8 (C, H, W)."""
    if image is None or isinstance(image, str | bytes):
        raise DataError(
            f"{what}: the image is {'None' if image is None else 'text'}",
            "an image is a Pillow image, an array or a tensor",
        )
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
