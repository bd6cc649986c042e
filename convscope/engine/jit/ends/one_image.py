"""The first kernel for one image: vectors run along its rows."""

from collections.abc import Sequence

from ..ir.arrays import Array
from ..ir.kernel import Kernel
from ..ir.values import F32, I8, I32, PTR, vector

WIDTH = 16  # at most


def forward(f: Kernel, scale: Sequence[float], shift: Sequence[float], x: Array) -> None:
    """x = image · scale + shift, vectors along the row."""
    width = min(WIDTH, 1 << x.width.bit_length() - 1)
    image = f.load(PTR, f.images)
    with f.loop(x.height) as row:
        for c in range(x.channels):
            for begin, end in ((0, x.width // width * width), (x.width - width, x.width)):
                with f.loop(end, begin, width) as column:
                    place = (c * x.height * x.width, (row, x.width), column)
                    pixels = f.load(vector(width, I8), image, *place, align=1)
                    value = f.convert("sitofp", f.convert("zext", pixels, I32), F32)
                    result = f.fma(value, f.constant(scale[c], value.type), f.constant(shift[c], value.type))
                    f.store(result, x.room, *x.at(c, row, column), align=4)
                if not x.width % width:
                    break
