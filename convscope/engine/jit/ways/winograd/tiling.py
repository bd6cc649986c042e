"""How a convolution is cut into tiles, where that pays, and what all steps of Winograd's way are made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod

from ...ir.arrays import LINE, Index, Lanes, Pair, Room
from ...ir.function import Function, Module
from ...ir.kernel import Kernel
from ...ir.values import I64, PTR, Value
from ..conv import Conv
from ..way import Site
from .toom_cook import MOST, Matrix, Transform, multiply

At = Callable[[Index, Index], Value]  # a number of a square array, by row and column
Row = Callable[[Index], list[Value]]  # a whole row of it

GROUP = 8  # tiles × vectors of images that go through all steps together
THIN = 3  # input channels
NEAR = 36 << 10  # bytes of a thin layer's V, which every output channel reads: three quarters of a first-level cache
SMALL = 1 << 18  # bytes of transformed weights, which every group reads
PACKED = 1 << 14  # pairs of channels (measured: forward 256→256 198 and 260 % of the peak, 32→32 240 and 227 %)
# What a point costs, in multiply-adds of the direct way (measured): its product; for each channel its transformation.
PRODUCT, INPUT, OUTPUT = 1.0, 10, 6
THIN_PRODUCT, THIN_OUTPUT = 2.5, 2
INPUT_ALONE, OUTPUT_ALONE = 70, 55  # of one image: a tile of a channel
WORTH = 1.0  # that part of the direct way's cost, or less, is worth it


@dataclass(frozen=True)
class Tiling:
    """The tiles of a convolution."""

    conv: Conv
    down: Transform
    along: Transform
    size: Pair  # of the output before the pool
    group: int  # tiles
    packed: bool  # the weights of a point lie together, for those of a row of points do not fit into the cache
    streams: bool  # the output waits for a later phase, beyond the caches

    @property
    def thin(self) -> bool:
        """Whether products are made where they are used, for there are few input channels: thin.py."""
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
    def pooled(self) -> Pair:
        """Rows and columns of a tile's outputs once they are pooled."""
        ph, pw = self.conv.window
        return self.down.outputs // ph, self.along.outputs // pw

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
        return [
            (i * m - (down if i == rows - 1 else 0), j * n - (along if j == columns - 1 else 0))
            for i in range(rows)
            for j in range(columns)
        ]

    def place(self, f: Function, row: int, column: int, pool: Pair = (1, 1)) -> Callable[[Index], Value]:
        """Bytes from the first tile to any, in an array with so many bytes between its (pooled) rows and columns."""
        offsets = [i // pool[0] * row + j // pool[1] * column for i, j in self.starts()]
        table = Value(f, f.module.table(offsets), PTR)
        return lambda tile: f.load(I64, table, (tile, 8))

    @property
    def weight_room(self) -> int:
        """Bytes of U; of one image, columns of points come first."""
        return (self.points[0] if self.packed else max(self.points)) * self.weight_strides()[0]

    def weight_strides(self) -> tuple[int, int, int, int]:
        """Bytes in U from one row of points, column of points, input channel, output channel to the next."""
        if self.packed:
            column = (-(-4 * self.conv.inputs * self.conv.outputs // LINE) | 1) * LINE
            return self.points[1] * column, column, 4 * self.conv.outputs, 4
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


@dataclass(frozen=True)
class Tiles(Tiling):
    """A tiling, and the rooms of its arrays; those that no kernel touches take no memory."""

    weights: Room  # U, as [row of points][c][o][eight columns of points], or [row][column][c][o]
    inputs: Room  # V, then dV
    outputs: Room  # M, or N
    gradients: Room  # dU, as pairs.py lays it out
    apart: Room  # of a thin one: dU with the images of a vector apart, as [o][c][row][column][image]


def with_rooms(t: Tiling, module: Module, lanes: Lanes, gradients: int, apart: int) -> Tiles:
    """Rooms for the arrays of ``t``: those of the weight gradient take so many bytes, and begin a step as zeros."""
    return Tiles(
        t.conv,
        t.down,
        t.along,
        t.size,
        t.group,
        t.packed,
        t.streams,
        weights=module.room(t.weight_room),
        inputs=module.room(t.room(t.conv.inputs, lanes)),
        outputs=module.room(t.room(t.conv.outputs, lanes)),
        gradients=module.room(gradients, zeros=True),
        apart=module.room(apart, zeros=True),
    )


def tiling(conv: Conv, size: Pair, lanes: Lanes, first: bool, whole: bool = True) -> Tiling | None:
    """How to compute an output of ``size`` (before the pool) this way, at the least cost; None where it cannot be.

    ``first``: no gradient of the input will be asked for. ``whole``: V may wait for the backward pass in the same
    phase; else smaller groups leave more of the cache to what streams through it.
    """
    plain = conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    if not plain or 1 in conv.kernel or (conv.inputs <= THIN and not first):
        return None
    options: list[list[Transform]] = []
    for length, kernel, pool in zip(size, conv.kernel, conv.pool or (1, 1), strict=True):
        fitting = [m for m in (4, 3, 2) if m <= length and m % pool == 0 and m + kernel - 1 <= MOST]
        options.append([Transform(m, kernel) for m in fitting])
    packed = lanes.count > 1 and conv.inputs * conv.outputs >= PACKED and conv.inputs > THIN
    found = [Tiling(conv, down, along, size, 1, packed, not whole) for down in options[0] for along in options[1]]
    best = min(found, key=lambda t: t.count * prod(t.points), default=None)
    if not best:
        return None
    group = max(1, GROUP // lanes.vectors)
    if conv.inputs <= THIN:
        group = max(1, min(group, NEAR // (prod(best.points) * conv.inputs * lanes.pixel)))
    best = replace(best, group=min(best.count, group))
    if whole or 4 * prod(best.points) * conv.inputs * conv.outputs > SMALL:
        return best
    return replace(best, group=-(-best.group // 2))


def tiling_of(site: Site) -> Tiling | None:
    """The tiling of a node, if it is a convolution that has one."""
    conv, (_, height, width) = site.node.op, site.node.output
    assert isinstance(conv, Conv)
    kh, kw = conv.window
    return tiling(conv, (height * kh, width * kw), site.lanes, first=site.dx[0] is None, whole=site.whole)


def cost(t: Tiling, lanes: Lanes) -> float:
    """What a block takes this way, relative to WORTH of the direct way's multiply-adds."""
    inputs, outputs = t.conv.inputs, t.conv.outputs
    pairs = inputs * outputs
    if lanes.count == 1:
        if t.thin or outputs < 2:  # two channels share a transposition
            return inf
        return t.count * (t.points[1] * pairs + INPUT_ALONE * inputs + OUTPUT_ALONE * outputs) / WORTH
    product, output = (THIN_PRODUCT, THIN_OUTPUT) if t.thin else (PRODUCT, OUTPUT)
    return t.count * prod(t.points) * (product * pairs + INPUT * inputs + output * outputs) / WORTH


def both(f: Kernel, down: Matrix, along: Matrix, at: At, unrolled: bool = False) -> Row:
    """down · D · alongᵀ by its rows, where ``at`` is D. ``unrolled``: ``at`` is asked with plain numbers."""
    lanes, height, width = f.lanes, len(down[0]), len(along[0])
    by_row = width * lanes.bytes
    room = f.reserve(lanes.vector, len(down) * width)
    for start in range(width) if unrolled else (0,):
        with f.loop(start + 1 if unrolled else width, start) as j:
            for i, value in enumerate(multiply(f, down, [at(i, j) for i in range(height)])):
                f.store(value, room, i * by_row, (j, lanes.bytes))
    return lambda i: multiply(
        f, along, [f.load(lanes.vector, room, (i, by_row), j * lanes.bytes) for j in range(width)]
    )


def values(f: Kernel, corner: Value, row: int, column: int) -> At:
    """The vectors from ``corner`` on, so many bytes from one row or column to the next."""
    return lambda i, j: f.load(f.lanes.vector, corner, (i, row), (j, column))
