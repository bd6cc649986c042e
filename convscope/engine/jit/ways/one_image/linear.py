"""A linear layer for one image: vectors run along the inputs, and their lanes are added up at the end."""

from collections.abc import Iterator
from math import inf

from ...ir import registers
from ...ir.arrays import Array, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.values import Value, vector
from ..conv import Conv
from ..way import Site, Way

WIDTH = 16  # at most


class LinearOfOne(Way):
    """y[o] = a(b[o] + Σ_i w[o, i] · x[i])."""

    @classmethod
    def cost(cls, site: Site) -> float:
        """The multiply-adds of a vector count as one."""
        conv, (_, *size), x = site.node.op, site.node.shapes[0], site.x[0]
        assert isinstance(conv, Conv)
        whole = site.node.output[1:] == (1, 1) and conv.kernel == tuple(size) and conv.groups == 1
        fits = site.lanes.count == 1 and whole and not any(x.border)
        return conv.trained / WIDTH if fits else inf

    def forward(self) -> Iterator[Kernel]:
        """y = a(w x + b)."""
        f, op, x, y = self.site.kernel("forward"), self.site.node.op, self.site.x[0], self.site.y
        assert isinstance(op, Conv)
        count = x.channels * x.height * x.width
        width = min(WIDTH, 1 << count.bit_length() - 1)
        whole = count // width * width
        by_o = op.weight_strides()[0]
        room = f.reserve(vector(width))
        for start, stop, size in chunks(op.outputs, min(width, f.lanes.registers // 2)):
            with f.loop(stop, start, size) as o:
                w = f.address(f["p"], 4 * op.weight, (o, by_o))
                f.store(lane_sums(f, _products(f, w, by_o, size, x, 0, whole, width)), room)
                rest = _products(f, w, by_o, size, x, whole, count, 1)
                for n in range(size):
                    total = f.load(vector(1), room, 4 * n) + rest[n]
                    if op.bias is not None:
                        total = total + f.load(vector(1), f["p"], 4 * (op.bias + n), (o, 4))
                    f.store(self.site.node.act.apply(f, total), y.room, y.origin + n * y.channel, (o, y.channel))
        yield f


def _products(f: Kernel, w: Value, by_o: int, size: int, x: Array, first: int, last: int, width: int) -> list[Value]:
    """For each of ``size`` outputs the sum of w·x over inputs first..last−1, still in ``width`` lanes."""
    kind = vector(width)
    sums = registers.zeros(f, size, 1, kind)
    if first < last:
        with f.loop(last, first, width) as i:
            value = f.load(kind, x.room, x.origin, (i, 4), align=4)
            for n, (total,) in enumerate(sums):
                total.value = f.fma(f.load(kind, w, n * by_o, (i, 4), align=4), value, total.value)
    return [total.value for (total,) in sums]
