"""What the user named → the data: the one place that knows all readers."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..language.counts import number_of, some
from ..recipe import Recipe
from ..storage.places import is_offline, search_dirs, user_path
from .folders import parquet, table
from .folders.folder import read_tree
from .folders.named import BETWEEN, read_files, read_several, several
from .folders.tree import Tree
from .images import Dataset, ImageSet, Splits, statistics
from .pictures.archives import ENDINGS as ARCHIVES
from .pictures.maps import kept
from .preparation import Preparation
from .preparing import decide, prepare_parts
from .readers.arrays import from_arrays
from .readers.digits import read_digits
from .readers.fetch import FILES, PUBLISHED, fetch, find_idx
from .readers.idx import read_pair
from .readers.npz import read_npz
from .readers.objects import read_objects
from .split import divided, stratified_split

NAMES = ("digits", *PUBLISHED)
MNIST_MEAN, MNIST_STD = (0.1307,), (0.3081,)  # of its 60,000 training images, as published and used everywhere
TEST_FRACTION = 0.2
ARRAYS = "arrays"  # the name of data that were given as such
LARGEST_SIDE = 1024
FILE_ENDINGS = (".npz", *ARCHIVES, *table.SUFFIXES, parquet.ENDING)  # of files that are data


def open_source(
    data: Any,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    image_size: int | None = None,
    skip_bad: bool = False,
    val_fraction: float = 0.0,
    seed: int = 0,
    class_from: str | None = None,
) -> Dataset:
    """Open the data that ``data`` names, or is.

    ``data``: ``digits``, ``mnist``, ``fashion-mnist`` or ``kmnist``; a folder of images (see
    :mod:`~convscope.data.folders.layout`) or with the four IDX files; an archive of images; a table of labels or of
    pixels (:mod:`~convscope.data.folders.table`); Parquet (:mod:`~convscope.data.folders.parquet`); several of these
    with ``:`` between (:func:`~convscope.data.folders.named.several`); an ``.npz``
    (:mod:`~convscope.data.readers.npz`); a pair of arrays (images, labels); two such pairs or two map-style datasets
    (training set, test set); one map-style dataset; a DataLoader or another iterable of batches; a dict of parts; an
    ImageSet. A relative path is looked for here, then in ``data_dir`` and ``$CONVSCOPE_DATA``.

    ``class_from`` takes the classes of a folder from the names of its files
    (:mod:`~convscope.data.folders.file_names`). ``offline`` bars the network. ``image_size`` brings every image to that
    height and width by :func:`~convscope.data.preparation.fit`. ``skip_bad`` leaves unreadable images of a folder
    out. Data without a test set get one: a fifth of every class, drawn by ``seed``. ``val_fraction`` of the training
    images become the validation set, unless the data bring one. Mean and deviation are those of the training images
    that are then left; for ``mnist`` at 28×28 always the published ones.

    Raises DataError for data that are absent, damaged or cannot be learnt from, UsageError for impossible options.
    """
    if not 0 <= val_fraction < 1:
        raise UsageError(f"val_fraction must lie in [0, 1), not {val_fraction}", "0.1 holds out a tenth for validation")
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise UsageError(f"image size must lie in 1..{LARGEST_SIDE}, not {image_size}", "64 is usual for small nets")
    if data_dir is not None and not os.path.isdir(data_dir):  # noqa: PTH112 - as in find_idx
        raise DataError(f"there is no folder {data_dir}", "--data-dir names the folder in which data are looked for")
    if class_from is not None and (not isinstance(data, str | Path) or str(data) in NAMES):
        raise UsageError("--class-from reads the names of image files, and these data have none", "leave it out")
    name = data_name(data)
    parts = read_parts(data, data_dir, is_offline(offline), image_size, skip_bad, class_from=class_from)
    parts = decide(parts, str(data) if isinstance(data, str | Path) else "", image_size, name)
    _check(parts, name)
    train, test, val, notes = parts.train, parts.test, parts.val, list(parts.notes)
    if test is None:
        train, test = _part(train, TEST_FRACTION, seed, name)
        notes.append(
            f"no test set came with the data: {len(test):,} of {number_of(len(train) + len(test), 'image')} "
            "are held out"
        )
    if val is None and val_fraction > 0:
        train, val = _part(train, val_fraction, seed, name)
    elif val is not None and val_fraction > 0:
        notes.append(
            f"the data bring their own validation set ({number_of(len(val), 'image')}): val_fraction is not used"
        )
    for part in filter(None, (train, test, val)):
        kept(part.images)
    published = isinstance(data, str | Path) and str(data) == "mnist" and train.shape == (1, 28, 28)
    mean, std = (MNIST_MEAN, MNIST_STD) if published else statistics(train.images)
    built_in = not isinstance(data, str | Path) or str(data) in NAMES
    place = "" if built_in else BETWEEN.join(str(locate(one, data_dir).resolve()) for one in several(data))
    return Dataset(name, train, test, mean, std, val, parts.skipped, tuple(notes), place, parts.preparation, parts.side)


def open_recipe(recipe: Recipe, offline: bool = False, data: Any = None, skip_bad: bool = False) -> Dataset:
    """The data that ``recipe`` names, or ``data`` where they are given, as its choices divide and resize them."""
    return open_source(
        recipe.data if data is None else data,
        data_dir=Path(recipe.data_dir) if recipe.data_dir else None,
        offline=offline,
        image_size=recipe.image_size,
        skip_bad=skip_bad or recipe.skip_bad,
        val_fraction=recipe.val_fraction,
        seed=recipe.seed,
        class_from=recipe.class_from,
    )


def data_name(data: Any) -> str:
    """A short name for ``data``, for run folders and tables: ``mnist``, the name of the folder or file, ``arrays``.

    Raises DataError for None.
    """
    if data is None:
        raise DataError("None is no data set", "give a path, a name such as 'mnist', or (images, labels)")
    if isinstance(data, str | Path):
        names = [_short(user_path(place).resolve().name) for place in several(data)]
        return str(data) if str(data) in NAMES else "+".join(names)
    return ARRAYS if isinstance(data, tuple | ImageSet) else type(data).__name__.lower()


def _short(name: str) -> str:
    """The name of a folder or file without the ending of a kind of data."""
    endings = [ending for ending in FILE_ENDINGS if name.lower().endswith(ending)]
    return name[: len(name) - max(map(len, endings), default=0)] or "root"


def read_parts(
    data: Any,
    data_dir: Path | None,
    offline: bool,
    image_size: int | None,
    skip_bad: bool,
    preparation: Preparation | None = None,
    class_from: str | None = None,
) -> Splits:
    """The sets as they come with ``data``, before any is drawn or checked. See :func:`open_source`.

    With ``preparation``, which is a trained net's, every picture is prepared so, from its file where it has one.
    """
    parts = _read_parts(data, data_dir, offline, image_size, skip_bad, preparation, class_from)
    if parts.preparation is None:
        parts = replace(parts, side=max(parts.train.shape[1:]))
    return parts if preparation is None else prepare_parts(parts, preparation, data_name(data))


def _read_parts(
    data: Any,
    data_dir: Path | None,
    offline: bool,
    image_size: int | None,
    skip_bad: bool,
    preparation: Preparation | None,
    class_from: str | None,
) -> Splits:
    if not isinstance(data, str | Path):
        return read_objects(data, image_size)
    if str(data) in NAMES:
        return replace(_read_named(str(data), data_dir, offline), notes=_hidden_folder(str(data)))
    side = preparation.image[1] if preparation else image_size
    found = files_of(data, data_dir, side, skip_bad, class_from)
    if isinstance(found, Tree):
        return read_tree(found, image_size, skip_bad, preparation)
    if found is not None:
        return found
    path = locate(data, data_dir)
    if path.is_file():
        if path.suffix.lower() != ".npz":
            raise DataError(f"{path} is no data set", _KINDS)
        return read_npz(path, side)
    idx = {file: place for file in FILES if (place := find_idx([path], file))}
    missing = [file for file in FILES if file not in idx]
    if missing:
        raise DataError(f"{path} has {next(iter(idx.values())).name}, but no {' and no '.join(missing)}[.gz]", _FOUR)
    return _read_idx([idx[file] for file in FILES])


def files_of(
    data: str | Path, data_dir: Path | None, image_size: int | None, skip_bad: bool, class_from: str | None
) -> Tree | Splits | None:
    """The image files at the places that ``data`` names, as :func:`~convscope.data.folders.named.read_files` says."""
    paths = [locate(place, data_dir) for place in several(data)]
    if len(paths) == 1:
        return read_files(paths[0], image_size, skip_bad, class_from)
    return read_several(paths, lambda path: read_files(path, image_size, skip_bad, class_from))


def _read_named(name: str, data_dir: Path | None, offline: bool) -> Splits:
    """The data that convscope knows by name."""
    if name not in PUBLISHED:
        return Splits(*read_digits())
    published = PUBLISHED[name]
    return _read_idx(fetch(name, data_dir, offline), published.sha256, published.classes)


def _hidden_folder(name: str) -> tuple[str, ...]:
    """What to say where a folder of one's own has the name of data that convscope brings."""
    if not Path(name).is_dir() or any(find_idx([Path(name)], file) for file in FILES):
        return ()
    return (f"{name} means the data of that name that convscope knows; the folder here is ./{name}",)


