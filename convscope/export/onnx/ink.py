"""Ink on paper → light strokes on black, cut out, scaled and centred, inside the graph: what
:mod:`convscope.data.ink` does, step by step, for one grey picture (H, W) at a time.

Least squares are solved by elimination, so that a grey value may be one apart from NumPy's; all else is the same.
"""

from __future__ import annotations

import numpy as np

from ...data.ink import BOX, BRIGHT, FAINTEST, FLOOR, LARGEST, NOISE, OFF, SPECK, Steps
from ...data.preparation import FORM
from .graph import Graph
from .paper import quantile, without_paper
from .picture import fitted, grey, resized
from .values import BOOL, DOUBLE, Value


def written(g: Graph, sheet: str, steps: Steps) -> str:
    """double (S, S) or (28, 28): the picture (H, W) itself, or its negative, where it is in form; else its ink."""
    picture = Value(g, sheet)
    square = picture.size(0).equals(picture.size(1))
    plain = g.either(
        square.name, BOOL, lambda part: in_form(picture.at(part), steps.margin).name, lambda part: _false(part)
    )
    negative = g.either(
        square.name, BOOL, lambda part: in_form(255 - picture.at(part), steps.margin).name, lambda part: _false(part)
    )
    return g.either(
        plain,
        DOUBLE,
        lambda _: sheet,
        lambda part: part.either(
            negative,
            DOUBLE,
            lambda deep: (255 - picture.at(deep)).name,
            lambda deep: centred(find_ink(picture.at(deep)), steps).name,
        ),
    )


def _false(g: Graph) -> str:
    return g.constant(False, np.bool_)


def all_written(g: Graph, image: str, steps: Steps, shape: tuple[int, int, int]) -> str:
    """double (N, C, H, W) as the net takes it, of pictures double (N, 3, any H, any W)."""
    sheets = grey(g, image)

    def one(part: Graph, number: str) -> str:
        sheet = Value(part, part.node("Gather", [sheets, number])).item(0)
        light = Value(part, written(part, sheet.name, steps)).op("Unsqueeze", Value(part, part.numbers([0, 1])))
        wide = light.op("Tile", Value(part, part.numbers([1, 3, 1, 1])))
        return Value(part, fitted(part, wide.name, shape)).item(0).name

    return g.each(Value(g, image).size(0).whole().name, DOUBLE, one)


def in_form(light: Value, margin: bool) -> Value:
    """Whether a square picture (S, S) of light ink is as :func:`centred` leaves it: bool ()."""
    side = light.size(0)
    lit = (light > 0).double()
    inner = lit.part([1], [-1])
    around = lit.item(0).total() + lit.item(-1).total() + inner.item(0, 1).total() + inner.item(-1, 1).total()
    good = (around * 2 < side * 2 + (side - 2).most(0) * 2) & (light.highest() >= BRIGHT)
    scale, slack = side / 28, side.equals(28).choose(0.0, 1.0)
    longest = side * 0
    for axis in (1, 0):
        sums = light.total(axis)
        low, high = _ends(sums > 0)
        longest = longest.most(high - low)
        if margin:
            edge = side * ((1 - BOX) / 2) - slack
            good = good & (low >= edge) & (high <= side - edge)
        else:
            off = side / 2 - (sums * _places(sums)).total() / sums.total().most(1)
            bound = scale * OFF + slack * 0.1
            good = good & ((off <= bound) | high.equals(side)) & ((off >= -bound) | low.equals(0))
    return good & (longest >= scale * 18 - slack) & (longest <= scale * 20 + slack * 2)


def find_ink(grey: Value) -> Value:
    """The ink of a picture (H, W) as light strokes on 0; an empty sheet comes out black."""
    grey = _reduced(grey)
    residual, grain = without_paper(grey)
    strength = residual.most(0)
    strong = strength.op("Compress", _flat(strength > (grain * NOISE).most(FAINTEST)))
    peak = quantile(strong, 0.95)
    clear = peak > grain * (1.5 * NOISE)
    least = (peak * FLOOR).most(grain * NOISE)
    ink = (strength < least).choose(0.0, (strength * (255.0 / peak.most(1e-300))).rint().least(255))
    ink = clear.choose(ink, 0.0)
    return (without_dust(ink) > 0).choose(ink, 0.0)


def _reduced(grey: Value) -> Value:
    """Pictures of more than 512 pixels reduced to these by Pillow's box filter."""
    sizes = grey.size(0), grey.size(1)
    longer = sizes[0].most(sizes[1])

    def smaller(g: Graph) -> str:
        scale = float(LARGEST) / longer.at(g)
        made = [(size.at(g) * scale).rint().most(1).whole().name for size in sizes]
        whole = [size.at(g).whole().name for size in sizes]
        return resized(g, grey.name, (whole[0], whole[1]), (made[0], made[1]), "box")

    return Value(grey.g, grey.g.either((longer > LARGEST).name, DOUBLE, smaller, lambda part: grey.name))


