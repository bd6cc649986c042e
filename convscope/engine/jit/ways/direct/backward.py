"""Backward through direct sums: unpooling, and the gradients of input, weights and bias. Formulas: conv.py."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product

from ...ir import registers
from ...ir.arrays import Array, Index, Lanes, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.taps import TapTable, taps
from ...ir.values import F32, I1, I16, Value, vector
from ..conv import Conv, Masks
from ..way import Gradient

# -- through a fused max pool ----------------------------------------------------------------------------------------


def unpool(f: Kernel, conv: Conv, dpooled: Array, masks: Masks, dy: Array, first: Index, count: int) -> None:
    """Each pooled gradient goes where its maximum stood, zeros elsewhere; channels ``first`` on become dy's."""
    (kh, kw), lanes = conv.window, f.lanes
    with f.loop(count) as n, f.loop(dpooled.height) as y, f.loop(dpooled.width) as x, f.loop(lanes.vectors) as v:
        channel = f.address(dpooled.room, (first, dpooled.channel), *dpooled.at(n, y, x), (v, lanes.bytes))
        gradient = f.load(lanes.vector, channel)
        words = f.address(masks.room, (first, masks.channel), *masks.at(n, y, x, v))
        here = f.address(dy.room, dy.origin, (n, dy.channel), (y, kh * dy.row), (x, kw * dy.pixel), (v, lanes.bytes))
        for place, value in enumerate(shares(f, gradient, words, kh * kw)):
            f.store(value, here, place // kw * dy.row + place % kw * dy.pixel)


def shares(f: Kernel, gradient: Value, words: Value, count: int) -> list[Value]:
    """What each of the ``count`` numbers of a pooling window gets of its gradient: the maximum all of it."""
    lanes = f.lanes
    zero = f.constant(0.0, lanes.vector)
    found = []
    for place in reversed(range(1, count)):  # the last comparison that was won tells the place
        word = f.load(I16, words, 2 * (place - 1))
        word = word if lanes.width == 16 else f.convert("trunc", word, f"i{lanes.width}")
        won = f.bits(word, vector(lanes.width, I1))
        found.append(f.select(won, gradient, zero))
        gradient = f.select(won, zero, gradient)
    return [gradient, *reversed(found)]


# -- input gradient --------------------------------------------------------------------------------------------------


def input_gradient(f: Kernel, conv: Conv, x: Array, dy: Array, dx: Gradient) -> None:
    """dx from dy. Only taps that exist are visited."""
    lanes = f.lanes
    by_o, by_c, by_k, by_l = conv.weight_strides()
    pad, kernel, stride, dilation = conv.padding, conv.kernel, conv.stride, conv.dilation
    down = TapTable(f, taps(x.height, dy.height, kernel[0], stride[0], pad[0], dilation[0]), by_k, dy.row)
    along = TapTable(f, taps(x.width, dy.width, kernel[1], stride[1], pad[1], dilation[1]), by_l, dy.pixel)
    for start, stop, size in chunks(conv.fan_in, lanes.registers // lanes.vectors):
        with f.loop(conv.groups) as g, f.loop(stop, start, size) as c, f.loop(x.height) as u, f.loop(x.width) as v:
            sums = registers.zeros(f, size, lanes.vectors, lanes.vector)
            w = f.address(f["p"], 4 * conv.weight, (g, by_o * conv.fan_out), (c, by_c))
            gradient = f.address(dy.room, dy.origin, (g, conv.fan_out * dy.channel))
            row, rows = down.span(u)
            column, columns = along.span(v)
            # The longest loop goes innermost: output channels for a linear layer, else the taps, in memory's order.
            linear = dy.height == dy.width == 1
            outer, inner = (1, conv.fan_out) if linear else (conv.fan_out, 1)
            with f.loop(outer) as o, f.loop(rows, row) as s, f.loop(columns, column) as t:
                (wk, oi), (wl, oj) = down.entry(s), along.entry(t)
                wt, there = f.address(w, (o, by_o), wk, wl), f.address(gradient, (o, dy.channel), oi, oj)
                with f.loop(inner) as o:
                    tap, at = f.address(wt, (o, by_o)), f.address(there, (o, dy.channel))
                    slopes = [f.load(lanes.vector, at, i * lanes.bytes) for i in range(lanes.vectors)]
                    registers.accumulate(f, sums, registers.spread(f, tap, by_c, lanes.width), slopes)
            known = f.address(x.room, *x.at(c, u, v), (g, conv.fan_in * x.channel))
            array = dx.array
            out = f.address(array.room, *array.at(c, u, v), (g, conv.fan_in * array.channel))
            for n, i in product(range(size), range(lanes.vectors)):
                place = n * x.channel + i * lanes.bytes
                result = partial(f.load, lanes.vector, known, place)
                dx.put(f, sums[n][i].value, result, out, n * array.channel + i * lanes.bytes)


# -- weight and bias gradient ----------------------------------------------------------------------------------------


def weight_chunks(lanes: Lanes, conv: Conv) -> Iterator[tuple[int, int, int]]:
    """How the output channels of a group are cut for the weight gradient: as many as leave room for a kernel row."""
    across = conv.kernel[1] if conv.kernel[1] > 1 else conv.fan_in
    columns = min(across, max(1, round(lanes.registers**0.5)))
    return chunks(conv.fan_out, max(1, (lanes.registers + 1) // columns))


def weight_gradient(f: Kernel, conv: Conv, x: Array, dy: Array, g: Index, o: Index, size: int, channel: Index) -> None:
    """Add to dw the block's part, for ``size`` output channels from o of group g, which are dy's from ``channel``.

    The sums run over all positions and images; their lanes are added up once, at the end.
    """
    lanes, (kh, kw), (sy, sx), (ky, kx) = f.lanes, conv.kernel, conv.stride, conv.dilation
    by_o, by_c, by_k, by_l = conv.weight_strides()
    limit = max(1, (lanes.registers + 1) // size)
    across, along = (kw, conv.fan_in) if kw > 1 else (conv.fan_in, kw)  # sums for kernel columns, or input channels
    step_w, step_x = (by_l, kx * x.pixel) if kw > 1 else (by_c, x.channel)
    outer_w, outer_x = (by_c, x.channel) if kw > 1 else (by_l, kx * x.pixel)
    for left, right, count in chunks(across, limit):
        with f.loop(along) as outer, f.loop(kh) as k, f.loop(right, left, count) as first:
            sums = registers.zeros(f, size, count, lanes.vector)
            at = f.address(
                x.room,
                x.corner(conv.padding),
                (g, conv.fan_in * x.channel),
                (outer, outer_x),
                (k, ky * x.row),
                (first, step_x),
            )
            gradient = f.address(dy.room, dy.origin, (channel, dy.channel))
            with f.loop(dy.height) as i, f.loop(dy.width) as j, f.loop(lanes.vectors) as v:
                here = f.address(at, (i, sy * x.row), (j, sx * x.pixel), (v, lanes.bytes))
                there = f.address(gradient, (i, dy.row), (j, dy.pixel), (v, lanes.bytes))
                inputs = [f.load(lanes.vector, here, m * step_x) for m in range(count)]
                registers.accumulate(f, sums, registers.loads(f, lanes.vector, there, dy.channel), inputs)
            out = f.address(
                f["g"],
                4 * conv.weight,
                (g, by_o * conv.fan_out),
                (o, by_o),
                (outer, outer_w),
                (k, by_k),
                (first, step_w),
            )
            add_sums(
                f,
                [total.value for row in sums for total in row],
                out,
                [n * by_o + m * step_w for n in range(size) for m in range(count)],
            )


def bias_gradient(f: Kernel, conv: Conv, dy: Array) -> None:
    """Add to db the block's part: the sum of dy over positions and images."""
    assert conv.bias is not None
    for start, stop, size in chunks(conv.outputs, 8):
        with f.loop(stop, start, size) as o:
            sums = [f.var(f.constant(0.0, f.lanes.vector)) for _ in range(size)]
            with f.loop(dy.height) as i, f.loop(dy.width) as j, f.loop(f.lanes.vectors) as v:
                at = f.address(dy.room, *dy.at(o, i, j), (v, f.lanes.bytes))
                for n, total in enumerate(sums):
                    total.value = total.value + f.load(f.lanes.vector, at, n * dy.channel)
            out = f.address(f["g"], 4 * conv.bias, (o, 4))
            add_sums(f, [total.value for total in sums], out, [4 * n for n in range(size)])


def add_sums(f: Kernel, vectors: Sequence[Value], out: Value, places: Sequence[int]) -> None:
    """Add the sum over the lanes of each vector to the number at ``out`` plus its place."""
    lanes = f.lanes
    room = f.reserve(lanes.vector)
    for start in range(0, len(vectors), lanes.width):
        part = vectors[start : start + lanes.width]
        f.store(lane_sums(f, part), room)
        for n in range(len(part)):
            place = places[start + n]
            f.store(f.load(F32, out, place) + f.load(F32, room, 4 * n), out, place)
