"""A convolution for one image alone: there is no batch to fill the vectors with, so they run along a row.

The same arithmetic as direct/forward.py, in this direction only: a vector holds neighbouring output columns, and the
last vector of a row overlaps the one before, so that nothing is ever computed beyond the row. Convolutions with a
stride along the row, and pools on their own, use the kernels for batches with one lane.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod

from ...ir import registers
from ...ir.arrays import Index, chunks
from ...ir.function import Function
from ...ir.kernel import Kernel
from ...ir.values import F32, Value, vector
from ..conv import Conv
from ..direct.forward import UNROLLED
from ..way import Site, Way

WIDTH = 8  # at most: small images have short rows
ROWS = 4  # of a tile, if there are so many: a weight then serves four multiply-adds


class Rows(Way):
    """Some output channels × the rows of a pooling window (or some rows) × one vector of columns."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        assert isinstance(site.node.op, Conv)
        self.conv = site.node.op

    @classmethod
    def cost(cls, site: Site) -> float:
        """The multiply-adds of a vector of columns count as one."""
        conv, (_, height, width) = site.node.op, site.node.output
        assert isinstance(conv, Conv)
        (kh, kw), across = conv.window, width * conv.window[1]
        if site.lanes.count > 1 or conv.stride[1] > 1 or kw > 2 or across < 2:
            return inf
        return height * kh * -(-across // WIDTH) * prod(conv.kernel) * conv.fan_in * conv.outputs

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(conv(x)))."""
        f, conv, y = self.site.kernel("forward"), self.conv, self.site.y
        kh, kw = conv.window
        columns = y.width * kw
        width = min(WIDTH, 1 << columns.bit_length() - 1)
        for start, stop, size in chunks(conv.fan_out, max(1, f.lanes.registers // ROWS)):
            for top, bottom, bands in chunks(y.height, max(1, f.lanes.registers // (size * kh))):
                tile = RowTile(f, self.site, conv, size, bands, width)
                with f.loop(conv.groups) as g, f.loop(stop, start, size) as o, f.loop(bottom, top, bands) as row:
                    with f.loop(columns // width * width, 0, width) as column:
                        tile.write(g, o, row, column)
                    if columns % width:
                        tile.write(g, o, row, columns - width)
        yield f


@dataclass(frozen=True)
class RowTile:
    """``size`` output channels × ``bands`` rows of y × ``width`` columns of the convolution."""

    f: Kernel
    site: Site
    conv: Conv
    size: int
    bands: int
    width: int

    def write(self, g: Index, o: Index, row: Index, column: Index) -> None:
        """The tile from channel o of group g, row and column on."""
        f, y, (kh, kw), width = self.f, self.site.y, self.conv.window, self.width
        sums = self._sums(g, o, row, column)
        out = f.address(y.room, y.origin, (g, self.conv.fan_out * y.channel), (o, y.channel), (row, y.row))
        place = column // kw if isinstance(column, int) else column >> (kw - 1)
        for n, rows in enumerate(sums):
            for band in range(self.bands):
                best = maximum(f, [total.value for total in rows[band * kh : (band + 1) * kh]])
                if kw == 2:
                    best = maximum(f, [f.shuffle(best, best, list(range(first, width, 2))) for first in (0, 1)])
                result = self.site.node.act.apply(f, best)
                f.store(result, out, n * y.channel + band * y.row, (place, y.pixel), align=4)

    def _sums(self, g: Index, o: Index, row: Index, column: Index) -> registers.Sums:
        """The convolution's results, a vector of columns for each channel and row."""
        f, conv, x, kh = self.f, self.conv, self.site.x[0], self.conv.window[0]
        kind, rows = vector(self.width), self.bands * kh
        by_o, by_c, by_k, by_l = conv.weight_strides()
        (sy, _), (dy, dx) = conv.stride, conv.dilation
        sums = []
        for n in range(self.size):
            bias = (
                None if conv.bias is None else f.load(F32, f["p"], 4 * (conv.bias + n), (g, 4 * conv.fan_out), (o, 4))
            )
            first = f.constant(0.0, kind) if bias is None else f.splat(bias, self.width)
            sums.append([f.var(first) for _ in range(rows)])
        corner = f.address(
            x.room, x.corner(conv.padding), (g, conv.fan_in * x.channel), (row, kh * sy * x.row), (column, x.pixel)
        )
        w = f.address(f["p"], 4 * conv.weight, (g, by_o * conv.fan_out), (o, by_o))
        unroll = conv.kernel[1] if conv.kernel[1] * self.size * rows <= UNROLLED else 1
        with f.loop(conv.fan_in) as c, f.loop(conv.kernel[0]) as k, f.loop(conv.kernel[1] // unroll) as rolled:
            at = f.address(corner, (c, x.channel), (k, dy * x.row), (rolled, dx * x.pixel))
            wt = f.address(w, (c, by_c), (k, by_k), (rolled, by_l))
            for tap in range(unroll):
                loaded = [f.load(kind, at, r * sy * x.row + tap * dx * x.pixel, align=4) for r in range(rows)]
                registers.accumulate(f, sums, registers.spread(f, wt, by_o, self.width, tap * by_l), loaded)
        return sums


def maximum(f: Function, values: list[Value]) -> Value:
    """The largest of some vectors, lane by lane; not-a-number wins."""
    best = values[0]
    for value in values[1:]:
        larger = f.select(f.compare("ogt", best, value), best, value)
        best = f.select(f.compare("uno", best, best), best, larger)
    return best
