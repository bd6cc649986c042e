"""Functions of single elements. Each kind is a class; the last line lists them for the language."""

from dataclasses import dataclass
from typing import ClassVar

from .base import Call, Op, Shapes


class Activation(Op):
    """An element of the output is a function of the element at the same place; ``torch_name`` is its module."""

    torch_name: ClassVar[str]

    def call(self, shapes: Shapes) -> Call:
        return Call(self.torch_name)


@dataclass(frozen=True)
class Relu(Activation):
    """max(x, 0)."""

    kind = "relu"
    usage = "relu"
    torch_name = "ReLU"


@dataclass(frozen=True)
class Relu6(Activation):
    """min(max(x, 0), 6), which keeps numbers within what few bits hold (Howard et al. 2017)."""

    kind = "relu6"
    usage = "relu6"
    torch_name = "ReLU6"


@dataclass(frozen=True)
class Tanh(Activation):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""

    kind = "tanh"
    usage = "tanh"
    torch_name = "Tanh"


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    kind = "sigmoid"
    usage = "sigmoid"
    torch_name = "Sigmoid"


ACTIVATIONS: tuple[type[Activation], ...] = (Relu, Relu6, Tanh, Sigmoid)
