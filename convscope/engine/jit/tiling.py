"""How winograd.py cuts a convolution into tiles, where it pays, and what all its steps are made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod

from .conv import Conv
from .ir import Function
from .layout import LINE, Grid, Lanes, Pair
from .toom_cook import MOST, Matrix, Transform, multiply
from .values import I64, PTR, Value

Index = int | Value
At = Callable[[Index, Index], Value]  # a number of a square array, by row and column
Row = Callable[[Index], list[Value]]  # a whole row of it

GROUP = 8  # tiles × vectors of images that go through all steps together
THIN = 3  # input channels
# What a point costs, in multiply-adds of the direct way (measured): its product; for each channel its transformation.
PRODUCT, INPUT, OUTPUT = 1.0, 10, 6
THIN_PRODUCT, THIN_OUTPUT = 2.5, 2
INPUT_ALONE, OUTPUT_ALONE = 70, 55  # of one image: a tile of a channel
WORTH = 1.0  # that part of the direct way's cost, or less, is worth it


@dataclass(frozen=True)
class Tiling:
    """The tiles of a convolution, and where its arrays lie in an arena (bytes)."""

    conv: Conv
    down: Transform
    along: Transform
    size: Pair  # of the output before the pool
    group: int  # tiles
    weights: int = 0  # U, as [row of points][c][o][eight columns of points]
    gradients: int = 0  # dU, as winograd_back.py sums it
    apart: int = 0  # of a thin one: dU with the images of a vector apart, as [o][c][row][column][image]
    inputs: int = 0  # V, then dV
    outputs: int = 0  # M, or N
    dx: Grid | None = None  # the sums of dx, with the border of x

    @property
    def thin(self) -> bool:
        """Whether products are made where they are used, for there are few input channels: winograd_thin.py."""
        return self.conv.inputs <= THIN

    @property
    def points(self) -> Pair:
        """Rows and columns of products."""
        return self.down.points, self.along.points

    @property
    def tiles(self) -> Pair:
        """Tiles down and along the output."""
        return -(-self.size[0] // self.down.outputs), -(-self.size[1] // self.along.outputs)

    @property
    def count(self) -> int:
        """Tiles of the output."""
        return prod(self.tiles)

    @property
    def overlap(self) -> Pair:
        """The rows and columns of the last tiles that the tiles before them cover, too."""
        axes = zip((self.down, self.along), self.size, self.tiles, strict=True)
        down, along = (axis.outputs * count - size for axis, size, count in axes)
        return down, along

    def starts(self) -> list[Pair]:
        """The first output of every tile, tile by tile."""
        (down, along), (rows, columns) = self.overlap, self.tiles
        m, n = self.down.outputs, self.along.outputs
        return [(i * m - (down if i == rows - 1 else 0), j * n - (along if j == columns - 1 else 0))
                for i in range(rows) for j in range(columns)]  # fmt: skip

    def place(self, f: Function, row: int, column: int, pool: Pair = (1, 1)) -> Callable[[Index], Value]:
        """Bytes from the first tile to any, in an array with so many bytes between its (pooled) rows and columns."""
        offsets = [i // pool[0] * row + j // pool[1] * column for i, j in self.starts()]
        table = Value(f, f.module.table(offsets), PTR)
        return lambda tile: f.load(I64, table, (tile, 8))

    def weight_strides(self) -> tuple[int, int, int, int]:
        """Bytes in U from one row of points, column of points, input channel, output channel to the next."""
        each = 4 * MOST
        return each * self.conv.inputs * self.conv.outputs, 4, each * self.conv.outputs, each

    def strides(self, channels: int, lanes: Lanes) -> tuple[int, int, int, int]:
        """Bytes in V or M from one row of points, column of points, channel, tile to the next.

        Columns lie an odd number of cache lines apart, so that they do not all fall into one set of the cache.
        """
        tile = lanes.pixel
        column = (-(-channels * self.group * tile // LINE) | 1) * LINE
        return self.points[1] * column, column, self.group * tile, tile

    def strides_alone(self, channels: int) -> tuple[int, int, int]:
        """Of one image: bytes from one column of points (a vector of MOST lanes), channel, tile to the next."""
        vector = 4 * MOST
        return channels * self.count * vector, self.count * vector, vector

    def room(self, channels: int, lanes: Lanes) -> int:
        """Bytes of V or M."""
        if lanes.count == 1:
            return self.points[1] * self.strides_alone(channels)[0]
        return self.points[0] * self.strides(channels, lanes)[0]


def tiling(conv: Conv, size: Pair, lanes: Lanes, first: bool) -> Tiling | None:
    """How to compute an output of ``size`` (before the pool) this way; None where it does not pay.

    ``first``: no gradient of the input will be asked for.
    """
    plain = conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    if not plain or 1 in conv.kernel or (conv.inputs <= THIN and not first):
        return None
    options: list[list[Transform]] = []
    for length, kernel, pool in zip(size, conv.kernel, conv.pool or (1, 1), strict=True):
        fitting = [m for m in (4, 3, 2) if m <= length and m % pool == 0 and m + kernel - 1 <= MOST]
        options.append([Transform(m, kernel) for m in fitting])
    found = [Tiling(conv, down, along, size, 1) for down in options[0] for along in options[1]]
    best = min(found, key=lambda t: t.count * prod(t.points), default=None)
    if not best:
        return None
    if _cost(best, lanes) > WORTH * _direct_cost(best, lanes):
        return None
    return replace(best, group=min(best.count, max(1, GROUP // lanes.vectors)))


def _cost(t: Tiling, lanes: Lanes) -> float:
    inputs, outputs = t.conv.inputs, t.conv.outputs
    pairs = inputs * outputs
    if lanes.count == 1:
        impossible = t.thin or outputs < 2
        return inf if impossible else t.count * (t.points[1] * pairs + INPUT_ALONE * inputs + OUTPUT_ALONE * outputs)
    product, output = (THIN_PRODUCT, THIN_OUTPUT) if t.thin else (PRODUCT, OUTPUT)
    return t.count * prod(t.points) * (product * pairs + INPUT * inputs + output * outputs)


def _direct_cost(t: Tiling, lanes: Lanes) -> float:
    height, width = t.size
    across = -(-width // MOST) if lanes.count == 1 else width
    return height * across * prod(t.conv.kernel) * t.conv.inputs * t.conv.outputs


def both(f: Function, lanes: Lanes, down: Matrix, along: Matrix, at: At, unrolled: bool = False) -> Row:
    """down · D · alongᵀ by its rows, where ``at`` is D. ``unrolled``: ``at`` is asked with plain numbers."""
    height, width = len(down[0]), len(along[0])
    by_row = width * lanes.bytes
    room = f.reserve(lanes.vector, len(down) * width)
    for start in range(width) if unrolled else (0,):
        with f.loop(start + 1 if unrolled else width, start) as j:
            for i, value in enumerate(multiply(f, down, [at(i, j) for i in range(height)])):
                f.store(value, room, i * by_row, (j, lanes.bytes))
    return lambda i: multiply(
        f, along, [f.load(lanes.vector, room, (i, by_row), j * lanes.bytes) for j in range(width)]
    )


def values(f: Function, lanes: Lanes, corner: Value, row: int, column: int) -> At:
    """The vectors from ``corner`` on, so many bytes from one row or column to the next."""
    return lambda i, j: f.load(lanes.vector, corner, (i, row), (j, column))
