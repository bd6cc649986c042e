"""How numbers lie in memory: the images of a block side by side ("lanes"), so that every operation is a full vector.

A block is ``lanes`` images of the batch. Each number of the net (one channel, one row, one column) is stored for all
of them together: the order in memory is [channel][row][column][lane], cuda-convnet's order. So a multiply-add works on
``width`` images at once whatever the number of channels, and nothing is ever padded to please the vector unit but the
block itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .ir import Function
from .values import I64, PTR, Term, Value, vector

LINE = 64  # bytes of a cache line
Pair = tuple[int, int]


@dataclass(frozen=True)
class Lanes:
    """A block of images: ``vectors`` vectors of ``width`` lanes; ``registers`` are free for sums in a tile."""

    width: int
    vectors: int
    registers: int

    @property
    def count(self) -> int:
        """Images in a block."""
        return self.width * self.vectors

    @property
    def pixel(self) -> int:
        """Bytes of one number of the net for the whole block."""
        return 4 * self.count

    @property
    def vector(self) -> str:
        """The type of one vector."""
        return vector(self.width)

    @property
    def bytes(self) -> int:
        """Bytes of one vector."""
        return 4 * self.width


@dataclass(frozen=True)
class Grid:
    """Where an image-shaped array of a block lies in a thread's memory, with a border of ``border`` pixels around it.

    ``border`` is (top, left, bottom, right). The border of a convolution's input holds zeros, its padding.
    """

    offset: int
    channels: int
    height: int
    width: int
    pixel: int
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return (self.border[1] + self.width + self.border[3]) * self.pixel

    @property
    def channel(self) -> int:
        """Bytes from one channel to the next: an odd number of cache lines.

        Were it a power of two, one pixel of all channels would share a set of the cache, and drive each other out.

        One image alone (a pixel is one number) is stored without gaps instead, as torch stores it.
        """
        if self.pixel == 4:
            return (self.border[0] + self.height + self.border[2]) * self.row
        lines = -(-(self.border[0] + self.height + self.border[2]) * self.row // LINE)
        return (lines | 1) * LINE

    @property
    def size(self) -> int:
        """Bytes of the whole array."""
        return self.channels * self.channel

    @property
    def origin(self) -> int:
        """Byte at which channel 0, row 0, column 0 begins."""
        return self.offset + self.border[0] * self.row + self.border[1] * self.pixel

    def at(self, c: "int | Value", y: "int | Value", x: "int | Value") -> list[Term]:
        """The terms of the address of element (c, y, x)."""
        return [self.origin, (c, self.channel), (y, self.row), (x, self.pixel)]


def tiles(count: int, limit: int) -> Iterator[tuple[int, int, int]]:
    """Cut 0..count-1 into equal tiles of at most ``limit``: (start, stop, size) of the even part, then of the rest."""
    size = -(-count // -(-count // max(limit, 1)))
    even = count // size * size
    if even:
        yield 0, even, size
    if even < count:
        yield even, count, count - even


def taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> list[list[Pair]]:
    """For each input position i along one axis: the (k, o) with o·stride − padding + k·dilation = i.

    These are the kernel elements k through which input i reaches output o. Whatever the stride and the padding, a
    gradient flows back to input i exactly along them.
    """
    found: list[list[Pair]] = [[] for _ in range(size)]
    for o in range(outputs):
        for k in range(kernel):
            i = o * stride - padding + k * dilation
            if 0 <= i < size:
                found[i].append((k, o))
    return found


class TapTable:
    """``taps`` as a constant table of a program, with both numbers of a tap already multiplied by a stride in bytes."""

    def __init__(self, f: Function, found: list[list[Pair]], k_stride: int, o_stride: int) -> None:
        starts, entries = [0], []
        for here in found:
            entries += [n for k, o in here for n in (k * k_stride, o * o_stride)]
            starts.append(len(entries) // 2)
        self.f = f
        self.starts = Value(f, f.module.table(starts), PTR)
        self.entries = Value(f, f.module.table(entries or [0]), PTR)

    def span(self, i: "int | Value") -> tuple[Value, Value]:
        """First and last-plus-one tap of input position ``i``."""
        return self.f.load(I64, self.starts, (i, 8)), self.f.load(I64, self.starts, (i, 8), 8)

    def entry(self, t: "int | Value") -> tuple[Value, Value]:
        """(k·k_stride, o·o_stride) of tap ``t``."""
        return self.f.load(I64, self.entries, (t, 16)), self.f.load(I64, self.entries, (t, 16), 8)
