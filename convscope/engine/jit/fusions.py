"""What is computed along with the node before: a table of small rules, each (before, node) → one node, or None."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

from .ways.activation import Relu
from .ways.conv import Conv
from .ways.first.normed import NormedConv, norm_of, pays
from .ways.layer import NONE, Identity
from .ways.node import IMAGE, Node
from .ways.norm.layer import BatchNorm
from .ways.scale import Scale
from .ways.windows.pool import Pool

FUSED = 4  # pixels of the largest pooling window whose convolution sums fit a block of registers


def fuse(before: Node, node: Node) -> Node | None:
    """One node for both, where ``node`` alone reads ``before``."""
    return next((one for rule in RULES if (one := rule(before, node))), None)


def _activation(before: Node, node: Node) -> Node | None:
    """The node before applies the activation as it stores."""
    return replace(before, act=node.act) if type(node.op) is Identity and before.act == NONE else None


def _relu_twice(before: Node, node: Node) -> Node | None:
    """Relu of relu is relu."""
    return before if type(node.op) is Identity and before.act == node.act == Relu() else None


def _scale(before: Node, node: Node) -> Node | None:
    """A convolution's weights and bias take up factors and shifts."""
    conv, scale = before.op, node.op
    if not isinstance(conv, Conv) or not isinstance(scale, Scale) or conv.pool or conv.scale or before.act != NONE:
        return None
    return replace(before, op=replace(conv, bias=scale.shift, scale=replace(scale, bias=conv.bias)), act=node.act)


def _norm(before: Node, node: Node) -> Node | None:
    """A first convolution's weights and bias take up what the statistics of the batch make of them."""
    conv, norm = before.op, node.op
    if type(conv) is not Conv or not isinstance(norm, BatchNorm) or before.inputs != (IMAGE,):
        return None
    if conv.pool or norm.pool or before.act != NONE or not pays(conv, norm):
        return None
    return replace(before, op=NormedConv.of(conv, norm), act=node.act)


def _max_pool(before: Node, node: Node) -> Node | None:
    """A max of what a convolution or a normalisation makes, which the activation does not reorder."""
    op, pool = before.op, node.op
    if not isinstance(pool, Pool) or not isinstance(op, Conv | BatchNorm) or op.pool or not before.act.keeps_order:
        return None
    covered = [(n * k, m) for n, k, m in zip(node.output[1:], pool.kernel, before.output[1:], strict=True)]
    inside = all(some <= every for some, every in covered)
    if norm_of(op):  # whose statistics, and gradient, are also of what no window looks at
        inside = all(some == every for some, every in covered)
    plain = inside and not pool.average and pool.stride == pool.kernel and pool.padding == (0, 0)
    if not plain or not 1 < prod(pool.kernel) <= FUSED:
        return None
    return replace(before, op=replace(op, pool=pool.kernel), output=node.output)


RULES: tuple[Callable[[Node, Node], Node | None], ...] = (_activation, _relu_twice, _scale, _norm, _max_pool)
