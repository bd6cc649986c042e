"""Functions of single elements as this floor knows them: value, derivative, and what PyTorch calls them.

A kind of activation is one entry here: what makes its :class:`Elementwise` from the layer (an op of a net, or
the torch module, which have the same parameters), and where there is one, its name in torch.nn.functional.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from torch import nn

from ...net.ops.activation import Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Tanh
from .operators import RELU, RELU6, SIGMOID, TANH, Operator, Partial
from .values import Array

# Of torch.nn.functional: the module that does the same, and the names of its arguments behind the input.
FUNCTIONAL: dict[str, tuple[type[nn.Module], str]] = {
    "relu": (nn.ReLU, ""),
    "relu6": (nn.ReLU6, ""),
    "tanh": (nn.Tanh, ""),
    "sigmoid": (nn.Sigmoid, ""),
    "leaky_relu": (nn.LeakyReLU, "negative_slope"),
    "silu": (nn.SiLU, ""),
    "gelu": (nn.GELU, "approximate"),
}


@dataclass(frozen=True)
class Elementwise:
    """y = f(x), written ``text``. ``terms`` is Σ|terms| of f(x) where digits can cancel in it."""

    text: str
    operator: Operator
    terms: Callable[[float], float] | None = None

    def __call__(self, x: float) -> tuple[float, float]:
        """f(x) and what a rounding error in it has to be compared with."""
        value = float(self.operator.forward(np.float64(x)))
        return value, abs(value) if self.terms is None else self.terms(x)


@singledispatch
def function(layer: object) -> Elementwise | None:
    """The function that ``layer`` (an op or a torch module) applies to every element; None where it does not."""
    return None


@function.register
def _(layer: Relu | nn.ReLU) -> Elementwise:
    return Elementwise("relu", RELU)


@function.register
def _(layer: Relu6 | nn.ReLU6) -> Elementwise:
    return Elementwise("relu6", RELU6)


@function.register
def _(layer: Tanh | nn.Tanh) -> Elementwise:
    return Elementwise("tanh", TANH)


@function.register
def _(layer: Sigmoid | nn.Sigmoid) -> Elementwise:
    return Elementwise("sigmoid", SIGMOID)


@function.register
def _(layer: LeakyRelu | nn.LeakyReLU) -> Elementwise:
    slope = layer.negative_slope
    operator = Operator(
        f"leakyrelu({slope:g})",
        f"leakyrelu({{a}}, {slope:g})",
        lambda a: np.where(a > 0, a, slope * a),
        (Partial(f"({{a}} > 0) + {slope:g}·({{a}} ≤ 0)", lambda out, a: np.where(a > 0, 1.0, slope)),),
        remark=lambda a: f"at the kink leakyrelu(0) PyTorch takes the derivative {slope:g}" * bool((a == 0).any()),
    )
    return Elementwise(operator.name, operator)


# The derivatives below are sums in which digits can cancel: ``terms`` is what their rounding errors compare with.
SILU = Operator(
    "silu",
    "silu({a})",
    lambda a: a * SIGMOID.forward(a),
    (
        Partial(
            "σ({a}) + {a}·σ({a})·(1−σ({a}))",
            lambda out, a: SIGMOID.forward(a) * (1 + a * (1 - SIGMOID.forward(a))),
            terms=lambda out, a: SIGMOID.forward(a) * (1 + 2 * np.abs(a)),
        ),
    ),
)


@function.register
def _(layer: Silu | nn.SiLU) -> Elementwise:
    return Elementwise("silu", SILU)


def _normal(a: Array) -> Array:
    """Φ(a) = erfc(−a/√2) / 2, exact where Φ is tiny."""
    shares: Array = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float])(a)
    return shares


def _density(a: Array) -> Array:
    """φ(a) = Φ'(a)."""
    density: Array = np.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    return density


GELU = Operator(
    "gelu",
    "gelu({a})",
    lambda a: a * _normal(a),
    (
        Partial(
            "Φ({a}) + {a}·φ({a})",
            lambda out, a: _normal(a) + a * _density(a),
            terms=lambda out, a: 1 + np.abs(a) * _density(a),
        ),
    ),
)


def _bend(a: Array) -> Array:
    """tanh(√(2/π)·(a + 0.044715·a³))."""
    return np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))


def _slope(a: Array) -> Array:
    """The derivative of what stands inside that tanh."""
    slope: Array = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * a**2)
    return slope


GELU_TANH = Operator(
    "gelu",
    "gelu({a}, tanh)",
    lambda a: a * (1 + _bend(a)) / 2,
    (
        Partial(
            "(1+t)/2 + {a}·(1−t²)·t'/2 with t = tanh(√(2/π)·({a} + 0.044715·{a}³))",
            lambda out, a: (1 + _bend(a)) / 2 + a * (1 - _bend(a) ** 2) * _slope(a) / 2,
            terms=lambda out, a: 1 + np.abs(a) * _slope(a),
        ),
    ),
)


@function.register
def _(layer: Gelu | nn.GELU) -> Elementwise:
    # PyTorch adds 1 to an erf or a tanh near −1, so that float32 loses digits of a value far below |x|.
    if layer.approximate == "tanh":
        return Elementwise("gelu(tanh)", GELU_TANH, abs)
    return Elementwise("gelu", GELU, abs)
