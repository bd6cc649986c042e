"""The net as a flat graph: nodes in forward order, each with the names of what goes into it. A chain is one, too.

*Flat*: a skip connection is an ``add`` node with two inputs, never a module within a module, so whatever walks
``named_children()`` meets every layer, and a state dict has the same names as a chain's.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .wiring import IMAGE, Inputs


@dataclass(frozen=True)
class Wired:
    """One module of a net and the names of what goes into it, in order."""

    name: str
    module: nn.Module
    inputs: Inputs


class GraphNet(nn.Sequential):
    """A chain of modules, of which some take their ``inputs`` from elsewhere than from the one before them.

    ``inputs`` names the modules that do, and where from; ``image`` is the net's own input.
    """

    def __init__(self, modules: Mapping[str, nn.Module], inputs: Mapping[str, Inputs] | None = None) -> None:
        super().__init__(OrderedDict(modules))
        self.inputs: dict[str, Inputs] = dict(inputs or {})

    @property
    def parts(self) -> tuple[Wired, ...]:
        """The modules in forward order."""
        return parts(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) → what the last module makes. Whatever nobody will read any more is let go at once."""
        if not self.inputs:
            return super().forward(x)  # type: ignore[no-any-return, no-untyped-call]
        left = Counter(name for part in self.parts for name in part.inputs)
        made = {IMAGE: x}
        for part in self.parts:
            given = [made[name] for name in part.inputs]
            for name in part.inputs:
                left[name] -= 1
                if not left[name]:
                    del made[name]
            x = made[part.name] = part.module(*given)
        return x

    def __getitem__(self, index: int | slice) -> nn.Module:
        if isinstance(index, slice) and self.inputs:
            raise TypeError("a net with branches cannot be cut into slices: take its layers by their names")
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


def parts(net: nn.Sequential) -> tuple[Wired, ...]:
    """The modules of any Sequential in forward order, with what goes into each."""
    inputs: Mapping[str, Inputs] = net.inputs if isinstance(net, GraphNet) else {}
    result, before = [], IMAGE
    for name, module in net.named_children():
        result.append(Wired(name, module, inputs.get(name, (before,))))
        before = name
    return tuple(result)
