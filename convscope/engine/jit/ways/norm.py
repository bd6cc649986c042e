"""Batch normalisation (Ioffe and Szegedy 2015), over all images of the batch and all positions: N numbers a channel.

    μ = Σ x / N    σ² = Σ (x − μ)² / N    x̂ = (x − μ) / √(σ² + ε)    y = γ x̂ + β
    dβ = Σ dy      dγ = Σ dy·x̂            dx = γ / √(σ² + ε) · (dy − dβ/N − x̂·dγ/N)

A block knows its own images only. So each direction is cut in two: every thread sums over its blocks; all meet; then
each adds up what all threads have, in their order, so that runs are bit-identical for equal threads, and takes its
blocks up again. Means and squares of blocks are merged as T. Chan, G. Golub and R. LeVeque do (1983), without
cancellation.

Where a net is only used, y = s x + t with what training has left: scale.py.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from torch import nn
from typing_extensions import override

from ..ir.arrays import Array, Index, chunks, padded
from ..ir.elementary import lane_sums
from ..ir.kernel import Here, Kernel, Reduction
from ..ir.values import F32, Value
from .join import Concat
from .layer import Form, MisfitError, Op, Read, Where, image_of, objection, read
from .scale import Scale
from .way import Cut, Site, Way

TOGETHER = 4  # channels whose sums are kept in registers at a time


@dataclass(frozen=True)
class BatchNorm(Op):
    """Layer ``name``: numbers of its parameters, and of its running statistics (all means, then all variances)."""

    training_only = True
    name: str
    weight: int | None
    bias: int | None
    running: int
    channels: int
    momentum: float
    epsilon: float
    frozen: Set[str] = frozenset()  # "weight", "bias": what is not trained

    @property
    def trained(self) -> int:
        """γ and β of each channel, where they are trained."""
        return len(self.gradients) * self.channels

    @property
    def gradients(self) -> dict[int, int]:
        """Which of the sums, of dy (0) and of dy·x̂ (1), is the gradient of the parameters from which number on."""
        found = {0: self.bias, 1: self.weight}
        names = ("bias", "weight")
        return {n: number for n, number in found.items() if number is not None and names[n] not in self.frozen}


class Normalised(Way):
    """Two phases in each direction."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        assert isinstance(site.node.op, BatchNorm)
        self.norm = site.node.op
        self.row = 4 * padded(self.norm.channels)  # bytes
        self.block = site.module.room(2 * self.row)  # means and squares of a block
        self.mine = site.module.room(3 * self.row, zeros=True)  # counts, means and squares of a thread's blocks
        self.all = site.module.room(3 * self.row)  # N, means, 1 / √(σ² + ε)
        self.sums = site.module.room(2 * self.row, zeros=True)  # Σ dy, Σ dy·x̂ of a thread's blocks
        self.totals = site.module.room(2 * self.row)  # dβ/N, dγ/N

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel | Cut]:
        """Means and squares; merged; y."""
        f = self.site.kernel("statistics")
        self._statistics(f, self.site.x[0])
        yield f
        r = self.site.reduction("merge")
        self._merge(r)
        yield Cut((r,))
        f = self.site.kernel("forward")
        x, y = f.array(self.site.x[0]), f.array(self.site.y)
        with f.loop(self.norm.channels) as c:
            mean, factor = self._channel(f, c)
            shift = self._parameter(f, self.norm.bias, c, 0.0)
            with f.loop(self.site.y.height) as i, f.loop(self.site.y.width) as j, f.loop(f.lanes.vectors) as v:
                value = f.fma(x[c, i, j, v] - mean, factor, shift)
                y[c, i, j, v] = self.site.node.act.apply(f, value)
        self.again = f  # x is needed for the backward pass anyway
        yield f

    def backward(self) -> Iterator[Kernel | Cut]:
        """Sums of dy and dy·x̂; added up; dx."""
        f = self.site.kernel("sums")
        self._sums(f, self.site.x[0], self.dy)
        yield f
        r = self.site.reduction("add")
        self._add(r)
        yield Cut((r,))
        if self.site.dx[0]:
            f = self.site.kernel("input_gradient")
            self._input_gradient(f, f.array(self.site.x[0]), f.array(self.dy))
            yield f

    # -- forward -----------------------------------------------------------------------------------------------------

    def _statistics(self, f: Kernel, x: Array) -> None:
        """Means and squares of the block's images, merged with those of the thread's blocks before."""
        images = self._images(f)
        count = images * float(x.height * x.width)
        reciprocal = 1.0 / count
        for start, stop, size in chunks(self.norm.channels, TOGETHER):
            with f.loop(stop, start, size) as c:
                zeros = [f.constant(0.0, f.lanes.vector)] * size
                means = _scalars(f, _summed(f, x, c, zeros, lambda value: value), size)
                centres = [f.splat(mean * reciprocal, f.lanes.width) for mean in means]
                squares = _scalars(f, _summed(f, x, c, centres, lambda value: value * value), size)
                for n in range(size):
                    f.store(means[n] * reciprocal, self.block, (c, 4), 4 * n)
                    f.store(squares[n], self.block, self.row, (c, 4), 4 * n)
        with f.loop(self.row, 0, f.lanes.bytes) as i:
            theirs = [f.splat(count, f.lanes.width)]
            theirs += [f.load(f.lanes.vector, self.block, n * self.row, i) for n in range(2)]
            ours = [f.load(f.lanes.vector, self.mine, n * self.row, i) for n in range(3)]
            for n, value in enumerate(_merged(f, ours, theirs)):
                f.store(value, self.mine, n * self.row, i)

    def _images(self, f: Kernel) -> Value:
        """How many lanes hold an image."""
        parts = f.var(f.constant(0.0, f.lanes.vector))
        with f.loop(f.lanes.vectors) as v:
            parts.value = parts.value + f.select(_real(f, v), 1.0, f.constant(0.0, f.lanes.vector))
        return _scalars(f, [parts.value], 1)[0]

    def _merge(self, r: Reduction) -> None:
        """N, means and 1 / √(σ² + ε) of the whole batch; the first thread also moves the running statistics."""
        kind, norm = r.lanes.vector, self.norm
        with r.loop(self.row, 0, r.lanes.bytes) as i:
            ours = [r.var(r.constant(0.0, kind)) for _ in range(3)]
            with r.loop(r.threads) as t:
                theirs = [r.load(kind, r.elsewhere(t, self.mine, n * self.row, i)) for n in range(3)]
                merged = _merged(r, [each.value for each in ours], theirs)
                for each, value in zip(ours, merged, strict=True):
                    each.value = value
            count, mean, squares = (each.value for each in ours)
            spread = squares / count + norm.epsilon
            for n, value in enumerate((count, mean, 1.0 / r.intrinsic("sqrt", kind, spread))):
                r.store(value, self.all, n * self.row, i)
            with r.when(r.compare("eq", r.thread, 0)):
                for n, value in enumerate((mean, squares / (count - 1.0))):
                    place = r.address(r.running, 4 * norm.running + n * self.row, i)
                    old = r.load(kind, place)
                    r.store(r.fma(value - old, r.constant(norm.momentum, kind), old), place)

    def _channel(self, f: Kernel, c: Index) -> tuple[Value, Value]:
        """μ and γ / √(σ² + ε) in every lane."""
        mean = f.splat(f.load(F32, self.all, self.row, (c, 4)), f.lanes.width)
        return mean, f.splat(f.load(F32, self.all, 2 * self.row, (c, 4)), f.lanes.width) * self._parameter(
            f, self.norm.weight, c, 1.0
        )

    def _parameter(self, f: Kernel, number: int | None, c: Index, missing: float) -> Value:
        if number is None:
            return f.constant(missing, f.lanes.vector)
        return f.splat(f.load(F32, f["p"], 4 * number, (c, 4)), f.lanes.width)

    # -- backward ----------------------------------------------------------------------------------------------------

    def _sums(self, f: Kernel, x: Array, dy: Array) -> None:
        """Add the block's Σ dy and Σ dy·x̂; lanes without an image have dy = 0."""
        gradient = f.array(dy)
        for start, stop, size in chunks(self.norm.channels, TOGETHER // 2):
            with f.loop(stop, start, size) as c:
                centres = [f.splat(f.load(F32, self.all, self.row, (c, 4), 4 * n), f.lanes.width) for n in range(size)]
                both = [[f.var(f.constant(0.0, f.lanes.vector)) for _ in range(size)] for _ in range(2)]
                with f.loop(x.height) as i, f.loop(x.width) as j, f.loop(f.lanes.vectors) as v:
                    for n in range(size):
                        slope = gradient[c + n, i, j, v]
                        both[0][n].value = both[0][n].value + slope
                        centred = f.array(x)[c + n, i, j, v] - centres[n]
                        both[1][n].value = f.fma(slope, centred, both[1][n].value)
                for which, totals in enumerate(both):
                    parts = _scalars(f, [total.value for total in totals], size)
                    for n, part in enumerate(parts):
                        scaled = part * f.load(F32, self.all, 2 * self.row, (c, 4), 4 * n) if which else part
                        place = f.address(self.sums, which * self.row, (c, 4), 4 * n)
                        f.store(f.load(F32, place) + scaled, place)

    def _add(self, r: Reduction) -> None:
        """dβ/N and dγ/N of the whole batch; a thread's own part is its part of the gradients."""
        kind = r.lanes.vector
        with r.loop(self.row, 0, r.lanes.bytes) as i:
            for n in range(2):
                total = r.var(r.constant(0.0, kind))
                with r.loop(r.threads) as t:
                    total.value = total.value + r.load(kind, r.elsewhere(t, self.sums, n * self.row, i))
                r.store(total.value / r.load(kind, self.all, i), self.totals, n * self.row, i)
        if self.norm.gradients:
            with r.loop(self.norm.channels) as c:
                for n, number in self.norm.gradients.items():
                    r.store(r.load(F32, self.sums, n * self.row, (c, 4)), r["g"], 4 * number, (c, 4))

    def _input_gradient(self, f: Kernel, x: Here, dy: Here) -> None:
        """dx, and 0 in lanes without an image."""
        dx = self.site.dx[0]
        assert dx
        out, shape = f.array(dx.array), self.site.y
        with f.loop(self.norm.channels) as c:
            mean, factor = self._channel(f, c)
            spread = f.splat(f.load(F32, self.all, 2 * self.row, (c, 4)), f.lanes.width)
            first, second = (f.splat(f.load(F32, self.totals, n * self.row, (c, 4)), f.lanes.width) for n in range(2))
            second = second * spread
            with f.loop(f.lanes.vectors) as v:
                real = _real(f, v)
                with f.loop(shape.height) as i, f.loop(shape.width) as j:
                    at = c, i, j, v
                    inner = f.fma(mean - x[at], second, dy[at] - first)
                    part = f.select(real, inner * factor, f.constant(0.0, inner.type))
                    dx.put(f, part, x.load(at), *out.terms(at))


def _real(f: Kernel, v: Index) -> Value:
    """Lane by lane: whether there is an image."""
    return f.compare("ogt", f.load(f.lanes.vector, f.weights, (v, f.lanes.bytes)), 0.0)


def _summed(f: Kernel, x: Array, c: Index, centres: list[Value], part: Callable[[Value], Value]) -> list[Value]:
    """For each channel from c on Σ part(x − its centre) over all positions, in the lanes that hold an image."""
    totals = [f.var(f.constant(0.0, f.lanes.vector)) for _ in centres]
    with f.loop(f.lanes.vectors) as v:
        sums = [f.var(f.constant(0.0, f.lanes.vector)) for _ in centres]
        with f.loop(x.height) as i, f.loop(x.width) as j:
            for n, (total, centre) in enumerate(zip(sums, centres, strict=True)):
                total.value = total.value + part(f.array(x)[c + n, i, j, v] - centre)
        real = _real(f, v)
        for total, some in zip(totals, sums, strict=True):
            total.value = total.value + f.select(real, some.value, f.constant(0.0, f.lanes.vector))
    return [total.value for total in totals]


def _scalars(f: Kernel, vectors: list[Value], count: int) -> list[Value]:
    """The sums over the lanes."""
    room = f.reserve(f.lanes.vector)
    f.store(lane_sums(f, vectors), room)
    return [f.load(F32, room, 4 * n) for n in range(count)]


def _merged(f: Kernel, ours: list[Value], theirs: list[Value]) -> list[Value]:
    """Count, mean and sum of squares about it, of two sets of numbers together; either may be empty."""
    (n, mean, squares), (m, other, more) = ours, theirs
    total = n + m
    part = m / f.select(f.compare("ogt", total, 0.0), total, f.constant(1.0, total.type))
    gap = other - mean
    return [total, f.fma(gap, part, mean), squares + f.fma(gap * gap, n * part, more)]


def _objection(module: nn.BatchNorm2d | nn.BatchNorm1d) -> str:
    if module.running_mean is None:
        return "it keeps no running statistics"
    return "its momentum is None" if module.momentum is None else ""


def _read(module: nn.BatchNorm2d | nn.BatchNorm1d, inputs: tuple[Form, ...], where: Where) -> Read:
    (form,) = inputs
    if isinstance(module, nn.BatchNorm2d):
        image_of(inputs)
    elif not form.flat:
        raise MisfitError("needs a flatten before it")
    shape = (form.count, 1, 1) if form.flat else form.shape
    column = None if shape == form.shape else (Concat(), shape)  # each number of a flat input is a channel
    channels = shape[0]
    if module.num_features != channels:
        raise MisfitError(f"takes {module.num_features} channels, but gets {channels}")
    if not where.training:
        return Read(Scale(where.name, channels, where.statistic), shape, before=column)
    weight, bias = (where.parameters.get(name) for name in ("weight", "bias"))
    momentum = module.momentum or 0.0
    norm = BatchNorm(where.name, weight, bias, where.statistic, channels, momentum, module.eps, where.frozen)
    return Read(norm, shape, before=column)


for kind in (nn.BatchNorm2d, nn.BatchNorm1d):
    objection.register(kind, _objection)
    read.register(kind, _read)
