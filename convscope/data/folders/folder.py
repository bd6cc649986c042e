"""A folder of images → image sets: walked (:mod:`walk`), laid out (:mod:`layout`), decoded and labelled."""

from pathlib import Path

import numpy as np

from ...errors import DataError
from ...language.counts import number_of, some
from ...storage.memory import require_memory
from ..images import ImageSet, Splits
from ..names import shown
from ..pictures.cache import Pixels, read_pixels
from ..pictures.maps import owner_of
from ..preparation import Preparation
from .layout import lay_out
from .tree import Tree
from .walk import walk


def read_folder(
    root: Path, image_size: int | None = None, skip_bad: bool = False, preparation: Preparation | None = None
) -> Splits:
    """The images of a folder, decoded, with the split that it brings (``test`` is None where it has none)."""
    return read_tree(lay_out(walk(root)), image_size, skip_bad, preparation)


def read_tree(
    tree: Tree, image_size: int | None = None, skip_bad: bool = False, preparation: Preparation | None = None
) -> Splits:
    """The images of ``tree``, decoded.

    Class numbers follow the training set's classes in natural order; the other parts are matched by name.
    Preparation and cache are those of :func:`~convscope.data.pictures.cache.read_pixels`. Raises DataError for a
    class that only a held-out part has, and for unreadable images, by name, unless ``skip_bad``, which leaves them
    out and counts them.
    """
    classes = tuple(tree.parts["train"])
    _check(tree, classes)
    files = [file for part in tree.parts.values() for group in part.values() for file in group]
    training = sum(map(len, tree.parts["train"].values()))
    result = read_pixels(tree.root, files, image_size, preparation, training, tree.source)
    if result.bad and not skip_bad:
        raise _bad_images(list(result.bad.values()), len(files))
    sets = read_classes(tree, classes, result)
    return as_splits(tree, sets, result)


def as_splits(tree: Tree, sets: dict[str, ImageSet], pixels: Pixels) -> Splits:
    """The sets of ``tree`` with what is to be said of them; a ``val/`` without a ``test/`` is what is held out."""
    notes = (*pixels.notes, *tree.notes)
    splits = Splits(
        sets["train"], sets.get("test"), sets.get("val"), len(pixels.bad), notes, pixels.preparation, pixels.side
    )
    return splits.held_out(tree.places.get("val", ""))


def read_classes(tree: Tree, classes: tuple[str, ...], pixels: Pixels) -> dict[str, ImageSet]:
    """The sets of a folder's parts, with ``pixels`` for its files in the order of ``tree``; bad ones are left out."""
    sets, start = {}, 0
    for part, groups in tree.parts.items():
        numbers = [classes.index(name) for name in groups]
        labels = np.repeat(np.array(numbers, dtype=np.int64), [len(group) for group in groups.values()])
        names = [shown(file.path) for group in groups.values() for file in group]
        whole = ImageSet(pixels.images[start : start + len(labels)], labels, classes, names)
        good = np.array([i for i in range(len(labels)) if start + i not in pixels.bad], dtype=np.int64)
        if len(good) < len(labels) and owner_of(whole.images) is None:
            require_memory(whole.images.nbytes, str(tree.root))
        sets[part] = whole if len(good) == len(labels) else whole.take(good)
        start += len(labels)
    return sets


def _check(tree: Tree, classes: tuple[str, ...]) -> None:
    for part in ("val", "test"):
        strange = [name for name, files in tree.parts.get(part, {}).items() if name not in classes and files]
        if strange:
            raise DataError(
                f"{tree.root}: {_some(strange)} occurs in {tree.places[part]}, but not in {tree.places['train']}",
                f"the classes of the training set are {some(classes, 20)}; "
                "classes are matched by the names of their folders",
            )
        for name in [name for name in tree.parts.get(part, {}) if name not in classes]:
            del tree.parts[part][name]


def _bad_images(reasons: list[str], count: int) -> DataError:
    more = f"\n  … and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return DataError(
        f"{len(reasons):,} of {number_of(count, 'image')} cannot be used:\n  " + "\n  ".join(reasons[:10]) + more,
        "repair or remove them, or leave them out with --skip-bad",
    )


def _some(names: list[str]) -> str:
    text = some(map(repr, names), 5)
    return f"class {text}" if len(names) == 1 else f"each of the classes {text}"