_KINDS = (
    "give a folder, .zip or .tar of images, a folder of IDX files, a table of labels (.csv, .tsv, .parquet), or an .npz"
)
_FOUR = f"a folder of IDX files holds {', '.join(FILES)}, each plain or .gz"


def _read_idx(
    paths: list[Path], sums: tuple[str, ...] = ("", "", "", ""), classes: tuple[str, ...] | None = None
) -> Splits:
    """Training and test set from four files in the order of FILES. Without names, classes are the labels' numbers."""
    (x_train, y_train), (x_test, y_test) = (
        read_pair(paths[0], paths[1], (sums[0], sums[1])),
        read_pair(paths[2], paths[3], (sums[2], sums[3])),
    )
    train = from_arrays(x_train, y_train, classes, f"the training set of images in {paths[0].parent}")
    return Splits(train, from_arrays(x_test, y_test, train.classes, f"the test set of images in {paths[2].parent}"))


def locate(data: str | Path, data_dir: Path | None) -> Path:
    """The first place where the folder or file that ``data`` names exists. Raises DataError with near misses."""
    if not str(data):  # which is this folder for Path: a variable of a shell that was not set
        raise DataError("the name of the data is empty", "give a folder ('.' for this one) or a name such as mnist")
    path = user_path(data)
    places = [path] if path.is_absolute() else [path, *(base / path for base in search_dirs(data_dir))]
    known = {name: name for name in NAMES}
    for place in places:
        with contextlib.suppress(OSError):  # a name too long, a folder that must not be listed
            if place.exists():
                return place
            for entry in place.parent.iterdir():
                if not entry.name.startswith(".") and (entry.name.endswith(FILE_ENDINGS) or entry.is_dir()):
                    known.setdefault(entry.name, str(path.parent / entry.name))
    if str(data) in NAMES:
        raise DataError(
            f"{str(data)!r} is a data set of its own, and cannot be one of several places",
            "name folders and files only",
        )
    close = [known[name] for name in get_close_matches(path.name, known, n=3, cutoff=0.6)]
    raise DataError(
        f"there are no data called {str(path)!r}",
        (f"did you mean {' or '.join(map(repr, close))}? " if close else "")
        + f"known: {', '.join(NAMES)}, or the path of a folder, a table (.csv) or an .npz",
    )


