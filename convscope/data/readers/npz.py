"""NumPy's ``.npz`` archives as data from outside: no objects, and no memory taken on a header's word."""

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...errors import DataError
from ...storage.memory import require_memory
from ..images import Splits
from .arrays import from_arrays, from_pairs
from .idx import GZIP_RATIO

KERAS = ("x_train", "y_train", "x_test", "y_test")
HELP = "an .npz needs images and labels (and may have classes), or x_train, y_train, x_test and y_test"


def read_npz(path: Path) -> Splits:
    """The images in an ``.npz``: ``images``, ``labels`` and perhaps ``classes`` (names); or, as Keras writes them,
    ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    Raises DataError for a file that is absent, no archive, damaged, without these arrays, with arrays of objects, or
    whose arrays do not fit into memory; sizes are checked against the file's own before anything is allocated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            keys = KERAS if KERAS[0] in members else ("images", "labels")
            missing = [key for key in keys if key not in members]
            if missing:
                held = ", ".join(sorted(members)[:10]) or "nothing"
                raise DataError(f"{path} has no array {' and no '.join(missing)}; it holds {held}", HELP)
            arrays = [_read(path, archive, members[key]) for key in keys]
            classes = _classes(path, archive, members["classes"]) if "classes" in members else None
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except zipfile.BadZipFile:
        raise DataError(f"{path} is no .npz archive, or is damaged", "write it with numpy.savez") from None
    except DataError:
        raise
    except Exception as error:  # damaged archives and headers raise nearly anything
        raise DataError(
            f"{path} cannot be read: {error}", "write it with numpy.savez or numpy.savez_compressed"
        ) from None
    if keys is KERAS:
        x_train, y_train, x_test, y_test = arrays
        return from_pairs((x_train, y_train), (x_test, y_test), classes, str(path))
    return Splits(from_arrays(arrays[0], arrays[1], classes, str(path)))


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array. The archive's directory, the array's header and the file's size must agree first."""
    name = f"{path}: array {member.filename.removesuffix('.npy')}"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name} is compressed in an unusual way", "write it with numpy.savez_compressed")
    with archive.open(member) as file:
        shape, fortran, dtype = _header(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(
                f"{name} holds Python objects, which are never loaded",
                "save plain arrays of numbers (all images of one shape) and of text",
            )
        if min(shape, default=0) < 0 or size > min(member.file_size, path.stat().st_size * GZIP_RATIO):
            raise DataError(
                f"{name} claims {size:,} bytes, more than the file can hold", "it is damaged: write it anew"
            )
        require_memory(size, name)
        content = np.empty(size, dtype=np.uint8)
        got = file.readinto(content.data)  # type: ignore[attr-defined]  # the file within an archive has it
        if got != size or file.read(1):
            raise DataError(
                f"{name} is not as long as its header says ({size:,} bytes)", "it is damaged: write it anew"
            )
    return content.view(dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type from the start of an ``.npy``. NumPy parses it as a literal, within 10,000 characters."""
    version = npy.read_magic(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers as Python 2 wrote them
        if version == (1, 0):
            return npy.read_array_header_1_0(file)
        if version == (2, 0):
            return npy.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the .npy format is not supported")


def _classes(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, ...]:
    names = _read(path, archive, member)
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{path}: classes must be an array of names, not {names.dtype} of shape {names.shape}", HELP)
    return tuple(str(name) for name in names)
