"""The data that need no network: scikit-learn's real handwritten digits, laid out as MNIST is.

1,797 digits of 8×8 pixels with 17 grey values (E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits,
UCI 1998, CC BY 4.0). Their table is read straight from the installed package: to import scikit-learn takes a second.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ..images import ImageSet

TABLE = "datasets/data/digits.csv.gz"
TEST_EVERY = 5
INNER, MARGIN = 20, 4


def read_digits() -> tuple[ImageSet, ImageSet]:
    """The training set (1,442) and the test set (355) of ``digits``: uint8 (N, 1, 28, 28), classes "0" to "9".

    As in MNIST, the digit lies in a box of 20×20 pixels (bicubic enlargement of the 8×8) within a margin of 4.
    Every fifth digit of each class is for testing. The table runs from writer to writer, so both parts hold all of
    them, and the split needs no random draw. Raises DataError where scikit-learn is not installed as usual.
    """
    small, labels = _table()
    every = ImageSet(_enlarge(small), labels, tuple("0123456789"))
    rank = np.empty_like(labels)  # of each digit among those of its class
    for label in range(10):
        own = np.flatnonzero(labels == label)
        rank[own] = np.arange(len(own))
    test = rank % TEST_EVERY == TEST_EVERY - 1
    return every.take(np.flatnonzero(~test)), every.take(np.flatnonzero(test))


def _table() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Grey values 0..16 (1797, 8, 8) and labels (1797,)."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("the digits come with scikit-learn, which is not installed", "pip install scikit-learn")
    path = Path(package.origin).parent / TABLE
    try:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"scikit-learn's digits cannot be read: {error}", "pip install --force-reinstall scikit-learn"
        ) from None
    return table[:, :64].reshape(-1, 8, 8), table[:, 64].astype(np.int64)


def _enlarge(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 8, 8) of 0..16 → (N, 1, 28, 28) of 0..255."""
    large = np.zeros((len(small), 1, INNER + 2 * MARGIN, INNER + 2 * MARGIN), dtype=np.uint8)
    for digit, target in zip(small, large[:, 0, MARGIN:-MARGIN, MARGIN:-MARGIN], strict=True):
        grey = Image.fromarray((digit * (255 / 16)).astype(np.float32))
        target[:] = np.asarray(grey.resize((INNER, INNER), Image.Resampling.BICUBIC)).round().clip(0, 255)
    return large
