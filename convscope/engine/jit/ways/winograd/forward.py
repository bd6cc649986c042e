"""Convolutions by fewer multiplications: Winograd's way, tile by tile.

A tile is m×m outputs. For a kernel of r×r it takes n² products of a weight and an input, n = m + r − 1, not m²·r²: 64
instead of 400 for m = 4, r = 5. Weights, inputs and outputs are transformed for that (the matrices: toom_cook.py).

    forward       V = Bᵀ d B      U = G w Gᵀ      M[o] = Σ_c U[o, c] ⊙ V[c]      y = Aᵀ M A
    backward      N = A dy Aᵀ     dU[o, c] = Σ_tiles Σ_images N[o] ⊙ V[c]        dw = Gᵀ dU G
                                  dV[c] = Σ_o U[o, c] ⊙ N[o]                     dx += B dV Bᵀ

d are the n×n inputs under a tile; ⊙ multiplies point by point. The backward pass is the derivative of these linear
steps, no more. Rounding errors are some ten times those of direct sums: 1e-6 to 5e-6 of a tensor's norm. That is
nothing to a prediction or a gradient. For the forward pass of training see ties.py.

A *group* of tiles goes through all steps while it is in the cache. V, M, N and dV are stored as
[row of points][column of points][channel][tile][image], so that the products of a point are those of two matrices.
"""

from collections.abc import Callable, Iterator
from itertools import product

from ...ir import registers
from ...ir.arrays import Array, Index, Pair, Room, chunks
from ...ir.kernel import Kernel
from ...ir.values import F32, Value, vector
from ..layer import Activation
from ..windows.winners import Masks, largest
from .tiling import At, Row, Tiles, both, values
from .toom_cook import MOST, multiply, transposed

Products = Callable[[Index, Index, Index], At]  # M of an output channel, a tile of the group, a vector


def weights(f: Kernel, t: Tiles, columns: bool = False) -> None:
    """U = G w Gᵀ of every pair of channels; a vector holds a row of points, or a column of them."""
    by_o, by_c, by_k, by_l = t.conv.weight_strides()
    by_row, by_column, by_input, by_output = t.weight_strides()
    room = f.reserve(vector(MOST)) if t.packed else None
    (outer, by_outer), (inner, by_inner) = (t.down, by_k), (t.along, by_l)
    if columns:
        (outer, by_outer), (inner, by_inner) = (inner, by_inner), (outer, by_outer)
    spare = [0.0] * (MOST - inner.points)
    powers = [f.vector([*map(float, column), *spare]) for column in transposed(inner.weight)]
    with f.loop(t.conv.inputs) as c, f.loop(t.conv.outputs) as o:
        w = f.address(f["p"], 4 * t.conv.weight, (o, by_o), (c, by_c))
        rows = []
        for k in range(outer.kernel):
            numbers = [f.splat(f.load(F32, w, k * by_outer + m * by_inner), MOST) for m in range(inner.kernel)]
            row = numbers[0] * powers[0]
            for number, power in zip(numbers[1:], powers[1:], strict=True):
                row = f.fma(number, power, row)
            rows.append(row)
        out = f.address(t.weights, (c, by_input), (o, by_output))
        for i, row in enumerate(multiply(f, outer.weight, rows)):
            if not t.packed:
                f.store(row, out, i * by_row, align=4 * MOST)
                continue
            assert room
            f.store(row, room)
            for j in range(inner.points):
                f.store(f.load(F32, room, 4 * j), out, i * by_row + j * by_column)


def forward(f: Kernel, t: Tiles, act: Activation, x: Array, y: Array, masks: Masks | None) -> None:
    """y = a(pool(conv(x))), and what the pool's backward pass needs to know, where there is one."""
    for start, stop, size in chunks(t.count, t.group):
        with f.loop(stop, start, size) as first:
            transform_inputs(f, t, x, first, size)
            multiply_channels(f, t, size, forward=True)
            store_outputs(f, t, act, y, masks, first, size, summed(f, t))


def summed(f: Kernel, t: Tiles) -> Products:
    """M as ``multiply_channels`` leaves it."""
    by_row, by_column, by_channel, by_tile = t.strides(t.conv.outputs, f.lanes)

    def products(o: Index, n: Index, v: Index) -> At:
        m = f.address(t.outputs, (o, by_channel), (n, by_tile), (v, f.lanes.bytes))
        return values(f, m, by_row, by_column)

    return products


def transform_inputs(f: Kernel, t: Tiles, x: Array, first: Index, size: int) -> None:
    """V = Bᵀ d B of ``size`` tiles from ``first`` on."""
    place = t.place(f, x.row, x.pixel)
    with f.loop(t.conv.inputs) as c, f.loop(size) as n, f.loop(f.lanes.vectors) as v:
        corner = f.address(x.room, x.corner(t.conv.padding), (c, x.channel), place(first + n), (v, f.lanes.bytes))
        row = both(f, t.down.input, t.along.input, values(f, corner, x.row, x.pixel))
        store_points(f, t, t.inputs, t.conv.inputs, row, c, n, v)


