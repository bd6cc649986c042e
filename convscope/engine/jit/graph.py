"""A torch net becomes a graph: the nodes that a program computes, in forward order.

A chain (``torch.nn.Sequential``) is the special case in which every node reads the one before. What is computed along
with the node before does not become one: fusions.py.
"""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from ...errors import UsageError
from ...net.graph import parts
from ...net.ops import shape_text
from ...net.wiring import IMAGE as IMAGE_NAME
from .fusions import fuse
from .ir.arrays import Shape, padded
from .layout import Layout
from .ways.layer import NONE, Form, Identity, MisfitError, read
from .ways.node import IMAGE, Node

Graph = tuple[Node, ...]


@dataclass(frozen=True)
class _Value:
    """What a layer of the net makes: the node that stores it, and whether anything else reads that node."""

    node: int
    form: Form
    shared: bool


def graph(net: nn.Sequential, image: Shape, training: bool) -> Graph:
    """``nodes_of`` a net that is to be compiled. Raises UsageError where it does not fit."""
    try:
        return nodes_of(net, image, training)
    except MisfitError as error:
        raise UsageError(f"the net does not fit images of {shape_text(image)}: {error}") from None


def nodes_of(net: nn.Sequential, image: Shape, training: bool) -> Graph:
    """The nodes of a net whose layers are all covered, for images (C, H, W).

    Parameters are numbered as layout.py has it. Statistics are numbered from 0 where the net is
    trained; where it is used, they become parameters, behind the others. Raises MisfitError that names the layer.
    """
    layers = parts(net)
    readers = Counter(source for part in layers for source in part.inputs)
    made = {IMAGE_NAME: _Value(IMAGE, Form(image), shared=True)}
    nodes: list[Node] = []
    layout = Layout(net, training)
    statistic, draws = 0 if training else padded(layout.count), 0
    for name, module, sources in ((part.name, part.module, part.inputs) for part in layers):
        inputs = tuple(made[source] for source in sources)
        forms = tuple(value.form for value in inputs)
        try:
            found = read(module, forms, layout.where(name, module, statistic, draws))
        except MisfitError as error:
            raise MisfitError(f"{name} {error}") from None
        statistic += statistics(module)
        draws += isinstance(module, nn.Dropout | nn.Dropout2d)
        flat = all(form.flat for form in forms) if found.flat is None else found.flat
        if type(found.op) is Identity and found.act == NONE:  # nothing is done: what it reads stands for it
            made[name] = _Value(inputs[0].node, Form(found.output, flat), inputs[0].shared or readers[name] > 1)
            continue
        if found.before:
            op, shape = found.before
            nodes.append(Node(op, (inputs[0].node,), (forms[0].shape,), shape))
            forms = (Form(shape, forms[0].flat),)
            inputs = (_Value(len(nodes) - 1, forms[0], shared=False),)
        node = Node(found.op, tuple(v.node for v in inputs), tuple(f.shape for f in forms), found.output, found.act)
        before = None if inputs[0].shared or len(inputs) > 1 else nodes[inputs[0].node]
        together = before and fuse(before, node)
        if together:
            nodes[inputs[0].node] = together
            place = inputs[0].node
        else:
            place = len(nodes)
            nodes.append(node)
        made[name] = _Value(place, Form(found.output, flat), readers[name] > 1)
    return tuple(nodes)


def statistics(module: nn.Module) -> int:
    """Room for a layer's running means and variances, counted in numbers; 0 where it has none."""
    return 2 * padded(module.num_features) if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) else 0


def parameter_count(nodes: Graph) -> int:
    """How many numbers the net's trained parameters are."""
    return sum(node.op.trained for node in nodes)
