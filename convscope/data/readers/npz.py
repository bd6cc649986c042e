"""NumPy's ``.npz`` archives as data from outside: no objects, and no memory taken on a header's word."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.counts import some
from ...storage.literals import read_npy_header
from ..images import ImageSet, Splits
from ..pictures.maps import room
from .arrays import from_arrays
from .unpacking import require_unpackable

# The pairs of names under which people keep images and labels, by part; upper and lower case are the same.
NAMES = {
    "train": (
        ("images", "labels"),
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
        ("train_x", "train_y"),
        ("x", "y"),
        ("data", "labels"),
        ("data", "target"),
        ("arr_0", "arr_1"),
    ),
    "val": (
        ("x_val", "y_val"),
        ("val_images", "val_labels"),
        ("val_x", "val_y"),
        ("x_valid", "y_valid"),
        ("x_validation", "y_validation"),
    ),
    "test": (("x_test", "y_test"), ("test_images", "test_labels"), ("test_x", "test_y")),
}
PIECE = 16_000_000  # bytes read at a time
HELP = (
    "an .npz needs images and labels (and may have classes), or x_train, y_train, x_test and y_test, or train_images, "
    "train_labels and so on: numpy.savez('data.npz', images=x, labels=y)"
)
Members = dict[str, zipfile.ZipInfo]


def read_npz(path: Path, image_size: int | None = None) -> Splits:
    """The images in an ``.npz``: ``images``, ``labels`` and perhaps ``classes`` (names); or parts of its own, named as
    Keras (``x_train``, ``y_train``, …) or MedMNIST (``train_images``, ``train_labels``, …) name them; :data:`NAMES` has
    all. Arrays beside them are named in the notes. ``image_size`` is the side of images in rows of pixels.

    Raises DataError for a file that is absent, no archive, damaged, without these arrays, with arrays of objects, or
    whose arrays are too large; sizes are checked against the file's own before anything is allocated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            pairs = _pairs(path, members)
            arrays = {part: [_read(path, archive, members[key]) for key in pair] for part, pair in pairs.items()}
            classes = _classes(path, archive, members["classes"]) if "classes" in members else None
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", "look at its spelling") from None
    except zipfile.BadZipFile:
        raise DataError(f"{path} is no .npz archive, or is damaged", "write it with numpy.savez") from None
    except DataError:
        raise
    except Exception as error:  # damaged archives and headers raise nearly anything
        raise DataError(
            f"{path} cannot be read: {error}", "write it with numpy.savez or numpy.savez_compressed"
        ) from None
    sets: dict[str, ImageSet] = {}
    for part, (images, labels) in arrays.items():
        what = f"the {part} set of images in {path}" if len(arrays) > 1 else str(path)
        sets[part] = from_arrays(images, labels, classes, what, image_size)
        classes = sets["train"].classes
    notes = _unused(members, pairs)
    place = " and ".join(pairs.get("val", ()))
    return Splits(sets["train"], sets.get("test"), sets.get("val"), notes=notes).held_out(place)


def _pairs(path: Path, members: Members) -> dict[str, tuple[str, str]]:
    """Part → the names of its images and labels, training set first. Raises DataError where there is none, or half."""
    spelling = {name.lower(): name for name in members}
    found: dict[str, tuple[str, str]] = {}
    for part, pairs in NAMES.items():
        both = [pair for pair in pairs if all(name in spelling for name in pair)]
        half = [pair for pair in pairs if any(name in spelling for name in pair) and not both]
        if both:
            found[part] = (spelling[both[0][0]], spelling[both[0][1]])
        elif half:
            missing = next(name for name in half[0] if name not in spelling)
            raise DataError(f"{path} has no array {missing}; it holds {_held(members)}", HELP)
    if "train" not in found:
        raise DataError(f"{path} has no arrays images and labels; it holds {_held(members)}", HELP)
    return found


def _unused(members: Members, pairs: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    used = {"classes", *(name for pair in pairs.values() for name in pair)}
    rest = {name: info for name, info in members.items() if name not in used}
    return (f"arrays that are not used: {_held(rest)}",) if rest else ()


def _held(members: Members) -> str:
    names = [name if name.isprintable() else ascii(name) for name in sorted(members)]
    return some(names, 10) or "nothing"


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array. The archive's directory, the array's header and the file's size must agree first."""
    name = f"the array {member.filename.removesuffix('.npy')} of {path}"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name} is compressed in an unusual way", "write it with numpy.savez_compressed")
    with archive.open(member) as file:
        shape, fortran, dtype = read_npy_header(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(
                f"{name} holds Python objects, which are never loaded",
                "save plain arrays of numbers (all images of one shape) and of text",
            )
        if min(shape, default=0) < 0 or size > member.file_size:
            raise DataError(
                f"{name} claims {size:,} bytes, more than the file can hold", "it is damaged: write it again"
            )
        require_unpackable(min(member.compress_size, path.stat().st_size), size, name)
        content = room((size,))
        got = 0
        while piece := file.read(min(PIECE, size - got)):  # readinto would read all of it first
            content[got : got + len(piece)] = np.frombuffer(piece, np.uint8)
            got += len(piece)
        if got != size or file.read(1):
            raise DataError(
                f"{name} is not as long as its header says ({size:,} bytes)", "it is damaged: write it again"
            )
    return content.view(dtype).reshape(shape, order="F" if fortran else "C")


def _classes(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, ...]:
    names = _read(path, archive, member)
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{path}: classes must be an array of names, not {names.dtype} of shape {names.shape}", HELP)
    return tuple(str(name) for name in names)
