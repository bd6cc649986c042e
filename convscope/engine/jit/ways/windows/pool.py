"""MaxPool2d and AvgPool2d as nodes of their own (a max pool after a convolution is part of it).

    max       y[c, i, j] = max over the window of x[c, i·s − p + k, j·s − p + l]; remembered is which (k, l) it was
              dx[c, u, v] = Σ dy[c, i, j] over the windows whose maximum stood at (u, v)
    average   y[c, i, j] = Σ over the window of x / (kernel area), padding counted as zeros
              dx[c, u, v] = Σ dy[c, i, j] / (kernel area) over the windows that hold (u, v)

The backward pass gathers along the same taps as a convolution's: each input asks the windows that it lies in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import inf

from torch import nn
from typing_extensions import override

from .....net.ops import window_size
from ...ir.arrays import Index, Pair
from ...ir.kernel import Kernel
from ...ir.taps import TapTable, taps
from ...ir.values import I32, I64, Value, like
from ..layer import Form, Op, Read, Where, fitting, image_of, objection, pair, read
from ..way import Site, Way
from .spans import Means, cells, windows


@dataclass(frozen=True)
class Pool(Op):
    """A pooling window; a global average is an average whose window is the whole image."""

    average: bool
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    @property
    def decides(self) -> bool:
        """Whether the largest number gets the gradient."""
        return not self.average


class Windows(Way):
    """A window at a time; of a maximum it keeps where it stood, k·width + l, as an integer."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        assert isinstance(site.node.op, Pool)
        self.pool = site.node.op
        self.winners = site.array(site.node.output) if site.training and not self.pool.average else None

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 1.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(pool(x))."""
        f, pool = self.site.kernel("forward"), self.pool
        x, y = self.site.x[0], f.array(self.site.y)
        winners = f.array(self.winners) if self.winners else None
        (kh, kw), (sy, sx), (py, px) = pool.kernel, pool.stride, pool.padding
        with f.each(self.site.y) as (c, i, j, v):
            best = f.var(f.constant(0.0 if pool.average else float("-inf"), f.lanes.vector))
            place = f.var(f.constant(0, like(f.lanes.vector, I32)))
            (top, k0, k1), (left, l0, l1) = _range(f, i, sy, py, kh, x.height), _range(f, j, sx, px, kw, x.width)
            if not pool.average:  # the first element counts as the maximum so far, as in PyTorch
                place.value = f.splat(f.convert("trunc", f.integer(k0) * kw + l0, I32), f.lanes.width)
            with f.loop(k1, k0) as k, f.loop(l1, l0) as m:
                at = f.address(x.room, *x.at(c, top, left), (k, x.row), (m, x.pixel), (v, f.lanes.bytes))
                value = f.load(f.lanes.vector, at)
                if pool.average:
                    best.value = best.value + value
                else:
                    larger = f.compare("ogt", value, best.value) | f.compare("uno", value, value)
                    best.value = f.select(larger, value, best.value)
                    here = f.splat(f.convert("trunc", f.integer(k) * kw + m, I32), f.lanes.width)
                    place.value = f.select(larger, here, place.value)
            result = best.value * (1.0 / (kh * kw)) if pool.average else best.value
            y[c, i, j, v] = self.site.node.act.apply(f, result)
            if winners:
                winners[c, i, j, v] = place.value
        yield f

    def backward(self) -> Iterator[Kernel]:
        """dx from dy."""
        dx = self.site.dx[0]
        if not dx:
            return
        f, pool = self.site.kernel("input_gradient"), self.pool
        x, dy, out = f.array(self.site.x[0]), f.array(self.dy), f.array(dx.array)
        winners = self.winners
        (kh, kw), (sy, sx), (py, px) = pool.kernel, pool.stride, pool.padding
        _, height, width = self.site.x[0].shape
        down = TapTable(f, taps(height, self.dy.height, kh, sy, py, 1), kw, 1)
        along = TapTable(f, taps(width, self.dy.width, kw, sx, px, 1), 1, 1)
        with f.loop(height) as u, f.loop(width) as w:
            row, rows = down.span(u)
            column, columns = along.span(w)
            with f.loop(self.site.x[0].channels) as c, f.loop(f.lanes.vectors) as v:
                total = f.var(f.constant(0.0, f.lanes.vector))
                with f.loop(rows, row) as s, f.loop(columns, column) as t:
                    (k, i), (m, j) = down.entry(s), along.entry(t)
                    gradient = dy[c, i, j, v]
                    if winners:
                        place = f.load(like(f.lanes.vector, I32), *f.array(winners).terms((c, i, j, v)))
                        mine = f.splat(f.convert("trunc", k + m, I32), f.lanes.width)
                        gradient = f.select(f.compare("eq", place, mine), gradient, f.constant(0.0, f.lanes.vector))
                    total.value = total.value + gradient
                result = total.value * (1.0 / (kh * kw)) if pool.average else total.value
                dx.put(f, result, x.load((c, u, w, v)), *out.terms((c, u, w, v)))
        yield f


class Apart(Windows):
    """Windows that cover their input without overlaps: each gives its gradient to its own numbers."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        pool, (_, *size), (_, *output) = site.node.op, site.node.shapes[0], site.node.output
        assert isinstance(pool, Pool)
        covered = [n * k for n, k in zip(output, pool.kernel, strict=True)]
        return 0.5 if pool.stride == pool.kernel and pool.padding == (0, 0) and covered == size else inf

    @override
    def backward(self) -> Iterator[Kernel]:
        dx = self.site.dx[0]
        if not dx:
            return
        f, (kh, kw) = self.site.kernel("input_gradient"), self.pool.kernel
        dy, array = f.array(self.dy), dx.array
        with f.each(self.site.y) as (c, i, j, v):
            gradient = dy[c, i, j, v] * (1.0 / (kh * kw)) if self.pool.average else dy[c, i, j, v]
            winner = self.winners and f.load(like(gradient.type, I32), *f.array(self.winners).terms((c, i, j, v)))
            known, out = (
                f.address(a.room, a.origin, (c, a.channel), (i, kh * a.row), (j, kw * a.pixel), (v, f.lanes.bytes))
                for a in (self.site.x[0], array)
            )
            with f.loop(kh) as k, f.loop(kw) as m:
                part = gradient
                if winner:
                    mine = f.splat(f.convert("trunc", f.integer(k) * kw + m, I32), f.lanes.width)
                    part = f.select(f.compare("eq", winner, mine), gradient, f.constant(0.0, gradient.type))
                x = self.site.x[0]
                result = partial(f.load, gradient.type, known, (k, x.row), (m, x.pixel))
                dx.put(f, part, result, out, (k, array.row), (m, array.pixel))
        yield f


