"""Backward through a convolution that forward.py computes: gradients of weights and input. Formulas: there."""

from collections.abc import Callable
from functools import partial
from itertools import product

from ...ir import registers
from ...ir.arrays import Array, Index, Pair, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.values import F32, I32, I64, PTR, Value
from ..gradient import Former, Slopes
from ..windows.winners import Masks, shares
from .forward import multiply_channels, store_points, transform_inputs
from .pairs import Pairs
from .strips import Strips
from .tiling import At, Tiles, both, values
from .toom_cook import transposed

Source = Array | Former  # of dy


def backward(f: Kernel, t: Tiles, x: Array, dy: Source, masks: Masks | None, strips: Strips | None, kept: bool) -> None:
    """Add to dU the block's part; ``strips``, where it is wanted, make dx.

    ``kept``: V still lies where the forward pass left it.
    """
    if not strips:
        for start, stop, size in chunks(t.count, t.group):
            with f.loop(stop, start, size) as first:
                _add_weights(f, t, x, dy, masks, first, size, kept)
        return
    strips.begin(f)
    for top, bottom, step in strips.each:
        with f.loop(bottom, top, step) as strip:
            for start, stop, size in chunks(step * t.tiles[1], t.group):
                with f.loop(stop, start, size) as n:
                    first = f.integer(strip) * t.tiles[1] + n
                    _add_weights(f, t, x, dy, masks, first, size, kept)
                    multiply_channels(f, t, size, forward=False)
                    strips.add(f, first, size)
            strips.finish(f, strip, step)


def _add_weights(
    f: Kernel, t: Tiles, x: Array, dy: Source, masks: Masks | None, first: Index, size: int, kept: bool
) -> None:
    """N of ``size`` tiles from ``first`` on, and their part of dU."""
    if not kept:
        transform_inputs(f, t, x, first, size)
    gradients = output_gradients(f, t, dy, masks)
    with f.loop(t.conv.outputs) as o, f.loop(size) as n, f.loop(f.lanes.vectors) as v:
        row = both(f, t.down.evaluate, t.along.evaluate, gradients(o, first + n, v), unrolled=True)
        store_points(f, t, t.outputs, t.conv.outputs, row, o, n, v)
    _multiply_images(f, t, size)


