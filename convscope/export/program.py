"""A trained net → the program of plain steps that every format is written from.

Batch norm is folded into the convolution or linear layer before it where that one feeds nothing else (in float64,
rounded once); dropout is gone. A kind of layer that is new to the net needs one function here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from torch import Tensor

from ..net import ops
from ..net.model import Model
from ..net.ops.activation import Gelu, LeakyRelu
from ..net.shapes import Row, table
from ..net.spec import parse
from ..net.wiring import IMAGE
from .steps import Conv, Elementwise, Flatten, Floats, Join, Linear, Op, Pad, Pool, ProgramStep, Scale, Shape, Span

EPS = 1e-5  # of torch's batch norm


@dataclass(frozen=True)
class Program:
    """The steps in forward order, from the normalised image (C, H, W) to the scores (K,)."""

    image: tuple[int, int, int]
    steps: tuple[ProgramStep, ...]

    @property
    def result(self) -> str:
        """The name of the step that makes the scores."""
        return self.steps[-1].name

    @property
    def parameters(self) -> int:
        """How many numbers the steps hold."""
        return sum(
            array.size for step in self.steps for array in vars(step.op).values() if isinstance(array, np.ndarray)
        )


def program(model: Model, folded: bool = True) -> Program:
    """The program of a model's net; not ``folded``, batch norm is a step of its own as in PyTorch."""
    rows = table(parse(model.spec), model.image, len(model.classes))
    weights = model.net.state_dict()
    steps: list[ProgramStep] = []
    renamed = {IMAGE: IMAGE}  # what a layer that is no step passes on
    for row in rows:
        inputs = tuple(renamed[name] for name in row.inputs)
        mine = {key.removeprefix(f"{row.name}."): value for key, value in weights.items() if _of(row.name, key)}
        made = convert(row.op, row, mine)
        for number, op in enumerate(made):
            last = number == len(made) - 1
            name = row.name if last else f"{row.name}_{number}"
            shapes = row.shapes if not number else (steps[-1].output,)
            steps.append(ProgramStep(name, op, inputs, shapes, row.output if last else _padded(op, shapes[0])))
            inputs = (name,)
        renamed[row.name] = inputs[0]
    return Program(model.image, _folded(steps) if folded else tuple(steps))


@singledispatch
def convert(op: ops.Op, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    """The steps of one layer; none for a layer that does nothing in evaluation mode."""
    raise NotImplementedError(f"no step is known for {op.kind}")


@convert.register
def _conv(op: ops.Conv, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    before, after = op.pads()
    weight = _array(weights["weight"])
    bias = _array(weights["bias"]) if "bias" in weights else np.zeros(op.out, np.float32)
    if op.padding_mode == "zeros":
        return [Conv(weight, bias, op.stride, before, after, op.dilation, op.groups)]
    around = Pad(op.padding_mode, before, after)
    return [around, Conv(weight, bias, op.stride, (0, 0), (0, 0), op.dilation, op.groups)]


@convert.register
def _linear(op: ops.Linear, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    weight = _array(weights["weight"])
    bias = _array(weights["bias"]) if "bias" in weights else np.zeros(len(weight), np.float32)
    return [Linear(weight, bias)]


@convert.register
def _batchnorm(op: ops.BatchNorm, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    variance, mean = weights["running_var"].double(), weights["running_mean"].double()
    scale = weights["weight"].double() / (variance + EPS).sqrt()
    shift = weights["bias"].double() - mean * scale
    return [Scale(_array(scale), _array(shift))]


@convert.register
def _pool(op: ops.Pool, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    rows, columns = (
        tuple(_window(size, k, s, p, i) for i in range(made))
        for size, k, s, p, made in zip(row.input[1:], op.kernel, op.stride, op.padding, row.output[1:], strict=True)
    )
    return [Pool(op.average, rows, columns, (op.kernel, op.stride, op.padding))]


@convert.register(ops.AdaptiveAvgPool)
@convert.register(ops.GlobalAvg)
def _adaptive(op: ops.Op, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    rows, columns = (
        tuple(_cell(size, made, i) for i in range(made))
        for size, made in zip(row.input[1:], row.output[1:], strict=True)
    )
    return [Pool(True, rows, columns)]


@convert.register
def _pad(op: ops.Pad, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Pad("zeros", op.before, op.after)]


@convert.register
def _activation(op: ops.Activation, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Elementwise(op.kind)]


@convert.register
def _leaky_relu(op: LeakyRelu, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Elementwise("leakyrelu", op.negative_slope)]


@convert.register
def _gelu(op: Gelu, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Elementwise("gelu" if op.approximate == "none" else "gelu-tanh")]


@convert.register
def _add(op: ops.Add, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Join(concat=False)]


@convert.register
def _concat(op: ops.Concat, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Join(concat=True)]


@convert.register
def _flatten(op: ops.Flatten, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return [Flatten()]


@convert.register
def _dropout(op: ops.Dropout, row: Row, weights: Mapping[str, Tensor]) -> list[Op]:
    return []


def _window(size: int, kernel: int, stride: int, padding: int, position: int) -> Span:
    """What torch's pools read: the part of the window within the image; the padding counts in a mean."""
    start = position * stride - padding
    end = min(start + kernel, size + padding)
    return Span(max(start, 0), min(end, size), end - start)


def _cell(size: int, cells: int, position: int) -> Span:
    """What torch's adaptive pools read: ⌊i·n/m⌋ up to ⌈(i+1)·n/m⌉."""
    start, end = position * size // cells, -(-(position + 1) * size // cells)
    return Span(start, end, end - start)


def _padded(op: Op, shape: Shape) -> Shape:
    """The shape after a pad that stands before its convolution."""
    assert isinstance(op, Pad)
    return (shape[0], *(b + n + a for b, n, a in zip(op.before, shape[1:], op.after, strict=True)))


def _folded(steps: list[ProgramStep]) -> tuple[ProgramStep, ...]:
    """Scales taken into the convolution or linear layer before them where nobody else reads that one."""
    readers = Counter(name for step in steps for name in step.inputs)
    result: dict[str, ProgramStep] = {}
    renamed: dict[str, str] = {}
    for step in steps:
        step = replace(step, inputs=tuple(renamed.get(name, name) for name in step.inputs))
        before = result.get(step.inputs[0])
        if isinstance(step.op, Scale) and before and readers[before.name] == 1 and isinstance(before.op, Conv | Linear):
            del result[before.name]
            result[step.name] = replace(before, name=step.name, op=_fold(before.op, step.op))
        else:
            result[step.name] = step
    return tuple(result.values())


def _fold(op: Conv | Linear, scale: Scale) -> Conv | Linear:
    factor = scale.scale.astype(np.float64)
    weight = op.weight * factor.reshape(-1, *(1,) * (op.weight.ndim - 1))
    bias = op.bias * factor + scale.shift
    return replace(op, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _of(layer: str, key: str) -> bool:
    return key.rpartition(".")[0] == layer


def _array(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