def without_dust(ink: Value) -> Value:
    """1 for ink (H, W) that is no spot of less than 2 % of the largest stroke's area, else 0.

    Every pixel of ink gets the highest number of a pixel that it is connected with: that of its neighbours, that of the
    pixel whose number it has, again and again until nothing changes (after Y. Shiloach and U. Vishkin, 1982).
    """
    inked = ink > 0
    count = ink.op("Size").double()
    numbers = _range(ink.g, count) + 1
    first = _flat(inked).choose(numbers, 0.0)
    shape = ink.op("Shape")

    def spread(g: Graph, before: str) -> str:
        flat = Value(g, before)
        sheet = flat.op("Reshape", shape.at(g)).op("Unsqueeze", Value(g, g.numbers([0, 1])))
        near = sheet.op("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]).shaped(-1)
        near = (flat > 0).choose(near, 0.0)
        # The pixel whose number this one had learns of the higher one, too; place 0 is for paper.
        roots = flat.number(0).shaped(1).op("Concat", near, axis=0)
        roots = roots.op("ScatterElements", flat.whole(), near, reduction="max")
        jumped = roots.op("GatherElements", near.whole())
        return (flat > 0).choose(jumped, 0.0).name

    labels = Value(ink.g, ink.g.until_same(first.name, DOUBLE, spread))
    number = labels.whole()
    nothing = (numbers * 0).op("Concat", ink.number(0).shaped(1), axis=0)
    area = nothing.op("ScatterElements", number, (labels > 0).double(), reduction="add")
    kept = area.op("GatherElements", number) >= area.highest() * SPECK
    return kept.double().op("Reshape", shape) * inked.double()


def centred(ink: Value, steps: Steps) -> Value:
    """Light ink (H, W) on black → (28, 28): cut out, in its box, its centre of mass in the middle."""
    g = ink.g
    room = max(1, round((BOX if steps.box else 1) * FORM))

    def placed(part: Graph) -> str:
        sheet = _cut(ink.at(part)) if steps.crop else ink.at(part)
        sizes = sheet.size(0), sheet.size(1)
        scale = (float(room) / sizes[0]).least(float(room) / sizes[1])
        made = [(size * scale).rint().most(1).whole().name for size in sizes]
        whole = [size.whole().name for size in sizes]
        small = Value(part, resized(part, sheet.name, (whole[0], whole[1]), (made[0], made[1])))
        if steps.crop:
            brightest = small.highest()
            bright = (small * (255.0 / brightest.most(1))).rint()
            small = Value(
                part,
                part.either(
                    (brightest > 0).name, DOUBLE, lambda deep: _cut(bright.at(deep)).name, lambda deep: small.name
                ),
            )
        return _placed(small, steps).name

    def black(part: Graph) -> str:
        return part.constant(np.zeros((FORM, FORM)), np.float64)

    return Value(g, g.either((ink.highest() > 0).name, DOUBLE, placed, black))


def _placed(small: Value, steps: Steps) -> Value:
    total = small.total()
    pads: list[list[Value]] = [[], []]
    for axis in (0, 1):
        length = small.size(axis)
        sums = small.total(1 - axis)
        wanted = ((float(FORM) - length) / 2).floor()
        if steps.centre:
            mass = (sums * _places(sums)).total() / total.most(1e-300)
            wanted = (total > 0).choose((FORM / 2 - mass).rint(), wanted)
        edge = length * 0
        if steps.margin and steps.box:
            edge = ((float(FORM) - length.most(round(BOX * FORM))) / 2).floor()
        first = wanted.most(edge).least(float(FORM) - edge - length)
        pads[0].append(first.column())
        pads[1].append((float(FORM) - length - first).column())
    return small.op("Pad", pads[0][0].op("Concat", pads[0][1], *pads[1], axis=0))


def _cut(sheet: Value) -> Value:
    """Without empty rows and columns at its edges."""
    (top, bottom), (left, right) = _ends(sheet.highest(1) > 0), _ends(sheet.highest(0) > 0)
    return sheet.part([top, left], [bottom, right])


def _ends(there: Value) -> tuple[Value, Value]:
    """The first place where it holds, and the one behind the last, as double; of none, 0 and the length."""
    number = there.whole()
    first = number.op("ArgMax", axis=0, keepdims=0).double()
    last = number.op("ArgMax", axis=0, keepdims=0, select_last_index=1).double()
    return first, last + 1


def _places(values: Value) -> Value:
    """0, 1, 2, …, as many as there are values."""
    return _range(values.g, values.size(0))


def _range(g: Graph, count: Value) -> Value:
    start, step = Value(g, g.constant(0, float)), Value(g, g.constant(1, float))
    return start.op("Range", count, step)


def _flat(values: Value) -> Value:
    return values.shaped(-1)
