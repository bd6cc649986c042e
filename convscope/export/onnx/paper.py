"""Paper and what is on it, inside the graph: how bright the paper is where, its grain, and what parts it from ink."""

from __future__ import annotations

import numpy as np
from onnx import helper

from .graph import Graph
from .values import DOUBLE, Value

BINS = 256
RIDGE = 1e-10  # keeps what the picture cannot decide at 0
FEW = 20_000  # pixels that say as much of the paper as all


def without_paper(values: Value) -> tuple[Value, Value]:
    """How much each pixel (H, W) differs from the paper, ink positive, and the standard deviation of its grain."""
    g = values.g
    edge = border(values)
    even = edge.highest().equals(edge.lowest())  # drawn by a program: the paper has one value
    start = surface(values, values.op("IsNaN").op("Not"), 1)

    def flat(part: Graph) -> str:
        apart = edge.at(part).highest() - values.at(part)
        return (apart.total() >= 0).choose(apart, -apart).name

    residual, grain = _fitted(values, start)
    residual = Value(g, g.either(even.name, DOUBLE, flat, lambda part: residual.name))
    return residual, even.choose(0.0, grain)


def _fitted(values: Value, start: Value) -> tuple[Value, Value]:
    found, light, paper = start, None, None
    for _ in range(3):
        residual = values - found
        bright = residual > threshold(residual)
        # Paper is what the most of the border and of the area consist of.
        light = _mean(border(bright.double())) + _mean(bright.double()) >= 1
        paper = (light & bright) | (~light & ~bright)
        found = surface(values, paper, 2)
    assert light is not None
    assert paper is not None
    residual = light.choose(found - values, values - found)
    chosen = residual.op("Compress", paper.shaped(-1))
    steps = (values.part([0, 1], [2**31, 2**31]) - values.part([0, 0], [2**31, -1])).shaped(-1)
    return residual, spread(chosen).most(spread(steps) / 2**0.5)


def border(image: Value) -> Value:
    """First and last row and column: (2W + 2H,)."""
    return image.item(0).op("Concat", image.item(-1), image.item(0, 1), image.item(-1, 1), axis=0)


def surface(values: Value, where: Value, degree: int) -> Value:
    """The surface of ``degree`` in row and column that fits ``values`` (H, W) best ``where``, by least squares."""
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    down, across = (_along(values.size(axis)) for axis in (0, 1))
    terms = [_power(down, i).shaped(-1, 1) * _power(across, j).shaped(1, -1) for i, j in powers]
    step = (values.op("Size").double() / FEW).op("Sqrt").floor().most(1)
    here = where.part([0, 0], [2**31, 2**31], [step, step]).double().shaped(1, -1)
    seen = values.part([0, 0], [2**31, 2**31], [step, step]).shaped(-1, 1)
    rows = [term.part([0, 0], [2**31, 2**31], [step, step]).shaped(1, -1) for term in terms]
    matrix = rows[0].op("Concat", *rows[1:], axis=0)
    chosen = here.total()
    masked = matrix * here
    square = masked.op("MatMul", matrix.op("Transpose", perm=[1, 0]))
    square = square + chosen * RIDGE * Value(values.g, values.g.constant(np.eye(len(powers)), np.float64))
    weights = _solved(square.op("Concat", masked.op("MatMul", seen), axis=1), len(powers))
    found = terms[0] * weights.item(0)
    for number, term in enumerate(terms[1:], 1):
        found = found + term * weights.item(number)
    few = chosen < 4 * len(powers)
    g = values.g
    return Value(
        g,
        g.either(
            few.name,
            DOUBLE,
            lambda part: (values.at(part) * 0 + quantile(values.at(part).shaped(-1), 0.5)).name,
            lambda part: found.name,
        ),
    )


def _solved(rows: Value, count: int) -> Value:
    """Gauss and Jordan's elimination of rows [matrix | right side] (n, n + 1): the solution (n,)."""
    for a in range(count):
        pivot = rows.part([a], [a + 1])
        pivot = pivot / pivot.part([0, a], [1, a + 1])
        unit = np.zeros((count, 1))
        unit[a] = 1
        factors = rows.part([0, a], [count, a + 1]) - Value(rows.g, rows.g.constant(unit, np.float64))
        rows = rows - factors * pivot
    return rows.item(count, 1)


def threshold(values: Value) -> Value:
    """The value that parts ``values`` into two groups with the least variance within (N. Otsu 1979)."""
    low, high = values.lowest(), values.highest()
    flat = low.equals(high)
    low, high = flat.choose(low - 0.5, low), flat.choose(high + 0.5, high)
    g = values.g
    parts = Value(g, g.constant(np.arange(BINS + 1) / BINS, np.float64))
    edges = low + parts * (high - low)
    every = values.shaped(-1)
    number = ((every - low) / (high - low) * BINS).floor().least(BINS - 1)
    number = number - (every < edges.op("Gather", number.whole())).double()
    above = (every >= edges.op("Gather", (number + 1).whole())) & (number < BINS - 1)
    number = (number + above.double()).most(0)
    nothing = Value(g, g.constant(np.zeros(BINS), np.float64))
    counts = nothing.op("ScatterElements", number.whole(), every * 0 + 1, reduction="add")
    middle = (edges.part([0], [BINS]) + edges.part([1], [BINS + 1])) / 2
    axis = Value(g, g.constant(0, np.int64))
    below, total = counts.op("CumSum", axis), (counts * middle).op("CumSum", axis)
    beyond, rest = below.item(-1) - below, total.item(-1) - total
    apart = total / below.most(1) - rest / beyond.most(1)
    between = ((below > 0) & (beyond > 0)).choose(below * beyond * apart * apart, -1.0)
    return edges.op("Gather", between.op("ArgMax", axis=0, keepdims=0) + _one(g))


def _one(g: Graph) -> Value:
    return Value(g, g.constant(1, np.int64))


def spread(values: Value) -> Value:
    """The standard deviation of ``values`` (N,) if they were normal, from the middle 80 % of them; 0 of none."""
    return (quantile(values, 0.9) - quantile(values, 0.1)) / 2.563


def quantile(values: Value, q: float) -> Value:
    """The value of (N,) below which a share ``q`` lies, between two of them by a line; 0 of none."""
    g = values.g
    count = values.size(0)

    def found(part: Graph) -> str:
        mine, many = values.at(part), count.at(part)
        ordered = part.fresh("ordered")
        inputs, outputs = [mine.name, many.column().name], [ordered, f"{ordered}_index"]
        part.nodes.append(helper.make_node("TopK", inputs, outputs, largest=0, sorted=1))
        place = (many - 1) * q
        low = place.floor()
        ends = [Value(part, ordered).op("Gather", at.whole()) for at in (low, (low + 1).least(many - 1))]
        return (ends[0] + (ends[1] - ends[0]) * (place - low)).name

    return Value(g, g.either((count > 0).name, DOUBLE, found, lambda part: part.constant(0, np.float64)))


def _along(size: Value) -> Value:
    """−1 … 1 in equal steps, ``size`` of them; −1 of a single one."""
    g = size.g
    places = Value(g, g.constant(0, np.float64)).op("Range", size, Value(g, g.constant(1, np.float64)))
    return places * 2 / (size - 1).most(1) - 1


def _power(values: Value, n: int) -> Value:
    return values * 0 + 1 if n == 0 else values if n == 1 else values * values


def _mean(values: Value) -> Value:
    return values.total() / values.op("Size").double()
