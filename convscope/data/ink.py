"""Ink on paper → the image that a net for digits expects, step by step, as the makers of MNIST prepared theirs.

LeCun, Cortes and Burges (http://yann.lecun.com/exdb/mnist): a digit is cut out, scaled with its proportions kept to
fit a box of 20×20 pixels, and put into 28×28 so that its centre of mass lies in the middle, light on a ground of
exactly 0. A net that was trained on such images fails on a digit that is dark on light, small, or in a corner.

What is in that form already must pass unchanged, bit for bit: :func:`in_form` knows it by its ground, size and place,
and holds for each of MNIST's 70,000 images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

BOX = 20 / 28  # the part of the image's height and width that MNIST's digits fill
LARGEST = 512  # pixels of the longer side in which ink is looked for: larger pictures are reduced first
FAINTEST = 20  # grey values between paper and ink, at least: less is an empty sheet
FLOOR = 0.1  # of the darkest ink's strength: what is fainter is paper
NOISE = 4.0  # standard deviations of the paper's grain that are no ink either
UNEVEN = 0.1  # paper that is more uneven is no paper: see look_for_ink
SPECK = 0.02  # of the largest stroke's area: what is smaller is dust
BRIGHT = 192  # what the brightest pixel of an image in form reaches (MNIST: 254, the bundled digits: 234)
OFF = 0.53  # pixels that MNIST's centres of mass lie beside the middle, at most (rounding makes 0.5)


@dataclass(frozen=True)
class Steps:
    """Which steps are taken. ``crop``: only the ink counts, not the sheet. ``box``: it fills 20/28 of the image,
    else all of it. ``centre``: its centre of mass comes to the middle, else the middle of its box; with ``margin``,
    only as far as the ink stays within the middle 20/28 of the image.
    """

    crop: bool = True
    box: bool = True
    centre: bool = True
    margin: bool = False


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


def prepare(raw: Pixels, height: int, width: int, steps: Steps = Steps()) -> Prepared:
    """Light ink (H, W) on a ground of 0 → every stage on the way to (height, width)."""
    if not raw.any():
        blank = np.zeros((height, width), dtype=np.uint8)
        return Prepared(raw, raw, blank, blank, None, None, (0, 0))
    top, left, bottom, right = bounds = _bounds(raw)
    cropped = raw[top:bottom, left:right] if steps.crop else raw
    share = BOX if steps.box else 1.0
    fitted = _fit(cropped, max(1, round(share * height)), max(1, round(share * width)))
    if steps.crop:
        fitted = _bright(fitted)
    mass = centre_of_mass(fitted)
    corner = _corner(fitted, height, width, mass if steps.centre else None, steps.margin and steps.box)
    centred = np.zeros((height, width), dtype=np.uint8)
    centred[corner[0] : corner[0] + fitted.shape[0], corner[1] : corner[1] + fitted.shape[1]] = fitted
    return Prepared(raw, cropped, fitted, centred, bounds, mass, corner)


def centre_of_mass(image: Pixels) -> tuple[float, float] | None:
    """(row, column) of the centre of grey values (H, W), where a pixel's own centre is at its index; None if black."""
    weight = image.astype(np.float64)
    total = weight.sum()
    if total == 0:
        return None
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    return float(weight.sum(1) @ rows / total), float(weight.sum(0) @ columns / total)


def in_form(images: Pixels, margin: bool = False) -> NDArray[np.bool_]:
    """Which of the images (N, S, S) are as :func:`prepare` leaves them: (N,) booleans.

    The border's median is exactly 0, the brightest pixel at least 192, the ink's longer side 18 to 20 of 28 pixels,
    and nothing would move: the centre of mass is in the middle, or the ink at the edge that keeps it from there.
    With ``margin``, as scikit-learn's digits have it, the ink lies in the middle 20 pixels, wherever its mass is.
    An image that is not 28 pixels wide may differ by one more.
    """
    count, side, _ = images.shape
    scale, slack = side / 28, 0 if side == 28 else 1
    border = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    dark: NDArray[np.bool_] = np.asarray(np.count_nonzero(border, axis=1) * 2 < border.shape[1])
    good = dark & (images.reshape(count, -1).max(1) >= BRIGHT)
    spans = []
    for axis in (2, 1):
        ink: NDArray[np.bool_] = np.asarray(images.any(axis))
        low, high = ink.argmax(1), side - ink[:, ::-1].argmax(1)
        spans.append(high - low)
        if margin:
            edge = (1 - BOX) / 2 * side - slack
            good &= (low >= edge) & (high <= side - edge)
        else:
            sums = images.sum(axis, dtype=np.float64)
            off = side / 2 - sums @ np.arange(side) / np.maximum(sums.sum(1), 1)
            bound = OFF * scale + 0.1 * slack
            good &= ((off <= bound) | (high == side)) & ((off >= -bound) | (low == 0))
    longest = np.maximum(*spans)
    return np.asarray(good & (longest >= 18 * scale - slack) & (longest <= 20 * scale + 2 * slack))


def find_ink(grey: Pixels) -> Pixels:
    """The ink of a picture: see :func:`look_for_ink`."""
    return look_for_ink(grey)[0]


