"""How numbers lie in memory: the images of a block side by side ("lanes"), so that every operation is a full vector.

A block is ``lanes`` images of the batch. Each number of the net (one channel, one row, one column) is stored for all
of them together: the order in memory is [channel][row][column][lane], cuda-convnet's order. So a multiply-add works on
``width`` images at once whatever the number of channels, and nothing is ever padded to please the vector unit but the
block itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .values import Term, Value, vector

LINE = 64  # bytes of a cache line
Pair = tuple[int, int]
Shape = tuple[int, int, int]
Border = tuple[int, int, int, int]
Index = int | Value
NO_BORDER = (0, 0, 0, 0)


@dataclass(frozen=True)
class Lanes:
    """A block of images: ``vectors`` vectors of ``width`` lanes; ``registers`` are free for a block of sums."""

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


@dataclass(eq=False)
class Room:
    """So many bytes of a thread's memory. Where they lie is decided once all kernels are written: plan.py.

    A kernel's text has ``pointer`` and ``place`` for it until then. ``keep``: what it holds outlives a step. ``zeros``:
    every step begins with zeros there.
    """

    number: int
    size: int
    keep: bool = False
    zeros: bool = False
    offset: int = field(default=0, init=False)
    each: bool = field(default=False, init=False)  # every block of the batch has one of its own

    @property
    def pointer(self) -> str:
        """Stands for the memory that holds it."""
        return f"{{{self.number}}}"

    def place(self, further: int) -> str:
        """Stands for the byte ``further`` of it."""
        return f"{{{self.number}{further:+d}}}"


@dataclass(frozen=True)
class Array:
    """An image-shaped array of a block, with ``border`` (top, left, bottom, right) around it.

    The border of a convolution's input holds zeros, its padding.
    """

    room: Room
    channels: int
    height: int
    width: int
    pixel: int
    border: Border = NO_BORDER

    @property
    def shape(self) -> Shape:
        """(C, H, W)."""
        return self.channels, self.height, self.width

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
        """Byte of the room at which channel 0, row 0, column 0 begins."""
        return self.border[0] * self.row + self.border[1] * self.pixel

    def corner(self, padding: Border) -> int:
        """Byte of the room at which the padding before channel 0, row 0, column 0 begins."""
        return self.origin - padding[0] * self.row - padding[1] * self.pixel

    def at(self, c: Index, y: Index, x: Index) -> list[Term]:
        """The terms of the address of element (c, y, x) in the room."""
        return [self.origin, (c, self.channel), (y, self.row), (x, self.pixel)]


def padded(count: int) -> int:
    """``count`` rounded up to whole cache lines of float32."""
    return -(-count // 16) * 16


def chunks(count: int, limit: int) -> Iterator[tuple[int, int, int]]:
    """Cut 0..count-1 into equal parts of at most ``limit``: (start, stop, size) of the even parts, then of the rest."""
    size = -(-count // -(-count // max(limit, 1)))
    even = count // size * size
    if even:
        yield 0, even, size
    if even < count:
        yield even, count, count - even
