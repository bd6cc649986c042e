"""Pictures uint8 (N, H, W, C) of any size as the net takes them, inside the graph: Pillow's arithmetic, step by step.

What :func:`convscope.data.preparation.adapt` does: fitted with their proportions kept by Pillow's bicubic filter (rows
first across, then down, each rounded to 8 bits as its fixed-point sums are), the rest filled with the median of the
border, colour turned to grey by ITU-R 601 or grey repeated. The filter's weights are worked out in the graph from the
picture's size (Keys 1981, a = −0.5; widened where it shrinks), so that any size may come. Equal bit for bit, but for
pictures that are twice as high as wide or more: these Pillow scales down before across, and grey values may be one
apart.
"""

import numpy as np
from onnx import TensorProto, helper

from .graph import Graph

DOUBLE, INT64 = TensorProto.DOUBLE, TensorProto.INT64
FIXED = 1 << 22  # Pillow's weights are multiples of 1/FIXED
LUMA = (19595, 38470, 7471)  # of 65536: red, green, blue


def picture(g: Graph, image: str, shape: tuple[int, int, int]) -> str:
    """float32 (N, C, H, W) with values 0..255 from uint8 (N, any H, any W, 1 or 3)."""
    channels, height, width = shape
    sizes = [_axis_size(g, image, axis) for axis in (1, 2)]
    inner_height, inner_width = _fitted(g, sizes, (height, width))
    wide = _three_channels(g, image)  # double (N, 3, H, W)
    across = _weights(g, sizes[1], inner_width)
    down = _weights(g, sizes[0], inner_height)
    narrow = _rounded(g, g.node("MatMul", [wide, g.node("Transpose", [across], perm=[1, 0])]))
    inner = _rounded(g, g.node("MatMul", [down, narrow]))
    framed = _framed(g, inner, (inner_height, inner_width), (height, width))
    grey = _grey(g, framed) if channels == 1 else framed
    return g.cast(grey, TensorProto.FLOAT)


def _axis_size(g: Graph, image: str, axis: int) -> str:
    """How long one axis of the picture is: int64 ()."""
    size = g.node("Shape", [image], start=axis, end=axis + 1)
    return g.node("Squeeze", [size])


def _fitted(g: Graph, sizes: list[str], room: tuple[int, int]) -> tuple[str, str]:
    """(height, width) within ``room``: max(1, round(size · scale)) with one scale for both, as Python rounds."""
    whole = [g.cast(size, DOUBLE) for size in sizes]
    ratios = [g.node("Div", [g.constant(side, np.float64), size]) for side, size in zip(room, whole, strict=True)]
    scale = g.node("Min", ratios)
    found = []
    for size in whole:
        rounded = g.node("Round", [g.node("Mul", [size, scale])])  # half to even
        found.append(g.cast(g.node("Max", [rounded, g.constant(1, np.float64)]), INT64))
    return found[0], found[1]


def _three_channels(g: Graph, image: str) -> str:
    """Grey repeated three times, colour as it is; channels first, in double."""
    channels = g.node("Shape", [image], start=3, end=4)
    times = g.node("Div", [g.numbers([3]), channels])
    repeats = g.node("Concat", [g.numbers([1, 1, 1]), times], axis=0)
    tiled = g.node("Tile", [image, repeats])
    return g.cast(g.node("Transpose", [tiled], perm=[0, 3, 1, 2]), DOUBLE)


def _weights(g: Graph, size: str, made: str) -> str:
    """(made, size): row i holds the weights of the pixels that make pixel i, as multiples of 1."""
    zero, one, half = (g.constant(value, np.float64) for value in (0, 1, 0.5))
    whole = g.cast(size, DOUBLE)
    scale = g.node("Div", [whole, g.cast(made, DOUBLE)])
    stretch = g.node("Max", [scale, one])
    support = g.node("Mul", [stretch, g.constant(2, np.float64)])
    rows = g.cast(g.node("Range", [g.constant(0, np.int64), made, g.constant(1, np.int64)]), DOUBLE)
    centre = g.node("Mul", [g.node("Add", [rows, half]), scale])
    centre = g.node("Unsqueeze", [centre, g.numbers([1])])  # (made, 1)
    first = g.node("Floor", [g.node("Max", [g.node("Add", [g.node("Sub", [centre, support]), half]), zero])])
    last = g.node("Floor", [g.node("Min", [g.node("Add", [g.node("Add", [centre, support]), half]), whole])])
    taps = g.cast(g.node("Range", [g.constant(0, np.int64), size, g.constant(1, np.int64)]), DOUBLE)
    inside = g.node("And", [g.node("GreaterOrEqual", [taps, first]), g.node("Less", [taps, last])])
    distance = g.node("Add", [g.node("Sub", [taps, centre]), half])
    values = _bicubic(g, g.node("Abs", [g.node("Mul", [distance, g.node("Div", [one, stretch])])]))
    values = g.node("Where", [inside, values, zero])
    total = g.node("ReduceSum", [values, g.numbers([1])], keepdims=1)
    fixed = g.node("Mul", [g.node("Div", [values, total]), g.constant(FIXED, np.float64)])
    # Pillow rounds half away from zero, by adding ±0.5 and cutting.
    away = g.node("Floor", [g.node("Add", [g.node("Abs", [fixed]), half])])
    return g.node("Mul", [g.node("Sign", [fixed]), away])


def _bicubic(g: Graph, x: str) -> str:
    """Keys' filter with a = −0.5 of distances x ≥ 0: (1.5x − 2.5)x² + 1 below 1, (((x − 5)x + 8)x − 4)·a below 2."""

    def number(value: float) -> str:
        return g.constant(value, np.float64)

    square = g.node("Mul", [x, x])
    near = g.node("Sub", [g.node("Mul", [x, number(1.5)]), number(2.5)])
    near = g.node("Add", [g.node("Mul", [g.node("Mul", [near, x]), x]), number(1)])
    far = g.node("Add", [g.node("Mul", [g.node("Sub", [x, number(5)]), x]), number(8)])
    far = g.node("Mul", [g.node("Sub", [g.node("Mul", [far, x]), number(4)]), number(-0.5)])
    far = g.node("Where", [g.node("Less", [square, number(4)]), far, number(0)])
    return g.node("Where", [g.node("Less", [x, number(1)]), near, far])


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
    ordered = f"ordered_{len(g.nodes)}"
    g.nodes.append(helper.make_node("TopK", [border, most], [ordered, f"{ordered}_index"], largest=0, sorted=1))
    pair = g.node("Slice", [ordered, g.node("Sub", [middle, g.numbers([1])]), most, g.numbers([2])])
    mean = g.node("ReduceMean", [pair, g.numbers([2])], keepdims=1)
    return g.node("Unsqueeze", [g.node("Floor", [mean]), g.numbers([3])])


def _grey(g: Graph, colour: str) -> str:
    """(N, 3, H, W) → (N, 1, H, W) by ITU-R 601 in fixed point, rounded."""
    weights = g.constant(np.reshape(LUMA, (1, 3, 1, 1)), np.float64)
    total = g.node("ReduceSum", [g.node("Mul", [colour, weights]), g.numbers([1])], keepdims=1)
    half, whole = g.constant(0x8000, np.float64), g.constant(0x10000, np.float64)
    return g.node("Floor", [g.node("Div", [g.node("Add", [total, half]), whole])])
