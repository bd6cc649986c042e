"""Strokes → a sheet of grey values; what becomes of it on its way to a net says :mod:`convscope.data.preparation`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...errors import UsageError

Pixels = NDArray[np.uint8]
Stroke = Sequence[tuple[int, int]]

SIDE = 112  # of the sheet that is drawn on: four times 28
FINE = 3  # drawn this much larger and reduced, which smooths the edges
MOST_POINTS = 5_000


def rasterise(strokes: Sequence[Stroke], pen: int = 10) -> Pixels:
    """Strokes of points (x, y) in 0..SIDE−1 as grey values (SIDE, SIDE), drawn with a round pen ``pen`` pixels wide.

    Raises UsageError for points off the sheet, too many of them, or a pen outside 1..SIDE/2.
    """
    if not 1 <= pen <= SIDE // 2:
        raise UsageError(f"a pen of {pen} pixels cannot draw here", f"it must be 1 to {SIDE // 2} wide")
    if sum(map(len, strokes)) > MOST_POINTS:
        raise UsageError(f"the drawing has more than {MOST_POINTS:,} points", "draw less, or clear the sheet")
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(sheet)
    for stroke in strokes:
        for x, y in stroke:
            if not (0 <= x < SIDE and 0 <= y < SIDE):
                raise UsageError(f"the point ({x}, {y}) is off the sheet", f"coordinates run from 0 to {SIDE - 1}")
        points = [((column + 0.5) * FINE, (row + 0.5) * FINE) for column, row in stroke]
        if len(points) > 1:
            draw.line(points, fill=255, width=pen * FINE)
        radius = pen * FINE / 2
        for across, down in points:  # round joints and ends
            draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=255)
    return np.asarray(sheet.reduce(FINE))
