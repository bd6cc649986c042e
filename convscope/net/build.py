"""A spec becomes a torch module whose children bear the names of the shape table."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .graph import GraphNet
from .shapes import table
from .tree import Net
from .wiring import elsewhere


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside the block; the caller's random state is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def build(net: Net, image: tuple[int, int, int], classes: int, seed: int = 0) -> GraphNet:
    """The net for images (C, H, W): (N, C, H, W) float32 → logits (N, classes).

    Initial weights are PyTorch's defaults, drawn from ``seed`` on the CPU (so they are the same for every device).
    Raises ShapeError where the net does not fit.
    """
    rows = table(net, image, classes)
    with seeded(seed):
        modules = {row.name: row.op.module(row.shapes) for row in rows}
    return GraphNet(modules, elsewhere([row.name for row in rows], [row.inputs for row in rows]))
