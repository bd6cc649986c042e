"""Batch normalisation (Ioffe and Szegedy 2015), over all images of the batch and all positions: N numbers a channel.

    μ = Σ x / N    σ² = Σ (x − μ)² / N    x̂ = (x − μ) / √(σ² + ε)    y = γ x̂ + β
    dβ = Σ dy      dγ = Σ dy·x̂            dx = γ / √(σ² + ε) · (dy − dβ/N − x̂·dγ/N)

A block knows its own images only. So each direction is cut in two: every thread sums over its blocks; all meet; then
each adds up what all threads have, in their order, so that runs are bit-identical for equal threads, and takes its
blocks up again.

A max pool that follows is part of the node: only the largest number of a window is stored, with bits that say which it
was, and its x, so that the sums of the backward pass need not look at the others. dx is not stored either, where the
node before reads each of its numbers once: it then forms them where it needs them (``Gradient.former``).

Where a net is only used, y = s x + t with what training has left: scale.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

from typing_extensions import override

from ...ir.arrays import Array, Index, Pair, Room, chunks, padded
from ...ir.kernel import Kernel, Reduction
from ...ir.values import F32, Value
from ..gradient import Place, Slopes
from ..way import Cut, Site, Way
from ..windows.winners import chosen, largest, new_masks, shares
from .layer import BatchNorm
from .statistics import TOGETHER, merged, of_block, real, scalars


@dataclass(frozen=True)
class _Terms:
    """dx = factor·dy + first + (x − mean)·second, of a channel and a vector."""

    mean: Value
    factor: Value
    first: Value
    second: Value


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
        self.slopes = site.module.room(3 * self.row)  # the factors of dy, 1 and x − μ in dx
        pool = self.norm.pool
        self.masks = new_masks(site.module, site.lanes, site.node.output, pool) if pool else None
        self.taken = site.array(site.node.output) if pool else site.x[0]  # x of the numbers that y was made of

    @classmethod
    @override
    def cost(cls, site: Site) -> float:
        return 0.0

    def forward(self) -> Iterator[Kernel | Cut]:
        """Means and squares; merged; y."""
        f = self.site.kernel("statistics")
        self._statistics(f)
        yield f
        r = self.site.reduction("merge")
        self._merge(r)
        yield Cut((r,))
        f = self.site.kernel("forward")
        self._forward(f)
        if not self.norm.pool:
            self.again = f  # x is needed for the backward pass anyway
        yield f

    def backward(self) -> Iterator[Kernel | Cut]:
        """Sums of dy and dy·x̂; added up; dx."""
        f = self.site.kernel("sums")
        self._sums(f, self.taken, self.dy)
        yield f
        r = self.site.reduction("add")
        self._add(r)
        yield Cut((r,))
        dx = self.site.dx[0]
        if dx and dx.on_demand:
            dx.former = self._former
        elif dx:
            f = self.site.kernel("input_gradient")
            self._input_gradient(f)
            yield f

    # -- forward -----------------------------------------------------------------------------------------------------

    def _statistics(self, f: Kernel) -> None:
        """Means and squares of the block's images, merged with those of the thread's blocks before."""
        count = of_block(f, self.site.x[0], self.block, self.row)
        with f.loop(self.row, 0, f.lanes.bytes) as i:
            theirs = [f.splat(count, f.lanes.width)]
            theirs += [f.load(f.lanes.vector, self.block, n * self.row, i) for n in range(2)]
            ours = [f.load(f.lanes.vector, self.mine, n * self.row, i) for n in range(3)]
            for n, value in enumerate(merged(f, ours, theirs)):
                f.store(value, self.mine, n * self.row, i)

    def _merge(self, r: Reduction) -> None:
        """N, means and 1 / √(σ² + ε) of the whole batch; the first thread also moves the running statistics."""
        kind, norm = r.lanes.vector, self.norm
        with r.loop(self.row, 0, r.lanes.bytes) as i:
            ours = [r.var(r.constant(0.0, kind)) for _ in range(3)]
            with r.loop(r.threads) as t:
                theirs = [r.load(kind, r.elsewhere(t, self.mine, n * self.row, i)) for n in range(3)]
                both = merged(r, [each.value for each in ours], theirs)
                for each, value in zip(ours, both, strict=True):
                    each.value = value
            count, mean, squares = (each.value for each in ours)
            spread = squares / count + norm.epsilon
            for n, value in enumerate((count, mean, 1.0 / r.intrinsic("sqrt", kind, spread))):
                r.store(value, self.all, n * self.row, i)
            some = r.compare("ogt", r.load(F32, self.all), 0.0)  # none: statistics of a process that has no image
            with r.when(r.compare("eq", r.thread, 0) & some):
                for n, value in enumerate((mean, squares / (count - 1.0))):
                    place = r.address(r.running, 4 * norm.running + n * self.row, i)
                    old = r.load(kind, place)
                    r.store(r.fma(value - old, r.constant(norm.momentum, kind), old), place)

    def _forward(self, f: Kernel) -> None:
        """y = a(pool(γ x̂ + β)). x comes from main memory: where rows are read together, the next are asked for."""
        x, y, norm, (ph, pw) = self.site.x[0], self.site.y, self.norm, self.norm.window
        with f.loop(norm.channels) as c:
            mean = self._every(f, self.all, 1, c)
            factor = self._every(f, self.all, 2, c) * self._parameter(f, norm.weight, c, 1.0)
            shift = self._parameter(f, norm.bias, c, 0.0)
            with f.loop(y.height) as i, f.loop(y.width) as j, f.loop(f.lanes.vectors) as v:
                here = self._window(f, x, c, i, j, v)
                if norm.pool:
                    for k, m in product(range(ph), range(pw)):
                        f.prefetch(here, (k + ph) * x.row + m * x.pixel)
                given = [f.load(f.lanes.vector, here, k * x.row + m * x.pixel) for k in range(ph) for m in range(pw)]
                window = [f.fma(value - mean, factor, shift) for value in given]
                words = f.address(self.masks.room, *self.masks.at(c, i, j, v)) if self.masks else None
                f.array(y)[c, i, j, v] = self.site.node.act.apply(f, largest(f, window, words))
                if words:
                    f.array(self.taken)[c, i, j, v] = chosen(f, given, words)

    def _window(self, f: Kernel, x: Array, c: Index, i: Index, j: Index, v: Index) -> Value:
        """The address of the first number of window (i, j)."""
        (ph, pw), lanes = self.norm.window, f.lanes
        return f.address(x.room, *x.at(c, 0, 0), (i, ph * x.row), (j, pw * x.pixel), (v, lanes.bytes))

    def _every(self, f: Kernel, room: Room, row: int, c: Index) -> Value:
        """A channel's number in every lane."""
        return f.splat(f.load(F32, room, row * self.row, (c, 4)), f.lanes.width)

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
                    parts = scalars(f, [total.value for total in totals], size)
                    for n, part in enumerate(parts):
                        scaled = part * f.load(F32, self.all, 2 * self.row, (c, 4), 4 * n) if which else part
                        place = f.address(self.sums, which * self.row, (c, 4), 4 * n)
                        f.store(f.load(F32, place) + scaled, place)

    def _add(self, r: Reduction) -> None:
        """dβ and dγ of the whole batch become the factors in dx; a thread's own part is its part of the gradients."""
        with r.loop(self.norm.channels) as c:
            means = []
            for n in range(2):
                total = r.var(r.constant(0.0, F32))
                with r.loop(r.threads) as t:
                    total.value = total.value + r.load(F32, r.elsewhere(t, self.sums, n * self.row, (c, 4)))
                means.append(total.value / r.load(F32, self.all, (c, 4)))
            spread = r.load(F32, self.all, 2 * self.row, (c, 4))
            weight = self.norm.weight
            factor = spread if weight is None else spread * r.load(F32, r["p"], 4 * weight, (c, 4))
            below = factor * -1.0
            for n, value in enumerate((factor, below * means[0], below * spread * means[1])):
                r.store(value, self.slopes, n * self.row, (c, 4))
            for n, number in self.norm.gradients.items():
                r.store(r.load(F32, self.sums, n * self.row, (c, 4)), r["g"], 4 * number, (c, 4))

    def _input_gradient(self, f: Kernel) -> None:
        """dx, and 0 in lanes without an image."""
        dx, x, dy = self.site.dx[0], self.site.x[0], self.dy
        assert dx
        out = dx.array
        with f.loop(self.norm.channels) as c, f.loop(f.lanes.vectors) as v:
            terms = self._terms(f, c, v)
            with f.loop(dy.height) as i, f.loop(dy.width) as j:
                here, target = self._window(f, x, c, i, j, v), self._window(f, out, c, i, j, v)
                there = f.address(dy.room, *dy.at(c, i, j), (v, f.lanes.bytes))
                words = f.address(self.masks.room, *self.masks.at(c, i, j, v)) if self.masks else None
                for (k, m), part in self._formed(f, terms, here, there, words, (1, 1)).items():
                    known = partial(f.load, f.lanes.vector, here, k * x.row + m * x.pixel)
                    dx.put(f, part, known, target, k * out.row + m * out.pixel)

    def _terms(self, f: Kernel, c: Index, v: Index) -> _Terms:
        """In lanes without an image all of dx is 0."""
        factor, *others = (self._every(f, self.slopes, n, c) for n in range(3))
        here, zero = real(f, v), f.constant(0.0, f.lanes.vector)
        first, second = (f.select(here, value, zero) for value in others)
        return _Terms(self._every(f, self.all, 1, c), factor, first, second)

    def _formed(
        self, f: Kernel, terms: _Terms, here: Value, there: Value, words: Value | None, size: Pair
    ) -> dict[Pair, Value]:
        """dx by row and column; ``here`` in x, ``there`` in dy the first of ``size`` windows."""
        x, dy, (ph, pw), found = self.site.x[0], self.dy, self.norm.window, {}
        for i, j in product(range(size[0]), range(size[1])):
            parts = [f.load(f.lanes.vector, there, i * dy.row + j * dy.pixel)]
            if self.masks and words:
                bits = f.address(words, i * self.masks.row + j * self.masks.pixel)
                parts = shares(f, parts[0], bits, ph * pw)
            for n, slope in enumerate(parts):
                k, m = i * ph + n // pw, j * pw + n % pw
                centred = f.load(f.lanes.vector, here, k * x.row + m * x.pixel) - terms.mean
                found[k, m] = f.fma(slope, terms.factor, f.fma(centred, terms.second, terms.first))
        return found

    def _former(self, f: Kernel, place: Place, size: Pair) -> Slopes:
        """dx of a channel's tile of ``size``, formed where it is asked for.

        A tile is some lines here and some there, which no CPU foresees: those of the next channel are asked for ahead.
        """
        x, dy, masks, window, lanes = self.site.x[0], self.dy, self.masks, self.norm.window, f.lanes
        in_x, in_dy = place(x.row, x.pixel, (1, 1)), place(dy.row, dy.pixel, window)
        in_masks = place(masks.row, masks.pixel, window) if masks else None
        windows = size[0] // window[0], size[1] // window[1]

        def slopes(c: Index, tile: Index, v: Index) -> Callable[[Index, Index], Value]:
            here = f.address(x.room, x.origin, (c, x.channel), in_x(tile), (v, lanes.bytes))
            there = f.address(dy.room, dy.origin, (c, dy.channel), in_dy(tile), (v, lanes.bytes))
            words = None
            if masks and in_masks:
                words = f.address(masks.room, (c, masks.channel), in_masks(tile), (v, masks.each))
            for corner, array, (rows, columns) in ((here, x, size), (there, dy, windows)):
                for i, j in product(range(rows), range(columns)):
                    f.prefetch(corner, array.channel + i * array.row + j * array.pixel)
            found = self._formed(f, self._terms(f, c, v), here, there, words, windows)
            return lambda i, j: found[i, j]  # type: ignore[index]

        return slopes