def output_gradients(f: Kernel, t: Tiles, dy: Source, masks: Masks | None) -> Slopes:
    """dy before the pool. What two overlapping tiles cover counts in the first."""
    lanes, (ph, pw) = f.lanes, t.conv.window
    given = _stored(f, t, dy) if isinstance(dy, Array) else dy(f, partial(_place, f, t), t.pooled)
    words = t.place(f, masks.row, masks.pixel, (ph, pw)) if masks else None
    keeps = [_all_but_last(f, t, axis) for axis in (0, 1)]

    def gradients(o: Index, tile: Index, v: Index) -> At:
        pooled = given(o, tile, v)
        found: dict[Pair, Value] = {}
        for i in range(t.pooled[0]):
            for j in range(t.pooled[1]):
                parts = [pooled(i, j)]
                if masks and words:
                    won = f.address(
                        masks.room, (o, masks.channel), words(tile), (v, masks.each), i * masks.row + j * masks.pixel
                    )
                    parts = shares(f, parts[0], won, ph * pw)
                for k, part in enumerate(parts):
                    found[i * ph + k // pw, j * pw + k % pw] = part
        for axis, (overlap, keep) in enumerate(zip(t.overlap, keeps, strict=True)):
            kept = keep(tile) if overlap else None
            for pixel, value in found.items():
                if kept and pixel[axis] < overlap:
                    found[pixel] = f.bits(f.bits(value, kept.type) & kept, lanes.vector)
        return lambda i, j: found[i, j]  # type: ignore[index]

    return gradients


def _stored(f: Kernel, t: Tiles, dy: Array) -> Slopes:
    """dy as it lies in its array."""
    place = t.place(f, dy.row, dy.pixel, t.conv.window)

    def slopes(o: Index, tile: Index, v: Index) -> At:
        corner = f.address(dy.room, dy.origin, (o, dy.channel), place(tile), (v, f.lanes.bytes))
        return values(f, corner, dy.row, dy.pixel)

    return slopes


def _place(f: Kernel, t: Tiles, row: int, column: int, pool: Pair) -> Callable[[Index], Value]:
    """Where tiles lie in an array that is pooled by so much more than the node's output."""
    ph, pw = t.conv.window
    return t.place(f, row, column, (ph * pool[0], pw * pool[1]))


def _all_but_last(f: Kernel, t: Tiles, axis: int) -> Callable[[Index], Value]:
    """By a tile's number: all bits set in every lane, or none for the last tile along ``axis``."""
    last = [tile[axis] == t.tiles[axis] - 1 for tile in product(range(t.tiles[0]), range(t.tiles[1]))]
    table = Value(f, f.module.table([0 if ends else -1 for ends in last]), PTR)
    return lambda tile: f.splat(f.convert("trunc", f.load(I64, table, (tile, 8)), I32), f.lanes.width)


def _multiply_images(f: Kernel, t: Tiles, size: int) -> None:
    """dU[o, c] += Σ_tiles Σ_images N[o] ⊙ V[c], at every point."""
    lanes = f.lanes
    pairs = Pairs(t, lanes)
    x_row, x_column, x_channel, _ = t.strides(t.conv.inputs, lanes)
    n_row, n_column, n_channel, _ = t.strides(t.conv.outputs, lanes)
    with f.loop(t.points[0]) as i, f.loop(t.points[1]) as j:
        x = f.address(t.inputs, (i, x_row), (j, x_column))
        gradient = f.address(t.outputs, (i, n_row), (j, n_column))
        target = f.address(t.gradients, (i, pairs.row), (j, pairs.column))
        for (start, stop, outputs), (begin, end, inputs) in pairs.each():
            with f.loop(stop, start, outputs) as o, f.loop(end, begin, inputs) as c:
                sums = registers.zeros(f, outputs, inputs, lanes.vector)
                with f.loop(size * lanes.vectors) as column:
                    there = f.address(x, (c, x_channel), (column, lanes.bytes))
                    here = f.address(gradient, (o, n_channel), (column, lanes.bytes))
                    loaded = [f.load(lanes.vector, there, k * x_channel) for k in range(inputs)]
                    registers.accumulate(f, sums, registers.loads(f, lanes.vector, here, n_channel), loaded)
                out = f.address(target, *pairs.at(o, c))
                for k, part in enumerate(pairs.vectors(registers.values(sums))):
                    place = f.address(out, k * lanes.bytes)
                    f.store(f.load(lanes.vector, place) + lane_sums(f, part), place)


def weight_gradients(f: Kernel, t: Tiles) -> None:
    """dw = Gᵀ dU G, once a step; a vector holds neighbouring pairs."""
    lanes, (kh, kw) = f.lanes, t.conv.kernel
    pairs = Pairs(t, lanes)
    by_o, by_c, by_k, by_l = t.conv.weight_strides()
    room = f.reserve(lanes.vector, kh * kw * pairs.tile // lanes.bytes)
    for (start, stop, outputs), (begin, end, inputs) in pairs.each():
        with f.loop(stop, start, outputs) as o, f.loop(end, begin, inputs) as c:
            sums = f.address(t.gradients, *pairs.at(o, c))
            with f.loop(pairs.tile // lanes.bytes) as part:
                here = f.address(sums, (part, lanes.bytes))
                row = both(
                    f, transposed(t.down.weight), transposed(t.along.weight), values(f, here, pairs.row, pairs.column)
                )
                with f.loop(kh) as k:
                    for m, value in enumerate(row(k)):
                        f.store(value, room, (k, kw * pairs.tile), m * pairs.tile, (part, lanes.bytes))
            out = f.address(f["g"], 4 * t.conv.weight, (o, by_o), (c, by_c))
            with f.loop(outputs) as n, f.loop(inputs) as i, f.loop(kh) as k:
                for m in range(kw):
                    number = f.load(F32, room, (k, kw * pairs.tile), m * pairs.tile, (n, 4 * pairs.inputs), (i, 4))
                    f.store(number, out, (n, by_o), (i, by_c), (k, by_k), m * by_l)
