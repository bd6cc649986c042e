"""Every step of a program as ONNX nodes."""

from functools import singledispatch
from math import prod

import numpy as np

from ..steps import Conv, Elementwise, Flatten, Join, Linear, Pad, Pool, ProgramStep, Scale, Span
from .graph import Graph

PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
FUNCTIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


@singledispatch
def write(op: object, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    """Add the nodes of ``step``, whose op is ``op``; the name of what it makes (N, …) is the step's own."""
    raise NotImplementedError(f"no ONNX node is known for {type(op).__name__}")


@write.register
def _conv(op: Conv, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    weight = g.constant(op.weight, np.float32, f"{step.name}.weight")
    bias = g.constant(op.bias, np.float32, f"{step.name}.bias")
    return g.node(
        "Conv",
        [inputs[0], weight, bias],
        step.name,
        kernel_shape=op.weight.shape[2:],
        strides=op.stride,
        pads=[*op.before, *op.after],
        dilations=op.dilation,
        group=op.groups,
    )


@write.register
def _linear(op: Linear, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    weight = g.constant(op.weight, np.float32, f"{step.name}.weight")
    bias = g.constant(op.bias, np.float32, f"{step.name}.bias")
    return g.node("Gemm", [inputs[0], weight, bias], step.name, transB=1)


@write.register
def _scale(op: Scale, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    shape = (-1, *(1,) * (len(step.output) - 1))
    scale = g.constant(op.scale.reshape(shape), np.float32, f"{step.name}.scale")
    shift = g.constant(op.shift.reshape(shape), np.float32, f"{step.name}.shift")
    return g.node("Add", [g.node("Mul", [inputs[0], scale]), shift], step.name)


@write.register
def _pool(op: Pool, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    if op.average:
        return _average(op, step, inputs[0], g)
    assert op.window is not None
    kernel, stride, before = op.window
    after = [
        max(0, (made - 1) * s + k - size - b)
        for made, s, k, size, b in zip(step.output[1:], stride, kernel, step.shapes[0][1:], before, strict=True)
    ]
    return g.node("MaxPool", inputs[:1], step.name, kernel_shape=kernel, strides=stride, pads=[*before, *after])


def _average(op: Pool, step: ProgramStep, x: str, g: Graph) -> str:
    """A mean over all is a node of its own; others are two products with matrices of 1/count: any windows do."""
    size = step.shapes[0][1:]
    if step.output[1:] == (1, 1) and op.rows[0] == Span(0, size[0], size[0]) and op.columns[0].count == size[1]:
        return g.node("GlobalAveragePool", [x], step.name)
    down, across = _means(op.rows, size[0]), _means(op.columns, size[1])
    narrow = g.node("MatMul", [x, g.constant(across.T, np.float32)])
    return g.node("MatMul", [g.constant(down, np.float32), narrow], step.name)


def _means(spans: tuple[Span, ...], size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    matrix = np.zeros((len(spans), size))
    for row, span in zip(matrix, spans, strict=True):
        row[span.start : span.end] = 1 / span.count
    return matrix


@write.register
def _pad(op: Pad, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    pads = g.numbers([0, 0, *op.before, 0, 0, *op.after])
    return g.node("Pad", [inputs[0], pads], step.name, mode=PAD_MODES[op.mode])


@write.register
def _elementwise(op: Elementwise, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    match op.function:
        case "relu6":
            limits = [g.constant(limit, np.float32) for limit in (0, 6)]
            return g.node("Clip", [inputs[0], *limits], step.name)
        case "leakyrelu":
            return g.node("LeakyRelu", inputs, step.name, alpha=op.slope)
        case "silu":
            return g.node("Mul", [inputs[0], g.node("Sigmoid", inputs)], step.name)
        case "gelu" | "gelu-tanh":
            return g.node("Gelu", inputs, step.name, approximate="tanh" if op.function == "gelu-tanh" else "none")
    return g.node(FUNCTIONS[op.function], inputs, step.name)


@write.register
def _join(op: Join, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    return g.node("Concat", inputs, step.name, axis=1) if op.concat else g.node("Sum", inputs, step.name)


@write.register
def _flatten(op: Flatten, step: ProgramStep, inputs: list[str], g: Graph) -> str:
    assert step.output == (prod(step.shapes[0]),)
    return g.node("Flatten", inputs, step.name, axis=1)
