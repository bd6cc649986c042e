"""The way back through a convolution that winograd.py computes: gradients of weights and input. Formulas: there."""

from collections.abc import Callable
from itertools import product

from . import activation
from .activation import Activation
from .conv import Masks
from .conv_back import shares
from .elementary import lane_sums
from .ir import Function
from .layout import Grid, Lanes, Pair, tiles
from .tiling import At, Index, Tiling, both, values
from .toom_cook import transposed
from .values import F32, I32, I64, PTR, Value
from .winograd import multiply_channels, store_points, transform_inputs

Gradients = Callable[[Index, Index, Index], At]  # dy of an output channel, a tile, a vector


class Pairs:
    """How dU lies in an arena: [row of points][column of points][tile of pairs][pair].

    A tile is ``outputs`` × ``inputs`` channels: as many sums as are kept in registers at a time. Sums over images are
    sums over lanes; those of a tile become neighbours, so that vectors of them are added to what the memory holds.
    """

    def __init__(self, t: Tiling, lanes: Lanes) -> None:
        self.lanes, self.conv = lanes, t.conv
        size = max(8, lanes.width)
        shapes = [(size // n, n) for n in (1, 2, 4, 8, 16) if n <= size]
        self.outputs, self.inputs = min(shapes, key=lambda shape: (self._tiles(*shape), sum(shape)))
        self.tile = 4 * size  # bytes from one to the next
        self.column = self._tiles(self.outputs, self.inputs) * self.tile
        self.row = t.points[1] * self.column
        self.room = t.points[0] * self.row

    def _tiles(self, outputs: int, inputs: int) -> int:
        return -(-self.conv.outputs // outputs) * -(-self.conv.inputs // inputs)

    def each(self) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
        """Loops over whole tiles and partial ones: (start, stop, size) of the output and of the input channels."""
        return [(o, c) for o in _parts(self.conv.outputs, self.outputs) for c in _parts(self.conv.inputs, self.inputs)]

    def at(self, o: Index, c: Index) -> list[tuple[Index, int]]:
        """The terms of the address of the tile whose first pair is (o, c)."""
        across = -(-self.conv.inputs // self.inputs)
        return [(o // self.outputs, across * self.tile), (c // self.inputs, self.tile)]

    def vectors(self, sums: list[list[Value]]) -> list[list[Value]]:
        """The sums [output][input] of a tile, cut into what fills the lanes of one vector."""
        missing = [sums[0][0]] * (self.inputs - len(sums[0]))  # pairs that do not exist: nobody looks at them
        pairs = [total for row in sums for total in (*row, *missing)]
        return [pairs[k : k + self.lanes.width] for k in range(0, len(pairs), self.lanes.width)]


def _parts(count: int, size: int) -> list[tuple[int, int, int]]:
    whole = count // size * size
    return [part for part in ((0, whole, size), (whole, count, count - whole)) if part[0] < part[1]]


def backward(f: Function, lanes: Lanes, t: Tiling, before: Activation, x: Grid, dy: Grid, masks: Masks | None,
             dx: Grid | None, kept: bool) -> None:  # fmt: skip
    """Add to dU the block's part; dx (times the slope of the activation ``before`` this stage) where it is wanted.

    ``kept``: V still lies where the forward pass left it.
    """
    if t.dx:
        with f.loop(t.dx.size // lanes.bytes) as i:
            f.store(f.constant(0.0, lanes.vector), f["a"], t.dx.offset, (i, lanes.bytes))
    for start, stop, size in tiles(t.count, t.group):
        with f.loop(stop, start, size) as first:
            if not kept:
                transform_inputs(f, lanes, t, x, first, size)
            gradients = output_gradients(f, lanes, t, dy, masks)
            with f.loop(t.conv.outputs) as o, f.loop(size) as n, f.loop(lanes.vectors) as v:
                row = both(f, lanes, t.down.evaluate, t.along.evaluate, gradients(o, first + n, v), unrolled=True)
                store_points(f, lanes, t, t.outputs, t.conv.outputs, row, o, n, v)
            _multiply_images(f, lanes, t, size)
            if t.dx:
                multiply_channels(f, lanes, t, size, forward=False)
                _add_inputs(f, lanes, t, t.dx, first, size)
    if t.dx and dx:
        _finish_inputs(f, lanes, before, x, t.dx, dx)


def output_gradients(f: Function, lanes: Lanes, t: Tiling, dy: Grid, masks: Masks | None) -> Gradients:
    """dy before the pool. What two overlapping tiles cover counts in the first."""
    ph, pw = t.conv.pool or (1, 1)
    place = t.place(f, dy.row, dy.pixel, (ph, pw))
    words = t.place(f, masks.row, masks.pixel, (ph, pw)) if masks else None
    keeps = [_all_but_last(f, lanes, t, axis) for axis in (0, 1)]

    def gradients(o: Index, tile: Index, v: Index) -> At:
        corner = f.address(f["a"], dy.origin, (o, dy.channel), place(tile), (v, lanes.bytes))
        found: dict[Pair, Value] = {}
        for i in range(t.down.outputs // ph):
            for j in range(t.along.outputs // pw):
                parts = [f.load(lanes.vector, corner, i * dy.row + j * dy.pixel)]
                if masks and words:
                    won = f.address(f["a"], masks.offset, (o, masks.channel), words(tile), (v, masks.each),
                                    i * masks.row + j * masks.pixel)  # fmt: skip
                    parts = shares(f, lanes, parts[0], won, ph * pw)
                for k, part in enumerate(parts):
                    found[i * ph + k // pw, j * pw + k % pw] = part
        for axis, (overlap, keep) in enumerate(zip(t.overlap, keeps, strict=True)):
            kept = keep(tile) if overlap else None
            for pixel, value in found.items():
                if kept and pixel[axis] < overlap:
                    found[pixel] = f.bits(f.bits(value, kept.type) & kept, lanes.vector)
        return lambda i, j: found[i, j]  # type: ignore[index]

    return gradients


def _all_but_last(f: Function, lanes: Lanes, t: Tiling, axis: int) -> Callable[[Index], Value]:
    """By a tile's number: all bits set in every lane, or none for the last tile along ``axis``."""
    last = [tile[axis] == t.tiles[axis] - 1 for tile in product(range(t.tiles[0]), range(t.tiles[1]))]
    table = Value(f, f.module.table([0 if ends else -1 for ends in last]), PTR)
    return lambda tile: f.splat(f.convert("trunc", f.load(I64, table, (tile, 8)), I32), lanes.width)


def _multiply_images(f: Function, lanes: Lanes, t: Tiling, size: int) -> None:
    """dU[o, c] += Σ_tiles Σ_images N[o] ⊙ V[c], at every point."""
    pairs = Pairs(t, lanes)
    x_row, x_column, x_channel, _ = t.strides(t.conv.inputs, lanes)
    n_row, n_column, n_channel, _ = t.strides(t.conv.outputs, lanes)
    with f.loop(t.points[0]) as i, f.loop(t.points[1]) as j:
        x = f.address(f["a"], t.inputs, (i, x_row), (j, x_column))
        gradient = f.address(f["a"], t.outputs, (i, n_row), (j, n_column))
        target = f.address(f["a"], t.gradients, (i, pairs.row), (j, pairs.column))
        for (start, stop, outputs), (begin, end, inputs) in pairs.each():
            with f.loop(stop, start, outputs) as o, f.loop(end, begin, inputs) as c:
                sums = [[f.var(f.constant(0.0, lanes.vector)) for _ in range(inputs)] for _ in range(outputs)]
                with f.loop(size * lanes.vectors) as column:
                    there = f.address(x, (c, x_channel), (column, lanes.bytes))
                    here = f.address(gradient, (o, n_channel), (column, lanes.bytes))
                    loaded = [f.load(lanes.vector, there, k * x_channel) for k in range(inputs)]
                    for n, row in enumerate(sums):
                        slope = f.load(lanes.vector, here, n * n_channel)
                        for total, value in zip(row, loaded, strict=True):
                            total.value = f.fma(value, slope, total.value)
                out = f.address(target, *pairs.at(o, c))
                for k, part in enumerate(pairs.vectors([[total.value for total in row] for row in sums])):
                    place = f.address(out, k * lanes.bytes)
                    f.store(f.load(lanes.vector, place) + lane_sums(f, part), place)


def _add_inputs(f: Function, lanes: Lanes, t: Tiling, dx: Grid, first: Index, size: int) -> None:
    """dx += B dV Bᵀ; the inputs of neighbouring tiles overlap."""
    place = t.place(f, dx.row, dx.pixel)
    by_row, by_column, by_channel, by_tile = t.strides(t.conv.inputs, lanes)
    with f.loop(t.conv.inputs) as c, f.loop(size) as n, f.loop(lanes.vectors) as v:
        here = f.address(f["a"], t.inputs, (c, by_channel), (n, by_tile), (v, lanes.bytes))
        corner = f.address(f["a"], dx.offset, (c, dx.channel), place(first + n), (v, lanes.bytes))
        row = both(f, lanes, transposed(t.down.input), transposed(t.along.input),
                   values(f, lanes, here, by_row, by_column))  # fmt: skip
        with f.loop(t.points[0]) as i:
            for j, value in enumerate(row(i)):
                out = f.address(corner, (i, dx.row), j * dx.pixel)
                f.store(f.load(lanes.vector, out) + value, out)


def _finish_inputs(f: Function, lanes: Lanes, before: Activation, x: Grid, sums: Grid, dx: Grid) -> None:
    """dx = sums · a'(x), without the border."""
    with f.loop(x.channels) as c, f.loop(x.height) as i, f.loop(x.width) as j, f.loop(lanes.vectors) as v:
        gradient = f.load(lanes.vector, f["a"], *sums.at(c, i, j), (v, lanes.bytes))
        value = f.load(lanes.vector, f["a"], *x.at(c, i, j), (v, lanes.bytes))
        f.store(activation.times_slope(f, before, gradient, value), f["a"], *dx.at(c, i, j), (v, lanes.bytes))


def weight_gradients(f: Function, lanes: Lanes, t: Tiling) -> None:
    """dw = Gᵀ dU G, once a step; a vector holds neighbouring pairs."""
    pairs, (kh, kw) = Pairs(t, lanes), t.conv.kernel
    by_o, by_c, by_k, by_l = t.conv.weight_strides()
    room = f.reserve(lanes.vector, kh * kw * pairs.tile // lanes.bytes)
    for (start, stop, outputs), (begin, end, inputs) in pairs.each():
        with f.loop(stop, start, outputs) as o, f.loop(end, begin, inputs) as c:
            sums = f.address(f["a"], t.gradients, *pairs.at(o, c))
            with f.loop(pairs.tile // lanes.bytes) as part:
                here = f.address(sums, (part, lanes.bytes))
                row = both(f, lanes, transposed(t.down.weight), transposed(t.along.weight),
                           values(f, lanes, here, pairs.row, pairs.column))  # fmt: skip
                with f.loop(kh) as k:
                    for m, value in enumerate(row(k)):
                        f.store(value, room, (k, kw * pairs.tile), m * pairs.tile, (part, lanes.bytes))
            out = f.address(f["g"], 4 * t.conv.weight, (o, by_o), (c, by_c))
            with f.loop(outputs) as n, f.loop(inputs) as i, f.loop(kh) as k:
                for m in range(kw):
                    number = f.load(F32, room, (k, kw * pairs.tile), m * pairs.tile, (n, 4 * pairs.inputs), (i, 4))
                    f.store(number, out, (n, by_o), (i, by_c), (k, by_k), m * by_l)
