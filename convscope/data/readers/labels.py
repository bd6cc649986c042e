"""Labels as people have them → class numbers and class names; what is no label is named as what it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.counts import number_of, some
from ..names import natural

MOST_CLASSES = 2**20


def read_labels(
    labels: Any, count: int, classes: Sequence[str] | None, what: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(int64 (N,), class names) of ``count`` labels: integers that index ``classes`` (absent: "0", "1", … up to the
    largest), or the class names themselves, of which the natural order makes the classes. (N, 1) is taken as (N,).

    Raises DataError, beginning with ``what``, for anything else: one-hot rows, missing labels, truth values, floats.
    """
    try:
        marks = np.asarray(labels)
    except Exception as error:  # ragged; a tensor on a GPU; whatever an object's __array__ raises
        raise DataError(f"{what}: labels cannot become a NumPy array: {error}", _ONE_EACH.format(count)) from None
    if marks.ndim == 2 and marks.shape[1] == 1:
        marks = marks[:, 0]
    if marks.dtype.hasobject:
        marks = _from_objects(marks, what)
    if marks.shape != (count,):
        raise _wrong_shape(marks, count, what)
    if marks.dtype.kind == "U":
        return _from_names(marks, classes, what)
    if marks.dtype.kind not in "iu":
        help_text = "labels.astype(str) may serve" if marks.dtype.kind == "S" else "labels.astype(int) may serve"
        raise DataError(f"{what}: labels must be integers or names, not {marks.dtype}", help_text)
    if int(marks.min()) < 0 or int(marks.max()) >= (len(classes) if classes else MOST_CLASSES):
        allowed = f"0..{(len(classes) if classes else MOST_CLASSES) - 1:,}"
        raise DataError(f"{what}: labels run from {marks.min()} to {marks.max()}", f"they must lie in {allowed}")
    names = tuple(classes) if classes else tuple(map(str, range(int(marks.max()) + 1)))
    return marks.astype(np.int64), names


def is_one_hot(rows: NDArray[Any]) -> bool:
    """Whether each row (N, K) of numbers holds a single 1 and zeros."""
    return (
        rows.ndim == 2
        and rows.dtype.kind in "biuf"
        and rows.shape[1] > 1
        and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
    )


_ONE_EACH = "there must be one label for each image: shape ({},)"


def _from_objects(marks: NDArray[Any], what: str) -> NDArray[Any]:
    """Names or integers that lie in an array of Python objects, as pandas has them."""
    items = marks.ravel().tolist()
    missing = next((i for i, item in enumerate(items) if _is_missing(item)), None)
    if missing is not None:
        raise DataError(
            f"{what}: label {missing} is {items[missing]}: it is missing",
            "every image needs a label; leave the others out, and let convscope predict find their classes",
        )
    if all(isinstance(item, str) for item in items):
        return marks.astype(str)
    if all(isinstance(item, int | np.integer) and not isinstance(item, bool) for item in items):
        try:
            return marks.astype(np.int64)
        except OverflowError:
            raise DataError(f"{what}: labels beyond 64 bits are no classes", "number the classes from 0") from None
    kinds = sorted({type(item).__name__ for item in items})
    raise DataError(f"{what}: labels are Python objects ({some(kinds, 5)})", "give integers or names")


def _is_missing(item: object) -> bool:
    """None, what is not equal to itself (NaN, NaT), and what refuses to be compared (pandas' NA, a signalling NaN)."""
    try:
        return item is None or bool(item != item)
    except (ArithmeticError, TypeError):
        return True
    except ValueError:  # an array, which is no label for another reason
        return False


def _wrong_shape(marks: NDArray[Any], count: int, what: str) -> DataError:
    if is_one_hot(marks):
        return DataError(
            f"{what}: labels of shape {marks.shape} are one-hot rows", "give the class numbers: y.argmax(1)"
        )
    more = "; several labels for an image are not supported" if marks.ndim == 2 and len(marks) == count else ""
    return DataError(
        f"{what}: {number_of(count, 'image')} came with labels of shape {marks.shape}", _ONE_EACH.format(count) + more
    )


def _from_names(
    marks: NDArray[Any], classes: Sequence[str] | None, what: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names = tuple(classes or sorted({str(mark) for mark in marks}, key=natural))
    number = {name: index for index, name in enumerate(names)}
    unknown = next((str(mark) for mark in marks if str(mark) not in number), None)
    if unknown is not None:
        raise DataError(f"{what}: label {unknown!r} is no class", f"the classes are {some(names, 20)}")
    return np.array([number[str(mark)] for mark in marks], dtype=np.int64), names
