"""The weight gradient of a linear layer, which has no positions to sum over: dw[o, i] = Σ_images dy[o] · x[i].

With images in the lanes, as elsewhere, each weight would need a sum over the lanes of its own. So the inputs are first
transposed, x[i, lane] → t[lane, i], and vectors run along i: dw[o, i...] += dy[o, lane] · t[lane, i...], lane by lane.
"""

from .conv import Conv
from .elementary import transpose
from .ir import Function
from .layout import LINE, Grid, Lanes, tiles
from .values import F32, I64, PTR, Value, vector


def is_linear(conv: Conv, x: Grid) -> bool:
    """Whether a convolution is a linear layer: one group, one position, which sees the whole input."""
    return conv.kernel == (x.height, x.width) and conv.groups == 1 and not any(conv.padding) and not conv.pool


def row(inputs: int, lanes: Lanes) -> int:
    """Bytes of one lane's row of t: whole vectors, an odd number of cache lines."""
    whole = -(-inputs // lanes.width) * lanes.bytes
    return (-(-whole // LINE) | 1) * LINE


def weight_gradient(f: Function, lanes: Lanes, conv: Conv, x: Grid, dy: Grid, room: int) -> None:
    """Add the block's part to dw; t is kept at ``room`` of the arena."""
    inputs = x.channels * x.height * x.width
    t = f.address(f["a"], room)
    _transpose(f, lanes, x, t, row(inputs, lanes))
    begin, width = 0, lanes.width
    while begin < inputs:  # whole vectors, then the rest in ever narrower ones
        end = begin + (inputs - begin) // width * width
        if begin < end:
            for first, last, count in tiles((end - begin) // width, 2):
                for start, stop, size in tiles(conv.outputs, lanes.registers // count):
                    inner, outer = begin + first * width, begin + last * width
                    with f.loop(outer, inner, count * width) as i, f.loop(stop, start, size) as o:
                        _tile(f, lanes, conv, dy, t, row(inputs, lanes), i, o, size, count, width)
        begin, width = end, width // 2


def _transpose(f: Function, lanes: Lanes, x: Grid, t: Value, by_lane: int) -> None:
    """t[lane, i] = x[i, lane]; the last square repeats the last input."""
    places = [c * x.channel + y * x.row + z * x.pixel
              for c in range(x.channels) for y in range(x.height) for z in range(x.width)]  # fmt: skip
    places += [places[-1]] * (-len(places) % lanes.width)
    table = Value(f, f.module.table(places), PTR)
    with f.loop(len(places), 0, lanes.width) as i, f.loop(lanes.vectors) as v:
        rows = [f.load(lanes.vector, f["a"], x.origin, f.load(I64, table, (i, 8), 8 * n), (v, lanes.bytes))
                for n in range(lanes.width)]  # fmt: skip
        for lane, column in enumerate(transpose(f, rows)):
            f.store(column, t, lane * by_lane, (v, lanes.width * by_lane), (i, 4))


def _tile(f: Function, lanes: Lanes, conv: Conv, dy: Grid, t: Value, by_lane: int, i: "int | Value", o: "int | Value",
          size: int, count: int, width: int) -> None:  # fmt: skip
    """``size`` outputs from o, ``count`` vectors of ``width`` inputs from i."""
    kind = vector(width)
    sums = [[f.var(f.constant(0.0, kind)) for _ in range(count)] for _ in range(size)]
    gradient = f.address(f["a"], dy.origin, (o, dy.channel))
    with f.loop(lanes.count) as lane:
        values = [f.load(kind, t, (lane, by_lane), (i, 4), 4 * width * n, align=4) for n in range(count)]
        for n in range(size):
            slope = f.splat(f.load(F32, gradient, n * dy.channel, (lane, 4)), width)
            for total, value in zip(sums[n], values, strict=True):
                total.value = f.fma(value, slope, total.value)
    by_o = conv.weight_strides()[0]
    out = f.address(f["g"], 4 * conv.weight, (o, by_o), (i, 4))
    for n in range(size):
        for m in range(count):
            place = f.address(out, n * by_o + 4 * width * m)
            f.store(f.load(kind, place, align=4) + sums[n][m].value, place, align=4)
