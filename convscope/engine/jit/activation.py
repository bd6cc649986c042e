"""Element by element: y = a(x), and its slope written in terms of y, which is all that the way back needs to remember.

relu      y = max(x, 0)            a'(x) = 1 where y > 0, else 0
tanh      y = tanh x               a'(x) = 1 − y²
sigmoid   y = 1 / (1 + e⁻ˣ)        a'(x) = y (1 − y)

No pass over memory is spent on them: the layer before applies ``apply`` to what it stores, and the layer after
multiplies the input gradient that it stores by ``slope``. Only a net that applies two in a row needs a stage for it.
"""

from typing import Literal

from . import elementary
from .ir import Function
from .layout import Grid, Lanes
from .values import Value

Activation = Literal["", "relu", "tanh", "sigmoid"]


def apply(f: Function, kind: Activation, x: Value) -> Value:
    """a(x); not-a-number stays so."""
    match kind:
        case "relu":
            return f.select(f.compare("olt", x, 0.0), 0.0, x)
        case "tanh":
            return elementary.tanh(f, x)
        case "sigmoid":
            return elementary.sigmoid(f, x)
    return x


def times_slope(f: Function, kind: Activation, gradient: Value, y: Value) -> Value:
    """gradient · a'(x), given y = a(x)."""
    match kind:
        case "relu":
            return f.select(f.compare("ogt", y, 0.0), gradient, f.constant(0.0, y.type))
        case "tanh":
            return gradient * (1.0 - y * y)
        case "sigmoid":
            return gradient * (y * (1.0 - y))
    return gradient


def forward(f: Function, lanes: Lanes, kind: Activation, source: Grid, target: Grid) -> None:
    """target = a(source)."""
    with (f.loop(source.channels) as c, f.loop(source.height) as y, f.loop(source.width) as x,
          f.loop(lanes.vectors) as v):  # fmt: skip
        value = f.load(lanes.vector, f["a"], *source.at(c, y, x), (v, lanes.bytes))
        f.store(apply(f, kind, value), f["a"], *target.at(c, y, x), (v, lanes.bytes))


def input_gradient(f: Function, lanes: Lanes, before: Activation, source: Grid, dtarget: Grid, dsource: Grid) -> None:
    """dsource = dtarget · a'(source of this stage), ``dtarget`` having been multiplied by this stage's own slope."""
    with (f.loop(source.channels) as c, f.loop(source.height) as y, f.loop(source.width) as x,
          f.loop(lanes.vectors) as v):  # fmt: skip
        gradient = f.load(lanes.vector, f["a"], *dtarget.at(c, y, x), (v, lanes.bytes))
        value = f.load(lanes.vector, f["a"], *source.at(c, y, x), (v, lanes.bytes))
        f.store(times_slope(f, before, gradient, value), f["a"], *dsource.at(c, y, x), (v, lanes.bytes))
