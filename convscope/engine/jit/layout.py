"""Where each parameter of a net lies in the flat array of all of them.

The trained ones come first, in the order of ``net.parameters()``; behind them, from a whole cache line on, the frozen
ones (``requires_grad=False``). So gradients, clipping and the update see one run of numbers, and no frozen one.
"""

from collections.abc import Set

from torch import nn

from .ir.arrays import padded
from .ways.layer import Where


class Layout:
    """Places by name, counted in numbers. Where a net is not trained, no parameter counts as frozen."""

    def __init__(self, net: nn.Module, training: bool) -> None:
        self.training = training
        known = list(net.named_parameters())
        self.frozen: Set[str] = {name for name, p in known if training and not p.requires_grad}
        self.places: dict[str, int] = {}
        self.trained = self._place([(name, p.numel()) for name, p in known if name not in self.frozen], 0)
        behind = padded(self.trained) if self.frozen else self.trained
        self.count = self._place([(name, p.numel()) for name, p in known if name in self.frozen], behind)

    def where(self, name: str, module: nn.Module, statistic: int, draws: int) -> Where:
        """The layer ``module``, which is called ``name``, as its way is told of it."""
        names = [parameter for parameter, _ in module.named_parameters()]
        return Where(
            name=name,
            parameters={parameter: self.places[f"{name}.{parameter}"] for parameter in names},
            frozen={parameter for parameter in names if f"{name}.{parameter}" in self.frozen},
            statistic=statistic,
            draws=draws,
            training=self.training,
        )

    def _place(self, sizes: list[tuple[str, int]], start: int) -> int:
        """One behind the other; returns where the last ends."""
        for name, size in sizes:
            self.places[name] = start
            start += size
        return start
