"""Convolutions by fewer multiplications: Winograd's way, tile by tile.

A tile is m×m outputs. For a kernel of r×r it takes n² products of a weight and an input, n = m + r − 1, not m²·r²: 64
instead of 400 for m = 4, r = 5. Weights, inputs and outputs are transformed for that (the matrices: toom_cook.py).

    forward       V = Bᵀ d B      U = G w Gᵀ      M[o] = Σ_c U[o, c] ⊙ V[c]      y = Aᵀ M A
    backward      N = A dy Aᵀ     dU[o, c] = Σ_tiles Σ_images N[o] ⊙ V[c]        dw = Gᵀ dU G
                                  dV[c] = Σ_o U[o, c] ⊙ N[o]                     dx += B dV Bᵀ

d are the n×n inputs under a tile; ⊙ multiplies point by point. The way back is the derivative of these linear steps, no
more. Its rounding errors are some ten times those of direct sums: 1e-6 to 5e-6 of a tensor's norm. That is nothing to a
prediction or a gradient. For the forward pass of training see winograd_ties.py.

A *group* of tiles goes through all steps while it is in the cache. V, M, N and dV are stored as
[row of points][column of points][channel][tile][image], so that the products of a point are those of two matrices.
"""

from collections.abc import Callable

from . import activation
from .activation import Activation
from .conv import largest
from .ir import Function
from .layout import Grid, Lanes, tiles
from .tiling import At, Index, Row, Tiling, both, values
from .toom_cook import MOST, multiply, transposed
from .values import F32

Products = Callable[[Index, Index, Index], At]  # M of an output channel, a tile of the group, a vector


def weights(f: Function, t: Tiling, columns: bool = False) -> None:
    """U = G w Gᵀ of every pair of channels; a vector holds a row of points, or a column of them."""
    by_o, by_c, by_k, by_l = t.conv.weight_strides()
    by_row, _, by_input, by_output = t.weight_strides()
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
        out = f.address(f["a"], t.weights, (c, by_input), (o, by_output))
        for i, row in enumerate(multiply(f, outer.weight, rows)):
            f.store(row, out, i * by_row, align=4 * MOST)


def forward(f: Function, lanes: Lanes, t: Tiling, act: Activation, x: Grid, y: Grid) -> None:
    """y = a(pool(conv(x)))."""
    for start, stop, size in tiles(t.count, t.group):
        with f.loop(stop, start, size) as first:
            transform_inputs(f, lanes, t, x, first, size)
            multiply_channels(f, lanes, t, size, forward=True)
            store_outputs(f, lanes, t, act, y, first, size, summed(f, lanes, t))


def summed(f: Function, lanes: Lanes, t: Tiling) -> Products:
    """M as ``multiply_channels`` leaves it."""
    by_row, by_column, by_channel, by_tile = t.strides(t.conv.outputs, lanes)

    def products(o: Index, n: Index, v: Index) -> At:
        m = f.address(f["a"], t.outputs, (o, by_channel), (n, by_tile), (v, lanes.bytes))
        return values(f, lanes, m, by_row, by_column)

    return products


def transform_inputs(f: Function, lanes: Lanes, t: Tiling, x: Grid, first: Index, size: int) -> None:
    """V = Bᵀ d B of ``size`` tiles from ``first`` on."""
    place = t.place(f, x.row, x.pixel)
    top = x.origin - t.conv.padding[0] * x.row - t.conv.padding[1] * x.pixel
    with f.loop(t.conv.inputs) as c, f.loop(size) as n, f.loop(lanes.vectors) as v:
        corner = f.address(f["a"], top, (c, x.channel), place(first + n), (v, lanes.bytes))
        row = both(f, lanes, t.down.input, t.along.input, values(f, lanes, corner, x.row, x.pixel))
        store_points(f, lanes, t, t.inputs, t.conv.inputs, row, c, n, v)


