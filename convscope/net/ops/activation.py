"""Functions of single elements. Each kind is a class; the last line lists them for the language."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from ..words import Words, decimal_text
from .base import Op, Shapes, TorchCall, changed


class Activation(Op):
    """An element of the output is a function of the element at the same place; ``torch_name`` is its module."""

    torch_name: ClassVar[str]

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall(self.torch_name)


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


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """x where x > 0, ``negative_slope`` · x elsewhere (Maas et al. 2013)."""

    negative_slope: float = 0.01
    kind = "leakyrelu"
    usage = "leakyrelu [SLOPE]"

    @classmethod
    def read(cls, words: Words) -> Self:
        return cls(words.fraction("negative slope", "0.1")) if words.numbers else cls()

    def text(self) -> str:
        return self.kind if self == LeakyRelu() else f"{self.kind} {decimal_text(self.negative_slope)}"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("LeakyReLU", (self.negative_slope,))


@dataclass(frozen=True)
class Silu(Activation):
    """x · sigmoid(x), also called swish (Elfwing et al. 2017)."""

    kind = "silu"
    usage = "silu"
    torch_name = "SiLU"


@dataclass(frozen=True)
class Gelu(Activation):
    """x · Φ(x), the normal distribution's share below x, or its approximation by a tanh (Hendrycks and Gimpel 2016)."""

    approximate: Literal["none", "tanh"] = "none"
    kind = "gelu"
    usage = "gelu [approximate=none|tanh]"

    @classmethod
    def read(cls, words: Words) -> Self:
        return cls("tanh" if words.option_choice("approximate", ("none", "tanh")) == "tanh" else "none")

    def text(self) -> str:
        return self.kind if self.approximate == "none" else f"{self.kind} approximate={self.approximate}"

    def call(self, shapes: Shapes) -> TorchCall:
        return TorchCall("GELU", (), changed(approximate=(self.approximate, "none")))


ACTIVATIONS: tuple[type[Activation], ...] = (Relu, Relu6, Tanh, Sigmoid, LeakyRelu, Silu, Gelu)
