"""Arrays in requests: bounded, finite, rectangular; and the pictures that rooms may start from."""

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...errors import UsageError
from ...explain.trained.drawing import SIDE, rasterise

Array = NDArray[np.float32]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Natural = Annotated[int, Field(ge=1, le=1000)]
Whole = Annotated[int, Field(ge=0, le=1000)]
MOST_PRODUCTS = 100_000_000  # about a second of one core
MOST_TERMS = 8_192  # of a ledger; about a second, too
PICTURES = ("digit", "china", "flower")

# Strokes of points (x, y) on a sheet of SIDE × SIDE pixels, and the width of the pen.
Point = tuple[Annotated[int, Field(ge=0, lt=SIDE)], Annotated[int, Field(ge=0, lt=SIDE)]]
Strokes = Annotated[list[Annotated[list[Point], Field(max_length=5000)]], Field(max_length=1000)]
Pen = Annotated[int, Field(ge=1, le=SIDE // 2)]


def array(values: Any, name: str, axes: int, most: int = 65_536) -> Array:
    """Nested lists → float32 with ``axes`` axes. Raises UsageError for ragged, empty or too many numbers."""
    try:
        result = np.array(values, dtype=np.float32)
    except ValueError:
        raise UsageError(f"{name} is ragged: its rows must be equally long", "fill the missing numbers in") from None
    if result.ndim != axes or not 0 < result.size <= most:
        raise UsageError(f"{name} has shape {result.shape}, expected {axes} axes and 1 to {most:,} numbers")
    return result


def bounded(what: str, *sizes: int, most: int = 1_000_000) -> None:
    """Refuse to make ``what`` where it is absurdly large."""
    if prod(max(size, 0) for size in sizes) > most:
        raise UsageError(f"{what} would have {prod(sizes):,} numbers", f"the lab shows at most {most:,}")


def affordable(products: int, terms: int) -> None:
    """Refuse before anything is computed what would take long: by its multiply-adds, and the terms of one ledger."""
    if products > MOST_PRODUCTS:
        raise UsageError(f"that takes {products:,} products", f"the lab computes at most {MOST_PRODUCTS:,} at a time")
    if terms > MOST_TERMS:
        raise UsageError(f"a window covers {terms:,} numbers", f"the lab lists at most {MOST_TERMS:,} terms")


def drawing(strokes: Sequence[Sequence[tuple[int, int]]], pen: int) -> Array:
    """A drawing as an image (1, 28, 28) in [0, 1]: each pixel is the mean of 4×4 of the sheet."""
    fine = rasterise(strokes, pen).astype(np.float32) / 255
    return np.asarray(fine.reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3), dtype=np.float32)[None])


@cache
def picture(name: str) -> Array:
    """A picture (C, H, W) in [0, 1] that comes with scikit-learn: a handwritten 8×8 digit, or a photo in colour."""
    from PIL import Image
    from sklearn.datasets import load_digits, load_sample_image

    if name == "digit":
        return np.asarray(load_digits().images[5][None] / 16, np.float32)
    photo = Image.fromarray(load_sample_image(f"{name}.jpg")).resize((72, 48), Image.Resampling.LANCZOS)
    return np.asarray(np.asarray(photo).transpose(2, 0, 1) / 255, np.float32)
