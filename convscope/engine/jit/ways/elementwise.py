"""Nodes for activations that no other node can take along: two in a row, or those whose slope needs x itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from typing_extensions import override

from ..ir.kernel import Kernel
from .activation import ACTIVATIONS
from .layer import Activation, Form, Identity, Op, Read, Where, objection, read
from .way import Site, Way


@dataclass(frozen=True)
class Curve(Op):
    """An activation whose slope is a function of its input."""

    curve: Activation

    @property
    def decides(self) -> bool:
        """Whether its slope jumps."""
        return self.curve.decides


class Pass(Way):
    """One pass over memory: y = a(x), where the node's activation does the work."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y from x."""
        f = self.site.kernel("forward")
        x, y, op = f.array(self.site.x[0]), f.array(self.site.y), self.site.node.op
        with f.each(self.site.y) as at:
            inner = op.curve.apply(f, x[at]) if isinstance(op, Curve) else x[at]
            y[at] = self.site.node.act.apply(f, inner)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """dx = dy·a'(x); dy has been multiplied by the slope of the node's own activation."""
        dx = self.site.dx[0]
        if dx:
            f = self.site.kernel("input_gradient")
            x, dy, out, op = f.array(self.site.x[0]), f.array(self.dy), f.array(dx.array), self.site.node.op
            with f.each(self.site.y) as at:
                part = op.curve.times_slope(f, dy[at], x[at]) if isinstance(op, Curve) else dy[at]
                dx.put(f, part, x.load(at), *out.terms(at))
            yield f


def _objection(module: nn.Module) -> str:
    found = ACTIVATIONS[type(module)](module)
    return found if isinstance(found, str) else ""


def _read(module: nn.Module, inputs: tuple[Form, ...], _where: Where) -> Read:
    act = ACTIVATIONS[type(module)](module)
    assert isinstance(act, Activation)
    shape = inputs[0].shape
    return Read(Identity(), shape, act) if act.by_output else Read(Curve(act), shape)


for kind in ACTIVATIONS:
    objection.register(kind, _objection)
    read.register(kind, _read)
