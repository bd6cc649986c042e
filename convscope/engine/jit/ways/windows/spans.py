"""Layers whose numbers are each the mean of a rectangle: uneven average pools, and padding by what the image holds.

    forward    y[c, i, j] = Σ x[c, k, l] / (nᵢ mⱼ)      k in span i of the rows, l in span j of the columns
    backward  dx[c, k, l] = Σ dy[c, i, j] / (nᵢ mⱼ)      over the spans i and j that hold k and l

A span says which inputs an output takes along one axis, and what it is divided by. So a pad is the case of one input
each (of none, where it is zero) and a divisor of 1; a pool whose windows are all alike has a way of its own: pool.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from .....net.ops import window_size
from ...ir.arrays import Index
from ...ir.kernel import Kernel
from ...ir.taps import TapTable
from ...ir.values import F32, I64, PTR, Value
from ..layer import Op
from ..way import Site, Way


class Span(NamedTuple):
    """The inputs ``start`` … ``stop`` − 1 along one axis, and the axis's part of the divisor."""

    start: int
    stop: int
    divisor: int = 1


@dataclass(frozen=True)
class Means(Op):
    """One span for each row and each column of the output."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def divides(self) -> bool:
        """Whether any divisor is not 1."""
        return any(span.divisor != 1 for span in (*self.rows, *self.columns))


class Spanned(Way):
    """The spans are tables of the program."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        assert isinstance(site.node.op, Means)
        self.means = site.node.op

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(means of x)."""
        f, means = self.site.kernel("forward"), self.means
        x, y = f.array(self.site.x[0]), f.array(self.site.y)
        down, along = _Table(f, means.rows), _Table(f, means.columns)
        with f.loop(y.array.height) as i, f.loop(y.array.width) as j:
            (top, bottom, n), (left, right, m) = down.span(i), along.span(j)
            factor = self._factor(f, n, m)
            with f.loop(y.array.channels) as c, f.loop(f.lanes.vectors) as v:
                total = f.var(f.constant(0.0, f.lanes.vector))
                with f.loop(bottom, top) as k, f.loop(right, left) as z:
                    total.value = total.value + x[c, k, z, v]
                result = total.value * factor if factor else total.value
                y[c, i, j, v] = self.site.node.act.apply(f, result)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """dx from dy."""
        dx = self.site.dx[0]
        if not dx:
            return
        f, means = self.site.kernel("input_gradient"), self.means
        x, dy, out = f.array(self.site.x[0]), f.array(self.dy), f.array(dx.array)
        down = TapTable(f, _readers(means.rows, x.array.height), 1, 1)
        along = TapTable(f, _readers(means.columns, x.array.width), 1, 1)
        with f.loop(x.array.height) as k, f.loop(x.array.width) as z:
            (row, rows), (column, columns) = down.span(k), along.span(z)
            with f.loop(x.array.channels) as c, f.loop(f.lanes.vectors) as v:
                total = f.var(f.constant(0.0, f.lanes.vector))
                with f.loop(rows, row) as s, f.loop(columns, column) as t:
                    (n, i), (m, j) = down.entry(s), along.entry(t)
                    factor = self._factor(f, n, m)
                    total.value = total.value + (dy[c, i, j, v] * factor if factor else dy[c, i, j, v])
                dx.put(f, total.value, x.load((c, k, z, v)), *out.terms((c, k, z, v)))
        yield f

    def _factor(self, f: Kernel, n: Value, m: Value) -> Value | None:
        """1 / (n m) in every lane; None where it is 1 everywhere."""
        if not self.means.divides:
            return None
        return f.splat(1.0 / f.convert("sitofp", n * m, F32), f.lanes.width)


class _Table:
    """Spans as a constant table of a program."""

    def __init__(self, f: Kernel, spans: Sequence[Span]) -> None:
        self.f = f
        self.entries = Value(f, f.module.table([number for span in spans for number in span]), PTR)

    def span(self, i: Index) -> tuple[Value, Value, Value]:
        """Start, stop and divisor of span ``i``."""
        start, stop, divisor = (self.f.load(I64, self.entries, (i, 24), 8 * n) for n in range(3))
        return start, stop, divisor


def _readers(spans: Sequence[Span], size: int) -> list[list[tuple[int, int]]]:
    """For each input the spans that hold it: (divisor, number)."""
    return [[(s.divisor, i) for i, s in enumerate(spans) if s.start <= k < s.stop] for k in range(size)]


def windows(size: int, kernel: int, stride: int, padding: int, ceil_mode: bool, counted: bool) -> tuple[Span, ...]:
    """A pool's windows along an axis. ``counted``: the padding counts in the divisor, but nothing beyond it does."""
    found = []
    for i in range(window_size(size, kernel, stride, padding, ceil_mode=ceil_mode)):
        begin = i * stride - padding
        end = min(begin + kernel, size + padding)
        start, stop = max(begin, 0), min(end, size)
        found.append(Span(start, stop, end - begin if counted else stop - start))
    return tuple(found)


def cells(size: int, count: int) -> tuple[Span, ...]:
    """``count`` cells that cover an axis, as AdaptiveAvgPool2d has them: ⌊i n / count⌋ … ⌈(i + 1) n / count⌉."""
    bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    return tuple(Span(start, stop, stop - start) for start, stop in bounds)
