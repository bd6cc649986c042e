"""The zeros around an array whose room others have used meanwhile."""

from ..ir.arrays import Array, Index
from ..ir.kernel import Kernel


def clear(f: Kernel, x: Array) -> None:
    """Store the zeros of x's border."""
    top, left, bottom, right = x.border
    with f.loop(x.channels) as c:
        _zeros(f, x, c, 0, top * x.row)
        if left or right:
            with f.loop(x.height) as y:
                _zeros(f, x, c, top * x.row, left * x.pixel, y)
                _zeros(f, x, c, x.origin + x.width * x.pixel, right * x.pixel, y)
        _zeros(f, x, c, (top + x.height) * x.row, bottom * x.row)


def _zeros(f: Kernel, x: Array, c: Index, start: int, size: int, y: Index = 0) -> None:
    """``size`` bytes from ``start`` on, y rows further down, in channel c."""
    step = f.lanes.bytes
    if size:
        with f.loop(size // step) as i:
            f.store(f.constant(0.0, f.lanes.vector), x.room, start, (c, x.channel), (y, x.row), (i, step))
