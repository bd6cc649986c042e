"""Element by element: y = a(x), and its slope written in terms of y, which is all that the backward pass needs to keep.

relu      y = max(x, 0)            a'(x) = 1 where y > 0, else 0
tanh      y = tanh x               a'(x) = 1 − y²
sigmoid   y = 1 / (1 + e⁻ˣ)        a'(x) = y (1 − y)

No pass over memory is spent on them: the node before applies ``apply`` to what it stores, and the node after
multiplies the input gradient that it stores by ``slope``. Only a net that applies two in a row needs a node for it.
"""

from collections.abc import Iterator

from torch import nn
from typing_extensions import override

from ..ir import elementary
from ..ir.function import Function
from ..ir.kernel import Kernel
from ..ir.values import Value
from .layer import Activation, Form, Identity, Read, objection, read
from .way import Site, Way


class Relu(Activation):
    """max(x, 0)."""

    decides = True

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return f.select(f.compare("olt", x, 0.0), 0.0, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return f.select(f.compare("ogt", y, 0.0), gradient, f.constant(0.0, y.type))


class Tanh(Activation):
    """The hyperbolic tangent."""

    keeps_order = False

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return elementary.tanh(f, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return gradient * (1.0 - y * y)


class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    keeps_order = False

    @override
    def apply(self, f: Function, x: Value) -> Value:
        return elementary.sigmoid(f, x)

    @override
    def times_slope(self, f: Function, gradient: Value, y: Value) -> Value:
        return gradient * (y * (1.0 - y))


class Pass(Way):
    """A node that does nothing but apply its activation."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(x)."""
        f = self.site.kernel("forward")
        x, y = f.array(self.site.x[0]), f.array(self.site.y)
        with f.each(self.site.x[0]) as at:
            y[at] = self.site.node.act.apply(f, x[at])
        yield f

    def backward(self) -> Iterator[Kernel]:
        """dx = dy, which has been multiplied by the slope of this node's own activation."""
        dx = self.site.dx[0]
        if dx:
            f = self.site.kernel("input_gradient")
            x, dy, out = f.array(self.site.x[0]), f.array(self.dy), f.array(dx.array)
            with f.each(self.site.x[0]) as at:
                dx.put(f, dy[at], x.load(at), *out.terms(at))
            yield f


ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.ReLU: Relu(), nn.Tanh: Tanh(), nn.Sigmoid: Sigmoid()}


@objection.register(nn.ReLU)
@objection.register(nn.Tanh)
@objection.register(nn.Sigmoid)
def _(_module: nn.Module) -> str:
    return ""


@read.register(nn.ReLU)
@read.register(nn.Tanh)
@read.register(nn.Sigmoid)
def _(module: nn.Module, inputs: tuple[Form, ...], _parameter: int) -> Read:
    return Read(Identity(), inputs[0].shape, ACTIVATIONS[type(module)])