def require_classes(name: str, classes: Sequence[str], count: Sequence[int]) -> None:
    """Raises DataError where data called ``name`` have fewer than two classes, or one without training images."""
    if len(classes) < 2:
        raise DataError(
            f"{name} has {len(classes)} class, but there must be two or more",
            "a net learns to tell classes apart; in a folder of images, each sub-folder is a class",
        )
    empty = [one for one, images in zip(classes, count, strict=True) if not images]
    if empty:
        raise DataError(
            f"{name}: classes without images for training: {some(map(repr, empty), 5)}",
            "every class needs images that can be read; labels count from 0 without gaps",
        )


def _check(parts: Splits, name: str) -> None:
    """What no net can learn from is refused here, whatever reader it came through."""
    train = parts.train
    require_classes(name, train.classes, np.bincount(train.labels, minlength=len(train.classes)).tolist())
    for part, images in (("test", parts.test), ("validation", parts.val)):
        if images is not None and not len(images):
            raise DataError(f"{name}: the {part} set is empty", "put images into it, or remove it to have one drawn")
        if images is not None and images.shape != train.shape:
            raise DataError(
                f"{name}: images of the {part} set have shape {images.shape}, those of the training set {train.shape}",
                "(channels, height, width) must be the same; --image-size makes heights and widths so",
            )


def _part(images: ImageSet, fraction: float, seed: int, name: str) -> tuple[ImageSet, ImageSet]:
    """(rest, held out)."""
    return divided(images, *stratified_split(images.labels, fraction, seed, images.classes), name)
