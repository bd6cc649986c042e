"""Where a pad's output comes from, row by row and column by column: plain tables for formats without NumPy."""

import numpy as np

from .reference import PAD_MODES
from .steps import Pad, Shape

OUTSIDE = -1  # no pixel of the input: zero


def pad_sources(op: Pad, shape: Shape) -> tuple[list[int], list[int]]:
    """The input's row of every output row, and its column of every output column; OUTSIDE where it is zero."""
    rows, columns = (
        _sources(op.mode, before, size, after)
        for before, size, after in zip(op.before, shape[1:], op.after, strict=True)
    )
    return rows, columns


def _sources(mode: str, before: int, size: int, after: int) -> list[int]:
    inside = np.arange(size)
    if mode == "zeros":
        return [int(i) for i in np.pad(inside, (before, after), constant_values=OUTSIDE)]
    return [int(i) for i in np.pad(inside, (before, after), mode=PAD_MODES[mode])]
