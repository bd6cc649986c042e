"""A spec becomes a torch.nn.Sequential whose modules bear the names of the shape table."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .layers import Activation, BatchNorm, Conv, Dropout, Flatten, GlobalAvg, Layer, Linear, Pool
from .shapes import Row, Shape, table

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside the block; the caller's random state is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def build(layers: tuple[Layer, ...], image: tuple[int, int, int], classes: int, seed: int = 0) -> nn.Sequential:
    """The net for images (C, H, W): (N, C, H, W) float32 → logits (N, classes).

    Initial weights are PyTorch's defaults, drawn from ``seed`` on the CPU (so they are the same for every device).
    Raises ShapeError where the net does not fit.
    """
    rows = table(layers, image, classes)
    with seeded(seed):
        return nn.Sequential(OrderedDict((row.name, _module(row)) for row in rows))


def _module(row: Row) -> nn.Module:
    layer, shape, output = row.layer, row.input, row.output
    match layer:
        case Conv():
            return nn.Conv2d(shape[0], layer.out, layer.kernel, layer.stride, layer.padding, layer.dilation,
                             layer.groups, layer.bias)  # fmt: skip
        case Pool():
            pool = nn.AvgPool2d if layer.average else nn.MaxPool2d
            return pool(layer.kernel, layer.stride, layer.padding)
        case Activation():
            return ACTIVATIONS[layer.kind]()
        case BatchNorm():
            return _batchnorm(shape)
        case Dropout():
            return nn.Dropout(layer.p)
        case Flatten():
            return nn.Flatten()
        case GlobalAvg():
            return nn.AdaptiveAvgPool2d(1)
        case Linear():
            return nn.Linear(shape[0], output[0], layer.bias)


def _batchnorm(shape: Shape) -> nn.Module:
    return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])
