"""Backward through direct sums: unpooling, and the gradients of input, weights and bias. Formulas: conv.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from ...ir import registers
from ...ir.arrays import Array, Index, Lanes, Pair, chunks
from ...ir.elementary import lane_sums
from ...ir.kernel import Kernel
from ...ir.taps import TapTable, taps
from ...ir.values import F32, Value, Var
from ..conv import Conv
from ..gradient import Gradient
from ..windows.winners import Masks, shares

NEIGHBOURS = {16: 4, 8: 2, 4: 2}  # numbers of dy that are taken at once, by the width of a vector
FEW = 9  # sums that leave registers for them
WIDE = 256  # pixels of an image whose channels' weights lie far apart
CACHE = 1 << 19  # bytes: half of a second-level cache of today, all of an older one

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


# -- input gradient --------------------------------------------------------------------------------------------------


def input_gradient(f: Kernel, conv: Conv, x: Array, dy: Array, dx: Gradient) -> None:
    """dx from dy. Only taps that exist are visited."""
    if conv.kernel == (x.height, x.width) and x.height * x.width >= WIDE and x.width >= FEW and not any(conv.padding):
        _image_gradient(f, conv, x, dy, dx)
        return
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


def _image_gradient(f: Kernel, conv: Conv, x: Array, dy: Array, dx: Gradient) -> None:
    """dx of a kernel as large as a large image: the weights of neighbours lie in one line, those of channels do not."""
    lanes = f.lanes
    by_o, by_c, by_k, by_l = conv.weight_strides()
    for left, right, count in chunks(x.width, lanes.registers // lanes.vectors):
        with f.loop(conv.groups) as g, f.loop(conv.fan_in) as c, f.loop(x.height) as u, f.loop(right, left, count) as v:
            sums = registers.zeros(f, count, lanes.vectors, lanes.vector)
            w = f.address(f["p"], 4 * conv.weight, (g, by_o * conv.fan_out), (c, by_c), (u, by_k), (v, by_l))
            gradient = f.address(dy.room, dy.origin, (g, conv.fan_out * dy.channel))
            with f.loop(conv.fan_out) as o:
                there, tap = f.address(gradient, (o, dy.channel)), f.address(w, (o, by_o))
                slopes = [f.load(lanes.vector, there, i * lanes.bytes) for i in range(lanes.vectors)]
                registers.accumulate(f, sums, registers.spread(f, tap, by_l, lanes.width), slopes)
            known, out = (
                f.address(array.room, *array.at(c, u, v), (g, conv.fan_in * array.channel)) for array in (x, dx.array)
            )
            for n, i in product(range(count), range(lanes.vectors)):
                result = partial(f.load, lanes.vector, known, n * x.pixel + i * lanes.bytes)
                dx.put(f, sums[n][i].value, result, out, n * dx.array.pixel + i * lanes.bytes)


# -- weight and bias gradient ----------------------------------------------------------------------------------------


def weight_chunks(lanes: Lanes, conv: Conv) -> Iterator[tuple[int, int, int]]:
    """How the output channels of a group are cut for the weight gradient: as many as leave room for a kernel row."""
    across = conv.kernel[1] if conv.kernel[1] > 1 else conv.fan_in
    columns = min(across, max(1, round(lanes.registers**0.5)))
    return chunks(conv.fan_out, max(1, (lanes.registers + 1) // columns))


def rows_at_a_time(conv: Conv, x: Array, dy: Array) -> int:
    """How many rows of a group of dy, with the inputs they meet, stay in the cache while all weights look at them."""
    row = conv.fan_in * x.row * x.height // dy.height + conv.fan_out * dy.row
    return dy.height if row * dy.height <= CACHE else max(1, CACHE // row)


@dataclass(frozen=True)
class _Sums:
    """Which weights share a block: ``columns``, for each ``outer``, kernel row and ``first``; in bytes (of w, of x).

    Columns of the kernel; where it has one only, input channels; where registers are left, the whole kernel.
    """

    outer: tuple[int, Pair]  # how many, and from one to the next
    rows: tuple[int, Pair]
    first: tuple[int, int, int, Pair]  # from, to, how many together
    columns: list[Pair]


def _blocks_of_sums(lanes: Lanes, conv: Conv, x: Array, size: int) -> Iterator[_Sums]:
    """Together all weights of ``size`` output channels."""
    (kh, kw), (ky, kx), most = conv.kernel, conv.dilation, (lanes.registers + 1) // size
    _, by_c, by_k, by_l = conv.weight_strides()
    channel, row, column = (by_c, x.channel), (by_k, ky * x.row), (by_l, kx * x.pixel)
    if kh > 1 and kw > 1 and kh * kw <= most:
        whole = [(k * row[0] + m * column[0], k * row[1] + m * column[1]) for k in range(kh) for m in range(kw)]
        yield _Sums((conv.fan_in, channel), (1, row), (0, 1, 1, column), whole)
        return
    across, along = ((kw, column), (conv.fan_in, channel)) if kw > 1 else ((conv.fan_in, channel), (kw, column))
    for left, right, count in chunks(across[0], max(1, most)):
        (step_w, step_x), columns = across[1], range(count)
        yield _Sums(along, (kh, row), (left, right, count, across[1]), [(m * step_w, m * step_x) for m in columns])


def weight_gradient(
    f: Kernel, conv: Conv, x: Array, dy: Array, g: Index, o: Index, size: int, channel: Index, top: Index, rows: int
) -> None:
    """Add to dw the block's part, for ``size`` output channels from o of group g, which are dy's from ``channel``.

    The sums run over all images and ``rows`` rows of dy from ``top``; their lanes are added up once, at the end.
    """
    lanes, (sy, sx), by_o = f.lanes, conv.stride, conv.weight_strides()[0]
    for block in _blocks_of_sums(lanes, conv, x, size):
        (along, (outer_w, outer_x)), (kernel_rows, (row_w, row_x)) = block.outer, block.rows
        left, right, count, (first_w, first_x) = block.first
        with f.loop(along) as outer, f.loop(kernel_rows) as k, f.loop(right, left, count) as first:
            sums = registers.zeros(f, size, len(block.columns), lanes.vector)
            at = f.address(
                x.room,
                x.corner(conv.padding),
                (g, conv.fan_in * x.channel),
                (outer, outer_x),
                (k, row_x),
                (first, first_x),
                (top, sy * x.row),
            )
            gradient = f.address(dy.room, dy.origin, (channel, dy.channel), (top, dy.row))
            alone = size == 1 and len(block.columns) <= FEW
            for begin, end, across in chunks(dy.width, NEIGHBOURS[lanes.width] if alone else 1):
                with f.loop(rows) as i, f.loop(end, begin, across) as j, f.loop(lanes.vectors) as v:
                    here = f.address(at, (i, sy * x.row), (j, sx * x.pixel), (v, lanes.bytes))
                    there = f.address(gradient, (i, dy.row), (j, dy.pixel), (v, lanes.bytes))
                    columns = [by_x for _, by_x in block.columns]
                    if alone:
                        _neighbours(f, sums[0], columns, (here, sx * x.pixel), (there, dy.pixel), across)
                    else:
                        inputs = [f.load(lanes.vector, here, by_x) for by_x in columns]
                        registers.accumulate(f, sums, registers.loads(f, lanes.vector, there, dy.channel), inputs)
            out = f.address(
                f["g"],
                4 * conv.weight,
                (g, by_o * conv.fan_out),
                (o, by_o),
                (outer, outer_w),
                (k, row_w),
                (first, first_w),
            )
            add_sums(
                f,
                [total.value for row in sums for total in row],
                out,
                [n * by_o + by_w for n in range(size) for by_w, _ in block.columns],
            )


def _neighbours(
    f: Kernel, sums: list[Var], columns: list[int], x: tuple[Value, int], dy: tuple[Value, int], count: int
) -> None:
    """Add to the sums of one output channel what ``count`` numbers of dy beside each other give.

    They share inputs, which are loaded once: with one channel alone, loads are what takes the time. ``x`` and ``dy``:
    an address, and bytes from there to the next.
    """
    loaded: dict[int, Value] = {}
    slopes = [f.load(f.lanes.vector, dy[0], n * dy[1]) for n in range(count)]
    for total, column in zip(sums, columns, strict=True):
        for n, slope in enumerate(slopes):
            place = column + n * x[1]
            if place not in loaded:
                loaded[place] = f.load(f.lanes.vector, x[0], place)
            total.value = f.fma(slope, loaded[place], total.value)


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
