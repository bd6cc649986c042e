"""The first kernel: uint8 images, wherever they lie in the set, become the lanes of a block of normalised floats.

    x[c, y, x, lane] = image[index[lane]][c, y, x] · scale[c] + shift[c]      scale = 1 / (255 std), shift = −mean / std

Images lie one after the other, lanes side by side, so this is a transposition. It is done on bytes, ``width`` pixels of
``width`` images at once, before they grow to floats.
"""

from collections.abc import Sequence

from ..ir.arrays import Array, Index
from ..ir.elementary import transpose
from ..ir.kernel import Kernel
from ..ir.values import F32, I8, I32, PTR, Value, vector


def forward(f: Kernel, scale: Sequence[float], shift: Sequence[float], x: Array) -> None:
    """Fill x from the images whose addresses are in the header (one int64 a lane)."""
    lanes, w = f.lanes, f.lanes.width
    plane = x.height * x.width
    with f.loop(lanes.vectors) as v, f.loop(x.height) as row:
        for c in range(x.channels):
            if x.width < w:
                with f.loop(x.width) as column:
                    _column(f, scale[c], shift[c], x, c, row, column, v, c * plane)
                continue
            with f.loop(x.width // w * w, 0, w) as column:
                _square(f, scale[c], shift[c], x, c, row, column, v, c * plane)
            if x.width % w:  # the last pixels of a row: a square that overlaps the one before
                _square(f, scale[c], shift[c], x, c, row, x.width - w, v, c * plane)


def _image(f: Kernel, v: Index, lane: int) -> Value:
    """The address of the image in a lane."""
    return f.load(PTR, f.images, (v, 8 * f.lanes.width), 8 * lane)


def _square(
    f: Kernel, scale: float, shift: float, x: Array, c: int, row: Index, column: Index, v: Index, plane: int
) -> None:
    lanes = f.lanes
    bytes_ = vector(lanes.width, I8)
    rows = [f.load(bytes_, _image(f, v, lane), plane, (row, x.width), column, align=1) for lane in range(lanes.width)]
    out = f.address(x.room, *x.at(c, row, column), (v, lanes.bytes))
    for i, pixel in enumerate(transpose(f, rows)):
        f.store(_normalised(f, pixel, scale, shift), out, i * x.pixel)


def _column(
    f: Kernel, scale: float, shift: float, x: Array, c: int, row: Index, column: Index, v: Index, plane: int
) -> None:
    """One pixel of all images, for images that are narrower than a vector."""
    lanes = f.lanes
    room = f.reserve(vector(lanes.width, I8))
    for lane in range(lanes.width):
        f.store(f.load(I8, _image(f, v, lane), plane, (row, x.width), column), room, lane)
    pixel = f.load(vector(lanes.width, I8), room, align=1)
    f.store(_normalised(f, pixel, scale, shift), x.room, *x.at(c, row, column), (v, lanes.bytes))


def _normalised(f: Kernel, pixel: Value, scale: float, shift: float) -> Value:
    value = f.convert("sitofp", f.convert("zext", pixel, I32), F32)
    return f.fma(value, f.constant(scale, value.type), f.constant(shift, value.type))
