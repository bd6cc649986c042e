"""A net as a .tflite file, for LiteRT: convolutions, max pools, ReLU, flatten and linear layers, one behind the other.

Written by the schema that LiteRT brings along: its own converters need TensorFlow or torch-xla. Images are (N, H, W, C)
there, filters (O, kh, kw, I); a linear layer behind a flattened image has its weights' columns put in that order.
"""

from typing import Any

import numpy as np
from torch import nn


class File:
    """What is written, piece by piece: tensors with their data, and operators with the tensors that they read."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.buffers, self.tensors, self.operators = [schema.BufferT()], [], []
        self.codes: list[int] = []
        self.relu = False  # the operator before applies it

    def tensor(self, shape: tuple[int, ...], data: np.ndarray | None = None) -> int:
        """The number of a new tensor; with ``data`` it is a constant."""
        s, made = self.schema, self.schema.TensorT()
        made.shape, made.name = list(shape), f"t{len(self.tensors)}".encode()
        made.type = s.TensorType.INT32 if data is not None and data.dtype == np.int32 else s.TensorType.FLOAT32
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            made.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(self, code: str, options: Any, inputs: list[int], output: int) -> None:
        s, made = self.schema, self.schema.OperatorT()
        number = getattr(s.BuiltinOperator, code)
        if number not in self.codes:
            self.codes.append(number)
        made.opcodeIndex, made.inputs, made.outputs = self.codes.index(number), inputs, [output]
        made.builtinOptions = options
        made.builtinOptionsType = getattr(s.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(made)

    def bytes(self, first: int, last: int) -> bytes:
        import flatbuffers

        s, graph, model = self.schema, self.schema.SubGraphT(), self.schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [first], [last]
        for number in self.codes:
            code = s.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
            model.operatorCodes = [*(model.operatorCodes or []), code]
        model.version, model.buffers, model.subgraphs = 3, self.buffers, [graph]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def tflite(net: nn.Sequential, image: tuple[int, int, int], count: int) -> bytes:
    """The file for batches of ``count`` images. Raises ValueError at a layer that is none of those above."""
    from ai_edge_litert import schema_py_generated as schema

    file, (channels, height, width) = File(schema), image
    first = last = file.tensor((count, height, width, channels))
    flat = False
    for layer, after in zip(net, [*list(net)[1:], None], strict=True):
        relu = schema.ActivationFunctionType.RELU if isinstance(after, nn.ReLU) else 0
        if isinstance(layer, nn.Conv2d) and layer.padding == (0, 0):
            weight = layer.weight.detach().permute(0, 2, 3, 1).contiguous().numpy()
            options = schema.Conv2DOptionsT()
            (options.strideH, options.strideW), options.padding = layer.stride, schema.Padding.VALID
            options.fusedActivationFunction = relu
            channels, height, width = len(weight), height - weight.shape[1] + 1, width - weight.shape[2] + 1
            output = file.tensor((count, height, width, channels))
            constants = [file.tensor(data.shape, data) for data in (weight, _bias(layer))]
            file.operator("CONV_2D", options, [last, *constants], output)
        elif isinstance(layer, nn.MaxPool2d) and layer.stride == layer.kernel_size:
            options = schema.Pool2DOptionsT()
            rows, columns = layer.kernel_size
            options.filterHeight, options.filterWidth, options.strideH, options.strideW = rows, columns, rows, columns
            options.padding, options.fusedActivationFunction = schema.Padding.VALID, relu
            height, width = height // rows, width // columns
            output = file.tensor((count, height, width, channels))
            file.operator("MAX_POOL_2D", options, [last], output)
        elif isinstance(layer, nn.Flatten):
            options = schema.ReshapeOptionsT()
            options.newShape = [count, height * width * channels]
            output, flat = file.tensor(tuple(options.newShape)), True
            file.operator("RESHAPE", options, [last, file.tensor((2,), np.array(options.newShape, np.int32))], output)
        elif isinstance(layer, nn.Linear):
            columns = layer.weight.detach().unflatten(1, (channels, height, width)) if flat else layer.weight.detach()
            weight = (columns.permute(0, 2, 3, 1).flatten(1) if flat else columns).contiguous().numpy()
            options, flat = schema.FullyConnectedOptionsT(), False
            options.fusedActivationFunction = relu
            output = file.tensor((count, len(weight)))
            constants = [file.tensor(data.shape, data) for data in (weight, _bias(layer))]
            file.operator("FULLY_CONNECTED", options, [last, *constants], output)
        elif isinstance(layer, nn.ReLU):
            continue  # the operator before applies it
        else:
            raise ValueError(f"{layer} is not written")
        last = output
    return file.bytes(first, last)


def _bias(layer: nn.Conv2d | nn.Linear) -> np.ndarray:
    return np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias.detach().numpy()
