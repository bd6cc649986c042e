"""A folder of arrays on disk: ``images.npy`` and ``labels.npy``, or the names that an ``.npz`` has. Images are mapped.

uint8 images of shape (N, H, W) or (N, C, H, W) are used where they lie; others are read into memory.
"""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...storage.files import open_plain
from ...storage.literals import read_npy_header
from ...storage.memory import require_address_space, require_memory
from ..images import ImageSet, Splits
from ..pictures.maps import mapped
from .arrays import from_arrays
from .npz import NAMES

HELP = "write it with numpy.save, images as uint8 (N, H, W) or (N, C, H, W)"


def arrays_in(folder: Path) -> dict[str, Path]:
    """The ``.npy`` files of ``folder`` by their names, where there are images and labels for training among them."""
    if not folder.is_dir():
        return {}
    found = {path.stem.lower(): path for path in sorted(folder.glob("*.npy"))}
    return found if any(set(pair) <= found.keys() for pair in NAMES["train"]) else {}


def read_npy(files: dict[str, Path], folder: Path, image_size: int | None = None) -> Splits:
    """The sets in ``files``. Raises DataError for a file that is damaged, holds objects, or does not fit its labels."""
    sets: dict[str, ImageSet] = {}
    classes = _array(files["classes"]) if "classes" in files else None
    names = None if classes is None else tuple(str(name) for name in classes)
    for part, pairs in NAMES.items():
        pair = next((pair for pair in pairs if set(pair) <= files.keys()), None)
        if pair:
            images, labels = (_array(files[name]) for name in pair)
            sets[part] = from_arrays(images, labels, names, f"the {part} set of images in {folder}", image_size)
            names = sets["train"].classes
    return Splits(sets["train"], sets.get("test"), sets.get("val")).held_out("the validation arrays")


def _array(path: Path) -> NDArray[Any]:
    """One array: mapped where it is uint8 of more than two axes, else read."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            shape, fortran, dtype = read_npy_header(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
            if dtype.hasobject:
                raise DataError(f"{path} holds Python objects, which are never loaded", HELP)
            if min(shape, default=0) < 0 or start + math.prod(shape) * dtype.itemsize != size:
                raise DataError(f"{path} is not as long as its header says", "it is damaged: write it again")
            if dtype == np.uint8 and len(shape) > 2 and not fortran and 0 not in shape:
                require_address_space(size, str(path))
                return mapped(file, start, shape)
            require_memory(size, str(path))
            content = np.fromfile(file, dtype, math.prod(shape))
            return content.reshape(shape, order="F" if fortran else "C")
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "look at its permissions") from None
    except Exception as error:  # damaged headers raise nearly anything
        raise DataError(f"{path} is no .npy file, or is damaged: {error}", HELP) from None
