"""The input gradient as a correlation: for most convolutions it is one, of dy with the kernel turned round.

With stride s, inputs u that leave the same rest r = u mod s are reached by the same kernel elements. Each such *class*
is a convolution of stride 1 of its own, with every s-th element: no tables, no zeros in between, and as many sums in
registers as forward. Around dy there are zeros, as far as a class looks. Where that would be most of what is looked at
(one output pixel, a linear layer), backward.py visits the elements that exist.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

from ...ir import registers
from ...ir.arrays import Array, Border, Index, Pair, chunks
from ...ir.kernel import Kernel
from ...ir.taps import taps
from ...ir.values import Value
from ..conv import Conv
from ..gradient import Gradient
from ..layer import NONE

WASTE = 1.6  # times the multiply-adds that count


@dataclass(frozen=True)
class Class:
    """Inputs first, first + s, …: ``count`` of them; number a gets Σ w[k] · dy[a + o] over ``taps`` (k, o)."""

    first: int
    count: int
    taps: tuple[Pair, ...]

    @property
    def step(self) -> Pair:
        """From one tap to the next."""
        if len(self.taps) < 2:
            return 0, 0
        (k, o), (following, after) = self.taps[:2]
        return following - k, after - o


def classes(size: int, kernel: int, stride: int, padding: int, dilation: int) -> list[Class]:
    """The classes of ``size`` inputs along one axis; their taps are equally far apart."""
    found = []
    for first in range(min(stride, size)):
        reach = [(k, first + padding - k * dilation) for k in range(kernel)]
        exact = tuple((k, o // stride) for k, o in reach if o % stride == 0)
        found.append(Class(first, -(-(size - first) // stride), exact))
    return found


def axes(conv: Conv, x: Array) -> tuple[list[Class], list[Class]]:
    """The classes of both axes."""
    sides = zip((x.height, x.width), conv.kernel, conv.stride, conv.padding[:2], conv.dilation, strict=True)
    down, along = (classes(*side) for side in sides)
    return down, along


def border(conv: Conv, x: Array, output: Pair) -> Border | None:
    """How many zeros around dy of size ``output`` the classes look at; None where too many, or for a linear layer."""
    if output == (1, 1):
        return None
    before, after, work, useful = [], [], 1, 1
    for found, outputs, side in zip(axes(conv, x), output, range(2), strict=True):
        looks = [(o, o + one.count - 1) for one in found for _, o in one.taps]
        before.append(max(0, -min((first for first, _ in looks), default=0)))
        after.append(max(0, max((last for _, last in looks), default=0) - outputs + 1))
        work *= sum(one.count * len(one.taps) for one in found)
        size, kernel = (x.height, x.width)[side], conv.kernel[side]
        exact = taps(size, outputs, kernel, conv.stride[side], conv.padding[side], conv.dilation[side])
        useful *= sum(map(len, exact))
    return (before[0], before[1], after[0], after[1]) if work <= WASTE * useful else None


def input_gradient(f: Kernel, conv: Conv, x: Array, dy: Array, dx: Gradient) -> None:
    """dx from dy, around which there are zeros. The classes take turns row by row, for their lines lie side by side."""
    down, along = axes(conv, x)
    shared = min(rows.count for rows in down)
    size, across = registers.tile(
        conv.fan_in, max(columns.count for columns in along), f.lanes.vectors, f.lanes.registers
    )
    rest = [(shared, rows.count, [rows]) for rows in down if rows.count > shared]  # some have one row more
    for begin, end, alike in ((0, shared, down), *rest):
        for start, stop, channels in chunks(conv.fan_in, size):
            with f.loop(conv.groups) as g, f.loop(stop, start, channels) as c, f.loop(end, begin) as row:
                for rows, columns in product(alike, along):
                    for left, right, count in chunks(columns.count, across):
                        with f.loop(right, left, count) as column:
                            part = _Part(f, conv, rows, columns, channels, count)
                            known, out = (part.place(array, g, c, row, column) for array in (x, dx.array))
                            part.ask(x, known, dx, out)
                            part.store(part.sums(dy, g, c, row, column), x, known, dx, out)


@dataclass(frozen=True)
class _Part:
    """``size`` input channels × ``count`` inputs of a row of a class × the vectors of the block."""

    f: Kernel
    conv: Conv
    rows: Class
    columns: Class
    size: int
    count: int

    def sums(self, dy: Array, g: Index, c: Index, row: Index, column: Index) -> registers.Sums:
        """Σ over output channels and taps."""
        f, conv, lanes = self.f, self.conv, self.f.lanes
        by_o, by_c, by_k, by_l = conv.weight_strides()
        sums = registers.zeros(f, self.size, self.count * lanes.vectors, lanes.vector)
        if not self.rows.taps or not self.columns.taps:
            return sums
        (k, i), (m, j) = self.rows.taps[0], self.columns.taps[0]
        (next_k, next_i), (next_m, next_j) = self.rows.step, self.columns.step
        w = f.address(f["p"], 4 * conv.weight + k * by_k + m * by_l, (g, by_o * conv.fan_out), (c, by_c))
        corner = f.address(
            dy.room,
            dy.origin + i * dy.row + j * dy.pixel,
            (g, conv.fan_out * dy.channel),
            (row, dy.row),
            (column, dy.pixel),
        )
        with f.loop(conv.fan_out) as o, f.loop(len(self.rows.taps)) as tap:
            at = f.address(corner, (o, dy.channel), (tap, next_i * dy.row))
            wt = f.address(w, (o, by_o), (tap, next_k * by_k))
            for n in range(len(self.columns.taps)):
                slopes = [
                    f.load(lanes.vector, at, (n * next_j + u) * dy.pixel + v * lanes.bytes)
                    for u in range(self.count)
                    for v in range(lanes.vectors)
                ]
                registers.accumulate(f, sums, registers.spread(f, wt, by_c, lanes.width, n * next_m * by_l), slopes)
        return sums

    def place(self, array: Array, g: Index, c: Index, row: Index, column: Index) -> Value:
        """The first of its numbers in x or dx."""
        down, along = self.conv.stride
        return self.f.address(
            array.room,
            array.origin + self.rows.first * array.row + self.columns.first * array.pixel,
            (c, array.channel),
            (g, self.conv.fan_in * array.channel),
            (row, down * array.row),
            (column, along * array.pixel),
        )

    def ask(self, x: Array, known: Value, dx: Gradient, out: Value) -> None:
        """Have what ``store`` needs brought near while the sums are computed."""
        for n, u, v in self._each():
            if dx.act != NONE:
                self.f.prefetch(known, self._bytes(x, n, u, v))
            self.f.prefetch(out, self._bytes(dx.array, n, u, v), write=True)

    def store(self, sums: registers.Sums, x: Array, known: Value, dx: Gradient, out: Value) -> None:
        """dx, at every s-th place."""
        f = self.f
        for n, u, v in self._each():
            result = partial(f.load, f.lanes.vector, known, self._bytes(x, n, u, v))
            dx.put(f, sums[n][u * f.lanes.vectors + v].value, result, out, self._bytes(dx.array, n, u, v))

    def _each(self) -> Iterator[tuple[int, int, int]]:
        """Channels, inputs, vectors."""
        return product(range(self.size), range(self.count), range(self.f.lanes.vectors))

    def _bytes(self, array: Array, n: int, u: int, v: int) -> int:
        return n * array.channel + u * self.conv.stride[1] * array.pixel + v * self.f.lanes.bytes
