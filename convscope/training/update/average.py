"""An average of the weights over the updates (Polyak and Juditsky 1992), which is tested and kept in their stead."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layout import laid_as


@dataclass
class Average:
    """``weights`` are the average by name, empty where there is none yet. While the net holds it, to be tested,
    ``trained`` are the weights that training continues with."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    trained: dict[str, Tensor] = field(default_factory=dict)

    def add(self, net: nn.Module, decay: float, updates: int) -> None:
        """Take in the weights after ``updates`` (at least 1) of them.

        avg ← avg + (1 − d)(w − avg) with d = min(decay, (1 + t)/(10 + t)) and t = updates, as TensorFlow's
        ExponentialMovingAverage with num_updates: so the first weights do not linger. Running statistics are averaged
        like weights; numbers that count are copied.
        """
        now = {name: tensor.detach() for name, tensor in net.state_dict().items()}
        if not self.weights:
            self.weights = {name: tensor.clone() for name, tensor in now.items()}
            return
        self.weights = laid_as(now, self.weights)
        share = 1 - min(decay, (1 + updates) / (10 + updates))
        real = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.weights[name] for name in real], [now[name] for name in real], share)
        for name in now.keys() - set(real):
            self.weights[name].copy_(now[name])

    @contextmanager
    def shown(self, net: nn.Module) -> Iterator[None]:
        """Within this, ``net`` holds the average, where there is one."""
        if not self.weights:
            yield
            return
        self.trained = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
        net.load_state_dict(self.weights)
        try:
            yield
        finally:
            net.load_state_dict(self.trained)
            self.trained = {}
