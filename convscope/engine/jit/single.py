"""One image alone: there is no batch to fill the vectors with, so they run along a row, or along the inputs of a layer.

The same arithmetic as conv.py, for the forward direction only: a vector holds neighbouring output columns, and the last
vector of a row overlaps the one before, so that nothing is ever computed beyond the row. Convolutions with a stride
along the row, and pools on their own, use the kernels for batches with one lane.
"""

from collections.abc import Sequence

from . import activation, conv
from .activation import Activation
from .conv import Conv
from .elementary import lane_sums
from .ir import Function
from .layout import Grid, Lanes, tiles
from .values import F32, I8, I32, PTR, Value, vector

WIDTH = 8  # at most: small images have short rows
ROWS = 4  # of a tile, if there are so many: a weight then serves four multiply-adds


def forward(f: Function, lanes: Lanes, op: Conv, act: Activation, x: Grid, y: Grid) -> None:
    """y = a(pool(conv(x))) for one image."""
    window = op.pool or (1, 1)
    if (y.height, y.width) == (1, 1) and op.kernel == (x.height, x.width) and op.groups == 1 and not any(x.border):
        _linear(f, lanes, op, act, x, y)
    elif op.stride[1] == 1 and window[1] <= 2 and y.width * window[1] >= 2:
        _rows(f, lanes, op, act, x, y)
    else:
        conv.forward(f, lanes, op, act, x, y, None)


