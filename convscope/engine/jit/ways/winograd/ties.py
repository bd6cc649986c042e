"""Winograd's forward pass for training: what comes close to a tie is computed once more, directly.

A forward pass decides which number of a window wins the pool, and which ones a ReLU lets pass. Gradients follow these
decisions, and one of them taken otherwise shows a hundred updates later, in the third digit of the losses. Winograd's
rounding errors are ten times those of direct sums: left alone, they would take ten times as many decisions otherwise
than PyTorch does. So a window whose numbers differ by less than NEAR of the largest number of its tile, or lie that
close to the zero of a ReLU, gets the sums of direct/forward.py instead: on MNIST that is one vector of windows in 600.

The small errors of all the other windows live on. So a node is computed this way only where no later one decides.
"""

from ...ir.arrays import Array, Index, chunks
from ...ir.kernel import Kernel
from ...ir.values import F32, Value
from ..direct.forward import RegisterTile
from ..layer import Activation
from ..windows.winners import Masks, largest
from .forward import multiply_channels, summed, transform_inputs
from .tiling import Row, Tiles, both
from .toom_cook import transposed

NEAR = 2.0**-16  # 20 times Winograd's rms error, and more than the largest of 655,000 (4×4 tiles, 5×5, 10 channels)


def forward(f: Kernel, t: Tiles, act: Activation, x: Array, y: Array, masks: Masks | None) -> None:
    """y = a(pool(conv(x))), and what the pool's backward pass needs to know."""
    evaluate = transposed(t.down.evaluate), transposed(t.along.evaluate)
    products = summed(f, t)
    decided = _Decided(f, t, act, x, y, masks)
    for start, stop, size in chunks(t.count, t.group):
        with f.loop(stop, start, size) as first:
            transform_inputs(f, t, x, first, size)
            multiply_channels(f, t, size, forward=True)
            with f.loop(t.conv.outputs) as o, f.loop(size) as n, f.loop(f.lanes.vectors) as v:
                decided.store(both(f, *evaluate, products(o, n, v)), o, first + n, v)


class _Decided:
    """Where outputs of a tile wait for pool and activation."""

    def __init__(self, f: Kernel, t: Tiles, act: Activation, x: Array, y: Array, masks: Masks | None) -> None:
        self.f, self.lanes, self.t, self.act, self.x, self.masks = f, f.lanes, t, act, x, masks
        self.y, lanes = f.array(y), f.lanes
        self.pool = t.conv.window
        self.places = [(i, j) for i in range(self.pool[0]) for j in range(self.pool[1])]
        self.row = t.along.outputs * lanes.bytes  # bytes of the room, from one row of outputs to the next
        self.room = f.reserve(lanes.vector, t.down.outputs * t.along.outputs)
        self.corner = [t.place(f, *steps, self.pool) for steps in ((1, 0), (0, 1))]

    def store(self, outputs: Row, o: Index, tile: Index, v: Index) -> None:
        """Store pool and activation of a tile's ``outputs``, which have no bias yet."""
        f, lanes, (ph, pw) = self.f, self.lanes, self.pool
        near = self._keep(outputs, o) * NEAR
        top, left = (place(tile) for place in self.corner)
        with f.loop(self.t.down.outputs // ph) as i, f.loop(self.t.along.outputs // pw) as j:
            window = f.address(self.room, (i, ph * self.row), (j, pw * lanes.bytes))
            row, column = top + i, left + j
            with f.when(self._any(self._ties(self._load(window), near))):
                direct = RegisterTile(f, self.t.conv, 0, o, 1, row, column, v, 1).sums(self.x, self.places)
                for (k, m), value in zip(self.places, direct[0], strict=True):
                    f.store(value, window, k * self.row + m * lanes.bytes)
            words = f.address(self.masks.room, *self.masks.at(o, row, column, v)) if self.masks else None
            self.y[o, row, column, v] = self.act.apply(f, largest(f, self._load(window), words))

    def _keep(self, outputs: Row, o: Index) -> Value:
        """Put the outputs with their bias into the room; the largest absolute one, lane by lane."""
        f, lanes, conv = self.f, self.lanes, self.t.conv
        bias = None if conv.bias is None else f.splat(f.load(F32, f["p"], 4 * conv.bias, (o, 4)), lanes.width)
        sizes = []
        for i in range(self.t.down.outputs):
            for j, value in enumerate(outputs(i)):
                whole = value if bias is None else value + bias
                f.store(whole, self.room, i * self.row + j * lanes.bytes)
                sizes.append(f.intrinsic("fabs", whole.type, whole))
        largest_size = sizes[0]
        for size in sizes[1:]:
            largest_size = f.select(f.compare("ogt", size, largest_size), size, largest_size)
        return largest_size

    def _load(self, window: Value) -> list[Value]:
        return [self.f.load(self.lanes.vector, window, k * self.row + m * self.lanes.bytes) for k, m in self.places]

    def _ties(self, window: list[Value], near: Value) -> Value:
        """Lane by lane: whether one of the comparisons in ``largest``, or a kink of the activation, is close."""
        f, best, gaps = self.f, window[0], []
        for other in window[1:]:
            gaps.append(other - best)
            best = f.select(f.compare("ogt", other, best), other, best)
        gaps += [best - kink if kink else best for kink in self.act.kinks]
        closest, *others = (f.intrinsic("fabs", gap.type, gap) for gap in gaps)
        for gap in others:
            closest = f.select(f.compare("olt", gap, closest), gap, closest)
        ties = f.compare("olt", closest, near)
        return ties & f.compare("ogt", best, 0.0 - near) if self.act.flat_below else ties

    def _any(self, lanes: Value) -> Value:
        return self.f.compare("ne", self.f.bits(lanes, f"i{self.lanes.width}"), 0)
