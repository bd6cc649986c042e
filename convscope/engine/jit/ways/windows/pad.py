"""Padding with the image's own numbers (before a convolution, or as a layer), and ZeroPad2d: spans of one number.

    reflect     x₂ x₁ | x₀ x₁ x₂ …      replicate   x₀ x₀ | x₀ x₁ x₂ …      circular   … xₙ₋₂ xₙ₋₁ | x₀ x₁ x₂ …

A negative padding cuts off.
"""

from collections.abc import Callable

from torch import nn

from ...ir.arrays import Border, Shape
from ..layer import Form, MisfitError, Read, Where, fitting, image_of, objection, read
from .spans import Means, Span

# Where position i of an axis of n numbers lies, if it lies outside.
SOURCES: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda i, n: -i if i < 0 else 2 * (n - 1) - i,
    "replicate": lambda i, n: 0 if i < 0 else n - 1,
    "circular": lambda i, n: i + n if i < 0 else i - n,
}
MODES: dict[type[nn.Module], str] = {
    nn.ZeroPad2d: "zeros",
    nn.ReflectionPad2d: "reflect",
    nn.ReplicationPad2d: "replicate",
    nn.CircularPad2d: "circular",
}


def padded_by(mode: str, border: Border, form: Form) -> tuple[Means, Shape]:
    """What pads an image by (top, left, bottom, right), and the shape that comes out. Raises MisfitError."""
    channels, *size = form.shape
    top, left, bottom, right = border
    height, width = size[0] + top + bottom, size[1] + left + right
    shape = fitting((channels, height, width), form)
    axes = [(size[0], top, bottom), (size[1], left, right)]
    for n, before, after in axes:
        most = {"reflect": n - 1, "circular": n + min(before, 0) + min(after, 0)}.get(mode)
        if most is not None and max(before, after) > most:
            raise MisfitError(f"takes more padding from an image of {form.text} than there is")
    rows, columns = (_spans(mode, *axis) for axis in axes)
    return Means(rows, columns), shape


def _spans(mode: str, size: int, before: int, after: int) -> tuple[Span, ...]:
    """One number each, or none."""
    places = range(-before, size + after)
    if mode == "zeros":
        return tuple(Span(i, i + 1) if 0 <= i < size else Span(0, 0) for i in places)
    if mode == "circular":  # what is cut off is cut off first
        first, rest = max(0, -before), size + min(before, 0) + min(after, 0)
        sources = [first + (i - first) % rest for i in places]
    else:
        sources = [i if 0 <= i < size else SOURCES[mode](i, size) for i in places]
    return tuple(Span(i, i + 1) for i in sources)


def _read(
    module: nn.ZeroPad2d | nn.ReflectionPad2d | nn.ReplicationPad2d | nn.CircularPad2d,
    inputs: tuple[Form, ...],
    _where: Where,
) -> Read:
    image_of(inputs)
    left, right, top, bottom = module.padding
    return Read(*padded_by(MODES[type(module)], (top, left, bottom, right), inputs[0]))


for kind in MODES:
    objection.register(kind, lambda _: "")
    read.register(kind, _read)
