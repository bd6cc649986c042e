"""Where branches meet: sums, and channels behind each other.

add      y = x₁ + x₂ + … (+ a constant)       every dx is dy
concat   y = the channels of x₁, then x₂, …   every dx is its part of dy
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from typing_extensions import override

from ....net import joins
from ..ir.arrays import Shape
from ..ir.kernel import At, Kernel
from .layer import Form, MisfitError, Op, Read, Where, objection, read
from .way import Site, Way


@dataclass(frozen=True)
class Add(Op):
    """The sum of all inputs."""

    constant: float = 0.0


class Concat(Op):
    """All channels of the inputs, or all their numbers where they are flat."""


class Sum(Way):
    """One pass over all of them."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(Σ x)."""
        f, site = self.site.kernel("forward"), self.site
        assert isinstance(site.node.op, Add)
        with f.each(site.y) as at:
            first, *others = (f.array(x)[_place(f, site.y.shape, x.shape, at)] for x in site.x)
            for other in others:
                first = first + other
            if site.node.op.constant:
                first = first + site.node.op.constant
            f.array(site.y)[at] = site.node.act.apply(f, first)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """Every dx gets dy, where it is not the same array."""
        site = self.site
        assert site.dy
        copies = [(x, dx) for x, dx in zip(site.x, site.dx, strict=True) if dx and dx.store is not site.dy.store]
        if not copies:
            return
        f = site.kernel("input_gradient")
        with f.each(site.y) as at:
            dy = f.array(self.dy)[at]
            for x, dx in copies:
                here = _place(f, site.y.shape, x.shape, at)
                dx.put(f, dy, f.array(x).load(here), *f.array(dx.array).terms(here))
                dx.begin()  # the next input may be the same
        yield f


class Copies(Way):
    """A copy of every input."""

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel]:
        """y = a(x₁), a(x₂), …."""
        f, site, first = self.site.kernel("forward"), self.site, 0
        for x in site.x:
            with f.each(x) as at:
                f.array(site.y)[self._place(f, first, x.shape, at)] = site.node.act.apply(f, f.array(x)[at])
            first += self._channels(x.shape)
        yield f

    def backward(self) -> Iterator[Kernel]:
        """Every dx gets its part of dy."""
        f, site, first = self.site.kernel("input_gradient"), self.site, 0
        for x, dx in zip(site.x, site.dx, strict=True):
            if dx:
                with f.each(x) as at:
                    part = f.array(self.dy)[self._place(f, first, x.shape, at)]
                    dx.put(f, part, f.array(x).load(at), *f.array(dx.array).terms(at))
                dx.begin()  # the next input may be the same
            first += self._channels(x.shape)
        yield f

    def _channels(self, shape: Shape) -> int:
        """How many of y's channels an input takes."""
        return prod(shape) // (self.site.y.height * self.site.y.width)

    def _place(self, f: Kernel, first: int, shape: Shape, at: At) -> At:
        """Where ``at`` of an input stands in y, whose channel ``first`` is the input's first."""
        _, height, width = self.site.y.shape
        c, y, x, v = _place(f, shape, (self._channels(shape), height, width), at)
        return c + first, y, x, v


def _place(f: Kernel, source: Shape, target: Shape, at: At) -> At:
    """Where ``at`` of an array of shape ``source`` stands in one of as many numbers of shape ``target``."""
    if source == target:
        return at
    (c, y, x, v), (_, height, width), (_, rows, columns) = at, source, target
    number = (f.integer(c) * height + f.integer(y)) * width + f.integer(x)
    row = number // columns
    channel = row // rows
    return channel, row - channel * rows, number - row * columns, v


@objection.register
def _(_module: joins.Add) -> str:
    return ""


@objection.register
def _(module: joins.Concat) -> str:
    return "" if module.dim in (1, -3) else f"it joins along dimension {module.dim}"


@read.register
def _(module: joins.Add, inputs: tuple[Form, ...], _where: Where) -> Read:
    first, *others = inputs
    for other in others:
        alike = other.count == first.count if first.flat else other.shape == first.shape
        if other.flat != first.flat or not alike:
            raise MisfitError(f"adds {first.text} and {other.text}")
    return Read(Add(module.constant or 0.0), first.shape)


@read.register
def _(_module: joins.Concat, inputs: tuple[Form, ...], _where: Where) -> Read:
    first, *others = inputs
    if any(form.flat != first.flat or (not first.flat and form.shape[1:] != first.shape[1:]) for form in others):
        raise MisfitError(f"joins the channels of {', '.join(form.text for form in inputs)}")
    if first.flat:
        return Read(Concat(), (sum(form.count for form in inputs), 1, 1))
    return Read(Concat(), (sum(form.shape[0] for form in inputs), *first.shape[1:]))
