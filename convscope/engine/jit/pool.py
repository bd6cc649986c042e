"""MaxPool2d and AvgPool2d as stages of their own (a max pool after a convolution is fused into it: conv.py).

    max       y[c, i, j] = max over the window of x[c, i·s − p + k, j·s − p + l]; remembered is which (k, l) it was
              dx[c, u, v] = Σ dy[c, i, j] over the windows whose maximum stood at (u, v)
    average   y[c, i, j] = Σ over the window of x / (kernel area), padding counted as zeros
              dx[c, u, v] = Σ dy[c, i, j] / (kernel area) over the windows that hold (u, v)

The way back gathers along the same taps as a convolution's: each input asks the windows that it lies in.
"""

from dataclasses import dataclass

from . import activation
from .activation import Activation
from .ir import Function
from .layout import Grid, Lanes, Pair, TapTable, taps
from .values import I32, I64, Value, like


@dataclass(frozen=True)
class Pool:
    """A pooling window; a global average is an average whose window is the whole image."""

    average: bool
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


def forward(f: Function, lanes: Lanes, pool: Pool, act: Activation, x: Grid, y: Grid, winners: Grid | None) -> None:
    """y = a(pool(x)); ``winners`` gets the place k·width + l of each maximum as an integer, for the way back."""
    (kh, kw), (sy, sx), (py, px) = pool.kernel, pool.stride, pool.padding
    with f.loop(y.channels) as c, f.loop(y.height) as i, f.loop(y.width) as j, f.loop(lanes.vectors) as v:
        best = f.var(f.constant(0.0 if pool.average else float("-inf"), lanes.vector))
        place = f.var(f.constant(0, like(lanes.vector, I32)))
        (top, k0, k1), (left, l0, l1) = _range(f, i, sy, py, kh, x.height), _range(f, j, sx, px, kw, x.width)
        if not pool.average:  # the first element counts as the maximum so far, as in PyTorch
            place.value = f.splat(f.convert("trunc", f.integer(k0) * kw + l0, I32), lanes.width)
        with f.loop(k1, k0) as k, f.loop(l1, l0) as m:
            at = f.address(f["a"], *x.at(c, top, left), (k, x.row), (m, x.pixel), (v, lanes.bytes))
            value = f.load(lanes.vector, at)
            if pool.average:
                best.value = best.value + value
            else:
                larger = f.compare("ogt", value, best.value) | f.compare("uno", value, value)
                best.value = f.select(larger, value, best.value)
                here = f.splat(f.convert("trunc", f.integer(k) * kw + m, I32), lanes.width)
                place.value = f.select(larger, here, place.value)
        result = best.value * (1.0 / (kh * kw)) if pool.average else best.value
        f.store(activation.apply(f, act, result), f["a"], *y.at(c, i, j), (v, lanes.bytes))
        if winners:
            f.store(place.value, f["a"], *winners.at(c, i, j), (v, lanes.bytes))


def input_gradient(f: Function, lanes: Lanes, pool: Pool, before: Activation, x: Grid, dy: Grid, dx: Grid,
                   winners: Grid | None) -> None:  # fmt: skip
    """dx (times the slope of the activation ``before`` this stage) from dy."""
    (kh, kw), (sy, sx), (py, px) = pool.kernel, pool.stride, pool.padding
    down = TapTable(f, taps(x.height, dy.height, kh, sy, py, 1), kw, 1)
    along = TapTable(f, taps(x.width, dy.width, kw, sx, px, 1), 1, 1)
    with f.loop(x.height) as u, f.loop(x.width) as w:
        row, rows = down.span(u)
        column, columns = along.span(w)
        with f.loop(x.channels) as c, f.loop(lanes.vectors) as v:
            total = f.var(f.constant(0.0, lanes.vector))
            with f.loop(rows, row) as s, f.loop(columns, column) as t:
                (k, i), (m, j) = down.entry(s), along.entry(t)
                gradient = f.load(lanes.vector, f["a"], *dy.at(c, i, j), (v, lanes.bytes))
                if winners:
                    place = f.load(like(lanes.vector, I32), f["a"], *winners.at(c, i, j), (v, lanes.bytes))
                    mine = f.splat(f.convert("trunc", k + m, I32), lanes.width)
                    gradient = f.select(f.compare("eq", place, mine), gradient, f.constant(0.0, lanes.vector))
                total.value = total.value + gradient
            result = total.value * (1.0 / (kh * kw)) if pool.average else total.value
            y = f.load(lanes.vector, f["a"], *x.at(c, u, w), (v, lanes.bytes))
            f.store(activation.times_slope(f, before, result, y), f["a"], *dx.at(c, u, w), (v, lanes.bytes))


def _range(
    f: Function, i: "int | Value", stride: int, padding: int, kernel: int, size: int
) -> tuple[Value, Value, Value]:
    """Where window ``i`` begins, and which of its elements, from the first to the last plus one, lie in the image."""
    begin = f.integer(i) * stride - padding
    first = f.select(f.compare("slt", begin, 0), 0 - begin, f.constant(0, I64))
    return begin, first, f.minimum(size - begin, kernel)
