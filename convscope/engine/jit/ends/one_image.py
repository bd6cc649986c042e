"""The first kernel for one image: vectors run along its rows."""

from collections.abc import Sequence

from ..ir.arrays import Array
from ..ir.kernel import Kernel
from ..ir.values import F32, I8, I32, PTR, vector
from .images import norms

WIDTH = 16  # at most


def forward(f: Kernel, scale: Sequence[float] | None, shift: Sequence[float], x: Array) -> None:
    """x = image · scale + shift, vectors along the row; no ``scale``: x = image, which is floats."""
    norm = norms(scale, shift, x.channels)
    width = min(WIDTH, 1 << x.width.bit_length() - 1)
    image = f.load(PTR, f.images)
    with f.loop(x.height) as row:
        for c in range(x.channels):
            for begin, end in ((0, x.width // width * width), (x.width - width, x.width)):
                with f.loop(end, begin, width) as column:
                    plane, own = c * x.height * x.width, norm[c]
                    if own is None:
                        result = f.load(vector(width, F32), image, 4 * plane, (row, 4 * x.width), (column, 4), align=4)
                    else:
                        pixels = f.load(vector(width, I8), image, plane, (row, x.width), column, align=1)
                        value = f.convert("sitofp", f.convert("zext", pixels, I32), F32)
                        result = f.fma(value, f.constant(own[0], value.type), f.constant(own[1], value.type))
                    f.store(result, x.room, *x.at(c, row, column), align=4)
                if not x.width % width:
                    break
