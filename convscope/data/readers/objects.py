"""What Python hands over → image sets: pairs of arrays, map-style datasets, rows of Hugging Face, dicts of parts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...errors import DataError
from ...language.counts import some
from ..images import ImageSet, Splits, by_name
from ..names import part_named
from .arrays import from_arrays, from_pairs
from .batched import Gathered, from_batches, is_loader
from .items import own_classes, pair, pixels_of, plain_label

USABLE = "give (images, labels), ((x_train, y_train), (x_test, y_test)), or one or two map-style datasets or loaders"
STRANGE = (Mapping, str, bytes)


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
    if all(is_loader(part) or (hasattr(part, "__len__") and not isinstance(part, STRANGE)) for part in data):
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
    pieces = Gathered()
    labels: list[Any] = []
    names = own_classes(dataset)
    for index in range(len(dataset)):
        try:
            item = dataset[index]
        except Exception as error:  # a dataset is the caller's own code
            raise DataError(
                f"{what}: item {index} cannot be read: {type(error).__name__}: {error}",
                "dataset[i] must give an image and its label for every i below len(dataset)",
            ) from error
        image, label = pair(item, index, what)
        pieces.add(pixels_of(image, image_size, f"{what}: item {index}")[None])
        labels.append(plain_label(label, f"{what}: item {index}"))
    return from_arrays(pieces.joined(what), labels, names or classes, what)


def _one(data: Any, image_size: int | None, what: str, classes: Sequence[str] | None = None) -> ImageSet:
    """One set: a map-style dataset, or a pair of arrays."""
    name = type(data).__name__
    inner = getattr(data, "dataset", None)
    if hasattr(data, "batch_size") and hasattr(inner, "__len__") and hasattr(inner, "__getitem__"):
        data = inner  # a loader's: all of it, whatever the order and the batches, which convscope makes itself
    if isinstance(data, ImageSet):
        return data
    if hasattr(data, "columns") and hasattr(data, "to_csv"):
        raise DataError(
            f"a {name} is no data set, but a table",
            "write it as path,label with to_csv(…, index=False), and give the file's name",
        )
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data, classes, what, image_size)
    if isinstance(data, np.ndarray) or hasattr(data, "numpy"):
        raise DataError(f"a {name} without labels is no data set", "give (images, labels)")
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        if is_loader(data):
            return from_batches(data, image_size, what, classes)
        lazy = "; list(data) makes a dataset of what can be gone through once" if hasattr(data, "__iter__") else ""
        raise DataError(f"a {name} is no data set", USABLE + lazy)
    return from_dataset(data, image_size, what, classes)


def _from_parts(data: Mapping[Any, Any], image_size: int | None) -> Splits:
    """A dict such as {"train": …, "test": …}, as Hugging Face's load_dataset returns it."""
    keys = {part_named(str(key)): key for key in data}
    if "train" not in keys or None in keys or len(keys) < len(data):
        held = some(map(repr, data), 8)
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
