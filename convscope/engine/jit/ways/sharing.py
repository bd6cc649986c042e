"""Which nodes' gradients are asked for, and which of them are one array.

The gradient of y = x₁ + x₂ + … is that of every x. It is not copied for an input that nothing else reads: both are one
array. Nor for one input that has a branch of its own, as in a residual block: what comes back through the branch is
added to the sum's gradient where it lies, once nobody else will read that. So one array follows the whole trunk of a
residual net.
"""

from collections.abc import Sequence

from ..ir.arrays import Lanes
from ..ir.function import Module
from .gradient import Gradient, Store
from .join import Add
from .layer import NONE
from .node import IMAGE, Node
from .norm.layer import BatchNorm


def gradients(nodes: Sequence[Node], module: Module, lanes: Lanes) -> list[Gradient | None]:
    """One for each node; None where nobody asks for it."""
    found = [
        Gradient(Store(module.room(0), node.output, lanes.pixel), node.act) if wanted else None
        for node, wanted in zip(nodes, _wanted(nodes), strict=True)
    ]
    for n in reversed(range(len(nodes))):
        own = found[n]
        for i in _heirs(nodes, n, found) if own else ():
            heir = found[i]
            if own and heir:
                heir.store, heir.given = own.store, True
    return found


def _wanted(nodes: Sequence[Node]) -> list[bool]:
    """Whether the gradient of what a node makes is asked for: it, or a node that it depends on, is trained."""
    wanted: list[bool] = []
    for node in nodes:
        wanted.append(bool(node.op.trained) or any(i != IMAGE and wanted[i] for i in node.inputs))
    return wanted


def _heirs(nodes: Sequence[Node], n: int, found: Sequence[Gradient | None]) -> list[int]:
    """The inputs of node ``n`` whose gradients are its own, if it is a sum."""
    own = found[n]
    others = [i for i, gradient in enumerate(found) if gradient and own and i != n and gradient.store is own.store]
    if not isinstance(nodes[n].op, Add) or any(_read_last(nodes, i) < n for i in others):
        return []
    readers = {i: [k for k, node in enumerate(nodes) for source in node.inputs if source == i] for i in nodes[n].inputs}
    alike = [i for i in readers if i != IMAGE and nodes[i].output == nodes[n].output]
    alone = [i for i in alike if readers[i] == [n] and nodes[i].act == NONE]
    # The readers before the sum write where those read: they must come after them, backward.
    end = min((_read_last(nodes, i) for i in alone), default=n)
    branched = [i for i in alike if len(readers[i]) > 1 and readers[i][-1] == n and readers[i][-2] < end]
    return alone + branched[:1]


def _read_last(nodes: Sequence[Node], i: int) -> int:
    """Which node reads the gradient of node ``i`` last, backward: the one before a normalisation may form its own."""
    return min(i, nodes[i].inputs[0]) if isinstance(nodes[i].op, BatchNorm) else i
