"""A program run with PyTorch in float32 on many images at once: quick enough to choose how weights are stored."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..net.wiring import IMAGE
from .program import Program
from .steps import Conv, Elementwise, Flatten, Join, Linear, Pad, Pool, ProgramStep, Scale, Span
from .tables import OUTSIDE, pad_sources

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
}


def scores(found: Program, images: Tensor) -> Tensor:
    """Raw scores (N, K) of normalised images float32 (N, C, H, W)."""
    made = {IMAGE: images}
    with torch.inference_mode():
        for step in found.steps:
            made[step.name] = _step(step, [made[name] for name in step.inputs])
    return made[found.result]


def _step(step: ProgramStep, inputs: list[Tensor]) -> Tensor:
    x, op = inputs[0], step.op
    match op:
        case Conv():
            x = F.pad(x, (op.before[1], op.after[1], op.before[0], op.after[0]))
            weight, bias = _tensor(op.weight), _tensor(op.bias)
            return F.conv2d(x, weight, bias, op.stride, 0, op.dilation, op.groups)
        case Linear():
            return F.linear(x, _tensor(op.weight), _tensor(op.bias))
        case Scale():
            shape = (-1, *(1,) * (x.ndim - 2))
            return x * _tensor(op.scale).reshape(shape) + _tensor(op.shift).reshape(shape)
        case Pool():
            return _pool(op, x)
        case Pad():
            rows, columns = (torch.tensor(index) for index in pad_sources(op, step.shapes[0]))
            inside = (rows != OUTSIDE)[:, None] & (columns != OUTSIDE)
            return x[:, :, rows.clamp(min=0)][..., columns.clamp(min=0)] * inside
        case Elementwise():
            if op.function == "leakyrelu":
                return F.leaky_relu(x, op.slope)
            return FUNCTIONS[op.function](x)
        case Join():
            return torch.cat(inputs, 1) if op.concat else torch.stack(inputs).sum(0)
        case Flatten():
            return x.flatten(1)


def _pool(op: Pool, x: Tensor) -> Tensor:
    if op.average:
        down, across = _means(op.rows, x.shape[2]), _means(op.columns, x.shape[3])
        return torch.matmul(torch.matmul(down, x), across.T)
    narrow = torch.stack([x[..., span.start : span.end].amax(3) for span in op.columns], 3)
    return torch.stack([narrow[:, :, span.start : span.end].amax(2) for span in op.rows], 2)


def _means(spans: tuple[Span, ...], size: int) -> Tensor:
    matrix = torch.zeros(len(spans), size)
    for row, span in zip(matrix, spans, strict=True):
        row[span.start : span.end] = 1 / span.count
    return matrix


def _tensor(values: NDArray[np.float32] | Any) -> Tensor:
    return torch.from_numpy(values)