def _rows(f: Function, lanes: Lanes, op: Conv, act: Activation, x: Grid, y: Grid) -> None:
    """A tile is some output channels × the rows of a pooling window (or some rows) × one vector of columns."""
    kh, kw = op.pool or (1, 1)
    columns = y.width * kw
    width = min(WIDTH, 1 << columns.bit_length() - 1)
    for start, stop, size in tiles(op.fan_out, max(1, lanes.registers // ROWS)):
        for top, bottom, bands in tiles(y.height, max(1, lanes.registers // (size * kh))):
            with f.loop(op.groups) as g, f.loop(stop, start, size) as o, f.loop(bottom, top, bands) as row:
                with f.loop(columns // width * width, 0, width) as column:
                    _tile(f, op, act, x, y, g, o, size, row, bands, column, width)
                if columns % width:
                    _tile(f, op, act, x, y, g, o, size, row, bands, columns - width, width)


def _tile(f: Function, op: Conv, act: Activation, x: Grid, y: Grid, g: "int | Value", o: "int | Value", size: int,
          row: "int | Value", bands: int, column: "int | Value", width: int) -> None:  # fmt: skip
    """``size`` channels from o, ``bands`` rows of y from ``row``, ``width`` columns of the convolution."""
    kind = vector(width)
    kh, kw = op.pool or (1, 1)
    rows = bands * kh
    by_o, by_c, by_k, by_l = op.weight_strides()
    (sy, _), (dy, dx) = op.stride, op.dilation
    sums = []
    for n in range(size):
        bias = None if op.bias is None else f.load(F32, f["p"], 4 * (op.bias + n), (g, 4 * op.fan_out), (o, 4))
        first = f.constant(0.0, kind) if bias is None else f.splat(bias, width)
        sums.append([f.var(first) for _ in range(rows)])
    top = x.origin - op.padding[0] * x.row - op.padding[1] * x.pixel
    corner = f.address(f["a"], top, (g, op.fan_in * x.channel), (row, kh * sy * x.row), (column, x.pixel))
    w = f.address(f["p"], 4 * op.weight, (g, by_o * op.fan_out), (o, by_o))
    unroll = op.kernel[1] if op.kernel[1] * size * rows <= conv.UNROLLED else 1
    with f.loop(op.fan_in) as c, f.loop(op.kernel[0]) as k, f.loop(op.kernel[1] // unroll) as rolled:
        at = f.address(corner, (c, x.channel), (k, dy * x.row), (rolled, dx * x.pixel))
        wt = f.address(w, (c, by_c), (k, by_k), (rolled, by_l))
        for tap in range(unroll):
            loaded = [f.load(kind, at, r * sy * x.row + tap * dx * x.pixel, align=4) for r in range(rows)]
            for n in range(size):
                weight = f.splat(f.load(F32, wt, n * by_o + tap * by_l), width)
                for total, value in zip(sums[n], loaded, strict=True):
                    total.value = f.fma(value, weight, total.value)
    out = f.address(f["a"], y.origin, (g, op.fan_out * y.channel), (o, y.channel), (row, y.row))
    place = column // kw if isinstance(column, int) else column >> (kw - 1)
    for n in range(size):
        for band in range(bands):
            best = maximum(f, [total.value for total in sums[n][band * kh : (band + 1) * kh]])
            if kw == 2:
                best = maximum(f, [f.shuffle(best, best, list(range(first, width, 2))) for first in (0, 1)])
            result = activation.apply(f, act, best)
            f.store(result, out, n * y.channel + band * y.row, (place, y.pixel), align=4)


def maximum(f: Function, values: list[Value]) -> Value:
    """The largest of some vectors, lane by lane; not-a-number wins."""
    best = values[0]
    for value in values[1:]:
        larger = f.select(f.compare("ogt", best, value), best, value)
        best = f.select(f.compare("uno", best, best), best, larger)
    return best


def _linear(f: Function, lanes: Lanes, op: Conv, act: Activation, x: Grid, y: Grid) -> None:
    """y[o] = a(b[o] + Σ_i w[o, i] · x[i]): vectors run along i, their lanes are added up at the end."""
    count = x.channels * x.height * x.width
    width = min(2 * WIDTH, 1 << count.bit_length() - 1)
    by_o = op.weight_strides()[0]
    room = f.reserve(vector(width))
    for start, stop, size in tiles(op.outputs, min(width, lanes.registers // 2)):
        with f.loop(stop, start, size) as o:
            w = f.address(f["p"], 4 * op.weight, (o, by_o))
            parts = _products(f, w, by_o, size, x, 0, count // width * width, width)
            f.store(lane_sums(f, parts), room)
            rest = _products(f, w, by_o, size, x, count // width * width, count, 1)
            for n in range(size):
                total = f.load(vector(1), room, 4 * n) + rest[n]
                if op.bias is not None:
                    total = total + f.load(vector(1), f["p"], 4 * (op.bias + n), (o, 4))
                f.store(activation.apply(f, act, total), f["a"], y.origin + n * y.channel, (o, y.channel))


def _products(f: Function, w: Value, by_o: int, size: int, x: Grid, first: int, last: int, width: int) -> list[Value]:
    """For each of ``size`` outputs the sum of w·x over inputs first..last−1, still in ``width`` lanes."""
    sums = [f.var(f.constant(0.0, vector(width))) for _ in range(size)]
    if first < last:
        with f.loop(last, first, width) as i:
            value = f.load(vector(width), f["a"], x.origin, (i, 4), align=4)
            for n, total in enumerate(sums):
                total.value = f.fma(f.load(vector(width), w, n * by_o, (i, 4), align=4), value, total.value)
    return [total.value for total in sums]


def images(f: Function, scale: Sequence[float], shift: Sequence[float], x: Grid) -> None:
    """x = image · scale + shift, vectors along the row."""
    width = min(2 * WIDTH, 1 << x.width.bit_length() - 1)
    image = f.load(PTR, f["images"])
    with f.loop(x.height) as row:
        for c in range(x.channels):
            for begin, end in ((0, x.width // width * width), (x.width - width, x.width)):
                with f.loop(end, begin, width) as column:
                    place = (c * x.height * x.width, (row, x.width), column)
                    pixels = f.load(vector(width, I8), image, *place, align=1)
                    value = f.convert("sitofp", f.convert("zext", pixels, I32), F32)
                    result = f.fma(value, f.constant(scale[c], value.type), f.constant(shift[c], value.type))
                    f.store(result, f["a"], *x.at(c, row, column), align=4)
                if not x.width % width:
                    break
