"""A program run with NumPy in float64: the formulas of the steps, plain, and the judge of every format in the tests."""

from collections.abc import Callable
from math import erf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..net.wiring import IMAGE
from .program import Program
from .steps import Conv, Elementwise, Flatten, Join, Linear, Pad, Pool, ProgramStep, Scale

Array = NDArray[np.float64]
PAD_MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def run(found: Program, image: Array) -> dict[str, Array]:
    """Every step's output by name, for one normalised image (C, H, W)."""
    made: dict[str, Array] = {IMAGE: np.asarray(image, np.float64)}
    for step in found.steps:
        made[step.name] = compute(step, [made[name] for name in step.inputs])
    return made


def compute(step: ProgramStep, inputs: list[Array]) -> Array:
    """One step's output."""
    x = inputs[0]
    match step.op:
        case Conv():
            return _conv(step.op, x, (step.output[1], step.output[2]))
        case Linear():
            return step.op.weight.astype(np.float64) @ x + step.op.bias
        case Scale():
            shape = (-1, *(1,) * (x.ndim - 1))
            return x * step.op.scale.reshape(shape).astype(np.float64) + step.op.shift.reshape(shape)
        case Pool():
            return _pool(step.op, x)
        case Pad():
            return _pad(step.op, x)
        case Elementwise():
            return elementwise(step.op, x)
        case Join():
            return np.concatenate(inputs) if step.op.concat else np.sum(inputs, axis=0)
        case Flatten():
            return x.reshape(-1)


def _conv(op: Conv, x: Array, size: tuple[int, int]) -> Array:
    x = np.pad(x, ((0, 0), *zip(op.before, op.after, strict=True)))
    outputs, each, height, width = op.weight.shape
    result = np.zeros((outputs, *size))
    per_group = outputs // op.groups
    for o in range(outputs):
        first = o // per_group * each
        for i in range(height):
            for j in range(width):
                top, left = i * op.dilation[0], j * op.dilation[1]
                rows = slice(top, top + (size[0] - 1) * op.stride[0] + 1, op.stride[0])
                columns = slice(left, left + (size[1] - 1) * op.stride[1] + 1, op.stride[1])
                taps = op.weight[o, :, i, j].astype(np.float64)
                result[o] += np.tensordot(taps, x[first : first + each, rows, columns], 1)
        result[o] += op.bias[o]
    return result


def _pool(op: Pool, x: Array) -> Array:
    result = np.empty((len(x), len(op.rows), len(op.columns)))
    for i, row in enumerate(op.rows):
        for j, column in enumerate(op.columns):
            window = x[:, row.start : row.end, column.start : column.end]
            mean = window.sum((1, 2)) / (row.count * column.count)
            result[:, i, j] = mean if op.average else window.max((1, 2))
    return result


def _pad(op: Pad, x: Array) -> Array:
    sides = ((0, 0), *zip(op.before, op.after, strict=True))
    if op.mode == "zeros":
        return np.pad(x, sides)
    padded: Array = np.pad(x, sides, mode=PAD_MODES[op.mode])
    return padded


def elementwise(op: Elementwise, x: Array) -> Array:
    """The function of every element."""
    if op.function == "leakyrelu":
        return np.where(x > 0, x, op.slope * x)
    return FUNCTIONS[op.function](x)


def _sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
    return result


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2))),
    "gelu-tanh": lambda x: x * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}
