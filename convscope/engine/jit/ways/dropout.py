"""Dropout and Dropout2d: y = x·k / (1 − p), dx = dy·k / (1 − p). What is kept: engine/dropout.py, computed twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from torch import nn
from typing_extensions import override

from ... import dropout
from ..ir.arrays import Index
from ..ir.kernel import At, Kernel
from ..ir.values import I32, Value, like
from .layer import Form, Identity, Op, Read, Where, image_of, objection, read
from .way import Site, Way

Keep = Callable[[Value], Value]  # a vector, divided by 1 − p in the lanes that keep it, else 0


@dataclass(frozen=True)
class Dropout(Op):
    """The ``layer``-th of its kind drops elements, or whole channels, with probability p."""

    training_only = True
    draws = True
    layer: int
    p: float
    channels: bool


class Dropped(Way):
    """One pass over memory."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y from x."""
        f = self.site.kernel("forward")
        x, y = f.array(self.site.x[0]), f.array(self.site.y)
        with self._each(f) as (at, keep):
            y[at] = self.site.node.act.apply(f, keep(x[at]))
        yield f

    def backward(self) -> Iterator[Kernel]:
        """dx from dy."""
        dx = self.site.dx[0]
        if dx:
            f = self.site.kernel("input_gradient")
            x, dy, out = f.array(self.site.x[0]), f.array(self.dy), f.array(dx.array)
            with self._each(f) as (at, keep):
                dx.put(f, keep(dy[at]), x.load(at), *out.terms(at))
            yield f

    @contextmanager
    def _each(self, f: Kernel) -> Iterator[tuple[At, Keep]]:
        """Loops over all vectors: where each stands, and what keeps or drops its lanes."""
        op, (channels, height, width) = self.site.node.op, self.site.y.shape
        assert isinstance(op, Dropout)
        with f.loop(f.lanes.vectors) as v:
            image = self._image(f, op.layer, v)
            with f.loop(channels) as c, f.loop(height) as y, f.loop(width) as x:
                element = f.integer(c) if op.channels else (f.integer(c) * height + y) * width + x
                yield (c, y, x, v), partial(_kept, f, op.p, image, element)

    def _image(self, f: Kernel, layer: int, v: Index) -> Value:
        """k_image of a vector of images."""
        kind = like(f.lanes.vector, I32)
        update = f.load(I32, f.key)
        words = f.splat(_mix(update + (layer + 1) * dropout.STEP % 2**32), f.lanes.width)
        return _mix(words ^ f.load(kind, f.numbers, (v, f.lanes.bytes)))


def _kept(f: Kernel, p: float, image: Value, element: Value, value: Value) -> Value:
    """``value`` / (1 − p) in the lanes that keep the element, else 0."""
    least, zero = dropout.threshold(p), f.constant(0.0, value.type)
    if least > dropout.WORD:
        return zero
    step = f.splat(f.convert("trunc", element, I32), f.lanes.width) * dropout.STEP
    return f.select(f.compare("uge", _mix(image + step), least), value * (1 / (1 - p)), zero)


def _mix(x: Value) -> Value:
    """dropout.mix."""
    x = x ^ (x >> 16)
    x = x * dropout.FIRST
    x = x ^ (x >> 15)
    x = x * dropout.SECOND
    return x ^ (x >> 16)


def _read(module: nn.Dropout | nn.Dropout2d, inputs: tuple[Form, ...], where: Where) -> Read:
    channels = isinstance(module, nn.Dropout2d)
    shape = image_of(inputs) if channels else inputs[0].shape
    if not where.training or module.p == 0:
        return Read(Identity(), shape)
    return Read(Dropout(where.draws, module.p, channels), shape)


for kind in (nn.Dropout, nn.Dropout2d):
    objection.register(kind, lambda _: "")
    read.register(kind, _read)
