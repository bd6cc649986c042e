"""Which number of a max pool's window won, where the pool is part of another node: a bit a lane and comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ...ir.arrays import Index, Lanes, Pair, Room, Shape
from ...ir.function import Function, Module
from ...ir.kernel import Kernel
from ...ir.values import I1, I16, Term, Value, vector, width


@dataclass(frozen=True)
class Masks:
    """The bits of a fused max pool: for every pooled pixel and vector, ``bits`` words of one bit a lane."""

    room: Room
    height: int
    width: int
    vectors: int
    bits: int

    @property
    def each(self) -> int:
        """Bytes of the words of one vector."""
        return 2 * self.bits

    @property
    def pixel(self) -> int:
        """Bytes from one pooled pixel to the next."""
        return self.vectors * self.each

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return self.width * self.pixel

    @property
    def channel(self) -> int:
        """Bytes from one channel to the next."""
        return self.height * self.row

    def at(self, c: Index, y: Index, x: Index, v: Index) -> list[Term]:
        """The terms of the address of pooled pixel (c, y, x), vector v."""
        return [(c, self.channel), (y, self.row), (x, self.pixel), (v, self.each)]


def new_masks(module: Module, lanes: Lanes, output: Shape, window: Pair) -> Masks:
    """Room for the bits of a pool with this ``output`` (C, H, W)."""
    channels, height, across = output
    masks = Masks(module.room(0), height, across, lanes.vectors, prod(window) - 1)
    masks.room.size = channels * masks.channel
    return masks


def largest(f: Function, window: Sequence[Value], words: Value | None = None) -> Value:
    """The maximum of a pooling window, the first one as PyTorch chooses it; not-a-number wins, as there.

    At ``words``, where that is given, each comparison leaves one bit a lane: whether the later number won.
    """
    best = window[0]
    for n, other in enumerate(window[1:]):
        larger = f.compare("ogt", other, best)
        best = f.select(larger, other, best)
        if words:
            lanes = width(larger.type)
            word = f.bits(larger, f"i{lanes}")
            f.store(word if lanes == 16 else f.convert("zext", word, I16), words, 2 * n)
    for first, second in zip(window[::2], [*window[1::2], window[-1]], strict=False):
        best = f.select(f.compare("uno", first, second), first + second, best)
    return best


def shares(f: Kernel, gradient: Value, words: Value, count: int) -> list[Value]:
    """What each of the ``count`` numbers of a pooling window gets of its gradient: the maximum all of it."""
    zero = f.constant(0.0, f.lanes.vector)
    found = []
    for place in reversed(range(1, count)):  # the last comparison that was won tells the place
        won = _won(f, words, place)
        found.append(f.select(won, gradient, zero))
        gradient = f.select(won, zero, gradient)
    return [gradient, *reversed(found)]


def chosen(f: Kernel, window: Sequence[Value], words: Value) -> Value:
    """The one of some numbers whose place in the window won."""
    best = window[0]
    for place, other in enumerate(window[1:], 1):
        best = f.select(_won(f, words, place), other, best)
    return best


def _won(f: Kernel, words: Value, place: int) -> Value:
    """Lane by lane: whether the number at ``place`` was larger than all before it."""
    word, lanes = f.load(I16, words, 2 * (place - 1)), f.lanes.width
    word = word if lanes == 16 else f.convert("trunc", word, f"i{lanes}")
    return f.bits(word, vector(lanes, I1))
