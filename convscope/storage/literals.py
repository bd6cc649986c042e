"""Python text that is parsed while other threads may parse theirs, such as the header of an ``.npy`` file."""

import warnings
from collections.abc import Callable
from typing import IO, Any, TypeVar

import numpy as np
from numpy.lib import format as npy

T = TypeVar("T")
TRIES = 5


def parsed(parse: Callable[[], T]) -> T:
    """``parse()``, once more where another thread has disturbed it.

    CPython 3.11 counts how deep a syntax tree is in one place for all threads. Where a thread is interrupted while it
    builds one and another builds its own, it raises SystemError; the next time all is well.
    """
    for _ in range(TRIES - 1):
        try:
            return parse()
        except SystemError:
            continue
    return parse()


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type from the start of an ``.npy``. NumPy parses it as a literal, within 10,000 characters.

    Raises ValueError, or what NumPy raises, for one that is none.
    """
    version, place = npy.read_magic(file), file.tell()
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the .npy format is not supported")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0

    def from_its_place() -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        file.seek(place)
        return read(file)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers as Python 2 wrote them
        return parsed(from_its_place)
