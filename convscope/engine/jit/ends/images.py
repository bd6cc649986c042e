"""The first kernel: uint8 images, wherever they lie in the set, become the lanes of a block of normalised floats.

    x[c, y, x, lane] = image[index[lane]][c, y, x] · scale[c] + shift[c]      scale = 1 / (255 std), shift = −mean / std

Images lie one after the other, lanes side by side, so this is a transposition. It is done on bytes, ``width`` pixels of
``width`` images at once, before they grow to floats. Images that are floats already are taken as they are.
"""

from collections.abc import Sequence

from ..ir.arrays import Array, Index
from ..ir.elementary import transpose
from ..ir.kernel import Kernel
from ..ir.values import F32, I8, I32, PTR, Value, vector

Norm = tuple[float, float] | None  # scale and shift of a channel; None where images are floats


def norms(scale: Sequence[float] | None, shift: Sequence[float], channels: int) -> list[Norm]:
    """What is done with each channel's numbers."""
    return [None] * channels if scale is None else list(zip(scale, shift, strict=True))


def forward(f: Kernel, scale: Sequence[float] | None, shift: Sequence[float], x: Array) -> None:
    """Fill x from the images whose addresses are in the header (one int64 a lane); no ``scale``: they are floats."""
    lanes, w = f.lanes, f.lanes.width
    norm = norms(scale, shift, x.channels)
    plane = x.height * x.width
    with f.loop(lanes.vectors) as v, f.loop(x.height) as row:
        for c in range(x.channels):
            if x.width < w:
                with f.loop(x.width) as column:
                    _column(f, norm[c], x, c, row, column, v, c * plane)
                continue
            with f.loop(x.width // w * w, 0, w) as column:
                _square(f, norm[c], x, c, row, column, v, c * plane)
            if x.width % w:  # the last pixels of a row: a square that overlaps the one before
                _square(f, norm[c], x, c, row, x.width - w, v, c * plane)


def _image(f: Kernel, v: Index, lane: int) -> Value:
    """The address of the image in a lane."""
    return f.load(PTR, f.images, (v, 8 * f.lanes.width), 8 * lane)


def _square(f: Kernel, norm: Norm, x: Array, c: int, row: Index, column: Index, v: Index, plane: int) -> None:
    lanes = f.lanes
    kind, size = (F32, 4) if norm is None else (I8, 1)
    rows = [
        f.load(
            vector(lanes.width, kind),
            _image(f, v, lane),
            size * plane,
            (row, size * x.width),
            column if norm else (column, 4),
            align=size,
        )
        for lane in range(lanes.width)
    ]
    out = f.address(x.room, *x.at(c, row, column), (v, lanes.bytes))
    for i, pixel in enumerate(transpose(f, rows)):
        f.store(_normalised(f, pixel, norm), out, i * x.pixel)


def _column(f: Kernel, norm: Norm, x: Array, c: int, row: Index, column: Index, v: Index, plane: int) -> None:
    """One pixel of all images, for images that are narrower than a vector."""
    lanes = f.lanes
    kind, size = (F32, 4) if norm is None else (I8, 1)
    room = f.reserve(vector(lanes.width, kind))
    for lane in range(lanes.width):
        place = (size * plane, (row, size * x.width), column if norm else (column, 4))
        f.store(f.load(kind, _image(f, v, lane), *place), room, size * lane)
    pixel = f.load(vector(lanes.width, kind), room, align=size)
    f.store(_normalised(f, pixel, norm), x.room, *x.at(c, row, column), (v, lanes.bytes))


def _normalised(f: Kernel, pixel: Value, norm: Norm) -> Value:
    if norm is None:
        return pixel
    value = f.convert("sitofp", f.convert("zext", pixel, I32), F32)
    return f.fma(value, f.constant(norm[0], value.type), f.constant(norm[1], value.type))
