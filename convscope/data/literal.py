"""Small arrays as people type them, or as they lie in a .csv, .npy or image file.

    1,2,3            a row of numbers, split at spaces or commas            (3,)
    1 2 / 3 4        rows are separated by / or ;                           (2, 2)
    1 2 / 3 4 | 5 6 / 7 8    channels are separated by |                    (2, 2, 2)
    [[1,2],[3,4]]    JSON, of any depth

A .csv file has one row a line, and an empty line between channels; a single column is a row of numbers. An image
becomes (1, H, W) or, in colour, (3, H, W), with pixels from 0 to 1.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvscopeError, DataError, UsageError
from ..language.counts import some
from ..storage.literals import parsed
from .pictures.decode import read_header, read_image
from .pictures.formats import SUFFIXES as IMAGES
from .preparation import Preparation

Array = NDArray[np.float64]
MAX_ELEMENTS = 2**24  # of one array: 64 MiB of float32; what is explained is small
MAX_BYTES = 2**28  # of one file
SUFFIXES = (".csv", ".npy", *sorted(IMAGES))
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
SYNTAX = "write numbers as '1 2 / 3 4' (rows: /, channels: |) or name a .csv, .npy or image file"


def read_array(text: str, what: str) -> Array:
    """The array that ``text`` spells or names; ``what`` is the option that errors name.

    All numbers are finite. Raises UsageError for a literal that cannot be read, DataError for a file.
    """
    if text.strip().lower().endswith(SUFFIXES):
        return _read_file(Path(text.strip()), what)
    return _checked(_json(text, what) if text.strip().startswith("[") else parse(text, what), what, UsageError)


def parse(text: str, what: str, error: type[ConvscopeError] = UsageError) -> Array:
    """Rows and channels of numbers, as the module's text says. Raises ``error``."""
    channels = [[_row(row, what, error) for row in re.split(r"[/;\n]", part)] for part in text.split("|")]
    shapes = {tuple(len(row) for row in channel) for channel in channels}
    lengths = {len(row) for channel in channels for row in channel}
    if lengths == {0}:
        raise error(f"{what} is empty: it has no numbers", SYNTAX)
    if len(lengths) > 1:
        rows = [len(row) for row in channels[0]]
        counts = f"{what} is ragged: it has rows of {some(map(str, rows), 12)} numbers"
        widths = f"{what} is ragged: it has channels of different widths"
        raise error(counts if len(set(rows)) > 1 else widths, "every row needs as many numbers as the first")
    if len(shapes) > 1:
        counts = some((str(len(channel)) for channel in channels), 12)
        raise error(
            f"{what} is ragged: its channels have {counts} rows", "every channel needs as many rows as the first"
        )
    array = np.array(channels, np.float64)
    single = 0 if len(channels) > 1 else 1 if len(channels[0]) > 1 else 2
    return array.reshape(array.shape[single:])


def _row(text: str, what: str, error: type[ConvscopeError]) -> list[float]:
    return [_number(word, what, error) for word in text.replace(",", " ").split()]


def _number(word: str, what: str, error: type[ConvscopeError]) -> float:
    if NUMBER.fullmatch(word):
        return float(word)
    if word.lower().strip("+-") in ("nan", "inf", "infinity"):
        raise error(f"{what} holds {word}, which is no finite number", "every number must be finite")
    raise error(f"{what} holds {word[:40]!r}, which is not a number", SYNTAX)


def _json(text: str, what: str) -> Array:
    try:
        value: Any = json.loads(text)
        array = np.array(value)
    except (ValueError, RecursionError) as error:
        ragged = "inhomogeneous" in str(error)
        problem = "is ragged: its lists have different lengths" if ragged else "is no JSON list of numbers"
        raise UsageError(f"{what} {problem}", SYNTAX) from None
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{what} holds something other than numbers", SYNTAX)
    return array.astype(np.float64)


def _read_file(path: Path, what: str) -> Array:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DataError(f"{what}: {path} is not a regular file", SYNTAX)
        if size > MAX_BYTES:
            raise DataError(f"{what}: {path} has {size:,} bytes, too many to explain", f"at most {MAX_BYTES:,}")
        read = {".npy": _npy, ".csv": _csv}.get(path.suffix.lower(), _image)
        array = read(path, what)
    except OSError as error:
        raise DataError(f"{what}: cannot read {path}: {error.strerror or error}", "check the path") from None
    return _checked(array, f"{what} ({path})", DataError)


def _npy(path: Path, what: str) -> Array:
    try:
        # A map: a header that claims more than the file holds is refused before memory is taken. Nothing is unpickled.
        array = parsed(lambda: np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        reason = "it is damaged"
        if "Python objects" in str(error):
            reason = "it holds Python objects, which are never loaded"
        elif "pickle" in str(error).lower():  # what NumPy takes every file for that does not begin as .npy does
            reason = "it is of another kind"
        raise DataError(
            f"{what}: {path} is no usable .npy file: {reason}", "save plain numbers with numpy.save"
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{what}: {path} does not hold an array of real numbers", "save plain numbers with numpy.save")
    if array.size > MAX_ELEMENTS:
        raise DataError(f"{what}: {path} has {array.size:,} numbers, too many to explain", f"at most {MAX_ELEMENTS:,}")
    return np.array(array, np.float64)


def _csv(path: Path, what: str) -> Array:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{what}: {path} is no text file", "a .csv file holds numbers as text") from None
    blocks = re.split(r"\n[ \t]*\n\s*", text.replace("\r", "").replace(";", ",").strip())
    array = parse("|".join(blocks), f"{what} ({path})", DataError)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _image(path: Path, what: str) -> Array:
    header = read_header(path)
    if header.height * header.width > MAX_ELEMENTS // 3:
        raise DataError(f"{what}: {path} has {header.height:,} × {header.width:,} pixels, too many to explain")
    return read_image(path, Preparation((1 if header.grey else 3, header.height, header.width))) / 255.0


def _checked(array: Array, what: str, error: type[ConvscopeError]) -> Array:
    if not array.size:
        raise error(f"{what} is empty: it has no numbers", SYNTAX)
    if array.size > MAX_ELEMENTS:
        raise error(f"{what} has {array.size:,} numbers, too many to explain", f"at most {MAX_ELEMENTS:,}")
    if not np.isfinite(array).all():
        raise error(f"{what} holds numbers that are not finite (NaN or infinity)", "every number must be finite")
    return array