def _range(f: Kernel, i: Index, stride: int, padding: int, kernel: int, size: int) -> tuple[Value, Value, Value]:
    """Where window ``i`` begins, and which of its elements, from the first to the last plus one, lie in the image."""
    begin = f.integer(i) * stride - padding
    first = f.select(f.compare("slt", begin, 0), 0 - begin, f.constant(0, I64))
    return begin, first, f.minimum(size - begin, kernel)


@objection.register
def _(_module: nn.AdaptiveAvgPool2d) -> str:
    return ""


@objection.register
def _(module: nn.MaxPool2d) -> str:
    plain = pair(module.dilation) == (1, 1) and not module.return_indices
    return "" if plain else "it has dilation or return_indices"


@objection.register
def _(module: nn.AvgPool2d) -> str:
    return "its divisor is 0" if module.divisor_override == 0 else ""


@read.register
def _(module: nn.AdaptiveAvgPool2d, inputs: tuple[Form, ...], _where: Where) -> Read:
    channels, *size = image_of(inputs)
    asked = module.output_size if isinstance(module.output_size, tuple | list) else (module.output_size,) * 2
    output = [n if count is None else count for n, count in zip(size, asked, strict=True)]
    shape = fitting((channels, *output), inputs[0])
    if any(n % count for n, count in zip(size, output, strict=True)):
        rows, columns = (cells(n, count) for n, count in zip(size, output, strict=True))
        return Read(Means(rows, columns), shape)
    kernel = size[0] // output[0], size[1] // output[1]
    return Read(Pool(True, kernel, kernel), shape)


@read.register
def _(module: nn.MaxPool2d, inputs: tuple[Form, ...], _where: Where) -> Read:
    channels, *size = image_of(inputs)
    pool = Pool(False, pair(module.kernel_size), pair(module.stride), pair(module.padding))
    sides = zip(size, pool.kernel, pool.stride, pool.padding, strict=True)
    output = [window_size(*side, ceil_mode=module.ceil_mode) for side in sides]
    return Read(pool, fitting((channels, *output), inputs[0]))


@read.register
def _(module: nn.AvgPool2d, inputs: tuple[Form, ...], _where: Where) -> Read:
    channels, *size = image_of(inputs)
    pool = Pool(True, pair(module.kernel_size), pair(module.stride), pair(module.padding))
    sides = zip(size, pool.kernel, pool.stride, pool.padding, strict=True)
    rows, columns = (windows(*side, module.ceil_mode, module.count_include_pad) for side in sides)
    shape = fitting((channels, len(rows), len(columns)), inputs[0])
    if module.divisor_override is not None:
        rows = tuple(span._replace(divisor=module.divisor_override) for span in rows)
        columns = tuple(span._replace(divisor=1) for span in columns)
    divisors = [{span.divisor for span in spans} for spans in (rows, columns)]
    alike = divisors == [{kernel} for kernel in pool.kernel]
    return Read(pool if alike else Means(rows, columns), shape)
