"""Pictures of any size as the net takes them, inside the graph: Pillow's arithmetic, step by step.

What :func:`convscope.data.preparation.adapt` does: fitted with their proportions kept by Pillow's bicubic filter (rows
first across, then down, each rounded to 8 bits as its fixed-point sums are), the rest filled with the median of the
border, colour turned to grey by ITU-R 601 or grey repeated. The filter's weights are worked out in the graph from the
picture's size (Keys 1981, a = −0.5; widened where it shrinks), so that any size may come; a picture whose height
shrinks by more than twice what its width does is scaled down before across, as Pillow does. Equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from onnx import TensorProto, helper

from .graph import Graph

DOUBLE, INT64 = TensorProto.DOUBLE, TensorProto.INT64
FIXED = 1 << 22  # Pillow's weights are multiples of 1/FIXED
LUMA = (19595, 38470, 7471)  # of 65536: red, green, blue


def fitted(g: Graph, wide: str, shape: tuple[int, int, int]) -> str:
    """double (N, C, H, W) from double (N, 3, any H, any W), which are whole numbers 0..255."""
    channels, height, width = shape
    sizes = (_axis_size(g, wide, 2), _axis_size(g, wide, 3))
    inside = _fitted(g, sizes, (height, width))
    inner = resized(g, wide, sizes, inside)
    framed = _framed(g, inner, inside, (height, width))
    return grey(g, framed) if channels == 1 else framed


def resized(g: Graph, image: str, sizes: tuple[str, str], made: tuple[str, str], name: FilterName = "bicubic") -> str:
    """double (…, h, w) from (…, H, W): ``made`` and ``sizes`` are int64 scalars (height, width)."""
    down, across = (_weights(g, size, small, name) for size, small in zip(sizes, made, strict=True))
    across = g.node("Transpose", [across], perm=[1, 0])
    lost = [g.node("Sub", [size, small]) for size, small in zip(sizes, made, strict=True)]
    twice = g.node("Mul", [g.constant(2, np.int64), g.node("Max", [lost[1], g.constant(0, np.int64)])])
    return g.either(
        g.node("Greater", [lost[0], twice]),
        DOUBLE,
        lambda part: _rounded(part, part.node("MatMul", [_rounded(part, part.node("MatMul", [down, image])), across])),
        lambda part: _rounded(part, part.node("MatMul", [down, _rounded(part, part.node("MatMul", [image, across]))])),
    )


def _axis_size(g: Graph, image: str, axis: int) -> str:
    """How long one axis of the picture is: int64 ()."""
    size = g.node("Shape", [image], start=axis, end=axis + 1)
    return g.node("Squeeze", [size])


def _fitted(g: Graph, sizes: tuple[str, str], room: tuple[int, int]) -> tuple[str, str]:
    """(height, width) within ``room``: max(1, round(size · scale)) with one scale for both, as Python rounds."""
    whole = [g.cast(size, DOUBLE) for size in sizes]
    ratios = [g.node("Div", [g.constant(side, np.float64), size]) for side, size in zip(room, whole, strict=True)]
    scale = g.node("Min", ratios)
    found = []
    for size in whole:
        rounded = g.node("Round", [g.node("Mul", [size, scale])])  # half to even
        found.append(g.cast(g.node("Max", [rounded, g.constant(1, np.float64)]), INT64))
    return found[0], found[1]


def three_channels(g: Graph, image: str) -> str:
    """uint8 (N, H, W, 1 or 3) → double (N, 3, H, W): grey repeated three times, colour as it is."""
    channels = g.node("Shape", [image], start=3, end=4)
    times = g.node("Div", [g.numbers([3]), channels])
    repeats = g.node("Concat", [g.numbers([1, 1, 1]), times], axis=0)
    tiled = g.node("Tile", [image, repeats])
    return g.cast(g.node("Transpose", [tiled], perm=[0, 3, 1, 2]), DOUBLE)


def _weights(g: Graph, size: str, made: str, name: FilterName) -> str:
    """(made, size): row i holds the weights of the pixels that make pixel i, as multiples of 1."""
    reach, of = FILTERS[name]
    zero, one, half = (g.constant(value, np.float64) for value in (0, 1, 0.5))
    whole = g.cast(size, DOUBLE)
    scale = g.node("Div", [whole, g.cast(made, DOUBLE)])
    stretch = g.node("Max", [scale, one])
    support = g.node("Mul", [stretch, g.constant(reach, np.float64)])
    rows = g.cast(g.node("Range", [g.constant(0, np.int64), made, g.constant(1, np.int64)]), DOUBLE)
    centre = g.node("Mul", [g.node("Add", [rows, half]), scale])
    centre = g.node("Unsqueeze", [centre, g.numbers([1])])  # (made, 1)
    first = g.node("Floor", [g.node("Max", [g.node("Add", [g.node("Sub", [centre, support]), half]), zero])])
    last = g.node("Floor", [g.node("Min", [g.node("Add", [g.node("Add", [centre, support]), half]), whole])])
    taps = g.cast(g.node("Range", [g.constant(0, np.int64), size, g.constant(1, np.int64)]), DOUBLE)
    inside = g.node("And", [g.node("GreaterOrEqual", [taps, first]), g.node("Less", [taps, last])])
    distance = g.node("Add", [g.node("Sub", [taps, centre]), half])
    values = of(g, g.node("Mul", [distance, g.node("Div", [one, stretch])]))
    values = g.node("Where", [inside, values, zero])
    total = g.node("ReduceSum", [values, g.numbers([1])], keepdims=1)
    fixed = g.node("Mul", [g.node("Div", [values, total]), g.constant(FIXED, np.float64)])
    # Pillow rounds half away from zero, by adding ±0.5 and cutting.
    away = g.node("Floor", [g.node("Add", [g.node("Abs", [fixed]), half])])
    return g.node("Mul", [g.node("Sign", [fixed]), away])


def _bicubic(g: Graph, x: str) -> str:
    """Keys' filter with a = −0.5 of |x|: (1.5x − 2.5)x² + 1 below 1, (((x − 5)x + 8)x − 4)·a below 2."""
    x = g.node("Abs", [x])

    def number(value: float) -> str:
        return g.constant(value, np.float64)

    square = g.node("Mul", [x, x])
    near = g.node("Sub", [g.node("Mul", [x, number(1.5)]), number(2.5)])
    near = g.node("Add", [g.node("Mul", [g.node("Mul", [near, x]), x]), number(1)])
    far = g.node("Add", [g.node("Mul", [g.node("Sub", [x, number(5)]), x]), number(8)])
    far = g.node("Mul", [g.node("Sub", [g.node("Mul", [far, x]), number(4)]), number(-0.5)])
    far = g.node("Where", [g.node("Less", [square, number(4)]), far, number(0)])
    return g.node("Where", [g.node("Less", [x, number(1)]), near, far])


