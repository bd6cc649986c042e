"""Winograd's way for a first layer, whose few input channels leave little to multiply. Formulas: forward.py.

Most of its time would go into storing products. So they are made where they are used: M when the output is transformed
back, and dU where dy is transformed, with the images of a vector kept apart until the end of the step.
"""

from collections.abc import Callable
from itertools import product

from ...ir.arrays import Array, Index, Lanes, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.values import F32, Value
from ..gradient import Slopes
from ..layer import Activation
from ..windows.winners import Masks
from .backward import Source, output_gradients
from .forward import store_outputs, transform_inputs
from .pairs import Pairs
from .tiling import At, Tiles, Tiling, both, values


def apart_room(t: Tiling, lanes: Lanes) -> int:
    """Bytes of dU with the images of a vector apart."""
    return t.conv.outputs * _strides(t, lanes)[0]


def _strides(t: Tiling, lanes: Lanes) -> tuple[int, int, int, int]:
    """Bytes of it from one output channel, input channel, row of points, column of points to the next."""
    row = t.points[1] * lanes.bytes
    return t.conv.inputs * t.points[0] * row, t.points[0] * row, row, lanes.bytes


def _inputs(f: Kernel, t: Tiles, n: Index, v: Index) -> Callable[[int], At]:
    """V of a tile of the group and a vector, by input channel."""
    by_row, by_column, by_channel, by_tile = t.strides(t.conv.inputs, f.lanes)
    here = f.address(t.inputs, (n, by_tile), (v, f.lanes.bytes))
    return lambda c: values(f, f.address(here, c * by_channel), by_row, by_column)


def forward(f: Kernel, t: Tiles, act: Activation, x: Array, y: Array, masks: Masks | None) -> None:
    """y = a(pool(conv(x))), and what the pool's backward pass needs to know, where there is one."""
    lanes = f.lanes
    u_row, u_column, u_input, u_output = t.weight_strides()

    def products(o: Index, n: Index, v: Index) -> At:
        u, inputs = f.address(t.weights, (o, u_output)), _inputs(f, t, n, v)

        def product(c: int, i: Index, j: Index) -> tuple[Value, Value]:
            number = f.load(F32, u, (i, u_row), (j, u_column), c * u_input)
            return f.splat(number, lanes.width), inputs(c)(i, j)

        def at(i: Index, j: Index) -> Value:
            weight, value = product(0, i, j)
            total = weight * value
            for c in range(1, t.conv.inputs):
                total = f.fma(*product(c, i, j), total)
            return total

        return at

    for start, stop, size in chunks(t.count, t.group):
        with f.loop(stop, start, size) as first:
            transform_inputs(f, t, x, first, size)
            store_outputs(f, t, act, y, masks, first, size, products)


def backward(f: Kernel, t: Tiles, x: Array, dy: Source, masks: Masks | None) -> None:
    """Add to dU the block's part, the images of a vector apart.

    A gradient that is formed here is formed for all tiles of the group before it is used: what it is formed of comes
    from far, and both streams at once, that and dU, would wait for each other. It takes the place of a tile of V.
    """
    formed = not isinstance(dy, Array)
    for start, stop, size in chunks(t.count, max(1, t.group - 1) if formed else t.group):
        with f.loop(stop, start, size) as first:
            transform_inputs(f, t, x, first, size)
            gradients = output_gradients(f, t, dy, masks)
            with f.loop(t.conv.outputs) as o:
                kept = _kept(f, t, gradients, o, first, size) if formed else None
                with f.loop(size) as n, f.loop(f.lanes.vectors) as v:
                    sums, inputs = f.address(t.apart, (o, _strides(t, f.lanes)[0])), _inputs(f, t, n, v)
                    slopes = kept(n, v) if kept else gradients(o, first + n, v)
                    _add_products(f, t, sums, slopes, inputs)


def _kept(f: Kernel, t: Tiles, slopes: Slopes, o: Index, first: Index, size: int) -> Callable[[Index, Index], At]:
    """A channel's ``slopes`` of ``size`` tiles from ``first`` on, computed and stored; by tile of the group, vector."""
    (height, width), lanes = (t.down.outputs, t.along.outputs), f.lanes
    by_row, by_vector = width * lanes.bytes, height * width * lanes.bytes
    by_tile = lanes.vectors * by_vector
    room = f.reserve(lanes.vector, size * by_tile // lanes.bytes)
    with f.loop(size) as n, f.loop(lanes.vectors) as v:
        found = slopes(o, first + n, v)
        for i, j in product(range(height), range(width)):
            f.store(found(i, j), room, (n, by_tile), (v, by_vector), i * by_row + j * lanes.bytes)
    return lambda n, v: values(f, f.address(room, (n, by_tile), (v, by_vector)), by_row, lanes.bytes)


def _add_products(f: Kernel, t: Tiles, sums: Value, slopes: At, inputs: Callable[[int], At]) -> None:
    """dU[o, c] += N[o] ⊙ V[c] of a channel and a tile, whose dU begins at ``sums``."""
    _, by_c, by_i, by_j = _strides(t, f.lanes)
    row = both(f, t.down.evaluate, t.along.evaluate, slopes, unrolled=True)
    with f.loop(t.points[0]) as i:
        for j, gradient in enumerate(row(i)):
            for c in range(t.conv.inputs):
                total = f.address(sums, (i, by_i), c * by_c + j * by_j)
                f.store(f.fma(gradient, inputs(c)(i, j), f.load(f.lanes.vector, total)), total)


def add_images(f: Kernel, t: Tiles) -> None:
    """dU, the images of a vector added up, where backward.py wants it."""
    lanes = f.lanes
    by_o, by_c, by_i, by_j = _strides(t, lanes)
    pairs = Pairs(t, lanes)
    for (start, stop, outputs), (begin, end, inputs) in pairs.each():
        with (
            f.loop(t.points[0]) as i,
            f.loop(t.points[1]) as j,
            f.loop(stop, start, outputs) as o,
            f.loop(end, begin, inputs) as c,
        ):
            here = f.address(t.apart, (i, by_i), (j, by_j), (o, by_o), (c, by_c))
            sums = [[f.load(lanes.vector, here, n * by_o + k * by_c) for k in range(inputs)] for n in range(outputs)]
            out = f.address(t.gradients, (i, pairs.row), (j, pairs.column), *pairs.at(o, c))
            for k, part in enumerate(pairs.vectors(sums)):
                f.store(lane_sums(f, part), out, k * lanes.bytes)
