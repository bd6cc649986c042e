"""Which nodes' gradients are asked for, and which of them are one array.

The gradient of y = x₁ + x₂ + … is that of every x. It is not copied for an input that has no activation of its own and
that nothing else reads: both are one array. Nor for one input that is read by nodes before the sum, too, as in a
residual block: what comes back through them is added to the sum's gradient where it lies. The backward pass comes to
those nodes last; whatever else reads the array must be done by then. So one array follows the trunk of a residual net.
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
        for i in _heirs(nodes, n, found):
            giver, heir = found[n], found[i]
            assert giver
            assert heir
            heir.store, heir.given = giver.store, True
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
    if not own or not isinstance(nodes[n].op, Add):
        return []
    others = [i for i, gradient in enumerate(found) if gradient and i != n and gradient.store is own.store]
    if any(_read_last(nodes, i) < n for i in others):  # an input of a sum that is an input of a sum itself
        return []
    readers = {i: [k for k, node in enumerate(nodes) for source in node.inputs if source == i] for i in nodes[n].inputs}
    alike = [i for i in readers if i != IMAGE and found[i] and nodes[i].output == nodes[n].output]
    alone = [i for i in alike if readers[i] == [n] and nodes[i].act == NONE]
    end = min((_read_last(nodes, i) for i in alone), default=n)
    branched = [i for i in alike if len(readers[i]) > 1 and readers[i][-1] == n and readers[i][-2] < end]
    return alone + branched[:1]


def _read_last(nodes: Sequence[Node], i: int) -> int:
    """Which node reads the gradient of node ``i`` last, backward: the one before a normalisation may form its own."""
    return min(i, nodes[i].inputs[0]) if isinstance(nodes[i].op, BatchNorm) else i
