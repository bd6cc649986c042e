"""Element by element: y = a(x). A new one is a class here, and a line in the table at the end.

    relu        max(x, 0)                a' = 1 where y > 0, else 0
    leaky relu  max(x, s·x)              a' = 1 where y > 0, else s      (0 ≤ s ≤ 1)
    relu6       min(max(x, 0), 6)        a' = 1 where 0 < y < 6, else 0
    tanh        tanh x                   a' = 1 − y²
    sigmoid     σ(x) = 1 / (1 + e⁻ˣ)     a' = y (1 − y)
    silu        x·σ(x)                   a' = σ(x) (1 + x (1 − σ(x)))
    gelu        x·Φ(x)                   a' = Φ(x) + x·φ(x), Φ the normal distribution and φ its density
    gelu, tanh  x/2 · (1 + tanh u)       a' = (1 + tanh u)/2 + x/2 · (1 − tanh² u) · u',  u = √(2/π) (x + 0.044715 x³)

Those whose slope follows from y cost no pass over memory: the node before applies them to what it stores, and the node
after multiplies the input gradient that it stores by the slope. The others keep x: elementwise.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

from torch import nn
from typing_extensions import override

from ..ir import elementary
from ..ir.function import Function
from ..ir.values import Value
from .layer import Activation


@dataclass(frozen=True)
class Relu(Activation):
    """max(x, 0)."""

    kinks = (0.0,)
    flat_below = True
    keeps_order = True

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return f.select(f.compare("olt", x, 0.0), 0.0, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return f.select(f.compare("ogt", y, 0.0), gradient, f.constant(0.0, y.type))


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """max(x, s·x)."""

    slope: float
    kinks = (0.0,)
    keeps_order = True

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return f.select(f.compare("olt", x, 0.0), x * self.slope, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return f.select(f.compare("ogt", y, 0.0), gradient, gradient * self.slope)


@dataclass(frozen=True)
class Relu6(Activation):
    """min(max(x, 0), 6)."""

    kinks = (0.0, 6.0)
    flat_below = True
    keeps_order = True

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return elementary.clamp(f, x, 0.0, 6.0)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        inside = f.compare("ogt", y, 0.0) & f.compare("olt", y, 6.0)
        return f.select(inside, gradient, f.constant(0.0, y.type))


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return elementary.tanh(f, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return gradient * (1.0 - y * y)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return elementary.sigmoid(f, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return gradient * (y * (1.0 - y))


@dataclass(frozen=True)
class Silu(Activation):
    """x·σ(x)."""

    by_output = False

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return x * elementary.sigmoid(f, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        s = elementary.sigmoid(f, y)
        return gradient * (s * (1.0 + y * (1.0 - s)))


@dataclass(frozen=True)
class Gelu(Activation):
    """x·Φ(x)."""

    by_output = False

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return x * elementary.normal(f, x)[0]

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        below, density = elementary.normal(f, y)
        return gradient * f.fma(y, density, below)


@dataclass(frozen=True)
class GeluTanh(Activation):
    """x/2 · (1 + tanh u)."""

    by_output = False
    scale: ClassVar[float] = sqrt(2 / pi)
    cube: ClassVar[float] = 0.044715

    def _tanh(self, f: Function, x: Value) -> Value:
        return elementary.tanh(f, x * (1.0 + x * x * self.cube) * self.scale)

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return x * 0.5 * (1.0 + self._tanh(f, x))

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        t = self._tanh(f, y)
        inner = (1.0 + y * y * (3 * self.cube)) * self.scale
        return gradient * ((1.0 + t) * 0.5 + y * 0.5 * (1.0 - t * t) * inner)


def _leaky(module: nn.Module) -> Activation | str:
    assert isinstance(module, nn.LeakyReLU)
    fits = 0 <= module.negative_slope <= 1
    return LeakyRelu(module.negative_slope) if fits else f"its negative slope is {module.negative_slope:g}"


def _gelu(module: nn.Module) -> Activation | str:
    assert isinstance(module, nn.GELU)
    return GeluTanh() if module.approximate == "tanh" else Gelu()


# What a module does, or why it cannot be done here.
ACTIVATIONS: dict[type[nn.Module], Callable[[nn.Module], Activation | str]] = {
    nn.ReLU: lambda _: Relu(),
    nn.LeakyReLU: _leaky,
    nn.ReLU6: lambda _: Relu6(),
    nn.Tanh: lambda _: Tanh(),
    nn.Sigmoid: lambda _: Sigmoid(),
    nn.SiLU: lambda _: Silu(),
    nn.GELU: _gelu,
}
