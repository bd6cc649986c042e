"""Linear layers: their weight gradient has no positions to sum over, dw[o, i] = Σ_images dy[o] · x[i].

With images in the lanes, as elsewhere, each weight would need a sum over the lanes of its own. So the inputs are first
transposed, x[i, lane] → t[lane, i], and vectors run along i: dw[o, i...] += dy[o, lane] · t[lane, i...], lane by lane.
"""

from collections.abc import Iterator
from math import inf, prod

from ...ir import registers
from ...ir.arrays import LINE, Array, Index, Lanes, chunks
from ...ir.elementary import transpose
from ...ir.kernel import Kernel
from ...ir.values import F32, I64, PTR, Value, vector
from ..conv import Conv
from ..way import Site
from .forward import Direct


class Linear(Direct):
    """One group, one position, which sees the whole input: a matrix."""

    @classmethod
    def cost(cls, site: Site) -> float:
        """A little less than the general way."""
        conv, (_, *size) = site.node.op, site.node.shapes[0]
        assert isinstance(conv, Conv)
        fits = conv.kernel == tuple(size) and conv.groups == 1 and not any(conv.padding) and not conv.pool
        return super().cost(site) * 0.99 if fits else inf

    def weight_gradient(self, dy: Array) -> Iterator[Kernel]:
        """dw[o, i...] += dy[o, lane] · t[lane, i...]."""
        f, x = self.site.kernel("weight_gradient"), self.site.x[0]
        inputs, by_lane = x.channels * x.height * x.width, row(prod(x.shape), f.lanes)
        room = self.site.module.room(f.lanes.count * by_lane)
        _transpose(f, x, t := f.address(room), by_lane)
        begin, width = 0, f.lanes.width
        while begin < inputs:  # whole vectors, then the rest in ever narrower ones
            end = begin + (inputs - begin) // width * width
            if begin < end:
                for first, last, count in chunks((end - begin) // width, 2):
                    for start, stop, size in chunks(self.conv.outputs, f.lanes.registers // count):
                        inner, outer = begin + first * width, begin + last * width
                        with f.loop(outer, inner, count * width) as i, f.loop(stop, start, size) as o:
                            _block(f, self.conv, dy, t, by_lane, i, o, size, count, width)
            begin, width = end, width // 2
        yield f


def row(inputs: int, lanes: Lanes) -> int:
    """Bytes of one lane's row of t: whole vectors, an odd number of cache lines."""
    whole = -(-inputs // lanes.width) * lanes.bytes
    return (-(-whole // LINE) | 1) * LINE


def _transpose(f: Kernel, x: Array, t: Value, by_lane: int) -> None:
    """t[lane, i] = x[i, lane]; the last square repeats the last input."""
    lanes = f.lanes
    places = [
        c * x.channel + y * x.row + z * x.pixel
        for c in range(x.channels)
        for y in range(x.height)
        for z in range(x.width)
    ]
    places += [places[-1]] * (-len(places) % lanes.width)
    table = Value(f, f.module.table(places), PTR)
    with f.loop(len(places), 0, lanes.width) as i, f.loop(lanes.vectors) as v:
        rows = [
            f.load(lanes.vector, x.room, x.origin, f.load(I64, table, (i, 8), 8 * n), (v, lanes.bytes))
            for n in range(lanes.width)
        ]
        for lane, column in enumerate(transpose(f, rows)):
            f.store(column, t, lane * by_lane, (v, lanes.width * by_lane), (i, 4))


def _block(
    f: Kernel, conv: Conv, dy: Array, t: Value, by_lane: int, i: Index, o: Index, size: int, count: int, width: int
) -> None:
    """``size`` outputs from o, ``count`` vectors of ``width`` inputs from i."""
    kind = vector(width)
    sums = registers.zeros(f, size, count, kind)
    gradient = f.address(dy.room, dy.origin, (o, dy.channel))
    with f.loop(f.lanes.count) as lane:
        inputs = [f.load(kind, t, (lane, by_lane), (i, 4), 4 * width * n, align=4) for n in range(count)]
        registers.accumulate(
            f, sums, lambda n: f.splat(f.load(F32, gradient, n * dy.channel, (lane, 4)), width), inputs
        )
    by_o = conv.weight_strides()[0]
    out = f.address(f["g"], 4 * conv.weight, (o, by_o), (i, 4))
    for n in range(size):
        for m in range(count):
            place = f.address(out, n * by_o + 4 * width * m)
            f.store(f.load(kind, place, align=4) + sums[n][m].value, place, align=4)
