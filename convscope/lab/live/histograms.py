"""How the numbers of a layer are spread: its weights, and what it makes of the probe images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BINS = 32
MOST = 2**16  # numbers that are counted; of more, as many as lie evenly among them


@dataclass(frozen=True)
class Histogram:
    """``counts`` of the numbers of layer ``name`` in BINS equal bins from ``low`` to ``high``.

    Of a ReLU's outputs also: ``silent`` of its ``channels`` were 0 for all images everywhere.
    """

    name: str
    kind: str
    low: float
    high: float
    counts: list[int]
    channels: int = 0
    silent: int = 0


def histogram(name: str, values: Tensor, kind: str = "", channels: int = 0, silent: int = 0) -> Histogram:
    """Count ``values`` of any shape. Numbers that are not finite are left out."""
    flat = values.detach().flatten()
    flat = flat[:: max(1, flat.numel() // MOST)].float()
    flat = flat[torch.isfinite(flat)].cpu()
    low, high = (float(flat.min()), float(flat.max())) if flat.numel() else (0.0, 0.0)
    counted = torch.histc(flat, BINS, low, high) if low < high else torch.tensor([flat.numel()] + [0] * (BINS - 1))
    return Histogram(name, kind, low, high, [int(n) for n in counted.tolist()], channels, silent)


@contextmanager
def watched(net: nn.Module) -> Iterator[list[Histogram]]:
    """A list that fills with the histograms of every layer's outputs (N, C, …) while ``net`` computes."""
    found: list[Histogram] = []

    def watch(name: str, module: nn.Module) -> Any:
        def seen(_: nn.Module, __: Any, output: Any) -> None:
            if not isinstance(output, Tensor):
                return
            channels = silent = 0
            if isinstance(module, nn.ReLU):
                channels = output.shape[1]
                silent = int((output.movedim(1, 0).flatten(1) == 0).all(1).sum())
            found.append(histogram(name, output, type(module).__name__, channels, silent))

        return module.register_forward_hook(seen)

    hooks = [watch(name, module) for name, module in net.named_children()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
