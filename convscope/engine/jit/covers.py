"""Whether the engine computes a net at all, and whether it is worth it. Or: why not."""

import platform
from collections.abc import Sequence
from math import prod

from torch import nn

from ...net.graph import GraphNet, Wired, parts
from ...net.own.net import OwnNet
from .graph import graph, nodes_of
from .ir.arrays import Shape
from .machine import host
from .ways.conv import Conv
from .ways.layer import MisfitError, covered, objection

# Multiply-adds of one image beyond which PyTorch trains small batches faster. Measured: at batch 1 this engine is four
# times as fast with 0.4 M, 0.9 to 1.8 times with 6 M; at batch 4 1.4 times with 6 M, 0.85 with 16 M; at 8 it wins.
LARGE_ALONE, LARGE_FEW, FEW = 3_000_000, 10_000_000, 8


def why_not(net: nn.Module, image: Shape | None = None) -> str | None:
    """Why the CPU engine cannot run ``net``: the first layer it does not cover and the reason; None where it can.

    Whether the layers' shapes are covered, too (sums that broadcast are not), is known only for an ``image``.
    """
    if not host.available():
        return f"no vector instructions are known for {platform.machine()} processors"
    if not isinstance(net, nn.Sequential) or type(net) not in (nn.Sequential, GraphNet, OwnNet):
        return f"the net is a {type(net).__name__}, not a torch.nn.Sequential"
    if len(net) != len(set(net)):
        return "a layer stands in it twice"
    if sum(p.numel() for p in net.parameters()) != sum(p.numel() for m in net for p in m.parameters()):
        return "two layers share their parameters"
    layers = parts(net)
    for part in layers:
        reason = _objection(part.module)
        if reason:
            return f"{part.name}: {reason}"
        if part is not layers[-1] and not any(part.name in other.inputs for other in layers):
            return f"{part.name}: nothing reads what it makes"
        if getattr(part.module, "inplace", False) and _shared(part, layers):
            return f"{part.name}: it changes in place what another layer reads"
    if next(net.parameters(), None) is None:
        return "the net has no parameters"
    return _misfit(net, image) if image else None


def _shared(part: Wired, layers: Sequence[Wired]) -> bool:
    """Whether others than ``part`` read the memory that it reads: a flat image lies where the image lay."""
    (source,) = part.inputs
    if sum(other.inputs.count(source) for other in layers) > 1:
        return True
    views = (other for other in layers if other.name == source and isinstance(other.module, nn.Flatten))
    return any(_shared(view, layers) for view in views)


def _misfit(net: nn.Sequential, image: Shape) -> str | None:
    """Why there is no way for the shapes that meet in a net whose layers are covered."""
    try:
        nodes = nodes_of(net, image, training=True)
    except MisfitError as error:
        return str(error)
    last = parts(net)[-1].name
    return None if nodes[-1].output[1:] == (1, 1) else f"{last}: it makes an image, not scores"


def _objection(module: nn.Module) -> str:
    """Why there is no way for a layer; "" where there is one."""
    if not covered(module):
        return f"{type(module).__name__} is not covered"
    if module._forward_hooks or module._forward_pre_hooks:
        return "it has hooks"
    reason = objection(module)
    if reason:
        return reason
    for parameter in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        if str(parameter.dtype) != "torch.float32" or parameter.device.type != "cpu":
            return f"its parameters are {parameter.dtype} on {parameter.device}, not float32 on the CPU"
    return ""


def why_slower(net: nn.Sequential, image: Shape, batch_size: int) -> str | None:
    """Why PyTorch trains a net that is covered faster; None where it does not. Raises UsageError like ``graph``."""
    work = sum(
        prod(node.output) * prod(node.op.window) * node.op.fan_in * prod(node.op.kernel)
        for node in graph(net, image, training=True)
        if isinstance(node.op, Conv)
    )
    if batch_size < FEW and work > (LARGE_ALONE if batch_size == 1 else LARGE_FEW):
        return f"batches of {batch_size} leave its vectors idle, and the net has {work:,} multiply-adds"
    return None
