"""The few steps that every layer is made of, as plain numbers: what an exported net is written from.

Arrays are float32. Shapes are those of one image, (C, H, W) or (F,). Nothing here knows torch or any format.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pair = tuple[int, int]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """What one output position of a pool reads along one axis: ``start`` ≤ i < ``end``; ``count`` divides a mean."""

    start: int
    end: int
    count: int


@dataclass(frozen=True)
class Conv:
    """weight (O, C/groups, kh, kw), bias (O,); zeros ``before`` and ``after`` the image as (height, width) pairs."""

    weight: Floats
    bias: Floats
    stride: Pair
    before: Pair
    after: Pair
    dilation: Pair
    groups: int


@dataclass(frozen=True)
class Linear:
    """weight (O, F), bias (O,)."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class Scale:
    """Channel c becomes scale[c]·x + shift[c]: batch norm with its running statistics."""

    scale: Floats
    shift: Floats


@dataclass(frozen=True)
class Pool:
    """The largest or the mean of windows; ``rows`` and ``columns`` say what each output position reads."""

    average: bool
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    window: tuple[Pair, Pair, Pair] | None = None  # kernel, stride, padding before, where all windows are alike


@dataclass(frozen=True)
class Pad:
    """Numbers around the image: zeros, or taken from it (reflect, replicate, circular), as (height, width) pairs."""

    mode: str
    before: Pair
    after: Pair


@dataclass(frozen=True)
class Elementwise:
    """relu, relu6, tanh, sigmoid, leakyrelu (``slope``), silu, gelu or gelu-tanh."""

    function: str
    slope: float = 0.0


@dataclass(frozen=True)
class Join:
    """The sum of its inputs, or with ``concat`` their channels behind each other."""

    concat: bool


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) → (C·H·W,): the same numbers in the same order."""


Op = Conv | Linear | Scale | Pool | Pad | Elementwise | Join | Flatten


@dataclass(frozen=True)
class ProgramStep:
    """One step: ``inputs`` are names of earlier steps ("image": the net's input), ``shapes`` theirs."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    output: Shape
