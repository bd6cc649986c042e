"""A first convolution and the normalisation behind it, computed as one convolution with other weights.

A convolution is linear: what the statistics of its output are, those of its input tell. Let d be the numbers under the
kernel, m their mean and C their covariance, over all positions of all images of the batch. For each output channel

    μ = w·m + b        σ² = w·C w         s = 1 / √(σ² + ε)
    y = w'·d + b'      w' = γ s w         b' = β − γ s w·m

and from A = dL/dw' and B = dL/db', the gradients of that convolution, by the chain rule through w' and b'

    dβ = B             dγ = s t           t = w·(A − B m)
    db = 0             dw = γ s (A − B m − s² t C w)

So the output before the normalisation is stored nowhere, the convolution takes activation and pool along as any other,
and the backward pass need not wait for all threads. It pays where a kernel covers few numbers and there are many output
channels: ``pays``. What layers further inside read changes with the weights, and has gradients: norm/normalised.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from typing_extensions import override

from ...ir.arrays import Index, padded
from ...ir.kernel import Kernel, Reduction
from ...ir.values import F32, Value
from ..conv import Conv
from ..direct.forward import Direct
from ..direct.linear import Linear
from ..layer import Op
from ..norm.layer import BatchNorm
from ..way import Cut, Site, Way
from ..winograd.tiled import Thin, Tiled
from .moments import Moments

WORTH = 24  # products of two numbers under the kernel, an output channel, up to which it pays
MOST = 48  # numbers under the kernel: each product is an instruction of the program


@dataclass(frozen=True)
class NormedConv(Conv):
    """A convolution of the images, and ``norm`` behind it; activation and pool come after that."""

    training_only = True
    norm: BatchNorm | None = None

    @classmethod
    def of(cls, conv: Conv, norm: BatchNorm) -> "NormedConv":
        """``conv`` with ``norm`` behind it."""
        return cls(**vars(conv), norm=norm)

    @property
    @override
    def trained(self) -> int:
        assert self.norm
        return super().trained + self.norm.trained


def norm_of(op: Op) -> BatchNorm | None:
    """The normalisation that ``op`` is, or has taken along."""
    if isinstance(op, NormedConv):
        return op.norm
    return op if isinstance(op, BatchNorm) else None


def pays(conv: Conv, norm: BatchNorm) -> bool:
    """Whether the two are computed together; all of it is trained then."""
    if conv.groups > 1 or conv.frozen | norm.frozen:
        return False
    fan = conv.fan_in * prod(conv.kernel)
    return fan <= MOST and fan * (fan + 1) // 2 <= WORTH * conv.outputs


class First(Way):
    """The inputs' moments; once all have met, the weights; then a convolution by the cheapest of its ways."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        op = site.node.op
        assert isinstance(op, NormedConv)
        assert op.norm
        self.conv, self.norm = op, op.norm
        self.fan = op.fan_in * prod(op.kernel)
        self.row, self.each = 4 * padded(self.fan), 4 * padded(op.outputs)  # bytes
        (_, height, width), (ph, pw) = site.node.output, op.window
        self.moments = Moments(op, site.x[0], (height * ph, width * pw))
        room, weights = site.module.room, op.outputs * self.fan
        self.mine = room(self.moments.count(site.lanes) * site.lanes.bytes, zeros=True)  # of a thread's blocks
        self.all = room(4 * self.moments.count(site.lanes))
        self.mean, self.covariance = room(self.row), room(self.fan * self.row)
        self.spread = room(op.outputs * self.row)  # C w
        self.factors = room(2 * self.each)  # s, γ s
        self.folded = room(4 * padded(weights + op.outputs))  # w', b'
        self.gradients = room(4 * padded(weights + op.outputs), zeros=True)  # A, B
        self.shift = 4 * weights  # bytes to the first number of b', and of B
        plain = Conv(0, weights, op.inputs, op.outputs, op.kernel, op.stride, op.padding, op.dilation, pool=op.pool)
        inner = replace(site, node=replace(site.node, op=plain), own=(self.folded, self.gradients))
        self.way = min((Thin, Tiled, Linear, Direct), key=lambda way: way.cost(inner))(inner)

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel | Cut]:
        """Moments; w' and b'; y = a(pool(conv(x)))."""
        f = self.site.kernel("moments")
        self.moments.add(f, self.mine)
        yield f
        r = self.site.reduction("fold")
        self.moments.total(r, self.mine, self.all)
        self._covariance(r)
        self._fold(r)
        yield Cut((r, *self.way.weights()))
        yield from self.way.forward()

    def backward(self) -> Iterator[Kernel | Cut]:
        """A and B."""
        yield from self.way.backward()

    def finish(self) -> Iterator[Kernel]:
        """dγ, dβ and dw, of which a thread's A and B give its part."""
        yield from self.way.finish()
        f = self.site.kernel("unfold")
        self._unfold(f)
        yield f

    def _covariance(self, r: Reduction) -> None:
        """m and C."""
        fan, n = self.fan, self._number(r)
        with r.loop(fan) as p:
            r.store(r.load(F32, self.all, 4 * self.moments.sums, (p, 4)) / n, self.mean, (p, 4))
        with r.loop(fan) as p, r.loop(p + 1) as q:
            both = r.load(F32, self.mean, (p, 4)) * r.load(F32, self.mean, (q, 4))
            value = r.load(F32, self.all, (p, 4 * fan), (q, 4)) / n - both
            r.store(value, self.covariance, (p, self.row), (q, 4))
            r.store(value, self.covariance, (q, self.row), (p, 4))

    def _fold(self, r: Reduction) -> None:
        """w' and b', and what the backward pass needs; the first thread also moves the running statistics."""
        fan, kind, zero = self.fan, r.lanes.vector, r.constant(0.0, F32)
        n = self._number(r)
        with r.loop(self.conv.outputs) as o:
            w, spread = self._weights(r, o), r.address(self.spread, (o, self.row))
            sums = [r.var(r.constant(0.0, kind)) for _ in range(self.row // r.lanes.bytes)]
            mean, variance = r.var(zero), r.var(zero)
            with r.loop(fan) as k:
                number = r.load(F32, w, (k, 4))
                mean.value = r.fma(number, r.load(F32, self.mean, (k, 4)), mean.value)
                every = r.splat(number, r.lanes.width)
                for i, total in enumerate(sums):
                    column = r.load(kind, self.covariance, (k, self.row), i * r.lanes.bytes)
                    total.value = r.fma(every, column, total.value)
            for i, total in enumerate(sums):
                r.store(total.value, spread, i * r.lanes.bytes)
            with r.loop(fan) as k:
                variance.value = r.fma(r.load(F32, w, (k, 4)), r.load(F32, spread, (k, 4)), variance.value)
            positive = r.select(r.compare("olt", variance.value, 0.0), zero, variance.value)  # but for roundings
            s = 1.0 / r.intrinsic("sqrt", F32, positive + self.norm.epsilon)
            factor = s * self._parameter(r, self.norm.weight, o, 1.0)
            r.store(s, self.factors, (o, 4))
            r.store(factor, self.factors, self.each, (o, 4))
            r.store(self._parameter(r, self.norm.bias, o, 0.0) - factor * mean.value, self.folded, self.shift, (o, 4))
            with r.loop(fan) as k:
                r.store(factor * r.load(F32, w, (k, 4)), self.folded, (o, 4 * fan), (k, 4))
            with r.when(r.compare("eq", r.thread, 0) & r.compare("ogt", n, 1.0)):
                whole = mean.value + self._parameter(r, self.conv.bias, o, 0.0)
                self._move(r, o, (whole, positive * n / (n - 1.0)))

    def _number(self, r: Reduction) -> Value:
        """N; 1 where there is no image, which only a process that takes the statistics of its own images meets."""
        n = r.load(F32, self.all, 4 * self.moments.number)
        return r.select(r.compare("ogt", n, 1.0), n, r.constant(1.0, F32))

    def _move(self, r: Reduction, o: Index, now: tuple[Value, Value]) -> None:
        """Running mean and variance."""
        for which, value in enumerate(now):
            place = r.address(r.running, 4 * self.norm.running + which * self.each, (o, 4))
            old = r.load(F32, place)
            r.store(r.fma(value - old, r.constant(self.norm.momentum, F32), old), place)

    def _unfold(self, f: Kernel) -> None:
        """The chain rule through w' and b'."""
        conv, norm, fan = self.conv, self.norm, self.fan
        with f.loop(conv.outputs) as o:
            w, slope = self._weights(f, o), f.load(F32, self.gradients, self.shift, (o, 4))
            s, factor = f.load(F32, self.factors, (o, 4)), f.load(F32, self.factors, self.each, (o, 4))
            row = f.address(self.gradients, (o, 4 * fan))
            t = f.var(f.constant(0.0, F32))
            with f.loop(fan) as k:
                rest = f.load(F32, row, (k, 4)) - slope * f.load(F32, self.mean, (k, 4))
                f.store(rest, row, (k, 4))
                t.value = f.fma(rest, f.load(F32, w, (k, 4)), t.value)
            share = s * s * t.value
            with f.loop(fan) as k:
                part = share * f.load(F32, self.spread, (o, self.row), (k, 4))
                dw = factor * (f.load(F32, row, (k, 4)) - part)
                f.store(dw, f["g"], 4 * conv.weight, (o, 4 * fan), (k, 4))
            for number, value in ((norm.weight, s * t.value), (norm.bias, slope)):
                if number is not None:
                    f.store(value, f["g"], 4 * number, (o, 4))

    def _weights(self, f: Kernel, o: Index) -> Value:
        """Where those of an output channel begin."""
        return f.address(f["p"], 4 * self.conv.weight, (o, 4 * self.fan))

    def _parameter(self, f: Kernel, number: int | None, o: Index, missing: float) -> Value:
        return f.constant(missing, F32) if number is None else f.load(F32, f["p"], 4 * number, (o, 4))