def store_points(f: Kernel, t: Tiles, array: Room, channels: int, row: Row, c: Index, n: Index, v: Index) -> None:
    """Store all points of a channel, tile and vector into V or N."""
    by_row, by_column, by_channel, by_tile = t.strides(channels, f.lanes)
    out = f.address(array, (c, by_channel), (n, by_tile), (v, f.lanes.bytes))
    with f.loop(t.points[0]) as i:
        for j, value in enumerate(row(i)):
            f.store(value, out, (i, by_row), j * by_column)


def multiply_channels(f: Kernel, t: Tiles, size: int, forward: bool) -> None:
    """At every point: M[o] = Σ_c U[o, c] · V[c], or backward dV[c] = Σ_o U[o, c] · N[o]."""
    lanes = f.lanes
    u_row, u_column, u_input, u_output = t.weight_strides()
    ends = (t.inputs, t.conv.inputs, u_input), (t.outputs, t.conv.outputs, u_output)
    (source, inputs, u_from), (target, outputs, u_to) = ends if forward else reversed(ends)
    x_row, x_column, x_channel, _ = t.strides(inputs, lanes)
    y_row, y_column, y_channel, _ = t.strides(outputs, lanes)
    with f.loop(t.points[0]) as i, f.loop(t.points[1]) as j:
        x = f.address(source, (i, x_row), (j, x_column))
        y = f.address(target, (i, y_row), (j, y_column))
        u = f.address(t.weights, (i, u_row), (j, u_column))
        for left, right, columns in chunks(size * lanes.vectors, 2):
            for start, stop, channels in chunks(outputs, lanes.registers // columns):
                with f.loop(stop, start, channels) as o, f.loop(right, left, columns) as column:
                    sums = registers.zeros(f, channels, columns, lanes.vector)
                    with f.loop(inputs) as c:
                        here = f.address(x, (c, x_channel), (column, lanes.bytes))
                        there = f.address(u, (o, u_to), (c, u_from))
                        loaded = [f.load(lanes.vector, here, k * lanes.bytes) for k in range(columns)]
                        registers.accumulate(f, sums, registers.spread(f, there, u_to, lanes.width), loaded)
                    out = f.address(y, (o, y_channel), (column, lanes.bytes))
                    for n, row in enumerate(sums):
                        for k, total in enumerate(row):
                            f.store(total.value, out, n * y_channel + k * lanes.bytes)


def store_outputs(
    f: Kernel, t: Tiles, act: Activation, y: Array, masks: Masks | None, first: Index, size: int, products: Products
) -> None:
    """y = a(pool(Aᵀ M A + b)) of ``size`` tiles from ``first`` on; ``products`` is M."""
    bias_at = t.conv.bias
    place = t.place(f, y.row, y.pixel, t.conv.window)
    words = t.place(f, masks.row, masks.pixel, t.conv.window) if masks else None
    with f.loop(t.conv.outputs) as o, f.loop(size) as n, f.loop(f.lanes.vectors) as v:
        row = both(f, transposed(t.down.evaluate), transposed(t.along.evaluate), products(o, n, v))
        bias = None if bias_at is None else f.splat(f.load(F32, f["p"], 4 * bias_at, (o, 4)), f.lanes.width)
        out = f.address(y.room, y.origin, (o, y.channel), place(first + n), (v, f.lanes.bytes))
        if t.streams:  # a tile is no run of lines: those of the next channel are asked for ahead
            for i, j in product(range(t.pooled[0]), range(t.pooled[1])):
                f.prefetch(out, y.channel + i * y.row + j * y.pixel, write=True)
        won = None
        if masks and words:
            won = f.address(masks.room, (o, masks.channel), words(first + n), (v, masks.each))
        if t.conv.pool:
            for (i, j), best in _windows(f, t, row, won, masks):
                f.store(act.apply(f, best if bias is None else best + bias), out, i * y.row + j * y.pixel)
        else:
            with f.loop(t.down.outputs) as k:
                for j, value in enumerate(row(k)):
                    f.store(act.apply(f, value if bias is None else value + bias), out, (k, y.row), j * y.pixel)


def _windows(f: Kernel, t: Tiles, row: Row, won: Value | None, masks: Masks | None) -> Iterator[tuple[Pair, Value]]:
    """The largest number of each window of a tile; ``won``: where the masks of the tile begin."""
    ph, pw = t.conv.window
    for i in range(t.pooled[0]):
        lines = [row(i * ph + k) for k in range(ph)]
        for j in range(t.pooled[1]):
            window = [value for line in lines for value in line[j * pw : (j + 1) * pw]]
            words = f.address(won, i * masks.row + j * masks.pixel) if won and masks else None
            yield (i, j), largest(f, window, words)
