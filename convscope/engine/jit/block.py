"""What is done with one block of images: every node of the graph gets arrays and a way, and the ways write kernels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from ...recipe import LossName
from .ends import images, losses, one_image
from .graph import Graph
from .ir.arrays import NO_BORDER, Array, Lanes
from .ir.function import Module
from .ir.kernel import Header, Kernel
from .optimizers import Rule
from .ways import borders
from .ways.choose import way_of
from .ways.first.normed import NormedConv, norm_of
from .ways.layer import NONE
from .ways.node import IMAGE
from .ways.sharing import gradients
from .ways.way import Cut, Site, new_array

# Decisions an image (net note: 1,760) up to which they are taken as direct sums take them. Beyond, and where statistics
# of the batch carry every rounding into every number, losses part from those of PyTorch in any order of summation
# (docs/engine.md, "Ties").
COMPARED = 16_384


@dataclass(frozen=True)
class Learning:
    """What a program that trains needs besides the net: loss and optimizer."""

    loss: LossName
    rule: Rule
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    local_norm: bool = False  # batch norm takes the images of this process alone, not those of all


class Block:
    """The kernels of ``nodes`` for a block of ``lanes`` images, written into ``module``."""

    def __init__(self, nodes: Graph, lanes: Lanes, module: Module, header: Header, learning: Learning | None) -> None:
        self.nodes, self.lanes, self.module, self.header, self.learning = nodes, lanes, module, header, learning
        # A block's activations are needed until its backward pass, so that little could be won by sharing their rooms;
        # and one image is soon through.
        self.keeps_borders = learning is not None or lanes.count == 1
        self.image = self._array(IMAGE)
        self.values = [self._array(i) for i in range(len(nodes))]
        self.gradients = gradients(nodes, module, lanes) if learning else [None] * len(nodes)
        self.ways = [way_of(self._site(i)) for i in range(len(nodes))]

    def _array(self, i: int) -> Array:
        """Room for what node ``i`` makes, with the borders that its readers want."""
        shape = self.nodes[0].shapes[0] if i == IMAGE else self.nodes[i].output
        wanted = [node.op.border for node in self.nodes if i in node.inputs]
        top, left, bottom, right = (max(sides) for sides in zip(NO_BORDER, *wanted, strict=True))
        return new_array(self.module, self.lanes, shape, (top, left, bottom, right), self.keeps_borders)

    def _site(self, i: int) -> Site:
        node, later = self.nodes[i], self.nodes[i + 1 :]
        readers = [other for other in self.nodes for source in other.inputs if source == i]
        decided = any(n.decides for n in later) or (self.learning is not None and self.learning.loss == "mae")
        norms = [n for n, other in enumerate(self.nodes) if norm_of(other.op)]
        # The first convolution's cut comes before all that is computed twice.
        whole = not norms or (norms == [0] and isinstance(self.nodes[0].op, NormedConv))
        compared = self.learning is not None and not norms and decisions(self.nodes) <= COMPARED
        return Site(
            number=i,
            node=node,
            lanes=self.lanes,
            module=self.module,
            header=self.header,
            x=tuple(self.image if source == IMAGE else self.values[source] for source in node.inputs),
            y=self.values[i],
            dx=tuple(None if source == IMAGE else self.gradients[source] for source in node.inputs),
            dy=self.gradients[i],
            training=self.learning is not None,
            whole=whole,
            reader=readers[0] if len(readers) == 1 else None,
            exact=decided and compared,
            guarded=node.decides and compared,
        )

    def kernel(self, word: str) -> Kernel:
        """A kernel of no node."""
        return Kernel(self.module, word, None, self.lanes, self.header)

    def weights(self) -> list[Kernel]:
        """What a step does with the weights before the first block."""
        return [kernel for way in self.ways for kernel in way.weights()]

    def forward(self, scale: Sequence[float] | None, shift: Sequence[float]) -> Iterator[Kernel | Cut]:
        """What is done with a block, from its images to its scores."""
        f = self.kernel("gather")
        (one_image if self.lanes.count == 1 else images).forward(f, scale, shift, self.image)
        yield f
        yield from self._border(self.image, None)
        for way in self.ways:
            yield from way.forward()
            yield from self._border(way.site.y, way.site.number)

    def _border(self, array: Array, node: int | None) -> Iterator[Kernel]:
        """Zeros around an array whose room others use, too."""
        if any(array.border) and not array.room.keep:
            f = Kernel(self.module, "border", node, self.lanes, self.header)
            borders.clear(f, array)
            yield f

    def backward(self, learning: Learning) -> Iterator[Kernel | Cut]:
        """What is done with a block after that, from its scores to its part of the gradients."""
        f, z, dz = self.kernel("loss"), self.values[-1], self.gradients[-1]
        assert dz
        losses.forward_and_gradient(f, learning.loss, z, dz.array, learning.label_smoothing)
        if dz.act != NONE:
            known, out = f.array(z), f.array(dz.array)
            with f.each(z) as at:
                dz.put(f, out[at], known.load(at), *out.terms(at))
        yield f
        for way in reversed(self.ways):
            if way.site.dy:
                yield from way.backward()
                for gradient in way.site.dx:  # a sum's own is given, and nothing has been added
                    if gradient and gradient.store is not way.site.dy.store:
                        gradient.begin()

    def finish(self) -> list[Kernel]:
        """What a step does after the last block."""
        return [kernel for way in self.ways if way.site.dy for kernel in way.finish()]


def decisions(nodes: Graph) -> int:
    """Of how many numbers of an image a gradient depends on which of two is larger."""
    return sum(prod(node.output) for node in nodes if node.decides)
