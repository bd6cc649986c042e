"""Slow weights that the trained ones fall back to (Zhang, Lucas, Hinton and Ba 2019, arXiv 1907.08610)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layout import laid_as

PULL = 0.5  # the paper's α


@dataclass
class Lookahead:
    """``weights`` are the slow weights of the parameters that are trained, by name; empty before the first update."""

    weights: dict[str, Tensor] = field(default_factory=dict)

    def begin(self, net: nn.Module) -> None:
        """The slow weights begin where the net does. Those that were read from a file move to where the net is."""
        now = {name: value.detach() for name, value in trained(net).items()}
        if not self.weights:
            self.weights = {name: value.clone() for name, value in now.items()}
        self.weights = laid_as(now, self.weights)

    def step(self, net: nn.Module) -> None:
        """slow ← slow + α (w − slow), then w ← slow. Momentum and running statistics stay as they are."""
        fast, slow = [value.detach() for value in trained(net).values()], list(self.weights.values())
        torch._foreach_lerp_(slow, fast, PULL)
        torch._foreach_copy_(fast, slow)


def trained(net: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen."""
    return {name: value for name, value in net.named_parameters() if value.requires_grad}
