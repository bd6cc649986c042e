"""Sums over all positions of a convolution: of the numbers under the kernel, and of the products of any two of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import isqrt, prod

from ...ir.arrays import Array, Index, Lanes, Pair, Room, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel, Reduction
from ...ir.values import Value, Var
from ..conv import Conv
from ..norm.statistics import real


@dataclass(frozen=True)
class Moments:
    """Σ d dᵀ, row by row and of it the lower half, Σ d, and N, for d the numbers under the kernel of ``conv``.

    ``size``: rows and columns of positions, in ``x``. A thread keeps the images of a vector apart.
    """

    conv: Conv
    x: Array
    size: Pair

    @property
    def fan(self) -> int:
        """Numbers under the kernel, in the order of the weights."""
        return self.conv.inputs * prod(self.conv.kernel)

    @property
    def sums(self) -> int:
        """The place of Σ d."""
        return self.fan * self.fan

    @property
    def number(self) -> int:
        """The place of N."""
        return self.sums + self.fan

    def count(self, lanes: Lanes) -> int:
        """How many numbers all of it is, in whole vectors."""
        return -(-(self.number + 1) // lanes.width) * lanes.width

    def add(self, f: Kernel, room: Room) -> None:
        """Add a block's part. Each row's sums begin at zero, so that few numbers of very different size are added."""
        (height, width), (down, along) = self.size, self.conv.stride
        parts, zero = list(self._parts(isqrt(f.lanes.registers))), f.constant(0.0, f.lanes.vector)
        with f.loop(f.lanes.vectors) as v:
            here = real(f, v)
            with f.loop(height) as i:
                first = f.address(
                    self.x.room, self.x.corner(self.conv.padding), (i, down * self.x.row), (v, f.lanes.bytes)
                )
                for rows, columns in parts:
                    pairs = {(p, q): f.var(zero) for p, q in product(rows, columns) if p >= q}
                    alone = {p: f.var(zero) for p in rows if rows == columns}
                    with f.loop(width) as j:
                        self._add(f, f.address(first, (j, along * self.x.pixel)), pairs, alone)
                    for (p, q), total in pairs.items():
                        _keep(f, here, total.value, room, p * self.fan + q)
                    for p, total in alone.items():
                        _keep(f, here, total.value, room, self.sums + p)
            _keep(f, here, f.constant(height * width, f.lanes.vector), room, self.number)

    def total(self, r: Reduction, mine: Room, out: Room) -> None:
        """Over the lanes of all threads, one number after the other."""
        lanes = r.lanes
        with r.loop(self.count(lanes), 0, lanes.width) as e:
            sums = [r.var(r.constant(0.0, lanes.vector)) for _ in range(lanes.width)]
            with r.loop(r.threads) as t:
                for n, total in enumerate(sums):
                    place = r.elsewhere(t, mine, (e, lanes.bytes), n * lanes.bytes)
                    total.value = total.value + r.load(lanes.vector, place)
            r.store(lane_sums(r, [total.value for total in sums]), out, (e, 4))

    def _parts(self, side: int) -> Iterator[tuple[range, range]]:
        """Squares of pairs that cover the lower half, each as large as there are registers."""
        spans = [range(a, a + size) for start, stop, size in chunks(self.fan, side) for a in range(start, stop, size)]
        return ((rows, columns) for n, rows in enumerate(spans) for columns in spans[: n + 1])

    def _add(self, f: Kernel, corner: Value, pairs: dict[Pair, Var], alone: dict[int, Var]) -> None:
        """One position, whose first number lies at ``corner``."""
        known = {n: f.load(f.lanes.vector, corner, self._place(n)) for n in sorted({n for pair in pairs for n in pair})}
        for (p, q), total in pairs.items():
            total.value = f.fma(known[p], known[q], total.value)
        for p, total in alone.items():
            total.value = total.value + known[p]

    def _place(self, n: int) -> int:
        """Bytes from the first number under the kernel to number ``n``."""
        (kh, kw), (down, along) = self.conv.kernel, self.conv.dilation
        c, k, m = n // (kh * kw), n // kw % kh, n % kw
        return c * self.x.channel + k * down * self.x.row + m * along * self.x.pixel


def _keep(f: Kernel, here: Value, value: Value, room: Room, n: Index) -> None:
    """Add ``value`` to number ``n``, in lanes with an image."""
    place = f.address(room, (n, f.lanes.bytes))
    f.store(f.load(value.type, place) + f.select(here, value, f.constant(0.0, value.type)), place)