def look_for_ink(grey: Pixels) -> tuple[Pixels, float]:
    """The ink of a picture (H, W), dark on light or light on dark, as light strokes on a ground of exactly 0.

    Pictures of more than 512 pixels are reduced first. The paper's brightness is a surface of second degree, fitted to
    what is paper, so that light from one side or a lens's dark corners are no ink; its grain is none either, nor is
    dust. An empty sheet comes out black.

    The second value says how uneven the paper is: its standard deviation over the ink's strength. Of digits on any
    paper it was below 0.08, of photographs of other things most often above UNEVEN.
    """
    if max(grey.shape) > LARGEST:
        scale = LARGEST / max(grey.shape)
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = np.asarray(Image.fromarray(np.ascontiguousarray(grey)).resize(size, Image.Resampling.BOX))
    residual, grain = _without_paper(grey)
    strength = np.maximum(residual, 0)
    strong = strength[strength > max(FAINTEST, NOISE * grain)]
    peak = float(np.quantile(strong, 0.95)) if len(strong) else 0.0
    if peak <= 1.5 * NOISE * grain:  # no more than the rarest of the grain
        return np.zeros(grey.shape, dtype=np.uint8), 0.0
    uneven = float(residual[residual < 0.3 * peak].std()) / peak
    strength[strength < max(FLOOR * peak, NOISE * grain)] = 0
    ink = np.minimum(np.rint(strength * (255 / peak)), 255).astype(np.uint8)
    return _without_dust(ink), uneven


def _without_paper(grey: Pixels) -> tuple[NDArray[np.float64], float]:
    """How much each pixel (H, W) differs from the paper, ink positive, and the standard deviation of its grain."""
    values = grey.astype(np.float64)
    border = _border(grey)
    if border.min() == border.max():  # drawn by a program: the paper has one value
        residual = float(border[0]) - values
        return (residual if residual.sum() >= 0 else -residual), 0.0
    surface = _surface(values, np.ones(grey.shape, dtype=bool), degree=1)
    light = True
    for _ in range(3):
        residual = values - surface
        edge = _threshold(residual)
        bright = residual > edge
        # Paper is what the most of the border and of the area consist of.
        light = _border(bright).mean() + bright.mean() >= 1
        paper = bright if light else ~bright
        surface = _surface(values, paper, degree=2)
    residual = surface - values if light else values - surface
    return residual, max(_spread(residual[paper]), _spread(np.diff(values)) / 2**0.5)


def _spread(values: NDArray[np.float64]) -> float:
    """The standard deviation of ``values`` if they were normal, from the middle 80 % of them."""
    if not values.size:
        return 0.0
    low, high = np.quantile(values, (0.1, 0.9))
    return float(high - low) / 2.563


def _border(image: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _surface(values: NDArray[np.float64], where: NDArray[np.bool_], degree: int) -> NDArray[np.float64]:
    """The surface of ``degree`` in row and column that fits ``values`` (H, W) best ``where``, by least squares."""
    y, x = np.linspace(-1, 1, values.shape[0])[:, None], np.linspace(-1, 1, values.shape[1])[None, :]
    powers = [y**i * x**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    terms = np.stack(np.broadcast_arrays(*powers))
    step = max(1, int((where.size / 20_000) ** 0.5))  # some 20,000 pixels say as much as all
    chosen = where[::step, ::step]
    if chosen.sum() < 4 * len(terms):
        return np.full(values.shape, float(np.median(values)))
    weights, *_ = np.linalg.lstsq(terms[:, ::step, ::step][:, chosen].T, values[::step, ::step][chosen], rcond=None)
    return np.asarray(np.tensordot(weights, terms, 1))


def _threshold(values: NDArray[np.float64]) -> float:
    """The value that parts ``values`` into two groups with the least variance within (N. Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    total = np.cumsum(counts * middle)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(edges[1:][np.nanargmax(np.where(np.isfinite(between), between, -1))])


def _without_dust(ink: Pixels) -> Pixels:
    """The same ink without spots of less than 2 % of the largest stroke's area."""
    from scipy.ndimage import label  # type: ignore[import-untyped]  # and late: it imports for a tenth of a second

    spots, count = label(ink, np.ones((3, 3)))
    if count > 1:
        area = np.bincount(spots.ravel())
        area[0] = 0
        ink = np.where((area >= SPECK * area.max())[spots], ink, 0).astype(np.uint8)
    return ink


def _bounds(ink: Pixels) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _fit(image: Pixels, height: int, width: int) -> Pixels:
    """Scaled with its proportions kept, so that one side fills its bound and the other does not pass it."""
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BICUBIC))


def _bright(image: Pixels) -> Pixels:
    """Its brightest pixel at 255, and no empty rows or columns at its edges."""
    if not image.any():
        return image
    bright = np.rint(image * (255 / int(image.max()))).astype(np.uint8)
    top, left, bottom, right = _bounds(bright)
    trimmed: Pixels = bright[top:bottom, left:right]
    return trimmed


def _corner(image: Pixels, height: int, width: int, mass: tuple[float, float] | None, margin: bool) -> tuple[int, int]:
    """Where the first pixel goes, so that the mass (or else the box) is in the middle and nothing is cut off.

    MNIST's centres of mass lie at index 14 of 0..27.
    """
    corner = []
    for axis, side in enumerate((height, width)):
        length = image.shape[axis]
        wanted = (side - length) // 2 if mass is None else round(side / 2 - mass[axis])
        edge = (side - max(length, round(BOX * side))) // 2 if margin else 0
        corner.append(min(max(wanted, edge), side - edge - length))
    return corner[0], corner[1]
