"""Functions of single elements as this floor knows them: value, derivative, and what PyTorch calls them.

A kind of activation is one entry here: a function that makes its :class:`Function` from the layer (an op of a net, or
the torch module, which have the same parameters), and where there is one, its name in torch.nn.functional.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from torch import nn

from ...net.ops.activation import LeakyRelu, Relu, Relu6, Sigmoid, Tanh
from .operators import RELU, RELU6, SIGMOID, TANH, Operator, Partial

# Of torch.nn.functional: the module that does the same, and the names of its arguments behind the input.
FUNCTIONAL: dict[str, tuple[type[nn.Module], str]] = {
    "relu": (nn.ReLU, ""),
    "relu6": (nn.ReLU6, ""),
    "tanh": (nn.Tanh, ""),
    "sigmoid": (nn.Sigmoid, ""),
    "leaky_relu": (nn.LeakyReLU, "negative_slope"),
}


@dataclass(frozen=True)
class Function:
    """y = f(x), written ``text``. ``terms`` is Σ|terms| of f(x) where digits can cancel in it."""

    text: str
    operator: Operator
    terms: Callable[[float], float] | None = None

    def __call__(self, x: float) -> tuple[float, float]:
        """f(x) and what a rounding error in it has to be compared with."""
        value = float(self.operator.forward(np.float64(x)))
        return value, abs(value) if self.terms is None else self.terms(x)


@singledispatch
def function(layer: object) -> Function | None:
    """The function that ``layer`` (an op or a torch module) applies to every element; None where it does not."""
    return None


@function.register
def _(layer: Relu | nn.ReLU) -> Function:
    return Function("relu", RELU)


@function.register
def _(layer: Relu6 | nn.ReLU6) -> Function:
    return Function("relu6", RELU6)


@function.register
def _(layer: Tanh | nn.Tanh) -> Function:
    return Function("tanh", TANH)


@function.register
def _(layer: Sigmoid | nn.Sigmoid) -> Function:
    return Function("sigmoid", SIGMOID)


@function.register
def _(layer: LeakyRelu | nn.LeakyReLU) -> Function:
    slope = layer.negative_slope
    operator = Operator(
        f"leakyrelu({slope:g})",
        f"leakyrelu({{a}}, {slope:g})",
        lambda a: np.where(a > 0, a, slope * a),
        (Partial(f"({{a}} > 0) + {slope:g}·({{a}} ≤ 0)", lambda out, a: np.where(a > 0, 1.0, slope)),),
        remark=lambda a: f"at the kink leakyrelu(0) PyTorch takes the derivative {slope:g}" * bool((a == 0).any()),
    )
    return Function(operator.name, operator)
