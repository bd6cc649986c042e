"""A way computes one node of the graph. It says where it fits and what it costs; the cheapest one is taken."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..ir.arrays import NO_BORDER, Array, Border, Lanes, Room, Shape
from ..ir.function import Module
from ..ir.kernel import Header, Kernel, Reduction
from .gradient import Gradient
from .node import Node


@dataclass
class Site:
    """A node where it stands in a program: the arrays that it works on, and what its way must know of the others."""

    number: int
    node: Node
    lanes: Lanes
    module: Module
    header: Header
    x: tuple[Array, ...]
    y: Array
    dx: tuple[Gradient | None, ...]  # None: nobody asks for it
    dy: Gradient | None
    training: bool
    whole: bool  # the forward and the backward pass of a block are parts of one phase
    reader: Node | None  # the only one that reads y
    exact: bool  # a later node decides by what this one computes, so that its roundings count
    guarded: bool  # it decides itself, and a decision is to be the one of direct sums
    own: tuple[Room, Room] | None = None  # its parameters and their gradients lie here, not among the net's

    def kernel(self, word: str) -> Kernel:
        """A new kernel for this node."""
        f = Kernel(self.module, word, self.number, self.lanes, self.header)
        if self.own:
            for name, room in zip("pg", self.own, strict=True):
                f.parameters[name] = f.address(room)
        return f

    def reduction(self, word: str) -> Reduction:
        """What every thread does for this node once all have met."""
        return Reduction(self.module, word, self.number, self.lanes, self.header)

    def array(self, shape: Shape, border: Border = NO_BORDER) -> Array:
        """A new array for as long as it is used."""
        return new_array(self.module, self.lanes, shape, border)


def new_array(module: Module, lanes: Lanes, shape: Shape, border: Border = NO_BORDER, keep: bool = False) -> Array:
    """An array in a room of its own. ``keep``: if it has a border, nobody else may use the room, so it stays zero."""
    room = module.room(0, keep and any(border))
    array = Array(room, *shape, lanes.pixel, border)
    room.size = array.size
    return array


@dataclass(frozen=True)
class Cut:
    """Here all threads meet, once each has got so far with all of its blocks; then each runs ``kernels``, once."""

    kernels: tuple[Kernel, ...]


class Way:
    """One way to compute one node. Each method writes kernels; what a way keeps between them are rooms of its own."""

    def __init__(self, site: Site) -> None:
        self.site, self.lanes = site, site.lanes
        self.again: Kernel | None = None  # makes the node's result once more, where keeping it would cost more

    @classmethod
    def cost(cls, site: Site) -> float:
        """In multiply-adds of a block; infinite where it does not fit."""
        raise NotImplementedError

    def weights(self) -> Iterator[Kernel]:
        """What is done once a step before the first block."""
        yield from ()

    @property
    def dy(self) -> Array:
        """The gradient of what it stores, before the node's activation; of a backward pass."""
        assert self.site.dy
        return self.site.dy.array

    def forward(self) -> Iterator[Kernel | Cut]:
        """From the node's inputs to its output."""
        raise NotImplementedError

    def backward(self) -> Iterator[Kernel | Cut]:
        """From the output's gradient to those of inputs and parameters."""
        raise NotImplementedError

    def finish(self) -> Iterator[Kernel]:
        """What is done once a step after the last block."""
        yield from ()
