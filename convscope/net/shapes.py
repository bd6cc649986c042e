"""The shape, parameters and arithmetic of every layer, worked out without torch; what does not fit and the mend.

The size formula is that of torch.nn.Conv2d and MaxPool2d: ⌊(n + 2p − d(k−1) − 1) / s⌋ + 1.
"""

from dataclasses import dataclass
from math import prod

from ..errors import UsageError
from .layers import Activation, BatchNorm, Conv, Dropout, Flatten, GlobalAvg, Layer, Linear, Pair, Pool
from .spec import layer_text

Shape = tuple[int, ...]

MAX_ELEMENTS = 2**31  # of one layer's output for one image: more is surely a slip, and would take 8 GiB


@dataclass(frozen=True)
class Row:
    """One layer of the table. ``multiply_adds`` is for one image, forward."""

    name: str
    layer: Layer
    text: str
    input: Shape
    output: Shape
    formula: str
    parameters: int
    multiply_adds: int


class ShapeError(UsageError):
    """The net does not fit the image. ``rows`` are the layers before the failing one, ``layer`` its name."""

    def __init__(self, rows: list[Row], layer: str, text: str, problem: str, mend: str) -> None:
        self.rows, self.layer, self.problem, self.mend = rows, layer, problem, mend
        lines = [f"{layer} ({text}) does not fit: {problem}"]
        lines += [f"  {row.name:<12}{row.text:<28}{shape_text(row.output)}" for row in rows]
        lines += [f"  {layer:<12}{text:<28}✗"]
        super().__init__("\n".join(lines), mend)


def shape_text(shape: Shape) -> str:
    """(10, 24, 24) → "10×24×24"."""
    return "×".join(str(size) for size in shape)


def names(layers: tuple[Layer, ...]) -> list[str]:
    """conv1, pool1, relu1, conv2, ...: the kind and its running number. The net's modules bear these names."""
    seen: dict[str, int] = {}
    result = []
    for layer in layers:
        seen[layer.kind] = seen.get(layer.kind, 0) + 1
        result.append(f"{layer.kind}{seen[layer.kind]}")
    return result


def window_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Output size along one axis; zero or negative where the window does not fit."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def window_formula(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> str:
    """The size formula with its numbers, such as "⌊(28 + 2·0 − 1·(5−1) − 1) / 1⌋ + 1 = 24"."""
    result = window_size(size, kernel, stride, padding, dilation)
    return f"⌊({size} + 2·{padding} − {dilation}·({kernel}−1) − 1) / {stride}⌋ + 1 = {result}"


def table(layers: tuple[Layer, ...], image: tuple[int, int, int], classes: int) -> list[Row]:
    """The rows for ``layers`` on an image (C, H, W). Raises ShapeError with the rows up to the failing layer."""
    rows: list[Row] = []
    shape: Shape = image
    for name, layer in zip(names(layers), layers, strict=True):
        problem = _problem(layer, shape)
        if not problem:
            output, formula, parameters, multiply_adds = _layer(layer, shape, classes)
            if prod(output) > MAX_ELEMENTS or parameters > MAX_ELEMENTS:
                problem = ("its output or its weights are absurdly large", "take fewer channels or a smaller image")
        if problem:
            raise ShapeError(rows, name, layer_text(layer), *problem)
        rows.append(Row(name, layer, layer_text(layer), shape, output, formula, parameters, multiply_adds))
        shape = output
    if shape != (classes,):
        last = rows[-1]
        mend = "end the net with 'linear' (no number: the classes)"
        if len(shape) == 3 and shape == (classes, 1, 1):
            mend = "end the net with 'flatten'"
        problem_text = f"the net ends with {shape_text(shape)} values, but the data have {classes} classes"
        raise ShapeError(rows[:-1], last.name, last.text, problem_text, mend)
    return rows


def same_padding(kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """What "same" adds before and after, as (height, width) pairs; PyTorch puts the odd one after."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    before = (total[0] // 2, total[1] // 2)
    return before, (total[0] - before[0], total[1] - before[1])


def _problem(layer: Layer, shape: Shape) -> tuple[str, str] | None:
    """What is wrong with ``layer`` on ``shape`` and how to mend it, or None."""
    if isinstance(layer, Conv | Pool):
        if isinstance(layer, Conv):
            channels = shape[0]
            if channels % layer.groups or layer.out % layer.groups:
                both = [g for g in range(1, min(channels, layer.out) + 1) if channels % g == layer.out % g == 0]
                return (
                    f"groups={layer.groups} must divide the {channels} input and the {layer.out} output channels",
                    f"groups that work here: {', '.join(map(str, both[:12]))}",
                )
            if layer.padding == "same":
                return None
        padding = layer.padding
        assert padding != "same"
        dilation = layer.dilation if isinstance(layer, Conv) else (1, 1)
        for axis, word in enumerate(("height", "width")):
            size, reach = shape[1 + axis], dilation[axis] * (layer.kernel[axis] - 1) + 1
            if reach > size + 2 * padding[axis]:
                return (
                    f"its window covers {reach} pixels, but the {word} is {size} + 2·{padding[axis]}",
                    "use a smaller window, more padding, fewer pools before it, or a larger image (--image-size)",
                )
    return None


def _layer(layer: Layer, shape: Shape, classes: int) -> tuple[Shape, str, int, int]:
    """(output shape, formula, parameters, multiply-adds) of a layer that fits."""
    match layer:
        case Conv():
            if layer.padding == "same":
                size = shape[1:]
                formula = f"same: {shape_text(size)}"
            else:
                size, formula = _window(shape, layer.kernel, layer.stride, layer.padding, layer.dilation)
            products = shape[0] // layer.groups * prod(layer.kernel)
            output = (layer.out, *size)
            return output, formula, layer.out * (products + layer.bias), prod(output) * products
        case Pool():
            size, formula = _window(shape, layer.kernel, layer.stride, layer.padding, (1, 1))
            return (shape[0], *size), formula, 0, 0
        case Linear():
            out = classes if layer.out is None else layer.out
            formula = f"{shape[0]} → {out}" + (" classes" if layer.out is None else "")
            return (out,), formula, out * (shape[0] + layer.bias), out * shape[0]
        case Flatten():
            return (prod(shape),), f"{' · '.join(map(str, shape))} = {prod(shape)}", 0, 0
        case GlobalAvg():
            return (shape[0], 1, 1), f"mean over {shape_text(shape[1:])}", 0, 0
        case BatchNorm():
            return shape, "", 2 * shape[0], 0
        case Activation() | Dropout():
            return shape, "", 0, 0


def _window(shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> tuple[Shape, str]:
    numbers = list(zip(shape[1:], kernel, stride, padding, dilation, strict=True))
    size = tuple(window_size(*n) for n in numbers)
    if numbers[0] == numbers[1]:
        return size, window_formula(*numbers[0])
    return size, f"{window_formula(*numbers[0])}; {window_formula(*numbers[1])}"
