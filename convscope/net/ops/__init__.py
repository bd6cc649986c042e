"""The kinds of layers, one file each. Nothing here imports torch before a module is made."""

from ..words import Pair
from .activation import ACTIVATIONS, Activation, Relu, Relu6, Sigmoid, Tanh
from .base import Misfit, Op, Shape, Shapes, TorchCall, shape_text
from .conv import Conv, Depthwise, Projection
from .dropout import Dropout, Dropout2d
from .flatten import Flatten
from .join import JOINS, Add, Concat, Join
from .linear import Linear
from .norm import BatchNorm
from .pad import Pad
from .pool import AdaptiveAvgPool, AvgPool, GlobalAvg, Pool
from .window import same_padding, window_formula, window_size

KINDS: tuple[type[Op], ...] = (
    Conv,
    Depthwise,
    Pool,
    AvgPool,
    AdaptiveAvgPool,
    GlobalAvg,
    Pad,
    *ACTIVATIONS,
    BatchNorm,
    Dropout,
    Dropout2d,
    Flatten,
    Linear,
)
WORDS: dict[str, type[Op]] = {op.kind: op for op in KINDS}  # the words that begin a layer

__all__ = [
    "ACTIVATIONS",
    "JOINS",
    "KINDS",
    "WORDS",
    "Activation",
    "AdaptiveAvgPool",
    "Add",
    "AvgPool",
    "BatchNorm",
    "Concat",
    "Conv",
    "Depthwise",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GlobalAvg",
    "Join",
    "Linear",
    "Misfit",
    "Op",
    "Pad",
    "Pair",
    "Pool",
    "Projection",
    "Relu",
    "Relu6",
    "Shape",
    "Shapes",
    "Sigmoid",
    "Tanh",
    "TorchCall",
    "same_padding",
    "shape_text",
    "window_formula",
    "window_size",
]
