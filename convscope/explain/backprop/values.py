"""Numbers and small arrays as plain data and as text; what every explanation of back-propagation prints."""

from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Value: TypeAlias = float | tuple["Value", ...]  # an array as nested tuples: frozen, comparable, JSON


def freeze(array: Array) -> Value:
    """A float64 array of any rank as nested tuples; rank 0 as a float."""
    if array.ndim < 2:
        return tuple(array.tolist()) if array.ndim else array.item()
    return tuple(freeze(row) for row in array)


def number(value: float, digits: int = 6) -> str:
    """A number with at most ``digits`` significant digits and without a negative zero."""
    return f"{value + 0.0:.{digits}g}"


def shape_text(shape: tuple[int, ...]) -> str:
    """() → "", (3,) → "3", (2, 3) → "2×3"."""
    return "×".join(map(str, shape))


def inline(value: Value, width: int = 40, digits: int = 6) -> str:
    """``value`` on one line of at most ``width`` characters: whole, or with fewer digits, or its beginning."""
    shape = np.shape(value)
    if prod(shape) * 3 - 1 <= width:  # "1, " is the least that a number takes
        for precision in range(digits, 2, -1):
            text = _nested(value, precision)
            if len(text) <= width or not shape:
                return text
    ends = f" … ({shape_text(shape)})"
    head, comma, _ = _nested(_beginning(value, width), 3)[: max(width - len(ends), 1)].rpartition(", ")
    return head + comma.strip() + ends


def _beginning(value: Value, count: int) -> Value:
    return tuple(_beginning(item, count) for item in value[:count]) if isinstance(value, tuple) else value


def _nested(value: Value, digits: int) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_nested(item, digits) for item in value) + "]"
    return number(value, digits)


def grid(value: Value, rows: int = 4, columns: int = 4, digits: int = 4) -> list[str]:
    """``value`` as right-aligned lines, one a matrix row; at most ``rows`` and ``columns`` are shown, "…" is the rest.

    Ranks above two are shown as rows of their last axis.
    """
    array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    flat = array.reshape(-1, array.shape[-1])
    more_rows, more_columns = len(flat) > rows, flat.shape[1] > columns
    shown = flat[: rows - 1 if more_rows else rows, : columns - 1 if more_columns else columns]
    cells = [[number(item, digits) for item in row] for row in shown.tolist()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    if more_columns:
        lines = [line + "  …" for line in lines]
    return [*lines, "…"] if more_rows else lines
