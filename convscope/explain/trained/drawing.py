"""A drawing → the image that a net expects, step by step, as the makers of MNIST prepared their digits.

LeCun, Cortes and Burges (http://yann.lecun.com/exdb/mnist): a digit is cut out, scaled with its proportions kept to
fit a box of 20×20 pixels, and put into 28×28 so that its centre of mass lies in the middle. A net that was trained on
such images fails on a digit that was drawn in a corner; every step can be left out to see that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...errors import UsageError

Pixels = NDArray[np.uint8]
Stroke = Sequence[tuple[int, int]]

SIDE = 112  # of the sheet that is drawn on: four times 28
FINE = 3  # drawn this much larger and reduced, which smooths the edges
BOX = 20 / 28  # the part of the image's height and width that MNIST's digits fill
MOST_POINTS = 5_000


@dataclass(frozen=True)
class Steps:
    """Which steps are taken. ``crop``: only the ink counts, not the sheet. ``box``: it fills 20/28 of the image,
    else all of it. ``centre``: its centre of mass comes to the middle, else the middle of its box.
    """

    crop: bool = True
    box: bool = True
    centre: bool = True


@dataclass(frozen=True)
class Prepared:
    """Each stage as grey values uint8 (H, W), light ink on dark ground; ``centred`` is what the net gets.

    ``ink`` is (top, left, bottom, right) of the ink on the sheet, bottom and right excluded, None for an empty sheet.
    ``mass`` is the centre of mass (row, column) of ``fitted``, ``corner`` the place of its first pixel in ``centred``.
    """

    raw: Pixels
    cropped: Pixels
    fitted: Pixels
    centred: Pixels
    ink: tuple[int, int, int, int] | None
    mass: tuple[float, float] | None
    corner: tuple[int, int]


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


def prepare(raw: Pixels, height: int, width: int, steps: Steps = Steps()) -> Prepared:
    """Grey values (H, W) of a drawing, light on dark → every stage on the way to (height, width)."""
    rows, columns = np.flatnonzero(raw.any(1)), np.flatnonzero(raw.any(0))
    if not len(rows):
        blank = np.zeros((height, width), dtype=np.uint8)
        return Prepared(raw, raw, blank, blank, None, None, (0, 0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    cropped = raw[top:bottom, left:right] if steps.crop else raw
    share = BOX if steps.box else 1.0
    fitted = _fit(cropped, max(1, round(share * height)), max(1, round(share * width)))
    mass = centre_of_mass(fitted)
    corner = _corner(fitted, height, width, mass if steps.centre else None)
    centred = np.zeros((height, width), dtype=np.uint8)
    centred[corner[0] : corner[0] + fitted.shape[0], corner[1] : corner[1] + fitted.shape[1]] = fitted
    return Prepared(raw, cropped, fitted, centred, (top, left, bottom, right), mass, corner)


def centre_of_mass(image: Pixels) -> tuple[float, float] | None:
    """(row, column) of the centre of grey values (H, W), where a pixel's own centre is at its index; None if black."""
    weight = image.astype(np.float64)
    total = weight.sum()
    if total == 0:
        return None
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    return float(weight.sum(1) @ rows / total), float(weight.sum(0) @ columns / total)


def _fit(image: Pixels, height: int, width: int) -> Pixels:
    """Scaled with its proportions kept, so that one side fills its bound and the other does not pass it."""
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BICUBIC))


def _corner(image: Pixels, height: int, width: int, mass: tuple[float, float] | None) -> tuple[int, int]:
    """Where the first pixel goes, so that the mass (or else the box) is in the middle and nothing is cut off."""
    middle = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2) if mass is None else mass
    wanted = (round((height - 1) / 2 - middle[0]), round((width - 1) / 2 - middle[1]))
    return (min(max(wanted[0], 0), height - image.shape[0]), min(max(wanted[1], 0), width - image.shape[1]))