def store_points(f: Function, lanes: Lanes, t: Tiling, array: int, channels: int, row: Row, c: Index, n: Index,
                 v: Index) -> None:  # fmt: skip
    """Store all points of a channel, tile and vector into V or N."""
    by_row, by_column, by_channel, by_tile = t.strides(channels, lanes)
    out = f.address(f["a"], array, (c, by_channel), (n, by_tile), (v, lanes.bytes))
    with f.loop(t.points[0]) as i:
        for j, value in enumerate(row(i)):
            f.store(value, out, (i, by_row), j * by_column)


def multiply_channels(f: Function, lanes: Lanes, t: Tiling, size: int, forward: bool) -> None:
    """At every point: M[o] = Σ_c U[o, c] · V[c], or backward dV[c] = Σ_o U[o, c] · N[o]."""
    u_row, u_column, u_input, u_output = t.weight_strides()
    ends = (t.inputs, t.conv.inputs, u_input), (t.outputs, t.conv.outputs, u_output)
    (source, inputs, u_from), (target, outputs, u_to) = ends if forward else reversed(ends)
    x_row, x_column, x_channel, _ = t.strides(inputs, lanes)
    y_row, y_column, y_channel, _ = t.strides(outputs, lanes)
    with f.loop(t.points[0]) as i, f.loop(t.points[1]) as j:
        x = f.address(f["a"], source, (i, x_row), (j, x_column))
        y = f.address(f["a"], target, (i, y_row), (j, y_column))
        u = f.address(f["a"], t.weights, (i, u_row), (j, u_column))
        for left, right, columns in tiles(size * lanes.vectors, 2):
            for start, stop, channels in tiles(outputs, lanes.registers // columns):
                with f.loop(stop, start, channels) as o, f.loop(right, left, columns) as column:
                    sums = [[f.var(f.constant(0.0, lanes.vector)) for _ in range(columns)] for _ in range(channels)]
                    with f.loop(inputs) as c:
                        here = f.address(x, (c, x_channel), (column, lanes.bytes))
                        there = f.address(u, (o, u_to), (c, u_from))
                        loaded = [f.load(lanes.vector, here, k * lanes.bytes) for k in range(columns)]
                        for n, row in enumerate(sums):
                            weight = f.splat(f.load(F32, there, n * u_to), lanes.width)
                            for total, value in zip(row, loaded, strict=True):
                                total.value = f.fma(value, weight, total.value)
                    out = f.address(y, (o, y_channel), (column, lanes.bytes))
                    for n, row in enumerate(sums):
                        for k, total in enumerate(row):
                            f.store(total.value, out, n * y_channel + k * lanes.bytes)


def store_outputs(f: Function, lanes: Lanes, t: Tiling, act: Activation, y: Grid, first: Index, size: int,
                  products: Products) -> None:  # fmt: skip
    """y = a(pool(Aᵀ M A + b)) of ``size`` tiles from ``first`` on; ``products`` is M."""
    bias_at, pool = t.conv.bias, t.conv.pool or (1, 1)
    place = t.place(f, y.row, y.pixel, pool)
    with f.loop(t.conv.outputs) as o, f.loop(size) as n, f.loop(lanes.vectors) as v:
        row = both(f, lanes, transposed(t.down.evaluate), transposed(t.along.evaluate), products(o, n, v))
        bias = None if bias_at is None else f.splat(f.load(F32, f["p"], 4 * bias_at, (o, 4)), lanes.width)
        out = f.address(f["a"], y.origin, (o, y.channel), place(first + n), (v, lanes.bytes))
        for i in range(t.down.outputs // pool[0]):
            lines = [row(i * pool[0] + k) for k in range(pool[0])]
            for j in range(t.along.outputs // pool[1]):
                best = largest(f, [value for line in lines for value in line[j * pool[1] : (j + 1) * pool[1]]])
                result = activation.apply(f, act, best if bias is None else best + bias)
                f.store(result, out, i * y.row + j * y.pixel)