def _box(g: Graph, x: str) -> str:
    """1 for −0.5 < x ≤ 0.5."""
    low, high = g.constant(-0.5, np.float64), g.constant(0.5, np.float64)
    return g.cast(g.node("And", [g.node("Greater", [x, low]), g.node("LessOrEqual", [x, high])]), DOUBLE)


FilterName = Literal["bicubic", "box"]
FILTERS: dict[FilterName, tuple[float, Callable[[Graph, str], str]]] = {"bicubic": (2, _bicubic), "box": (0.5, _box)}


def _rounded(g: Graph, sums: str) -> str:
    """Fixed-point sums → 0..255: half a unit is added, then the fraction is cut."""
    units = g.node("Div", [g.node("Add", [sums, g.constant(FIXED // 2, np.float64)]), g.constant(FIXED, np.float64)])
    cut = g.node("Floor", [units])
    return g.node("Clip", [cut, g.constant(0, np.float64), g.constant(255, np.float64)])


def _framed(g: Graph, inner: str, size: tuple[str, str], room: tuple[int, int]) -> str:
    """The fitted picture (N, 3, h, w) in the middle of (N, 3, H, W); the rest is the median of its border."""
    pads, masks = [], []
    for made, side, shape in ((size[0], room[0], (-1, 1)), (size[1], room[1], (1, -1))):
        free = g.node("Sub", [g.constant(side, np.int64), made])
        before = g.node("Div", [free, g.constant(2, np.int64)])
        pads.append((before, g.node("Sub", [free, before])))
        places = g.constant(np.arange(side), np.int64)
        inside = g.node(
            "And",
            [
                g.node("GreaterOrEqual", [places, before]),
                g.node("Less", [places, g.node("Add", [before, made])]),
            ],
        )
        masks.append(g.node("Reshape", [inside, g.numbers(shape)]))
    nothing = g.numbers([0, 0])
    ends = [[g.node("Unsqueeze", [pad[end], g.numbers([0])]) for pad in pads] for end in (0, 1)]
    around = g.node("Concat", [nothing, *ends[0], nothing, *ends[1]], axis=0)
    padded = g.node("Pad", [inner, around])
    return g.node("Where", [g.node("And", masks), padded, _border_median(g, inner)])


def _border_median(g: Graph, inner: str) -> str:
    """(N, 3, 1, 1): of first and last row and column (corners twice) the mean of the two middle values, cut."""
    first, last = g.numbers([0]), g.numbers([-1])
    parts = []
    for axis in (2, 3):
        for end in (first, last):
            line = g.node("Gather", [inner, end], axis=axis)
            parts.append(g.node("Reshape", [line, g.numbers([0, 0, -1])]))
    border = g.node("Concat", parts, axis=2)
    count = g.node("Shape", [border], start=2, end=3)
    middle = g.node("Div", [count, g.numbers([2])])  # the count is even
    most = g.node("Add", [middle, g.numbers([1])])
    ordered = g.fresh("ordered")
    g.nodes.append(helper.make_node("TopK", [border, most], [ordered, f"{ordered}_index"], largest=0, sorted=1))
    pair = g.node("Slice", [ordered, g.node("Sub", [middle, g.numbers([1])]), most, g.numbers([2])])
    mean = g.node("ReduceMean", [pair, g.numbers([2])], keepdims=1)
    return g.node("Unsqueeze", [g.node("Floor", [mean]), g.numbers([3])])


def grey(g: Graph, colour: str) -> str:
    """(N, 3, H, W) → (N, 1, H, W) by ITU-R 601 in fixed point, rounded."""
    weights = g.constant(np.reshape(LUMA, (1, 3, 1, 1)), np.float64)
    total = g.node("ReduceSum", [g.node("Mul", [colour, weights]), g.numbers([1])], keepdims=1)
    half, whole = g.constant(0x8000, np.float64), g.constant(0x10000, np.float64)
    return g.node("Floor", [g.node("Div", [g.node("Add", [total, half]), whole])])
